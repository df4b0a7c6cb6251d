"""Tile shapes of contractions: which there are, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from maiacc_passes.kernel.limits import AXES, DIMS, DMA_BYTES, GROUP, SPARSE_STEP, SUM
from maiacc_passes.lowering.pricing import Price
from maiacc_passes.lowering.tiling import Tiling, ranked, spreads

#: Results for each tile of the chip from which on how they are dealt matters more than their sizes.
MANY = 1 << 16

#: Sums of a tile.
DEPTHS = (32, 128, 512, 2048, SUM)

#: Ways that are tried before a contraction is found not to fit.
MOST = 24


class Choice(Price):
    """The ways to cut one product, or a part of one."""

    @property
    def step(self) -> int:
        """What is summed is cut at multiples of this."""
        return GROUP if self.product.scales else 1 if self.product.meta is None else SPARSE_STEP

    def tilings(self) -> Iterator[Tiling]:
        """Ways to cut it, the cheapest first; at last the smallest tiles there are."""
        found: dict[Tiling, float] = {}
        block = self.machine.int("ttu.block")
        blocks = self.machine.int("ttu.acc_blocks")
        for rows in (1, 2, 4, 5, 6, 7, 8, 16) if self._large else (1, 2, 4, 8, 16):
            for columns in (1, 2, 3, 4, 5, 6, 8, 16) if self._large else (1, 2, 3, 4, 6, 8, 16):
                if rows * columns > blocks:
                    continue
                for depth in (32, 128, 512, 1024, 2048, SUM) if self._large else DEPTHS:
                    self._ways(found, rows * block, columns * block, depth)
                    if self._large:
                        self._ways(found, rows * block, columns * block, depth, whole=False)
                    if len(self.product.shape.k) > 1:
                        self._ways(found, rows * block, columns * block, depth, kernel=True)
        yield from ranked(found, MOST)
        yield from self._least()

    @property
    def _large(self) -> bool:
        """Whether there are many tiles of a result for each tile of the chip."""
        shape, extents = self.product.shape, self.product.extents
        results = prod(extents[d] for d in (*shape.m, *shape.n))
        return (
            bool(self.product.starts)
            or results >= MANY * self.machine.tiles * self.machine.clusters
        )

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
        shape, extents = self.product.shape, self.product.sizes
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
            for panel in (False, True) if self._large else (False,):
                tiling = self._tiling(tiles, order, panel)
                if tiling not in found and self._holds(tiling):
                    found[tiling] = self.cost(tiling)

    def _tiling(
        self, tiles: Sequence[int], order: tuple[tuple[int, str], ...], panel: bool = False
    ) -> Tiling:
        product = self.product
        extents, starts = product.extents, product.starts
        return Tiling(self.machine, extents, tuple(tiles), order, panel, starts)

    def parts(self) -> tuple[Choice, ...]:
        """The product, or two parts of its rows where that costs less: as many as can be dealt
        evenly, and the rest."""
        shape, machine = self.product.shape, self.machine
        if not self._large or len(shape.m) != 1 or shape.batch or self.product.starts:
            return (self,)
        (dim,) = shape.m
        rows, block = self.product.extents[dim], machine.int("ttu.block")
        best: tuple[Choice, ...] = (self,)
        least = self.least()
        for tiles in (machine.tiles, machine.tiles * machine.clusters):
            end = rows // (tiles * block) * tiles * block
            if 0 < end < rows:
                first, rest = (self.of(self.product.part(dim, *x)) for x in ((0, end), (end, rows)))
                if first.least() + rest.least() < least:
                    best, least = (first, rest), first.least() + rest.least()
        return best

    def least(self) -> float:
        """What the cheapest way costs."""
        return self.cost(next(self.tilings()))

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
        shape, extents = self.product.shape, self.product.sizes
        outer = (*shape.batch, *shape.m, *shape.n)
        tiles = [1] * len(extents)
        if self.step > 1:
            tiles[shape.k[-1]] = self.step
        for d, size in self.product.fixed:
            tiles[d] = size
        sums = tuple((d, "") for d in shape.k)
        for dealt in outer or (None,):
            order = tuple((d, "gtile" if d == dealt else "") for d in outer)
            yield self._tiling(tiles, (*order, *sums))

    # ---- what fits ----------------------------------------------------------------------------
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
        if tiling.panel and not self._pays(tiling):
            return False
        held = 2 * sum(loads) + 4 * m * n * self.sides
        if tiling.panel:
            held += self.panel(tiling) - 2 * loads[0]
        return (
            (2 * acc if self._large else acc) <= self.machine.int("ttu.acc_blocks")
            and max(loads) <= DMA_BYTES
            and self._sayable(tiling)
            and held <= room
        )

    def _pays(self, tiling: Tiling) -> bool:
        """Whether there is a panel: rows that stay while a loop goes over columns and sums."""
        shape, a = self.product.shape, self.product.a
        inner = {d for d, _ in tiling.order[-len(shape.k) - 1 :]}
        whole = all(d in tiling.spreads for d in shape.k)
        plain = self.product.op.name.startswith("contract") and not self.product.scales
        return plain and whole and len(shape.n) == 1 and shape.n[0] in inner - a.dims()


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
