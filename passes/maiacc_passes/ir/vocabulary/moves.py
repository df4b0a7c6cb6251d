"""Ops that put elements of operands, or made ones, into a new tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import check_axis, given, need, same_dtype, sized, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.convert import converted
from maiacc_passes.ir.vocabulary.views import check_shape, one_each, using
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


# ---- pad ------------------------------------------------------------------------------------
def _padded(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, mode = need(types, 0), attrs["mode"]
    one_each(attrs, ("before", "after"), kind, kind.rank)
    check_shape((*attrs["before"], *attrs["after"]), kind)
    if len(types) > 1 and types[1] is not None:
        value = types[1]
        if mode != "constant" or value is not tensor(kind.dtype):
            raise wrong("a value to pad with", *types, expected=f"{kind.dtype}[], mode constant")
    shape = list(kind.shape)
    for axis, more in enumerate(map(sum, zip(attrs["before"], attrs["after"], strict=True))):
        if more:
            extent = whole(kind, axis, "pad")
            if extent == 0 and mode != "constant":
                raise wrong(f"axis {axis} has no elements to pad with", kind)
            shape[axis] += more
    return (sized(kind.dtype, shape, kind.counts, kind),)


def _sources(mode: str, extent: int, before: int, after: int) -> Array:
    """Which element of an axis each element of the padded axis is."""
    index = np.arange(-before, extent + after)
    if mode == "edge":
        return np.clip(index, 0, extent - 1)
    if mode == "wrap":
        return np.mod(index, extent)
    # There and back again, without the elements at the ends twice.
    period = max(2 * (extent - 1), 1)
    index = np.mod(index, period)
    return np.minimum(index, period - index) if extent > 1 else np.zeros_like(index)


def _pad(attrs: Attrs, x: Array, value: Array | None = None) -> Array:
    before, after = attrs["before"], attrs["after"]
    if attrs["mode"] != "constant":
        for axis in range(x.ndim):
            if before[axis] or after[axis]:
                index = _sources(attrs["mode"], x.shape[axis], before[axis], after[axis])
                x = np.take(x, index, axis)
        return x
    shape = [sum(three) for three in zip(x.shape, before, after, strict=True)]
    found = np.zeros(shape, x.dtype)
    if value is not None:
        found[...] = value
    found[tuple(slice(a, a + n) for a, n in zip(before, x.shape, strict=True))] = x
    return found


# ---- concat, iota ---------------------------------------------------------------------------
def _joined(attrs: Attrs, types: Types) -> Sequence[Type]:
    kinds = given(types)
    if not kinds:
        raise wrong("concat of nothing", expected="at least one operand")
    first, axis = kinds[0], attrs["axis"]
    check_axis(axis, first)
    same_dtype(*kinds)
    if len(kinds) == 1:
        return (first,)
    shape = list(first.shape)
    shape[axis] = 0
    for kind in kinds:
        if kind.rank != first.rank or _others(kind, axis) != _others(first, axis):
            raise wrong(f"shapes differ outside of axis {axis}", *kinds)
        shape[axis] += whole(kind, axis, "concat")
    return (sized(first.dtype, shape, first.counts, *kinds),)


def _others(kind: Type, axis: int) -> list[tuple[int, str | None]]:
    return [(kind.shape[i], kind.count(i)) for i in range(kind.rank) if i != axis]


def _counted(attrs: Attrs, types: Types) -> Sequence[Type]:
    shape, to = attrs["shape"], attrs["to"]
    check_shape(shape)
    kind = sized(to, shape)
    if to == "bool":
        raise wrong("an index is no truth value", kind, expected="a numeric type")
    check_axis(attrs["axis"], kind)
    return (kind,)


def _iota(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    kind, axis = op.result.type, op.attrs["axis"]
    assert isinstance(axis, int)
    index = np.arange(kind.shape[axis], dtype=np.int64)
    line = converted(run, index, kind.element)
    return np.broadcast_to(line.reshape(-1, *[1] * (kind.rank - axis - 1)), kind.shape)


_INTS = Attr("ints")

ROWS = (
    Row(
        "pad",
        Kind.MOVE,
        ("x", "value?"),
        {
            "before": _INTS,
            "after": _INTS,
            "mode": Attr("str", "constant", ("constant", "reflect", "edge", "wrap")),
        },
        _padded,
        "x with more elements before and after it along each axis: the value or 0, x reflected at "
        "its ends, the elements at the ends, or x again.",
        using(_pad),
        compute="raw",
    ),
    Row(
        "concat",
        Kind.MOVE,
        ("xs*",),
        {"axis": Attr("int")},
        _joined,
        "The operands one behind the other along an axis.",
        using(lambda attrs, *xs: np.concatenate(xs, attrs["axis"])),
        compute="raw",
    ),
    Row(
        "iota",
        Kind.MAKE,
        (),
        {"to": Attr("dtype"), "shape": _INTS, "axis": Attr("int")},
        _counted,
        "The index of each element along an axis; integers wrap, floats are rounded.",
        _iota,
        compute="raw",
    ),
)
