"""Scalars of control processors in native code: their sources, and SET.

Arithmetic that could leave 64 bits and registers that are not set are left to Python, which says
what is wrong.
"""

from __future__ import annotations

from maiacc_sim.native.codes import LABEL, REGISTER, SOURCES
from maiacc_sim.native.lang.functions import native, record, shared_record
from maiacc_sim.native.lang.names import Array, Fixed, i64
from maiacc_sim.native.lang.operations import add_fits, largest, mul_fits, smallest, ult
from maiacc_sim.native.records import Word

SCALAR = LABEL.scalar

#: Scalars have 48 bits.
SCALAR_LIMIT = 1 << 47


@record
class Sources:
    """What a control processor computes with, by source code, and whether each is set."""

    value: Fixed[Array[i64], 64]
    known: Fixed[Array[i64], 64]


@shared_record
class Tables:
    """The constant tables of a block, one behind the other; ``at`` is where each begins."""

    entries: Array[i64]
    at: Array[i64]
    count: i64


@native(inline=True)
def has(s: Sources, code: i64) -> bool:
    """Whether a source has a value."""
    return ult(code, SOURCES) and s.known[code] != 0


@native(inline=True)
def set_source(s: Sources, code: i64, value: i64) -> None:
    """Gives a source a value."""
    s.value[code] = value
    s.known[code] = 1


@native()
def assign(s: Sources, w: Word, tables: Tables) -> bool:
    """Executes a SET; False where Python has to look at it."""
    p = 0
    q = 0
    if w.c1 != 0:
        if not has(s, w.x1) or not mul_fits(s.value[w.x1], w.c1):
            return False
        p = s.value[w.x1] * w.c1
    if w.c2 != 0:
        if not has(s, w.x2) or not mul_fits(s.value[w.x2], w.c2):
            return False
        q = s.value[w.x2] * w.c2
    if not add_fits(p, q) or not add_fits(p + q, w.imm) or not add_fits(p + q, w.m):
        return False
    v = p + q + w.imm
    result = v
    match w.fn:
        case SCALAR.none:
            result = v
        case SCALAR.div | SCALAR.mod:
            if w.m <= 0:
                return False
            result = v // w.m if w.fn == SCALAR.div else v % w.m
        case SCALAR.min:
            result = smallest(p + q + w.m, w.imm)
        case SCALAR.max:
            result = largest(p + q + w.m, w.imm)
        case SCALAR.min2:
            if not add_fits(p, w.imm) or not add_fits(q, w.m):
                return False
            result = smallest(p + w.imm, q + w.m)
        case SCALAR.max2:
            if not add_fits(p, w.imm) or not add_fits(q, w.m):
                return False
            result = largest(p + w.imm, q + w.m)
        case SCALAR.table:
            if not ult(w.m, tables.count):
                return False
            first = tables.at[w.m]
            if not ult(v, tables.at[w.m + 1] - first):
                return False
            result = tables.entries[first + v]
        case _:
            return False
    if result >= SCALAR_LIMIT or result < -SCALAR_LIMIT:
        return False
    set_source(s, REGISTER + w.dest, result)
    return True
