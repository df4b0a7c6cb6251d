"""Conversions, selections, coordinates, single elements by index, checksums."""

from __future__ import annotations

import zlib
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from maiacc_isa.tables import Axis, Descriptor, Dim
from maiacc_sim.arith.convert import container
from maiacc_sim.tensors import pack
from native.batches import Batch, Case
from native.cases_rows import labels, types_of
from native.choices import (
    FLOATS,
    NUMBERS,
    TYPES,
    WIDE,
    Rng,
    chance,
    flat,
    mood,
    one,
    size,
)
from native.layouts import Want, coordinates

#: Layouts in which neighbours of types below 8 bits follow each other.
CLOSE = ("plain", "gaps", "moved", "box")


def _convert(batch: Batch, rng: Rng, d: str, a: str, round_: str, saturate: bool) -> None:
    batch.mood = mood(rng)
    count = size(rng, [d, a])
    space = "acc" if a in ("fp32", "int32") and chance(rng, 0.2) else "tsram"
    packed = TYPES[d].packed, TYPES[a].packed
    fields = {
        "d": flat(batch, d, count, writes=True, how=one(rng, CLOSE) if packed[0] else None),
        "a": flat(batch, a, count, space=space, how=one(rng, CLOSE) if packed[1] else None),
    }
    if d == a and chance(rng, 0.2):
        fields["a"] = fields["d"]
    batch.word("VCVT", "TVP", round=round_, saturate=saturate, **fields)


def convert_cases() -> list[Case]:
    """Every pair of types, every rounding, with and without saturation."""
    cases = []
    for d, a, saturate in product(NUMBERS, NUMBERS, (False, True)):
        matters = a in FLOATS and d not in FLOATS
        for round_, turn in product(labels("round") if matters else ("rne",), range(2)):
            build = partial(_convert, d=d, a=a, round_=round_, saturate=saturate)
            cases.append(Case(f"convert {d} of {a} {round_} {saturate} {turn}", build))
    return cases


def _select(batch: Batch, rng: Rng, d: str, a: str, other: bool) -> None:
    count = size(rng, [d, a])
    space = "acc" if a == "fp32" and (d != a or chance(rng, 0.2)) else "tsram"
    region = replace(coordinates(rng, "bool", count), fill=int(rng.integers(0, 1 << 32)))
    fields: dict[str, object] = {"a": flat(batch, a, count, space=space)}
    if space == "acc" and d != a and batch.descriptors[int(str(fields["a"]))].space != "acc":
        fields["a"] = flat(batch, d, count)
    if other:
        fields["b"] = flat(batch, d, count)
    fields["d"] = flat(batch, d, count, writes=True)
    batch.word("VSEL", "TVP", other=other, c=batch.put(region), **fields)


def select_cases() -> list[Case]:
    """Selections by position, of every type."""
    cases = []
    pairs = [(t, t) for t in TYPES] + [(d, "fp32") for d in FLOATS]
    for (d, a), other, turn in product(pairs, (False, True), range(6)):
        build = partial(_select, d=d, a=a, other=other)
        cases.append(Case(f"select {d} of {a} {other} {turn}", build))
    return cases


def _iota(batch: Batch, rng: Rng, dtype: str) -> None:
    count = size(rng)
    found = coordinates(rng, dtype, count)
    if chance(rng, 0.3):
        # Large coordinates, which round as fp32.
        axes = [replace(axis, start=int(rng.integers(-(1 << 15), 1 << 15))) for axis in found.axes]
        dims = [replace(dim, step=int(rng.integers(-(1 << 15), 1 << 15))) for dim in found.dims]
        axes = [replace(axis, extent=(1 << 32) - 1) for axis in axes]
        found = replace(found, axes=tuple(axes), dims=tuple(dims))
    batch.word("VIOTA", "TVP", d=flat(batch, dtype, count, writes=True), a=batch.put(found))


def iota_cases() -> list[Case]:
    """Coordinates as every type."""
    return [
        Case(f"iota {dtype} {turn}", partial(_iota, dtype=dtype))
        for dtype, turn in product(types_of("VIOTA", "d"), range(30))
    ]


# ---- by index -----------------------------------------------------------------------------------
def table(
    batch: Batch, dtype: str, rows: int, space: str, columns: int | None = None
) -> Descriptor:
    """A view whose coordinate on axis 0 is replaced by indices: one element, or one row."""
    rng, width = batch.rng, TYPES[dtype].bits // 8
    gap = int(rng.integers(1, 3))
    length = columns or 1
    pitch = width * (length * gap + int(rng.integers(3)))
    first = int(rng.integers(0, rows)) if rows and chance(rng, 0.5) else 0
    axes = (Axis(rows, pitch, first), Axis(length, width * gap))
    dims = () if columns is None else (Dim(columns, 1),)
    turned = chance(rng, 0.2)
    size_ = pitch * (rows + 1)
    base = batch.take(space, size_, dtype, batch.mood)
    if turned and rows:
        axes = (Axis(rows, -pitch, first), axes[1])
        base += pitch * (rows - 1)
    fill = int(rng.integers(0, 1 << 32))
    return Descriptor(space, dtype, base, axes, dims, 0, fill=fill)


def indices(
    batch: Batch, dtype: str, count: tuple[int, ...], around: Descriptor, stray: float, space: str
) -> int:
    """Indices into axis 0 of a table, a share of them outside of it."""
    rng = batch.rng
    number = batch.view(Want(space, dtype, count, (), "plain"))
    d = batch.descriptors[number]
    total = int(np.prod(count))
    rows, first = around.axes[0].extent, around.axes[0].start
    found = rng.integers(0, max(rows, 1), total) - first
    wild = rng.choice([-1 - first, rows - first, -(1 << 31), (1 << 31) - 1, 5 * rows], total)
    found = np.where((rng.random(total) < stray) | (rows == 0), wild, found)
    bits = found.astype(np.int64).view(np.uint64) & np.uint64((1 << TYPES[dtype].bits) - 1)
    image = batch.images[batch.owner(space)]
    data = pack(bits.astype(container(dtype)), dtype)
    image[d.base : d.base + len(data)] = data
    return number


def _gather(batch: Batch, rng: Rng, dtype: str, kind: str, oob: str) -> None:
    batch.mood = mood(rng)
    count = size(rng)
    around = table(batch, dtype, one(rng, (0, 1, 7, 100)), "tsram")
    stray = 0.0 if oob == "trap" and chance(rng, 0.7) else 0.2
    number = indices(batch, kind, count, around, stray, "tsram")
    d = flat(batch, dtype, count, writes=True)
    batch.word("VGATHER", "TVP", oob=oob, d=d, a=batch.put(around), b=number)


def gather_cases() -> list[Case]:
    """Single elements by index, of every type, with every rule for strays."""
    cases = []
    for dtype, kind, oob in product(WIDE, ("int32", "int64"), labels("oob")):
        for turn in range(5):
            build = partial(_gather, dtype=dtype, kind=kind, oob=oob)
            cases.append(Case(f"vgather {dtype} {kind} {oob} {turn}", build))
    return cases


#: Types whose elements can be combined.
COMBINED = ("fp32", "bf16", "fp16", "int32", "int64")


def _scatter(batch: Batch, rng: Rng, dtype: str, kind: str, oob: str, op: str) -> None:
    batch.mood = mood(rng)
    count = size(rng)
    around = table(batch, dtype, one(rng, (0, 1, 7, 100)), "tsram")
    stray = 0.0 if oob == "trap" and chance(rng, 0.8) else 0.2
    number = indices(batch, kind, count, around, stray, "tsram")
    a = flat(batch, dtype, count)
    batch.word("VSCATTER", "TVP", oob=oob, op=op, d=batch.put(around), a=a, b=number)


def scatter_cases() -> list[Case]:
    """Single elements to places by index, combined in every way."""
    cases = []
    for dtype, oob, op in product(WIDE, ("trap", "fill"), labels("combine")):
        if op != "set" and dtype not in COMBINED:
            continue
        for kind, turn in product(("int32", "int64"), range(5)):
            build = partial(_scatter, dtype=dtype, kind=kind, oob=oob, op=op)
            cases.append(Case(f"vscatter {dtype} {kind} {oob} {op} {turn}", build))
    return cases


def _assert(batch: Batch, rng: Rng, dtype: str, good: bool) -> None:
    rows, columns = size(rng)
    number = batch.view(Want("tsram", dtype, (rows, columns), (), "plain"))
    d = batch.descriptors[number]
    total = rows * columns * TYPES[dtype].bits // 8
    data = batch.images[batch.owner("tsram")][d.base : d.base + total]
    batch.word("ASSERT", "TVP", a=number, crc=zlib.crc32(data.tobytes()) ^ (not good))


def assert_cases() -> list[Case]:
    """Checksums that are right and wrong."""
    return [
        Case(f"assert {dtype} {good} {turn}", partial(_assert, dtype=dtype, good=good))
        for dtype, good, turn in product(WIDE, (True, False), range(4))
    ]
