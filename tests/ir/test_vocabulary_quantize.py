"""Quantisation and back: against onnxruntime and exact arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto

from ir.rows import every, many, one, refused, runtime, same, types
from ir.test_vocabulary_convert import MOST, f32, i32, reference
from maiacc_passes.ir.types import ELEMENTS, tensor

RUNTIME = {"int8": TensorProto.INT8, "uint8": TensorProto.UINT8, "int16": TensorProto.INT16,
           "uint16": TensorProto.UINT16}  # fmt: skip


@pytest.mark.parametrize("to", RUNTIME)
@pytest.mark.parametrize("layout", ["tensor", "axis", "block"])
def test_quantize_and_back_as_onnxruntime(to: str, layout: str) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-900, 900, (3, 6, 4)).astype(np.float32) / 8
    x[0, 0] = [np.inf, -np.inf, 1e30, -0.0]
    shape = {"tensor": (), "axis": (6,), "block": (3, 2, 4)}[layout]
    block = 3 if layout == "block" else 0
    scale = rng.choice(f32([0.25, 0.5, 0.1, 2]), shape).astype(np.float32)
    numpy = ELEMENTS[to].numpy
    zero = rng.integers(0, 100, shape).astype(numpy)
    found = one("quantize", x, scale, zero, axis=1, block=block, to=to)
    attrs = {"axis": 1, "block_size": block}
    # The runtime gives 0 for infinities where the quotient does not fit; ours saturate.
    finite = np.isfinite(x) & (np.abs(x) < 1e9)
    expected = runtime("QuantizeLinear", [x, scale, zero], [RUNTIME[to]], **attrs)[0]
    same(found[finite], expected[finite])
    bits, low = ELEMENTS[to].bits, 0 if to[0] == "u" else -(1 << ELEMENTS[to].bits - 1)
    assert found[0, 0, :3].tolist() == [low + (1 << bits) - 1, low, low + (1 << bits) - 1]
    back = one("dequantize", found, scale, zero, axis=1, block=block, to="fp32")
    kinds = [TensorProto.FLOAT]
    same(back, runtime("DequantizeLinear", [found, scale, zero], kinds, **attrs)[0])


def test_quantize_divides_and_rounds_before_the_zero_point_is_added() -> None:
    x, scale = f32([0.5, 1.5, 2.5, -0.5]), np.float32(1)
    found = one("quantize", x, scale, np.uint8(1), to="uint8")
    assert found.tolist() == [1, 3, 3, 1]
    # 5.5 / 1.1 is 5; 5.5 * (1 / 1.1) is less than 5 in single precision or more.
    values = np.arange(1, 200).astype(np.float32) * np.float32(1.1) / 2
    exact = [round(Fraction(float(np.float32(v / np.float32(1.1))))) for v in values]
    assert one("quantize", values, np.float32(1.1), to="int16").tolist() == exact


@pytest.mark.parametrize("to", ["e4m3", "e5m2", "e2m1", "int4", "uint4"])
def test_quantize_to_narrow_types(to: str) -> None:
    x = f32([[0.3, 7, 1000, np.nan], [-0.3, -2.25, -1e9, 5]])
    found = one("quantize", x, f32([0.5, 2]), axis=0, to=to)
    for row, scale in enumerate([0.5, 2]):
        for column, value in enumerate(x[row].tolist()):
            quotient = value / scale
            if to in MOST:
                expected = reference(float(np.float32(quotient)), to, True)
            else:
                low, high = (-8, 7) if to == "int4" else (0, 15)
                expected = 0 if quotient != quotient else max(low, min(high, round(quotient)))
            np.testing.assert_equal(float(found[row, column]), expected)
    if to in ("e4m3", "e5m2"):
        loose = one("quantize", x, np.float32(0.5), to=to, saturate=False).astype(np.float32)
        assert not np.isfinite(loose[1, 2])


def test_scales_of_micro_formats() -> None:
    x = every("e2m1").repeat(4)[:32]
    scale = np.array([1, 4], ml_dtypes.float8_e8m0fnu)
    found = one("dequantize", x, scale, axis=0, block=16, to="bf16")
    expected = x.astype(np.float32) * np.repeat(f32([1, 4]), 16)
    same(found, expected.astype(ml_dtypes.bfloat16))


def test_integers_are_quantised_in_the_type_of_the_scale() -> None:
    found = one("quantize", i32([7, -7, 2**31 - 1]), np.float32(2), to="int8")
    assert found.tolist() == [4, -4, 127]
    x = i32([2**31 - 1, -(2**31), 5])
    same(one("dequantize", x, np.float32(1), np.int32(-5), to="fp32"),
         np.array([2.0**31 + 4, -(2.0**31) + 5, 10], np.float32))  # fmt: skip


def test_quantize_takes_no_elements_and_rank_0() -> None:
    assert one("quantize", np.float32(3), np.float32(2), axis=7, to="int8") == 2
    assert one("quantize", np.zeros((0, 3), np.float32), np.ones(3, np.float32), axis=1,
               to="int8").shape == (0, 3)  # fmt: skip
    assert many("dequantize", np.int8(3), np.float32(2), np.int8(1), to="fp16")[0] == 4


def test_types_of_results() -> None:
    kind = tensor("fp32", (4, 8), ("n0", None))
    scale = tensor("fp32", (8,))
    assert types("quantize", kind, scale, axis=1, to="int8") == ["int8[4~n0, 8]"]


def test_refusals() -> None:
    x, scale = tensor("fp32", (4, 8)), tensor("fp32", (8,))
    zero = tensor("int8", (8,))
    cases: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("quantize", [x, scale], {"axis": 0, "to": "int8"}),
        ("quantize", [x, scale], {"axis": 2, "to": "int8"}),
        ("quantize", [x, scale], {"axis": 1, "to": "int64"}),
        ("quantize", [x, scale], {"axis": 1, "to": "fp16"}),
        ("quantize", [x, scale, zero], {"axis": 1, "to": "uint8"}),
        ("quantize", [x, scale, tensor("int8")], {"axis": 1, "to": "int8"}),
        ("quantize", [x, scale], {"axis": 1, "block": -1, "to": "int8"}),
        ("quantize", [x, tensor("fp32", (4, 3))], {"axis": 1, "block": 4, "to": "int8"}),
        ("quantize", [x, tensor("int8")], {"to": "int8"}),
        ("quantize", [tensor("bool"), tensor("fp32")], {"to": "int8"}),
        ("dequantize", [tensor("int64", (8,)), tensor("fp32")], {"to": "fp32"}),
        ("dequantize", [x, scale, zero], {"axis": 1, "to": "fp32"}),
        ("dequantize", [x, scale], {"axis": 1, "to": "int8"}),
        ("dequantize", [x, tensor("fp32", (8,), ("n0",))], {"axis": 1, "to": "fp32"}),
    ]
    for name, kinds, attrs in cases:
        refused("E1403", name, *kinds, **attrs)
    refused("E1402", "quantize", x, to="int8")
