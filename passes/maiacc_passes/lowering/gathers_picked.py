"""Elements picked from a table that a tile holds: a part of the indexed tensor with whole axes.

LD0 copy %x <- @x[...]          the tile's part of the dims beside the index
LD1 copy %i <- @indices[...]
TVP map %p <- %i, iota
TVP pick %t <- %x at %p
ST copy @y[...] <- %t
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Axis, Buffer, Kernel, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.fitting import fitting, unless_too_large
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import nested
from maiacc_passes.lowering.moves_cuts import ALL, pace, ways
from maiacc_passes.lowering.moves_index import Indices
from maiacc_passes.lowering.moves_places import Places
from maiacc_passes.lowering.tiling import Tiling


class Table:
    """The part of an indexed tensor that a tile holds: all of the axes that are indexed, and its
    tile of the spots beside them, in the order of the strides."""

    def __init__(self, access: Access, places: Places) -> None:
        self.access = access
        self.places = places
        self.dtype = access.dtype or access.buffer.dtype
        self.bytes = ELEMENTS[self.dtype].bits // 8
        spots = [d for d, spot in enumerate(places.spots) if spot.base]
        #: Axes: the number of a spot or None, the number of a part or None, and the stride.
        self.axes: list[tuple[int | None, int | None, int]] = [
            (d, None, places.spots[d].base) for d in spots
        ]
        self.axes += [(None, j, part.stride) for j, part in enumerate(places.parts)]
        self.axes.sort(key=lambda axis: -abs(axis[2]))

    def size(self, tiling: Tiling, axis: tuple[int | None, int | None, int]) -> int:
        """Elements of a tile along an axis."""
        dim, part, _ = axis
        if dim is not None:
            return tiling.tiles[dim]
        assert part is not None
        return self.places.parts[part].extent

    def held(self, tiling: Tiling) -> int:
        """Elements of a tile."""
        return prod(self.size(tiling, axis) for axis in self.axes)

    def strides(self, tiling: Tiling) -> tuple[list[int], list[tuple[int, int]]]:
        """How far apart elements are in a tile: by part, and by spot."""
        parts = [0] * len(self.places.parts)
        spots: list[tuple[int, int]] = []
        step = 1
        for axis in reversed(self.axes):
            dim, part, _ = axis
            if dim is not None:
                spots.append((dim, step if tiling.tiles[dim] > 1 else 0))
            else:
                assert part is not None
                parts[part] = step
            step *= self.size(tiling, axis)
        return parts, spots

    def sides(self, tiling: Tiling) -> list[Side]:
        """The tile's part of the tensor, in HBM."""
        found = []
        for axis in self.axes:
            dim, _, stride = axis
            if dim is None:
                found.append(Side(self.size(tiling, axis), stride))
            else:
                found.append(tiling.side(dim, stride))
        return found

    def near(self, buffer: Buffer, tiling: Tiling) -> View:
        """The tile in memory, in the same order."""
        sides = []
        step = self.held(tiling)
        for axis in self.axes:
            size = self.size(tiling, axis)
            step //= max(1, size)
            sides.append(Side(size, step))
        return strided(buffer, sides)

    def spread(self, tiling: Tiling, burst: int) -> float:
        """How many times its bytes a tile takes in HBM, for short runs."""
        run = 1
        for axis in reversed(self.axes):
            size = self.size(tiling, axis)
            if size > 1 and axis[2] != run:
                break
            run *= size
        size = max(1, run) * self.bytes
        return -(-size // burst) * burst / size

    def load(self, buffer: Buffer, tiling: Tiling) -> Word:
        """The word that loads it."""
        source = strided(
            self.access.buffer,
            self.sides(tiling),
            offset=self.access.offset,
            dtype=self.access.dtype,
        )
        views = {"d": self.near(buffer, tiling), "a": source}
        return Word("copy", "LD0", views, location=self.places.location)

    def element(self, buffer: Buffer, tiling: Tiling, more: int = 0) -> View:
        """One element of it, which an index moves; ``more`` is room behind it."""
        return View(buffer, (Axis(self.held(tiling) + more, 1),), (), 0)


def picked(
    group: Group, access: Access, places: Places, target: Buffer
) -> tuple[float, Kernel] | None:
    """A kernel that picks elements, and about how many cycles it takes; None where a table does
    not fit."""
    table = Table(access, places)
    whole = prod(part.extent for part in places.parts) * table.bytes
    if whole > group.machine.space_bytes("tsram") // 4:
        return None

    def made() -> tuple[float, Kernel]:
        picks = _Picks(group, table, places, target)
        kernel = picks.kernel()
        return picks.cycles, kernel

    return unless_too_large(made)


class _Picks:
    def __init__(self, group: Group, table: Table, places: Places, target: Buffer) -> None:
        self.group = group
        self.table = table
        self.places = places
        self.target = target
        self.width = table.bytes + ELEMENTS[places.dtype].bits // 8 * len(places.parts) + 8
        self.cycles = 0.0

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly; none are enough where a tile does not fit."""
        machine, table = self.group.machine, self.table
        count, held = prod(tiling.tiles), table.held(tiling) * table.bytes
        moved = count * self.width
        if 2 * (held + moved) > machine.space_bytes("tsram") or held > DMA_BYTES:
            return float("inf")
        vector = count * (1 / machine.int("tvp.gather") + 4 / machine.int("tvp.lanes32"))
        loads = (
            prod(tiling.trips(d) for d, _ in tiling.order if self.places.spots[d].base)
            / tiling.turns
        )
        held = int(held * loads * table.spread(tiling, machine.int("hbm.burst")))
        return max(vector * tiling.turns, pace(machine, tiling, held + moved, held + moved))

    def kernel(self) -> Kernel:
        """The kernel of the best tiling."""
        machine, places = self.group.machine, self.places
        sizes = [spot.size for spot in places.spots]
        memory = machine.space_bytes("tsram")
        order = list(reversed(range(len(sizes))))
        beside = [d for d in order if not places.spots[d].base]
        rest = [d for d in order if places.spots[d].base]
        plans = [
            [(d, ALL) for d in order],
            [(d, ALL) for d in (*beside, *rest)],
            [(d, ALL) for d in (*rest, *beside)],
        ]
        most = max(1, min(DMA_BYTES // 8, memory // (2 * self.width)))
        found = ways(machine, sizes, plans, most, self.cost)
        return fitting(machine, (t for t in found if self.cost(t) < float("inf")), self._nest)

    def _nest(self, tiling: Tiling) -> Kernel:
        self.cycles = self.cost(tiling)
        places, table = self.places, self.table
        dims: Sequence[int] = range(len(places.spots))
        indices = Indices(places, tiling, dims)
        parts, spots = table.strides(tiling)
        at = indices.flat(parts, spots, True)
        held = Buffer("x", table.dtype, (table.held(tiling),), "tsram")
        tile = Buffer("t", table.dtype, tuple(tiling.tiles) or (1,), "tsram")
        views = {
            "d": indices.line(tile),
            "a": table.element(held, tiling),
            "b": at,
        }
        oob = "trap" if places.oob == "clamp" else places.oob
        pick = Word("pick", "TVP", views, fields={"oob": oob}, location=places.location)
        steps = [prod(tile.shape[d + 1 :]) for d in dims]
        sides = [tiling.side(d, places.spots[d].target) for d in dims]
        store = {
            "d": strided(self.target, [*tiling.guards(dims), *sides], drop=True),
            "a": strided(tile, [Side(tiling.tiles[d], steps[d]) for d in dims]),
        }
        words = [*indices.words, pick, Word("copy", "ST", store, location=places.location)]
        kernel = Kernel(self.group.name, location=places.location, title="gather")
        early = [(table.load(held, tiling), held), *indices.loads]
        return nested(tiling, words, [*indices.buffers, tile], kernel, early)
