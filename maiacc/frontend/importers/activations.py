"""Activation functions. Narrow floats are computed in fp32 and rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable

from maiacc.frontend.importers.common import reshaped, scalar, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: The constants of Selu, as ONNX rounds them.
SELU_ALPHA, SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def _below_zero(node: Node, x: Value, below: Value, other: Value) -> Value:
    """A choice by the sign of x; NaN and -0 are not below 0."""
    return node.b("select", node.b("lt", x, scalar(node, 0, x)), below, other)


def _leaky(node: Node, x: Value) -> Value:
    slope = scalar(node, node.get_float("alpha", 0.01), x)
    return _below_zero(node, x, node.b("mul", slope, x), x)


def _elu(node: Node, x: Value) -> Value:
    alpha = scalar(node, node.get_float("alpha", 1.0), x)
    return _below_zero(node, x, node.b("mul", alpha, node.b("expm1", x)), x)


def _selu(node: Node, x: Value) -> Value:
    alpha = scalar(node, node.get_float("alpha", SELU_ALPHA), x)
    gamma = scalar(node, node.get_float("gamma", SELU_GAMMA), x)
    below = node.b("mul", alpha, node.b("expm1", x))
    return node.b("mul", gamma, _below_zero(node, x, below, x))


def _celu(node: Node, x: Value) -> Value:
    alpha = scalar(node, node.get_float("alpha", 1.0), x)
    below = node.b("mul", alpha, node.b("expm1", node.b("div", x, alpha)))
    return _below_zero(node, x, below, x)


def _hard(node: Node, x: Value, alpha: float, beta: float) -> Value:
    line = node.b("add", node.b("mul", x, scalar(node, alpha, x)), scalar(node, beta, x))
    return node.b("clamp", line, scalar(node, 0, x), scalar(node, 1, x))


def _hard_sigmoid(node: Node, x: Value) -> Value:
    return _hard(node, x, node.get_float("alpha", 0.2), node.get_float("beta", 0.5))


def _hard_swish(node: Node, x: Value) -> Value:
    return node.b("mul", x, _hard(node, x, 1 / 6, 0.5))


def _mish(node: Node, x: Value) -> Value:
    """x * tanh(log(1 + e)) with e = exp(x); beyond 20 the factor is 1."""
    two = scalar(node, 2, x)
    e = node.b("exp", node.b("clamp", x, None, scalar(node, 20, x)))
    n = node.b("mul", e, node.b("add", e, two))
    return node.b("mul", x, node.b("div", n, node.b("add", n, two)))


def _softsign(node: Node, x: Value) -> Value:
    return node.b("div", x, node.b("add", scalar(node, 1, x), node.b("abs", x)))


def _thresholded(node: Node, x: Value) -> Value:
    alpha = scalar(node, node.get_float("alpha", 1.0), x)
    return node.b("select", node.b("lt", alpha, x), x, scalar(node, 0, x))


def _swish(node: Node, x: Value) -> Value:
    alpha = node.get_float("alpha", 1.0)
    if alpha == 1:
        return node.b("silu", x)
    gate = node.b("sigmoid", node.b("mul", scalar(node, alpha, x), x))
    return node.b("mul", x, gate)


FUNCTIONS: dict[str, Callable[[Node, Value], Value]] = {
    "LeakyRelu": _leaky, "Elu": _elu, "Selu": _selu, "Celu": _celu,
    "HardSigmoid": _hard_sigmoid, "HardSwish": _hard_swish, "Mish": _mish,
    "Softsign": _softsign, "ThresholdedRelu": _thresholded, "Swish": _swish,
}  # fmt: skip


@importer(*FUNCTIONS)
def activation(node: Node) -> Value:
    function = FUNCTIONS[node.op_type]
    return widely(node, lambda x: function(node, x), node.input(0))


@importer("Gelu")
def gelu(node: Node) -> Value:
    form = node.get_str("approximate", "none")
    if form not in ("none", "tanh"):
        node.fail("E1304", "approximate", expected="none | tanh", found=form)
    return node.b("gelu", node.input(0), tanh=form == "tanh")


# ---- PRelu ----------------------------------------------------------------------------------
def _by_slope(node: Node, x: Value, slope: Value) -> Value:
    return widely(node, lambda a, b: _below_zero(node, a, node.b("mul", b, a), a), x, slope)


@importer("PRelu")
def prelu_before_7(node: Node) -> Value:
    """A slope with one element for each channel belongs to axis 1."""
    x, slope = node.input(0), node.input(1)
    if slope.type.size == 1:
        slope = reshaped(node, slope, ())
    elif slope.type.rank == 1 and x.type.rank > 1:
        slope = reshaped(node, slope, (slope.type.size, *[1] * (x.type.rank - 2)))
    return _by_slope(node, x, slope)


@importer("PRelu", since=7)
def prelu(node: Node) -> Value:
    x, slope = node.input(0), node.input(1)
    found = _by_slope(node, x, slope)
    if found.type is not x.type:
        node.fail("E1304", "the slope is larger", expected=str(x.type), found=str(slope.type))
    return found


# ---- Shrink ---------------------------------------------------------------------------------
@importer("Shrink")
def shrink(node: Node) -> Value:
    return widely(node, lambda x: _shrunk(node, x), node.input(0))


def _shrunk(node: Node, x: Value) -> Value:
    limit, bias = node.get_float("lambd", 0.5), node.get_float("bias", 0.0)
    if not x.type.element.is_float:
        # The attributes are converted to the type of x.
        if not all(abs(number) < 1 << 62 for number in (limit, bias)):
            node.fail("E1304", "lambd or bias", "a finite number", f"{limit}, {bias}")
        limit, bias = math.trunc(limit), math.trunc(bias)
    moved, zero = scalar(node, bias, x), scalar(node, 0, x)
    above = node.b("select", node.b("lt", scalar(node, limit, x), x), node.b("sub", x, moved), zero)
    if x.type.element.kind == "uint" and limit >= 0:
        return above
    below = node.b("lt", x, scalar(node, -limit, x))
    return node.b("select", below, node.b("add", x, moved), above)
