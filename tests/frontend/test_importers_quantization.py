"""Quantising and back: versions, axes, blocks, types of a few bits, ties, ends of the range."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto

from frontend.compared import floats, rng
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf
E4M3, E5M2, E2M1 = (
    ml_dtypes.float8_e4m3fn,
    ml_dtypes.float8_e5m2,
    ml_dtypes.float4_e2m1fn,
)
INT4, UINT4, E8M0 = ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float8_e8m0fnu
INTEGERS = [np.int8, np.uint8, np.int16, np.uint16]


def zeros(dtype: Any, *shape: int) -> Any:
    """Zero points."""
    return rng(len(shape)).integers(0, 8, shape).astype(dtype)


# ---- one scale, and one for each index ------------------------------------------------------------
@pytest.mark.parametrize("opset", [10, 13, 19, 21])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_one_scale(opset: int, dtype: Any) -> None:
    if opset < 21 and np.dtype(dtype).itemsize > 1:
        return
    x = np.array([0, 0.25, 0.75, 1.25, -0.25, 1e30, -1e30, INF, -INF, 3.1], np.float32)
    like_ort(Single("QuantizeLinear", [x, np.float32(0.5), dtype(1)], {}, opset))
    back = rng(0).integers(0, 100, (3, 4)).astype(dtype)
    like_ort(Single("DequantizeLinear", [back, np.float32(0.3), dtype(5)], {}, opset))


def test_without_zero_point_it_is_uint8() -> None:
    x = np.array([-1, 0.5, 1.5, 300], np.float32)
    found = Single("QuantizeLinear", [x, np.float32(1)], {}, 13).run()[0]
    agree(found, np.array([0, 0, 2, 255], np.uint8))
    back = Single("DequantizeLinear", [np.array([-3, 7], np.int32), np.float32(0.5)], {}, 13)
    agree(back.run()[0], np.array([-1.5, 3.5], np.float32))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
@pytest.mark.parametrize("opset", [13, 19, 21])
def test_a_scale_for_each_index_of_an_axis(axis: int, opset: int) -> None:
    x, count = floats(2, 3, 4) * 50, (2, 3, 4)[axis]
    scale, zero = np.abs(floats(count)) + 0.1, zeros(np.int8, count)
    like_ort(Single("QuantizeLinear", [x, scale, zero], {"axis": axis}, opset))
    back = rng(0).integers(-100, 100, (2, 3, 4)).astype(np.int8)
    like_ort(Single("DequantizeLinear", [back, scale, zero], {"axis": axis}, opset))


def test_the_axis_is_1_unless_there_is_but_one() -> None:
    x, scale, zero = floats(2, 3) * 9, np.abs(floats(3)) + 0.1, zeros(np.uint8, 3)
    like_ort(Single("QuantizeLinear", [x, scale, zero], {}, 13))
    found = Single("QuantizeLinear", [x[0], scale, zero], {}, 13).run()[0]
    whole = Single("QuantizeLinear", [x[:1], scale, zero], {}, 13).run()[0]
    agree(found, whole[0])
    one = Single("QuantizeLinear", [x, scale[:1], zero[:1]], {}, 13)
    like_ort(one)


# ---- blocks -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("block", [2, 3, 4])
def test_blocks(axis: int, block: int) -> None:
    x = floats(4, 6, 5) * 20
    shape = list(x.shape)
    shape[axis] = -(-shape[axis] // block)
    scale, zero = np.abs(floats(*shape)) + 0.1, zeros(np.int8, *shape)
    attrs = {"axis": axis, "block_size": block}
    each = np.repeat(scale, block, axis).take(range(x.shape[axis]), axis)
    start = np.repeat(zero, block, axis).take(range(x.shape[axis]), axis).astype(np.float64)
    codes = np.clip(np.rint(x / each) + start, -128, 127).astype(np.int8)
    agree(Single("QuantizeLinear", [x, scale, zero], attrs, 21).run()[0], codes)
    back = (codes - start).astype(np.float32) * each
    agree(Single("DequantizeLinear", [codes, scale, zero], attrs, 21).run()[0], back)
    Single("QuantizeLinear", [x, scale, zero], {"axis": axis}, 21).refused("E1304")
    Single("QuantizeLinear", [x, scale, zero], {**attrs, "block_size": 1}, 21).refused("E1304")


# ---- types of a few bits ------------------------------------------------------------------------------
@pytest.mark.parametrize(("dtype", "low", "high"), [(INT4, -8, 7), (UINT4, 0, 15)])
def test_four_bits(dtype: Any, low: int, high: int) -> None:
    x = np.linspace(-40, 40, 17).astype(np.float32)
    found = Single("QuantizeLinear", [x, np.float32(2), np.array(1).astype(dtype)], {}, 21).run()[0]
    assert found.dtype == dtype
    codes = np.clip(np.rint(x / 2) + 1, low, high)
    np.testing.assert_array_equal(found.astype(np.float32), codes)
    back = Single("DequantizeLinear", [found, np.float32(2), np.array(1).astype(dtype)], {}, 21)
    agree(back.run()[0], ((codes - 1) * 2).astype(np.float32))


@pytest.mark.parametrize("dtype", [E4M3, E5M2])
@pytest.mark.parametrize("saturate", [0, 1])
def test_eight_bit_floats(dtype: Any, saturate: int) -> None:
    x = np.array([0, 1, -1.06, 448, 470, 1e6, -1e6, INF, -INF, NAN], np.float32)
    zero = np.zeros((), dtype)
    found = Single("QuantizeLinear", [x, np.float32(1), zero], {"saturate": saturate}, 19).run()[0]
    most = 448 if dtype == E4M3 else 57344
    expected = (np.clip(x, -most, most) if saturate else x).astype(dtype)
    agree(found, expected)
    back = Single("DequantizeLinear", [found, np.float32(0.5), zero], {}, 19).run()[0]
    agree(back, expected.astype(np.float32) * np.float32(0.5))


def test_the_attribute_says_the_type() -> None:
    x = np.array([0.6, -7, 100], np.float32)
    for number, dtype in [
        (TensorProto.INT16, np.int16),
        (TensorProto.FLOAT4E2M1, E2M1),
        (TensorProto.FLOAT8E5M2, E5M2),
        (TensorProto.INT4, INT4),
    ]:
        case = Single("QuantizeLinear", [x, np.float32(1)], {"output_dtype": number}, 23)
        assert case.run()[0].dtype == dtype
        zero = np.zeros((), np.uint8)
        Single("QuantizeLinear", [x, np.float32(1), zero], case.attrs, 23).refused("E1304")
    codes = np.array([3, -4], np.int8)
    half = {"output_dtype": TensorProto.FLOAT16}
    found = Single("DequantizeLinear", [codes, np.float32(0.1)], half, 23).run()[0]
    agree(found, (codes * np.float32(0.1)).astype(np.float16))


def test_types_that_there_are_not_are_refused() -> None:
    case = Single("QuantizeLinear", [floats(2), np.float32(1)], {}, 25)
    case.attrs["output_dtype"] = TensorProto.INT2
    case.refused("E1305")


# ---- in which precision -------------------------------------------------------------------------------
def test_the_quotient_has_the_precision_of_the_scale() -> None:
    """101.49 is a tie in fp16, and goes to the even 102."""
    x = np.array([101.49], np.float32)
    exact = Single("QuantizeLinear", [x, np.float32(1)], {}, 23).run()[0]
    half = Single("QuantizeLinear", [x, np.float16(1)], {}, 23).run()[0]
    asked = {"precision": TensorProto.FLOAT16}
    agree(exact, np.array([101], np.uint8))
    agree(half, np.array([102], np.uint8))
    agree(Single("QuantizeLinear", [x, np.float32(1)], asked, 23).run()[0], half)
    asked = {"precision": TensorProto.FLOAT}
    agree(Single("QuantizeLinear", [x, np.float16(1)], asked, 23).run()[0], exact)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_scales_of_axes_and_blocks(dtype: Any) -> None:
    x = (floats(4, 6) * 20).astype(dtype)
    scale = (np.abs(floats(4, 2)) + 0.1).astype(dtype)
    quotient = (x / np.repeat(scale, 3, 1)).astype(np.float32)
    attrs = {"axis": 1, "block_size": 3}
    found = Single("QuantizeLinear", [x, scale, np.zeros((4, 2), np.int8)], attrs, 21).run()[0]
    agree(found, np.clip(np.rint(quotient), -128, 127).astype(np.int8))
    zero = np.zeros(4, np.int8)
    found = Single("QuantizeLinear", [x, scale[:, 0], zero], {"axis": 0}, 21).run()[0]
    quotient = (x / scale[:, :1]).astype(np.float32)
    agree(found, np.clip(np.rint(quotient), -128, 127).astype(np.int8))


def test_scales_may_be_powers_of_two() -> None:
    scale = np.array([2, 0.5], np.float32).astype(E8M0)
    x = floats(2, 4) * 3
    attrs = {"axis": 0, "output_dtype": TensorProto.FLOAT4E2M1}
    found = Single("QuantizeLinear", [x, scale], attrs, 25).run()[0]
    each = scale.astype(np.float32)[:, None]
    agree(found, np.clip(x / each, -6, 6).astype(E2M1))
    attrs = {"axis": 0, "output_dtype": TensorProto.FLOAT}
    back = Single("DequantizeLinear", [found, scale], attrs, 25).run()[0]
    agree(back, found.astype(np.float32) * each)


def test_integers_are_quantised_as_numbers() -> None:
    x = np.array([-100, 7, 1000], np.int32)
    found = Single("QuantizeLinear", [x, np.float32(2), np.uint8(10)], {}, 13).run()[0]
    agree(found, np.array([0, 14, 255], np.uint8))


# ---- DynamicQuantizeLinear ----------------------------------------------------------------------------
@pytest.mark.parametrize("x", [
    floats(3, 4), np.abs(floats(5)) + 1, -np.abs(floats(5)) - 1, np.zeros(3, np.float32),
    np.array([0.5, 100], np.float32),
])  # fmt: skip
def test_dynamic_quantization_includes_zero(x: Any) -> None:
    codes, scale, zero = Single("DynamicQuantizeLinear", [x], {}, 11, outputs=3).run()
    assert (codes.dtype, scale.dtype, zero.dtype) == (np.uint8, np.float32, np.uint8)
    back = (codes.astype(np.float32) - zero) * scale
    assert np.abs(back - x).max() <= scale * 0.51
    if x.any():
        like_ort(Single("DynamicQuantizeLinear", [x], {}, 11, outputs=3))
