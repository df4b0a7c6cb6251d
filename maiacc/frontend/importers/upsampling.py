"""Upsample, which newer models write as Resize."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import reshaped, stretched, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("Upsample")
def upsample_before_7(node: Node) -> Value:
    return _upsampled(node, (1, 1, node.get_float("height_scale"), node.get_float("width_scale")))


@importer("Upsample", since=7)
def upsample_before_9(node: Node) -> Value:
    return _upsampled(node, node.get_floats("scales"))


@importer("Upsample", since=9)
def upsample(node: Node) -> Value:
    return _upsampled(node, [float(x) for x in node.static(1, "the scales").reshape(-1)])


def _upsampled(node: Node, scales: Sequence[float]) -> Value:
    x, mode = node.input(0), node.get_str("mode", "nearest")
    if mode not in ("nearest", "linear", "bilinear"):
        node.fail("E1304", "mode", expected="nearest | linear", found=mode)
    if len(scales) != x.type.rank or not all(1 <= scale < 1 << 20 for scale in scales):
        node.fail("E1304", "scales", f"{x.type.rank} numbers from 1 on", str(list(scales)))
    for axis, scale in enumerate(scales):
        if scale == 1:
            continue
        if mode == "nearest" and scale == int(scale):
            x = _repeated(node, x, axis, int(scale))
        elif mode == "nearest":
            x = _picked(node, x, axis, _places(x, axis, scale)[0])
        else:
            x = _blended(node, x, axis, scale)
    return x


def _places(x: Value, axis: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The element at or before the place of each new element, and how far the place is from it."""
    extent = x.type.shape[axis]
    places = np.arange(int(extent * scale)) / scale
    before = np.minimum(np.floor(places).astype(np.int64), extent - 1)
    return before, np.minimum(places, extent - 1) - before


def _repeated(node: Node, x: Value, axis: int, times: int) -> Value:
    shape = x.type.shape
    apart = reshaped(node, x, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
    many = stretched(node, apart, (*shape[: axis + 1], times, *shape[axis + 1 :]))
    return reshaped(node, many, (*shape[:axis], shape[axis] * times, *shape[axis + 1 :]))


def _picked(node: Node, x: Value, axis: int, index: np.ndarray) -> Value:
    return node.b("gather", x, node.b.constant(index), axis=axis)


def _blended(node: Node, x: Value, axis: int, scale: float) -> Value:
    before, far = _places(x, axis, scale)
    behind = np.minimum(before + 1, x.type.shape[axis] - 1)

    def blend(value: Value) -> Value:
        shape = (-1, *[1] * (value.type.rank - axis - 1))
        near = node.b.constant((1 - far).reshape(shape), value.type.dtype)
        rest = node.b.constant(far.reshape(shape), value.type.dtype)
        a = node.b("mul", _picked(node, value, axis, before), near)
        return node.b("add", a, node.b("mul", _picked(node, value, axis, behind), rest))

    return widely(node, blend, x)
