"""Views that depend on registers, and types below 8 bits at places that no proven word has."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import product

from maiacc_isa.tables import Axis, Chain, Descriptor, Dim, Sized, Step
from native.batches import Batch, Case, Setting
from native.choices import (
    FLOATS,
    NUMBERS,
    TYPES,
    WIDE,
    Rng,
    chance,
    mood,
    one,
)
from native.layouts import Want

#: Registers that sizes and extents come from.
SIZE, EXTENT = 5, 6

MOV = Chain("fp32", (Step("mov", ("a",)),))

PACKED = tuple(name for name, t in TYPES.items() if t.packed)

#: Who executes words that no prover accepts because of where their elements lie.
LOOSE = Setting(allowed=("E0704",))


def _sized(batch: Batch, rng: Rng, name: str, dtype: str) -> None:
    """A word whose rows, and the box of whose source, registers decide."""
    batch.mood = mood(rng)
    rows, columns = one(rng, (1, 2, 5)), one(rng, (1, 3, 16, 33))
    value = rows + 1 if chance(rng, 0.05) else int(rng.integers(rows + 1))
    extent = columns + 1 if chance(rng, 0.05) else int(rng.integers(columns + 1))
    batch.scalar(SIZE, value)
    batch.scalar(EXTENT, extent)
    found = {}
    for side in "ad":
        number = batch.view(Want("tsram", dtype, (rows, columns), (), "plain", side == "d"))
        sized = [Sized(SIZE, "size0")]
        if side == "a":
            sized.append(Sized(EXTENT, "extent1"))
        d = batch.descriptors.pop(number)
        found[side] = batch.put(replace(d, sized=tuple(sized), fill=int(rng.integers(1 << 32))))
    if name == "VMAP":
        batch.word(name, "TVP", chain=batch.chain(MOV), **found)
    else:
        batch.word(name, "LD0" if name == "COPY" else "TVP", **found)


def sized_cases() -> list[Case]:
    """Sizes and extents from registers, in and out of range."""
    cases = []
    for name, dtype, turn in product(("VMAP", "VCVT", "COPY"), WIDE, range(10)):
        if dtype in (*NUMBERS, "bool") or name == "COPY":
            build = partial(_sized, name=name, dtype=dtype)
            cases.append(Case(f"sized {name} {dtype} {turn}", build))
    return cases


def _odd_view(batch: Batch, dtype: str, rows: int, columns: int, writes: bool) -> int:
    """Elements that begin and end inside bytes; rows share bytes, too."""
    rng, bits = batch.rng, TYPES[dtype].bits
    first = int(rng.integers(1, 8))
    extent, pitch = columns + first + int(rng.integers(3)), (columns + first + 5) * bits
    if chance(rng, 0.5):
        pitch += -pitch % 8
    outside = chance(rng, 0.3)
    axes = (Axis(rows, pitch), Axis(extent - 2 * outside, bits, first))
    base = batch.take("tsram", (rows * pitch + extent * bits) // 8 + 1, dtype, batch.mood)
    dims = (Dim(rows, 0), Dim(columns, 1))
    fill = int(rng.integers(1 << 32))
    return batch.put(
        Descriptor("tsram", dtype, base, axes, dims, 2, drop=outside and writes, fill=fill)
    )


def _odd(batch: Batch, rng: Rng, name: str, dtype: str) -> None:
    batch.mood = mood(rng)
    rows, columns = one(rng, (1, 2, 5)), one(rng, (1, 2, 3, 5, 15, 16, 17, 33))
    d = _odd_view(batch, dtype, rows, columns, writes=True)
    if name == "COPY":
        a = _odd_view(batch, dtype, rows, columns, writes=False)
        batch.word(name, "LD0", d=d, a=a)
    elif name == "FILL":
        batch.word(name, "LD0", d=d, value=int(rng.integers(1 << 32)))
    elif name == "VMAP":
        a = _odd_view(batch, one(rng, [t for t in PACKED if t != "sp24"]), rows, columns, False)
        batch.word(name, "TVP", chain=batch.chain(replace(MOV, saturate=True)), d=d, a=a)
    else:
        kind = one(rng, (*FLOATS, "int4", "uint4"))
        a = (
            _odd_view(batch, kind, rows, columns, writes=False)
            if TYPES[kind].packed
            else batch.view(Want("tsram", kind, (rows, columns)))
        )
        batch.word(name, "TVP", d=d, a=a, saturate=True)


def odd_cases() -> list[Case]:
    """Types below 8 bits at any bit."""
    cases = []
    for name, dtype, turn in product(("COPY", "FILL", "VMAP", "VCVT"), PACKED, range(30)):
        if dtype != "sp24" or name in ("COPY", "FILL"):
            build = partial(_odd, name=name, dtype=dtype)
            cases.append(Case(f"odd {name} {dtype} {turn}", build, LOOSE))
    return cases
