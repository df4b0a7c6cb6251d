"""What control processors compute with: the sources of a scalar word, and SET.

The sources of one control processor are a list indexed by source code; ``None`` stands for a
register that is not set and for the counter of a loop that is not in force.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from maiacc_isa.errors import InternalError
from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.system import Instance
from maiacc_sim.traps import Trap

#: Values by source code.
Sources: TypeAlias = "list[int | None]"

#: Code of the first loop counter, and of the first register.
COUNTER = load().sources["L"].code
REGISTER = load().sources["s"].code

#: How many registers a control processor has.
REGISTERS = load().sources["s"].count

#: Scalars lie in -SCALAR_LIMIT .. SCALAR_LIMIT - 1: 48 bits, signed.
SCALAR_LIMIT = 1 << 47


def fresh_sources(instance: Instance) -> Sources:
    """The sources of a control processor before the program starts: only ids are known."""
    size = 1 + max(row.code + row.count - 1 for row in load().sources.values())
    values: Sources = [None] * size
    for code, value in instance.ids.items():
        values[code] = value
    return values


def read(block: Block, sources: Sources, code: int) -> int:
    """The value of a source. Raises ``Trap`` scalar_unset or level."""
    value = sources[code]
    if value is None:
        if COUNTER <= code < COUNTER + load().limit("loops"):
            raise Trap("level", f"no loop of level {code - COUNTER} is in force here")
        name = block.symbols.registers.get(code - REGISTER, f"s{code - REGISTER}")
        raise Trap("scalar_unset", f"{name} is read before anything has set it")
    return value


def assign(block: Block, word: Word, sources: Sources) -> None:
    """Executes a SET. Raises ``Trap`` scalar_unset, table_index or scalar_overflow."""
    f = word.fields
    p = f["c1"] * read(block, sources, f["x1"]) if f["c1"] else 0
    q = f["c2"] * read(block, sources, f["x2"]) if f["c2"] else 0
    result = _FUNCTIONS[f["fn"]](p, q, f["imm"], f["m"], block)
    if not -SCALAR_LIMIT <= result < SCALAR_LIMIT:
        raise Trap("scalar_overflow", f"{result} does not fit 48 bits", expected="-2^47 .. 2^47-1")
    sources[REGISTER + f["dest"]] = result


def _entry(p: int, q: int, imm: int, m: int, block: Block) -> int:
    table, index = block.tables[m], p + q + imm
    if not 0 <= index < len(table):
        name = block.symbols.tables.get(m, f"table {m}")
        raise Trap(
            "table_index",
            f"{name} is read behind its end",
            expected=f"0 .. {len(table) - 1}",
            found=str(index),
        )
    return table[index]


_FUNCTIONS: dict[str, Callable[[int, int, int, int, Block], int]] = {
    "none": lambda p, q, imm, m, block: p + q + imm,
    "div": lambda p, q, imm, m, block: (p + q + imm) // m,
    "mod": lambda p, q, imm, m, block: (p + q + imm) % m,
    "min": lambda p, q, imm, m, block: min(p + q + m, imm),
    "max": lambda p, q, imm, m, block: max(p + q + m, imm),
    "min2": lambda p, q, imm, m, block: min(p + imm, q + m),
    "max2": lambda p, q, imm, m, block: max(p + imm, q + m),
    "table": _entry,
}


def _check_functions() -> None:
    labels = {label.name for label in load().enums["scalar"].labels}
    if labels != set(_FUNCTIONS):
        raise InternalError("E0001", f"functions of SET differ: {labels ^ set(_FUNCTIONS)}")


_check_functions()
