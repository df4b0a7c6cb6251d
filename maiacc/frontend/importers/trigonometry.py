"""Trigonometric and hyperbolic functions, as chains of a few functions that keep their accuracy.

Formulas that cancel for small arguments are avoided, and so are those that overflow before the
result does. Narrow floats are computed in fp32 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from maiacc.frontend.importers.common import scalar, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: Above this, x * x + 1 is x * x, and squares come near to overflowing.
LARGE = 2.0**60

#: Above this, exp of the argument may overflow although half of it does not.
STEEP = 88.0


def _odd(node: Node, x: Value, of_size: Callable[[Value], Value]) -> Value:
    """An odd function from what it is of the size of x; -0 gives -0."""
    zero = scalar(node, 0, x)
    size = of_size(node.b("abs", x))
    signed = node.b("select", node.b("lt", x, zero), node.b("neg", size), size)
    return node.b("select", node.b("eq", x, zero), x, signed)


def _tan(node: Node, x: Value) -> Value:
    return node.b("div", node.b("sin", x), node.b("cos", x))


def _asin(node: Node, x: Value) -> Value:
    one = scalar(node, 1, x)
    product = node.b("mul", node.b("sub", one, x), node.b("add", one, x))
    return node.b("atan", node.b("div", x, node.b("sqrt", product)))


def _acos(node: Node, x: Value) -> Value:
    one = scalar(node, 1, x)
    ratio = node.b("div", node.b("sub", one, x), node.b("add", one, x))
    return node.b("mul", scalar(node, 2, x), node.b("atan", node.b("sqrt", ratio)))


def _asinh(node: Node, x: Value) -> Value:
    def of_size(a: Value) -> Value:
        one, square = scalar(node, 1, x), node.b("mul", a, a)
        root = node.b("sqrt", node.b("add", square, one))
        more = node.b("div", square, node.b("add", one, root))
        small = node.b("log1p", node.b("add", a, more))
        return node.b("select", _is_large(node, a), _log_of_double(node, a), small)

    return _odd(node, x, of_size)


def _acosh(node: Node, x: Value) -> Value:
    one = scalar(node, 1, x)
    t = node.b("sub", x, one)
    root = node.b("sqrt", node.b("add", node.b("add", t, t), node.b("mul", t, t)))
    small = node.b("log1p", node.b("add", t, root))
    found = node.b("select", _is_large(node, x), _log_of_double(node, x), small)
    # The root exists again far below -1.
    return node.b("select", node.b("lt", x, one), scalar(node, math.nan, x), found)


def _is_large(node: Node, a: Value) -> Value:
    return node.b("lt", scalar(node, LARGE, a), a)


def _log_of_double(node: Node, a: Value) -> Value:
    return node.b("add", node.b("log", a), scalar(node, math.log(2), a))


def _atanh(node: Node, x: Value) -> Value:
    def of_size(a: Value) -> Value:
        ratio = node.b("div", node.b("add", a, a), node.b("sub", scalar(node, 1, x), a))
        return node.b("mul", scalar(node, 0.5, x), node.b("log1p", ratio))

    return _odd(node, x, of_size)


def _steep(node: Node, a: Value, below: Value) -> Value:
    """exp(a) / 2 for large a without overflowing early, ``below`` for others."""
    half = scalar(node, 0.5, a)
    root = node.b("exp", node.b("mul", a, half))
    above = node.b("mul", node.b("mul", root, half), root)
    return node.b("select", node.b("lt", scalar(node, STEEP, a), a), above, below)


def _sinh(node: Node, x: Value) -> Value:
    def of_size(a: Value) -> Value:
        t = node.b("expm1", a)
        more = node.b("div", t, node.b("add", t, scalar(node, 1, x)))
        below = node.b("mul", scalar(node, 0.5, x), node.b("add", t, more))
        return _steep(node, a, below)

    return _odd(node, x, of_size)


def _cosh(node: Node, x: Value) -> Value:
    a = node.b("abs", x)
    e = node.b("exp", a)
    below = node.b("mul", scalar(node, 0.5, x), node.b("add", e, node.b("recip", e)))
    return _steep(node, a, below)


FUNCTIONS = {
    "Tan": _tan, "Asin": _asin, "Acos": _acos,
    "Sinh": _sinh, "Cosh": _cosh, "Asinh": _asinh, "Acosh": _acosh, "Atanh": _atanh,
}  # fmt: skip


@importer(*FUNCTIONS)
def trigonometric(node: Node) -> Value:
    function = FUNCTIONS[node.op_type]
    return widely(node, lambda x: function(node, x), node.input(0))
