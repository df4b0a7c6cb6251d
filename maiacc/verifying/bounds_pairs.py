"""Bounds of elementwise ops of two and three operands."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds, Rule, meant
from maiacc.verifying.bounds_maps import (
    Operands,
    applied_to,
    counted,
    given,
    integer,
    is_float,
    true,
    ulps,
)
from maiacc.verifying.known import Known, all_exact, numbers, rounded, settled
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.weights import Array


def _arithmetic(change: Callable[[Known, Known, Array], Array]) -> Rule:
    """One rounding; ``change`` is how far off exact arithmetic would be."""

    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        a, b = given(operands)
        if not is_float(op):
            if all_exact(operands):
                return Known(meant(op, operands)[0])
            exact = meant(op, operands)[0]
            return integer(op, exact, _fit(change(a, b, numbers(Known(exact))), exact))
        exact = true(op, a.wide, b.wide)
        off = None if all_exact(operands) else _fit(change(a, b, exact), exact)
        return rounded(exact, off)

    return rule


def _fit(bound: Array, like: Array) -> Array:
    return np.broadcast_to(bound, like.shape)


def _sum(a: Known, b: Known, exact: Array) -> Array:
    return np.asarray(a.slack + b.slack)


def _product(a: Known, b: Known, exact: Array) -> Array:
    x, y = np.abs(numbers(a)), np.abs(numbers(b))
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape))
    for size, off in ((x, b.slack), (y, a.slack), (a.slack, b.slack)):
        # Nothing times what may be anything is nothing.
        found = found + np.where((size == 0) | (off == 0), 0.0, size * off)
    return found


def _quotient(a: Known, b: Known, exact: Array) -> Array:
    least = np.abs(numbers(b)) - b.slack
    near = (a.slack + np.where(b.slack == 0, 0, np.abs(exact) * b.slack)) / least
    near = np.where((a.slack == 0) & (b.slack == 0), 0.0, near)
    return np.where((least <= 0) & (b.slack > 0), np.inf, near)


def _corners(name: str) -> Rule:
    """A function of two operands, monotone in each: mod is, but for its steps, and pow."""

    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        a, b = given(operands)
        if all_exact(operands) and not is_float(op):
            return Known(meant(op, operands)[0])
        exact = true(op, a.wide, b.wide)
        if all_exact(operands):
            return rounded(exact, None, ulps(name))
        off = np.zeros(exact.shape)
        for x, y in product(_ends(a), _ends(b)):
            far = true(op, x, y)
            change = np.where(far == exact, 0.0, np.abs(far - exact))
            off = np.maximum(off, np.where(np.isnan(far) & ~np.isnan(exact), np.inf, change))
        if name == "mod":
            counted(bounds, op, exact, off > 0)
        if not is_float(op):
            return integer(op, exact.astype(op.result.type.element.numpy), off)
        return rounded(exact, off, ulps(name))

    return rule


def _ends(x: Known) -> list[Array]:
    wide = numbers(x)
    if x.bound is None:
        return [wide]
    low, high = wide - x.slack, wide + x.slack
    return [low, np.clip(0.0, low, high), high]


def _compared(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Open where the operands are nearer to each other than they are known."""
    if all_exact(operands):
        return Known(meant(op, operands)[0])
    a, b = given(operands)
    exact = applied_to(op, [a.wide, b.wide])
    off = a.slack + b.slack
    apart = np.abs(numbers(a) - numbers(b))
    return bounds.decided(op, exact, (off > 0) & ~(apart > off) & ~np.isnan(apart))


def _logic(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Bits and truth values: open where one of the operands is."""
    found = Known(meant(op, operands)[0])
    if all_exact(operands):
        return found
    off = np.zeros(found.exact.shape)
    for x in given(operands):
        off = np.maximum(off, np.where(x.slack > 0, np.inf, 0.0))
    return Known(found.exact, np.minimum(off, 1.0) if found.exact.dtype == np.bool_ else off)


def _selected(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Where the condition is open, the result may be either."""
    condition, a, b = given(operands)
    if all_exact(operands):
        x, y = (k.exact for k in (a, b))
        if x.dtype != y.dtype:
            x, y = a.wide, b.wide
        return Known(np.where(condition.exact, x, y))
    x, y = a.wide, b.wide
    exact = np.where(condition.exact, x, y)
    off = np.where(condition.exact, a.slack, b.slack)
    if condition.bound is not None:
        apart = np.where(x == y, 0.0, np.abs(numbers(Known(x)) - numbers(Known(y))))
        apart = np.where(np.isnan(apart), np.inf, apart)
        other = apart + np.maximum(a.slack, b.slack)
        off = np.where(condition.bound > 0, np.maximum(off, other), off)
    if exact.dtype.kind == "f":
        return settled(exact, off) if condition.bound is None else Known(exact, off)
    return Known(exact, np.minimum(off, 1.0) if exact.dtype == np.bool_ else off)


def _bitcast(bounds: Bounds, op: Op, operands: Operands) -> Known:
    (x,) = given(operands)
    found = meant(op, operands)[0]
    if x.bound is None:
        return Known(found)
    return Known(found, np.where(x.bound > 0, np.inf, 0.0))


RULES |= {"add": _arithmetic(_sum), "sub": _arithmetic(_sum)}
RULES |= {"mul": _arithmetic(_product), "div": _arithmetic(_quotient)}
RULES |= {"mod": _corners("mod"), "pow": _corners("pow")}
RULES |= dict.fromkeys(("eq", "lt", "le"), _compared)
RULES |= dict.fromkeys(("and", "or", "xor", "not", "shl", "shr"), _logic)
RULES |= {"select": _selected, "bitcast": _bitcast}
