"""Bounds of elementwise ops.

A monotone function moves an interval to the interval of its ends, so that the ends bound it, steps
such as rounding included. Of others a Lipschitz constant does. What a function of the machine is
off by is as measured over all its inputs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds, Rule, meant
from maiacc.verifying.known import LIFTED, Known, all_exact, numbers, rounded, settled, stored
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.errorfunctions import erf
from maiacc_passes.ir.weights import Array

Operands = list[Known | None]
Function = Callable[[Array], Any]


@cache
def _measured() -> dict[str, float]:
    text = files("maiacc_isa").joinpath("rows/functions.measured.toml").read_text("utf-8")
    return {name: float(row["ulp"]) for name, row in tomllib.loads(text).items()}


def ulps(name: str) -> float:
    """What a function of the machine is off by at most, in units of the last place."""
    return _measured().get(name, 0.5)


def given(operands: Operands, *places: int) -> list[Known]:
    """Operands that are there."""
    found = [operands[i] for i in places] if places else operands
    return [known for known in found if known is not None]


def is_float(op: Op, number: int = 0) -> bool:
    """Whether an operand has floats."""
    value = op.operands[number]
    return value is not None and value.type.element.is_float


def _true(op: Op, *arrays: Array) -> Array:
    """The results of an op of other arrays than its operands are, in float64."""
    return _of(op, list(arrays)).astype(np.float64, copy=False)


def _of(op: Op, arrays: list[Array | None]) -> Array:
    assert op.row.meaning is not None
    found = op.row.meaning(LIFTED, op, arrays)
    assert isinstance(found, np.ndarray | np.generic)
    return np.asarray(found)


def ends(function: Function, x: Known, exact: Array) -> Array:
    """How far off a monotone function may be at the ends of an interval."""
    wide = numbers(x)
    off = np.zeros(exact.shape)
    for end in (wide - x.slack, wide + x.slack):
        far = np.asarray(function(end), np.float64)
        change = np.where(far == exact, 0.0, np.abs(far - exact))
        # Outside of where the function is defined it may be anything.
        off = np.maximum(off, np.where(np.isnan(far) & ~np.isnan(exact), np.inf, change))
    return off


def integer(op: Op, exact: Array, bound: Array) -> Known:
    """An integer that is off by at most so much; beyond the type it wraps and may be anything."""
    element = op.result.type.element
    low, high = (0, 1) if element.kind == "bool" else _limits(element.numpy)
    size = exact.astype(np.float64)
    out = (size - bound < low) | (size + bound > high)
    return Known(
        exact, np.where((bound > 0) & out, np.inf, np.where(np.isnan(bound), np.inf, bound))
    )


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return int(info.min), int(info.max)
    return -8, 15


# ---- one operand ------------------------------------------------------------------------------
def _monotone(name: str) -> Rule:
    """A function that rises or falls wherever it is defined."""

    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        (x,) = given(operands)
        exact = _true(op, x.wide)
        off = None if x.bound is None else ends(lambda end: _true(op, end), x, exact)
        if name == "recip" and off is not None:
            off = np.where(np.abs(x.wide) <= x.slack, np.where(x.slack > 0, np.inf, off), off)
        return rounded(exact, off, ulps(name))

    return rule


def _lipschitz(name: str, constant: float) -> Rule:
    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        (x,) = given(operands)
        function = _ACTIVATIONS.get(name)
        exact = _true(op, x.wide) if function is None else function(x.wide)
        off = None if x.bound is None else constant * x.bound
        return rounded(exact, off, ulps(name))

    return rule


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _silu(x: Array) -> Array:
    return np.where(np.isneginf(x), 0.0, x * _sigmoid(x))


def _gelu(x: Array) -> Array:
    return np.where(np.isneginf(x), 0.0, 0.5 * x * (1 + erf(x / np.sqrt(2.0))))


def _gelu_rule(bounds: Bounds, op: Op, operands: Operands) -> Known | list[Known]:
    if op.attrs["tanh"]:
        return bounds.expanded(op, operands)
    found = _lipschitz("gelu", 1.13)(bounds, op, operands)
    return found if isinstance(found, Known) else list(found)


def _steps(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Exact functions that move in steps: floor, round, sign."""
    (x,) = given(operands)
    if x.bound is None:
        return Known(meant(op, operands)[0])
    exact = _true(op, x.wide)
    off = ends(lambda end: _true(op, end), x, exact)
    _count(bounds, op, exact, off > 0)
    return settled(exact, off)


def _count(bounds: Bounds, op: Op, exact: Array, open_: Array) -> None:
    bounds.decisions += exact.size
    count = int(np.count_nonzero(open_))
    if count:
        bounds.undecided[op] = bounds.undecided.get(op, 0) + count


def _same(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Exact functions that move nothing further apart: neg, abs, relu, min, max, clamp."""
    if all_exact(operands):
        return Known(meant(op, operands)[0])
    known = given(operands)
    exact = _of(op, [None if x is None else x.wide for x in operands])
    off = np.zeros(exact.shape)
    for x in known:
        off = np.maximum(off, x.slack)
    if not is_float(op):
        return integer(op, exact, off)
    return settled(exact, off)


def _tests(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """is_nan, is_inf: open where the operand may be anything."""
    (x,) = given(operands)
    if x.bound is None:
        return Known(meant(op, operands)[0])
    exact = _of(op, [x.wide])
    return bounds.decided(op, exact, np.isinf(x.bound))


def _converted(bounds: Bounds, op: Op, operands: Operands) -> Known:
    (x,) = given(operands)
    to = op.result.type.element
    source = op.operands[0]
    assert source is not None
    attrs: dict[str, Any] = op.attrs
    if source.type.element is to:
        return x
    if to.is_float and to.name != "e8m0":
        if x.is_float:
            return stored(x, to, attrs["saturate"] and to.bits < 16, bounds.lifted)
        # From integers: one rounding.
        if x.bound is None and not bounds.lifted:
            return Known(meant(op, operands)[0])
        return stored(rounded(numbers(x), x.bound), to, attrs["saturate"], bounds.lifted)
    if x.bound is None:
        return Known(meant(op, operands)[0])
    if to.kind == "bool":
        exact = np.asarray(numbers(x) != 0)
        return bounds.decided(op, exact, (np.abs(numbers(x)) <= x.bound) & (x.bound > 0))
    exact = _lifted(op, x)
    off = ends(lambda end: _to_integer(op, end), x, exact.astype(np.float64))
    _count(bounds, op, exact, off > 0)
    return integer(op, exact, off)


def _lifted(op: Op, x: Known) -> Array:
    return _of(op, [x.wide])


def _to_integer(op: Op, x: Array) -> Array:
    source = op.operands[0]
    assert source is not None
    if not source.type.element.is_float:
        return x
    return _of(op, [x]).astype(np.float64)


# ---- two operands -----------------------------------------------------------------------------
def _arithmetic(change: Callable[[Known, Known, Array], Array]) -> Rule:
    """One rounding; ``change`` is how far off exact arithmetic would be."""

    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        a, b = given(operands)
        if not is_float(op):
            if all_exact(operands):
                return Known(meant(op, operands)[0])
            exact = meant(op, operands)[0]
            return integer(op, exact, _fit(change(a, b, numbers(Known(exact))), exact))
        exact = _true(op, a.wide, b.wide)
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
        exact = _true(op, a.wide, b.wide)
        if all_exact(operands):
            return rounded(exact, None, ulps(name))
        off = np.zeros(exact.shape)
        for x, y in product(_ends(a), _ends(b)):
            far = _true(op, x, y)
            change = np.where(far == exact, 0.0, np.abs(far - exact))
            off = np.maximum(off, np.where(np.isnan(far) & ~np.isnan(exact), np.inf, change))
        if name == "mod":
            _count(bounds, op, exact, off > 0)
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
    exact = _of(op, [a.wide, b.wide])
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


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"silu": _silu, "gelu": _gelu}

#: Functions that rise or fall wherever they are defined.
MONOTONE = (
    *("sqrt", "rsqrt", "recip", "exp", "expm1", "log", "log1p", "erf", "tanh", "sigmoid", "atan"),
)

RULES |= {name: _monotone(name) for name in MONOTONE}
RULES |= {name: _lipschitz(name, 1.0) for name in ("sin", "cos")}
RULES |= {"silu": _lipschitz("silu", 1.1), "gelu": _gelu_rule}
RULES |= dict.fromkeys(("floor", "ceil", "trunc", "round", "sign"), _steps)
RULES |= dict.fromkeys(("neg", "abs", "relu", "min", "max", "clamp"), _same)
RULES |= dict.fromkeys(("is_nan", "is_inf"), _tests)
RULES |= {"add": _arithmetic(_sum), "sub": _arithmetic(_sum)}
RULES |= {"mul": _arithmetic(_product), "div": _arithmetic(_quotient)}
RULES |= {"mod": _corners("mod"), "pow": _corners("pow")}
RULES |= dict.fromkeys(("eq", "lt", "le"), _compared)
RULES |= dict.fromkeys(("and", "or", "xor", "not", "shl", "shr"), _logic)
RULES |= {"select": _selected, "cvt": _converted, "bitcast": _bitcast}
