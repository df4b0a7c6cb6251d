"""Convolutions whose groups have one result channel each: many channels in a tile.

    for i0 over cluster, i1 over tile {                 channels, or rows of the result
      LD0 copy %x <- @x[channels, cells]
      LD1 copy %w <- @w[channels, taps]
      for j < 32 {
        TTU multiply %acc[row j] <- %w[j | taps], %x[j, places | taps]
      }
      DRN drain %y <- %acc, %bias
      ST copy @y[...] <- %y
    }

A product has one row: the kernel of a channel, and as many columns as there are places. So each
channel has a row of the accumulators, which drain as the result lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.limits import DIMS
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import VIEWS
from maiacc_passes.lowering.choosing import Choice, even
from maiacc_passes.lowering.contraction import Maker
from maiacc_passes.lowering.expr import Tile
from maiacc_passes.lowering.fitting import fitting, unless_too_large
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.operands import Operand, steps_of
from maiacc_passes.lowering.pricing import is_near
from maiacc_passes.lowering.shapes import product_of
from maiacc_passes.lowering.tiling import Tiling, ranked, spreads

#: The variable of the loop over the channels of a tile.
CHANNEL = "channel"

#: Ways that are tried.
MOST = 24

#: Cycles of a product beside its own: the loop around it.
WORD = 4


def lower_depthwise(group: Group, op: Op) -> Kernel | None:
    """A kernel for a convolution whose result channels are groups, and what follows it; None where
    no such kernel fits."""
    product = product_of(group, op)
    rate = group.machine.kchunk(product.b.dtype, product.a.dtype)
    if not rate or product.meta is not None or not product.shape.batch:
        return None
    behind = [other for other in group.ops if other is not op and other.name not in VIEWS]
    near = all(is_near(buffer.root) for buffer in group.outputs.values())
    choice = Channels(product, group.machine, rate, behind, near)

    def make(tiling: Tiling) -> Kernel:
        return _Rows(group, choice, tiling).kernel()

    return unless_too_large(lambda: fitting(group.machine, choice.tilings(), make))


class Channels(Choice):
    """Ways to cut: so many channels, which are rows, and so many places, which are columns."""

    def tilings(self) -> Iterator[Tiling]:
        """Ways to cut it, the cheapest first."""
        found: dict[Tiling, float] = {}
        block = self.machine.int("ttu.block")
        blocks = self.machine.int("ttu.acc_blocks")
        for channels in (1, 2, 4, 8, 16, 32, 64, 128):
            most = blocks // -(-channels // block)
            for columns in (1, 2, 4, 8, 16, 32, 64):
                if columns <= most:
                    self._cut(found, channels, columns * block)
        yield from ranked(found, MOST)

    def _cut(self, found: dict[Tiling, float], channels: int, room: int) -> None:
        shape, extents = self.product.shape, self.product.extents
        tiles = list(extents)
        (dim,) = shape.batch
        tiles[dim] = even(extents[dim], channels)
        left = room
        for d in reversed(shape.m):
            tiles[d] = even(extents[d], max(1, left))
            left //= tiles[d]
        for d in shape.m:
            if sum(tiles[x] > 1 for x in (*shape.m, *shape.k)) > DIMS:
                tiles[d] = 1
        outer = [d for d in (*shape.batch, *shape.m) if tiles[d] < extents[d]]
        for way in spreads(outer) or [()]:
            dealt = dict(way)
            order = tuple((d, dealt.get(d, "")) for d in outer)
            tiling = Tiling(self.machine, extents, tuple(tiles), order)
            if tiling not in found and self._holds(tiling):
                found[tiling] = self.cost(tiling)

    def sizes(self, tiling: Tiling) -> tuple[int, int, int]:
        """Channels, places and sums of a tile."""
        shape = self.product.shape
        m, n, k = (prod(tiling.tiles[d] for d in dims) for dims in (shape.batch, shape.m, shape.k))
        return m, n, k

    def busy(self, tiling: Tiling) -> int:
        """Cycles that the tensor unit needs for a tile: a product for each channel."""
        channels, places, k = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        return channels * (WORD + -(-places // block) * -(-k // self.rate))


class _Rows(Maker):
    """Makes the kernel of one tiling, a row of accumulators for each channel."""

    def __init__(self, group: Group, choice: Choice, tiling: Tiling) -> None:
        super().__init__(group, choice, tiling)
        channels, places, _ = choice.sizes(tiling)
        block = self.machine.int("ttu.block")
        self.pitch = -(-places // block) * block
        self.acc = Buffer("acc", self.acc.dtype, (-(-channels // block) * block, self.pitch), "acc")

    def _multiply(self, buffers: dict[str, Buffer]) -> Node:
        product, tiling = self.product, self.tiling
        shape = product.shape
        (channel,) = shape.batch
        places = [tiling.tiles[d] for d in shape.m]
        row = Side(1, self.pitch, None, 0, ((CHANNEL, 1),))
        columns = [Side(n, s) for n, s in zip(places, steps_of(places), strict=True)]
        views = {
            "d": strided(self.acc, [row, *columns], 1),
            "a": self._channel(product.b, buffers["b"], ()),
            "b": self._channel(product.a, buffers["a"], shape.m),
        }
        fields: dict[str, object] = {"over": (), "mode": "over"}
        word = Word("multiply", "TTU", views, fields=fields, location=product.op.location)
        return Loop(CHANNEL, tiling.tiles[channel], "", [word])

    def _channel(self, operand: Operand, buffer: Buffer, rows: tuple[int, ...]) -> View:
        """The part of an operand that belongs to a channel."""
        tiling, shape = self.tiling, self.product.shape
        steps: dict[int, int] = {}
        for axis, step in zip(operand.order, steps_of(operand.shape(tiling)), strict=False):
            for dim, move in operand.axes[axis][0].items():
                steps[dim] = move * step
        (channel,) = shape.batch
        mine = Side(1, steps.get(channel, 0), None, 0, ((CHANNEL, 1),))
        sides = [Side(tiling.tiles[d], steps.get(d, 0)) for d in (*rows, *shape.k)]
        return strided(buffer, [mine, *sides], 1 + len(rows))

    def _tile(self) -> Tile:
        shape = self.product.shape
        (channel,) = shape.batch
        places = [self.tiling.tiles[d] for d in shape.m]
        strides = dict(zip(shape.m, steps_of(places), strict=True))
        return Tile(self.acc, (channel, *shape.m), {channel: self.pitch, **strides})
