"""Tile shapes of contractions: which there are, what each costs, the cheapest first.

The cost is a formula over the machine's rates: the most of what the tensor unit, the memory and a
tile's port are busy with, and what each turn of a loop adds. It ranks; the simulator judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.limits import AXES, DIMS, DMA_BYTES, GROUP, SPARSE_STEP, SUM
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.shapes import Product
from maiacc_passes.lowering.tiling import Tiling, spreads
from maiacc_passes.schedule.homes import LARGEST

#: Loads that are on their way at once, if memory allows; cycles that a result costs beside, and a
#: turn of a loop over sums.
SLOTS, TURN, STEP = 4, 10, 12

#: Passes of the vector unit over a tile of the result, of ops that take many.
PASSES = {
    **dict.fromkeys(("div", "recip", "sqrt"), 2.0),
    **dict.fromkeys(("exp", "log", "rsqrt", "erf", "tanh", "log1p", "expm1"), 4.5),
    **dict.fromkeys(("sigmoid", "silu", "sin", "cos", "atan"), 6.5),
    "gelu": 9.0,
    "pow": 18.0,
}

#: Results for each tile of the chip from which on how they are dealt matters more than their sizes.
MANY = 1 << 16

#: Ways that are tried before a contraction is found not to fit.
MOST = 24


class Choice:
    """The ways to cut one product. ``rate`` is how much of what is summed the tensor unit takes
    in a cycle, ``behind`` are the ops that follow on tiles of the result; ``near`` results will be
    in the clusters' memories."""

    def __init__(
        self, product: Product, machine: Machine, rate: int, behind: Sequence[Op], near: bool
    ) -> None:
        self.product = product
        self.machine = machine
        self.rate = rate
        self.near = near
        self.sides = 3 + len(behind)
        self.passes = sum(PASSES.get(op.name, 0.4) for op in behind)

    @property
    def step(self) -> int:
        """What is summed is cut at multiples of this."""
        return GROUP if self.product.scales else 1 if self.product.meta is None else SPARSE_STEP

    def tilings(self) -> Iterator[Tiling]:
        """Ways to cut it, the cheapest first; at last the smallest tiles there are."""
        found: dict[Tiling, float] = {}
        block = self.machine.int("ttu.block")
        blocks = self.machine.int("ttu.acc_blocks")
        for rows in (1, 2, 4, 5, 8, 16) if self._large else (1, 2, 4, 8, 16):
            for columns in (1, 2, 3, 4, 5, 6, 8, 16) if self._large else (1, 2, 3, 4, 6, 8, 16):
                if rows * columns > blocks:
                    continue
                for depth in (32, 128, 512, 2048, SUM):
                    self._ways(found, rows * block, columns * block, depth)
                    if self._large:
                        self._ways(found, rows * block, columns * block, depth, whole=False)
                    if len(self.product.shape.k) > 1:
                        self._ways(found, rows * block, columns * block, depth, kernel=True)
        yield from sorted(found, key=lambda t: (found[t], t.order, t.tiles))[:MOST]
        yield from self._least()

    @property
    def _large(self) -> bool:
        """Whether there are many tiles of a result for each tile of the chip."""
        shape, extents = self.product.shape, self.product.extents
        results = prod(extents[d] for d in (*shape.m, *shape.n))
        return results >= MANY * self.machine.tiles * self.machine.clusters

    def _ways(
        self,
        found: dict[Tiling, float],
        rows: int,
        columns: int,
        depth: int,
        kernel: bool = False,
        whole: bool = True,
    ) -> None:
        """Enters the ways with tiles of so many rows, columns and sums; with ``kernel`` a tile has
        all places of a convolution's kernel, so that its input is loaded once for all of them.
        Tiles are ``whole`` if they can be; where there are many, tiles that stick out may be dealt
        more evenly."""
        shape, extents = self.product.shape, self.product.extents
        tiles = list(extents)
        for d in shape.batch:
            tiles[d] = 1
        step = self.step
        for dims, room, unit in ((shape.m, rows, 1), (shape.n, columns, 1), (shape.k, depth, step)):
            left = room
            inside = dims[:-1] if kernel and dims == shape.k else ()
            for d in inside:
                left //= extents[d]
            for number, d in enumerate(reversed(dims)):
                if d not in inside:
                    piece = even if whole or dims == shape.k else ragged
                    tiles[d] = piece(extents[d], max(1, left), 1 if number else unit)
                    left //= tiles[d]
        self._narrow(tiles)
        cut = [d for d in range(len(tiles)) if tiles[d] < extents[d]]
        sums = [d for d in shape.k if d in cut]
        outer = [d for d in (*shape.batch, *shape.m, *shape.n) if d in cut]
        for way in spreads(outer) or [()]:
            dealt = dict(way)
            order = (*((d, dealt.get(d, "")) for d in outer), *((d, "") for d in sums))
            tiling = Tiling(self.machine, extents, tuple(tiles), order)
            if tiling not in found and self._holds(tiling):
                found[tiling] = self.cost(tiling)

    def _narrow(self, tiles: list[int]) -> None:
        """Gives dims the sizes that they must have, and outer ones of a convolution over three
        axes size 1, so that views have few enough."""
        shape = self.product.shape
        for d, size in self.product.fixed:
            tiles[d] = size
        for d in (*shape.m, *shape.k):
            if sum(tiles[x] > 1 for x in (*shape.m, *shape.k)) > DIMS:
                tiles[d] = 1

    def _least(self) -> Iterator[Tiling]:
        """The smallest tiles, any of the dims dealt over tiles."""
        shape, extents = self.product.shape, self.product.extents
        outer = (*shape.batch, *shape.m, *shape.n)
        tiles = [1] * len(extents)
        if self.step > 1:
            tiles[shape.k[-1]] = self.step
        for d, size in self.product.fixed:
            tiles[d] = size
        sums = tuple((d, "") for d in shape.k)
        for dealt in outer or (None,):
            order = tuple((d, "gtile" if d == dealt else "") for d in outer)
            yield Tiling(self.machine, extents, tuple(tiles), (*order, *sums))

    # ---- what fits ----------------------------------------------------------------------------
    def sizes(self, tiling: Tiling) -> tuple[int, int, int]:
        """Rows, columns and sums of a tile."""
        shape = self.product.shape
        m, n, k = (prod(tiling.tiles[d] for d in dims) for dims in (shape.m, shape.n, shape.k))
        return m, n, k

    def _sayable(self, tiling: Tiling) -> bool:
        """Whether views have few enough dims with boxes: each of those has an axis of its own."""
        shape, a = self.product.shape, self.product.a
        outer = (*shape.batch, *shape.m, *shape.n)
        boxes = sum(a.boxed(axis, tiling) for axis in range(len(a.axes)))
        most = AXES if boxes == len(a.axes) else AXES - 1
        return boxes <= most and sum(tiling.ragged(d) for d in outer) < AXES

    def _holds(self, tiling: Tiling) -> bool:
        m, n, _ = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        acc = -(-m // block) * -(-n // block)
        loads = [x.bytes(tiling) for x in self.product.operands]
        room = self.machine.space_bytes("tsram")
        return (
            acc <= self.machine.int("ttu.acc_blocks")
            and max(loads) <= DMA_BYTES
            and self._sayable(tiling)
            and 2 * sum(loads) + 4 * m * n * self.sides <= room
        )

    # ---- what it costs ------------------------------------------------------------------------
    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly: the first load, turns at the pace of what is busiest, the last store."""
        machine, product = self.machine, self.product
        m, n, _ = self.sizes(tiling)
        block = machine.int("ttu.block")
        blocks = -(-m // block) * -(-n // block)
        cycles = self.busy(tiling)
        turns, tiles = tiling.turns, machine.tiles * machine.clusters
        outer = prod(tiling.trips(d) for d, _ in tiling.order if d not in product.shape.k)
        out = float(m * n * 4)
        port, hbm, csram, soon = out * outer, 0.0, 0.0, 0.0
        for operand in product.operands:
            moved = operand.bytes(tiling) * self.loads(operand, tiling)
            run, burst = operand.run(tiling), machine.int("hbm.burst")
            whole = moved * (-(-run // burst) * burst / run)
            port += moved
            # Weights are on their way before the kernel starts.
            if operand.access.buffer.kind != "weight":
                soon += operand.bytes(tiling)
            shared = self.shared(operand, tiling)
            if is_near(operand.access.buffer):
                csram += whole * (1 if shared else machine.tiles)
            else:
                hbm += whole * (machine.clusters if shared else tiles)
        if self.near:
            csram += out * outer * tiles
        else:
            hbm += out * outer * tiles
        width = float(machine["hbm.bytes_per_cycle"]) * float(machine["hbm.efficiency"])
        own = machine.int("tile.bytes_per_cycle")
        shared_width = machine.int("csram.bytes_per_cycle")
        load = max(hbm / width, port / own, csram / shared_width) / turns
        vector = self.passes * out / 4 / machine.int("tvp.lanes32")
        latency = machine.int("hbm.latency")
        last = machine.int("csram.latency") if self.near else latency
        here = all(
            x.access.buffer.kind == "weight" or is_near(x.access.buffer) for x in product.operands
        )
        first = float(last if here else latency)
        first += soon / own if here else max(soon, port / turns) / own
        waits = turns > SLOTS if here else turns > 1
        pace = max(cycles, load, (latency + load) / SLOTS if waits else 0.0)
        pace = max(pace, vector * outer / turns)
        drain = out / 4 / machine.int("drain.lanes32")
        exposed = drain * outer if 2 * blocks > machine.int("ttu.acc_blocks") else drain
        tail = exposed + out / own + last
        return first + turns * (pace + STEP) + cycles + vector + tail + TURN * outer

    def busy(self, tiling: Tiling) -> int:
        """Cycles that the tensor unit needs for a tile."""
        m, n, k = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        rate = self.rate * (1 if self.product.meta is None else 2)
        return -(-m // block) * -(-n // block) * -(-k // rate)

    def loads(self, operand: Operand, tiling: Tiling) -> int:
        """How often a tile loads an operand: for each turn of the innermost loop it depends on."""
        mine = operand.dims()
        found, times = 1, 1
        for dim, _ in tiling.order:
            times *= tiling.trips(dim)
            if dim in mine:
                found = times
        return found

    def shared(self, operand: Operand, tiling: Tiling) -> bool:
        """Whether all tiles of a cluster need the same elements."""
        mine = operand.dims()
        dealt = [d for d, spread in tiling.order if spread in ("tile", "gtile")]
        return bool(dealt) and not any(d in mine for d in dealt)


def is_near(buffer: Buffer) -> bool:
    """Whether a buffer will be in the clusters' memories, if all goes well."""
    return buffer.kind == "temp" and buffer.bytes <= LARGEST


def ragged(extent: int, most: int, unit: int = 1) -> int:
    """A size of at most so much, a multiple of the unit."""
    return extent if extent <= most else max(unit, most // unit * unit)


def even(extent: int, most: int, unit: int = 1) -> int:
    """A size of at most so much that cuts an extent into equal pieces, if there is a near one; a
    multiple of the unit."""
    if extent <= most:
        return extent
    most = max(unit, most // unit * unit)
    for size in range(most, most // 2, -unit):
        if extent % size == 0:
            return size
    return most
