"""The native language: floats and vectors."""

from __future__ import annotations

import numpy as np
import pytest

from native.lang_call import call

# ---- floats -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "numbers", [(1 + 2**-12, 1 - 2**-12, -1), (3e38, 1e-3, 1e30), (-2.5, 0.75, 1e-45), (0, -0.0, 5)]
)
def test_floats_round_once_for_each_operation(numbers: tuple[float, float, float]) -> None:
    x, out = np.array(numbers, np.float32), np.zeros(16, np.float32)
    found = call("floats", x, out)
    a, b, c = x
    exact = [np.float32(np.float64(a) * np.float64(b))]
    with np.errstate(all="ignore"):
        single = [a * b + c, (a + b) + c, a + (b + c), a / b, np.sqrt(abs(a)), np.rint(a)]
        single += [np.floor(a), np.ceil(a), np.trunc(a), -a, exact[0]]
        fused = np.float32(np.longdouble(a) * np.longdouble(b) + np.longdouble(c))
    places = [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert (
        out[places].view(np.uint32).tolist()
        == np.array(single, np.float32).view(np.uint32).tolist()
    )
    assert out[1] == fused
    assert found == (a < b) + 2 + 4 * (a != b)


def test_fused_and_separate_products_differ() -> None:
    numbers = [1 + 2**-12, 1 + 2**-12, -1 - 2**-11]
    x, out = np.array(numbers, np.float32), np.zeros(16, np.float32)
    call("floats", x, out)
    assert out[0] == 0
    assert out[1] == 2.0**-24


def test_a_nan_compares_with_nothing() -> None:
    x, out = np.array([np.nan, 1, 1], np.float32), np.zeros(16, np.float32)
    assert call("floats", x, out) == 4 + 8


@pytest.mark.parametrize("number", [0.0, 1.99, -1.99, 255.5, -300.25, 1e9, -0.0])
def test_conversions_and_bits(number: float) -> None:
    x, out = np.array([number, 0, 0], np.float32), np.zeros(8, np.int64)
    call("conversions", x, out)
    whole, raw = int(x[0]), int(x[:1].view(np.uint32)[0])
    double = int(x[:1].astype(np.float64).view(np.int64)[0])
    signed = raw - (1 << 32) if raw >> 31 else raw
    narrow = [whole & 0xFF, (whole + 128 & 0xFF) - 128, whole & 0xFFFF]
    assert out.tolist() == [whole, whole, raw, signed, double, *narrow]
    assert x[1] == whole
    assert x[2:].view(np.uint32)[0] == raw


# ---- vectors ------------------------------------------------------------------------------------


def test_vectors_of_floats() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 16)).astype(np.float32)
    x[3], x[7] = 0, -0.0
    out = np.zeros(152, np.float32)
    assert call("vectors", x, y, out) == 0
    order = (0, 16, 1, 17, 2, 18, 3, 19, 31, 30, 15, 14, 8, 9, 24, 25)
    fused = (x.astype(np.longdouble) * y + x).astype(np.float32)
    rows = [x * y + 1, x * y + x, np.minimum(x, y), np.full(16, 2.5), np.sqrt(abs(x))]
    rows += [np.concatenate([x, y])[list(order)], -x, fused]
    wanted = np.concatenate(rows).astype(np.float32)
    assert out[:128].view(np.uint32).tolist() == wanted.view(np.uint32).tolist()
    assert out[128] == x[5]
    x[9] = np.inf
    assert call("vectors", x, y, out) == 1
    # Quiet and signalling NaNs become one; what is no NaN stays to the bit.
    codes = [
        0xFF800001,
        0x7FC00001,
        0xFFFFFFFF,
        0x7F800000,
        0xFF800000,
        0,
        0x80000000,
        1,
        0x80000001,
    ]
    x.view(np.uint32)[: len(codes)] = codes
    call("vectors", x, y, out)
    wanted = [0x7FC00000] * 3 + x.view(np.uint32)[3:].tolist()
    assert out[136:].view(np.uint32).tolist() == wanted


def test_vectors_of_integers() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-(1 << 31), 1 << 31, 16).astype(np.int32)
    x[:4] = 5, 99, -1, 100
    out = np.zeros(160, np.int32)
    assert call("integer_vectors", x, out) == x[15]
    with np.errstate(over="ignore"):
        rows = [x + np.int32(0x7FFFFFFF), x * np.int32(65537), x >> 3, x << 5]
        rows += [(x.view(np.uint32) >> 3).view(np.int32), x & 0xFF | 0x100 ^ x, ~x]
        rows += [np.where((x >= 0) & (x < 100), x, 0), x[x & 15]]
    assert out[:144].tolist() == np.concatenate(rows).tolist()
    # What does not fit again is not compared: 2**31 as a float has no such integer.
    rounded = x.astype(np.float32).astype(np.float64)
    fits = rounded < 1 << 31
    assert out[144:][fits].tolist() == rounded[fits].astype(np.int64).tolist()


def test_vectors_of_bytes() -> None:
    x = np.zeros(48, np.uint8)
    x[:16] = [0, 1, 2, 3, 127, 128, 129, 200, 250, 251, 252, 253, 254, 255, 85, 86]
    out = np.zeros(16, np.int32)
    first = x[:16].copy()
    assert call("narrow_vectors", x, out) == 0
    assert out.tolist() == (first.astype(int) * 3).tolist()
    assert x[16:32].tolist() == (first.astype(int) * 3 & 0xFF).tolist()
    assert x[32:].tolist() == ((first + first & 0xFF) >> 1).tolist()
