"""Operands of contractions: the tile of each that a word of the tensor unit reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from maiacc_passes.ir.graph import Location
from maiacc_passes.kernel.model import Buffer, Term, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.tiling import Tiling, name_of

#: What lies outside of a tensor, if not 0: of four elements the first two, which are 0.
FILLS = {"meta": 4.0}


class Operand:
    """A or B of a contraction: the tile of it in memory, and how words see it.

    ``axes`` are, for each axis of the tensor, how dims move its coordinate, and where it starts:
    ``{dim: step}``. Of a dim in ``shared``, so many elements have one here: two in values of a
    2:4 matrix, four in their positions.
    """

    def __init__(
        self,
        name: str,
        access: Access,
        axes: Sequence[tuple[dict[int, int], int]],
        shared: Mapping[int, int] | None = None,
    ) -> None:
        self.name = name
        self.access = access
        self.shared = dict(shared or {})
        self.moves = [moves for moves, _ in axes]
        self.axes = [
            (moves, start, size, stride)
            for (moves, start), size, stride in zip(axes, access.sizes, access.strides, strict=True)
            if moves or start
        ]
        self.order = sorted(range(len(self.axes)), key=lambda i: (-abs(self.axes[i][3]), i))
        self._dims = {dim for moves, *_ in self.axes for dim in moves}
        # Many ways to cut are priced, and most of them differ in other operands' dims.
        self._bytes: dict[tuple[int, ...], int] = {}

    @property
    def dtype(self) -> str:
        """The element type."""
        return self.access.dtype or self.access.buffer.dtype

    def dims(self) -> set[int]:
        """The dims that it has."""
        return self._dims

    def common(self, tiling: Tiling) -> bool:
        """Whether all tiles of a cluster need the same elements."""
        dealt = [d for d, spread in tiling.order if spread in ("tile", "gtile")]
        return bool(dealt) and self.dims().isdisjoint(dealt)

    def tile(self, dim: int, tiling: Tiling) -> int:
        """Elements of a tile along a dim."""
        return tiling.tiles[dim] // self.shared.get(dim, 1)

    def reach(self, axis: int, tiling: Tiling) -> int:
        """Coordinates of an axis that a tile touches."""
        reach, tiles, shared = 1, tiling.tiles, self.shared
        for d, step in self.axes[axis][0].items():
            reach += step * ((tiles[d] // shared[d] if d in shared else tiles[d]) - 1)
        return reach

    def shape(self, tiling: Tiling) -> tuple[int, ...]:
        """The tile in memory, in the order of strides."""
        return tuple(self.reach(axis, tiling) for axis in self.order) or (1,)

    def panel(self, tiling: Tiling, sums: Sequence[int]) -> tuple[int, ...]:
        """The tiles of all turns over sums, in the order of strides."""
        whole = {d: tiling.trips(d) * tiling.tiles[d] for d in sums if d in tiling.spreads}
        tiles = tuple(whole.get(d, n) for d, n in enumerate(tiling.tiles))
        return self.shape(replace(tiling, tiles=tiles))

    def boxed(self, axis: int, tiling: Tiling) -> bool:
        """Whether a tile may touch coordinates that an axis does not have."""
        moves, start, size, _ = self.axes[axis]
        last = start + sum(
            step * (tiling.extents[d] // self.shared.get(d, 1) - 1) for d, step in moves.items()
        )
        return start < 0 or last >= size or any(tiling.ragged(d) for d in moves)

    def load(
        self,
        tiling: Tiling,
        buffer: Buffer,
        queue: str,
        weights: bool,
        location: Location,
        sums: Sequence[int] = (),
    ) -> Word:
        """The word that fetches a tile; with ``sums`` into a panel of tiles along these dims."""
        sides = []
        for axis in self.order:
            moves, start, size, stride = self.axes[axis]
            terms: tuple[Term, ...] = tuple(
                (name_of(d), step * self.tile(d, tiling))
                for d, step in moves.items()
                if d in tiling.spreads
            )
            extent = size if self.boxed(axis, tiling) else None
            first = start + sum(step * tiling.start(d) for d, step in moves.items())
            sides.append(Side(self.reach(axis, tiling), stride, extent, first, terms))
        source = strided(
            self.access.buffer,
            sides,
            offset=self.access.offset,
            fill=FILLS.get(self.name, 0.0),
            dtype=self.access.dtype,
        )
        target = strided(buffer, self._places(tiling, sums))
        views = {"d": target, "a": source}
        return Word("copy", queue, views, weights=weights, location=location)

    def _places(self, tiling: Tiling, sums: Sequence[int]) -> list[Side]:
        """The axes of a tile where it lies in memory, in a panel moved by the turn."""
        sides = []
        steps = steps_of(self.panel(tiling, sums))
        for axis, step in zip(self.order, steps, strict=False):
            moves = self.axes[axis][0]
            terms = tuple((name_of(d), tiling.tiles[d]) for d in moves if d in sums)
            sides.append(Side(self.reach(axis, tiling), step, None, 0, terms))
        return sides or [Side(1, 1)]

    def run(self, tiling: Tiling) -> int:
        """Bytes of a tile that lie one behind the other in memory."""
        step = 1
        for axis in reversed(self.order):
            *_, size, stride = self.axes[axis]
            if stride != step:
                break
            reach = min(self.reach(axis, tiling), size)
            step *= reach
            if reach < size:
                break
        return step * Buffer("", self.dtype, (1,), "hbm").element.bits // 8 or 1

    def bytes(self, tiling: Tiling) -> int:
        """Bytes of a tile."""
        key = tuple([tiling.tiles[d] for d in self._dims])
        if key not in self._bytes:
            self._bytes[key] = Buffer("", self.dtype, self.shape(tiling), "tsram").bytes
        return self._bytes[key]

    def view(
        self,
        tiling: Tiling,
        buffer: Buffer,
        rows: Sequence[int],
        columns: Sequence[int],
        sums: Sequence[int] = (),
    ) -> View:
        """The tile as rows and columns of the product; with ``sums`` in a panel of tiles."""
        steps: dict[int, int] = {}
        for axis, step in zip(self.order, steps_of(self.panel(tiling, sums)), strict=False):
            for dim, move in self.axes[axis][0].items():
                steps[dim] = move * step
        sides = []
        for d in (*rows, *columns):
            terms = ((name_of(d), tiling.tiles[d]),) if d in sums else ()
            sides.append(Side(self.tile(d, tiling), steps.get(d, 0), None, 0, terms))
        return strided(buffer, sides, len(rows))


def steps_of(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
