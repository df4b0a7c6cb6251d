"""What the cases of single words choose from: sizes at the edges, types, layouts, chains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from native.batches import Batch
from native.contents import MOODS, special
from native.layouts import BOTH, LAYOUTS, Want, coordinates, factors

T = TypeVar("T")

Rng = np.random.Generator

#: Rows and columns around registers and blocks; only few rows of the longest.
COLUMNS = (1, 2, 3, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257)
ROWS = (1, 2, 5)

TYPES = load().dtypes
FLOATS = tuple(name for name, t in TYPES.items() if t.is_float)
INTS = tuple(name for name, t in TYPES.items() if t.is_int)
NUMBERS = (*FLOATS, *INTS, "bool")

#: Types of 8 bits and more.
WIDE = tuple(name for name, t in TYPES.items() if not t.packed)


def one(rng: Rng, items: Sequence[T]) -> T:
    """One of some things."""
    return items[int(rng.integers(len(items)))]


def chance(rng: Rng, share: float) -> bool:
    """True in some share of all cases."""
    return bool(rng.random() < share)


def group_of(dtypes: Iterable[str]) -> int:
    """What sizes along the last dim are multiples of, so that all types are whole bytes."""
    groups = {4: 2, 6: 4}
    return max((groups.get(TYPES[dtype].bits, 1) for dtype in dtypes), default=1)


def size(rng: Rng, dtypes: Iterable[str] = ()) -> tuple[int, int]:
    """Rows and columns, the latter so that rows of all types are whole bytes."""
    rows, columns = one(rng, ROWS), one(rng, COLUMNS)
    if columns > 100:
        rows = min(rows, 2)
    if chance(rng, 0.02):
        rows, columns = one(rng, ((0, columns), (rows, 0)))
    return rows, columns + -columns % group_of(dtypes)


def layout(rng: Rng, writes: bool = False) -> str:
    """A layout, plain ones more often."""
    if chance(rng, 0.3):
        return "plain"
    return one(rng, tuple(BOTH if writes else LAYOUTS))


def mood(rng: Rng) -> str:
    """How wild elements are."""
    return one(rng, MOODS)


def flat(
    batch: Batch,
    dtype: str,
    count: tuple[int, int],
    writes: bool = False,
    space: str = "tsram",
    how: str | None = None,
) -> int:
    """A view of rows times columns elements without a split."""
    rng, (rows, columns) = batch.rng, count
    dims = count if rows != 1 or chance(rng, 0.2) else (columns,)
    if rows and columns > 1 and not TYPES[dtype].packed and chance(rng, 0.3):
        dims = factors(rng, rows * columns)  # type: ignore[assignment]
    if space == "iota":
        return batch.put(coordinates(rng, dtype, dims))
    return batch.view(Want(space, dtype, dims, (), how or layout(rng, writes), writes))


def split(
    batch: Batch,
    dtype: str,
    count: tuple[int, int],
    writes: bool = False,
    space: str = "tsram",
    how: str | None = None,
) -> int:
    """A view of rows before and columns behind the split."""
    rng, (rows, columns) = batch.rng, count
    kept = factors(rng, rows) if rows != 1 or chance(rng, 0.2) else ()
    packed = TYPES[dtype].packed
    red = factors(rng, columns) if columns > 1 and not packed else (columns,)
    if space == "iota":
        return batch.put(coordinates(rng, dtype, kept, red))
    return batch.view(Want(space, dtype, kept, red, how or layout(rng, writes), writes))


def rows_of(batch: Batch, dtype: str, rows: int, writes: bool = False) -> int:
    """A view of one element for each row."""
    return batch.view(Want("tsram", dtype, (rows,), (), layout(batch.rng, writes), writes))


# ---- chains -----------------------------------------------------------------------------------
def immediate(rng: Rng, dtype: str) -> int:
    """The bits of an immediate, often special ones."""
    if chance(rng, 0.5):
        low = special("fp32" if TYPES[dtype].is_float else "int32")
        return int(one(rng, low.tolist()))
    value = int(rng.integers(-9, 10))
    if TYPES[dtype].is_float:
        return int(np.float32(value / 2).view(np.uint32))
    return value & 0xFFFFFFFF


def step(rng: Rng, op: str, dtype: str, number: int) -> Step:
    """A stage with inputs that are there by then."""
    there = ["a", "b", "c", "imm", *(f"r{n}" for n in range(number))]
    count = load().stages[op].inputs
    inputs = [one(rng, there) for _ in range(count)]
    if number:
        inputs[int(rng.integers(count))] = f"r{number - 1}"
    elif chance(rng, 0.8):
        inputs = list("abc"[:count])
    return Step(op, tuple(inputs), immediate(rng, dtype) if "imm" in inputs else 0)


def chain(
    rng: Rng, ops: Sequence[str], dtype: str = "fp32", stat: str = "none", drain: bool = False
) -> Chain:
    """A chain of some stages with any way to leave."""
    steps = tuple(step(rng, op, dtype, number) for number, op in enumerate(ops))
    if drain or all("a" not in s.inputs for s in steps):
        steps = (Step(steps[0].op, ("a", *steps[0].inputs[1:]), steps[0].imm), *steps[1:])
    return Chain(
        dtype,
        steps,
        stat,
        chance(rng, 0.5),
        chance(rng, 0.7),
        one(rng, [label.name for label in load().enums["round"].labels]),
    )


def stages_of(family: str) -> tuple[str, ...]:
    """The stages of a class, ``float`` or ``int``."""
    return tuple(s.name for s in load().stages.values() if family in s.classes)
