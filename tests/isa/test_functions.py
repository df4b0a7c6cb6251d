"""The transcendental functions: language, stage counts, special values, accuracy."""

from __future__ import annotations

import sys
from fractions import Fraction
from math import inf, isinf
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

TINY = 2.0**-149

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


def _f32(*values: float) -> list[np.ndarray[Any, Any]]:
    with np.errstate(over="ignore"):
        return [np.array([value], np.float32) for value in values]


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
