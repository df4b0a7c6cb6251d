"""Algebra of elementwise ops: each rule a line, with what it keeps.

Assumes: a legal module. Promises: per rule; those that keep ``bit`` change at most the sign of a
zero. In:

    %1 = mul(%0, @one) : fp32[4]
    %2 = sqrt(%1) : fp32[4]
    %3 = recip(%2) : fp32[4]

Out:

    %1 = rsqrt(%0) : fp32[4]
"""

from __future__ import annotations

import math
from collections.abc import Callable

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import holds, is_number, made_by, never_negative, scalar, split_constant
from maiacc_passes.rewriting import Replacement, Rule

Apply = Callable[[Op, Builder], Replacement]


def signed(value: Value | None) -> bool:
    """Whether -x is an element of the type for each x, or wraps; powers of two have no sign."""
    return value is not None and value.type.dtype != "e8m0"


def neutral(number: float, commutes: bool = True) -> Apply:
    """x op number = x."""

    def apply(op: Op, b: Builder) -> Replacement:
        x, y = op.operands
        if scalar(y) == number and not isinstance(scalar(y), bool):
            return _as(op, x, b)
        if commutes and scalar(x) == number and not isinstance(scalar(x), bool):
            return _as(op, y, b)
        return None

    return apply


def _as(op: Op, x: Value | None, b: Builder) -> Value | None:
    """A value in the shape of an op's result."""
    if x is None or x.type is op.result.type:
        return x
    if x.type.element is not op.result.type.element or op.result.type.counts:
        return None
    return b("broadcast", x, shape=op.result.type.shape)


def twice(inner: str) -> Apply:
    """f(g(x)) = x."""

    def apply(op: Op, b: Builder) -> Replacement:
        first = made_by(op.operands[0], inner)
        return None if first is None or not signed(first.operands[0]) else first.operands[0]

    return apply


def idempotent(op: Op, b: Builder) -> Replacement:
    """f(f(x)) = f(x)."""
    return None if made_by(op.operands[0], op.name) is None else op.operands[0]


def same_operands(op: Op, b: Builder) -> Replacement:
    """op(x, x) = x."""
    return op.operands[0] if op.operands[0] is op.operands[1] else None


def constants_right(op: Op, b: Builder) -> Replacement:
    """A constant is the second operand of an op that commutes."""
    x, y = op.operands
    if x is None or y is None or x.weight is None or y.weight is not None:
        return None
    return b(op.name, y, x)


def subtract_constant(op: Op, b: Builder) -> Replacement:
    """x - c = x + (-c)."""
    x, y = op.operands
    number = scalar(y)
    if x is None or y is None or number is None or x.weight is not None:
        return None
    if y.type.size != 1 or not y.type.element.is_float or not signed(y):
        return None
    return b("add", x, b.constant(_filled(y, -number), y.type.dtype))


def _filled(like: Value, number: float) -> list[object] | float:
    found: list[object] | float = number
    for _ in like.type.shape:
        found = [found]
    return found


def divide_constant(op: Op, b: Builder) -> Replacement:
    """x / 2^n = x * 2^-n."""
    x, y = op.operands
    number = scalar(y)
    if x is None or y is None or number is None or not y.type.element.is_float or y.type.size != 1:
        return None
    if number == 0 or not math.isfinite(number) or abs(math.frexp(number)[0]) != 0.5:
        return None
    if not -100 < math.log2(abs(number)) < 100 or y.type.dtype not in ("fp32", "fp64"):
        return None
    return b("mul", x, b.constant(_filled(y, 1 / number), y.type.dtype))


def one_over(op: Op, b: Builder) -> Replacement:
    """1 / x = recip(x)."""
    x, y = op.operands
    if y is None or not y.type.element.is_float or not is_number(x, 1.0):
        return None
    return _as(op, b("recip", y), b)


def power(op: Op, b: Builder) -> Replacement:
    """x^1 = x, x^2 = x * x, x^-1 = recip(x); x^0.5 = sqrt(x) and x^-0.5 = rsqrt(x) if x is not
    negative, because the powers of -inf are no roots."""
    x, y = op.operands
    number = scalar(y)
    if x is None or number is None or x.type is not op.result.type:
        return None
    if number == 1:
        return x
    if number == 2:
        return b("mul", x, x)
    if not x.type.element.is_float:
        return None
    if number == -1:
        return b("recip", x)
    if abs(number) != 0.5 or not never_negative(x):
        return None
    return b("sqrt" if number > 0 else "rsqrt", x)


def reciprocal_root(op: Op, b: Builder) -> Replacement:
    """recip(sqrt(x)) = rsqrt(x)."""
    root = made_by(op.operands[0], "sqrt")
    return None if root is None else b("rsqrt", root.operands[0])


def divide_by_root(op: Op, b: Builder) -> Replacement:
    """a / sqrt(x) = a * rsqrt(x)."""
    root = made_by(op.operands[1], "sqrt")
    return None if root is None else b("mul", op.operands[0], b("rsqrt", root.operands[0]))


def multiply_reciprocal(op: Op, b: Builder) -> Replacement:
    """a * recip(x) = a / x, but for a root's."""
    for x, y in (op.operands, op.operands[::-1]):
        inverse = made_by(y, "recip")
        if inverse is not None and x is not None:
            return b("div", x, inverse.operands[0])
    return None


def times_minus_one(op: Op, b: Builder) -> Replacement:
    """x * -1 = -x."""
    found = split_constant(op)
    if found is None or found[1] != -1:
        return None
    return _as(op, b("neg", found[0]), b)


def add_negative(op: Op, b: Builder) -> Replacement:
    """x + (-y) = x - y."""
    for x, y in (op.operands, op.operands[::-1]):
        inverse = made_by(y, "neg")
        if inverse is not None and x is not None and signed(x):
            return b("sub", x, inverse.operands[0])
    return None


def subtract_negative(op: Op, b: Builder) -> Replacement:
    """x - (-y) = x + y."""
    inverse = made_by(op.operands[1], "neg")
    if inverse is None or not signed(op.operands[0]):
        return None
    return b("add", op.operands[0], inverse.operands[0])


def max_zero(op: Op, b: Builder) -> Replacement:
    """max(x, 0) = relu(x)."""
    found = split_constant(op)
    if found is None or found[1] != 0 or found[0].type is not op.result.type:
        return None
    return b("relu", found[0])


def clamp_below(op: Op, b: Builder) -> Replacement:
    """clamp(x, 0, none) = relu(x); clamp without bounds = x."""
    low, high = op.operand(1), op.operand(2)
    if high is not None:
        return None
    if low is None:
        return op.operands[0]
    return b("relu", op.operands[0]) if scalar(low) == 0 else None


def known_choice(op: Op, b: Builder) -> Replacement:
    """select(true, a, b) = a; select(c, a, a) = a."""
    condition, x, y = op.operands
    if x is y:
        return _as(op, x, b)
    known = scalar(condition)
    if known is None:
        return None
    return _as(op, x if known else y, b)


def inverted_choice(op: Op, b: Builder) -> Replacement:
    """select(not c, a, b) = select(c, b, a)."""
    inverse = made_by(op.operands[0], "not")
    if inverse is None:
        return None
    return b("select", inverse.operands[0], op.operands[2], op.operands[1])


def convert_to_same(op: Op, b: Builder) -> Replacement:
    """A conversion to the type that a value has."""
    x = op.operands[0]
    return x if x is not None and x.type is op.result.type else None


def convert_twice(op: Op, b: Builder) -> Replacement:
    """A conversion there and back through a type that holds all of the first."""
    first = made_by(op.operands[0], "cvt")
    x = None if first is None else first.operands[0]
    if first is None or x is None or not holds(first.result.type.dtype, x.type.dtype):
        return None
    # Integers wrap, but what has been a float saturates.
    ints = x.type.element.is_int and op.result.type.element.is_int
    saturates = ints and first.result.type.element.is_float
    if saturates and not holds(op.result.type.dtype, x.type.dtype):
        return None
    if x.type is op.result.type:
        # To its own type nothing is converted; through another one infinities may saturate.
        bounded = op.attrs["saturate"] and x.type.dtype == "e5m2"
        return None if bounded else x
    return b("cvt", x, **op.attrs)


def sum_of_squares(op: Op, b: Builder) -> Replacement:
    """rsum(x * x) = rsumsq(x)."""
    square = made_by(op.operands[0], "mul")
    if square is None or square.operands[0] is not square.operands[1]:
        return None
    return b("rsumsq", square.operands[0], **op.attrs)


COMMUTING = ("add", "mul", "min", "max", "and", "or", "xor", "eq")

RULES = (
    Rule("constants right", COMMUTING, constants_right),
    Rule("add 0", ("add",), neutral(0)),
    Rule("subtract 0", ("sub",), neutral(0, commutes=False)),
    Rule("multiply by 1", ("mul",), neutral(1)),
    Rule("divide by 1", ("div",), neutral(1, commutes=False)),
    Rule("subtract a constant", ("sub",), subtract_constant),
    Rule("divide by a power of two", ("div",), divide_constant),
    Rule("1 / x", ("div",), one_over),
    Rule("powers", ("pow",), power, "bound"),
    Rule("reciprocal of a root", ("recip",), reciprocal_root, "bound"),
    Rule("divide by a root", ("div",), divide_by_root, "bound"),
    Rule("multiply by a reciprocal", ("mul",), multiply_reciprocal, "bound"),
    Rule("multiply by -1", ("mul",), times_minus_one),
    Rule("add a negative", ("add",), add_negative),
    Rule("subtract a negative", ("sub",), subtract_negative),
    Rule("-(-x)", ("neg",), twice("neg")),
    Rule("not not x", ("not",), twice("not")),
    Rule("twice the same", ("abs", "relu", "floor", "ceil", "trunc", "round"), idempotent),
    Rule("x with itself", ("min", "max", "and", "or"), same_operands),
    Rule("max(x, 0)", ("max",), max_zero),
    Rule("clamp from 0 on", ("clamp",), clamp_below),
    Rule("known choice", ("select",), known_choice),
    Rule("choice by not", ("select",), inverted_choice),
    Rule("sum of squares", ("rsum",), sum_of_squares, "bound"),
    Rule("convert to the same", ("cvt",), convert_to_same),
    Rule("convert twice", ("cvt",), convert_twice),
)
