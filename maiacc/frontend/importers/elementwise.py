"""Arithmetic on each element."""

from __future__ import annotations

from functools import reduce

import numpy as np

from maiacc.frontend.importers.common import aligned, cast, reshaped, scalar, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS

#: Operators of one input that are an op of the IR as they are.
UNARY = {
    "Abs": "abs", "Neg": "neg", "Sign": "sign", "Sqrt": "sqrt", "Reciprocal": "recip",
    "Exp": "exp", "Log": "log", "Sin": "sin", "Cos": "cos", "Atan": "atan",
    "Floor": "floor", "Ceil": "ceil", "Round": "round",
    "Tanh": "tanh", "Sigmoid": "sigmoid", "Relu": "relu", "Softplus": "softplus",
    "Not": "not", "BitwiseNot": "not", "IsNaN": "is_nan",
}  # fmt: skip

#: Operators of two inputs that broadcast.
BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div",
    "And": "and", "Or": "or", "Xor": "xor",
}  # fmt: skip

#: Operators of any number of inputs, folded from the left.
FOLDED = {"Sum": "add", "Mean": "add", "Max": "max", "Min": "min"}


@importer(*UNARY)
def unary(node: Node) -> Value:
    return node.b(UNARY[node.op_type], node.input(0))


@importer("Erf")
def erf(node: Node) -> Value:
    x = node.input(0)
    if x.type.element.is_float:
        return node.b("erf", x)
    # Version 9 has it for integers, where it is -1, 0 or 1 cut to an integer: 0 for nearly all.
    return cast(node, node.b("erf", cast(node, x, "fp32")), x.type.dtype)


@importer(*BINARY, since=7)
def binary(node: Node) -> Value:
    return node.b(BINARY[node.op_type], node.input(0), node.input(1))


@importer(*BINARY)
def binary_before_7(node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    return node.b(BINARY[node.op_type], a, aligned(node, a, b))


@importer(*FOLDED)
def folded(node: Node) -> Value:
    values = [node.input(i) for i in range(max(len(node.inputs), 1))]
    if len(values) == 1:
        return values[0]
    name = FOLDED[node.op_type]
    if node.op_type == "Mean":
        return widely(node, lambda *each: _mean(node, *each), *values)
    return reduce(lambda a, b: node.b(name, a, b), values)


def _mean(node: Node, *values: Value) -> Value:
    total = reduce(lambda a, b: node.b("add", a, b), values)
    return node.b("div", total, scalar(node, len(values), total))


@importer("Mod")
def remainder(node: Node) -> Value:
    floor = not node.get_int("fmod", 0)
    if floor and node.type(0).element.is_float and node.version < 28:
        node.fail("E1304", "attribute fmod", expected="1 for floats before 28", found="0")
    return node.b("mod", node.input(0), node.input(1), floor=floor)


# ---- Pow ------------------------------------------------------------------------------------
@importer("Pow")
def power_before_7(node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    return node.b("pow", a, aligned(node, a, b))


@importer("Pow", since=7)
def power(node: Node) -> Value:
    base, exponent = _whole_exponent(node), node.input(1)
    if base is not None:
        return base
    base = node.input(0)
    dtype = _power_dtype(base.type.dtype, exponent.type.dtype)
    found = node.b("pow", cast(node, base, dtype), cast(node, exponent, dtype))
    return cast(node, found, base.type.dtype)


def _whole_exponent(node: Node) -> Value | None:
    """An integer to the power of known floats that are integers, in integers."""
    base, exponent, known = node.input(0), node.input(1), node.known(1)
    if not base.type.element.is_int or not exponent.type.element.is_float or known is None:
        return None
    wide = known.astype(np.float64)
    if not (np.isfinite(wide).all() and (wide == np.rint(wide)).all() and (wide >= 0).all()):
        return None
    whole = node.b.constant(np.minimum(wide, 1 << 62).astype(np.int64))
    found = node.b("pow", cast(node, base, "int64"), whole)
    return cast(node, found, base.type.dtype)


def _power_dtype(base: str, exponent: str) -> str:
    """In which type a power is computed before it is converted to that of the base."""
    a, b = ELEMENTS[base], ELEMENTS[exponent]
    if a is b:
        return base
    if a.is_float and b.is_float:
        return base if a.bits > b.bits else exponent if b.bits > a.bits else "fp32"
    if a.is_float:
        return base if a.bits >= 32 else "fp32"
    if b.is_float:
        return "fp32" if a.bits <= 16 and b.bits <= 32 else "fp64"
    # Integers wrap, so that more bits do no harm; a sign may be needed for the exponent.
    return base if a.kind == b.kind and a.bits >= b.bits else "int64"


# ---- Clip -----------------------------------------------------------------------------------
@importer("Clip", since=6)
def clip_before_11(node: Node) -> Value:
    x, most = node.input(0), float(np.finfo(np.float32).max)
    bounds = node.get_float("min", -most), node.get_float("max", most)
    # A bound that a narrower type cannot hold is its infinity: no bound.
    low, high = (cast(node, node.b.constant(bound, "fp32"), x.type.dtype) for bound in bounds)
    return node.b("clamp", x, low, high)


@importer("Clip", since=11)
def clip(node: Node) -> Value:
    x = node.input(0)
    low, high = (_scalar_bound(node, i) for i in (1, 2))
    if low is None and high is None:
        return x
    return node.b("clamp", x, low, high)


def _scalar_bound(node: Node, index: int) -> Value | None:
    bound = node.optional(index)
    if bound is None:
        return None
    if bound.type.size != 1:
        node.fail("E1304", "a bound is no scalar", expected="1 element", found=str(bound.type))
    return reshaped(node, bound, ())
