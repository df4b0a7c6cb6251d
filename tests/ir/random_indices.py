"""Recipes for rows that read and write at indices, and whose results are as long as the data say."""

from __future__ import annotations

import math
from typing import Any

from ir.growing import Grower, recipe
from maiacc_passes.ir.graph import Op, Value

_OOB = ("error", "clamp", "fill")
_UPDATES = ("set", "add", "mul", "min", "max")


# ---- indices --------------------------------------------------------------------------------
@recipe("gather")
def _gather(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    axis = g.axis(x)
    indices = g.indices(g.dims(g.rng.randint(0, 2)), x.type.shape[axis])
    return g.b.op("gather", x, indices, axis=axis, oob=g.rng.choice(_OOB))


def _inside(g: Grower, x: Value, axis: int) -> tuple[int, ...]:
    """A shape that is not larger, but along one axis."""
    shape = [g.rng.randint(min(1, extent), extent) for extent in x.type.shape]
    shape[axis] = g.rng.randint(1, 4)
    return tuple(shape)


@recipe("gather_elements")
def _gather_elements(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    axis = g.axis(x)
    indices = g.indices(_inside(g, x, axis), x.type.shape[axis])
    return g.b.op("gather_elements", x, indices, axis=axis, oob=g.rng.choice(_OOB))


@recipe("gather_nd")
def _gather_nd(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    batch = g.rng.randint(0, min(1, x.type.rank - 1))
    length = g.rng.randint(1, x.type.rank - batch)
    shape = (*x.type.shape[:batch], *g.dims(1), length)
    indices = g.indices(shape, min(x.type.shape[batch : batch + length]))
    return g.b.op("gather_nd", x, indices, batch=batch, oob=g.rng.choice(_OOB))


@recipe("scatter_elements")
def _scatter_elements(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    axis = g.axis(x)
    shape = _inside(g, x, axis)
    indices = g.indices(shape, x.type.shape[axis])
    attrs: dict[str, Any] = {"op": g.rng.choice(_UPDATES), "oob": g.rng.choice(_OOB)}
    updates = g.value(x.type.dtype, shape)
    return g.b.op("scatter_elements", x, indices, updates, axis=axis, **attrs)


@recipe("scatter_nd")
def _scatter_nd(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0)
    length, rows = g.rng.randint(1, x.type.rank), g.dims(1)
    indices = g.indices((*rows, length), min(x.type.shape[:length]))
    updates = g.value(x.type.dtype, (*rows, *x.type.shape[length:]))
    return g.b.op(
        "scatter_nd", x, indices, updates, op=g.rng.choice(_UPDATES), oob=g.rng.choice(_OOB)
    )


# ---- results as long as the data say --------------------------------------------------------
@recipe("nonzero")
def _nonzero(g: Grower) -> Op:
    x = g.pick(lambda kind: not kind.counts)
    return g.b.op("nonzero", x, symbol=g.module.add_bound(x.type.size))


@recipe("compact")
def _compact(g: Grower) -> Op:
    x = g.pick(lambda kind: kind.rank > 0 and not kind.counts)
    axis = g.axis(x)
    extent = x.type.shape[axis]
    keep = g.value("bool", (extent,))
    return g.b.op("compact", x, keep, axis=axis, symbol=g.module.add_bound(extent))


@recipe("unique")
def _unique(g: Grower) -> Op:
    x = g.pick(lambda kind: not kind.counts)
    axis = g.axis(x) if x.type.rank and g.flip() else -1
    symbol = g.module.add_bound(x.type.size if axis < 0 else x.type.shape[axis])
    return g.b.op("unique", x, axis=axis, sorted=g.flip(), symbol=symbol)


@recipe("nms")
def _nms(g: Grower) -> Op:
    batch, classes, count, most = (g.rng.randint(1, 3) for _ in range(4))
    boxes = g.value("fp32", (batch, count, 4))
    scores = g.value("fp32", (batch, classes, count))
    symbol = g.module.add_bound(batch * classes * min(most, count))
    limits: dict[str, Any] = {
        "iou": 0.5,
        "score": g.rng.choice((0.0, -math.inf)),
        "center": g.flip(),
    }
    return g.b.op("nms", boxes, scores, most=most, symbol=symbol, **limits)
