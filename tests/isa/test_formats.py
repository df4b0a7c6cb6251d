"""Number formats against ml_dtypes and numpy: every code of every format of up to 16 bits."""

from __future__ import annotations

import math
import random
import struct
from fractions import Fraction
from itertools import pairwise
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from maiacc_isa import formats
from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load

#: Formats of the rows, and who else implements them.
OTHERS: dict[str, Any] = {
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e3m2": ml_dtypes.float6_e3m2fn,
    "e2m3": ml_dtypes.float6_e2m3fn,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e8m0": ml_dtypes.float8_e8m0fnu,
    "bf16": ml_dtypes.bfloat16,
    "fp16": np.float16,
    "int4": ml_dtypes.int4,
    "uint4": ml_dtypes.uint4,
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
}

FLOATS = [name for name in OTHERS if load().dtypes[name].is_float]
INTEGERS = [name for name in OTHERS if load().dtypes[name].is_int]


def bits_of(name: str) -> int:
    return load().dtypes[name].bits


def others_values(name: str) -> list[float]:
    """What the other implementation says each code stands for, in order."""
    bits = bits_of(name)
    raw = np.arange(1 << bits, dtype=np.uint16 if bits > 8 else np.uint8)
    return [float(value) for value in raw.view(OTHERS[name])]


def others_bits(name: str, values: list[float]) -> list[int]:
    """The codes that the other implementation rounds values to."""
    array = np.array(values, np.float64).astype(OTHERS[name])
    raw = array.view(np.uint16 if bits_of(name) > 8 else np.uint8)
    return [int(code) & (1 << bits_of(name)) - 1 for code in raw]


def same(one: float, two: float) -> bool:
    """Equal, signs of zeros and NaN included."""
    if math.isnan(one) or math.isnan(two):
        return math.isnan(one) and math.isnan(two)
    return one == two and math.copysign(1, one) == math.copysign(1, two)


def test_every_small_format_is_compared() -> None:
    small = {t.name for t in load().dtypes.values() if t.bits <= 16}
    # A bool is a byte, and metadata are no numbers; both have tests of their own below.
    assert small - set(OTHERS) == {"bool", "sp24"}


@pytest.mark.parametrize("name", OTHERS)
def test_every_code_has_the_value_that_others_give_it(name: str) -> None:
    for code, value in enumerate(others_values(name)):
        assert same(float(formats.decode(name, code)), value), (name, code)


@pytest.mark.parametrize("name", FLOATS)
def test_every_value_comes_back_as_its_code(name: str) -> None:
    t = load().dtypes[name]
    for code in range(1 << t.bits):
        value = formats.decode(name, code)
        if math.isnan(value):
            assert formats.encode(name, value) == formats.nan_bits(t)
        else:
            assert formats.encode(name, value) == code


@pytest.mark.parametrize("name", FLOATS)
def test_rounding_is_to_nearest_even(name: str) -> None:
    """Between all neighbours: the middle, and the nearest fp64 numbers on both sides of it."""
    t = load().dtypes[name]
    values = [float(formats.decode(name, code)) for code in range(formats.largest_bits(t) + 1)]
    for code, (low, high) in enumerate(pairwise(values)):
        middle = (low + high) / 2
        assert formats.encode(name, math.nextafter(middle, low)) == code
        assert formats.encode(name, middle) == code + code % 2
        assert formats.encode(name, math.nextafter(middle, high)) == code + 1


@pytest.mark.parametrize("name", FLOATS)
def test_rounding_is_that_of_others(name: str) -> None:
    """The same with fp32 numbers, which is what ml_dtypes rounds from."""
    t = load().dtypes[name]
    codes = range(0, formats.largest_bits(t) + 1, 1 if t.bits <= 8 else 3)
    values = [np.float32(formats.decode(name, code)) for code in codes]
    probes: list[float] = []
    for low, high in pairwise(values):
        middle = np.float32((float(low) + float(high)) / 2)
        near = [np.nextafter(middle, low), middle, np.nextafter(middle, high)]
        probes += [sign * float(value) for value in near for sign in (1, -1)]
    for value, code in zip(probes, others_bits(name, probes), strict=True):
        assert formats.encode(name, value) == code, (name, value)


@pytest.mark.parametrize("name", FLOATS)
def test_beyond_the_largest_number(name: str) -> None:
    t = load().dtypes[name]
    largest = formats.largest_bits(t)
    top = Fraction(formats.decode(name, largest))
    step = top - Fraction(formats.decode(name, largest - 1))
    sign = 1 << (t.bits - 1)
    assert formats.encode(name, top + step / 2 - Fraction(1, 10**30)) == largest
    beyond: list[float | Fraction] = [top + step, top * 1000, math.inf]
    for value in beyond:
        assert formats.encode(name, value, saturate=True) == largest
        assert formats.encode(name, -value, saturate=True) == largest | sign
        found = formats.decode(name, formats.encode(name, value))
        if t.inf:
            assert found == math.inf
        elif t.nan == "none":
            assert found == formats.decode(name, largest)
        else:
            assert math.isnan(found)


@pytest.mark.parametrize("name", FLOATS)
def test_signs_of_zero_and_what_rounds_to_it(name: str) -> None:
    t = load().dtypes[name]
    sign = 1 << (t.bits - 1)
    tiny = Fraction(formats.decode(name, 1))
    assert formats.encode(name, 0.0) == 0
    assert formats.encode(name, -0.0) == sign
    assert formats.encode(name, tiny / 2) == 0
    assert formats.encode(name, -tiny / 2) == sign
    assert formats.encode(name, tiny / 2 + tiny / 1000) == 1


def test_fp32_against_the_machine() -> None:
    rng = random.Random(3)
    codes = [0, 1, 0x7FFFFF, 0x800000, 0x7F7FFFFF, 0x7F800000, 0x80000000, 0xFF800000]
    codes += [rng.getrandbits(32) for _ in range(20_000)]
    for code in codes:
        value = struct.unpack("<f", struct.pack("<I", code))[0]
        assert same(float(formats.decode("fp32", code)), value)
        if not math.isnan(value):
            assert formats.encode("fp32", value) == code
    for _ in range(20_000):
        wide = math.ldexp(rng.uniform(-2, 2), rng.randrange(-155, 128))
        with np.errstate(over="ignore"):
            assert formats.encode("fp32", wide) == int(np.float32(wide).view(np.uint32))


@pytest.mark.parametrize("name", INTEGERS)
def test_integers(name: str) -> None:
    t = load().dtypes[name]
    for value in range(t.low, t.high + 1):
        code = formats.encode(name, value)
        assert formats.decode(name, code) == value
    for value in (t.low - 1, t.high + 1, 1 << 80):
        with pytest.raises(MaiaccError) as caught:
            formats.encode(name, value)
        assert caught.value.code == "E0411"


def test_wide_integers() -> None:
    for name in ("int32", "uint32", "int64", "uint64"):
        t = load().dtypes[name]
        for value in (t.low, t.low + 1, 0, 1, t.high - 1, t.high):
            assert formats.decode(name, formats.encode(name, value)) == value


def test_scales_are_powers_of_two() -> None:
    for code in range(255):
        assert formats.decode("e8m0", code) == 2.0 ** (code - 127)
    assert math.isnan(formats.decode("e8m0", 255))
    assert formats.nan_bits(load().dtypes["e8m0"]) == 255


def test_bool_and_metadata_are_plain_codes() -> None:
    assert [formats.decode("bool", code) for code in range(256)] == list(range(256))
    assert [formats.decode("sp24", code) for code in range(16)] == list(range(16))
