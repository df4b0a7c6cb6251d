"""Conversions to integers and truth values, against Python integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_sim.arith.convert import ROUNDINGS, container, convert, from_float32
from maiacc_sim.traps import Trap
from sim.arith_oracle import Codes, draw, edges, value

pytestmark = pytest.mark.filterwarnings("error")

INTEGERS = [t.name for t in load().dtypes.values() if t.is_int]
FLOATS = [t.name for t in load().dtypes.values() if t.is_float]

WAYS: dict[str, Callable[[Fraction], int]] = {
    "rne": round,
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
}


def codes_of(values: list[int], dtype: str) -> Codes:
    mask = (1 << load().dtypes[dtype].bits) - 1
    return np.array([v & mask for v in values], container(dtype))


def bounds(dtype: str) -> list[int]:
    """Integers around the ends of every type, as far as this one has them."""
    t = load().dtypes[dtype]
    ends = [e for other in INTEGERS for e in (load().dtypes[other].low, load().dtypes[other].high)]
    near = {end + i for end in ends for i in (-2, -1, 0, 1, 2)} | set(range(-20, 20))
    return sorted(v for v in near if t.low <= v <= t.high)


def test_every_rounding_is_tested() -> None:
    assert set(WAYS) == set(ROUNDINGS) == {label.name for label in load().enums["round"].labels}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_to_integers_saturating(dtype: str, way: str) -> None:
    t = load().dtypes[dtype]
    values = [0.0, -0.0]
    values += [n + part for n in range(-20, 20) for part in (0.0, 0.25, 0.5, 0.75)]
    values += [
        float(np.float32(end + part)) for end in (t.low, t.high) for part in (-1, -0.5, 0, 0.5, 1)
    ]
    singles = np.concatenate([np.array(values, np.float32), edges().view(np.float32)])
    singles = singles[np.abs(singles) < np.float32(3e38)]
    infinity = np.float32(np.inf)
    sides = [np.nextafter(singles, end) for end in (infinity, -infinity)]
    around = np.concatenate([singles, *sides, [infinity, -infinity, np.float32(np.nan)]])
    want = []
    for x in around.tolist():
        if math.isnan(x):
            want.append(0)
        elif math.isinf(x):
            want.append(t.high if x > 0 else t.low)
        else:
            want.append(min(max(WAYS[way](Fraction(x)), t.low), t.high))
    found = from_float32(around, dtype, True, way)
    assert found.dtype == container(dtype)
    assert found.tolist() == codes_of(want, dtype).tolist()


@pytest.mark.parametrize("dtype", INTEGERS)
def test_floats_outside_the_range_trap(dtype: str) -> None:
    t = load().dtypes[dtype]
    for way in WAYS:
        for x in (math.nan, math.inf, -math.inf, float(t.high + 1), float(t.low) * 2 - 1.0):
            with pytest.raises(Trap) as caught:
                from_float32(np.array([1.0, x], np.float32), dtype, False, way)
            assert caught.value.name == "conversion"
            assert caught.value.expected == f"{t.low} to {t.high}"
    inside = np.array([t.low, np.nextafter(np.float32(t.high + 1), np.float32(0))], np.float32)
    found = from_float32(inside, dtype, False, "trunc").tolist()
    assert found == codes_of([t.low, math.trunc(inside[1].item())], dtype).tolist()


def test_rounding_decides_whether_a_number_fits() -> None:
    low = np.array([-128.5], np.float32)
    assert from_float32(low, "int8", False, "rne").tolist() == [128]
    assert from_float32(low, "int8", False, "ceil").tolist() == [128]
    with pytest.raises(Trap):
        from_float32(low, "int8", False, "floor")
    assert from_float32(np.array([-0.9], np.float32), "uint8", False, "trunc").tolist() == [0]
    with pytest.raises(Trap):
        from_float32(np.array([-0.9], np.float32), "uint8")


def test_the_examples_of_the_manual() -> None:
    ties = np.array([2.5, 3.5, -2.5], np.float32)
    assert from_float32(ties[:2], "int8").tolist() == [2, 4]
    assert from_float32(ties[:2], "int8", False, "trunc").tolist() == [2, 3]
    assert from_float32(ties[2:], "int8", False, "floor").tolist() == [0x100 - 3]
    assert from_float32(np.array([1.1], np.float32), "bf16").tolist() == [0x3F8D]
    large = np.array([1.1, 460, 464, 464.25], np.float32)
    # 448 has an even mantissa, and wins the tie at 464.
    assert from_float32(large, "e4m3").tolist() == [0x39, 0x7E, 0x7E, 0x7F]
    assert from_float32(large, "e4m3", True).tolist() == [0x39, 0x7E, 0x7E, 0x7E]
    assert from_float32(np.array([0.3], np.float32), "e2m1").tolist() == [1]


@pytest.mark.parametrize("src", [name for name in FLOATS if name != "fp32"])
def test_narrow_floats_to_integers(src: str) -> None:
    """The values are exact in fp32, so that the path through fp32 is the same."""
    codes = draw(np.random.default_rng(1), src, (500,))
    wide = convert(codes, src, "fp32")
    for dst in ("int4", "uint8", "int64"):
        found = convert(codes, src, dst, True, "floor")
        assert np.array_equal(found, convert(wide, "fp32", dst, True, "floor"))


@pytest.mark.parametrize("dst", INTEGERS)
@pytest.mark.parametrize("src", INTEGERS)
def test_integers_to_integers(src: str, dst: str) -> None:
    t = load().dtypes[dst]
    values = bounds(src)
    codes = codes_of(values, src)
    assert np.array_equal(convert(codes, src, dst), codes_of(values, dst))
    values = [min(max(v, t.low), t.high) for v in values]
    want = codes if src == dst else codes_of(values, dst)
    assert np.array_equal(convert(codes, src, dst, saturate=True), want)


@pytest.mark.parametrize("dst", [*INTEGERS, *FLOATS])
def test_truth_values_to_numbers(dst: str) -> None:
    found = convert(np.array([0, 1, 2, 255], np.uint8), "bool", dst)
    assert [value(code, dst) for code in found.tolist()] == [0, 1, 1, 1]


@pytest.mark.parametrize("src", [*INTEGERS, *FLOATS])
def test_numbers_to_truth_values(src: str) -> None:
    t = load().dtypes[src]
    codes = draw(np.random.default_rng(2), src, (300,))
    ends = np.array([0, 1, 1 << (t.bits - 1)], container(src))
    codes = np.concatenate([codes, ends])
    want = [int(value(code, src) != 0) for code in codes.tolist()]
    assert convert(codes, src, "bool").tolist() == want
    assert want[-3] == 0
    if t.is_float:
        assert want[-1] == 0  # -0


def test_the_truth_value_of_nan_is_true() -> None:
    assert from_float32(np.array([np.nan], np.float32), "bool").tolist() == [1]
    assert convert(np.array([0, 7], np.uint8), "bool", "bool").tolist() == [0, 7]
