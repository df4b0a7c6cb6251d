"""Proofs that were made before.

A proof depends on the program and on the prover alone, so it is kept in the user's cache under a
digest of both. Nothing that a program file says about itself is believed, and no machine relies on
a proof for the safety of its host.
"""

from __future__ import annotations

from functools import cache

import msgspec

from maiacc_isa.cache import get, key, put, source_digest
from maiacc_isa.container import block_members
from maiacc_isa.lint.prove import prove
from maiacc_isa.load import rows_digest
from maiacc_isa.manifest import block_names, manifest_of
from maiacc_isa.program import Program

#: What an entry holds.
PROVEN = b"proven"


def is_proven(program: Program) -> bool:
    """Whether the prover finds nothing wrong with a program whose words are legal.

    What was proven by this prover before is not proven again.
    """
    name = key("proof", prover_digest(), program_digest(program))
    if get("proof", name) == PROVEN:
        return True
    proven = prove(program).proven
    if proven:
        put("proof", name, PROVEN)
    return proven


def program_digest(program: Program) -> str:
    """A digest of all of a program but the values of its weights and where it was read from."""
    parts: list[bytes] = [msgspec.json.encode(manifest_of(program, {}, {}))]
    for block in program.blocks:
        parts += block_members(block).values()
        parts.append(msgspec.json.encode(block_names(block).buffers))
    return key(*parts)


@cache
def prover_digest() -> str:
    """A digest of the prover: its sources, and the rows it reads."""
    return key(source_digest(["maiacc_isa"]), rows_digest())
