"""The transcendental functions at special values and at the ends of their ranges."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest

from benchmarks.function_ulp import stratified
from maiacc_isa.function_eval import evaluate
from maiacc_isa.functions import load

NAMES = list(load().functions)

TINY = 2.0**-149

#: The smallest normal number.
NORMAL = 2.0**-126

#: Function, arguments, result to the bit.
SPECIAL: list[tuple[str, tuple[float, ...], float]] = [
    *((name, (nan,), nan) for name in NAMES if name != "pow"),
    *((name, (0.0,), 0.0) for name in ("expm1", "log1p", "sin", "atan", "tanh", "erf", "silu")),
    *((name, (-0.0,), -0.0) for name in ("expm1", "log1p", "sin", "atan", "tanh", "erf", "silu")),
    *((name, (TINY,), TINY) for name in ("expm1", "log1p", "sin", "atan", "tanh", "erf")),
    *((name, (-TINY,), -TINY) for name in ("expm1", "log1p", "sin", "atan", "tanh", "erf")),
    *((name, (1e-30,), 1e-30) for name in ("expm1", "log1p", "sin", "atan", "tanh")),
    *((name, (x,), 1.0) for name in ("exp", "exp_lo", "cos") for x in (0.0, -0.0, TINY, -1e-30)),
    *((name, (inf,), inf) for name in ("exp", "exp_lo", "expm1", "log", "log1p", "silu", "gelu")),
    *((name, (89.0,), inf) for name in ("exp", "exp_lo", "expm1")),
    *((name, (3e38,), inf) for name in ("exp", "exp_lo", "expm1")),
    *((name, (-inf,), 0.0) for name in ("exp", "exp_lo", "sigmoid", "silu")),
    *((name, (x,), 0.0) for name in ("exp", "sigmoid") for x in (-104.0, -3e38)),
    *((name, (x,), -1.0) for name in ("expm1",) for x in (-inf, -3e38, -18.0)),
    *((name, (x,), nan) for name in ("log", "rsqrt") for x in (-inf, -1.0, -TINY)),
    *(("log1p", (x,), nan) for x in (-inf, -2.0, -1.0000001)),
    *((name, (x,), nan) for name in ("sin", "cos") for x in (inf, -inf)),
    *((name, (x,), 1.0) for name in ("tanh", "erf") for x in (inf, 3e38, 10.0)),
    *((name, (x,), -1.0) for name in ("tanh", "erf") for x in (-inf, -3e38, -10.0)),
    *(("log", (x,), -inf) for x in (0.0, -0.0)),
    *(("log", (1.0,), 0.0), ("log1p", (-1.0,), -inf)),
    *(("atan", (inf,), 1.5707963705062866), ("atan", (-inf,), -1.5707963705062866)),
    *(("sigmoid", (0.0,), 0.5), ("sigmoid", (inf,), 1.0), ("sigmoid", (3e38,), 1.0)),
    *(("gelu", (0.0,), 0.0), ("gelu", (-0.0,), -0.0), ("gelu", (-inf,), -0.0)),
    *(("gelu", (-3e38,), -0.0), ("gelu", (3e38,), 3e38), ("silu", (3e38,), 3e38)),
    *(("rsqrt", (0.0,), inf), ("rsqrt", (-0.0,), -inf), ("rsqrt", (inf,), 0.0)),
    *(("rsqrt", (4.0,), 0.5), ("rsqrt", (2.0**-148,), 2.0**74)),
    *(("pow", (x, y), 1.0) for x in (0.0, -0.0, nan, inf, -inf, -5.0) for y in (0.0, -0.0)),
    *(("pow", (1.0, y), 1.0) for y in (nan, inf, -inf, 2.5, -3e38)),
    *(("pow", (-1.0, y), 1.0) for y in (inf, -inf, 2.0, 3e38)),
    *(("pow", (x, y), nan) for x in (-1.0, -2.5, -TINY) for y in (0.5, nan, -2.5, 1e-40)),
    *(("pow", (nan, 1.0), nan), ("pow", (2.0, nan), nan), ("pow", (0.0, nan), nan)),
    *(("pow", (-1.0, 16777215.0), -1.0), ("pow", (-1.0, 16777216.0), 1.0)),
    *(("pow", (0.0, y), 0.0) for y in (3.0, 2.0, 0.5, inf, 1e-40, TINY)),
    *(("pow", (-0.0, y), 0.0) for y in (2.0, 2.5, 1.5, inf, TINY)),
    *(("pow", (-0.0, 3.0), -0.0), ("pow", (-0.0, -3.0), -inf), ("pow", (-0.0, -2.0), inf)),
    *(("pow", (0.0, y), inf) for y in (-3.0, -0.5, -inf, -TINY)),
    *(("pow", (inf, y), inf) for y in (3.0, 0.5, inf, TINY)),
    *(("pow", (inf, y), 0.0) for y in (-3.0, -0.5, -inf, -TINY)),
    *(("pow", (-inf, 3.0), -inf), ("pow", (-inf, 2.0), inf), ("pow", (-inf, 2.5), inf)),
    *(("pow", (-inf, -3.0), -0.0), ("pow", (-inf, -2.0), 0.0), ("pow", (-inf, -1.5), 0.0)),
    *(("pow", (x, inf), inf) for x in (2.0, -2.0, 1.0000001)),
    *(("pow", (x, -inf), 0.0) for x in (2.0, -2.0, 1.0000001)),
    *(("pow", (x, inf), 0.0) for x in (0.5, -0.5, 0.99999994)),
    *(("pow", (x, -inf), inf) for x in (0.5, -0.5, 0.99999994)),
    *(("pow", (2.0, 10.0), 1024.0), ("pow", (-2.0, 3.0), -8.0), ("pow", (2.0, 128.0), inf)),
    *(("pow", (2.0, -149.0), TINY), ("pow", (-2.0, -151.0), -0.0), ("pow", (2.0, 1e30), inf)),
]


def _f32(*values: float) -> list[np.ndarray[Any, Any]]:
    with np.errstate(over="ignore"):
        return [np.array([value], np.float32) for value in values]


@pytest.mark.parametrize("name", NAMES)
def test_special_values_are_right_to_the_bit(name: str) -> None:
    for function, inputs, expected in SPECIAL:
        if function == name:
            (want,) = _f32(expected)
            bits = 0x7FC00000 if isnan(expected) else int(want.view(np.uint32)[0])
            assert int(evaluate(name, *_f32(*inputs)).view(np.uint32)[0]) == bits, inputs


#: Function, where a range of constant results or of subnormal ones begins, what is there.
#: The ranges reach to the infinity of that sign.
RANGES: list[tuple[str, str, Callable[[Any], Any]]] = [
    *((name, "0x1.62e43p+6", lambda y: y == inf) for name in ("exp", "exp_lo", "expm1")),
    *((name, "-0x1.5d58ap+6", lambda y: y < NORMAL) for name in ("exp", "sigmoid")),
    *((name, "-0x1.9fe36ap+6", lambda y: y == 0) for name in ("exp", "sigmoid")),
    ("exp_lo", "-0x1.5d58a2p+6", lambda y: y < NORMAL),
    ("exp_lo", "-0x1.9fe368p+6", lambda y: y == 0),
    ("expm1", "-0x1.0fb6b6p+4", lambda y: y == -1),
    ("tanh", "0x1.220e4ap+3", lambda y: y == 1),
    ("erf", "0x1.f6f9ecp+1", lambda y: y == 1),
    ("sigmoid", "0x1.03ae5cp+4", lambda y: y == 1),
    ("silu", "-0x1.6f6d58p+6", lambda y: y > -NORMAL),
    ("silu", "-0x1.b2a428p+6", lambda y: y == 0),
    ("silu", "-0x1.ba3a58p+6", lambda y: (y == 0) & ~np.signbit(y)),
    ("gelu", "-0x1.a4ae0ep+3", lambda y: y > -NORMAL),
    ("gelu", "-0x1.cb64eap+3", lambda y: (y == 0) & np.signbit(y)),
]


@pytest.mark.parametrize(("name", "start", "holds"), RANGES)
def test_ranges_begin_where_the_row_says(
    name: str, start: str, holds: Callable[[Any], Any]
) -> None:
    first = np.array([float.fromhex(start)], np.float32).view(np.uint32)
    last = np.uint32(0x7F800000) | first & np.uint32(1 << 31)
    bits = np.linspace(int(first[0]), int(last[0]), 100_000).astype(np.uint32)
    near = first + np.arange(-1, 50_000).astype(np.uint32)
    there = holds(evaluate(name, np.concatenate([near, bits]).view(np.float32)))
    assert there.tolist() == [False] + [True] * (there.size - 1)


def test_every_limit_that_a_row_states_is_tested() -> None:
    stated = {
        (name, limit)
        for name, function in load().functions.items()
        for limit in re.findall(r"-?0x[0-9a-fp.+-]+[0-9]", function.special)
    }
    assert stated == {(name, start) for name, start, _ in RANGES} - {("exp_lo", "0x1.62e43p+6")}


@pytest.mark.parametrize("name", ["sin", "atan", "tanh", "erf"])
def test_odd_functions_are_odd_to_the_bit(name: str) -> None:
    x = stratified(20_000, seed=1)
    x = x[np.isfinite(x)]
    assert np.array_equal(evaluate(name, -x).view(np.uint32), (-evaluate(name, x)).view(np.uint32))
