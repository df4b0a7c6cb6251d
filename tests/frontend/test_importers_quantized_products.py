"""Products and convolutions of integers with zero points."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort

E4M3 = ml_dtypes.float8_e4m3fn


def integers(dtype: Any, *shape: int, seed: int = 0) -> Any:
    """Random integers of the whole range of a type."""
    info = np.iinfo(dtype)
    return rng(seed + sum(shape)).integers(info.min, info.max + 1, shape).astype(dtype)


# ---- integers with zero points ------------------------------------------------------------------
PAIRS = [(np.uint8, np.uint8), (np.uint8, np.int8), (np.int8, np.int8), (np.int8, np.uint8)]


def shifted(x: Any, zero: Any) -> Any:
    return x.astype(np.int32) - np.int32(0 if zero is None else zero.astype(np.int32))


@pytest.mark.parametrize(("left", "right"), PAIRS)
def test_matmul_integer_takes_zero_points_off(left: Any, right: Any) -> None:
    a, b = integers(left, 2, 3, 5), integers(right, 5, 4)
    for za, zb in [
        (None, None),
        (integers(left)[()], None),
        (None, integers(right, seed=3)),
        (integers(left, seed=1), integers(right, 4)),
        (integers(left, 2, 3, 1), integers(right, 1, 4)),
    ]:
        za, zb = (None if z is None else np.asarray(z) for z in (za, zb))
        found = Single("MatMulInteger", [a, b, za, zb], opset=10).run()[0]
        agree(found, shifted(a, za) @ shifted(b, zb))


def test_matmul_integer_takes_a_vector_of_rows() -> None:
    a, b, rows = integers(np.uint8, 3, 5), integers(np.int8, 5, 4), integers(np.uint8, 3)
    found = Single("MatMulInteger", [a, b, rows], opset=10).run()[0]
    agree(found, shifted(a, rows[:, None]) @ shifted(b, None))
    vector = Single("MatMulInteger", [a[0], b, rows[:1], integers(np.int8, 4)], opset=10).run()[0]
    agree(vector, shifted(a[0], rows[0]) @ shifted(b, integers(np.int8, 4)))


def test_known_zeros_cost_nothing() -> None:
    a, b, zero = integers(np.uint8, 2, 3), integers(np.uint8, 3, 2), np.uint8(0)
    case = Single("MatMulInteger", [a, b, zero, zero], opset=10, static=(2, 3))
    assert names(case.module()) == ["contract", "return"]


@pytest.mark.parametrize(("left", "right"), PAIRS[:3])
@pytest.mark.parametrize("columns", [False, True])
def test_qlinear_matmul(left: Any, right: Any, columns: bool) -> None:
    a, b = integers(left, 2, 3, 5), integers(right, 5, 4)
    scale = np.array([0.02, 0.01, 0.03, 0.05], np.float32) if columns else np.float32(0.02)
    zero = integers(right, 4) if columns else integers(right)
    rest = [np.float32(2.5), integers(left, seed=4)]
    case = Single(
        "QLinearMatMul",
        [a, np.float32(0.1), integers(left, seed=2), b, scale, zero, *rest],
        opset=10,
        static=(4, 5),
    )
    like_ort(case)


def test_qlinear_matmul_rounds_before_it_adds_zero() -> None:
    """Sums of 1, 3 and 5 halves: to even, then one more."""
    a, b = np.array([[1], [3], [5]], np.uint8), np.array([[1]], np.uint8)
    one, zero = np.float32(1), np.uint8(0)
    inputs = [a, np.float32(0.5), zero, b, one, zero, one, np.uint8(1)]
    agree(Single("QLinearMatMul", inputs, opset=10).run()[0], np.array([[1], [3], [3]], np.uint8))


def test_qlinear_matmul_of_small_floats() -> None:
    a, b = floats(2, 3).astype(E4M3), floats(3, 2).astype(E4M3)
    scales = [np.float32(x) for x in (0.5, 2.0, 0.25)]
    zero = np.zeros((), E4M3)
    inputs = [a, scales[0], zero, b, scales[1], zero, scales[2], zero]
    found = Single("QLinearMatMul", inputs, opset=21).run()[0]
    expected = (a.astype(np.float32) @ b.astype(np.float32)) * np.float32(4)
    agree(found, expected.astype(E4M3))


# ---- quantised convolutions ---------------------------------------------------------------------
CONVS = [
    {},
    {"pads": [1, 1, 1, 1]},
    {"pads": [0, 1, 2, 0], "strides": [2, 1]},
    {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    {"dilations": [2, 1]},
]


@pytest.mark.parametrize("attrs", CONVS)
@pytest.mark.parametrize("group", [1, 2])
def test_conv_integer_pads_with_the_zero_point(attrs: dict[str, Any], group: int) -> None:
    x, w = integers(np.uint8, 1, 2, 6, 6), integers(np.uint8, 4, 2 // group, 3, 2)
    attrs = {**attrs, "group": group}
    for zeros in ([np.uint8(7), np.uint8(130)], [np.uint8(7)], [None, np.uint8(3)], []):
        like_ort(Single("ConvInteger", [x, w, *zeros], attrs, 10))


@pytest.mark.parametrize("attrs", CONVS)
@pytest.mark.parametrize("channels", [False, True])
def test_qlinear_conv(attrs: dict[str, Any], channels: bool) -> None:
    x, w = integers(np.uint8, 1, 2, 6, 6), integers(np.int8, 3, 2, 3, 3)
    scale = np.array([0.02, 0.01, 0.03], np.float32) if channels else np.float32(0.02)
    zero = np.zeros(3, np.int8) if channels else np.int8(5)
    bias = np.array([100, -2000, 3000], np.int32)
    rest = [np.float32(1.5), np.uint8(12), bias]
    inputs = [x, np.float32(0.1), np.uint8(130), w, scale, zero, *rest]
    like_ort(Single("QLinearConv", inputs, attrs, 10, static=(1, 2, 4, 5, 6, 7)))


def test_weights_may_have_a_zero_point_for_each_channel() -> None:
    x, w, zeros = (
        integers(np.uint8, 1, 2, 4, 4),
        integers(np.uint8, 3, 2, 2, 2),
        integers(np.uint8, 3),
    )
    found = Single("ConvInteger", [x, w, np.uint8(9), zeros], opset=10).run()[0]
    plain = Single("Conv", [
        (shifted(x, np.uint8(9))).astype(np.float64),
        shifted(w, zeros[:, None, None, None]).astype(np.float64),
    ], opset=11).run()[0]  # fmt: skip
    agree(found, plain.astype(np.int32))
