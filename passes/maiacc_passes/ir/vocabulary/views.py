"""Ops whose results are elements of the operand in another arrangement, bits unchanged.

A size that is a bound stays one where the whole axis goes into the result as an axis. Everything
else along such an axis is refused: it would show what is beyond the elements that exist.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import check_axes, need, sized, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Meaning, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def using(function: Callable[..., Any]) -> Meaning:
    """The meaning that a function of the attributes and the arrays is."""

    def meaning(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
        found: Array = np.asarray(function(op.attrs, *arrays))
        return found

    return meaning


def check_shape(shape: Sequence[int], *kinds: Type | None) -> None:
    """Raises ``IRError`` E1403 for a negative size."""
    if min(shape, default=0) < 0:
        raise wrong(f"a size is negative: {list(shape)}", *kinds)


def one_each(attrs: Attrs, names: Sequence[str], kind: Type, count: int) -> None:
    """Raises ``IRError`` E1403 unless attributes have a number for each of so many axes."""
    for name in names:
        if len(attrs[name]) != count:
            raise wrong(f"{name} are {list(attrs[name])}", kind, expected=f"{count} numbers")


# ---- reshape --------------------------------------------------------------------------------
def _reshaped(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, shape = need(types, 0), attrs["shape"]
    check_shape(shape, kind)
    sized(kind.dtype, shape, (), kind)
    if math.prod(shape) != kind.size:
        raise wrong(
            "the new shape has another number of elements", kind, expected=f"{math.prod(shape)}"
        )
    return (tensor(kind.dtype, shape, _kept_counts(kind, shape)),)


def _kept_counts(kind: Type, shape: tuple[int, ...]) -> tuple[str | None, ...]:
    """Bounds of the new shape: of axes that lie in both shapes between as many elements."""
    counts: list[str | None] = [None] * len(shape)
    start = 0
    for axis, symbol in enumerate(kind.counts):
        if symbol is None:
            continue
        wanted = _around(kind.shape, axis)
        fitting = (to for to in range(start, len(shape)) if _around(shape, to) == wanted)
        to = next(fitting, None)
        if to is None:
            whole(kind, axis, "reshape mixes elements")
        else:
            counts[to], start = symbol, to + 1
    return tuple(counts)


def _around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


# ---- transpose, broadcast -------------------------------------------------------------------
def _transposed(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, perm = need(types, 0), attrs["perm"]
    one_each(attrs, ("perm",), kind, kind.rank)
    check_axes(perm, kind)
    shape = tuple(kind.shape[axis] for axis in perm)
    return (tensor(kind.dtype, shape, tuple(kind.count(axis) for axis in perm)),)


def _stretched(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, shape = need(types, 0), attrs["shape"]
    check_shape(shape, kind)
    more = len(shape) - kind.rank
    pairs = zip(kind.shape, shape[max(more, 0) :], strict=False)
    if more < 0 or not all(old in (1, new) for old, new in pairs):
        raise wrong("a shape does not broadcast to another", kind, expected=str(list(shape)))
    counts: list[str | None] = [None] * len(shape)
    for axis in range(kind.rank):
        if kind.shape[axis] == shape[axis + more]:
            counts[axis + more] = kind.count(axis)
        else:
            whole(kind, axis, "broadcast stretches")
    return (sized(kind.dtype, shape, counts, kind),)


# ---- slice ----------------------------------------------------------------------------------
def _sliced(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    starts, sizes, steps = attrs["starts"], attrs["sizes"], attrs["steps"]
    one_each(attrs, ("starts", "sizes", "steps"), kind, kind.rank)
    check_shape(sizes, kind)
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps, strict=True)):
        extent = kind.shape[axis]
        last = start + (size - 1) * step
        inside = 0 <= start <= extent if size == 0 else 0 <= min(start, last) <= max(start, last)
        if step == 0 or not inside or (size and max(start, last) >= extent):
            raise wrong(
                f"slice of axis {axis}: {size} elements from {start} on by {step}",
                kind,
                expected="elements inside the operand",
            )
        if not _is_all(start, size, step, extent):
            whole(kind, axis, "slice")
    return (tensor(kind.dtype, sizes, kind.counts),)


def _is_all(start: int, size: int, step: int, extent: int) -> bool:
    return start == 0 and size == extent and (step == 1 or extent <= 1)


def sliced(attrs: Attrs, x: Array) -> Array:
    """The elements of a slice."""
    ranges = []
    for start, size, step in zip(attrs["starts"], attrs["sizes"], attrs["steps"], strict=True):
        stop: int | None = start + size * step
        # A stop below 0 would count from the end.
        ranges.append(slice(start, None if stop is not None and stop < 0 else stop, step))
        if size == 0:
            ranges[-1] = slice(0, 0)
    found: Array = x[tuple(ranges)]
    return found


# ---- windows --------------------------------------------------------------------------------
def _windowed(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, axes = need(types, 0), attrs["axes"]
    check_axes(axes, kind)
    one_each(attrs, ("sizes", "steps", "dilations"), kind, len(axes))
    if min((*attrs["sizes"], *attrs["steps"], *attrs["dilations"], 1)) < 1:
        raise wrong("sizes, steps and dilations of windows are at least 1", kind)
    shape = list(kind.shape)
    for axis, size, step, dilation in _entries(attrs):
        extent = whole(kind, axis, "windows")
        shape[axis] = max(extent - (size - 1) * dilation - 1 + step, 0) // step
    counts = (*kind.counts, *[None] * len(axes)) if kind.counts else ()
    return (sized(kind.dtype, (*shape, *attrs["sizes"]), counts, kind),)


def _entries(attrs: Attrs) -> Sequence[tuple[int, int, int, int]]:
    return list(zip(attrs["axes"], attrs["sizes"], attrs["steps"], attrs["dilations"], strict=True))


def windows(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    """A view that reads elements of overlapping windows more than once."""
    (x,) = arrays
    strides = list(x.strides)
    inner = []
    for axis, _, step, dilation in _entries(op.attrs):
        # Where there is one window, or one element of each, the distance says nothing.
        inner.append(strides[axis] * min(dilation, x.shape[axis]))
        strides[axis] *= min(step, x.shape[axis])
    shape = op.result.type.shape
    if op.result.type.size == 0:
        return np.zeros(shape, x.dtype)
    # numpy does not know all element types by their names: it gets integers of the same size.
    bits = x.view(f"u{x.itemsize}")
    found = np.lib.stride_tricks.as_strided(bits, shape, (*strides, *inner), writeable=False)
    return np.asarray(found.view(x.dtype))


_INTS = Attr("ints")

ROWS = (
    Row(
        "reshape",
        Kind.VIEW,
        ("x",),
        {"shape": _INTS},
        _reshaped,
        "The elements of x in row-major order in another shape.",
        using(lambda attrs, x: x.reshape(attrs["shape"])),
        compute="raw",
    ),
    Row(
        "transpose",
        Kind.VIEW,
        ("x",),
        {"perm": _INTS},
        _transposed,
        "Axis i of the result is axis perm[i] of x.",
        using(lambda attrs, x: x.transpose(attrs["perm"])),
        compute="raw",
    ),
    Row(
        "broadcast",
        Kind.VIEW,
        ("x",),
        {"shape": _INTS},
        _stretched,
        "x repeated to a shape: trailing axes meet, a 1 stretches.",
        using(lambda attrs, x: np.broadcast_to(x, attrs["shape"])),
        compute="raw",
    ),
    Row(
        "slice",
        Kind.VIEW,
        ("x",),
        {"starts": _INTS, "sizes": _INTS, "steps": _INTS},
        _sliced,
        "Along each axis the elements start, start + step, ... of x, size of them; steps may be "
        "negative.",
        using(sliced),
        compute="raw",
    ),
    Row(
        "windows",
        Kind.VIEW,
        ("x",),
        {"axes": _INTS, "sizes": _INTS, "steps": _INTS, "dilations": _INTS},
        _windowed,
        "The windows that lie wholly in x: an axis becomes the number of windows along it, and one "
        "new axis behind all others holds the elements of each, dilation apart.",
        windows,
        compute="raw",
    ),
)
