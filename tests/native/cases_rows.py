"""Words that work along rows: reductions, scans, sorts, the best of a row."""

from __future__ import annotations

from functools import partial
from itertools import product

from maiacc_isa.load import load
from native.batches import Batch, Case
from native.choices import (
    FLOATS,
    NUMBERS,
    Rng,
    chance,
    mood,
    one,
    rows_of,
    size,
    split,
)

SPEC = load()
ENUMS = SPEC.enums


def labels(name: str) -> tuple[str, ...]:
    """The labels of an enum."""
    return tuple(label.name for label in ENUMS[name].labels)


def types_of(insn: str, operand: str) -> tuple[str, ...]:
    """The types that the row of an instruction gives an operand."""
    found = SPEC.insns[insn].operand_by_name[operand].types
    return NUMBERS if found is None else tuple(found)


def reducible(op: str, d: str, a: str) -> bool:
    """Whether rows of ``a`` may be reduced to ``d``."""
    if op in ("argmax", "argmin"):
        return d in ("int32", "int64")
    if d == "bool":
        return a == "bool" and op in ("max", "min")
    return (d in FLOATS) == (a in FLOATS)


def _count(rng: Rng, dtypes: list[str]) -> tuple[int, int]:
    """Rows and columns; 8-byte elements in many copies take much room."""
    rows, columns = size(rng, dtypes)
    return (min(rows, 2), columns) if columns > 60 else (rows, columns)


def _reduce(batch: Batch, rng: Rng, op: str, d: str, a: str, carry: bool) -> None:
    batch.mood = mood(rng)
    count = _count(rng, [a])
    space = "acc" if a in ("fp32", "int32") and chance(rng, 0.2) else "tsram"
    fields: dict[str, object] = {"a": split(batch, a, count, space=space)}
    fields["d"] = rows_of(batch, d, count[0], writes=True)
    if carry:
        again = chance(rng, 0.3)
        fields["b"] = fields["d"] if again else rows_of(batch, d, count[0])
    batch.word("VRED", "TVP", op=op, carry=carry, **fields)


def reduce_cases() -> list[Case]:
    """Every reduction of every type to every type."""
    cases = []
    for op, d, a, turn in product(labels("reduce"), types_of("VRED", "d"), NUMBERS, range(3)):
        if not reducible(op, d, a):
            continue
        for carry in (False, True)[: 1 + (op in ("sum", "max", "min", "prod"))]:
            build = partial(_reduce, op=op, d=d, a=a, carry=carry)
            cases.append(Case(f"reduce {op} {d} of {a} {carry} {turn}", build))
    return cases


def _scan(batch: Batch, rng: Rng, op: str, d: str, a: str, carry: bool) -> None:
    batch.mood = mood(rng)
    count = _count(rng, [a])
    fields: dict[str, object] = {}
    if a == d and chance(rng, 0.3):
        fields["a"] = fields["d"] = split(batch, d, count, writes=True)
    else:
        fields["a"] = split(batch, a, count)
        fields["d"] = split(batch, d, count, writes=True)
    if carry:
        fields["b"] = rows_of(batch, d, count[0])
    batch.word("VSCAN", "TVP", op=op, carry=carry, **fields)


def scan_cases() -> list[Case]:
    """Every scan of every type to every type."""
    cases = []
    for op, d, a in product(labels("scanop"), types_of("VSCAN", "d"), types_of("VSCAN", "a")):
        if (d in FLOATS) != (a in FLOATS):
            continue
        for carry, turn in product((False, True), range(4)):
            build = partial(_scan, op=op, d=d, a=a, carry=carry)
            cases.append(Case(f"scan {op} {d} of {a} {carry} {turn}", build))
    return cases


def _sort(batch: Batch, rng: Rng, dtype: str, descending: bool, payload: bool) -> None:
    batch.mood = mood(rng)
    count = _count(rng, [])
    fields: dict[str, object] = {}
    for result, key, kind, there in (("d", "a", dtype, True), ("e", "b", "int32", payload)):
        fields[result] = split(batch, kind, count, writes=True)
        if there:
            same = chance(rng, 0.3)
            fields[key] = fields[result] if same else split(batch, kind, count)
    batch.word("VSORT", "TVP", descending=descending, payload=payload, **fields)


def sort_cases() -> list[Case]:
    """Sorts of every type, both ways, with positions and with a payload."""
    cases = []
    for dtype, descending, payload in product(types_of("VSORT", "d"), (False, True), (False, True)):
        for turn in range(20):
            build = partial(_sort, dtype=dtype, descending=descending, payload=payload)
            cases.append(Case(f"sort {dtype} {descending} {payload} {turn}", build))
    return cases


def _top(batch: Batch, rng: Rng, dtype: str, places: str, least: bool) -> None:
    batch.mood = mood(rng)
    rows, columns = _count(rng, [])
    columns = max(columns, 1)
    k = min(columns, one(rng, (1, 2, 3, 8, 15, 16, 17, 63, 64)))
    fields = {
        "a": split(batch, dtype, (rows, columns)),
        "d": split(batch, dtype, (rows, k), writes=True),
        "e": split(batch, places, (rows, k), writes=True),
    }
    batch.word("VTOPK", "TVP", k=k, least=least, **fields)


def top_cases() -> list[Case]:
    """The best of rows of every type."""
    cases = []
    for dtype, places, least in product(types_of("VTOPK", "d"), ("int32", "int64"), (False, True)):
        for turn in range(16):
            build = partial(_top, dtype=dtype, places=places, least=least)
            cases.append(Case(f"top {dtype} {places} {least} {turn}", build))
    return cases
