"""Views that strides cannot say, concatenation and padding: groups that only move elements.

    concat of rows that are short       for i0 over gtile < 4 {
                                          LD0 copy %t[0:3] <- @a[...]
                                          LD0 copy %t[3:8] <- @b[...]
                                          ST copy @y[...] <- %t
                                        }
    pad with a constant                 the load goes over the edge of the box, and is filled

What is concatenated, or padded with its own elements, is a number of *pieces*: boxes of the result,
each with a place where its elements are. They are assembled in a tile where that makes the runs of
a store longer, else each is copied by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.kernel.limits import START
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.copies_assembled import Piece, assembled
from maiacc_passes.lowering.fitting import unless_too_large
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import (
    Copy,
    Mover,
    access_copy,
    movable,
)
from maiacc_passes.lowering.moves_lines import Line, merged
from maiacc_passes.lowering.recipes import unsupported

#: Axes with a box that a padded load may have, pieces of an axis that is padded with itself.
BOXES, MOST = 3, 64

#: Pieces that one kernel copies.
TOGETHER = 12


def mover(group: Group, title: str = "copy") -> Mover:
    """What makes the copies of a group."""
    return Mover(group.machine, group.name, group.op.location, title)


def lower_copy(group: Group) -> list[Kernel]:
    """Kernels of a group of views only. Raises ``IRError`` E1501, E1505."""
    copies = []
    for value, buffer in group.outputs.items():
        if not value.type.size:
            continue
        movable(group.ops[-1] if group.ops else group.op, value)
        source = group.located(value)
        assert source is not None, "a view of something in memory"
        copies.append(access_copy(source, whole(buffer, value.type.shape)))
    return mover(group).kernels(copies)


def lower_concat(group: Group, op: Op) -> list[Kernel]:
    """Kernels of a concatenation. Raises ``IRError`` E1505."""
    movable(op, op.result)
    axis = op.integer("axis")
    pieces, at = [], 0
    for value in op.operands:
        assert value is not None
        place = [0] * value.type.rank
        place[axis] = at
        at += value.type.shape[axis]
        if value.type.size:
            pieces.append(Piece(_located(group, value), tuple(place)))
    return _joined(group, op, pieces)


def _located(group: Group, value: Value) -> Access:
    access = group.located(value)
    assert access is not None, "operands come from outside of the group"
    return access


def _joined(group: Group, op: Op, pieces: Sequence[Piece]) -> list[Kernel]:
    """Kernels that put pieces into the result."""
    target = whole(group.outputs[op.result], op.result.type.shape)
    if not pieces:
        return []
    found = unless_too_large(lambda: assembled(group, op, pieces, target))
    if found is not None:
        return [found]
    copies = [access_copy(p.source, p.within(target)) for p in pieces]
    return mover(group, op.name).kernels(copies, TOGETHER)


def zeros(group: Group, some: Value, target: Buffer) -> list[Kernel]:
    """Kernels that clear a buffer; of ``some``, a value of the same type, nothing is read."""
    source = _located(group, some)
    lines = (Line(1, 0, 0, 0), Line(target.size, 0, 1))
    return mover(group).kernels([Copy(source.buffer, target, lines, 0, 0, source.dtype)])


# ---- padding ------------------------------------------------------------------------------------
def lower_pad(group: Group, op: Op) -> list[Kernel]:
    """Kernels of a pad. Raises ``IRError`` E1505."""
    x = op.operands[0]
    assert x is not None
    movable(op, x)
    before, after = op.ints("before"), op.ints("after")
    if not op.result.type.size:
        return []
    source = _located(group, x)
    if op.attrs["mode"] != "constant":
        return _joined(group, op, list(_own(op, source, before, after)))
    target = whole(group.outputs[op.result], op.result.type.shape)
    value = _value(group, op)
    boxes = sum(a > 0 or b > 0 for a, b in zip(before, after, strict=True))
    if isinstance(value, float) and x.type.size and boxes <= BOXES and max(before) < START:
        lines = [
            Line(n + a + b, s, t, n if a or b else None, a)
            for n, a, b, s, t in zip(
                source.sizes, before, after, source.strides, target.strides, strict=True
            )
        ]
        copy = Copy(
            source.buffer,
            target.buffer,
            tuple(merged(lines)),
            source.offset,
            0,
            source.dtype,
            value,
        )
        return mover(group, "pad").kernels([copy])
    return _apart(group, source, target, before, value)


def _apart(
    group: Group, source: Access, target: Access, before: Sequence[int], value: float | Access
) -> list[Kernel]:
    """Kernels for the slabs around the elements, and for the elements, each by itself."""
    copies = []
    low, high = list(before), [a + n for a, n in zip(before, source.sizes, strict=True)]
    for axis, size in enumerate(target.sizes):
        for first, end in ((0, low[axis]), (high[axis], size)):
            # Slabs of later axes lie within the elements' box along the earlier ones.
            at = [*low[:axis], first, *[0] * (len(low) - axis - 1)]
            sizes = [b - a for a, b in zip(low[:axis], high[:axis], strict=True)]
            sizes += [end - first, *target.sizes[axis + 1 :]]
            steps = (0,) * len(sizes)
            if isinstance(value, float):
                slab = Access(source.buffer, tuple(sizes), steps, 0, source.dtype)
            else:
                slab = Access(value.buffer, tuple(sizes), steps, value.offset, value.dtype)
            copy = access_copy(slab, Piece(slab, tuple(at)).within(target))
            if isinstance(value, float):
                # Of the source no element is read: none lies in the box.
                copy = replace(copy, lines=(Line(1, 0, 0, 0), *copy.lines), fill=value)
            copies.append(copy)
    copies.append(access_copy(source, Piece(source, tuple(before)).within(target)))
    return mover(group, "pad").kernels(copies, TOGETHER)


def _value(group: Group, op: Op) -> float | Access:
    """What a pad fills with: a number that a view can fill with, or where it lies."""
    given = op.operand(1)
    if given is None:
        return 0.0
    if given.weight is not None:
        number = np.asarray(given.weight.source.array(given.type)).reshape(-1)[0]
        element = given.type.element
        if element.is_float or -(1 << 31) <= int(number) < 1 << 31:
            return float(number)
    return _located(group, given)


def _own(op: Op, source: Access, before: Sequence[int], after: Sequence[int]) -> Iterator[Piece]:
    """The pieces of a pad with own elements: in each axis a part before, all of it, one behind."""
    mode = str(op.attrs["mode"])
    axes = [
        list(_parts(mode, n, a, b)) for n, a, b in zip(source.sizes, before, after, strict=True)
    ]
    for axis in axes:
        if len(axis) > MOST:
            raise unsupported(op, f"an axis of {len(axis)} pieces")
    for parts in product(*axes):
        yield Piece(
            Access(
                source.buffer,
                tuple(p.size for p in parts),
                tuple(p.step * s for p, s in zip(parts, source.strides, strict=True)),
                source.offset
                + sum(p.first * s for p, s in zip(parts, source.strides, strict=True)),
                source.dtype,
            ),
            tuple(p.at for p in parts),
        )


@dataclass(frozen=True)
class _Part:
    """A part of a padded axis: where it starts, and which elements of the axis it has."""

    at: int
    size: int
    first: int
    step: int


def _parts(mode: str, extent: int, before: int, after: int) -> Iterator[_Part]:
    """Parts of an axis, from the first element to the last."""
    total = before + extent + after
    at = 0
    while at < total:
        index = at - before
        if mode == "edge":
            if 0 <= index < extent:
                size, first, step = extent, index, 1
            else:
                size = before if index < 0 else total - at
                first, step = (0 if index < 0 else extent - 1), 0
        elif mode == "wrap":
            first, step = index % extent, 1
            size = extent - first
        else:
            period = max(2 * (extent - 1), 1)
            first = index % period
            step = 1 if first < extent - 1 else -1
            # Back down from the last element, but for the first one, which starts the way up.
            size = extent - 1 - first if step == 1 else period - first
            first = min(first, period - first) if extent > 1 else 0
            if index == 0:
                size = extent
            if extent == 1:
                size, step = total - at, 0
        size = min(size, total - at)
        yield _Part(at, size, first, step)
        at += size
