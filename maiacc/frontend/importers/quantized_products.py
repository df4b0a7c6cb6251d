"""Products and convolutions of quantised tensors: of the integers as they are, then corrected by
their zero points. int32 wraps, so the order of corrections does not matter."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import cast, reshaped, scalar, stretched
from maiacc.frontend.importers.terms import along
from maiacc.frontend.node import Node
from maiacc.frontend.products import matmul
from maiacc.frontend.registry import importer
from maiacc.frontend.windowing import Window, kernel_of, window_of
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import tensor


# ---- zero points ----------------------------------------------------------------------------
def _zero(node: Node, index: int) -> Value | None:
    """A zero point as int32, of floats as fp32; None if it is known to be 0."""
    value = node.optional(index)
    if value is None:
        return None
    known = node.importing.known(value)
    if known is not None and not known.astype(np.float32).any():
        return None
    return cast(node, value, "int32" if value.type.element.is_int else "fp32")


def _rows(node: Node, value: Value) -> Value:
    """One number for each row, or one for all, in a shape that broadcasts with matrices."""
    if value.type.size == 1:
        return reshaped(node, value, ())
    return reshaped(node, value, (value.type.size, 1)) if value.type.rank == 1 else value


def _columns(node: Node, value: Value) -> Value:
    return reshaped(node, value, ()) if value.type.size == 1 else value


# ---- matrices -------------------------------------------------------------------------------
@importer("MatMulInteger")
def matmul_integer(node: Node) -> Value:
    return _product(node, node.input(0), node.input(1), _zero(node, 2), _zero(node, 3))


def _product(node: Node, x: Value, y: Value, zero_x: Value | None, zero_y: Value | None) -> Value:
    """(x - zero_x) (y - zero_y) in int32."""
    b = node.b
    found = matmul(node, x, y, to="int32")
    keep = x.type.rank > 1 and y.type.rank > 1
    if zero_x is not None:
        axis = max(y.type.rank - 2, 0)
        sums = b("rsum", cast(node, y, "int32"), axes=(axis,), keep=keep)
        if zero_y is not None:
            terms = scalar(node, x.type.shape[-1], sums)
            sums = b("sub", sums, b("mul", _columns(node, zero_y), terms))
        found = b("sub", found, b("mul", _rows(node, zero_x), sums))
    if zero_y is not None:
        sums = b("rsum", cast(node, x, "int32"), axes=(x.type.rank - 1,), keep=keep)
        found = b("sub", found, b("mul", _columns(node, zero_y), sums))
    return found


@importer("QLinearMatMul")
def qlinear_matmul(node: Node) -> Value:
    b, x, y = node.b, node.input(0), node.input(3)
    scale = b("mul", _rows(node, node.input(1)), _columns(node, node.input(4)))
    scale = b("div", scale, _rows(node, node.input(6)))
    if x.type.element.is_float:
        found = matmul(node, _shifted(node, x, _zero(node, 2)), _shifted(node, y, _zero(node, 5)))
    else:
        found = _product(node, x, y, _zero(node, 2), _zero(node, 5))
    return _quantized(node, found, scale, _rows(node, node.input(7)))


def _shifted(node: Node, x: Value, zero: Value | None) -> Value:
    """Small floats without their zero point, in fp32."""
    x = cast(node, x, "fp32")
    return x if zero is None else node.b("sub", x, zero)


def _quantized(node: Node, sums: Value, scale: Value, zero: Value) -> Value:
    """Sums times a scale, rounded, plus a zero point, saturated."""
    b = node.b
    found = b("mul", cast(node, sums, "fp32"), cast(node, scale, "fp32"))
    if zero.type.rank == 0:
        return b("quantize", found, scalar(node, 1, found), zero, to=zero.type.dtype)
    axis = found.type.rank - 2
    if zero.type.size != found.type.shape[axis] or zero.type.size != zero.type.shape[-2]:
        node.unsupported(
            "a zero point of the result for each matrix", "use one, or one for each row"
        )
    zero = reshaped(node, zero, (zero.type.size,))
    ones = b.splat(1, tensor("fp32", zero.type.shape))
    return b("quantize", found, ones, zero, to=zero.type.dtype, axis=axis)


# ---- convolutions ---------------------------------------------------------------------------
@importer("ConvInteger")
def conv_integer(node: Node) -> Value:
    return _convolution(node, node.input(0), node.input(1), _zero(node, 2), _zero(node, 3), None)


@importer("QLinearConv")
def qlinear_conv(node: Node) -> Value:
    b, x, w = node.b, node.input(0), node.input(3)
    found = _convolution(node, x, w, _zero(node, 2), _zero(node, 5), node.optional(8))
    scale = _channels(node, b("mul", _columns(node, node.input(1)), node.input(4)), found)
    scale = b("div", scale, _columns(node, node.input(6)))
    return _quantized(node, found, scale, _columns(node, node.input(7)))


def _channels(node: Node, value: Value, like: Value) -> Value:
    """One number for each channel, or one for all, in a shape that broadcasts."""
    if value.type.size == 1:
        return reshaped(node, value, ())
    if value.type.shape != (like.type.shape[1],):
        node.fail("E1304", "numbers of channels", f"[{like.type.shape[1]}]", str(value.type))
    return along(node, value, like.type.rank)


def _convolution(
    node: Node, x: Value, w: Value, zero_x: Value | None, zero_w: Value | None, bias: Value | None
) -> Value:
    """The convolution of x - zero_x with w - zero_w plus a bias in int32."""
    b, groups = node.b, node.get_int("group", 1)
    window = window_of(node, x.type.shape[2:], kernel_of(node, w.type.shape[2:]))
    if zero_x is not None:
        x, window = _padded(node, x, window)
    found = b("conv", x, w, bias, **window.steps, groups=groups, to="int32")
    if zero_x is not None:
        taps = tuple(range(1, w.type.rank))
        sums = b("rsum", cast(node, w, "int32"), axes=taps, keep=False)
        if zero_w is not None:
            terms = scalar(node, math.prod(w.type.shape[1:]), sums)
            sums = b("sub", sums, b("mul", _columns(node, zero_w), terms))
        sums = b("mul", reshaped(node, zero_x, ()), sums)
        found = b("sub", found, _channels(node, sums, found))
    if zero_w is not None:
        sums = _window_sums(node, x, w.type.shape, window, groups)
        found = b("sub", found, b("mul", _channels(node, zero_w, found), sums))
    return found


def _padded(node: Node, x: Value, window: Window) -> tuple[Value, Window]:
    """x with the zero point around it, which is what padding with 0 means, and windows without
    pads."""
    rank = len(window.kernel)
    if not any(window.pads):
        return x, window
    before, after = (0, 0, *window.pads[:rank]), (0, 0, *window.pads[rank:])
    zero = reshaped(node, node.input(2), ())
    x = node.b("pad", x, zero, before=before, after=after)
    return x, Window(window.kernel, window.strides, (0,) * 2 * rank, window.dilations, window.sizes)


def _window_sums(node: Node, x: Value, shape: Sequence[int], window: Window, groups: int) -> Value:
    """The sum of what a kernel of some shape goes over at each place, for each of its channels."""
    ones = node.b.splat(1, tensor("int8", (groups, *shape[1:])))
    sums = node.b("conv", x, ones, **window.steps, groups=groups, to="int32")
    if groups == 1:
        return sums
    n, _, *places = sums.type.shape
    sums = reshaped(node, sums, (n, groups, 1, *places))
    sums = stretched(node, sums, (n, groups, shape[0] // groups, *places))
    return reshaped(node, sums, (n, shape[0], *places))
