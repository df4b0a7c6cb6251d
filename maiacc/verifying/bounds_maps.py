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
from typing import Any

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds, Rule, meant
from maiacc.verifying.known import LIFTED, Known, all_exact, held, numbers, rounded, settled, stored
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.errorfunctions import erfc
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


def true(op: Op, *arrays: Array) -> Array:
    """The results of an op of other arrays than its operands are, in float64."""
    return applied_to(op, list(arrays)).astype(np.float64, copy=False)


def applied_to(op: Op, arrays: list[Array | None]) -> Array:
    """The results of an op of other arrays than its operands are."""
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
        exact = true(op, x.wide)
        off = None if x.bound is None else ends(lambda end: true(op, end), x, exact)
        if name == "recip" and off is not None:
            off = np.where(np.abs(x.wide) <= x.slack, np.where(x.slack > 0, np.inf, off), off)
        found = rounded(exact, off, ulps(name))
        if name == "exp" and found.bound is not None:
            # What is masked is not there at all.
            nothing = np.isneginf(x.wide) & (x.slack == 0)
            found.bound = np.where(nothing, 0.0, found.bound)
        return found

    return rule


def _lipschitz(name: str, constant: float) -> Rule:
    def rule(bounds: Bounds, op: Op, operands: Operands) -> Known:
        (x,) = given(operands)
        function = _ACTIVATIONS.get(name)
        exact = true(op, x.wide) if function is None else function(x.wide)
        off = None if x.bound is None else constant * x.bound
        return rounded(exact, off, ulps(name))

    return rule


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _silu(x: Array) -> Array:
    return np.where(np.isneginf(x), 0.0, x * _sigmoid(x))


def _gelu(x: Array) -> Array:
    return np.where(np.isneginf(x), 0.0, 0.5 * x * erfc(-x * np.sqrt(0.5)))


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
    exact = true(op, x.wide)
    off = ends(lambda end: true(op, end), x, exact)
    counted(bounds, op, exact, off > 0)
    return settled(exact, off)


def counted(bounds: Bounds, op: Op, exact: Array, open_: Array) -> None:
    """Counts a decision, and where it is open."""
    bounds.decisions += exact.size
    count = int(np.count_nonzero(open_))
    if count:
        bounds.undecided[op] = bounds.undecided.get(op, 0) + count


def _same(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Exact functions that move nothing further apart: neg, abs, relu, min, max, clamp."""
    if all_exact(operands):
        return Known(meant(op, operands)[0])
    known = given(operands)
    exact = applied_to(op, [None if x is None else x.wide for x in operands])
    off = np.zeros(exact.shape)
    for x in known:
        off = np.maximum(off, x.slack)
    if not is_float(op):
        return integer(op, exact, off)
    found = settled(exact, off)
    found.held = held(operands)
    return found


def _tests(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """is_nan, is_inf: open where the operand may be anything."""
    (x,) = given(operands)
    if x.bound is None:
        return Known(meant(op, operands)[0])
    exact = applied_to(op, [x.wide])
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
    counted(bounds, op, exact, off > 0)
    return integer(op, exact, off)


def _lifted(op: Op, x: Known) -> Array:
    return applied_to(op, [x.wide])


def _to_integer(op: Op, x: Array) -> Array:
    source = op.operands[0]
    assert source is not None
    if not source.type.element.is_float:
        return x
    return applied_to(op, [x]).astype(np.float64)


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
RULES |= {"cvt": _converted}
