"""Conversion, the same bits as another type, quantisation: against exact arithmetic and ONNX."""

from __future__ import annotations

import math
from bisect import bisect_left
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import FLOATS, INTS, every, one, raw, refused, same, types
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.weights import Array


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


def i32(values: Any) -> Array:
    return np.array(values, np.int32)


NARROW = ["fp16", "bf16", "e4m3", "e5m2", "e2m1"]
MOST = {"fp16": 65504.0, "bf16": 3.3895313892515355e38, "e4m3": 448.0, "e5m2": 57344.0, "e2m1": 6.0}


def table(name: str) -> tuple[list[Fraction], list[float]]:
    """The positive numbers of a type in order, exactly, and as floats."""
    with np.errstate(invalid="ignore"):
        numbers = every(name).astype(np.float64)
    floats = sorted(set(numbers[np.isfinite(numbers) & (numbers >= 0)].tolist()))
    return [Fraction(x) for x in floats], floats


TABLES = {name: table(name) for name in NARROW}


def nearest(value: Fraction, name: str) -> float:
    """The number of a type that is nearest, the even one of two; infinity beyond the last."""
    exact, floats = TABLES[name]
    size = abs(value)
    # The place after the last number is where the next one would be.
    step = exact[-1] - exact[-2]
    exact, floats = [*exact, exact[-1] + step], [*floats, math.inf]
    place = bisect_left(exact, size)
    if place == len(exact):
        return math.copysign(math.inf, value)
    if exact[place] != size:
        below, above = size - exact[place - 1], exact[place] - size
        # Numbers are in the order of their bits, so that even places have even last bits.
        if below < above or (below == above and place % 2 == 1):
            place -= 1
    return math.copysign(floats[place], value)


def reference(value: float | int, name: str, saturate: bool) -> float:
    """A number as an element of a type, by the table of the ONNX Cast operator."""
    if value != value:
        return 0.0 if name == "e2m1" else math.nan
    if value in (math.inf, -math.inf):
        found = float(value)
    else:
        found = nearest(Fraction(value), name) if value else math.copysign(0.0, value)
    if name == "e2m1" or (saturate and ELEMENTS[name].bits <= 8):
        return max(-MOST[name], min(MOST[name], found))
    return math.nan if name == "e4m3" and math.isinf(found) else found


def check_narrow(values: Array, name: str, saturate: bool) -> None:
    found = one("cvt", values, to=name, saturate=saturate)
    wide = values if values.dtype.kind in "iu" else values.astype(np.float64)
    expected = [reference(x, name, saturate) for x in wide.tolist()]
    same(found.astype(np.float64), np.array(expected, np.float64))


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("saturate", [True, False])
def test_halfway_numbers_round_to_even_once(name: str, saturate: bool) -> None:
    _, floats = TABLES[name]
    middles = (np.array(floats[:-1]) + np.array(floats[1:])) / 2
    middles = middles[:: max(1, len(middles) // 400)]
    top = MOST[name]
    edge = [top * (1 + k / 64) for k in range(12)]
    about = [middles, np.nextafter(middles, 0), np.nextafter(middles, np.inf), edge]
    values = np.concatenate([*about, [0.0, np.inf, np.nan, 5e-324, 1e-300, 1.7e308]])
    check_narrow(np.concatenate([values, -values]), name, saturate)


@pytest.mark.parametrize("name", NARROW)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.booleans())
def test_single_precision_rounds_to_the_nearest(
    name: str, values: list[float], saturate: bool
) -> None:
    check_narrow(np.array(values, np.float32), name, saturate)


@pytest.mark.parametrize("name", NARROW)
@pytest.mark.parametrize("wide", ["int64", "uint64", "int32", "uint32"])
def test_integers_round_once(name: str, wide: str) -> None:
    bits = ELEMENTS[wide].bits
    near = [(1 << p) + (1 << q) + r for p in range(8, bits - 1) for q in (p - 8, p - 11, p - 4)
            if q >= 0 for r in (-1, 0, 1)]  # fmt: skip
    values = np.array([4311744513 % (1 << bits - 1), *near]).astype(ELEMENTS[wide].numpy)
    check_narrow(values, name, True)


def test_an_integer_is_not_rounded_twice() -> None:
    # Through fp32 this would be 4294967296.
    assert one("cvt", np.array(4311744513), to="bf16").astype(np.int64) == 4328521728


@pytest.mark.parametrize("wide", ["int64", "uint64"])
def test_integers_become_single_precision(wide: str) -> None:
    values = every(wide)
    same(one("cvt", values, to="fp32"), np.array([np.float32(float(x)) if abs(x) < 1 << 53 else
        np.float32(nearest_single(x)) for x in values.tolist()], np.float32))  # fmt: skip


def nearest_single(value: int) -> float:
    """An integer rounded to 24 bits, to nearest even."""
    shift = max(abs(value).bit_length() - 24, 0)
    whole, rest = divmod(abs(value), 1 << shift)
    half = 1 << shift - 1
    whole += rest > half or (rest == half and whole % 2)
    return math.copysign(whole * 2.0**shift, value)


@pytest.mark.parametrize("source", ["e4m3", "e5m2", "e2m1", "e8m0", "fp16", "bf16", "int4", "bool"])
def test_what_a_wider_float_holds_is_exact(source: str) -> None:
    values = every(source)
    for to in ("fp32", "fp64"):
        found = one("cvt", values, to=to)
        expected = values.astype(np.float32)
        same(found.astype(np.float32), expected)
        same(one("cvt", one("cvt", found, to=source, saturate=False), to=to), found)


@pytest.mark.parametrize("to", INTS)
@pytest.mark.parametrize("rounding", ["rne", "trunc"])
@pytest.mark.parametrize("source", ["fp64", "fp32", "fp16", "bf16", "e5m2"])
def test_floats_become_integers(source: str, rounding: str, to: str) -> None:
    some = [0.5, 1.5, 2.5, 3.49, 7.5, 8.0, 15.6, 127.5, 255.5, 2.0**31, 2.0**63, 2.0**64, 1e30]
    values = np.array([0.0, *some, np.inf, np.nan, *[-x for x in some], -np.inf, 2.0**53 + 2])
    with np.errstate(over="ignore"):
        values = values.astype(ELEMENTS[source].numpy)
    bits, signed = ELEMENTS[to].bits, ELEMENTS[to].kind == "int"
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)

    def exact(x: float) -> int:
        if x != x:
            return 0
        if math.isinf(x):
            return high if x > 0 else low
        return max(low, min(high, round(Fraction(x)) if rounding == "rne" else int(x)))

    expected = [exact(x) for x in values.astype(np.float64).tolist()]
    found = one("cvt", values, to=to, round=rounding)
    assert [int(x) for x in found] == expected


@pytest.mark.parametrize("source", INTS)
@pytest.mark.parametrize("to", INTS)
def test_integers_wrap(source: str, to: str) -> None:
    values = every(source)[:2000]
    bits = ELEMENTS[to].bits
    found = one("cvt", values, to=to)
    for old, new in zip(values, found, strict=True):
        low = int(old) % (1 << bits)
        assert int(new) == (
            low - (1 << bits) if ELEMENTS[to].kind == "int" and low >> bits - 1 else low
        )


@pytest.mark.parametrize("source", [*FLOATS, *INTS, "bool"])
def test_truth_is_what_is_not_zero(source: str) -> None:
    values = every(source)
    assert one("cvt", values, to="bool").tolist() == [float(x) != 0 for x in values]


def test_powers_of_two() -> None:
    values = np.array([1, 1.49, 1.5, 3, 2.0**-127, 2.0**-130, 2.0**127, 1.6 * 2.0**127, np.inf, 0])
    logs = {
        "rne": [0, 0, 1, 2, -127, -127, 127, 127, 127, -127],
        "trunc": [0, 0, 0, 1, -127, -127, 127, 127, 127, -127],
        "up": [0, 1, 1, 2, -127, -127, 127, 127, 127, -127],
    }
    for rounding, expected in logs.items():
        found = one("cvt", values, to="e8m0", round=rounding).astype(np.float64)
        assert np.log2(found).tolist() == expected
    found = one("cvt", np.array([-1, np.nan, np.inf, 0, 6e-39]), to="e8m0", saturate=False)
    assert np.isnan(found.astype(np.float32)).tolist() == [True, True, True, True, False]


def test_a_lifted_run_does_not_round_but_saturates() -> None:
    values = np.array([1 / 3, 500.0, -1e9])
    assert one("cvt", values, to="fp16", lift=True).tolist() == values.tolist()
    assert one("cvt", values, to="e4m3", lift=True).tolist() == [1 / 3, 448, -448]
    assert one("cvt", values, to="int32", lift=True).tolist() == [0, 500, -1000000000]


@pytest.mark.parametrize("source", [*FLOATS, *INTS, "bool"])
def test_the_same_bits(source: str) -> None:
    values = every(source)
    element = ELEMENTS[source]
    for to, other in ELEMENTS.items():
        kind = tensor(source, values.shape)
        if other.bits != element.bits or (to == "bool" and source != "bool"):
            refused("E1403", "bitcast", kind, to=to)
            continue
        found = one("bitcast", values, to=to)
        assert raw(found) == raw(values)
        same(one("bitcast", found, to=source) if source != "bool" else values, values)
    lifted = one("bitcast", f32([1, -0.0, 1e9]), to="int32", lift=True)
    assert lifted.tolist() == f32([1, -0.0, 1e9]).view(np.int32).tolist()


def test_types_of_results_and_refusals() -> None:
    kind = tensor("fp32", (4, 8), ("n0", None))
    assert types("cvt", kind, to="int4") == ["int4[4~n0, 8]"]
    assert types("bitcast", kind, to="uint32") == ["uint32[4~n0, 8]"]
    refused("E1403", "cvt", kind, to="int8", round="up")
    refused("E1401", "cvt", kind, to="int7")
    refused("E1401", "cvt", kind, to="int8", round="floor")
