"""The transcendental functions: language, stage counts, special values, accuracy."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from fractions import Fraction
from math import inf, isinf, isnan, nan
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.function_ulp import MEASURED, errors, stratified, stratified_pairs
from maiacc_isa.errors import MaiaccError
from maiacc_isa.function_eval import OPS, evaluate
from maiacc_isa.functions import load, parse, to_text
from support import run

NAMES = list(load().functions)

#: The published operation counts. A change here changes the speed of the machine.
STAGES = {
    "exp": 9,
    "exp_lo": 6,
    "expm1": 15,
    "log": 13,
    "log1p": 15,
    "sin": 21,
    "cos": 18,
    "atan": 21,
    "tanh": 15,
    "erf": 14,
    "sigmoid": 19,
    "silu": 19,
    "gelu": 27,
    "rsqrt": 12,
    "pow": 54,
}

HEADER = 'function f(x: f32) : f32 {\n  doc "d" method "m" special "s" ulp 2\n'

#: Body of a function, then where and how it is refused. The body starts on line 3.
REFUSED = [
    ("  y = x * x * x\n  return y", 3, 7, "needs a second"),
    ("  y = x * x + x + x\n  return y", 3, 7, "needs a second"),
    ("  y = rne(x * x + x)\n  return y", 3, 11, "needs a second"),
    ("  y = x + rne(x)\n  return y", 3, 11, "needs a second"),
    ("  y = pscale(x * x, x)\n  return y", 3, 14, "needs a second"),
    ("  y = x\n  return y", 3, 7, "plain operand"),
    ("  y = x + x * x\n  return y", 3, 11, "product first"),
    ("  y = sinh(x)\n  return y", 3, 7, "no op or function is called sinh"),
    ("  y = nope[asuint(x), 0]\n  return y", 3, 7, "no table is called nope"),
    ("  y = inv_pi[asuint(x), 3]\n  return x", 3, 7, "3 columns"),
    ("  y = inv_pi[x, 0]\n  return x", 3, 14, "f32 where u32"),
    ("  y = asuint(x) + x\n  return y", 3, 7, "u32 where f32"),
    ("  y = lt(x, x)\n  return y", 4, 10, "bool where f32"),
    ("  return lt(x, x)", 3, 10, "returns f32, this is bool"),
    ("  y = lt(x, x)\n  y = x * x\n  return y", 4, 3, "was bool"),
    ("  y = z * x\n  return y", 3, 7, "z is used before"),
    ("  y = x * y\n  return y", 3, 11, "y is used before"),
    ("  y = x * x\n  return x", 3, 3, "y is never used"),
    ("  y = x * x\n  y = x + x\n  return y", 3, 3, "bound again"),
    ("  y = x * 0x3\n  return y", 3, 11, "not a constant of type f32"),
    ("  y = x * 0x1.0000001p+0\n  return y", 3, 11, "not exact"),
    ("  y = x * 0x1p+128\n  return y", 3, 11, "too large"),
    ("  y = shr(asuint(x), 0x100000000)\n  return x", 3, 22, "does not fit u32"),
    ("  y = exp(x, x)\n  return y", 3, 7, "takes 1 arguments, not 2"),
    ("  y = x $ x\n  return y", 3, 9, "not the language"),
    ("  y = x * x", 4, 1, "not the language"),
]

TINY = 2.0**-149

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

#: The true values, to any precision.
TRUE: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "exp_lo": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "atan": mpmath.atan,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "pow": lambda x, y: mpmath.power(x, y),
}


def _f32(*values: float) -> list[np.ndarray[Any, Any]]:
    with np.errstate(over="ignore"):
        return [np.array([value], np.float32) for value in values]


def _measured() -> dict[str, Any]:
    return tomllib.loads(MEASURED.read_text("utf-8"))


def _cases(name: str) -> list[np.ndarray[Any, Any]]:
    """The stored worst inputs of a function, one array per parameter."""
    rows = [[int(bits, 16) for bits in case] for case in _measured()[name]["cases"]]
    return [np.array(column, np.uint32).view(np.float32) for column in zip(*rows, strict=True)]


def _inputs(name: str, count: int, seed: int) -> tuple[np.ndarray[Any, Any], ...]:
    return stratified_pairs(count, seed) if name == "pow" else (stratified(count, seed),)


@pytest.mark.parametrize("name", NAMES)
def test_the_canonical_text_parses_to_the_same_function(name: str) -> None:
    function = load().functions[name]
    text = to_text(function)
    assert parse(text, known=load()).functions == {name: function}
    assert to_text(parse(text, known=load()).functions[name]) == text
    assert max(map(len, text.splitlines())) <= 100


def test_stage_counts_are_the_published_ones() -> None:
    assert {name: function.stages for name, function in load().functions.items()} == STAGES


def test_a_call_costs_the_stages_of_what_it_calls() -> None:
    text = HEADER + "  e = exp(-x)\n  d = e + 0x1p+0\n  return div(0x1p+0, d)\n}"
    assert parse(text, known=load()).functions["f"].stages == 9 + 1 + 6


def test_every_op_and_every_table_is_used() -> None:
    text = "".join(map(to_text, load().functions.values()))
    assert [op for op in load().ops if f"{op}(" not in text] == []
    assert [table for table in load().tables if f"{table}[" not in text] == []


@pytest.mark.parametrize(("body", "line", "column", "message"), REFUSED)
def test_what_is_not_one_stage_is_refused(body: str, line: int, column: int, message: str) -> None:
    with pytest.raises(MaiaccError, match=message) as caught:
        parse(f"{HEADER}{body}\n}}", "some.fn", load())
    place = caught.value.place
    assert place is not None
    assert (caught.value.code, place.file) == ("E0210", "some.fn")
    assert (place.line, place.column) == (line, column)


def test_reading_the_functions_does_not_load_numpy() -> None:
    code = "import sys, maiacc_isa.functions as f; f.load(); sys.exit('numpy' in sys.modules)"
    assert run([sys.executable, "-c", code]).code == 0


@pytest.mark.parametrize("name", NAMES)
def test_special_values_are_right_to_the_bit(name: str) -> None:
    for function, inputs, expected in SPECIAL:
        if function == name:
            (want,) = _f32(expected)
            bits = 0x7FC00000 if isnan(expected) else int(want.view(np.uint32)[0])
            assert int(evaluate(name, *_f32(*inputs)).view(np.uint32)[0]) == bits, inputs


@pytest.mark.parametrize("name", ["sin", "atan", "tanh", "erf"])
def test_odd_functions_are_odd_to_the_bit(name: str) -> None:
    x = stratified(20_000, seed=1)
    x = x[np.isfinite(x)]
    assert np.array_equal(evaluate(name, -x).view(np.uint32), (-evaluate(name, x)).view(np.uint32))


@pytest.mark.parametrize("name", NAMES)
def test_errors_stay_within_the_promise(name: str) -> None:
    worst = errors(name, *_inputs(name, 60_000, seed=2)).max()
    assert worst <= load().functions[name].ulp
    assert worst <= _measured()[name]["ulp"] or not _measured()[name]["exhaustive"]


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_worst_inputs_are_as_bad_as_recorded(name: str) -> None:
    worst = errors(name, *_cases(name)).max()
    assert worst == pytest.approx(_measured()[name]["ulp"], abs=1e-3)
    assert worst <= load().functions[name].ulp


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_agrees_with_mpmath(name: str) -> None:
    x = [np.concatenate(pair) for pair in zip(_cases(name), _inputs(name, 300, 3), strict=True)]
    x = [column[np.all(np.isfinite(x), axis=0)] for column in x]
    got, seen = evaluate(name, *x), errors(name, *x)
    with mpmath.workdps(50):
        for index in np.flatnonzero(np.isfinite(got) & (got != 0)):
            true = TRUE[name](*(mpmath.mpf(float(column[index])) for column in x))
            nearest = np.float32(float(true))
            unit = mpmath.mpf(2) ** max(int(np.frexp(nearest)[1]) - 24, -149)
            exact = float(abs(mpmath.mpf(float(got[index])) - true) / unit)
            assert exact == pytest.approx(seen[index], rel=1e-6, abs=1e-4), index


@given(st.floats(width=32, allow_nan=False), st.integers(-170, 140))
@settings(max_examples=300, deadline=None)
def test_pscale_rounds_once(p: float, k: int) -> None:
    with np.errstate(over="ignore"):
        got = float(OPS["pscale"](*_f32(p, k))[0])
        rounded = float(np.float32(float(Fraction(p) * Fraction(2) ** k))) if not isinf(p) else p
    if k >= 129 or k <= -160:
        assert got == (inf if k > 0 else 0.0)
    else:
        assert got == rounded


@given(st.floats(width=32, min_value=TINY, max_value=2.0**127))
@settings(max_examples=300, deadline=None)
def test_norm_mant_unit_and_sig8_take_a_number_apart(x: float) -> None:
    norm, mant, unit, sig8 = (OPS[name](*_f32(x))[0] for name in ("norm", "mant", "unit", "sig8"))
    assert Fraction(float(mant)) == Fraction(x) * Fraction(2) ** int(norm)
    assert 0.75 <= mant < 1.5
    assert float(unit) == 2.0 ** min(max(int(norm), -128), 127)
    if x >= 2.0**-126:
        field = int(_f32(x)[0].view(np.uint32)[0]) >> 23
        assert Fraction(int(sig8)) * Fraction(2) ** (8 * (field // 8) - 150) == Fraction(x)


@given(st.integers(0, 2**64 - 1))
@settings(max_examples=300, deadline=None)
def test_radians_keeps_the_sine(y: int) -> None:
    angle = float(OPS["radians"](np.array([y], np.uint64))[0])
    with mpmath.workdps(50):
        off = abs(mpmath.sin(angle) - mpmath.sin(2 * mpmath.pi * mpmath.mpf(y) / 2**64))
    assert abs(angle) <= 1.5707964
    assert float(off) <= 1.01 * 2.0**-24 * abs(angle) + 2.0**-60


def test_arrays_broadcast_and_types_are_checked() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert evaluate("pow", x, np.array(2.0, np.float32)).shape == (2, 3)
    assert evaluate("exp", np.array(0.0, np.float32)).shape == ()
    assert evaluate("exp", x[:, ::2]).tolist() == evaluate("exp", x)[:, ::2].tolist()
    assert evaluate("exp", x[:0]).shape == (0, 3)
    with pytest.raises(TypeError, match="float32"):
        evaluate("exp", x.astype(np.float64))
    with pytest.raises(TypeError, match="float32"):
        evaluate("pow", x)
