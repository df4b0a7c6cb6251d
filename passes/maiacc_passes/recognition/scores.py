"""What goes into the softmax of attention, taken apart: product, scale, cap and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import made_by, scalar, widened

#: What is added to a score that is not to count is at most this.
NEVER = -1e4

#: Masks on top of one another.
MASKS = 3


@dataclass
class Scores:
    """The product, its scale, and what is done to it: ``bias`` is added, and where ``seen`` is
    false, ``never`` takes the place of a score."""

    product: Op
    scale: float = 1.0
    softcap: float = 0.0
    bias: Value | None = None
    seen: Value | None = None
    never: float = 0.0


def scores_of(value: Value | None, b: Builder, depth: int = MASKS) -> Scores | None:
    """Takes the softmax's operand apart; it may be of a wider type than the product."""
    value = widened(value)
    found = _unmasked(value)
    if found is not None or not depth:
        return found
    choice, total = made_by(value, "select"), made_by(value, "add")
    if choice is not None:
        return _chosen(choice, b, depth)
    if total is not None:
        for x, y in (total.operands, total.operands[::-1]):
            found = scores_of(x, b, depth - 1)
            if found is not None and y is not None:
                found.bias = y if found.bias is None else _both(found.bias, y, b)
                return found
    return None


def _both(inner: Value, outer: Value, b: Builder) -> Value:
    """What is added before and after scores became wider."""
    if inner.type.element is not outer.type.element:
        inner = b("cvt", inner, to=outer.type.dtype)
    return b("add", inner, outer)


def _chosen(choice: Op, b: Builder, depth: int) -> Scores | None:
    """Scores of which some are replaced, by a mask or by its opposite."""
    keep, *pair = choice.operands
    for inner, other in (pair, pair[::-1]):
        never = scalar(other)
        if never is None or never > NEVER:
            continue
        found = scores_of(inner, b, depth - 1)
        if found is None or found.seen is not None:
            return None
        found.seen = keep if inner is pair[0] else b("not", keep)
        found.never = float(never)
        return found
    return None


def _unmasked(value: Value | None) -> Scores | None:
    """A product, perhaps scaled and capped."""
    cap = 0.0
    outer = made_by(value, "mul")
    bent = None if outer is None else made_by(outer.operands[0], "tanh")
    if outer is not None and bent is not None:
        number, inner = scalar(outer.operands[1]), made_by(bent.operands[0], "div", "mul")
        divisor = None if inner is None else scalar(inner.operands[1])
        if number is None or inner is None or divisor is None:
            return None
        divisor = 1 / divisor if inner.name == "mul" and divisor else divisor
        if number <= 0 or not math.isclose(number, divisor, rel_tol=1e-6):
            return None
        cap, value = float(number), inner.operands[0]
    inner_value, scale = unscaled(value)
    product = made_by(widened(inner_value), "contract")
    if product is None:
        return None
    added = product.operand(2)
    if added is not None and (cap or scale != 1):
        return None
    return Scores(product, scale, cap, added)


def unscaled(value: Value | None) -> tuple[Value | None, float]:
    """A value without the numbers that it is multiplied or divided by, and their product."""
    scale = 1.0
    while True:
        op = made_by(value, "mul", "div")
        number = None if op is None else scalar(op.operands[1])
        if op is None or number is None or not number or isinstance(number, bool):
            return value, scale
        scale = scale * number if op.name == "mul" else scale / number
        value = op.operands[0]
