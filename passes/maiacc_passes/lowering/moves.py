"""Kernels that move elements from where they are to where they go.

    for i0 over gtile < 4 {
      LD0 copy %x <- @x[...]       in the order of the source
      TVP map %t <- %x             in that of the target, if it is another one
      ST copy @y[...] <- %t
    }

A *line* is a dim of both sides: how far apart its elements are in the one and in the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import NOWHERE, Location, Op, Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Chain, Kernel, Loop, Node, Stage, Word
from maiacc_passes.kernel.views import Side, dense, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import nest
from maiacc_passes.lowering.moves_cuts import ALL, Step, pace, runs, ways
from maiacc_passes.lowering.moves_lines import Line, backward, bits, lines_of, part, reverse
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling

#: Bytes next to each other that make a transfer worth its while.
RUN_BYTES = 512


def movable(op: Op, value: Value) -> None:
    """Raises ``IRError`` E1505 for elements that no word moves one by one."""
    dtype = value.type.dtype
    if dtype == "fp64" or ELEMENTS[dtype].bits < 8:
        raise unsupported(op, f"elements of {dtype} are not moved one by one")


@dataclass(frozen=True)
class Copy:
    """Elements of a source that become those of a target: lines, and where both start. Elements
    that the lines say do not exist are the fill value. Integers may become those of another type,
    ``result``."""

    source: Buffer
    target: Buffer
    lines: tuple[Line, ...]
    start: int = 0
    to: int = 0
    dtype: str = ""
    fill: float = 0.0
    result: str = ""

    @cached_property
    def bytes(self) -> int:
        """What an element takes."""
        return ELEMENTS[self.dtype or self.source.dtype].bits // 8

    @cached_property
    def straight(self) -> bool:
        """Whether the source lies in the order of the target."""
        steps = [x.source for x in self.lines]
        return all(steps) and steps == sorted(map(abs, steps), reverse=True)

    def plan(self) -> list[Step]:
        """How a tile grows: runs of both sides until they are long, then in the target's order."""
        found: list[Step] = []
        for steps in ([x.target for x in self.lines], [x.source for x in self.lines]):
            run = 1
            for dim in sorted(range(len(steps)), key=lambda d: abs(steps[d])):
                if not steps[dim] or abs(steps[dim]) != run or run * self.bytes >= RUN_BYTES:
                    continue
                found.append((dim, -(-RUN_BYTES // (run * self.bytes))))
                run *= self.lines[dim].size
        return found + [(dim, ALL) for dim in reversed(range(len(self.lines)))]


@dataclass
class Mover:
    """Makes the kernels of copies. ``share`` is how many of them one kernel has."""

    machine: Machine
    name: str
    location: Location = NOWHERE
    title: str = "copy"
    share: int = 1
    _number: int = field(default=0, init=False)

    def kernel(self, copies: Sequence[Copy]) -> Kernel:
        """A kernel with these copies. Raises ``IRError`` E1501, E1502."""
        whole = Kernel(self.name, location=self.location, title=self.title)
        self.share = max(1, len(copies))
        for copy in copies:
            whole.body += self.moved(copy).body
        return whole

    def kernels(self, copies: Sequence[Copy], most: int = 8) -> list[Kernel]:
        """Kernels with some of the copies each; those without elements need none."""
        real = [copy for copy in copies if all(line.size for line in copy.lines)]
        return [self.kernel(real[i : i + most]) for i in range(0, len(real), most)]

    def moved(self, copy: Copy) -> Kernel:
        """A kernel with one copy, in its part of the memory."""
        room = self.machine.space_bytes("tsram") // (2 * self.share)
        width = copy.bytes if copy.straight else 2 * copy.bytes
        if copy.result:
            width += ELEMENTS[copy.result].bits // 8
        most = max(1, min(DMA_BYTES // copy.bytes, room // width))
        sizes = [line.size for line in copy.lines]
        plans = [copy.plan(), copy.plan()[-len(sizes) :] if sizes else []]

        def cost(tiling: Tiling) -> float:
            size = prod(tiling.tiles) * copy.bytes
            read = prod(n for n, x in zip(tiling.tiles, copy.lines, strict=True) if x.read)
            burst = self.machine.int("hbm.burst")
            load = runs(tiling, [x.source for x in copy.lines], copy.bytes, burst)
            store = runs(tiling, [x.target for x in copy.lines], copy.bytes, burst)
            hbm = read * copy.bytes * load + size * store
            return pace(self.machine, tiling, hbm, read * copy.bytes + size)

        found = ways(self.machine, sizes, plans, most, cost)
        return fitting(self.machine, found, lambda tiling: self._nest(copy, tiling))

    def _nest(self, copy: Copy, tiling: Tiling) -> Kernel:
        dims = range(len(copy.lines))
        words, buffers = self._loaded(copy, tiling)
        tile = buffers[-1]
        near = dense(tile)
        if copy.result not in ("", tile.dtype):
            chain = Chain("int64", (Stage("mov", ("a",)),))
            tile = self._buffer(copy.result, tile.shape)
            views = {"d": dense(tile), "a": near}
            words.append(Word("map", "TVP", views, chain, location=self.location))
            near = dense(tile)
            buffers.append(tile)
        sides = [part(tiling, d, x.target) for d, x in zip(dims, copy.lines, strict=True)]
        dtype = "" if tile.dtype == copy.target.dtype else tile.dtype
        target = strided(
            copy.target, [*tiling.guards(dims), *sides], offset=copy.to, drop=True, dtype=dtype
        )
        words.append(Word("copy", "ST", {"d": target, "a": near}, location=self.location))
        return nested(tiling, words, buffers, Kernel(self.name, location=self.location))

    def _buffer(self, dtype: str, shape: Sequence[int]) -> Buffer:
        self._number += 1
        return Buffer(f"t{self._number}", dtype, tuple(shape) or (1,), "tsram")

    def _loaded(self, copy: Copy, tiling: Tiling) -> tuple[list[Node], list[Buffer]]:
        """Words that bring a tile into memory, and the buffers for it, the last one in the order of
        the target. What has another order at the source is turned by the vector unit."""
        lines, tiles = copy.lines, tiling.tiles
        dtype = copy.dtype or copy.source.dtype
        own = [d for d in range(len(lines)) if lines[d].read]
        wide = sorted((d for d in own if tiles[d] > 1), key=lambda d: (-abs(lines[d].source), d))
        order = [*(d for d in own if tiles[d] == 1), *wide]
        back = [d for d in wide if lines[d].source < 0 and backward(tiling, d, lines[d])]
        flat = not back and wide == [d for d in range(len(lines)) if tiles[d] > 1]
        fill = copy.fill
        if not flat:
            # Bits move unchanged as integers of the same width.
            fill = bits(fill, dtype)
            dtype = f"int{8 * copy.bytes}"
        first = self._buffer(dtype, [tiles[d] for d in wide])
        far = [
            reverse(tiling, d, lines[d].source)
            if d in back
            else part(tiling, d, lines[d].source, lines[d])
            for d in order
        ]
        as_ = "" if copy.source.dtype == dtype else dtype
        source = strided(copy.source, far, offset=copy.start, fill=fill, dtype=as_)
        load = Word("copy", "LD0", {"a": source, "d": dense(first)}, location=self.location)
        if flat:
            return [load], [first]
        steps = dict(zip(wide, strides(first.shape), strict=False))
        last = self._buffer(dtype, tiles)
        sides = []
        for d in range(len(lines)):
            step = steps.get(d, 0)
            start = 1 - tiles[d] if d in back else 0
            sides.append(Side(tiles[d], -step if d in back else step, None, start))
        views = {"d": dense(last), "a": strided(first, sides)}
        chain = Chain(dtype, (Stage("mov", ("a",)),))
        turn = Word("map", "TVP", views, chain, location=self.location)
        return [load, turn], [first, last]


def nested(
    tiling: Tiling,
    words: Sequence[Node],
    buffers: Sequence[Buffer],
    kernel: Kernel,
    early: Sequence[tuple[Word, Buffer]] = (),
) -> Kernel:
    """A kernel of words in the loops of a tiling; ``early`` loads stand in the outermost loop that
    gives them all their variables."""
    loops = tiling.loops()
    whole = nest(loops, words)
    assert isinstance(whole, Loop)
    loops[-1].buffers += buffers
    kernel.body.append(whole)
    places = {loop.variable: number for number, loop in enumerate(loops)}
    before: dict[int, list[Node]] = {}
    for word, buffer in early:
        number = max((places[v] for v in word.views["a"].variables() if v in places), default=-1)
        before.setdefault(number, []).append(word)
        (kernel.buffers if number < 0 else loops[number].buffers).append(buffer)
    for number, found in before.items():
        if number < 0:
            kernel.body[-1:] = [*found, whole]
        else:
            loops[number].body = [*found, *loops[number].body]
    return kernel


def access_copy(source: Access, target: Access) -> Copy:
    """The copy of an access into another one of the same sizes."""
    lines = lines_of(source.sizes, source.strides, target.strides)
    return Copy(
        source.buffer, target.buffer, tuple(lines), source.offset, target.offset, source.dtype
    )


def dense_copies(accesses: Sequence[tuple[Access, str]]) -> Iterator[tuple[Access, Copy]]:
    """Temporary buffers with the elements of accesses in order, and what fills them."""
    for access, name in accesses:
        dtype = access.dtype or access.buffer.dtype
        buffer = Buffer(name, dtype, access.sizes, "hbm")
        target = Access(buffer, access.sizes, strides(access.sizes))
        yield target, access_copy(access, target)
