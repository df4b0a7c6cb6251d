"""Sorting, the places of extremes, and results whose length depends on the data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc.frontend.importers.common import number, ramp, reshaped
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

PLACES = {"ArgMax": "argmax", "ArgMin": "argmin"}


@importer(*PLACES)
def place(node: Node) -> Value:
    x = node.input(0)
    return node.b(
        PLACES[node.op_type],
        x,
        axis=node.axis(node.get_int("axis", 0), x.type.rank),
        keep=bool(node.get_int("keepdims", 1)),
        last=bool(node.get_int("select_last_index", 0)),
    )


@importer("TopK")
def top_before_10(node: Node) -> Sequence[Value | None]:
    return _top(node, node.get_int("k"), largest=True)


@importer("TopK", since=10)
def top(node: Node) -> Sequence[Value | None]:
    k = node.static_ints(1, "how many elements there are")
    if len(k) != 1:
        node.fail("E1304", "K", expected="one number", found=str(list(k)))
    return _top(node, k[0], bool(node.get_int("largest", 1)))


def _top(node: Node, k: int, largest: bool) -> Sequence[Value | None]:
    x = node.input(0)
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    return node.b.many("topk", x, axis=axis, k=k, largest=largest)


# ---- Hardmax --------------------------------------------------------------------------------
@importer("Hardmax")
def hardmax_before_13(node: Node) -> Value:
    """Over all axes from one on together."""
    x = node.input(0)
    axis = node.axis(node.get_int("axis", 1), x.type.rank)
    rows, columns = math.prod(x.type.shape[:axis]), math.prod(x.type.shape[axis:])
    found = _first_largest(node, reshaped(node, x, (rows, columns)), 1)
    return reshaped(node, found, x.type.shape)


@importer("Hardmax", since=13)
def hardmax(node: Node) -> Value:
    x = node.input(0)
    return _first_largest(node, x, node.axis(node.get_int("axis", -1), x.type.rank))


def _first_largest(node: Node, x: Value, axis: int) -> Value:
    """1 where the first of the largest elements along an axis is, 0 elsewhere."""
    if x.type.size == 0:
        return x
    index = node.b("argmax", x, axis=axis, keep=True)
    same = node.b("eq", index, ramp(node, x.type.shape[axis], x.type.rank, axis))
    return node.b("cvt", same, to=x.type.dtype)


# ---- lengths that depend on the data --------------------------------------------------------
def _bound(node: Node, most: int) -> str:
    return node.importing.module.add_bound(most)


@importer("NonZero")
def nonzero(node: Node) -> Value:
    x = node.input(0)
    return node.b.many("nonzero", x, symbol=_bound(node, x.type.size))[0]


@importer("Compress")
def compress(node: Node) -> Value:
    x, keep = node.input(0), node.input(1)
    if node.has("axis"):
        axis = node.axis(node.get_int("axis"), x.type.rank)
    else:
        axis, x = 0, reshaped(node, x, (x.type.size,))
    known, extent = node.known(1), x.type.shape[axis]
    if known is not None and known.ndim == 1:
        chosen = node.b.constant(known.nonzero()[0])
        return node.b("gather", x, chosen, axis=axis)
    if keep.type.rank == 1 and keep.type.shape[0] > extent:
        node.fail("E1304", "condition", expected=f"at most {extent} long", found=str(keep.type))
    symbol = _bound(node, keep.type.size)
    return node.b.many("compact", x, keep, axis=axis, symbol=symbol)[0]


@importer("Unique")
def unique(node: Node) -> Sequence[Value | None]:
    x = node.input(0)
    axis, most = -1, x.type.size
    if node.has("axis"):
        axis = node.axis(node.get_int("axis"), x.type.rank)
        most = x.type.shape[axis]
    in_order = bool(node.get_int("sorted", 1))
    found = node.b.many("unique", x, axis=axis, sorted=in_order, symbol=_bound(node, most))
    return found[:4]


@importer("NonMaxSuppression")
def non_max_suppression(node: Node) -> Value:
    boxes, scores = node.input(0), node.input(1)
    most, iou, score = 0, 0.0, -math.inf
    if node.optional(2) is not None:
        most = max(int(min(number(node, 2, "how many boxes there are"), 2.0**62)), 0)
    if node.optional(3) is not None:
        iou = number(node, 3, "which boxes overlap")
    if node.optional(4) is not None:
        score = number(node, 4, "which boxes count")
    if scores.type.rank != 3 or boxes.type.rank != 3:
        node.fail("E1304", "boxes or scores", "3 axes each", f"{boxes.type}, {scores.type}")
    batch, classes, count = scores.type.shape
    return node.b.many(
        "nms",
        boxes,
        scores,
        most=most,
        iou=iou,
        score=score,
        center=bool(node.get_int("center_point_box", 0)),
        symbol=_bound(node, batch * classes * min(most, count)),
    )[0]
