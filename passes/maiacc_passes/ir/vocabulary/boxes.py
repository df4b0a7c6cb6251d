"""The op that chooses boxes that overlap little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import all_whole, floats_only, need, same_dtype, sized, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.vocabulary.orders import COUNT, check_symbol, filled
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def _rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    boxes, scores, most = need(types, 0), need(types, 1), attrs["most"]
    same_dtype(boxes, scores)
    floats_only(boxes)
    fits = boxes.rank == 3 and scores.rank == 3 and boxes.shape[2] == 4
    if not fits or boxes.shape[:2] != (scores.shape[0], scores.shape[2]):
        raise wrong("boxes and scores", *types, expected="[batch, n, 4] and [batch, classes, n]")
    all_whole(boxes, "nms")
    all_whole(scores, "nms")
    if most < 0:
        raise wrong(f"at most {most} boxes", *types, expected="0 or more")
    batch, classes, count = scores.shape
    bound = batch * classes * min(most, count)
    return (sized("int64", (bound, 3), (check_symbol(attrs), None), *types), COUNT)


def _corners(boxes: Array, center: bool) -> tuple[Array, Array]:
    """The low and the high corners of boxes."""
    if center:
        middle, half = boxes[..., :2], boxes[..., 2:] / 2
        return middle - half, middle + half
    one, other = boxes[..., :2], boxes[..., 2:]
    return np.minimum(one, other), np.maximum(one, other)


def _overlaps(low: Array, high: Array, chosen: int, threshold: float) -> Array:
    """Which boxes share more than the threshold of their union with one of them."""
    sides = np.minimum(high, high[chosen]) - np.maximum(low, low[chosen])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    area = np.prod(high - low, axis=-1)
    union = area + area[chosen] - shared
    solid = (shared > 0) & (area > 0) & (area[chosen] > 0) & (union > 0)
    return np.asarray(solid & (shared / np.where(solid, union, 1) > threshold))


def _chosen(low: Array, high: Array, scores: Array, attrs: Attrs) -> list[int]:
    """The boxes that one class of one image keeps, the best first."""
    threshold = attrs["score"]
    open_ = scores > threshold if threshold > -np.inf else ~np.isnan(scores)
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if len(kept) == attrs["most"]:
            break
        if open_[index]:
            kept.append(int(index))
            open_ &= ~_overlaps(low, high, index, attrs["iou"])
    return kept


def _nms(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    boxes, scores = arrays
    low, high = _corners(boxes, bool(op.attrs["center"]))
    found = [
        (image, kind, index)
        for image in range(scores.shape[0])
        for kind in range(scores.shape[1])
        for index in _chosen(low[image], high[image], scores[image, kind], op.attrs)
    ]
    rows = np.array(found, np.int64).reshape(-1, 3)
    return filled(rows, op.results[0].type.shape[0]), np.asarray(len(found), np.int64)


ROWS = (
    Row(
        "nms",
        Kind.SORT,
        ("boxes", "scores"),
        {
            "most": Attr("int"),
            "iou": Attr("float"),
            "score": Attr("float"),
            "center": Attr("bool", False),
            "symbol": Attr("str"),
        },
        _rule,
        "For each image and class the boxes with the best scores above a score, at most so many, "
        "none of which shares more than iou of their union with a better one: image, class, box. "
        "Boxes are two corners, or center and size.",
        _nms,
    ),
)
