"""Bounds of ops that move elements, sort them, or decide what is executed.

Movement is exact: elements keep their bounds on the way. Where an index is not known, what it
fetches is not either.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds, meant
from maiacc.verifying.bounds_maps import Operands, given, is_float
from maiacc.verifying.bounds_sums import SAFE, applied, gamma
from maiacc.verifying.known import LIFTED, Known, all_exact, held, numbers, settled, stored
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.weights import Array

#: Operands that say where, by op: behind what is moved.
_INDEXED = frozenset({"gather", "gather_elements", "gather_nd"})


def _moved(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Elements in another place; what is not known of an index is not known of anything."""
    if all_exact(operands):
        return Known(_native(op, operands))
    known = given(operands)
    if op.name in _INDEXED and known[1].bound is not None and known[1].bound.any():
        exact = applied(op, [known[0].wide, known[1].exact], LIFTED)
        return Known(exact, np.full(exact.shape, np.inf))
    where = {1} if op.name in _INDEXED else set()
    arrays = [x.exact if i in where else x.wide for i, x in enumerate(known)]
    slacks = [x.exact if i in where else x.slack for i, x in enumerate(known)]
    kept = held([x for i, x in enumerate(known) if i not in where])
    return Known(applied(op, arrays, LIFTED), applied(op, slacks, LIFTED), kept)


def _native(op: Op, operands: Operands) -> Array:
    """Elements moved in the type they are in; they may be wider than their tensor's type."""
    known = given(operands)
    moving = known[:1] if op.name in _INDEXED else known
    if len({x.exact.dtype for x in moving}) > 1:
        return applied(op, [x.wide for x in known], LIFTED)
    return applied(op, [x.exact for x in known], LIFTED)


def _made(bounds: Bounds, op: Op, operands: Operands) -> Known:
    return Known(meant(op, operands)[0])


def _scattered(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Updates that are set keep their bounds; those that are combined are rounded."""
    x, indices, updates = given(operands)
    how = str(op.attrs["op"])
    exactly = all_exact(operands)
    if exactly and (how in ("set", "min", "max") or not is_float(op)):
        return Known(applied(op, [x.exact, indices.exact, updates.exact.astype(x.exact.dtype)]))
    exact = applied(op, [x.wide, indices.exact, updates.wide], LIFTED)
    if indices.bound is not None and indices.bound.any():
        return Known(exact, np.full(exact.shape, np.inf))
    if how in ("set", "add"):
        bound = applied(op, [x.slack, indices.exact, updates.slack], LIFTED)
        if how == "add" and is_float(op):
            sizes = [np.abs(x.wide), indices.exact, np.abs(updates.wide)]
            bound = bound + applied(op, sizes, LIFTED) * gamma(_most(op, operands)) * SAFE
        return settled(exact, bound) if is_float(op) else Known(exact, bound)
    far = float(max(x.slack.max(initial=0), updates.slack.max(initial=0)))
    if how in ("min", "max"):
        return settled(exact, np.full(exact.shape, far))
    off = np.abs(exact) * gamma(_most(op, operands)) * SAFE
    return settled(exact, off if far == 0 else np.full(exact.shape, np.inf))


def _most(op: Op, operands: Operands) -> int:
    """How many updates meet in a place at most."""
    x, indices, updates = given(operands)
    ones = [np.zeros(x.exact.shape), indices.exact, np.ones(updates.exact.shape)]
    if op.attrs["op"] == "mul":
        return int(updates.exact.size)
    return int(applied(op, ones, LIFTED).max(initial=0))


def _sorted(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    """What is in a place moves no further than the element that moves most; which one it is is
    open where neighbours are near."""
    (x,) = given(operands)
    if x.bound is None:
        return [Known(found) for found in meant(op, operands)]
    axis = int(str(op.attrs["axis"]))
    assert op.row.meaning is not None
    values, index = op.row.meaning(LIFTED, op, [x.wide])
    most = np.max(x.bound, axis=axis, keepdims=True, initial=0.0)
    order = np.sort(numbers(x), axis)
    near = np.diff(order, axis=axis) <= 2 * most
    open_ = np.broadcast_to(near.any(axis=axis, keepdims=True) & (most > 0), index.shape)
    known = settled(values, np.broadcast_to(most, values.shape).copy())
    return [known, bounds.decided(op, index, open_)]


# ---- control ------------------------------------------------------------------------------------
def _group(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    """A kernel: what it hands out is rounded to the type that it is kept in."""
    found = bounds.region(op.regions[0], given(operands))
    return [
        stored(x, value.type.element, lifted=bounds.lifted)
        for x, value in zip(found, op.results, strict=True)
    ]


def _if(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    condition = given(operands)[0]
    found = bounds.region(op.regions[0 if condition.exact else 1], ())
    if condition.bound is None or not condition.bound.any():
        return found
    return [bounds.decided(op, x.exact, np.ones(x.exact.shape, np.bool_)) for x in found]


def _loop(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    trip, condition = (*operands[:2], None, None)[:2]
    carried = given(operands[2:])
    most, symbol = int(str(op.attrs["most"])), bool(op.attrs["symbol"])
    turn, going = 0, condition is None or bool(condition.exact)
    end = most if trip is None else int(trip.exact)
    rows: list[list[Known]] = []
    while going and (turn < end or trip is None):
        if turn == most:
            raise IRError("E1408", f"a loop takes more than {most} turns", expected=str(most))
        start = [Known(np.array(turn, np.int64)), Known(np.array(True)), *carried]
        ends, *found = bounds.region(op.regions[0], start)
        carried, going = found[: len(carried)], bool(ends.exact)
        rows.append(found[len(carried) :])
        turn += 1
    kinds = op.results[len(carried) : len(op.results) - symbol]
    stacks = [
        _stacked([row[i] for row in rows], 0, value.type.shape) for i, value in enumerate(kinds)
    ]
    count = [Known(np.array(turn, np.int64))] if symbol else []
    return [*carried, *stacks, *count]


def _stacked(rows: Sequence[Known], axis: int, shape: tuple[int, ...]) -> Known:
    """Rows side by side along an axis, and zeros behind them."""
    if not rows:
        return Known(np.zeros(shape))
    exact = np.stack([row.wide for row in rows], axis)
    bound = None
    if any(row.bound is not None for row in rows):
        bound = np.stack([row.slack for row in rows], axis)
    missing = shape[axis] - len(rows)
    if missing:
        wide = [(0, missing if i == axis else 0) for i in range(len(shape))]
        exact, bound = np.pad(exact, wide), None if bound is None else np.pad(bound, wide)
    return Known(exact, bound)


def _scan(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    count = int(str(op.attrs["carried"]))
    known = given(operands)
    carried, scanned = known[:count], known[count:]
    attrs = {name: op.attrs[name] for name in ("axes", "reverse", "out_axes", "out_reverse")}
    axes, reverse, out_axes, out_reverse = (tuple(map(int, x)) for x in attrs.values())
    length = scanned[0].exact.shape[axes[0]]
    outs: list[list[Known]] = []
    for turn in range(length):
        slices = []
        for x, axis, back in zip(scanned, axes, reverse, strict=True):
            at = length - 1 - turn if back else turn
            bound = None if x.bound is None else np.take(x.bound, at, axis)
            slices.append(Known(np.take(x.exact, at, axis), bound))
        found = bounds.region(op.regions[0], [*carried, *slices])
        carried = found[:count]
        outs.append(found[count:])
    stacks = []
    for number, (axis, back) in enumerate(zip(out_axes, out_reverse, strict=True)):
        rows = [row[number] for row in (outs[::-1] if back else outs)]
        stacks.append(_stacked(rows, axis, op.results[count + number].type.shape))
    return [*carried, *stacks]


RULES |= dict.fromkeys(("reshape", "transpose", "broadcast", "slice", "windows"), _moved)
RULES |= dict.fromkeys(("pad", "concat", *_INDEXED), _moved)
RULES |= dict.fromkeys(("scatter_elements", "scatter_nd"), _scattered)
RULES |= dict.fromkeys(("sort", "topk"), _sorted)
RULES |= {"iota": _made, "group": _group, "if": _if, "loop": _loop, "scan": _scan}
