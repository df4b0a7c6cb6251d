"""Poolings over windows, and over everything."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc.frontend.importers.common import cast, ramp, reshaped, scalar
from maiacc.frontend.importers.terms import mean, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc.frontend.windowing import Window, window_of
from maiacc_passes.ir.graph import Value


def _window(node: Node) -> Window:
    extents = node.type(0).shape[2:]
    return window_of(
        node, extents, node.get_ints("kernel_shape"), bool(node.get_int("ceil_mode", 0))
    )


@importer("AveragePool")
def average(node: Node) -> Value:
    count_pad = bool(node.get_int("count_include_pad", 0))
    return node.b("pool_avg", node.input(0), **_window(node).attrs, count_pad=count_pad)


@importer("MaxPool")
def maximum(node: Node) -> Sequence[Value]:
    x, window = node.input(0), _window(node)
    if not node.wants(1):
        return [node.b("pool_max", x, **window.attrs)]
    values, index = node.b.many("pool_argmax", x, **window.attrs)
    extents = x.type.shape[2:]
    if node.get_int("storage_order", 0):
        index = _column_major(node, index, extents)
    # Indices count through all planes of the input.
    plane = ramp(node, math.prod(x.type.shape[:2]), 1, 0)
    plane = reshaped(node, plane, (*x.type.shape[:2], *[1] * len(extents)))
    start = node.b("mul", plane, scalar(node, math.prod(extents), plane))
    return [values, node.b("add", index, start)]


def _column_major(node: Node, index: Value, extents: Sequence[int]) -> Value:
    """Indices into a plane whose first axis varies fastest, from those whose last axis does."""
    b = node.b
    found: Value | None = None
    for axis, extent in enumerate(extents):
        inner, outer = math.prod(extents[axis + 1 :]), math.prod(extents[:axis])
        at = b("div", index, scalar(node, inner, index))
        at = b("mod", at, scalar(node, max(extent, 1), index))
        at = b("mul", at, scalar(node, outer, index))
        found = at if found is None else b("add", found, at)
    return index if found is None else found


# ---- norms ----------------------------------------------------------------------------------
def _powers(node: Node, x: Value, power: int) -> Value:
    """The sizes of elements to some power, of narrow floats in fp32."""
    b = node.b
    if power < 1:
        node.fail("E1304", "attribute p", expected="1 or more", found=str(power))
    x = wide(node, x)
    if power == 2:
        return b("mul", x, x)
    x = b("abs", x)
    return x if power == 1 else b("pow", x, scalar(node, power, x))


def _root(node: Node, x: Value, power: int) -> Value:
    if power == 1:
        return x
    return node.b("sqrt", x) if power == 2 else node.b("pow", x, scalar(node, 1 / power, x))


@importer("LpPool", since=2)
def norm(node: Node) -> Value:
    power = node.get_int("p", 2)
    found = node.b("pool_sum", _powers(node, node.input(0), power), **_window(node).attrs)
    return cast(node, _root(node, found, power), node.type(0).dtype)


# ---- everything -----------------------------------------------------------------------------
def _plane(node: Node) -> tuple[int, ...]:
    if node.type(0).rank < 3:
        node.fail("E1304", "there are no axes to pool over", found=str(node.type(0)))
    return tuple(range(2, node.type(0).rank))


@importer("GlobalAveragePool")
def global_average(node: Node) -> Value:
    found = mean(node, wide(node, node.input(0)), _plane(node))
    return cast(node, found, node.type(0).dtype)


@importer("GlobalMaxPool")
def global_maximum(node: Node) -> Value:
    return node.b("rmax", node.input(0), axes=_plane(node), keep=True)


@importer("GlobalLpPool", since=2)
def global_norm(node: Node) -> Value:
    power = node.get_int("p", 2)
    found = node.b("rsum", _powers(node, node.input(0), power), axes=_plane(node), keep=True)
    return cast(node, _root(node, found, power), node.type(0).dtype)
