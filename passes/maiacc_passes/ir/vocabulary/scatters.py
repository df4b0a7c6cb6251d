"""Ops that write elements at computed places.

An index is from 0 on. What one outside does is said by ``oob``: an error, the nearest index, or the
write is dropped (``fill``). Writes happen in the order of the updates: the last one wins, and sums
and the like are rounded to the type at each step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import (
    check_axis,
    integers_only,
    need,
    same_dtype,
    sized,
    whole,
    wrong,
)
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.index import (
    OOB,
    check_beside,
    check_clamp,
    check_tuples,
    flat_places,
    located,
)
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def _updates(attrs: Attrs, types: Types, wanted: Type, extents: Sequence[int]) -> Sequence[Type]:
    x, updates = need(types, 0), need(types, 2)
    same_dtype(x, updates)
    if updates.shape != wanted.shape:
        raise wrong("updates have a wrong shape", *types, expected=str(wanted))
    for axis in range(updates.rank):
        if updates.count(axis) != wanted.count(axis):
            whole(updates, axis, "updates go")
    if x.dtype == "bool" and attrs["op"] in ("add", "mul"):
        raise wrong(f"{attrs['op']} of truth values", *types, expected="set, min or max")
    check_clamp(attrs, extents, wanted, types)
    return (x,)


def _scatter_elements_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, indices, axis = need(types, 0), need(types, 1), attrs["axis"]
    check_axis(axis, x)
    integers_only(indices)
    check_beside(x, indices, axis, True, types)
    whole(indices, axis, "indices go")
    wanted = tensor(x.dtype, indices.shape, indices.counts)
    return _updates(attrs, types, wanted, x.shape[axis : axis + 1])


def _scatter_nd_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, indices = need(types, 0), need(types, 1)
    length = check_tuples(x, indices, 0, types)
    for axis in range(indices.rank):
        whole(indices, axis, "indices go")
    counts = (*[None] * (indices.rank - 1), *x.counts[length:]) if x.counts else ()
    wanted = sized(x.dtype, (*indices.shape[:-1], *x.shape[length:]), counts, *types)
    return _updates(attrs, types, wanted, x.shape[:length])


#: How an update meets an element; each step is rounded to the type.
_STEPS = {"add": np.add, "mul": np.multiply, "min": np.minimum, "max": np.maximum}


def _written(op: Op, rows: Array, place: Array, outside: Array, updates: Array) -> Array:
    """Rows after updates at places in order."""
    found = rows.copy()
    if outside.any():
        place, updates = place[~outside], updates[~outside]
    name = op.attrs["op"]
    if name == "set":
        # One update for each place, the last: numpy does not promise the order of assignments.
        kept = np.full(len(rows), -1, np.int64)
        np.maximum.at(kept, place, np.arange(len(place)))
        to = np.flatnonzero(kept >= 0)
        found[to] = updates[kept[to]]
    else:
        _STEPS[str(name)].at(found, place, updates)
    return found


def _scatter_elements(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, indices, updates = arrays
    attrs: Attrs = op.attrs
    axis = attrs["axis"]
    inside, outside = located(run, op, indices, x.shape[axis])
    place = np.zeros(indices.shape, np.int64)
    for other, extent in enumerate(x.shape):
        line = np.arange(indices.shape[other]).reshape(-1, *[1] * (x.ndim - other - 1))
        place = place * extent + (inside if other == axis else line)
    flat = (place.reshape(-1), outside.reshape(-1), updates.reshape(-1))
    return _written(op, x.reshape(-1), *flat).reshape(x.shape)


def _scatter_nd(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, indices, updates = arrays
    length = indices.shape[-1]
    place, outside = flat_places(run, op, indices, x.shape[:length])
    if x.size == 0 or updates.size == 0:
        return np.asarray(x)
    rows = x.reshape(math.prod(x.shape[:length]), -1)
    updates = updates.reshape(place.size, -1)
    return _written(op, rows, place.reshape(-1), outside.reshape(-1), updates).reshape(x.shape)


_ATTRS = {"op": Attr("str", "set", ("set", "add", "mul", "min", "max")), **OOB}
_OPERANDS = ("x", "indices", "updates")

ROWS = (
    Row(
        "scatter_elements",
        Kind.SCATTER,
        _OPERANDS,
        {"axis": Attr("int"), **_ATTRS},
        _scatter_elements_rule,
        "x with each update set, or added and so on, at the place of its index but along an axis.",
        _scatter_elements,
        compute="raw",
    ),
    Row(
        "scatter_nd",
        Kind.SCATTER,
        _OPERANDS,
        _ATTRS,
        _scatter_nd_rule,
        "x with each update, an element or a slice, set, or added and so on, at a tuple of "
        "indices.",
        _scatter_nd,
        compute="raw",
    ),
)
