"""Updates of a table that a tile holds, which is loaded before and stored behind them.

for i0 over gtile < 4 {              dims beside the index
  LD0 copy %x <- @x[...]
  for i1 < 3 {                       dims that may bring two updates to one place
    LD1 copy %i <- @indices[...]
    LD0 copy %u <- @updates[...]
    TVP map %p <- %i, iota
    TVP put %x at %p <- %u
  }
  ST copy @y[...] <- %x
}
"""

from __future__ import annotations

from math import prod

from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Node, Word
from maiacc_passes.kernel.views import strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.copies import mover
from maiacc_passes.lowering.fitting import fitting, unless_too_large
from maiacc_passes.lowering.gathers_picked import Table
from maiacc_passes.lowering.group import Group, nest
from maiacc_passes.lowering.moves import dense_copies
from maiacc_passes.lowering.moves_cuts import ALL, pace, ways
from maiacc_passes.lowering.moves_index import Indices
from maiacc_passes.lowering.moves_places import Places
from maiacc_passes.lowering.scatters_words import checked, dropped, in_order, loaded
from maiacc_passes.lowering.tiling import Tiling, name_of


def putting(
    group: Group, x: Access, updates: Access, target: Access, places: Places, how: str
) -> tuple[float, list[Kernel]] | None:
    """Kernels that update tables, and about how many cycles they take; None where a table does not
    fit."""
    bytes_ = ELEMENTS[target.buffer.dtype].bits // 8
    least = prod(part.extent for part in places.parts) * bytes_
    if least > group.machine.space_bytes("tsram") // 4:
        return None
    kernels: list[Kernel] = []
    if x.strides != strides(x.sizes):
        [(x, copy)] = dense_copies([(x, f"{group.name}.dense")])
        kernels = mover(group).kernels([copy])
    puts = _Puts(group, x, updates, target, places, how)
    kernel = unless_too_large(puts.kernel)
    return None if kernel is None else (puts.cycles, [*kernels, kernel])


class _Puts:
    def __init__(
        self,
        group: Group,
        x: Access,
        updates: Access,
        target: Access,
        places: Places,
        how: str,
    ) -> None:
        self.group = group
        self.table = Table(x, places)
        self.updates = updates
        self.target = target
        self.places = places
        self.how = how
        self.cycles = 0.0
        #: Spots that may bring two updates to one place.
        self.walked = [d for d, spot in enumerate(places.spots) if not spot.base]
        self.width = self.table.bytes + 16
        self.width += ELEMENTS[places.dtype].bits // 8 * len(places.parts)

    def kernel(self) -> Kernel:
        """The kernel of the best tiling."""
        machine, places = self.group.machine, self.places
        sizes = [spot.whole for spot in places.spots]
        beside = [d for d in reversed(range(len(sizes))) if d not in self.walked]
        walked = list(reversed(self.walked))
        plans = [
            [(d, ALL) for d in (*walked, *beside)],
            [*((d, ALL) for d in beside), *((d, ALL) for d in walked)],
            [*((d, 16) for d in beside[:1]), *((d, ALL) for d in (*walked, *beside))],
        ]
        most = max(1, machine.space_bytes("tsram") // (2 * self.width))
        found = ways(machine, sizes, plans, most, self.cost, self.walked)
        fits = (t for t in found if self.cost(t) < float("inf") and in_order(t, walked))
        return fitting(machine, fits, self._nest)

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly; none are enough where a tile does not fit."""
        machine, table = self.group.machine, self.table
        count, held = prod(tiling.tiles), table.held(tiling) * table.bytes
        moved = count * self.width
        if 2 * (held + moved) > machine.space_bytes("tsram") or held > DMA_BYTES:
            return float("inf")
        vector = count * (1 / machine.int("tvp.gather") + 4 / machine.int("tvp.lanes32"))
        outer = prod(tiling.trips(d) for d, _ in tiling.order if d not in self.walked)
        loads = outer / tiling.turns
        port = 2.0 * held * loads
        far = port * table.spread(tiling, machine.int("hbm.burst"))
        return max(vector * tiling.turns, pace(machine, tiling, far + moved, port + moved))

    def _nest(self, tiling: Tiling) -> Kernel:
        self.cycles = self.cost(tiling)
        places, table = self.places, self.table
        dims = range(len(places.spots))
        held = Buffer("x", table.dtype, (table.held(tiling),), "tsram")
        target = strided(
            self.target.buffer, [*tiling.guards(dims), *table.sides(tiling)], drop=True
        )
        views = {"d": target, "a": table.near(held, tiling)}
        store = Word("copy", "ST", views, location=places.location)
        words, buffers = self._updates(tiling, held)
        loops = tiling.loops()
        names = {name_of(d) for d in self.walked}
        inner = [loop for loop in loops if loop.variable in names]
        outer = [loop for loop in loops if loop.variable not in names]
        middle: list[Node] = list(words)
        if inner:
            inner[-1].buffers += buffers
            made = nest(inner, words)
            assert made is not None
            middle = [made]
        else:
            outer[-1].buffers += buffers
        outer[-1].buffers.append(held)
        whole = nest(outer, [table.load(held, tiling), *middle, store])
        assert whole is not None
        return Kernel(self.group.name, [whole], location=places.location, title="scatter")

    def _updates(self, tiling: Tiling, held: Buffer) -> tuple[list[Word], list[Buffer]]:
        """The words that bring a tile of updates to a table."""
        places, table = self.places, self.table
        indices = Indices(places, tiling, range(len(places.spots)))
        parts, spots = table.strides(tiling)
        at = indices.flat(parts, spots, True)
        inside = indices.inside()
        oob = "trap" if places.oob == "clamp" else places.oob
        if inside is not None:
            if places.oob == "trap":
                checked(indices, at)
            at, oob = dropped(indices, at, inside), "fill"
        buffer = Buffer("u", table.dtype, tuple(tiling.tiles) or (1,), "tsram")
        views = {
            "d": table.element(held, tiling),
            "a": indices.line(buffer),
            "b": at,
        }
        fields: dict[str, object] = {"oob": oob, "op": self.how}
        put = Word("put", "TVP", views, fields=fields, location=places.location)
        load = loaded(indices, self.updates, buffer)
        loads = [word for word, _ in indices.loads]
        mine = [own for _, own in indices.loads]
        return [*loads, load, *indices.words, put], [*mine, *indices.buffers, buffer]
