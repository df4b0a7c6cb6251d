"""Kernels of one loop nest around some words: the first way to cut that fits a tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Location, Op
from maiacc_passes.kernel.model import Buffer, Kernel, Node, Word
from maiacc_passes.kernel.views import strided
from maiacc_passes.lowering.chunked_words import Span, span
from maiacc_passes.lowering.cutting import cuts
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.tiling import Tiling

#: Ways to cut that are tried for tiles of some size.
TRIES = 3


def fitting_tiles(
    machine: Machine,
    extents: Sequence[int],
    room: int,
    make: Callable[[Tiling], Kernel],
    full: frozenset[int] = frozenset(),
) -> Kernel:
    """The kernel of the first tiling that fits, of tiles of at most ``room`` elements, or fewer.
    Raises ``IRError`` E1502 where not even the smallest tile fits."""
    return fitting(machine, _ever_smaller(machine, extents, room, full), make)


def _ever_smaller(
    machine: Machine, extents: Sequence[int], room: int, full: frozenset[int]
) -> Iterator[Tiling]:
    """Some ways to cut for tiles of each size."""
    while room:
        found = cuts(machine, extents, set(full), room)
        yield from islice(found, TRIES) if room > 1 else found
        room //= 4


def around(
    tiling: Tiling,
    name: str,
    title: str,
    location: Location,
    words: Sequence[Node],
    buffers: Sequence[Buffer],
) -> Kernel:
    """The loops of a tiling around words; the buffers are fresh in the innermost one."""
    kernel = Kernel(name, location=location, title=title)
    body, declared = kernel.body, kernel.buffers
    for loop in tiling.loops():
        body.append(loop)
        body, declared = loop.body, loop.buffers
    body += words
    declared += buffers
    return kernel


class Nest:
    """Words and buffers of the innermost loop of a tiling, while a kernel of an op is made."""

    def __init__(self, op: Op, tiling: Tiling) -> None:
        self.op = op
        self.tiling = tiling
        self.location = op.location
        self.words: list[Node] = []
        self.buffers: list[Buffer] = []

    def span(self, name: str, dtype: str, sizes: Sequence[int]) -> Span:
        """A new buffer."""
        made = span(name, dtype, sizes)
        self.buffers.append(made.buffer)
        return made

    def around(self, name: str) -> Kernel:
        """The kernel."""
        title, location = self.op.name, self.location
        return around(self.tiling, name, title, location, self.words, self.buffers)


def stored(tiling: Tiling, found: Span, target: Buffer, location: Location) -> Word:
    """A word that stores a tile of a dense tensor whose dims are those of the tiling."""
    sizes = tiling.extents
    steps = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    sides = [tiling.side(axis, step) for axis, step in enumerate(steps)]
    guards = tiling.guards(range(len(sides)))
    views = {"d": strided(target, [*guards, *sides], drop=True), "a": found.view()}
    return Word("copy", "ST", views, location=location)
