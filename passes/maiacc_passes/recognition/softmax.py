"""Softmax and log softmax.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = rmax(%0) {axes=[1], keep=true} : fp32[2, 1]
    %2 = sub(%0, %1) : fp32[2, 8]
    %3 = exp(%2) : fp32[2, 8]
    %4 = rsum(%3) {axes=[1], keep=true} : fp32[2, 1]
    %5 = div(%3, %4) : fp32[2, 8]

Out:

    %1 = softmax(%0) {axis=1} : fp32[2, 8]

Without the maximum it is another function, which overflows, and is left alone.
"""

from __future__ import annotations

import math

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import is_number, made_by, scalar
from maiacc_passes.rewriting import Replacement, Rule


def _shifted(value: Value | None) -> tuple[Value, int] | None:
    """The value from which its maximum over an axis is subtracted, and the axis."""
    away = made_by(value, "sub")
    top = None if away is None else _maximum(away.operands[1])
    if away is None or top is None or top.operands[0] is not away.operands[0]:
        return None
    axes: tuple[int, ...] = top.attrs["axes"]
    x = away.operands[0]
    return None if len(axes) != 1 or not top.attrs["keep"] or x is None else (x, axes[0])


def _maximum(value: Value | None) -> Op | None:
    """The reduction to a maximum that a value is, perhaps 0 where that is infinite."""
    choice = made_by(value, "select")
    if choice is None:
        return made_by(value, "rmax")
    test, zero, top = choice.operands
    asked = made_by(test, "is_inf", "eq")
    if asked is None or asked.operands[0] is not top or not is_number(zero, 0.0):
        return None
    infinite = asked.attrs["negative"] if asked.name == "is_inf" else _below_all(asked.operands[1])
    return made_by(top, "rmax") if infinite else None


def _below_all(value: Value | None) -> bool:
    return scalar(value) == -math.inf


def _sum_over(value: Value | None, axis: int) -> Value | None:
    """What a value is the sum of over an axis that is kept."""
    total = made_by(value, "rsum")
    if total is None or not total.attrs["keep"] or total.attrs["axes"] != (axis,):
        return None
    return total.operands[0]


def softmax(op: Op, b: Builder) -> Replacement:
    """exp(x - max) / sum(exp(x - max))."""
    power = made_by(op.operands[0], "exp")
    found = None if power is None else _shifted(power.operands[0])
    if power is None or found is None:
        return None
    x, axis = found
    return b("softmax", x, axis=axis) if _sum_over(op.operands[1], axis) is power.result else None


def log_softmax(op: Op, b: Builder) -> Replacement:
    """(x - max) - log(sum(exp(x - max)))."""
    shifted = op.operands[0]
    found = _shifted(shifted)
    log = made_by(op.operands[1], "log")
    if found is None or log is None:
        return None
    x, axis = found
    power = made_by(_sum_over(log.operands[0], axis), "exp")
    if power is None or power.operands[0] is not shifted:
        return None
    return b("log_softmax", x, axis=axis)


def less_log_of_sum(op: Op, b: Builder) -> Replacement:
    """x - (log(sum(exp(x - max))) + max)."""
    total = made_by(op.operands[1], "add")
    if total is None:
        return None
    for one, two in (total.operands, total.operands[::-1]):
        log = made_by(one, "log")
        added = None if log is None else made_by(log.operands[0], "rsum")
        power = None if added is None else made_by(added.operands[0], "exp")
        found = None if power is None else _shifted(power.operands[0])
        away = None if power is None else made_by(power.operands[0], "sub")
        if added is None or found is None or away is None or away.operands[1] is not two:
            continue
        x, axis = found
        whole = added.attrs["keep"] and added.attrs["axes"] == (axis,)
        if whole and x is op.operands[0]:
            return b("log_softmax", x, axis=axis)
    return None


def log_of_softmax(op: Op, b: Builder) -> Replacement:
    """log(softmax(x))."""
    inner = made_by(op.operands[0], "softmax")
    if inner is None or inner.attrs["masked_zero"]:
        return None
    return b("log_softmax", inner.operands[0], axis=inner.attrs["axis"])


def exp_of_log_softmax(op: Op, b: Builder) -> Replacement:
    """exp(log_softmax(x))."""
    inner = made_by(op.operands[0], "log_softmax")
    return None if inner is None else b("softmax", inner.operands[0], axis=inner.attrs["axis"])


def guarded(op: Op, b: Builder) -> Replacement:
    """select(is_nan(softmax), 0, softmax): rows in which everything is masked become 0. What is
    NaN because a score is NaN stays NaN."""
    test, zero, value = op.operands
    asked = made_by(test, "is_nan")
    inner = made_by(value, "softmax")
    if asked is None or inner is None or asked.operands[0] is not value:
        return None
    if not is_number(zero, 0.0) or op.result.type is not inner.result.type:
        return None
    return b("softmax", inner.operands[0], axis=inner.attrs["axis"], masked_zero=True)


def moved(op: Op, b: Builder) -> Replacement:
    """transpose(softmax(transpose(x))), which takes another axis."""
    inner = made_by(op.operands[0], "softmax", "log_softmax")
    first = None if inner is None else made_by(inner.operands[0], "transpose")
    if inner is None or first is None or len(inner.result.uses) > 1:
        return None
    perm: tuple[int, ...] = first.attrs["perm"]
    back: tuple[int, ...] = op.attrs["perm"]
    if tuple(perm[axis] for axis in back) != tuple(range(len(perm))):
        return None
    return b(inner.name, first.operands[0], **{**inner.attrs, "axis": perm[inner.attrs["axis"]]})


RULES = (
    Rule("softmax", ("div",), softmax, "bound"),
    Rule("log softmax", ("sub",), log_softmax, "bound"),
    Rule("less the log of a sum", ("sub",), less_log_of_sum, "bound"),
    Rule("log of softmax", ("log",), log_of_softmax, "bound"),
    Rule("exp of log softmax", ("exp",), exp_of_log_softmax, "bound"),
    Rule("guarded softmax", ("select",), guarded, "bound"),
    Rule("softmax of another axis", ("transpose",), moved, "bound"),
)
