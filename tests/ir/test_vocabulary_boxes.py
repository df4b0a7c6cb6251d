"""The choice of boxes that overlap little: against a loop over exact numbers, and onnxruntime."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import many, refused, runtime, types
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Array


def area(low: list[Fraction], high: list[Fraction]) -> Fraction:
    width, height = high[0] - low[0], high[1] - low[1]
    return width * height if width > 0 and height > 0 else Fraction(0)


def overlap(a: list[float], b: list[float], center: bool) -> Fraction:
    """Intersection over union, exactly; 0 if there is none."""
    sides = []
    for box in (a, b):
        p, q, r, s = map(Fraction, box)
        pairs = [(p - r / 2, p + r / 2), (q - s / 2, q + s / 2)] if center else [(p, r), (q, s)]
        sides.append(([min(x) for x in pairs], [max(x) for x in pairs]))
    (low, high), (low2, high2) = sides
    shared = area([max(x) for x in zip(low, low2, strict=True)],
                  [min(x) for x in zip(high, high2, strict=True)])  # fmt: skip
    union = area(low, high) + area(low2, high2) - shared
    return shared / union if union > 0 else Fraction(0)


def reference(boxes: Array, scores: Array, most: int, iou: float, score: float,
              center: bool) -> list[list[int]]:  # fmt: skip
    found = []
    for image in range(scores.shape[0]):
        for kind in range(scores.shape[1]):
            line = scores[image, kind].tolist()
            kept: list[int] = []
            for index in sorted(range(len(line)), key=lambda i: (-line[i], i)):
                pairs = [overlap(boxes[image, index].tolist(), boxes[image, k].tolist(), center)
                         for k in kept]  # fmt: skip
                if len(kept) < most and line[index] > score and max(pairs, default=0) <= iou:
                    kept.append(index)
            found += [[image, kind, index] for index in kept]
    return found


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 6), st.integers(0, 4), st.booleans(),
       st.sampled_from([0.25, 0.5, 0.0]), st.sampled_from([-math.inf, 0.0, 2.0]),
       st.randoms())  # fmt: skip
def test_boxes_of_small_integers(
    batch: int, classes: int, n: int, most: int, center: bool, iou: float, score: float, random: Any
) -> None:
    rng = np.random.default_rng(random.randrange(1 << 30))
    boxes = rng.integers(0, 5, (batch, n, 4)).astype(np.float32)
    scores = rng.integers(-1, 5, (batch, classes, n)).astype(np.float32)
    expected = reference(boxes, scores, most, iou, score, center)
    found, count = many("nms", boxes, scores, most=most, iou=iou, score=score, center=center,
                        symbol="n0")  # fmt: skip
    assert found.shape == (batch * classes * min(most, n), 3)
    assert found[:count].tolist() == expected
    assert not found[count:].any()


@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize("score", [None, 0.4])
def test_boxes_as_onnxruntime(center: int, score: float | None) -> None:
    rng = np.random.default_rng(12)
    boxes = rng.uniform(0, 8, (2, 40, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (2, 3, 40)).astype(np.float32)
    arrays = [boxes, scores, np.array([5]), np.array([0.3], np.float32)]
    arrays += [] if score is None else [np.array([score], np.float32)]
    expected = runtime("NonMaxSuppression", arrays, [7], 11, center_point_box=center)[0]
    found, count = many("nms", boxes, scores, most=5, iou=float(np.float32(0.3)),
                        score=-math.inf if score is None else float(np.float32(score)),
                        center=bool(center), symbol="n0")  # fmt: skip
    assert found[:count].tolist() == expected.tolist()


def test_scores_that_are_no_numbers_and_lowest_scores() -> None:
    boxes = np.array([[[0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]]], np.float32)
    scores = np.array([[[math.nan, -math.inf, 1]]], np.float32)
    for score, expected in ((-math.inf, [2, 1]), (0.0, [2])):
        found, count = many("nms", boxes, scores, most=3, iou=0.5, score=score, symbol="n0")
        assert found[:count, 2].tolist() == expected


ATTRS: dict[str, Any] = {"most": 3, "iou": 0.5, "score": 0.0, "symbol": "n0"}


def test_types() -> None:
    boxes, scores = tensor("fp32", (2, 9, 4)), tensor("fp32", (2, 5, 9))
    assert types("nms", boxes, scores, **ATTRS) == ["int64[30~n0, 3]", "int64[]"]
    large = {**ATTRS, "most": 1 << 62}
    assert types("nms", boxes, scores, **large) == ["int64[90~n0, 3]", "int64[]"]
    cases: list[tuple[Any, Any, dict[str, Any]]] = [
        (boxes, scores.with_dtype("fp16"), ATTRS),
        (boxes.with_dtype("int8"), scores.with_dtype("int8"), ATTRS),
        (tensor("fp32", (2, 9, 5)), scores, ATTRS),
        (tensor("fp32", (9, 4)), scores, ATTRS),
        (tensor("fp32", (1, 9, 4)), scores, ATTRS),
        (tensor("fp32", (2, 8, 4)), scores, ATTRS),
        (tensor("fp32", (2, 9, 4), (None, "n1", None)), scores, ATTRS),
        (boxes, tensor("fp32", (2, 5, 9), (None, None, "n1")), ATTRS),
        (boxes, scores, {**ATTRS, "most": -1}),
        (boxes, scores, {**ATTRS, "symbol": ""}),
    ]
    for one_, other, attrs in cases:
        refused("E1403", "nms", one_, other, **attrs)
