"""Whether two modules compute the same, on inputs made up for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import Type

#: How far off results of a pass that keeps a bound may be, as part of the largest.
BOUND = 2e-5


def inputs(module: Module, seed: int = 1) -> dict[str, Any]:
    """Inputs: multiples of 1/4 between -4 and 4, small integers from 0 on, truth values."""
    rng = np.random.default_rng(seed)
    params = zip(module.inputs, module.main.params, strict=True)
    return {name: sample(rng, value.type) for name, value in params}


def sample(rng: np.random.Generator, kind: Type) -> Any:
    """An array of a type."""
    element = kind.element
    if element.is_float:
        return (rng.integers(-16, 17, kind.shape) / 4).astype(element.numpy)
    if element.kind == "bool":
        return rng.integers(0, 2, kind.shape).astype(np.bool_)
    return rng.integers(0, 3, kind.shape).astype(element.numpy)


def difference(
    before: Module, after: Module, given: Mapping[str, Any], exact: bool, lift: bool = False
) -> str:
    """What differs between the outputs of two modules; nothing if nothing does. The sign of a zero
    and the payload of a NaN do not count. ``lift`` compares what exact numbers give."""
    if before.outputs != after.outputs or before.inputs != after.inputs:
        return "other inputs or outputs"
    one, two = evaluate(before, given, lift), evaluate(after, given, lift)
    for name in before.outputs:
        why = _differs(one[name], two[name], exact)
        if why:
            return f"{name}: {why}"
    return ""


def _differs(x: Any, y: Any, exact: bool) -> str:
    if x.shape != y.shape or x.dtype != y.dtype:
        return f"{y.dtype}{list(y.shape)} instead of {x.dtype}{list(x.shape)}"
    a, b = x.astype(np.float64), y.astype(np.float64)
    if exact or x.dtype.kind in "iub":
        return "" if np.array_equal(a, b, equal_nan=True) else f"{y} instead of {x}"
    finite = np.isfinite(a)
    largest = np.abs(a[finite]).max(initial=1e-3)
    bound = BOUND if x.dtype == np.float32 or x.dtype == np.float64 else 2e-2
    with np.errstate(invalid="ignore"):
        bad = np.where(finite, np.abs(a - b) > bound * largest, ~np.isclose(a, b, equal_nan=True))
    return f"off by {np.abs(a - b)[bad].max()} of {largest}" if bad.any() else ""
