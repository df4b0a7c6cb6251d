"""Updates at computed places: scatter_elements, scatter_nd.

    a kernel that copies, then          elements of a table that a tile holds
      LD1 copy %i <- @indices[...]        LD0 copy %x <- @x[...]
      LD0 copy %u <- @updates[...]        LD1 copy %i <- @indices[...]
      TVP map %p <- %i, iota              LD0 copy %u <- @updates[...]
      ST scatter @y rows at %p <- %u      TVP map %p <- %i, iota
                                          TVP put %x at %p <- %u
                                          ST copy @y[...] <- %x

Updates meet in their order: dims that may bring two of them to one place are walked by every tile
from first to last; the others are dealt. Narrow integers are combined as wider ones.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Axis, Buffer, Kernel, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.copies import mover
from maiacc_passes.lowering.fitting import RETRIED, fitting
from maiacc_passes.lowering.gathers import beside, indexed, located, outside, tuples
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import access_copy, movable, nested
from maiacc_passes.lowering.moves_cuts import ALL, pace, ways
from maiacc_passes.lowering.moves_index import Indices
from maiacc_passes.lowering.moves_places import FAR, Places, Spot, joined
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.scatters_put import putting
from maiacc_passes.lowering.scatters_words import checked, dropped, in_order, loaded
from maiacc_passes.lowering.tiling import Tiling

#: Types whose elements the machine combines in memory, and wider ones for others.
COMBINED = frozenset({"fp32", "bf16", "fp16", "int32", "int64"})
WIDER = {
    **dict.fromkeys(("bool", "int8", "uint8", "int16", "uint16"), "int32"),
    **dict.fromkeys(("uint32", "uint64"), "int64"),
}


def lower_scatter(group: Group, op: Op) -> list[Kernel]:
    """Kernels of an op that writes at computed places. Raises ``IRError`` E1505."""
    movable(op, op.result)
    x, updates = located(group, op.operands[0]), located(group, op.operands[2])
    target = whole(group.outputs[op.result], op.result.type.shape)
    index = op.operands[1]
    assert index is not None
    if not (index.type.size and prod(updates.sizes)):
        return mover(group).kernels([access_copy(x, target)])
    dtype = op.result.type.dtype
    if op.attrs["op"] == "set" or dtype in COMBINED:
        return _Scatter(group, op, x, updates, target).kernels()
    wide = WIDER.get(dtype)
    if wide is None or (dtype == "uint64" and op.attrs["op"] in ("min", "max")):
        raise unsupported(op, f"no word combines elements of {dtype}")
    first, between = [], []
    for number, access in enumerate((x, updates, target)):
        buffer = Buffer(f"{group.name}.wide{number}", wide, access.sizes, "hbm")
        between.append(whole(buffer, access.sizes))
        if number < 2:
            first.append(replace(access_copy(access, between[number]), result=wide))
    last = replace(access_copy(between[2], target), result=dtype)
    makes = mover(group, "convert")
    inner = _Scatter(group, op, *between).kernels()
    return [*makes.kernels(first), *inner, *makes.kernels([last])]


def _read(op: Op, index: Access, updates: Access, target: Access) -> Places:
    """Where updates go."""
    x = replace(target, offset=0)
    if op.name == "scatter_nd":
        spots, parts = tuples(x, index, updates.sizes, updates.strides, 0)
        step = index.strides[-1]
    else:
        axis = op.integer("axis") % len(x.sizes)
        spots = [
            Spot(s.size, s.index, s.target, s.base, 0 if d == axis else x.sizes[d])
            for d, s in enumerate(beside(index, x.strides, updates.strides, axis))
        ]
        _, parts = tuples(x, replace(index, sizes=(1,), strides=(0,)), (), (), axis)
        step = 0
    return Places(index, joined(spots), tuple(parts), step, outside(op), op.location)


class _Scatter:
    """The kernels of a scatter; everything has types that can be combined."""

    def __init__(self, group: Group, op: Op, x: Access, updates: Access, target: Access) -> None:
        self.group = group
        self.op = op
        self.x = x
        self.updates = updates
        self.target = target
        self.dtype = target.buffer.dtype
        self.bytes = ELEMENTS[self.dtype].bits // 8
        self.cycles = 0.0
        self.places = _read(op, located(group, op.operands[1]), updates, target)
        if self.places.extent >= FAR:
            raise unsupported(op, "more places than an index has bits for")

    def kernels(self) -> list[Kernel]:
        """The kernels of the cheaper way."""
        group, how = self.group, str(self.op.attrs["op"])
        put = putting(group, self.x, self.updates, self.target, self.places, how)
        moved = 2.0 * self.target.buffer.size * self.bytes
        width = float(group.machine["hbm.bytes_per_cycle"])
        try:
            kernel = self.kernel()
        except IRError as refusal:
            if put is None or refusal.code not in RETRIED:
                raise
            self.cycles = float("inf")
        if put is not None and put[0] < self.cycles + moved / width:
            return put[1]
        return [*mover(group).kernels([access_copy(self.x, self.target)]), kernel]

    def kernel(self) -> Kernel:
        """The kernel that scatters into the copy."""
        machine, places = self.group.machine, self.places
        sizes = [spot.size for spot in places.spots]
        held = min(DMA_BYTES, machine.space_bytes("tsram") // 4)
        rows, inner = list(reversed(places.rows)), list(reversed(places.columns))
        plans = [
            [*((d, ALL) for d in inner), *((d, ALL) for d in rows)],
            [*((d, 64) for d in inner[:1]), *((d, ALL) for d in rows)],
        ]
        most = max(1, held // (self.bytes if inner else 32))
        found = ways(machine, sizes, plans, most, self.cost, places.rows)
        fits = (
            t
            for t in found
            if prod(t.tiles[d] for d in places.rows) <= held // 32 and in_order(t, places.rows)
        )
        return fitting(machine, fits, self._nest)

    def cost(self, tiling: Tiling) -> float:
        """Cycles of the scatter, roughly."""
        machine = self.group.machine
        count = prod(tiling.tiles[d] for d in self.places.rows)
        run = prod(tiling.tiles[d] for d in self.places.columns) * self.bytes
        burst = machine.int("hbm.burst")
        hbm = count * (-(-run // burst) * burst + run)
        slow = count * machine.int("dma.row") * tiling.turns
        return max(slow, pace(machine, tiling, float(hbm), 2.0 * count * run))

    def _nest(self, tiling: Tiling) -> Kernel:
        self.cycles = self.cost(tiling)
        places, spots = self.places, self.places.spots
        rows, columns = places.rows, places.columns
        indices = Indices(places, tiling, rows)
        inside = indices.inside()
        oob = "fill" if inside is not None or places.oob == "clamp" else places.oob
        if places.direct and inside is None and places.oob != "clamp":
            at = indices.view()
            axis = Axis(places.parts[0].extent, places.parts[0].stride)
        else:
            unit = places.unit
            steps = [part.stride // unit for part in places.parts]
            at = indices.flat(steps, [(d, spots[d].base // unit) for d in rows], False)
            axis = Axis(places.extent, unit)
            if inside is not None:
                if places.oob == "trap":
                    checked(indices, at)
                at = dropped(indices, at, inside)
        buffer = Buffer("u", self.dtype, tuple(tiling.tiles) or (1,), "tsram")
        load = loaded(indices, self.updates, buffer)
        near, steps_ = tiling.tiles, strides(buffer.shape)
        order = (*rows, *columns)
        sides = [tiling.side(d, spots[d].base) for d in columns]
        row = strided(self.target.buffer, [*tiling.guards([*rows, *columns]), *sides], 0, drop=True)
        views = {
            "d": indexed(row, axis),
            "a": strided(buffer, [Side(near[d], steps_[d]) for d in order], len(rows)),
            "b": at,
        }
        fields: dict[str, object] = {"oob": oob, "op": self.op.attrs["op"]}
        scatter = Word("scatter", "ST", views, fields=fields, location=places.location)
        words = [*indices.words, load, scatter]
        kernel = Kernel(self.group.name, location=places.location, title=self.op.name)
        return nested(tiling, words, [*indices.buffers, buffer], kernel, indices.loads)
