"""Sorting, places of extremes, results of unknown length, and what is made of those."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, model_of, names, node, rng, run
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- ArgMax, TopK, Hardmax ----------------------------------------------------------------------
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_places_of_extremes(op: str) -> None:
    x = rng().integers(0, 3, (3, 4, 5)).astype(np.float32)
    for axis in (0, 1, -1):
        for keep in (0, 1):
            for last in (0, 1):
                attrs = {"axis": axis, "keepdims": keep, "select_last_index": last}
                like_ort(Single(op, [x], attrs, 13))
    least = np.array([-(2**31), 5, -(2**31)], np.int32)
    expected = 1 if op == "ArgMax" else 0
    agree(Single(op, [least]).run()[0], ints(expected))
    assert Single(op, [np.array([1, NAN, 3, NAN], np.float32)], opset=13).run()[0] == 1
    Single(op, [floats(0, 3)]).refused("E1304")


@pytest.mark.parametrize("opset", [6, 10, 11])
def test_top(opset: int) -> None:
    x = rng().integers(0, 5, (3, 8)).astype(np.float32)
    order = np.argsort(-x, 1, kind="stable")[:, :3]
    attrs = {"k": 3} if opset == 6 else {}
    inputs = [x] if opset == 6 else [x, ints(3)]
    case = Single("TopK", inputs, attrs, opset, (1,) if opset > 6 else (), outputs=2)
    values, places = case.run()
    agree(values, np.take_along_axis(x, order, 1))
    agree(places, order)


def test_smallest() -> None:
    x = np.array([2, NAN, -0.0, 0.0, -INF, 2], np.float32)
    case = Single("TopK", [x, ints(4)], {"largest": 0, "axis": 0}, 11, (1,), outputs=2)
    values, places = case.run()
    agree(places, ints(4, 2, 3, 0))
    agree(values, np.array([-INF, -0.0, 0.0, 2], np.float32))
    assert np.isnan(Single("TopK", [x, ints(1)], {}, 11, (1,), 2).run()[0]).all()
    big = np.array([2**62, 2**62 + 1], np.int64)
    agree(Single("TopK", [big, ints(1)], {}, 11, (1,), 2).run()[0], big[1:])
    agree(Single("TopK", [x, ints(0)], {}, 11, (1,), 2).run()[0], np.zeros(0, np.float32))
    for k in (7, -1):
        Single("TopK", [x, ints(k)], {}, 11, (1,), 2).refused("E1304")
    Single("TopK", [x, ints(1)], {}, 11, (), 2).refused("E1306")


def test_hardmax() -> None:
    x = np.array([[[1, 3], [3, 0]], [[2, 2], [1, 2]]], np.float32)
    for opset, attrs in [(11, {}), (11, {"axis": 2}), (13, {}), (13, {"axis": 0})]:
        like_ort(Single("Hardmax", [x], attrs, opset))
    agree(Single("Hardmax", [x], {"axis": 0}, 6).run()[0].sum(), np.float32(1))
    agree(Single("Hardmax", [floats(2, 0)], {}, 13).run()[0], floats(2, 0))


# ---- lengths that depend on the data ------------------------------------------------------------
def test_nonzero() -> None:
    x = np.array([[0, NAN, -0.0], [2, 0, -1]], np.float32)
    agree(Single("NonZero", [x]).run()[0], np.array(np.nonzero(x)))
    for shape in ((2, 3), (0, 3)):
        agree(Single("NonZero", [np.zeros(shape, np.float32)]).run()[0], np.zeros((2, 0), np.int64))
    agree(Single("NonZero", [np.array([True, False])]).run()[0], ints(0).reshape(1, 1))
    agree(Single("NonZero", [np.float32(4)]).run()[0], np.zeros((0, 1), np.int64))


def test_nonzero_of_constants_is_constant() -> None:
    case = Single("NonZero", [ints(0, 5, 0, 6)], static=(0,))
    assert names(case.module()) == ["return"]
    agree(case.run()[0], ints(1, 3).reshape(1, 2))


@pytest.mark.parametrize("static", [(), (1,)], ids=["runtime", "known"])
def test_compress(static: Any) -> None:
    x = floats(3, 4)
    for condition, axis in [
        ([True, False, True], 0),
        ([False, True], 1),
        ([True, True], -1),
        ([False, False, False], 0),
        ([False, True, True, False, True], None),
    ]:
        attrs = {} if axis is None else {"axis": axis}
        case = Single("Compress", [x, np.array(condition)], attrs, 11, static)
        agree(case.run()[0], np.compress(condition, x, axis))
    if not static:
        Single("Compress", [x, np.ones(4, np.bool_)], {"axis": 0}).refused("E1304")


@pytest.mark.parametrize("in_order", [0, 1])
def test_unique(in_order: int) -> None:
    x = np.array([2, 1, -0.0, 1, 0.0, NAN, 2, NAN], np.float32)
    case = Single("Unique", [x], {"sorted": in_order}, 11, outputs=4)
    values, first, inverse, counts = case.run()
    order = [2, 1, 0, 5] if in_order else [0, 1, 2, 5]
    agree(first, ints(*order))
    agree(values, x[order])
    agree(counts, ints(*(2 for _ in order)))
    np.testing.assert_array_equal(np.nan_to_num(values[inverse], nan=9), np.nan_to_num(x, nan=9))


def test_unique_slices() -> None:
    x = np.array([[1, 0, 1], [1, 0, 1], [0, 9, 0]], np.int64)
    like = np.unique(x, True, True, True, axis=1)
    found = Single("Unique", [x], {"axis": -1}, 11, outputs=4).run()
    for part, expected in zip(found, like, strict=True):
        agree(part, np.asarray(expected).reshape(part.shape))
    agree(Single("Unique", [x.astype(ml_dtypes.bfloat16)], opset=28).run()[0],
          np.array([0, 1, 9]).astype(ml_dtypes.bfloat16))  # fmt: skip


def test_lengths_go_on_through_other_ops() -> None:
    x = np.array([[0, 1, 0], [2, 3, 0]], np.float32)
    nodes = [
        node("NonZero", "x", "places"),
        node("Transpose", "places", "tuples"),
        node("GatherND", "x tuples", "values"),
        node("Mul", "values two", "doubled"),
        node("Unsqueeze", "doubled axes", "columns"),
    ]
    constants = {"two": np.float32(2), "axes": ints(1)}
    model = model_of(nodes, {"x": x}, ["values", "columns"], constants)
    values, columns = run(model, {"x": x})
    agree(values, x[x != 0])
    agree(columns, 2 * x[x != 0].reshape(-1, 1))


# ---- NonMaxSuppression --------------------------------------------------------------------------
def boxes_and_scores(seed: int) -> tuple[Any, Any]:
    corners = rng(seed).uniform(0, 10, (2, 12, 2, 2))
    boxes = np.concatenate([corners[:, :, 0], corners[:, :, 0] + corners[:, :, 1]], -1)
    return boxes.astype(np.float32), rng(seed + 1).uniform(0, 1, (2, 3, 12)).astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("center", [0, 1])
def test_suppression(seed: int, center: int) -> None:
    boxes, scores = boxes_and_scores(seed)
    limits = [ints(5), np.array([0.3], np.float32), np.array([0.2], np.float32)]
    attrs = {"center_point_box": center}
    for count in (1, 2, 3):
        inputs = [boxes, scores, *limits[:count]]
        like_ort(Single("NonMaxSuppression", inputs, attrs, 11, range(2, 2 + count)))


def test_suppression_of_everything() -> None:
    boxes, scores = boxes_and_scores(0)
    agree(Single("NonMaxSuppression", [boxes, scores], {}, 11).run()[0], np.zeros((0, 3), np.int64))
    scores[:, :, 3] = scores[:, :, 7] = 2.0
    case = Single("NonMaxSuppression", [boxes, scores, ints(1)], {}, 11, (2,))
    assert set(case.run()[0][:, 2].tolist()) == {3}
    Single("NonMaxSuppression", [boxes, scores, ints(1)], {}, 11).refused("E1306")
    Single("NonMaxSuppression", [boxes[0], scores, ints(1)], {}, 11, (2,)).refused("E1304")
