"""Ops that reduce windows of a plane.

x is [n, c, ...]; the windows go over the axes behind the first two, and an axis has ``sizes``
windows. ``pads`` are how many cells there are in front of each axis, then behind each; what lies
there, or still further out, is no part of a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import floats_only, need, sized, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.vocabulary.contractions import window_attrs
from maiacc_passes.ir.vocabulary.reductions import lowest
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def _rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    if kind.dtype == "bool":
        raise wrong("truth values in windows", kind, expected="numbers")
    window_attrs(attrs, kind, "kernel", "strides", "pads", "dilations", "sizes")
    counts = (kind.count(0), *(None for _ in kind.shape[1:]))
    return (sized(kind.dtype, (*kind.shape[:2], *attrs["sizes"]), counts, kind),)


def _indexed_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    (values,) = _rule(attrs, types)
    return values, values.with_dtype("int64")


def _float_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    floats_only(need(types, 0))
    return _rule(attrs, types)


# ---- windows --------------------------------------------------------------------------------
def _meetings(
    attrs: Attrs, axis: int, extent: int, outside: bool = False
) -> Iterator[tuple[slice, slice]]:
    """For each tap of the kernel along an axis: the windows in which it meets a cell, and the
    cells. ``outside`` counts cells of the padding, which have no meaningful slice."""
    rank = len(attrs["kernel"])
    stride, size = attrs["strides"][axis], attrs["sizes"][axis]
    before, after = attrs["pads"][axis], attrs["pads"][rank + axis]
    least, most = (-before, extent + after) if outside else (0, extent)
    for tap in range(attrs["kernel"][axis]):
        start = tap * attrs["dilations"][axis] - before
        first = max(0, -((start - least) // stride))
        last = min(size, (most - 1 - start) // stride + 1)
        if first < last:
            cell = start + first * stride
            yield slice(first, last), slice(cell, cell + (last - first - 1) * stride + 1, stride)


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


def _reduced(x: Array, attrs: Attrs, function: np.ufunc, start: Any) -> Array:
    """Windows of x, reduced one axis after another, the last one first."""
    for axis in reversed(range(len(attrs["kernel"]))):
        at = axis + 2
        shape = (*x.shape[:at], attrs["sizes"][axis], *x.shape[at + 1 :])
        out = np.full(shape, start, x.dtype)
        for windows, cells in _meetings(attrs, axis, x.shape[at]):
            part = out[_along(at, windows)]
            function(part, x[_along(at, cells)], out=part)
        x = out
    return x


def _max(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    (x,) = arrays
    return _reduced(x, op.attrs, np.maximum, lowest(op.results[0].type.element))


def _sum(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    return _reduced(arrays[0], op.attrs, np.add, 0)


def _average(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    (x,) = arrays
    attrs: Attrs = op.attrs
    total = _reduced(x, attrs, np.add, 0)
    counts = np.ones((), x.dtype)
    for axis, size in enumerate(attrs["sizes"]):
        number = np.zeros(size, x.dtype)
        for windows, _ in _meetings(attrs, axis, x.shape[axis + 2], bool(attrs["count_pad"])):
            number[windows] += 1
        counts = np.multiply.outer(counts, number)
    return np.asarray(total / counts)


def _argmax(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    """Axis by axis from the last one: so the first of equal cells wins in row-major order."""
    (x,) = arrays
    attrs: Attrs = op.attrs
    cells = np.arange(int(np.prod(x.shape[2:])), dtype=np.int64).reshape(x.shape[2:])
    where = np.broadcast_to(cells, x.shape)
    start = lowest(op.results[0].type.element)
    for axis in reversed(range(len(attrs["kernel"]))):
        at = axis + 2
        shape = (*x.shape[:at], attrs["sizes"][axis], *x.shape[at + 1 :])
        values, places = np.full(shape, start, x.dtype), np.full(shape, -1, np.int64)
        for windows, met in _meetings(attrs, axis, x.shape[at]):
            part, place = values[_along(at, windows)], places[_along(at, windows)]
            new, index = x[_along(at, met)], where[_along(at, met)]
            better = (new > part) | ((place < 0) & (index >= 0))
            if x.dtype.kind == "f":
                better |= np.isnan(new) & ~np.isnan(part)
            np.copyto(part, new, where=better)
            np.copyto(place, index, where=better)
        x, where = values, places
    return x, where


_ATTRS = {name: Attr("ints") for name in ("kernel", "strides", "pads", "dilations", "sizes")}


def _row(name: str, rule: Any, doc: str, meaning: Callable[..., Any], **more: Attr) -> Row:
    return Row(name, Kind.WINDOW, ("x",), {**_ATTRS, **more}, rule, doc, meaning)


ROWS = (
    _row(
        "pool_max",
        _rule,
        "The largest element of each window; NaN if one is. Of no element: the lowest value.",
        _max,
    ),
    _row(
        "pool_argmax",
        _indexed_rule,
        "The same, and where it is: its row-major index among the axes behind the first two, the "
        "lowest one of equal elements; NaN counts as the largest. Of no element: -1.",
        _argmax,
    ),
    _row("pool_sum", _rule, "The sum of each window; integers wrap.", _sum),
    _row(
        "pool_avg",
        _float_rule,
        "The mean of each window. With count_pad, cells of the padding count as zeros; cells "
        "further out never count.",
        _average,
        count_pad=Attr("bool", False),
    ),
)
