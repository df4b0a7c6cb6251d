"""Reductions and running sums: where the axes come from, empty axes, and hard values."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf
X = floats(2, 3, 4) + np.float32(3)

REDUCTIONS = [
    "ReduceSum", "ReduceProd", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceMean",
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
]  # fmt: skip


def case_of(op: str, x: Any, axes: Any, opset: int, keep: int = 1, **attrs: int) -> Single:
    """A reduction in the form that an opset has it."""
    given = {**attrs, **({"keepdims": 0} if not keep else {})}
    if axes is None:
        return Single(op, [x], given, opset)
    if opset < (13 if op == "ReduceSum" else 18):
        return Single(op, [x], {"axes": axes, **given}, opset)
    return Single(op, [x, np.array(axes, np.int64)], given, opset, static=(1,))


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize("keep", [0, 1])
def test_axes_as_attribute_and_as_input(op: str, keep: int) -> None:
    for axes in (None, (0,), (2, 0), (1,)):
        for opset in (7, 11, 13, 18, 20):
            like_ort(case_of(op, X, axes, opset, keep))
    like_ort(case_of(op, X, (-1, -3), 18, keep))
    for opset in (11, 18):
        like_ort(case_of(op, np.float32(2), None, opset, keep))


@pytest.mark.parametrize("op", REDUCTIONS)
def test_no_axes_are_all_axes_or_none(op: str) -> None:
    every = case_of(op, X, (0, 1, 2), 18).run()[0]
    agree(case_of(op, X, (), 18).run()[0], every)
    agree(case_of(op, X, None, 18).run()[0], every)
    wide = X.astype(np.float64)
    alone = {
        "ReduceSumSquare": wide**2, "ReduceLogSum": np.log(wide), "ReduceL1": np.abs(wide),
        "ReduceL2": np.abs(wide),
    }.get(op, wide)  # fmt: skip
    for axes in ((), None):
        found = case_of(op, X, axes, 18, noop_with_empty_axes=1).run()[0]
        agree(found, alone.astype(np.float32))


@pytest.mark.parametrize(
    ("op", "empty"),
    [
        ("ReduceSum", 0.0), ("ReduceProd", 1.0), ("ReduceSumSquare", 0.0), ("ReduceMax", -INF),
        ("ReduceMin", INF), ("ReduceMean", NAN), ("ReduceL1", 0.0), ("ReduceL2", 0.0),
        ("ReduceLogSum", -INF), ("ReduceLogSumExp", -INF),
    ],
)  # fmt: skip
def test_nothing_reduces_to_the_identity(op: str, empty: float) -> None:
    found = case_of(op, floats(2, 0, 3), (1,), 18).run()[0]
    agree(found, np.full((2, 1, 3), empty, np.float32))


def test_extremes_of_other_types() -> None:
    truths = np.array([[True, False], [False, False]])
    agree(case_of("ReduceMax", truths, (1,), 20, 0).run()[0], np.array([True, False]))
    agree(case_of("ReduceMin", truths, (1,), 20, 0).run()[0], np.array([False, False]))
    none = np.zeros((2, 0), np.uint8)
    agree(case_of("ReduceMax", none, (1,), 20, 0).run()[0], np.array([0, 0], np.uint8))
    agree(case_of("ReduceMin", none, (1,), 20, 0).run()[0], np.array([255, 255], np.uint8))
    agree(case_of("ReduceMin", none > 0, (1,), 20, 0).run()[0], np.array([True, True]))
    big = np.array([2**62 + 1, 2**62], np.int64)
    agree(case_of("ReduceMax", big, (0,), 18, 0).run()[0], np.int64(2**62 + 1))


@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin", "ReduceSum", "ReduceMean", "ReduceL2"])
def test_nan_is_handed_on(op: str) -> None:
    x = np.array([[1, NAN], [2, 3]], np.float32)
    assert np.isnan(case_of(op, x, (1,), 18, 0).run()[0]).tolist() == [True, False]


def test_log_sum_exp_does_not_overflow() -> None:
    x = np.array([[1000, 1000], [-1000, -1000], [INF, 1], [-INF, -INF], [-INF, 2]], np.float32)
    found = case_of("ReduceLogSumExp", x, (1,), 18, 0).run()[0]
    log2 = np.log(2)
    agree(found, np.array([1000 + log2, -1000 + log2, INF, -INF, 2], np.float32))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats_are_rounded_once(dtype: Any) -> None:
    x = np.full((1, 300), 300, dtype)
    agree(case_of("ReduceMean", x, (1,), 18, 0).run()[0], np.array([300], dtype))
    agree(case_of("ReduceL2", x, (1,), 18, 0).run()[0], np.array([300 * 300**0.5], dtype))
    agree(case_of("ReduceLogSum", x, (1,), 18, 0).run()[0], np.array([np.log(9e4)], dtype))


def test_integers() -> None:
    x = np.array([[-7, 2, 2], [5, 6, 6]], np.int32)
    agree(case_of("ReduceMean", x, (1,), 18, 0).run()[0], np.array([-1, 5], np.int32))
    agree(case_of("ReduceL1", x, (1,), 18, 0).run()[0], np.array([11, 17], np.int32))
    agree(case_of("ReduceL2", x, (1,), 13, 0).run()[0], np.array([7, 9], np.int32))
    agree(case_of("ReduceLogSum", np.abs(x), (1,), 13, 0).run()[0], np.array([2, 2], np.int32))
    full = np.array([2**31 - 1, 1], np.int32)
    agree(case_of("ReduceSum", full, (0,), 13, 0).run()[0], np.int32(-(2**31)))
    agree(case_of("ReduceMean", full, (0,), 13, 0).run()[0], np.int32(2**30))
    big = np.array([2**53, 1], np.int64)
    agree(case_of("ReduceSum", big, (0,), 13, 0).run()[0], np.int64(2**53 + 1))


def test_axes_that_do_not_fit() -> None:
    case_of("ReduceSum", X, (3,), 11).refused("E1304")
    case_of("ReduceSum", X, (1, -2), 13).refused("E1304")
    Single("ReduceSum", [X, np.array([1], np.int64)], opset=13).refused("E1306")


# ---- running sums and products ------------------------------------------------------------------
@pytest.mark.parametrize("op", ["CumSum", "CumProd"])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize(
    "attrs", [{}, {"exclusive": 1}, {"reverse": 1}, {"exclusive": 1, "reverse": 1}]
)
def test_running(op: str, axis: int, attrs: dict[str, int]) -> None:
    x = rng().integers(1, 4, (3, 4)).astype(np.int64)
    function = np.cumsum if op == "CumSum" else np.cumprod
    turned = np.flip(x, axis) if attrs.get("reverse") else x
    expected = function(turned, axis)
    if attrs.get("exclusive"):
        start = np.full_like(np.take(x, [0], axis), 0 if op == "CumSum" else 1)
        rest = np.take(expected, range(x.shape[axis] - 1), axis)
        expected = np.concatenate([start, rest], axis)
    expected = np.flip(expected, axis) if attrs.get("reverse") else expected
    for given in (np.int64(axis), np.array([axis], np.int32)):
        agree(Single(op, [x, given], attrs, 26, (1,)).run()[0], expected)


def test_constants_are_reduced_while_importing() -> None:
    case = Single("ReduceSum", [X, np.array([0], np.int64)], opset=13, static=(0, 1))
    assert names(case.module()) == ["return"]
