"""Conversions to floats, and values of codes: every code and every point between neighbours."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from isa.test_formats import OTHERS
from maiacc_isa import formats
from maiacc_isa.load import load
from maiacc_sim.arith.convert import container, convert, decode, from_float32
from sim.arith_oracle import Codes, draw, edges

pytestmark = pytest.mark.filterwarnings("error")

#: Every type checked code by code; the rows alone say what truth values are.
CHECKED: dict[str, Any] = {**OTHERS, "bool": None}

FLOATS = [t.name for t in load().dtypes.values() if t.is_float and t.name != "fp32"]
INTEGERS = [t.name for t in load().dtypes.values() if t.is_int]


def every_code(dtype: str) -> Codes:
    return np.arange(1 << load().dtypes[dtype].bits).astype(container(dtype))


def naturals(dtype: str) -> Codes:
    """The values of the codes from 0 to the largest number, rising."""
    count = formats.largest_bits(load().dtypes[dtype]) + 1
    return decode(np.arange(count).astype(container(dtype)), dtype)


def bits(values: Codes) -> list[int]:
    """fp32 bits, with one NaN."""
    quiet = np.where(np.isnan(values), np.float32(np.nan), values).astype(np.float32)
    return [int(code) for code in quiet.view(np.uint32)]


def signed(codes: Codes, dtype: str) -> Codes:
    sign = container(dtype).type(1 << (load().dtypes[dtype].bits - 1))
    return np.bitwise_or(codes, sign)


def test_containers() -> None:
    sizes = {"e2m1": 1, "e3m2": 1, "int4": 1, "bool": 1, "bf16": 2, "fp32": 4, "int64": 8}
    assert {name: container(name).itemsize for name in sizes} == sizes
    assert all(container(name).kind == "u" for name in load().dtypes)


def test_every_small_format_is_compared() -> None:
    small = {t.name for t in load().dtypes.values() if t.bits <= 16}
    assert small - set(CHECKED) == {"sp24"}


@pytest.mark.parametrize("dtype", CHECKED)
def test_every_code_has_its_value(dtype: str) -> None:
    codes = every_code(dtype)
    found = decode(codes, dtype)
    expected = [formats.decode(dtype, code) for code in codes.tolist()]
    t = load().dtypes[dtype]
    if t.is_float or t.kind == "scale":
        assert found.dtype == np.float32
        assert bits(found) == bits(np.array(expected))
        assert bits(found) == bits(codes.view(OTHERS[dtype]).astype(np.float32))
    elif dtype == "bool":
        assert found.tolist() == [code != 0 for code in codes.tolist()]
    else:
        assert found.dtype == (np.int64 if t.signed else np.uint64)
        assert found.tolist() == expected


def test_values_of_wide_types() -> None:
    assert decode(np.array([0xC0400000], np.uint32), "fp32").tolist() == [-3.0]
    ends = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    assert decode(ends, "int64").tolist() == [0, 1, 2**63 - 1, -(2**63), -1]
    assert decode(ends, "uint64").tolist() == ends.tolist()
    assert decode(np.array([2**31], np.uint32), "int32").tolist() == [-(2**31)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("saturate", [False, True])
def test_every_number_comes_back_as_its_code(dtype: str, saturate: bool) -> None:
    codes = every_code(dtype)
    values = decode(codes, dtype)
    found = from_float32(values, dtype, saturate)
    finite = np.isfinite(values)
    assert found[finite].tolist() == codes[finite].tolist()
    nan = np.isnan(values)
    assert set(found[nan].tolist()) <= {formats.nan_bits(load().dtypes[dtype])}


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_between_all_neighbours(dtype: str) -> None:
    """The middle between two numbers, and the fp32 numbers on both of its sides."""
    values = naturals(dtype)
    low, high = values[:-1], values[1:]
    middle = ((low.astype(np.float64) + high) / 2).astype(np.float32)
    codes = np.arange(len(low))
    for probe, expected in (
        (np.nextafter(low, high), codes + (np.nextafter(low, high) > middle)),
        (np.nextafter(middle, low), codes),
        (middle, codes + codes % 2),
        (np.nextafter(middle, high), codes + 1),
        (np.nextafter(high, low), codes + (np.nextafter(high, low) >= middle)),
    ):
        want = expected.astype(container(dtype))
        for saturate in (False, True):
            assert np.array_equal(from_float32(probe, dtype, saturate), want)
            assert np.array_equal(from_float32(-probe, dtype, saturate), signed(want, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_beyond_the_largest_number(dtype: str) -> None:
    t = load().dtypes[dtype]
    largest = formats.largest_bits(t)
    top, below = (np.float32(formats.decode(dtype, largest - i)) for i in (0, 1))
    edge = np.float32(top.astype(np.float64) + (top.astype(np.float64) - below) / 2)
    inside = np.nextafter(edge, np.float32(0))
    assert from_float32(np.array([inside, -inside]), dtype).tolist() == [
        largest, largest | 1 << (t.bits - 1),
    ]  # fmt: skip
    outside = np.array([edge, np.nextafter(edge, np.float32(np.inf)), np.inf], np.float32)
    infinity = ((1 << t.exponent) - 1) << t.mantissa
    sign = 1 << (t.bits - 1)
    # An even largest number takes the middle above it.
    first = [largest] if largest % 2 == 0 else []
    for saturate in (False, True):
        found = from_float32(outside, dtype, saturate).tolist()
        negative = from_float32(-outside, dtype, saturate).tolist()
        if saturate or (not t.inf and t.nan == "none"):
            assert found == [largest] * 3
            assert negative == [largest | sign] * 3
        elif t.inf:
            assert found == (first + [infinity] * 3)[:3]
            assert negative == [code | sign for code in found]
        else:
            nan = formats.nan_bits(t)
            assert found == first + [nan] * (3 - len(first))
            assert negative == [code | sign for code in first] + [nan] * (3 - len(first))


@pytest.mark.parametrize("dtype", FLOATS)
def test_rounding_is_that_of_others(dtype: str) -> None:
    random = draw(np.random.default_rng(7), "fp32", (100_000,))
    values = np.concatenate([random, edges()]).view(np.float32)
    values = values[np.isfinite(values)]
    with np.errstate(all="ignore"):
        other = values.astype(OTHERS[dtype])
    mask = container(dtype).type((1 << load().dtypes[dtype].bits) - 1)
    want = other.view(container(dtype)) & mask
    # The sign of a NaN that stands for too large a number is not ours.
    want[np.isnan(decode(want, dtype))] = formats.nan_bits(load().dtypes[dtype])
    assert np.array_equal(from_float32(values, dtype), want)


@pytest.mark.parametrize("src", FLOATS)
@pytest.mark.parametrize("dst", ["fp32", *FLOATS])
def test_floats_to_floats(src: str, dst: str) -> None:
    codes = every_code(src)[:: 1 if load().dtypes[src].bits <= 8 else 37]
    for saturate in (False, True):
        found = convert(codes, src, dst, saturate)
        if src == dst:
            assert np.array_equal(found, codes)
            continue
        t = load().dtypes[dst]
        for code, result in zip(codes.tolist(), found.tolist(), strict=True):
            value = float(formats.decode(src, code))
            if math.isinf(value) and (dst in ("fp32",) or (src, dst) in WIDER_WITH_INFINITY):
                assert formats.decode(dst, result) == value
            else:
                want = formats.encode(dst, value, saturate)
                if math.isnan(float(formats.decode(dst, want))):
                    want = formats.nan_bits(t)
                assert result == want, (code, value)


#: Conversions between formats with infinities that lose nothing: saturation has no say.
WIDER_WITH_INFINITY = {("e5m2", "fp16"), ("e5m2", "bf16")}


@pytest.mark.parametrize("dtype", FLOATS)
def test_signs_of_zero(dtype: str) -> None:
    tiny = np.array([0.0, -0.0, 2.0**-149, -(2.0**-149)], np.float32)
    sign = 1 << (load().dtypes[dtype].bits - 1)
    assert from_float32(tiny, dtype).tolist() == [0, sign, 0, sign]


def test_nan_is_canonical_unless_bits_move() -> None:
    odd = np.array([0x7F800001, 0xFFC12345, 0xFF800001], np.uint32)
    assert convert(odd, "fp32", "fp32").tolist() == odd.tolist()
    assert set(from_float32(odd.view(np.float32), "fp32").tolist()) == {0x7FC00000}
    assert set(convert(odd, "fp32", "bf16").tolist()) == {0x7FC0}
    assert set(convert(odd, "fp32", "e4m3").tolist()) == {0x7F}
    assert set(convert(odd, "fp32", "e2m1").tolist()) == {0}
    brain = np.array([0xFFC1, 0x7F81], np.uint16)
    assert convert(brain, "bf16", "fp32").tolist() == [0x7FC00000] * 2
    assert convert(brain, "bf16", "bf16").tolist() == brain.tolist()


@pytest.mark.parametrize("dtype", ["fp32", *FLOATS])
@pytest.mark.parametrize("source", INTEGERS)
def test_integers_to_floats_round_once(source: str, dtype: str) -> None:
    s, t = load().dtypes[source], load().dtypes[dtype]
    probes = {s.low, s.high, *range(max(s.low, -40), min(s.high, 40) + 1)}
    if t.bits <= 8:
        middles = [int(low + high) for low, high in pairwise(naturals(dtype).tolist())]
        probes |= {half // 2 for half in middles}
    for power in range(t.mantissa, s.bits):
        # Neighbours of the middle between two numbers with this exponent, and beyond fp64.
        unit = 1 << max(power - t.mantissa, 0)
        for base in ((1 << power), (1 << power) + unit, (1 << (power + 1)) - unit):
            middle = base + unit // 2
            probes |= {middle, middle - 1, base - 1, base, -middle, -middle - 1}
            # What is above the middle counts wherever it stands, below the bits of fp64 too.
            probes |= {middle + (1 << k) for k in range(12)}
    values = sorted(v for v in probes if s.low <= v <= s.high)
    codes = np.array([v & (1 << s.bits) - 1 for v in values], container(source))
    for saturate in (False, True):
        want = [formats.encode(dtype, Fraction(v), saturate) for v in values]
        if t.nan == "allones":
            want = [0x7F if code & 0x7F == 0x7F else code for code in want]
        assert convert(codes, source, dtype, saturate).tolist() == want


def test_two_roundings_would_differ() -> None:
    number = np.array([(1 << 31) + (1 << 23) + 1], np.uint64)
    through = convert(convert(number, "uint64", "fp32"), "fp32", "bf16")
    assert convert(number, "uint64", "bf16").tolist() == [0x4F01]
    assert through.tolist() == [0x4F00]
