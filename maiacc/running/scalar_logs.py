"""Scalar logs in files: what a run with values loaded, for runs without."""

from __future__ import annotations

import hashlib

import msgspec

from maiacc_isa.atomic import AtomicFile, open_plain
from maiacc_isa.errors import MaiaccError, Place, quote
from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_isa.version import ISA_VERSION, TIMING_VERSION
from maiacc_isa.word import encode
from maiacc_sim.scalar_log import Log
from maiacc_sim.system import System

#: Version of the file.
SCHEMA = 1

#: Largest log read, in bytes.
LIMIT = 64 << 20


class LogFile(msgspec.Struct, forbid_unknown_fields=True):
    """A log as it is written. ``machine`` and ``program`` are SHA-256 of the machine's values and
    of the program's words; ``values`` has the loaded scalars of each instance in order."""

    schema: int
    machine: str
    program: str
    isa: tuple[int, int]
    timing: int
    values: dict[str, list[int]]


def write_log(path: str, program: Program, log: Log) -> None:
    """Writes a log. Raises ``MaiaccError`` E0003."""
    instances = System(program.machine).instances
    values = {str(instances[number]): values for number, values in sorted(log.items())}
    document = LogFile(
        SCHEMA, program.machine.digest, _digest(program), ISA_VERSION, TIMING_VERSION, values
    )
    with AtomicFile(path) as file:
        file.write(msgspec.json.encode(document) + b"\n")


def read_log(path: str, program: Program) -> Log:
    """A log for a program. Raises ``MaiaccError`` E0002 or E0005 for a file that cannot be read,
    and E1207 for one that is no log, or not one of this program."""
    with open_plain(path) as file:
        data = file.read(LIMIT + 1)
    try:
        if len(data) > LIMIT:
            raise _refusal(path, "the scalar log is too large", f"at most {LIMIT} bytes", "more")
        found = msgspec.json.decode(data, type=LogFile)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as problem:
        raise _refusal(path, "this is no scalar log", None, quote(str(problem))) from None
    ours = LogFile(
        SCHEMA, program.machine.digest, _digest(program), ISA_VERSION, TIMING_VERSION, {}
    )
    for what in ("schema", "machine", "program", "isa", "timing"):
        wanted, there = getattr(ours, what), getattr(found, what)
        if there != wanted:
            message = f"the scalar log is of another {_NAMES.get(what, what)}"
            raise _refusal(path, message, str(wanted), quote(str(there)))
    numbers = {str(i): i.number for i in System(program.machine).instances}
    for name in found.values:
        if name not in numbers:
            message = "the machine has no such control processor"
            raise _refusal(path, message, None, quote(name))
    return {numbers[name]: values for name, values in found.values.items()}


#: What the versions in a log are called.
_NAMES = {"schema": "form", "isa": "version of the instruction set", "timing": "version of time"}


def _refusal(path: str, message: str, expected: str | None, found: str) -> MaiaccError:
    return MaiaccError(
        "E1207",
        message,
        place=Place(file=path),
        expected=expected,
        found=found,
        hint="write one with --save-log in a run with values of the same program",
    )


def _digest(program: Program) -> str:
    """SHA-256 of the words of all blocks."""
    result = hashlib.sha256()
    size = load().records["word_engine"].bits // 8
    for block in program.blocks:
        result.update(f"{len(block.words)}\n".encode())
        for word in block.words:
            result.update(encode(word).to_bytes(size, "little"))
    return result.hexdigest()
