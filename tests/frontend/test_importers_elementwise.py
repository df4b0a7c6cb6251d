"""Arithmetic, comparisons and choices: old forms, mixed types, and hard values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, rng
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf


def f32(*values: Any) -> Any:
    return np.array(values, np.float32)


# ---- attributes axis and broadcast, before version 7 ------------------------------------------
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power,
    "Equal": np.equal, "Less": np.less, "Greater": np.greater,
    "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor,
}  # fmt: skip

OLD = [
    ((2, 3, 4), (), {}, ()),
    ((2, 3, 4), (4,), {}, (4,)),
    ((2, 3, 4), (3, 4), {}, (3, 4)),
    ((2, 3, 4), (1, 1), {}, (1, 1)),
    ((2, 3, 4), (3,), {"axis": 1}, (3, 1)),
    ((2, 3, 4), (2, 3), {"axis": 0}, (2, 3, 1)),
    ((2, 3, 4), (2,), {"axis": -3}, (2, 1, 1)),
]


def operands(op: str, *shapes: tuple[int, ...]) -> list[Any]:
    arrays = [rng(len(shape)).integers(1, 5, shape) for shape in shapes]
    if op in ("And", "Or", "Xor"):
        return [array > 2 for array in arrays]
    dtype = np.int32 if op == "Equal" else np.float32
    return [array.astype(dtype) for array in arrays]


@pytest.mark.parametrize("op", FUNCTIONS)
def test_old_forms_align_the_second_operand(op: str) -> None:
    for shape, other, attrs, aligned in OLD:
        a, b = operands(op, shape, other)
        case = Single(op, [a, b], {"broadcast": 1, **attrs}, 6)
        agree(case.run()[0], FUNCTIONS[op](a, b.reshape(aligned)))
    same = operands(op, (2, 3), (2, 3))
    agree(Single(op, same, opset=6).run()[0], FUNCTIONS[op](*same))


@pytest.mark.parametrize("op", FUNCTIONS)
def test_old_forms_refuse_what_does_not_align(op: str) -> None:
    for shape, other, attrs in [
        ((2, 3), (3,), {}),
        ((2, 3), (2,), {"broadcast": 1}),
        ((2, 3), (3,), {"broadcast": 1, "axis": 0}),
        ((2, 3), (3, 2), {"broadcast": 1, "axis": 1}),
        ((3,), (2, 3), {"broadcast": 1}),
        ((2, 3), (3,), {"broadcast": 1, "axis": 5}),
    ]:
        Single(op, operands(op, shape, other), attrs, 6).refused("E1304")


@pytest.mark.parametrize("op", FUNCTIONS)
def test_numpy_broadcasts_from_7_on(op: str) -> None:
    a, b = operands(op, (2, 1, 4), (3, 1))
    case = Single(op, [a, b], opset=7)
    agree(case.run()[0], FUNCTIONS[op](a, b))
    like_ort(case)


# ---- integers ---------------------------------------------------------------------------------
def test_integers_wrap() -> None:
    byte = np.array([250, 3], np.uint8), np.array([10, 5], np.uint8)
    agree(Single("Add", byte).run()[0], np.array([4, 8], np.uint8))
    agree(Single("Sub", byte).run()[0], np.array([240, 254], np.uint8))
    big = np.array([2**62, -(2**63)], np.int64)
    agree(Single("Mul", [big, big]).run()[0], np.array([0, 0], np.int64))
    agree(Single("Abs", [big]).run()[0], np.array([2**62, -(2**63)], np.int64))
    agree(Single("Neg", [big]).run()[0], np.array([-(2**62), -(2**63)], np.int64))


def test_integers_divide_toward_zero() -> None:
    a, b = np.array([7, -7, 7, -7], np.int32), np.array([2, 2, -2, -2], np.int32)
    agree(Single("Div", [a, b]).run()[0], np.array([3, -3, -3, 3], np.int32))
    like_ort(Single("Div", [a, b]))


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.float32])
@pytest.mark.parametrize("fmod", [0, 1])
def test_mod_has_the_sign_of_one_operand(dtype: Any, fmod: int) -> None:
    a, b = np.array([7, -7, 7, -7, 0], dtype), np.array([3, 3, -3, -3, 5], dtype)
    agree(Single("Mod", [a, b], {"fmod": fmod}, 28).run()[0], (np.fmod if fmod else np.mod)(a, b))
    before = Single("Mod", [a, b], {"fmod": fmod}, 13)
    if fmod or dtype != np.float32:
        like_ort(before)
    else:
        before.refused("E1304")


def test_comparisons_of_integers_are_exact() -> None:
    a, b = np.array([2**53 + 1, -1], np.int64), np.array([2**53, 2**62], np.int64)
    agree(Single("Greater", [a, b]).run()[0], [True, False])
    agree(Single("Equal", [a, b]).run()[0], [False, False])


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        ("Equal", [False, False, True, True]),
        ("Less", [False, False, False, False]),
        ("Greater", [False, False, False, False]),
        ("LessOrEqual", [False, False, True, True]),
        ("GreaterOrEqual", [False, False, True, True]),
    ],
)
def test_nan_compares_with_nothing(op: str, expected: list[bool]) -> None:
    a, b = f32(NAN, NAN, 0.0, INF), f32(NAN, 1.0, -0.0, INF)
    agree(Single(op, [a, b]).run()[0], expected)


# ---- sums of many -------------------------------------------------------------------------------
@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_many_operands(op: str, count: int) -> None:
    inputs = [floats(2, 3, seed=1), floats(3, seed=2), floats(2, 1, seed=3)][:count]
    for opset in (8, 13):
        like_ort(Single(op, inputs, opset=opset))
    like_ort(Single(op, [floats(4), floats(4, seed=5)][:count], opset=6 if count < 3 else 8))


def test_mean_of_narrow_floats_is_rounded_once() -> None:
    big = np.array([60000.0], np.float16)
    agree(Single("Mean", [big, big, big]).run()[0], big)


def test_max_and_min_hand_on_nan() -> None:
    a, b = f32(NAN, 1.0, -1.0), f32(0.0, NAN, 2.0)
    agree(Single("Max", [a, b]).run()[0], f32(NAN, NAN, 2.0))
    agree(Single("Min", [a, b]).run()[0], f32(NAN, NAN, -1.0))
    big = np.array([2**62 + 1], np.int64)
    agree(Single("Max", [big, big - 1]).run()[0], big)


# ---- Pow ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("base", [np.float32, np.int32, np.int64, np.float64])
@pytest.mark.parametrize("exponent", [np.float32, np.int32, np.int64, np.float64])
def test_pow_of_mixed_types(base: Any, exponent: Any) -> None:
    a, b = np.array([1, 2, 3, 5], base), np.array([0, 10, 3, 2], exponent)
    for static in ((), (1,)):
        like_ort(Single("Pow", [a, b], opset=15, static=static))


def test_pow_keeps_integers_exact() -> None:
    base, two = np.array([3037000499, -7], np.int64), np.array(2.0, np.float32)
    agree(Single("Pow", [base, two], opset=13, static=(1,)).run()[0], base * base)
    narrow = np.array([-1, 2], np.int32), np.array([257, 2**32], np.int64)
    agree(Single("Pow", narrow, opset=13).run()[0], np.array([-1, 0], np.int32))


def test_pow_truncates_to_the_base() -> None:
    case = Single("Pow", [np.array([2, 10], np.int32), np.array([0.5], np.float32)], opset=13)
    agree(case.run()[0], np.array([1, 3], np.int32))


def test_pow_of_hard_values() -> None:
    a, b = f32(NAN, 0.0, -2.0, -8.0, INF, 0.0), f32(0.0, 0.0, 3.0, 0.5, -1.0, -1.0)
    agree(Single("Pow", [a, b]).run()[0], f32(1.0, 1.0, -8.0, NAN, 0.0, INF))


def test_pow_of_narrow_floats_uses_the_wider_exponent() -> None:
    base, exponent = np.array([2.0], np.float16), np.array([0.1], np.float32)
    expected = (np.float32(2) ** exponent).astype(np.float16)
    agree(Single("Pow", [base, exponent], opset=13).run()[0], expected)


# ---- Clip ---------------------------------------------------------------------------------------
def test_clip_by_attributes() -> None:
    x = f32(-5.0, 0.5, 9.0, NAN)
    agree(Single("Clip", [x], {"min": 0.0, "max": 6.0}, 6).run()[0], f32(0.0, 0.5, 6.0, NAN))
    agree(Single("Clip", [f32(INF)], {}, 6).run()[0], f32(np.finfo(np.float32).max))
    half = np.array([np.inf, 2.0], np.float16)
    agree(Single("Clip", [half], {"min": -1e6}, 6).run()[0], half)


def test_clip_by_inputs() -> None:
    x, low, high = f32(-5.0, 0.5, 9.0), np.float32(0.0), np.float32(6.0)
    agree(Single("Clip", [x, low, high]).run()[0], f32(0.0, 0.5, 6.0))
    agree(Single("Clip", [x, None, high]).run()[0], f32(-5.0, 0.5, 6.0))
    agree(Single("Clip", [x, low]).run()[0], f32(0.0, 0.5, 9.0))
    agree(Single("Clip", [x]).run()[0], x)
    agree(Single("Clip", [x, high, low]).run()[0], f32(0.0, 0.0, 0.0))
    agree(Single("Clip", [x, f32(0.0), f32(6.0)]).run()[0], f32(0.0, 0.5, 6.0))
    Single("Clip", [x, f32(0.0, 1.0)]).refused("E1304")
    big = np.array([2**60 + 1, 5], np.int64)
    agree(Single("Clip", [big, None, np.int64(2**60)]).run()[0], np.array([2**60, 5], np.int64))


# ---- bits, choices, tests -----------------------------------------------------------------------
def test_where_moves_bits() -> None:
    marked = np.array([0x7FC00123, 0x80000000], np.uint32).view(np.float32)
    case = Single("Where", [np.array([[True], [False]]), marked, f32(1.0)])
    found = case.run()[0]
    np.testing.assert_array_equal(found[0].view(np.uint32), marked.view(np.uint32))
    assert found.shape == (2, 2)


def test_infinities_are_told_apart() -> None:
    x = f32(INF, -INF, NAN, 3.0)
    for positive, negative in [(1, 1), (1, 0), (0, 1), (0, 0)]:
        attrs = {"detect_positive": positive, "detect_negative": negative}
        expected = [bool(positive), bool(negative), False, False]
        agree(Single("IsInf", [x], attrs, 20).run()[0], expected)
    narrow = np.array([448.0, NAN], ml_dtypes.float8_e4m3fn)
    agree(Single("IsInf", [narrow], opset=20).run()[0], [False, False])
    agree(Single("IsNaN", [narrow], opset=20).run()[0], [False, True])


def test_shifts_beyond_the_width() -> None:
    x, by = np.array([200, 200, 200], np.uint8), np.array([1, 8, 9], np.uint8)
    agree(Single("BitShift", [x, by], {"direction": "LEFT"}).run()[0], np.array([144, 0, 0], "u1"))
    agree(Single("BitShift", [x, by], {"direction": "RIGHT"}).run()[0], np.array([100, 0, 0], "u1"))
    Single("BitShift", [x, by], {"direction": "UP"}).refused("E1304")


def test_erf_of_integers() -> None:
    agree(
        Single("Erf", [np.array([0, 1, 9], np.int32)], opset=9).run()[0], np.array([0, 0, 1], "i4")
    )


@pytest.mark.parametrize(
    ("op", "x", "expected"),
    [
        ("Sign", f32(-0.0, NAN, -3.0, INF), f32(0.0, NAN, -1.0, 1.0)),
        ("Round", f32(0.5, 1.5, -0.5, 2.5, -0.0), f32(0.0, 2.0, -0.0, 2.0, -0.0)),
        ("Ceil", f32(-0.5, -0.0, INF), f32(-0.0, -0.0, INF)),
        ("Floor", f32(-0.0, 0.5, -INF), f32(-0.0, 0.0, -INF)),
        ("Relu", f32(NAN, -1.0, INF), f32(NAN, 0.0, INF)),
        ("Sqrt", f32(-0.0, -1.0), f32(-0.0, NAN)),
        ("Reciprocal", f32(-0.0, INF), f32(-INF, 0.0)),
        ("Neg", f32(0.0, -0.0), f32(-0.0, 0.0)),
        ("Log", f32(0.0, -1.0, 1e-42), f32(-INF, NAN, np.log(np.float64(np.float32(1e-42))))),
        ("Exp", f32(89.0, -104.0), f32(INF, 0.0)),
        ("Sigmoid", f32(-200.0, 200.0, -INF), f32(0.0, 1.0, 0.0)),
        ("Tanh", f32(-0.0, 1e-30, 40.0), f32(-0.0, 1e-30, 1.0)),
        ("Sin", f32(-0.0, INF), f32(-0.0, NAN)),
        ("Erf", f32(-0.0, 5.0), f32(-0.0, 1.0)),
    ],
)  # fmt: skip
def test_hard_values(op: str, x: Any, expected: Any) -> None:
    agree(Single(op, [x]).run()[0], expected)
