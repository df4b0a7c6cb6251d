"""Elements at computed places: gather, gather_elements, gather_nd.

    rows by DMA                           elements of a table that a tile holds
      LD1 copy %i <- @indices[...]          LD0 copy %x <- @x[...]
      TVP map %p <- %i, iota                LD1 copy %i <- @indices[...]
      LD0 gather %t <- @x rows at %p        TVP map %p <- %i, iota
      ST copy @y[...] <- %t                 TVP pick %t <- %x at %p
                                            ST copy @y[...] <- %t

Where an index is a place as it is, no word computes it. Rows may go over dims outside of the index
too: their elements need not lie together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import AXES, DMA_BYTES
from maiacc_passes.kernel.model import Axis, Buffer, Dim, Kernel, View, Word
from maiacc_passes.kernel.views import Side, strided, strides, too_many
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.copies import mover, zeros
from maiacc_passes.lowering.fitting import RETRIED, fitting
from maiacc_passes.lowering.gathers_picked import picked
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import RUN_BYTES, dense_copies, movable, nested
from maiacc_passes.lowering.moves_cuts import ALL, pace, ways
from maiacc_passes.lowering.moves_index import Indices
from maiacc_passes.lowering.moves_places import FAR, Part, Places, Spot, joined
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling


def lower_gather(group: Group, op: Op) -> list[Kernel]:
    """Kernels of an op that reads at computed places. Raises ``IRError`` E1505."""
    movable(op, op.result)
    x, index = op.operands[0], op.operands[1]
    assert x is not None
    assert index is not None
    target = group.outputs[op.result]
    if not x.type.size:
        if op.attrs["oob"] == "error" and not counted(index):
            raise unsupported(op, "every index is outside, since there are no elements")
        return zeros(group, x, target)
    kernels: list[Kernel] = []
    table, places = _read(group, op)
    if places.negative:
        [(table, copy)] = dense_copies([(table, f"{group.name}.dense")])
        kernels += mover(group).kernels([copy])
        group.access[x] = table
        table, places = _read(group, op)
    if places.extent >= FAR:
        raise unsupported(op, "more places than an index has bits for")
    return [*kernels, gathered(group, table, places, target)]


def gathered(group: Group, table: Access, places: Places, target: Buffer) -> Kernel:
    """The cheaper kernel that reads a table at places: that picks elements, or gathers rows."""
    found = picked(group, table, places, target)
    rows = _Rows(group, table, places, target)
    try:
        kernel = rows.kernel()
    except IRError as refusal:
        if found is None or refusal.code not in RETRIED:
            raise
        return found[1]
    return found[1] if found is not None and found[0] < rows.cycles else kernel


def counted(index: Value) -> bool:
    """Whether there may be fewer indices than there is room for."""
    return any(index.type.counts)


def outside(op: Op) -> str:
    """What an index outside does, in the words' terms. Indices beyond those that exist must not
    trap; what they give does not matter."""
    index = op.operands[1]
    assert index is not None
    if op.attrs["oob"] != "error":
        return str(op.attrs["oob"])
    return "fill" if counted(index) else "trap"


def located(group: Group, value: Value | None) -> Access:
    """Where an operand lies."""
    assert value is not None
    access = group.located(value)
    assert access is not None, "operands come from outside of the group"
    return access


def _read(group: Group, op: Op) -> tuple[Access, Places]:
    """The tensor that is indexed, and where."""
    x, index = located(group, op.operands[0]), located(group, op.operands[1])
    to = strides(op.result.type.shape)
    sizes = op.result.type.shape
    if op.name == "gather_nd":
        spots, parts = tuples(x, index, sizes, to, op.integer("batch"))
        step = index.strides[-1]
    else:
        axis = op.integer("axis")
        parts, step = [Part(x.sizes[axis], x.strides[axis])], 0
        if op.name == "gather":
            first, rank = axis + len(index.sizes), len(x.sizes)
            spots = [Spot(sizes[d], 0, to[d], x.strides[d]) for d in range(axis)]
            for d, step_ in enumerate(index.strides, axis):
                spots.append(Spot(sizes[d], step_, to[d], 0))
            for d in range(axis + 1, rank):
                here = first + d - axis - 1
                spots.append(Spot(sizes[here], 0, to[here], x.strides[d]))
        else:
            spots = beside(index, x.strides, to, axis)
    return x, Places(index, joined(spots), tuple(parts), step, outside(op), op.location)


def beside(index: Access, table: Sequence[int], to: Sequence[int], axis: int) -> list[Spot]:
    """Spots of an op with an index for each element, along an axis."""
    return [
        Spot(size, index.strides[d], to[d], 0 if d == axis else table[d])
        for d, size in enumerate(index.sizes)
    ]


def tuples(
    x: Access, index: Access, sizes: Sequence[int], to: Sequence[int], batch: int
) -> tuple[list[Spot], list[Part]]:
    """Spots and parts of an op with tuples of indices."""
    length = index.sizes[-1]
    parts = [Part(x.sizes[batch + j], x.strides[batch + j]) for j in range(length)]
    spots = []
    lead = len(index.sizes) - 1
    for d in range(lead):
        spots.append(Spot(sizes[d], index.strides[d], to[d], x.strides[d] if d < batch else 0))
    for d in range(lead, len(sizes)):
        spots.append(Spot(sizes[d], 0, to[d], x.strides[batch + length + d - lead]))
    return spots, parts


class _Rows:
    """A gather of rows by DMA."""

    def __init__(self, group: Group, table: Access, places: Places, target: Buffer) -> None:
        self.group = group
        self.table = table
        self.places = places
        self.target = target
        self.dtype = table.dtype or table.buffer.dtype
        self.bytes = ELEMENTS[self.dtype].bits // 8
        self.cycles = 0.0

    def kernel(self) -> Kernel:
        """The kernel of the best tiling."""
        machine, places = self.group.machine, self.places
        sizes = [spot.size for spot in places.spots]
        held = min(DMA_BYTES, machine.space_bytes("tsram") // 4)
        inner = list(reversed(places.columns))
        rows = list(reversed(places.rows))
        most = max(1, held // 32)
        long = [(d, max(1, RUN_BYTES // self.bytes)) for d in inner[:1]]
        plans = [
            [*long, *((d, most) for d in rows), *((d, ALL) for d in inner)],
            [*((d, ALL) for d in inner), *((d, most) for d in rows)],
            [*long, *((d, 64) for d in rows), *((d, ALL) for d in inner)],
        ]
        found = ways(machine, sizes, plans, max(1, held // self.bytes), self.cost)
        fits = (t for t in found if prod(t.tiles[d] for d in places.rows) <= most)
        return fitting(machine, fits, self._nest)

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly."""
        machine = self.group.machine
        count = prod(tiling.tiles[d] for d in self.places.rows)
        size = prod(tiling.tiles) * self.bytes
        run, burst = self._run(tiling) * self.bytes, machine.int("hbm.burst")
        moved = size * (-(-run // burst) * burst / run)
        slow = count * machine.int("dma.row") * tiling.turns
        return max(slow, pace(machine, tiling, moved + size, 2.0 * size))

    def _run(self, tiling: Tiling) -> int:
        run = 1
        for d in reversed(self.places.columns):
            if abs(self.places.spots[d].base) != run:
                break
            run *= tiling.tiles[d]
            if tiling.tiles[d] < self.places.spots[d].size:
                break
        return run

    def _nest(self, tiling: Tiling) -> Kernel:
        self.cycles = self.cost(tiling)
        places, spots = self.places, self.places.spots
        rows, columns = places.rows, places.columns
        indices = Indices(places, tiling, rows)
        if places.direct:
            at = indices.view()
            axis = Axis(places.parts[0].extent, places.parts[0].stride)
        else:
            unit = places.unit
            steps = [part.stride // unit for part in places.parts]
            at = indices.flat(steps, [(d, spots[d].base // unit) for d in rows], False)
            axis = Axis(places.extent, unit)
        shape = tuple(tiling.tiles) or (1,)
        buffer, steps_ = Buffer("t", self.dtype, shape, "tsram"), strides(shape)
        near = [Side(tiling.tiles[d], steps_[d]) for d in (*rows, *columns)]
        row = strided(
            self.table.buffer,
            [tiling.side(d, spots[d].base) for d in columns],
            0,
            offset=self.table.offset,
            dtype=self.table.dtype,
        )
        views = {
            "d": strided(buffer, near, len(rows)),
            "a": indexed(row, axis),
            "b": at,
        }
        fields: dict[str, object] = {"oob": places.oob}
        gather = Word("gather", "LD0", views, fields=fields, location=places.location)
        words = [*indices.words, gather, stored(tiling, places, buffer, self.target)]
        kernel = Kernel(self.group.name, location=places.location, title="gather")
        return nested(tiling, words, [*indices.buffers, buffer], kernel, indices.loads)


def indexed(row: View, axis: Axis) -> View:
    """A row whose coordinate on a new first axis is what an index moves."""
    if len(row.axes) >= AXES:
        raise too_many([Side(dim.size, 0) for dim in row.dims])
    dims = tuple(Dim(dim.size, dim.axis + 1, dim.step) for dim in row.dims)
    return replace(row, axes=(axis, *row.axes), dims=dims)


def stored(tiling: Tiling, places: Places, buffer: Buffer, target: Buffer) -> Word:
    """The word that stores a tile of the result."""
    dims = range(len(places.spots))
    steps = strides(buffer.shape)
    sides = [tiling.side(d, places.spots[d].target) for d in dims]
    views = {
        "d": strided(target, [*tiling.guards(dims), *sides], drop=True),
        "a": strided(buffer, [Side(tiling.tiles[d], steps[d]) for d in dims]),
    }
    return Word("copy", "ST", views, location=places.location)
