"""Operators of onnxruntime: normalisation, activations, products."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maiacc.frontend.importers.common import cast, swapped, widely
from maiacc.frontend.importers.convolutions import conv
from maiacc.frontend.node import Node
from maiacc.frontend.products import matmul
from maiacc.frontend.registry import MICROSOFT, importer
from maiacc_passes.ir.graph import Value

STATISTICS = "statistics of the normalisation as outputs"


# ---- normalisation --------------------------------------------------------------------------
@importer("SimplifiedLayerNormalization")
@importer("SimplifiedLayerNormalization", domain=MICROSOFT)
def simplified(node: Node) -> Sequence[Value | None]:
    x, scale = node.input(0), node.input(1)
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    if node.wants(1):
        node.unsupported(STATISTICS, "export the model for inference")
    return [_rms(node, x, scale, axis, node.get_float("epsilon", 1e-5))]


@importer("SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_simplified(node: Node) -> Sequence[Value | None]:
    x = _skipped(node, node.optional(3))
    y = _rms(node, x, node.input(2), x.type.rank - 1, node.get_float("epsilon", 1e-12))
    return [y, None, None, x]


@importer("SkipLayerNormalization", domain=MICROSOFT)
def skip_layer(node: Node) -> Sequence[Value | None]:
    x = _skipped(node, node.optional(4))
    eps = node.get_float("epsilon", 1e-12)
    axis = x.type.rank - 1
    y = node.b("layer_norm", x, node.input(2), node.optional(3), axis=axis, eps=eps)
    return [y, None, None, x]


def _rms(node: Node, x: Value, scale: Value, axis: int, eps: float) -> Value:
    return cast(
        node,
        node.b("rms_norm", x, cast(node, scale, x.type.dtype), axis=axis, eps=eps),
        scale.type.dtype,
    )


def _skipped(node: Node, bias: Value | None) -> Value:
    """The sum of the first two inputs and a bias, with the shape of the first."""
    x, skip = node.input(0), node.input(1)
    if node.wants(1) or node.wants(2):
        node.unsupported(STATISTICS, "export the model for inference")
    if skip.type.rank > x.type.rank:
        node.fail("E1304", "the skip input", str(x.type), str(skip.type))
    operands = [x, skip] if bias is None else [x, skip, bias]

    def total(*values: Value) -> Value:
        found = values[0]
        for value in values[1:]:
            found = node.b("add", found, value)
        return found

    return widely(node, total, *operands)


# ---- activations ----------------------------------------------------------------------------
def _gelu(tanh: bool) -> Callable[[Node], Value]:
    def make(node: Node) -> Value:
        x, bias = node.input(0), node.optional(1)
        operands = [x] if bias is None else [x, bias]

        def computed(*values: Value) -> Value:
            total = values[0] if len(values) == 1 else node.b("add", *values)
            return node.b("gelu", total, tanh=tanh)

        return widely(node, computed, *operands)

    return make


importer("Gelu", "BiasGelu", domain=MICROSOFT)(_gelu(False))
importer("FastGelu", domain=MICROSOFT)(_gelu(True))


@importer("QuickGelu", domain=MICROSOFT)
def quick_gelu(node: Node) -> Value:
    alpha = node.get_float("alpha", 1.702)

    def computed(x: Value) -> Value:
        scaled = node.b("mul", x, node.b.constant(alpha, x.type.dtype))
        return node.b("mul", x, node.b("sigmoid", scaled))

    return widely(node, computed, node.input(0))


# ---- products -------------------------------------------------------------------------------
@importer("FusedMatMul", "TransposeMatMul", domain=MICROSOFT)
def fused_matmul(node: Node) -> Value:
    a = _side(node, 0, "transBatchA", "transA")
    b = _side(node, 1, "transBatchB", "transB")
    alpha = node.get_float("alpha", 1.0)
    wide = "fp64" if a.type.dtype == "fp64" else "fp32"
    if alpha == 1:
        return matmul(node, a, b)
    y = matmul(node, a, b, wide)
    return cast(node, node.b("mul", y, node.b.constant(alpha, wide)), a.type.dtype)


def _side(node: Node, index: int, batch: str, matrix: str) -> Value:
    x = node.input(index)
    rank = x.type.rank
    if rank < 2:
        node.fail("E1304", f"input {index} is no matrix", found=str(x.type))
    if node.get_int(batch, 0):
        x = node.b("transpose", x, perm=(*range(1, rank - 1), 0, rank - 1))
    return swapped(node, x, rank - 2, rank - 1) if node.get_int(matrix, 0) else x


# ---- convolutions ---------------------------------------------------------------------------
#: Activations of convolutions; none is the first.
FUSED = ("", "Relu", "Tanh", "Sigmoid", "Clip", "LeakyRelu", "HardSigmoid")


@importer("FusedConv", domain=MICROSOFT)
def fused_conv(node: Node) -> Value:
    """A convolution, plus a fourth input, and an activation."""
    y, other = conv(node), node.optional(3)
    if other is not None:
        y = node.b("add", y, other)
    return _activated(node, y, node.get_str("activation", ""))


def _activated(node: Node, x: Value, name: str) -> Value:
    b = node.b

    def numbers(*defaults: float) -> list[Value]:
        given = node.get_floats("activation_params", defaults)
        if len(given) != len(defaults):
            node.fail("E1304", "attribute activation_params", str(len(defaults)), str(given))
        return [b.constant(number, x.type.dtype) for number in given]

    if name not in FUSED:
        node.unsupported(f"the activation {name}", f"it has to be one of {', '.join(FUSED[1:])}")
    if name in ("Relu", "Tanh", "Sigmoid"):
        return b(name.lower(), x)
    if name == "Clip":
        return b("clamp", x, *numbers(-3.4028235e38, 3.4028235e38))
    if name == "LeakyRelu":
        (slope,) = numbers(0.01)
        negative = b("lt", x, b.constant(0, x.type.dtype))
        return b("select", negative, b("mul", x, slope), x)
    if name == "HardSigmoid":
        slope, shift = numbers(0.2, 0.5)
        low, high = (b.constant(number, x.type.dtype) for number in (0, 1))
        return b("clamp", b("add", b("mul", x, slope), shift), low, high)
    return x
