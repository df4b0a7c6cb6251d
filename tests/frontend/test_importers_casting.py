"""Conversions: truncation, wrapping, saturation, and bits as they are."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto

from frontend.compared import floats, names
from frontend.single import Single, agree

X = floats(2, 3, 4)
INT_MAX = 2**63 - 1


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- conversions --------------------------------------------------------------------------------
def converted(x: Any, to: int, opset: int = 21, **attrs: Any) -> Any:
    return Single("Cast", [x], {"to": to, **attrs}, opset).run()[0]


def test_casts_to_integers_truncate_and_wrap() -> None:
    x = np.array([1.9, -1.9, 0.5, -0.5], np.float32)
    agree(converted(x, TensorProto.INT32), np.array([1, -1, 0, 0], np.int32))
    agree(converted(x, TensorProto.INT8), np.array([1, -1, 0, 0], np.int8))
    wide = np.array([300, -1, 2**40 + 7], np.int64)
    agree(converted(wide, TensorProto.UINT8), np.array([44, 255, 7], np.uint8))
    agree(converted(wide, TensorProto.INT32), np.array([300, -1, 7], np.int32))


def test_casts_to_and_from_truth() -> None:
    x = np.array([np.nan, 0.0, -0.0, 1e-45, 2.0], np.float32)
    agree(converted(x, TensorProto.BOOL), np.array([True, False, False, True, True]))
    agree(converted(np.array([True, False]), TensorProto.FLOAT), np.array([1, 0], np.float32))


def test_casts_of_large_integers_round_once() -> None:
    found = converted(np.array([4311744513], np.int64), TensorProto.BFLOAT16)
    agree(found, np.array([4328521728.0]).astype(ml_dtypes.bfloat16))


def test_casts_to_narrow_floats() -> None:
    x = np.array([1e6, -1e6, np.inf, np.nan, 1.0], np.float32)
    agree(converted(x, TensorProto.FLOAT16), np.array([np.inf, -np.inf, np.inf, np.nan, 1], "f2"))
    kind = ml_dtypes.float8_e4m3fn
    full = np.array([448, -448, 448, np.nan, 1]).astype(kind)
    agree(converted(x, TensorProto.FLOAT8E4M3FN), full)
    none = np.array([np.nan, np.nan, np.nan, np.nan, 1]).astype(kind)
    agree(converted(x, TensorProto.FLOAT8E4M3FN, saturate=0), none)


@pytest.mark.parametrize(
    ("mode", "expected"), [("up", [4, 4, 8]), ("down", [2, 4, 4]), ("nearest", [4, 4, 4])]
)
def test_casts_to_powers_of_two(mode: str, expected: list[float]) -> None:
    x = np.array([3.0, 4.0, 5.0], np.float32)
    found = converted(x, TensorProto.FLOAT8E8M0, 24, round_mode=mode)
    agree(found, np.array(expected, np.float32).astype(ml_dtypes.float8_e8m0fnu))


def test_cast_like_wants_a_type_only() -> None:
    case = Single("CastLike", [np.array([1.5], np.float32), np.zeros(0, np.int32)], opset=15)
    agree(case.run()[0], np.array([1], np.int32))
    assert names(case.module()) == ["cvt", "return"]


def test_casts_that_are_refused() -> None:
    Single("Cast", [X], {"to": TensorProto.STRING}).refused("E1305")
    Single("Cast", [X], {"to": TensorProto.COMPLEX64}).refused("E1305")
    Single("Cast", [X]).refused("E1304")
    Single("Cast", [X], {"to": TensorProto.FLOAT8E8M0, "round_mode": "odd"}, 24).refused("E1304")
    Single("BitCast", [X], {"to": TensorProto.INT16}, 26).refused("E1304")


def test_bits_as_another_type() -> None:
    marked = np.array([0x7FC00123, 0x80000000], np.uint32).view(np.float32)
    agree(Single("BitCast", [marked], {"to": TensorProto.UINT32}, 26).run()[0], marked.view("u4"))
    back = Single("BitCast", [marked.view(np.int32)], {"to": TensorProto.FLOAT}, 26).run()[0]
    np.testing.assert_array_equal(back.view(np.uint32), marked.view(np.uint32))
