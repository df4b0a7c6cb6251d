"""The sums of a product while the tensor unit makes them: rows and columns of accumulators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from maiacc_passes.kernel.model import Buffer, View
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.expr import Tile
from maiacc_passes.lowering.operands import steps_of
from maiacc_passes.lowering.tiling import Tiling


@dataclass(frozen=True)
class Accumulators:
    """``rows`` and ``columns`` are dims of the product, ``batch`` those that a tile has one of."""

    name: str
    tiling: Tiling
    batch: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    integer: bool = False

    @cached_property
    def buffer(self) -> Buffer:
        """The accumulators: whole blocks of the tensor unit."""
        kind = "int32" if self.integer else "fp32"
        return Buffer(self.name, kind, (self._whole(self.rows), self.pitch), "acc")

    @property
    def pitch(self) -> int:
        """Elements from one row to the next."""
        return self._whole(self.columns)

    def _whole(self, dims: Sequence[int]) -> int:
        block = self.tiling.machine.int("ttu.block")
        return -(-prod(self.tiling.tiles[d] for d in dims) // block) * block

    def _sides(self) -> list[tuple[int, int, int]]:
        """Dims, their sizes and the elements between two of each."""
        found: list[tuple[int, int, int]] = []
        for dims, unit in ((self.rows, self.pitch), (self.columns, 1)):
            sizes = [self.tiling.tiles[d] for d in dims]
            steps = [step * unit for step in steps_of(sizes)]
            found += zip(dims, sizes, steps, strict=True)
        return found

    def view(self) -> View:
        """All of them, as a word of the tensor unit writes them."""
        return strided(self.buffer, [Side(n, s) for _, n, s in self._sides()], len(self.rows))

    def tile(self) -> Tile:
        """The sums as a tile of the result."""
        strides: dict[int, int] = dict.fromkeys(self.batch, 0)
        strides |= {d: step for d, _, step in self._sides()}
        return Tile(self.buffer, (*self.batch, *self.rows, *self.columns), strides)
