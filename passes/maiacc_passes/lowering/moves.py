"""Kernels that move elements from where they are to where they go.

    for i0 over gtile < 4 {
      LD0 turn %t <- @x[...]       or copy, where both sides are contiguous along the same dim
      ST copy @y[...] <- %t
    }

A *line* is a dim of both sides: how far apart its elements are in the one and in the other. Lines
that go on in each other on both sides are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import NOWHERE, Location, Op, Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.model import Buffer, Chain, Kernel, Loop, Node, Stage, Term, View, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.group import nest
from maiacc_passes.lowering.moves_cuts import ALL, Step, fitting, pace, runs, ways
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling, name_of

#: The most bytes that a DMA word moves; those of a run that is long enough.
DMA_BYTES, RUN_BYTES = 1 << 18, 512

#: The origin of a view lies below this in size; coordinates below that.
START, EXTENT = 1 << 15, 1 << 31


@dataclass(frozen=True)
class Line:
    """``size`` elements along a dim, so far apart at the source and at the target. If only
    ``extent`` of them exist, that many do from element ``before`` on."""

    size: int
    source: int
    target: int
    extent: int | None = None
    before: int = 0

    def around(self, inner: Line) -> Line | None:
        """This line with another one inside of it, as one; None if they are two."""
        whole = self.size * inner.size
        fits = (
            self.source == inner.source * inner.size
            and self.target == inner.target * inner.size
            and inner.extent is None
            and self.before * inner.size < START
            and whole < EXTENT
        )
        if not fits:
            return None
        extent = None if self.extent is None else self.extent * inner.size
        return Line(whole, inner.source, inner.target, extent, self.before * inner.size)


def merged(lines: Sequence[Line]) -> list[Line]:
    """Lines in this order with those that go on in each other as one, without those of size 1."""
    found: list[Line] = []
    for line in lines:
        if line.size == 1 and line.extent is None:
            continue
        both = found[-1].around(line) if found else None
        if both is not None:
            found[-1] = both
        else:
            found.append(line)
    return found


def lines_of(sizes: Sequence[int], source: Sequence[int], target: Sequence[int]) -> list[Line]:
    """Lines of two lists of strides, in the order of the target's."""
    found = [Line(n, s, t) for n, s, t in zip(sizes, source, target, strict=True)]
    return merged(sorted(found, key=lambda x: -abs(x.target)))


def part(tiling: Tiling, dim: int, stride: int, line: Line | None = None) -> Side:
    """The part of a dim that a tile has in HBM: its box, if a tile sticks out or elements lack."""
    if line is None or line.extent is None:
        return tiling.side(dim, stride)
    terms: tuple[Term, ...] = ()
    if dim in tiling.spreads:
        terms = ((name_of(dim), tiling.tiles[dim]),)
    return Side(tiling.tiles[dim], stride, line.extent, -line.before, terms)


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
        width = copy.bytes
        if copy.result:
            width += ELEMENTS[copy.result].bits // 8
        most = max(1, min(DMA_BYTES, room) // width)
        sizes = [line.size for line in copy.lines]
        plans = [copy.plan(), copy.plan()[-len(sizes) :] if sizes else []]

        def cost(tiling: Tiling) -> float:
            size = prod(tiling.tiles) * copy.bytes
            burst = self.machine.int("hbm.burst")
            load = runs(tiling, [x.source for x in copy.lines], copy.bytes, burst)
            store = runs(tiling, [x.target for x in copy.lines], copy.bytes, burst)
            return pace(self.machine, tiling, size * (load + store), 3.0 * size)

        found = ways(self.machine, sizes, plans, most, cost)
        return fitting(self.machine, found, lambda tiling: self._nest(copy, tiling))

    def _nest(self, copy: Copy, tiling: Tiling) -> Kernel:
        self._number += 1
        dims = range(len(copy.lines))
        shape = tuple(tiling.tiles) or (1,)
        dtype = copy.dtype or copy.source.dtype
        buffer = Buffer(f"t{self._number}", dtype, shape, "tsram")
        steps = strides(shape)
        sides = [part(tiling, d, x.target) for d, x in zip(dims, copy.lines, strict=True)]
        target = strided(copy.target, [*tiling.guards(dims), *sides], offset=copy.to, drop=True)
        tile = strided(buffer, [Side(tiling.tiles[d], steps[d]) for d in dims])
        words = [self._load(copy, tiling, buffer)]
        buffers = [buffer]
        if copy.result not in ("", dtype):
            buffers.append(Buffer(f"c{self._number}", copy.result, shape, "tsram"))
            near = strided(buffers[1], [Side(tiling.tiles[d], steps[d]) for d in dims])
            chain = Chain("int64", (Stage("mov", ("a",)),))
            words.append(Word("map", "TVP", {"d": near, "a": tile}, chain, location=self.location))
            tile = near
        words.append(Word("copy", "ST", {"d": target, "a": tile}, location=self.location))
        return nested(tiling, words, buffers, Kernel(self.name, location=self.location))

    def _load(self, copy: Copy, tiling: Tiling, buffer: Buffer) -> Word:
        """A load in the order of the source; it turns where the target has another one."""
        lines, steps = copy.lines, strides(buffer.shape)
        wide = [d for d in range(len(lines)) if tiling.tiles[d] > 1]
        order = sorted(wide, key=lambda d: (-abs(lines[d].source), d))
        rest = [d for d in range(len(lines)) if d not in wide]

        def views(inner: Sequence[int], outer: Sequence[int]) -> dict[str, View]:
            far = [part(tiling, d, lines[d].source, lines[d]) for d in (*rest, *inner)]
            near = [Side(tiling.tiles[d], steps[d]) for d in outer]
            dtype = "" if copy.source.dtype == buffer.dtype else buffer.dtype
            source = strided(copy.source, far, offset=copy.start, fill=copy.fill, dtype=dtype)
            return {"a": source, "d": strided(buffer, near)}

        first = [d for d in wide if abs(lines[d].source) == 1]
        last = wide[-1] if wide else None
        if first and last is not None and first[-1] != last:
            outer = [d for d in wide if d not in (first[-1], last)]
            made = views([*outer, last, first[-1]], [*outer, first[-1], last])
            if _turned(made["d"], made["a"]):
                return Word("turn", "LD0", made, location=self.location)
        return Word("copy", "LD0", views(order, order), location=self.location)


def _turned(d: View, a: View) -> bool:
    """Whether one view's last two dims are the other's, exchanged."""
    far, near = [x.size for x in a.dims], [x.size for x in d.dims]
    return len(near) >= 2 and far == [*near[:-2], near[-1], near[-2]]


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
