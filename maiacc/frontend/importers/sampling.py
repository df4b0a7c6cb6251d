"""Images read at the points of a grid, and convolutions whose taps are moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import cast, check_size, reshaped, scalar, sliced
from maiacc.frontend.importers.interpolation import Taps, between, nearest, read, reflected, weighed
from maiacc.frontend.importers.terms import along, clamped, transposed, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc.frontend.windowing import kernel_of, window_of
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Array

#: Names of modes of interpolation: those of opset 16, and those since 20.
MODES = {
    "nearest": "nearest",
    "bilinear": "linear",
    "linear": "linear",
    "bicubic": "cubic",
    "cubic": "cubic",
}
PADDINGS = ("zeros", "border", "reflection")


# ---- GridSample -----------------------------------------------------------------------------
@importer("GridSample")
def grid_sample(node: Node) -> Value:
    b, x, grid = node.b, node.input(0), node.input(1)
    rank = x.type.rank - 2
    if rank < 1 or grid.type.rank != rank + 2 or grid.type.shape[-1] != rank:
        node.fail("E1304", "the grid does not fit the input", found=f"{x.type}, {grid.type}")
    mode = MODES.get(node.get_str("mode", "linear"))
    if mode is None:
        node.fail("E1304", "attribute mode", " | ".join(MODES), node.get_str("mode"))
    padding = node.get_str("padding_mode", "zeros")
    if padding not in PADDINGS:
        node.fail("E1304", "attribute padding_mode", " | ".join(PADDINGS), padding)
    corners = bool(node.get_int("align_corners", 0))
    shape = grid.type.shape[1:-1]
    places = reshaped(node, wide(node, grid), (grid.type.shape[0], math.prod(shape), rank))
    if mode != "nearest":
        x = wide(node, x) if x.type.element.is_float else cast(node, x, "fp32")
    taps = []
    for axis, extent in enumerate(x.type.shape[2:]):
        # The coordinates of a point name the last axis first.
        at = sliced(node, places, 2, rank - 1 - axis, 1)
        at = _position(node, reshaped(node, at, at.type.shape[:2]), extent, mode, padding, corners)
        tap = (
            nearest(node, at)
            if mode == "nearest"
            else between(node, at, x.type.dtype, mode == "cubic")
        )
        taps.append(_padded(node, tap, extent, padding, corners))
    found = weighed(node, read(node, x, taps, padding != "zeros"), taps)
    found = transposed(node, found, (0, 2, 1))
    found = reshaped(node, found, (*found.type.shape[:2], *shape))
    dtype = node.type(0).dtype
    return found if found.type.dtype == dtype else b("cvt", found, to=dtype, round="trunc")


def _position(node: Node, at: Value, extent: int, mode: str, padding: str, corners: bool) -> Value:
    """Where along an axis normalised coordinates are."""
    b = node.b
    low, high = (0.0, extent - 1.0) if corners else (-0.5, extent - 0.5)
    at = b("add", at, scalar(node, 1, at))
    if corners:
        at = b("mul", b("div", at, scalar(node, 2, at)), scalar(node, extent - 1, at))
    else:
        at = b("sub", b("mul", at, scalar(node, extent, at)), scalar(node, 1, at))
        at = b("div", at, scalar(node, 2, at))
    if mode == "nearest":
        at = b("round", at)
    if padding == "zeros":
        return at
    outside = b("or", b("lt", at, scalar(node, low, at)), b("lt", scalar(node, high, at), at))
    if padding == "border":
        moved = clamped(node, at, 0.0, extent - 1.0)
    else:
        moved = reflected(node, at, low, high)
    return b("select", outside, moved, at)


def _padded(node: Node, tap: Taps, extent: int, padding: str, corners: bool) -> Taps:
    """Taps whose indices outside are those of what lies there."""
    if padding == "border":
        return Taps(clamped(node, tap.index, 0, extent - 1), tap.weight)
    if padding == "reflection":
        return Taps(_thrown_back(node, tap.index, extent, corners), tap.weight)
    return tap


def _thrown_back(node: Node, index: Value, extent: int, corners: bool) -> Value:
    """Indices reflected at the first and the last element, or at their outer edges."""
    b = node.b
    if extent == 1:
        return b.splat(0, index.type)
    period = scalar(node, 2 * (extent - corners), index)
    index = b("mod", index, period)
    back = b("sub", period, index)
    return b("min", index, back if corners else b("sub", back, scalar(node, 1, index)))


# ---- DeformConv -----------------------------------------------------------------------------
@importer("DeformConv")
def deform_conv(node: Node) -> Value:
    b, x, w, offset = node.b, node.input(0), node.input(1), node.input(2)
    rank = x.type.rank - 2
    if rank < 1 or w.type.rank != rank + 2 or offset.type.rank != rank + 2:
        node.fail("E1304", "ranks differ", found=f"{x.type}, {w.type}, {offset.type}")
    kernel = kernel_of(node, w.type.shape[2:])
    groups, parts = node.get_int("group", 1), node.get_int("offset_group", 1)
    n, channels, places = x.type.shape[0], x.type.shape[1], offset.type.shape[2:]
    taps, cells = math.prod(kernel), math.prod(places)
    _check(node, groups, parts, (n, parts * taps * rank, *places))
    # [n, parts, taps, axes, places ...]: where each tap goes from its place.
    moved = reshaped(node, wide(node, offset), (n * parts, taps, rank, cells))
    found = []
    for axis, position in enumerate(_positions(node, kernel, places)):
        at = reshaped(node, sliced(node, moved, 2, axis, 1), (n * parts, taps, *places))
        at = b("add", at, b.constant(position, at.type.dtype))
        found.append(between(node, reshaped(node, at, (n * parts, taps * cells))))
    image = reshaped(node, wide(node, x), (n * parts, channels // parts, *x.type.shape[2:]))
    values = weighed(node, read(node, image, found), found)
    values = transposed(node, values, (0, 2, 1))
    values = reshaped(node, values, (n, parts, channels // parts, taps, cells))
    mask = node.optional(4)
    if mask is not None:
        values = b("mul", values, reshaped(node, wide(node, mask), (n, parts, 1, taps, cells)))
    return _products(node, values, w, groups, places)


def _check(node: Node, groups: int, parts: int, shape: Sequence[int]) -> None:
    x, w, offset = node.type(0), node.type(1), node.type(2)
    if groups < 1 or parts < 1 or x.shape[1] % groups or x.shape[1] % parts or w.shape[0] % groups:
        node.fail("E1304", "channels do not divide into groups", found=f"{groups}, {parts}")
    if w.shape[1] * groups != x.shape[1]:
        node.fail("E1304", "channels differ", found=f"{x}, {w}, {groups} groups")
    if offset.shape != tuple(shape):
        node.fail("E1304", "the shape of the offsets", str(list(shape)), str(offset))


def _positions(node: Node, kernel: Sequence[int], places: Sequence[int]) -> list[Array]:
    """Along each axis, where the taps of each place [taps, places ...] are if nothing moves them;
    axes that do not matter have the size 1."""
    window = window_of(node, node.type(0).shape[2:], kernel)
    if window.sizes != tuple(places):
        node.fail("E1304", "the offsets have other extents", str(window.sizes), str(list(places)))
    check_size(node, (math.prod(kernel), max(places, default=0)))
    found = []
    for axis, extent in enumerate(places):
        taps = np.arange(kernel[axis]) * window.dilations[axis]
        taps = np.repeat(np.tile(taps, math.prod(kernel[:axis])), math.prod(kernel[axis + 1 :]))
        starts = np.arange(extent) * window.strides[axis] - window.pads[axis]
        starts = starts.reshape([-1 if i == axis else 1 for i in range(len(places))])
        found.append(taps.reshape(-1, *[1] * len(places)) + starts)
    return found


def _products(node: Node, values: Value, w: Value, groups: int, places: Sequence[int]) -> Value:
    """The products of what the taps read, [n, parts, channels, taps, cells], with the kernel."""
    b = node.b
    n, taps, cells = values.type.shape[0], values.type.shape[3], values.type.shape[4]
    each, out = w.type.shape[1], w.type.shape[0]
    dtype = node.type(0).dtype
    values = reshaped(node, values, (n, groups, each, taps, cells))
    kernel = reshaped(node, wide(node, w), (groups, out // groups, each, taps))
    found = b("contract", values, kernel, spec="ngctp,goct->ngop")
    found = reshaped(node, found, (n, out, *places))
    bias = node.optional(3)
    if bias is not None:
        found = b("add", found, along(node, wide(node, bias), found.type.rank))
    return cast(node, found, dtype)
