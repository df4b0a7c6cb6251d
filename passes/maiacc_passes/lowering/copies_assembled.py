"""Pieces of a result assembled in a tile, so that it is stored in long runs.

%t    rows of a tile x all of the axes along which the pieces lie
LD0 copy %t[:, 0:3] <- @a[...]
LD1 copy %t[:, 3:8] <- @b[...]
ST copy @y[...] <- %t
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import nested
from maiacc_passes.lowering.moves_cuts import ALL, pace, ways
from maiacc_passes.lowering.tiling import Tiling

#: Runs of this many bytes are long enough to be stored by themselves; loads of one turn.
LONG, LOADS = 256, 128


@dataclass(frozen=True)
class Piece:
    """A box of a result, from coordinates ``at`` on, and where its elements are."""

    source: Access
    at: tuple[int, ...]

    def within(self, target: Access) -> Access:
        """Where the piece goes in a result."""
        offset = sum(a * s for a, s in zip(self.at, target.strides, strict=True))
        return Access(target.buffer, self.source.sizes, target.strides, target.offset + offset)


@dataclass(frozen=True)
class _Row:
    """A dim of the result along which no piece ends: sizes, strides of the target and pieces."""

    size: int
    target: int
    sources: tuple[int, ...]

    def around(self, inner: _Row) -> _Row | None:
        mine, others = (self.target, *self.sources), (inner.target, *inner.sources)
        if any(a != b * inner.size for a, b in zip(mine, others, strict=True)):
            return None
        return _Row(self.size * inner.size, inner.target, inner.sources)


def assembled(group: Group, op: Op, pieces: Sequence[Piece], target: Access) -> Kernel | None:
    """A kernel that assembles pieces; None where it is no better than copying each. Raises
    ``IRError`` E1501, E1502."""
    sizes = target.sizes
    bytes_ = ELEMENTS[op.result.type.dtype].bits // 8
    cut = [d for d in range(len(sizes)) if any(p.source.sizes[d] != sizes[d] for p in pieces)]
    if not cut or len(pieces) > LOADS:
        return None
    shortest = min(prod(p.source.sizes[d] for d in range(cut[-1], len(sizes))) for p in pieces)
    least = prod(sizes[cut[0] :]) * bytes_
    room = group.machine.space_bytes("tsram") // 2
    if shortest * bytes_ >= LONG or least > room:
        return None
    return _Assembly(group, op, pieces, target, cut, bytes_).kernel(room)


class _Assembly:
    """The dims of a result: rows that are merged, and those along which pieces lie."""

    def __init__(
        self,
        group: Group,
        op: Op,
        pieces: Sequence[Piece],
        target: Access,
        cut: Sequence[int],
        bytes_: int,
    ) -> None:
        self.group = group
        self.op = op
        self.pieces = pieces
        self.target = target
        self.bytes = bytes_
        self.rows: list[_Row] = []
        #: For each cut axis of the result the number of its dim.
        self.dims: dict[int, int] = {}
        joins = False
        for axis, size in enumerate(target.sizes):
            steps = tuple(p.source.strides[axis] for p in pieces)
            row = _Row(size, target.strides[axis], steps)
            both = self.rows[-1].around(row) if joins and axis not in cut else None
            if both is not None:
                self.rows[-1] = both
            elif size > 1:
                if axis in cut:
                    self.dims[axis] = len(self.rows)
                self.rows.append(row)
            joins = axis not in cut and (joins or size > 1)

    def kernel(self, room: int) -> Kernel:
        """The kernel of the best tiling."""
        sizes = [row.size for row in self.rows]
        fixed = list(self.dims.values())
        steps = [(d, ALL) for d in fixed]
        steps += [(d, ALL) for d in reversed(range(len(sizes))) if d not in fixed]
        held = prod(sizes[d] for d in fixed)

        def cost(tiling: Tiling) -> float:
            if any(tiling.tiles[d] < sizes[d] for d in fixed):
                return float("inf")
            moved = prod(tiling.tiles) * self.bytes
            return pace(self.group.machine, tiling, 2.0 * moved, 2.0 * moved)

        most = max(held, min(DMA_BYTES, room) // self.bytes)
        plan = steps
        found = (
            tiling
            for tiling in ways(self.group.machine, sizes, [plan], most, cost, fixed)
            if cost(tiling) < float("inf")
        )
        return fitting(self.group.machine, found, self._nest)

    def _nest(self, tiling: Tiling) -> Kernel:
        dtype = self.op.result.type.dtype
        dims = range(len(self.rows))
        buffer = Buffer("t", dtype, tuple(tiling.tiles) or (1,), "tsram")
        steps = strides(buffer.shape)
        words = [self._load(tiling, buffer, steps, number) for number in range(len(self.pieces))]
        sides = [tiling.side(d, self.rows[d].target) for d in dims]
        views = {
            "d": strided(
                self.target.buffer,
                [*tiling.guards(dims), *sides],
                offset=self.target.offset,
                drop=True,
            ),
            "a": strided(buffer, [Side(tiling.tiles[d], steps[d]) for d in dims]),
        }
        words.append(Word("copy", "ST", views, location=self.op.location))
        kernel = Kernel(self.group.name, location=self.op.location, title=self.op.name)
        return nested(tiling, words, [buffer], kernel)

    def _load(self, tiling: Tiling, buffer: Buffer, steps: Sequence[int], number: int) -> Word:
        piece = self.pieces[number]
        axes = {dim: axis for axis, dim in self.dims.items()}
        far, near, offset = [], [], 0
        for dim, row in enumerate(self.rows):
            if dim in axes:
                size = piece.source.sizes[axes[dim]]
                offset += piece.at[axes[dim]] * steps[dim]
                far.append(Side(size, row.sources[number]))
            else:
                size = tiling.tiles[dim]
                far.append(tiling.side(dim, row.sources[number]))
            near.append(Side(size, steps[dim]))
        source = piece.source
        views = {
            "d": strided(buffer, near, offset=offset),
            "a": strided(source.buffer, far, offset=source.offset, dtype=source.dtype),
        }
        queue = "LD0" if number % 2 == 0 else "LD1"
        return Word("copy", queue, views, location=self.op.location)
