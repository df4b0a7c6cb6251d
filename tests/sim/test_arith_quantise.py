"""MX quantisation and scaled values against fractions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from maiacc_isa import formats
from maiacc_isa.load import load
from maiacc_sim.arith.convert import from_float32
from maiacc_sim.arith.quantise import vdeq, vquant
from sim.arith_oracle import NAN, Codes, bits32, draw, edges, round32, value

pytestmark = pytest.mark.filterwarnings("error")

ELEMENTS = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")
NUMBERS = ("fp32", "bf16", "fp16")


def log2_floor(x: Fraction) -> int:
    power = x.numerator.bit_length() - x.denominator.bit_length()
    return power if Fraction(2) ** power <= x else power - 1


def exponent_of(most: Fraction, dst: str, rule: str) -> int:
    largest = Fraction(formats.decode(dst, formats.largest_bits(load().dtypes[dst])))
    if most == 0:
        return -127
    if rule == "floor":
        return min(max(log2_floor(most) - log2_floor(largest), -127), 127)
    return next((x for x in range(-127, 128) if most <= largest * Fraction(2) ** x), 127)


def quantised(group: list[float], dst: str, rule: str) -> tuple[list[int], int]:
    if not all(map(math.isfinite, group)):
        return [0] * 32, 0xFF
    x = exponent_of(max(abs(Fraction(v)) for v in group), dst, rule)
    codes = []
    for v in group:
        exact = Fraction(v) / Fraction(2) ** x
        code = formats.encode(dst, exact, saturate=True)
        sign = 1 << (load().dtypes[dst].bits - 1)
        codes.append(code | (sign if math.copysign(1, v) < 0 else 0))
    return codes, x + 127


def groups_of(dtype: str) -> Codes:
    """Rows of two groups: of one size, of all sizes, around powers of two, zeros, specials."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((40, 64)) * 2.0 ** rng.integers(-30, 15, (40, 1))
    values[5:10] *= 2.0 ** rng.integers(-60, 60, (5, 64))
    values[10:12] = 2.0 ** rng.integers(-10, 10, (2, 64))
    values[12] = 0.0
    values[13] = -0.0
    values[14:17, 3] = math.nan, math.inf, -math.inf
    values[17] *= 2.0**-140
    values[18:24] = rng.choice([1.0, 6.0, 7.0, 7.5, 448.0, 464.0, -28.0, 57344.0], (6, 64))
    values[24] = rng.choice([0.0, -0.0, 2.0**-126, -(2.0**-149)], 64)
    with np.errstate(over="ignore"):
        codes = from_float32(values.astype(np.float32), dtype)
    codes[25:35] = draw(rng, dtype, (10, 64))
    finite = edges()[np.isfinite(edges().view(np.float32))].view(np.float32)
    codes[35:] = from_float32(rng.choice(finite, (5, 64)), dtype)
    return codes


@pytest.mark.parametrize("rule", ["floor", "ceil"])
@pytest.mark.parametrize("dst", ELEMENTS)
@pytest.mark.parametrize("dtype", NUMBERS)
def test_quantise(dtype: str, dst: str, rule: str) -> None:
    codes = groups_of(dtype)
    found, scales = vquant(codes, dtype, dst, rule)
    assert found.shape == (40, 64)
    assert found.dtype == scales.dtype == np.dtype(np.uint8)
    for r, row in enumerate(codes.tolist()):
        for q in range(2):
            group = [float(value(code, dtype)) for code in row[32 * q : 32 * q + 32]]
            want, scale = quantised(group, dst, rule)
            assert (found[r, 32 * q : 32 * q + 32].tolist(), scales[r, q]) == (want, scale), (r, q)


def test_rule_ceil_saturates_nothing_and_no_smaller_scale_does() -> None:
    codes = groups_of("fp32")
    values = codes.view(np.float32).astype(np.float64).reshape(40, 2, 32)
    most = np.abs(values).max(axis=2)
    good = np.isfinite(most) & (most > 0)
    for dst in ELEMENTS:
        largest = float(formats.decode(dst, formats.largest_bits(load().dtypes[dst])))
        power = vquant(codes, "fp32", dst, "ceil")[1].astype(np.int64) - 127
        assert (np.ldexp(largest, power) >= most)[good].all()
        assert ((np.ldexp(largest, power - 1) < most) | (power == -127))[good].all()


def test_the_example_of_the_manual() -> None:
    group = np.zeros((1, 32), np.float32)
    group[0, 0] = 7.0
    for rule, scale, code in (("floor", 127, 7), ("ceil", 128, 6)):
        found, scales = vquant(group.view(np.uint32), "fp32", "e2m1", rule)
        assert (int(found[0, 0]), scales.tolist()) == (code, [[scale]])


@pytest.mark.parametrize("dst", NUMBERS)
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_dequantise_mx(dtype: str, dst: str) -> None:
    rng = np.random.default_rng(2)
    codes, scales = draw(rng, dtype, (20, 96)), draw(rng, "e8m0", (20, 3))
    scales[0, 0] = 0xFF
    check(codes, dtype, scales, "e8m0", dst)


@pytest.mark.parametrize("dst", NUMBERS)
@pytest.mark.parametrize("scale", NUMBERS)
@pytest.mark.parametrize("dtype", ["int4", "uint4", "int8", "uint8"])
def test_dequantise_integers(dtype: str, scale: str, dst: str) -> None:
    rng = np.random.default_rng(3)
    codes, scales = draw(rng, dtype, (20, 48)), draw(rng, scale, (20, 2))
    scales[:10] = from_float32(rng.standard_normal((10, 2)).astype(np.float32), scale)
    check(codes, dtype, scales, scale, dst)


def check(codes: Codes, dtype: str, scales: Codes, scale: str, dst: str) -> None:
    """Every element: the exact product, rounded to fp32 and then to the destination's type."""
    length = codes.shape[1] // scales.shape[1]
    products = np.zeros(codes.shape, np.uint32)
    for r, row in enumerate(codes.tolist()):
        for c, code in enumerate(row):
            x = float(value(code, dtype))
            s = float(value(int(scales[r, c // length]), scale))
            special = x * s
            if math.isfinite(special) and special != 0:
                special = round32(Fraction(x) * Fraction(s))
                special = math.copysign(special, x) * math.copysign(1.0, s)
            products[r, c] = bits32(special)
    want = from_float32(products.view(np.float32), dst)
    assert np.array_equal(vdeq(codes, dtype, scales, scale, dst), want)


def test_a_product_is_rounded_to_fp32_first() -> None:
    """5 * s lies 2^-25 above the middle of two bf16 numbers, which fp32 does not see."""
    s = np.array([[((1 << 25) + (1 << 17) + 1) // 5 * 2.0**-25]], np.float32)
    assert 5 * float(s[0, 0]) == 1 + 2.0**-8 + 2.0**-25
    five = np.array([[5]], np.uint8)
    assert vdeq(five, "int8", s.view(np.uint32), "fp32", "bf16").tolist() == [[0x3F80]]


def test_a_nan_scale_gives_nan() -> None:
    zeros = np.zeros((1, 32), np.uint8)
    found = vdeq(zeros, "e4m3", np.array([[0xFF]], np.uint8), "e8m0", "fp32")
    assert set(found.flat) == {NAN}


def test_rows_without_elements() -> None:
    none = np.zeros((3, 0), np.uint32)
    values, scales = vquant(none, "fp32", "e4m3", "floor")
    assert (values.shape, scales.shape) == ((3, 0), (3, 0))
    assert vdeq(none.astype(np.uint8), "e4m3", scales, "e8m0", "bf16").shape == (3, 0)
