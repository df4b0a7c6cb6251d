"""What texts, the verifier and whoever makes modules agree on: stages, ends, names, limits."""

from __future__ import annotations

import re
from collections.abc import Mapping

from maiacc_passes.ir.rules import LARGEST, MOST_AXES
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.types import Type

#: The version of the text.
VERSION = 1

#: Stages of a module, and the kinds of ops that each may have.
STAGES: dict[str, frozenset[Kind]] = {"graph": frozenset(Kind)}

#: The op that ends the main region, and the one that ends all others.
RETURN, YIELD = "return", "yield"
ENDS = frozenset((RETURN, YIELD))

#: Regions inside one another, and characters of a line.
DEPTH = 64
LINE = 1 << 20

#: Integers that can be written.
LOWEST, HIGHEST = -(1 << 63), (1 << 64) - 1

#: Names of weights and of symbols.
WEIGHT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
SYMBOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ill_sized(kind: Type, bounds: Mapping[str, int]) -> str:
    """What is wrong with the sizes of a type, or nothing."""
    if kind.rank > MOST_AXES:
        return f"a type has more than {MOST_AXES} axes"
    size = 1
    for extent in kind.shape:
        size *= max(extent, 1)
    if size > LARGEST:
        return f"a tensor is larger than {LARGEST} elements"
    for extent, symbol in zip(kind.shape, kind.counts, strict=False):
        if symbol is not None and symbol not in bounds:
            return f"~{symbol} has no bound"
        if symbol is not None and extent < bounds[symbol]:
            return f"a size is below the bound of ~{symbol}, {bounds[symbol]}"
    return ""
