"""Ops that read elements at computed places.

An index is from 0 on. What one outside does is said by ``oob``: an error, the nearest index, or 0
(all bits clear). Where the number of indices is only bounded, those beyond the ones that exist may
be anything: there is no error there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import check_axis, integers_only, need, sized, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


# ---- places ---------------------------------------------------------------------------------
def located(run: Run, op: Op, indices: Array, extent: int) -> tuple[Array, Array]:
    """Indices brought inside, and which were outside. Raises ``IRError`` E1410."""
    if indices.dtype == np.uint64:
        indices = np.minimum(indices, np.uint64(1 << 62))
    indices = indices.astype(np.int64)
    outside = (indices < 0) | (indices >= extent)
    if op.attrs["oob"] == "error" and outside.any():
        bad = indices[outside & _existing(run, op, indices.ndim)]
        if bad.size:
            raise IRError(
                "E1410",
                f"{op.name}: an index is outside",
                expected=f"0 to {extent - 1}" if extent else "no index, as there are no elements",
                found=str(bad[0]),
            )
    inside = np.clip(indices, 0, max(extent - 1, 0))
    return inside, outside & (op.attrs["oob"] != "clamp")


def _existing(run: Run, op: Op, rank: int) -> Array:
    """Which indices exist, as far as the run knows how many do; along the first ``rank`` axes."""
    operand = op.operands[1]
    assert operand is not None
    found = np.ones((1,) * rank, np.bool_)
    for axis, symbol in enumerate(operand.type.counts):
        if symbol:
            line = np.arange(operand.type.shape[axis]) < run.counts.get(symbol, 0)
            found = found & line.reshape(-1, *[1] * (rank - axis - 1))
    return found


def flat_places(run: Run, op: Op, tuples: Array, shape: Sequence[int]) -> tuple[Array, Array]:
    """Tuples of indices as row-major places in a shape, and which are outside. Raises ``IRError``
    E1410."""
    place = np.zeros(tuples.shape[:-1], np.int64)
    out = np.zeros(tuples.shape[:-1], np.bool_)
    for number, extent in enumerate(shape):
        inside, outside = located(run, op, tuples[..., number], extent)
        place = place * extent + inside
        out |= outside
    return place, out


def _cleared(found: Array, outside: Array, lead: int) -> Array:
    found = np.asarray(found)
    if outside.any():
        place: Any = (*[slice(None)] * lead, outside)
        found[place] = np.zeros((), found.dtype)
    return found


def check_clamp(attrs: Attrs, extents: Sequence[int], found: Type, types: Types) -> None:
    """Raises ``IRError`` E1403 if no index can be the nearest."""
    if attrs["oob"] == "clamp" and found.size and 0 in extents:
        raise wrong("no index is near: there are no elements", *types)


# ---- gather ---------------------------------------------------------------------------------
def _gather_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, indices, axis = need(types, 0), need(types, 1), attrs["axis"]
    check_axis(axis, x)
    integers_only(indices)
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    old = x.counts or (None,) * x.rank
    new = indices.counts or (None,) * indices.rank
    found = sized(x.dtype, shape, (*old[:axis], *new, *old[axis + 1 :]), *types)
    check_clamp(attrs, x.shape[axis : axis + 1], found, types)
    return (found,)


def _gather(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, indices = arrays
    attrs: Attrs = op.attrs
    axis = attrs["axis"]
    inside, outside = located(run, op, indices, x.shape[axis])
    if x.size == 0:
        return np.zeros(op.result.type.shape, x.dtype)
    return _cleared(np.take(x, inside, axis), outside, axis)


def check_beside(x: Type, indices: Type, axis: int, writes: bool, types: Types) -> None:
    """Checks the axes beside the one that is indexed: indices are at most as many there, and
    as many of them exist as of what is read."""
    if indices.rank != x.rank:
        raise wrong("indices have another rank than what they index", *types)
    for other in range(x.rank):
        if other == axis:
            continue
        if indices.shape[other] > x.shape[other]:
            raise wrong(f"there are more indices along axis {other} than elements", *types)
        counted, holder = (indices, x) if writes else (x, indices)
        if counted.count(other) != holder.count(other):
            whole(counted, other, "indices go")


def _gather_elements_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, indices, axis = need(types, 0), need(types, 1), attrs["axis"]
    check_axis(axis, x)
    integers_only(indices)
    check_beside(x, indices, axis, False, types)
    found = tensor(x.dtype, indices.shape, indices.counts)
    check_clamp(attrs, x.shape[axis : axis + 1], found, types)
    return (found,)


def _gather_elements(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, indices = arrays
    attrs: Attrs = op.attrs
    axis = attrs["axis"]
    inside, outside = located(run, op, indices, x.shape[axis])
    if x.shape[axis] == 0:
        return np.zeros(indices.shape, x.dtype)
    part = [slice(0, extent) for extent in indices.shape]
    part[axis] = slice(None)
    return _cleared(np.take_along_axis(x[tuple(part)], inside, axis), outside, 0)


def check_tuples(x: Type, indices: Type, batch: int, types: Types) -> int:
    """How many axes the tuples of indices go over, behind ``batch`` axes that both have."""
    integers_only(indices)
    if not 0 <= batch < min(indices.rank, x.rank):
        raise wrong(f"there are no {batch} axes before those of the indices", *types)
    length = whole(indices, indices.rank - 1, "tuples of indices")
    if not 1 <= length <= x.rank - batch:
        raise wrong("tuples of indices have a wrong length", *types, expected="axes that are there")
    for axis in range(batch):
        if (x.shape[axis], x.count(axis)) != (indices.shape[axis], indices.count(axis)):
            raise wrong(f"sizes of axis {axis} differ", *types)
    return length


def _gather_nd_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, indices, batch = need(types, 0), need(types, 1), attrs["batch"]
    skip = batch + check_tuples(x, indices, batch, types)
    old = x.counts or (None,) * x.rank
    new = indices.counts or (None,) * indices.rank
    shape = (*indices.shape[:-1], *x.shape[skip:])
    found = sized(x.dtype, shape, (*new[:-1], *old[skip:]), *types)
    check_clamp(attrs, x.shape[batch:skip], found, types)
    return (found,)


def _gather_nd(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, indices = arrays
    attrs: Attrs = op.attrs
    batch, length = attrs["batch"], indices.shape[-1]
    indexed = x.shape[batch : batch + length]
    place, outside = flat_places(run, op, indices, indexed)
    shape = op.result.type.shape
    if x.size == 0 or place.size == 0:
        return np.zeros(shape, x.dtype)
    batches = math.prod(x.shape[:batch])
    rows = x.reshape(batches, math.prod(indexed), -1)
    found = rows[np.arange(batches)[:, None], place.reshape(batches, -1)]
    return _cleared(found.reshape(shape), outside, 0)


#: What an index outside does.
OOB = {"oob": Attr("str", "error", ("error", "clamp", "fill"))}
_GATHER = ("x", "indices")

ROWS = (
    Row(
        "gather",
        Kind.GATHER,
        _GATHER,
        {"axis": Attr("int"), **OOB},
        _gather_rule,
        "The elements of x at indices along an axis, whose place the axes of the indices take.",
        _gather,
        compute="raw",
    ),
    Row(
        "gather_elements",
        Kind.GATHER,
        _GATHER,
        {"axis": Attr("int"), **OOB},
        _gather_elements_rule,
        "One element of x for each index, at the place of the index but along an axis.",
        _gather_elements,
        compute="raw",
    ),
    Row(
        "gather_nd",
        Kind.GATHER,
        _GATHER,
        {"batch": Attr("int", 0), **OOB},
        _gather_nd_rule,
        "The elements, or slices, of x at tuples of indices, which are the last axis; the first "
        "batch axes are those of both.",
        _gather_nd,
        compute="raw",
    ),
)
