"""What a way to cut a contraction costs: a formula over the machine's rates.

It is the most of what the tensor unit, the memory and a tile's port are busy with, and what each
turn of a loop adds. It ranks; the simulator judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Self

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.shapes import Product
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.schedule.homes import LARGEST

#: Loads that are on their way at once, if memory allows; cycles that a result costs beside, and a
#: turn of a loop over sums.
SLOTS, TURN, STEP = 4, 10, 12

#: How often the time of a panel is lost that comes in front of columns, measured.
BEHIND = 3.3

#: Passes of the vector unit over a tile of the result, of ops that take many.
PASSES = {
    **dict.fromkeys(("div", "recip", "sqrt"), 2.0),
    **dict.fromkeys(("exp", "log", "rsqrt", "erf", "tanh", "log1p", "expm1"), 4.5),
    **dict.fromkeys(("sigmoid", "silu", "sin", "cos", "atan"), 6.5),
    "gelu": 9.0,
    "pow": 18.0,
}


class Price:
    """Prices of ways to cut one product. ``rate`` is how much of what is summed the tensor unit
    takes in a cycle, ``behind`` are the ops that follow on tiles of the result; ``near`` results
    will be in the clusters' memories."""

    def __init__(
        self, product: Product, machine: Machine, rate: int, behind: Sequence[Op], near: bool
    ) -> None:
        self.product = product
        self.machine = machine
        self.rate = rate
        self.behind = behind
        self.near = near
        self.sides = 3 + len(behind)
        self.passes = sum(PASSES.get(op.name, 0.4) for op in behind)

    def of(self, product: Product) -> Self:
        """Prices of a part of the product."""
        return type(self)(product, self.machine, self.rate, self.behind, self.near)

    def sizes(self, tiling: Tiling) -> tuple[int, int, int]:
        """Rows, columns and sums of a tile."""
        shape = self.product.shape
        m, n, k = (prod(tiling.tiles[d] for d in dims) for dims in (shape.m, shape.n, shape.k))
        return m, n, k

    def panel(self, tiling: Tiling) -> int:
        """Bytes of a panel."""
        return self.product.a.bytes(tiling) * prod(tiling.trips(d) for d in self.product.shape.k)

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly: the first load, turns at the pace of what is busiest, the last store."""
        machine, product = self.machine, self.product
        m, n, _ = self.sizes(tiling)
        block, latency = machine.int("ttu.block"), machine.int("hbm.latency")
        blocks = -(-m // block) * -(-n // block)
        cycles, turns = self.busy(tiling), tiling.turns
        outer = prod(tiling.trips(d) for d, _ in tiling.order if d not in product.shape.k)
        out = float(m * n * 4)
        port, load = self._moved(tiling, out * outer)
        own = machine.int("tile.bytes_per_cycle")
        # Weights are on their way before the kernel starts.
        later = [x for x in product.operands if x.access.buffer.kind != "weight"]
        soon = sum(x.bytes(tiling) for x in later)
        here = all(is_near(x.access.buffer) for x in later)
        last = machine.int("csram.latency") if self.near else latency
        first = float(last if here else latency)
        first += soon / own if here else max(soon, port / turns) / own
        vector = self.passes * out / 4 / machine.int("tvp.lanes32")
        slots = self._slots(tiling)
        waits = turns > slots if here else turns > 1
        # What all tiles of a cluster get starts when the slowest of them has room.
        far = latency * (2 if not here and any(x.common(tiling) for x in later) else 1)
        pace = max(cycles, load / turns, (far + load / turns) / slots if waits else 0.0)
        pace = max(pace, vector * outer / turns)
        drain = out / 4 / machine.int("drain.lanes32")
        exposed = drain * outer if 2 * blocks > machine.int("ttu.acc_blocks") else drain
        tail = exposed + out / own + last + self._panels(tiling) / own
        return first + turns * (pace + STEP) + cycles + vector + tail + TURN * outer

    def _slots(self, tiling: Tiling) -> int:
        """Loads that are on their way at once, as far as there is room for them."""
        m, n, _ = self.sizes(tiling)
        loads = [x.bytes(tiling) for x in self.product.operands]
        held = 8 * m * n
        if tiling.panel:
            held += self.panel(tiling)
            loads[0] = 0
        return max(1, min(SLOTS, (self.machine.space_bytes("tsram") - held) // max(1, sum(loads))))

    def _moved(self, tiling: Tiling, out: float) -> tuple[float, float]:
        """Bytes through a tile's port, and cycles of the busiest of ports and memories."""
        machine, product = self.machine, self.product
        tiles = machine.tiles * machine.clusters
        port, hbm, csram = out, 0.0, 0.0
        for operand in product.operands:
            moved = operand.bytes(tiling) * self.loads(operand, tiling)
            run, burst = operand.run(tiling), machine.int("hbm.burst")
            whole = moved * (-(-run // burst) * burst / run)
            port += moved
            shared = operand.common(tiling)
            if is_near(operand.access.buffer):
                csram += whole * (1 if shared else machine.tiles)
            else:
                hbm += whole * (machine.clusters if shared else tiles)
        if self.near:
            csram += out * tiles
        else:
            hbm += out * tiles
        width = float(machine["hbm.bytes_per_cycle"]) * float(machine["hbm.efficiency"])
        own, near = machine.int("tile.bytes_per_cycle"), machine.int("csram.bytes_per_cycle")
        return port, max(hbm / width, port / own, csram / near)

    def _panels(self, tiling: Tiling) -> float:
        """Bytes of the port's time that panels cost: the first one is waited for, and columns for
        each other one, which is in front of them."""
        if not tiling.panel:
            return 0.0
        trips = prod(tiling.trips(d) for d in self.product.shape.k)
        times = self.loads(self.product.a, tiling) // trips
        return self.panel(tiling) * (1 + BEHIND * (times - 1))

    def busy(self, tiling: Tiling) -> int:
        """Cycles that the tensor unit needs for a tile."""
        m, n, k = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        rate = self.rate * (1 if self.product.meta is None else 2)
        return -(-m // block) * -(-n // block) * -(-k // rate)

    def loads(self, operand: Operand, tiling: Tiling) -> int:
        """How often a tile loads an operand: for each turn of the innermost loop it depends on."""
        mine, sums = operand.dims(), self.product.shape.k
        if tiling.panel and operand is self.product.a:
            kept = prod(tiling.trips(d) for d in sums)
            return kept * prod(tiling.trips(d) for d, _ in tiling.order if d in mine - {*sums})
        found, times = 1, 1
        for dim, _ in tiling.order:
            times *= tiling.trips(dim)
            if dim in mine:
                found = times
        return found


def is_near(buffer: Buffer) -> bool:
    """Whether a buffer will be in the clusters' memories, if all goes well."""
    return buffer.kind == "temp" and buffer.bytes <= LARGEST
