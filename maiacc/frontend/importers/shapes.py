"""Shapes: asking for them, and other shapes for the same elements."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import reshaped
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Op, Value


# ---- Shape, Size ----------------------------------------------------------------------------
@importer("Shape")
def shape(node: Node) -> Value:
    x = node.input(0)
    rank = x.type.rank
    start = _clamped(node.get_int("start", 0), rank)
    end = _clamped(node.get_int("end", rank), rank)
    axes = range(start, max(start, end))
    if not any(x.type.count(axis) for axis in axes):
        return node.b.constant([x.type.shape[axis] for axis in axes], "int64")
    parts = [reshaped(node, _extent(node, x, axis), (1,)) for axis in axes]
    return node.b("concat", *parts, axis=0)


def _clamped(position: int, rank: int) -> int:
    return min(max(position + rank if position < 0 else position, 0), rank)


@importer("Size")
def size(node: Node) -> Value:
    x = node.input(0)
    bounded = [axis for axis in range(x.type.rank) if x.type.count(axis)]
    found = node.b.constant(
        math.prod(n for axis, n in enumerate(x.type.shape) if axis not in bounded), "int64"
    )
    for axis in bounded:
        found = node.b("mul", found, _extent(node, x, axis))
    return found


def _extent(node: Node, x: Value, axis: int) -> Value:
    """How many elements there are along an axis, as a scalar."""
    symbol = x.type.count(axis)
    if symbol is None:
        return node.b.constant(x.type.shape[axis], "int64")
    op = _maker(x, symbol)
    if op is None:
        node.unsupported(
            f"axis {axis} has a size that only the run knows, and nothing says it",
            "pad the model's input to a size",
        )
    return op.results[-1]


def _maker(x: Value, symbol: str) -> Op | None:
    """The op that counts the elements of a bounded dimension: its last result is the count."""
    seen: set[Value] = set()
    todo: list[Value | None] = [x]
    while todo:
        value = todo.pop()
        if value is None or value in seen or value.op is None:
            continue
        seen.add(value)
        if value.op.attrs.get("symbol") == symbol:
            return value.op
        if symbol in value.type.counts:
            todo += value.op.operands
    return None


# ---- other shapes ---------------------------------------------------------------------------
@importer("Reshape", since=5)
def reshape(node: Node) -> Value:
    x, wanted = node.input(0), node.static_ints(1, "the new shape")
    keep_zeros = bool(node.get_int("allowzero", 0))
    found = list(wanted)
    for axis, extent in enumerate(found):
        if extent == 0 and not keep_zeros:
            if axis >= x.type.rank:
                _misfit(node, x, wanted)
            found[axis] = x.type.shape[axis]
    open_axes = [axis for axis, extent in enumerate(found) if extent == -1]
    if open_axes:
        rest = math.prod(extent for extent in found if extent != -1)
        if len(open_axes) > 1 or rest == 0 or x.type.size % rest:
            _misfit(node, x, wanted)
        found[open_axes[0]] = x.type.size // rest
    if min(found, default=0) < 0 or math.prod(found) != x.type.size:
        _misfit(node, x, wanted)
    return reshaped(node, x, found)


def _misfit(node: Node, x: Value, wanted: Sequence[int]) -> None:
    node.fail(
        "E1304",
        "the new shape does not fit",
        expected=f"a shape for {x.type.size} elements of {x.type}",
        found=str(list(wanted)),
    )


@importer("Flatten")
def flatten(node: Node) -> Value:
    x = node.input(0)
    axis = node.get_int("axis", 1)
    if axis != x.type.rank:
        axis = node.axis(axis, x.type.rank)
    return reshaped(node, x, (math.prod(x.type.shape[:axis]), math.prod(x.type.shape[axis:])))


@importer("Squeeze")
def squeeze_before_13(node: Node) -> Value:
    return _squeezed(node, node.get_ints("axes") if node.has("axes") else None)


@importer("Squeeze", since=13)
def squeeze(node: Node) -> Value:
    given = node.optional(1) is not None
    return _squeezed(node, node.static_ints(1, "which axes go away") if given else None)


def _squeezed(node: Node, axes: Sequence[int] | None) -> Value:
    x = node.input(0)
    extents = x.type.shape
    if axes is None:
        axes = [axis for axis, extent in enumerate(extents) if extent == 1]
    gone = node.axes(axes, x.type.rank)
    for axis in gone:
        if extents[axis] != 1:
            node.fail("E1304", f"axis {axis} is squeezed", expected="size 1", found=str(x.type))
    return reshaped(node, x, [n for axis, n in enumerate(extents) if axis not in gone])


@importer("Unsqueeze")
def unsqueeze_before_13(node: Node) -> Value:
    return _unsqueezed(node, node.get_ints("axes"))


@importer("Unsqueeze", since=13)
def unsqueeze(node: Node) -> Value:
    return _unsqueezed(node, node.static_ints(1, "where axes are put in"))


def _unsqueezed(node: Node, axes: Sequence[int]) -> Value:
    x = node.input(0)
    new = node.axes(axes, x.type.rank + len(axes))
    extents = iter(x.type.shape)
    rank = x.type.rank + len(new)
    return reshaped(node, x, [1 if axis in new else next(extents) for axis in range(rank)])


# ---- what does nothing ----------------------------------------------------------------------
@importer("Identity", "OptionalGetElement")
def identity(node: Node) -> Value:
    return node.input(0)


@importer("OptionalHasElement")
def has_element(node: Node) -> Value:
    return node.b.constant(node.optional(0) is not None, "bool")


@importer("Dropout")
def dropout_before_7(node: Node) -> Sequence[Value | None]:
    if not node.get_int("is_test", 0) and node.get_float("ratio", 0.5) > 0:
        _no_training(node)
    return _kept(node, node.type(0).dtype)


@importer("Dropout", since=7)
def dropout_before_10(node: Node) -> Sequence[Value | None]:
    return _kept(node, node.type(0).dtype)


@importer("Dropout", since=10)
def dropout(node: Node) -> Sequence[Value | None]:
    training = node.optional(2) is not None and bool(
        node.static(2, "whether elements are dropped").any()
    )
    if training and (node.optional(1) is None or bool(np.any(node.static(1, "the share") > 0))):
        _no_training(node)
    return _kept(node, "bool")


def _kept(node: Node, dtype: str) -> Sequence[Value | None]:
    """The input, and a mask of what is kept: everything."""
    x = node.input(0)
    return x, node.b.splat(1, x.type.with_dtype(dtype)) if node.wants(1) else None


def _no_training(node: Node) -> None:
    node.unsupported(
        "it drops random elements: training mode, for which ONNX fixes no generator",
        "export the model in eval mode",
    )
