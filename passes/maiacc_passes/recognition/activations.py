"""gelu, silu and swiglu.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = sigmoid(%0) : fp32[4]
    %2 = mul(%0, %1) : fp32[4]

Out:

    %1 = silu(%0) : fp32[4]

gelu is found in its exact form, as erf or as 1 + erf with halves anywhere, and in the form with
tanh.
"""

from __future__ import annotations

import math

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import factors, made_by, near, precision, scalar, split_constant, terms
from maiacc_passes.rewriting import Replacement, Rule

#: The factor of the cubic term in gelu with tanh, and the factor of the sum.
CUBIC, OUTER = 0.044715, math.sqrt(2 / math.pi)


def silu(op: Op, b: Builder) -> Replacement:
    """x * sigmoid(x)."""
    for x, y in (op.operands, op.operands[::-1]):
        inner = made_by(y, "sigmoid")
        if inner is not None and inner.operands[0] is x and x is not None:
            return b("silu", x)
    return None


def silu_divided(op: Op, b: Builder) -> Replacement:
    """x / (1 + exp(-x))."""
    x, y = op.operands
    if y is None or not _one_plus(y, lambda v: _exp_of_minus(v, x)):
        return None
    return b("silu", x) if x is not None and x.type is op.result.type else None


def sigmoid_divided(op: Op, b: Builder) -> Replacement:
    """recip(1 + exp(-x)) = sigmoid(x); y / (1 + exp(-x)) = y * sigmoid(x)."""
    x = _denominator(op.operands[-1])
    if x is None:
        return None
    return b("sigmoid", x) if op.name == "recip" else b("mul", op.operands[0], b("sigmoid", x))


def _denominator(value: Value | None) -> Value | None:
    total = made_by(value, "add")
    found = None if total is None else split_constant(total)
    if found is None or found[1] != 1:
        return None
    power = made_by(found[0], "exp")
    minus = None if power is None else made_by(power.operands[0], "neg")
    return None if minus is None else minus.operands[0]


def _one_plus(value: Value, test: object) -> bool:
    assert callable(test)
    total = made_by(value, "add")
    found = None if total is None else split_constant(total)
    return found is not None and found[1] == 1 and bool(test(found[0]))


def _exp_of_minus(value: Value, x: Value | None) -> bool:
    power = made_by(value, "exp")
    minus = None if power is None else made_by(power.operands[0], "neg")
    return minus is not None and minus.operands[0] is x


def gelu(op: Op, b: Builder) -> Replacement:
    """0.5 * x * (1 + erf(x / sqrt 2)), and 0.5 * x * (1 + tanh(...)), multiplied in any order."""
    parts = factors(op.result)
    numbers = [n for n in map(scalar, parts) if n is not None]
    others = [x for x in parts if scalar(x) is None]
    if len(others) != 2 or abs(math.prod(numbers) - 0.5) > 1e-6:
        return None
    for x, y in (others, others[::-1]):
        if x.type is op.result.type and _one_plus(y, lambda v, x=x: _is_erf(v, x)):
            return b("gelu", x)
        if x.type is op.result.type and _one_plus(y, lambda v, x=x: _is_tanh(v, x)):
            return b("gelu", x, tanh=True)
    return None


def half_and_erf(op: Op, b: Builder) -> Replacement:
    """x * (0.5 + 0.5 * erf(x / sqrt 2)), and x times the normal distribution in that form."""
    for x, y in (op.operands, op.operands[::-1]):
        total = made_by(y, "add")
        found = None if total is None else split_constant(total)
        if found is None or found[1] != 0.5 or x is None:
            continue
        product = made_by(found[0], "mul")
        half = None if product is None else split_constant(product)
        if half is not None and half[1] == 0.5 and _is_erf(half[0], x):
            return b("gelu", x) if x.type is op.result.type else None
    return None


def _is_erf(value: Value, x: Value) -> bool:
    """Whether a value is erf(x / sqrt 2)."""
    inner = made_by(value, "erf")
    scaled = None if inner is None else made_by(inner.operands[0], "mul", "div")
    if scaled is None or scaled.operands[0] is not x:
        return False
    wanted = math.sqrt(0.5) if scaled.name == "mul" else math.sqrt(2)
    return near(scaled.operands[1], wanted)


def _is_tanh(value: Value, x: Value) -> bool:
    """Whether a value is tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)), the cube written in any way,
    and the outer factor multiplied in or not."""
    inner = made_by(value, "tanh")
    if inner is None or inner.operands[0] is None:
        return False
    parts = factors(inner.operands[0])
    numbers = [n for n in map(scalar, parts) if n is not None]
    others = [v for v in parts if scalar(v) is None]
    factor = math.prod(numbers)
    if len(others) == 1 and _close(factor, OUTER, x):
        return _cubic_sum(others[0], x, 1.0, CUBIC)
    if len(others) == 2 and x in others and _close(factor, OUTER, x):
        others.remove(x)
        return _one_plus(others[0], lambda v: _is_power(_powers_of(v, x), 2, CUBIC, x))
    return not numbers and len(others) == 1 and _cubic_sum(others[0], x, OUTER, OUTER * CUBIC)


def _close(found: float, wanted: float, x: Value) -> bool:
    """Whether a factor is one that is known, written with four digits at least, and rounded."""
    return abs(found - wanted) <= max(1e-4, precision(x)) * wanted


def _is_power(found: tuple[int, float] | None, exponent: int, factor: float, x: Value) -> bool:
    return found is not None and found[0] == exponent and _close(found[1], factor, x)


def _cubic_sum(value: Value, x: Value, linear: float, cubic: float) -> bool:
    found: dict[int, float] = {}
    for term in terms(value):
        power = _powers_of(term, x)
        if power is None:
            return False
        found[power[0]] = found.get(power[0], 0.0) + power[1]
    return found.keys() == {1, 3} and _close(found[1], linear, x) and _close(found[3], cubic, x)


def _powers_of(value: Value, x: Value) -> tuple[int, float] | None:
    """The power of x and the factor that a product is."""
    exponent, factor = 0, 1.0
    todo = [value]
    while todo:
        part = todo.pop()
        number = scalar(part)
        op = part.op
        if part is x:
            exponent += 1
        elif number is not None:
            factor *= number
        elif op is not None and op.name == "mul":
            todo += [v for v in op.operands if v is not None]
        elif op is not None and op.name == "pow" and op.operands[0] is x:
            power = scalar(op.operands[1])
            if power is None or power != int(power) or not 0 < power < 8:
                return None
            exponent += int(power)
        else:
            return None
    return exponent, factor


def swiglu(op: Op, b: Builder) -> Replacement:
    """silu(gate) * up."""
    for x, y in (op.operands, op.operands[::-1]):
        gate = made_by(x, "silu")
        if gate is None or y is None or x is None or len(x.uses) != 1:
            continue
        if y.type is x.type and made_by(y, "silu") is None and y.weight is None:
            return b("swiglu", gate.operands[0], y)
    return None


RULES = (
    Rule("silu", ("mul",), silu, "bound"),
    Rule("silu by division", ("div",), silu_divided, "bound"),
    Rule("sigmoid by division", ("recip", "div"), sigmoid_divided, "bound"),
    Rule("gelu", ("mul",), gelu, "bound"),
    Rule("gelu with halves", ("mul",), half_and_erf, "bound"),
    Rule("swiglu", ("mul",), swiglu, "bound"),
)
