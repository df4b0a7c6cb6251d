"""Ops that sort, and ops whose results are as long as the data say.

NaN is above infinity and equal to NaN, -0 is equal to 0; of equals the lower index is first. A
result whose length depends on the data has room for the most there can be: ``symbol`` names the
bound of its axis, elements beyond the count are 0, and the count is a result of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import all_whole, check_axis, need, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run

COUNT = tensor("int64")


def check_symbol(attrs: Attrs) -> str:
    """The symbol of a bound. Raises ``IRError`` E1403 if it is no name."""
    symbol: str = attrs["symbol"]
    if not (symbol.isascii() and symbol.isidentifier()):
        raise wrong(f"the symbol of a bound is no name: {symbol!r}")
    return symbol


def bounded(dtype: str, shape: Sequence[int], axis: int, symbol: str) -> Type:
    """A type with a size that is a bound."""
    counts = [symbol if i == axis else None for i in range(len(shape))]
    return tensor(dtype, tuple(shape), tuple(counts))


def filled(array: Array, extent: int, axis: int = 0) -> Array:
    """What exists, and zeros behind it up to a size."""
    shape = list(array.shape)
    shape[axis] = extent
    found = np.zeros(shape, array.dtype)
    found[(*[slice(None)] * axis, slice(0, array.shape[axis]))] = array
    return found


# ---- sort -----------------------------------------------------------------------------------
def ranked(run: Run, op: Op, x: Array, axis: int, descending: bool) -> Array:
    """The indices of the elements along an axis in order."""
    operand = op.operands[0]
    assert operand is not None
    keys = x.astype(run.wide(operand.type.element), copy=False)
    if not descending:
        return np.asarray(np.argsort(keys, axis, kind="stable"))
    # Backwards there and back again, so that of equals the lower index stays first.
    found = np.flip(np.argsort(np.flip(keys, axis), axis, kind="stable"), axis)
    return np.asarray(keys.shape[axis] - 1 - found)


def _sort_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, axis = need(types, 0), attrs["axis"]
    check_axis(axis, kind)
    whole(kind, axis, "sort")
    return (kind, kind.with_dtype("int64"))


def _sort(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    (x,) = arrays
    attrs: Attrs = op.attrs
    index = ranked(run, op, x, attrs["axis"], attrs["descending"])
    return np.take_along_axis(x, index, attrs["axis"]), index


def _topk_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, axis, k = need(types, 0), attrs["axis"], attrs["k"]
    check_axis(axis, kind)
    extent = whole(kind, axis, "topk")
    if not 0 <= k <= extent:
        raise wrong(f"the {k} first of {extent} elements", kind, expected=f"0 to {extent}")
    shape = (*kind.shape[:axis], k, *kind.shape[axis + 1 :])
    found = tensor(kind.dtype, shape, kind.counts)
    return (found, found.with_dtype("int64"))


def _topk(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    (x,) = arrays
    attrs: Attrs = op.attrs
    axis = attrs["axis"]
    index = np.take(ranked(run, op, x, axis, attrs["largest"]), np.arange(attrs["k"]), axis)
    return np.take_along_axis(x, index, axis), index


# ---- what is there --------------------------------------------------------------------------
def _nonzero_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    all_whole(kind, "nonzero")
    return (bounded("int64", (kind.rank, kind.size), 1, check_symbol(attrs)), COUNT)


def _nonzero(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    (x,) = arrays
    flat = np.flatnonzero(x != 0)
    lines = np.unravel_index(flat, x.shape) if x.ndim else ()
    places = np.array(lines, np.int64).reshape(x.ndim, flat.size)
    return filled(places, x.size, 1), np.asarray(flat.size, np.int64)


def _compact_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, keep, axis = need(types, 0), need(types, 1), attrs["axis"]
    check_axis(axis, x)
    if keep.dtype != "bool" or keep.rank != 1 or keep.shape[0] > x.shape[axis]:
        raise wrong("what to keep", *types, expected=f"bool[{x.shape[axis]}] or shorter")
    whole(x, axis, "compact")
    whole(keep, 0, "compact")
    symbol = check_symbol(attrs)
    shape = (*x.shape[:axis], keep.shape[0], *x.shape[axis + 1 :])
    counts = [symbol if i == axis else x.count(i) for i in range(x.rank)]
    return (tensor(x.dtype, shape, tuple(counts)), COUNT)


def _compact(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    x, keep = arrays
    attrs: Attrs = op.attrs
    index = np.flatnonzero(keep)
    found = filled(np.take(x, index, attrs["axis"]), keep.size, attrs["axis"])
    return found, np.asarray(index.size, np.int64)


# ---- unique ---------------------------------------------------------------------------------
def _unique_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, axis, symbol = need(types, 0), attrs["axis"], check_symbol(attrs)
    all_whole(x, "unique")
    if axis == -1:
        extent = x.size
        values = bounded(x.dtype, (extent,), 0, symbol)
    else:
        check_axis(axis, x)
        extent = x.shape[axis]
        values = bounded(x.dtype, x.shape, axis, symbol)
    some = bounded("int64", (extent,), 0, symbol)
    return (values, some, tensor("int64", (extent,)), some, COUNT)


def _unique(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    (x,) = arrays
    attrs: Attrs = op.attrs
    if attrs["axis"] == -1:
        x = x.reshape(-1)
    axis = max(attrs["axis"], 0)
    lines = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1 if x.size else 0)
    order, new = _ordered(_codes(run, op, lines))
    group = np.cumsum(new) - 1
    first = order[new]
    inverse = np.empty_like(order)
    inverse[order] = group
    if not attrs["sorted"]:
        by_place = np.argsort(first, kind="stable")
        place = np.empty_like(by_place)
        place[by_place] = np.arange(len(by_place))
        first, inverse = first[by_place], place[inverse] if len(place) else inverse
    counts = np.bincount(inverse, minlength=len(first))
    extent = x.shape[axis]
    return (
        filled(np.take(x, first, axis), extent, axis),
        filled(first, extent),
        inverse,
        filled(counts, extent),
        np.asarray(len(first), np.int64),
    )


def _codes(run: Run, op: Op, lines: Array) -> Array:
    """Integers in the order of the elements, the same for equal ones."""
    flat = lines.reshape(-1)
    order = ranked(run, op, flat, 0, False)
    keys = flat[order].astype(np.float64 if flat.dtype.kind not in "iu" else flat.dtype)
    codes = np.empty(flat.size, np.int64)
    codes[order] = np.cumsum(_steps(keys))
    return codes.reshape(lines.shape)


def _steps(keys: Array) -> Array:
    """Where an element differs from the one before."""
    differs = (keys[1:] != keys[:-1]) & ~((keys[1:] != keys[1:]) & (keys[:-1] != keys[:-1]))
    return np.concatenate([np.ones(min(len(keys), 1), np.bool_), differs])


def _ordered(codes: Array) -> tuple[Array, Array]:
    """Lines in lexicographic order, and which of them differ from the one before."""
    count, width = codes.shape
    order = np.lexsort(codes.T[::-1]) if width else np.arange(count)
    lines = codes[order]
    differs = (lines[1:] != lines[:-1]).any(axis=1)
    return order, np.concatenate([np.ones(min(count, 1), np.bool_), differs])


_SYMBOL = {"symbol": Attr("str")}

ROWS = (
    Row(
        "sort",
        Kind.SORT,
        ("x",),
        {"axis": Attr("int"), "descending": Attr("bool", False)},
        _sort_rule,
        "The elements along an axis in order, and the indices they had.",
        _sort,
        compute="raw",
    ),
    Row(
        "topk",
        Kind.SORT,
        ("x",),
        {"axis": Attr("int"), "k": Attr("int"), "largest": Attr("bool", True)},
        _topk_rule,
        "The k largest, or smallest, elements along an axis in order, and the indices they had.",
        _topk,
        compute="raw",
    ),
    Row(
        "nonzero",
        Kind.SORT,
        ("x",),
        _SYMBOL,
        _nonzero_rule,
        "The indices of the elements that are not 0, by axis, in row-major order, and how many "
        "there are.",
        _nonzero,
    ),
    Row(
        "compact",
        Kind.SORT,
        ("x", "keep"),
        {"axis": Attr("int"), **_SYMBOL},
        _compact_rule,
        "The slices of x that are kept, one behind the other along an axis, and how many they are.",
        _compact,
        compute="raw",
    ),
    Row(
        "unique",
        Kind.SORT,
        ("x",),
        {"axis": Attr("int", -1), "sorted": Attr("bool", True), **_SYMBOL},
        _unique_rule,
        "The different slices along an axis, or elements if it is -1, in order or as they first "
        "come; where each is first, which each one is, how often each is there, and how many "
        "there are.",
        _unique,
        compute="raw",
    ),
)
