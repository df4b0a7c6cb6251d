"""Rows along one axis of a tensor: what lies before the axis, the axis, and what lies behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.chunked import backwards
from maiacc_passes.lowering.chunked_alone import copied, dense_input
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.tiling import Tiling, instances

#: Dims: before the axis, the axis, behind it.
BEFORE, ALONG, BEHIND = 0, 1, 2

#: Rows that the vector unit works on at once.
LANES = 64


@dataclass(frozen=True)
class Lines:
    """An access as three dims, with the stride of each."""

    access: Access
    sizes: tuple[int, int, int]
    strides: tuple[int, int, int]

    def reversed(self) -> Lines:
        """The same from the end of the axis."""
        access = Access(self.access.buffer, self.sizes, self.strides, self.access.offset)
        found = backwards(access, (ALONG,))
        again = Access(
            self.access.buffer,
            self.access.sizes,
            self.access.strides,
            found.offset,
            self.access.dtype,
        )
        before, along, behind = self.strides
        return Lines(again, self.sizes, (before, -along, behind))


def lines_of(group: Group, op: Op) -> tuple[Lines, list[Kernel]]:
    """The only operand of an op as rows along its axis, and kernels that copy it where its
    elements lie too irregularly."""
    axis = op.attrs["axis"]
    assert isinstance(axis, int)
    access = dense_input(group, op)
    found = _lines(access, axis % len(access.sizes))
    if found is not None:
        return found, []
    access, kernels = copied(group, op, access, f"{group.name}.x")
    found = _lines(access, axis % len(access.sizes))
    assert found is not None
    return found, kernels


def _lines(access: Access, axis: int) -> Lines | None:
    before = _merged(access.sizes[:axis], access.strides[:axis])
    behind = _merged(access.sizes[axis + 1 :], access.strides[axis + 1 :])
    if before is None or behind is None:
        return None
    sizes = before[0], access.sizes[axis], behind[0]
    return Lines(access, sizes, (before[1], access.strides[axis], behind[1]))


def _merged(sizes: Sequence[int], steps: Sequence[int]) -> tuple[int, int] | None:
    """Dims as one; None where they lie apart."""
    size, step = 1, 1
    for n, s in zip(reversed(sizes), reversed(steps), strict=True):
        if n == 1:
            continue
        if size > 1 and s != size * step:
            return None
        step = s if size == 1 else step
        size *= n
    return size, step


def dense_lines(access: Access, axis: int) -> Lines:
    """A dense access as rows along an axis."""
    sizes = access.sizes
    behind = prod(sizes[axis + 1 :])
    found = prod(sizes[:axis]), sizes[axis], behind
    return Lines(access, found, (sizes[axis] * behind, behind, 1))


def row_tiling(machine: Machine, sizes: Sequence[int], room: int, whole: bool) -> Tiling:
    """Tiles of at most so many elements, if there are any: first rows for all lanes, then long
    pieces of rows, then more rows. Rows are dealt over tiles, and not cut if ``whole``."""
    dealt = BEFORE if sizes[BEFORE] >= sizes[BEHIND] else BEHIND
    count = instances(machine, "gtile")
    most = [size if d != dealt else -(-size // count) for d, size in enumerate(sizes)]
    tiles = [1, sizes[ALONG] if whole else 1, 1]
    room = max(1, room // tiles[ALONG])
    tiles[BEHIND] = min(most[BEHIND], LANES, room)
    tiles[BEFORE] = min(most[BEFORE], max(1, LANES // tiles[BEHIND]), room // tiles[BEHIND])
    for d in (ALONG, BEHIND, BEFORE):
        if d != ALONG or not whole:
            left = room // (tiles[BEFORE] * tiles[BEHIND] * (1 if whole else tiles[ALONG]))
            tiles[d] = max(1, min(most[d], tiles[d] * max(1, left)))
    order = [
        (d, "gtile" if d == dealt else "")
        for d in (BEFORE, BEHIND, ALONG)
        if tiles[d] < sizes[d] or (d == dealt and sizes[d] > 1)
    ]
    return Tiling(machine, tuple(sizes), tuple(tiles), tuple(order))
