"""Runs a test through a backend and says how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from conformance.cases import Case
from conformance.expected import ROUNDED
from maiacc_isa.errors import InternalError, MaiaccError
from maiacc_sim.traps import Stopped

#: How tests end.
OUTCOMES = ("passed", "refused", "wrong", "crashed")

#: Operators whose results are whole steps: right if equal, or one step off.
STEPPED = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul"}


@dataclass(frozen=True)
class Verdict:
    """``passed``, ``refused`` (with a code), ``wrong`` or ``crashed``, and why."""

    name: str
    operator: str
    outcome: str
    why: str = ""


def judge(case: Case, backend: Any) -> Verdict:
    """How a test ends."""
    try:
        rep = backend.prepare(case.model)
        for inputs, expected in case.data:
            found = rep.run(list(inputs))
            why = difference(case, found, expected)
            if why and case.name in ROUNDED:
                why = farther(case, found, expected, rep.run(list(inputs), lift=True))
            if why:
                return Verdict(case.name, case.operator, "wrong", why)
    except (InternalError, Stopped) as problem:
        return Verdict(case.name, case.operator, "crashed", f"{problem.code}: {problem.message}")
    except MaiaccError as problem:
        return Verdict(case.name, case.operator, "refused", f"{problem.code}: {problem.message}")
    except Exception as problem:  # noqa: BLE001  a crash is what is looked for
        why = f"{type(problem).__name__}: {problem}"
        return Verdict(case.name, case.operator, "crashed", why)
    return Verdict(case.name, case.operator, "passed")


def difference(case: Case, found: Sequence[Any], expected: Sequence[Any]) -> str:
    """What is wrong with some outputs; nothing if nothing is."""
    if len(found) != len(expected):
        return f"{len(found)} outputs instead of {len(expected)}"
    for number, (x, y) in enumerate(zip(found, expected, strict=True)):
        info = case.model.graph.output[number].type.tensor_type
        why = _differs(case, np.asarray(x), _array(y, info.elem_type), info.elem_type)
        if why:
            return f"output {number}: {why}"
    return ""


def farther(case: Case, found: Sequence[Any], expected: Sequence[Any], exact: Sequence[Any]) -> str:
    """What is wrong where the exact result decides: where results differ, ours has to be nearer."""
    for x, y, z in zip(found, expected, exact, strict=True):
        ours, theirs = (np.abs(np.asarray(v).astype(np.float64) - z) for v in (x, y))
        far = np.abs(x.astype(np.float64) - y) > case.atol + case.rtol * np.abs(y)
        if (far & (ours > theirs)).any():
            return "farther from the exact result than what is expected"
    return ""


def _differs(case: Case, x: np.ndarray[Any, Any], y: np.ndarray[Any, Any], number: int) -> str:
    if x.shape != y.shape:
        return f"shape {list(x.shape)} instead of {list(y.shape)}"
    if x.dtype != y.dtype:
        return f"type {x.dtype} instead of {y.dtype}"
    if x.dtype.kind == "b":
        return "" if np.array_equal(x, y) else "truth values differ"
    narrow = number == onnx.TensorProto.BFLOAT16
    rtol = max(case.rtol, 2.0**-6) if narrow else case.rtol
    a, b = x.astype(np.float64), y.astype(np.float64)
    step = 1.0 if case.operator in STEPPED and x.dtype.kind in "iu" else 0.0
    with np.errstate(all="ignore"):
        bad = ~(np.isclose(a, b, rtol, max(case.atol, step), equal_nan=True))
    if not bad.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(bad)[0]) if x.ndim else ()
    return f"{int(bad.sum())} of {x.size} differ, the first at {at}: {a[at]} instead of {b[at]}"


def _array(value: Any, number: int) -> np.ndarray[Any, Any]:
    if isinstance(value, onnx.TensorProto):
        return np.asarray(onnx.numpy_helper.to_array(value))
    return np.asarray(value)
