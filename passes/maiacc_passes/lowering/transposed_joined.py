"""Transposed convolutions whose residues are computed in one tile, so that stores have long runs.

    for i1 over cluster {                                result channels
      LD1 copy %w <- @w[channels]
      for i2 over tile {                                 so many cells for each residue
        LD0 copy %x <- @x[cells that any residue needs]
        TTU multiply %acc0 <- %w[taps of residue 0], %x[...]
        TTU multiply %acc1 <- %w[taps of residue 1], %x[...]
        DRN drain %y[0::2] <- %acc0, %bias
        DRN drain %y[1::2] <- %acc1, %bias
        ST copy @y[...] <- %y
      }
    }

Rows of a product are result channels, columns are cells; what is summed may be cut along channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.limits import DIMS, DMA_BYTES, SUM
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.choosing import even
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.tiling import Tiling, ranked, spreads
from maiacc_passes.lowering.transposed_residues import Residue

#: Dims: batch, result channels; cells of each axis follow, then channels, taps, what x reaches.
BATCH, OUT, CELLS = 0, 1, 2

#: Cycles of a turn beside what is busiest, ways that are tried.
TURN, TRIES = 150, 12


@dataclass(frozen=True)
class Joined:
    """One group of channels: x, the kernel as [O, C, ...], the bias, the result, and the residues
    of each axis, one for each place modulo the stride, in order."""

    op: Op
    x: Access
    w: Access
    bias: Access | None
    result: Access
    ways: tuple[tuple[Residue, ...], ...]
    strides: tuple[int, ...]

    @property
    def rank(self) -> int:
        """Axes."""
        return len(self.ways)

    def starts(self, axis: int) -> tuple[int, int]:
        """The first cell of x that the first cells need, and the last."""
        met = [way for way in self.ways[axis] if way.taps]
        first = min(way.start for way in met)
        return first, max(way.start + (way.taps - 1) * way.dilation for way in met)


def dtype_of(access: Access) -> str:
    """The type that elements are read as."""
    return access.dtype or access.buffer.dtype


# ---- dims and cuts --------------------------------------------------------------------------
def _extents(job: Joined) -> tuple[int, ...]:
    sizes = job.result.sizes
    cells = [-(-n // s) for n, s in zip(sizes[2:], job.strides, strict=True)]
    reach = [1 + last - first for first, last in map(job.starts, range(job.rank))]
    return (sizes[0], sizes[1], *cells, job.w.sizes[1], *job.w.sizes[2:], *reach)


def operands_of(job: Joined) -> tuple[Operand, Operand]:
    """What is loaded: x and the kernel."""
    rank = job.rank
    channel = CELLS + rank
    taps = range(channel + 1, channel + 1 + rank)
    reach = range(channel + 1 + rank, channel + 1 + 2 * rank)
    spatial = [({CELLS + a: 1, u: 1}, job.starts(a)[0]) for a, u in enumerate(reach)]
    x = Operand("x", job.x, [({BATCH: 1}, 0), ({channel: 1}, 0), *spatial])
    kernel = [({tap: 1}, 0) for tap in taps]
    w = Operand("w", job.w, [({OUT: 1}, 0), ({channel: 1}, 0), *kernel])
    return x, w


def tilings_of(job: Joined, machine: Machine, rate: int) -> Iterator[Tiling]:
    """Ways to cut it, the cheapest first."""
    extents = _extents(job)
    block, blocks = machine.int("ttu.block"), machine.int("ttu.acc_blocks")
    classes = prod(job.strides)
    found: dict[Tiling, float] = {}
    channel = CELLS + job.rank
    for rows in (1, 2, 4):
        for columns in (1, 2, 4, 8, 16, 32):
            if rows * columns * classes > blocks:
                continue
            for depth in (SUM, 256, 64, 16):
                tiles = list(extents)
                tiles[BATCH], tiles[OUT] = 1, even(extents[OUT], rows * block)
                left = columns * block
                for d in reversed(range(CELLS, channel)):
                    tiles[d] = even(extents[d], max(1, left))
                    left //= tiles[d]
                tiles[channel] = even(extents[channel], depth)
                if 2 * job.rank + 1 > DIMS:
                    tiles[CELLS] = 1
                for tiling in _dealt(job, machine, extents, tiles):
                    if tiling not in found and _holds(job, tiling, machine):
                        found[tiling] = _cost(job, tiling, machine, rate)
    yield from ranked(found, TRIES)


def _dealt(
    job: Joined, machine: Machine, extents: Sequence[int], tiles: Sequence[int]
) -> Iterator[Tiling]:
    outer = [d for d in (OUT, BATCH, *range(CELLS, CELLS + job.rank)) if tiles[d] < extents[d]]
    channel = CELLS + job.rank
    sums = ((channel, ""),) if tiles[channel] < extents[channel] else ()
    for way in spreads(outer) or [()]:
        dealt = dict(way)
        order = (*((d, dealt.get(d, "")) for d in outer), *sums)
        yield Tiling(machine, tuple(extents), tuple(tiles), order)


def sizes_of(job: Joined, tiling: Tiling) -> tuple[int, int]:
    """Rows and columns of a residue."""
    return tiling.tiles[OUT], prod(tiling.tiles[CELLS : CELLS + job.rank])


def _holds(job: Joined, tiling: Tiling, machine: Machine) -> bool:
    rows, columns = sizes_of(job, tiling)
    loads = [operand.bytes(tiling) for operand in operands_of(job)]
    out = rows * columns * prod(job.strides) * 4
    room = machine.space_bytes("tsram")
    return max(*loads, out) <= DMA_BYTES and 2 * (sum(loads) + out) <= room


def _cost(job: Joined, tiling: Tiling, machine: Machine, rate: int) -> float:
    """Cycles, roughly."""
    rows, columns = sizes_of(job, tiling)
    block = machine.int("ttu.block")
    depth = tiling.tiles[CELLS + job.rank]
    taps = [sum(way.taps for way in ways) for ways in job.ways]
    cycles = -(-rows // block) * -(-columns // block) * -(-depth * prod(taps) // rate)
    port = machine.int("tile.bytes_per_cycle")
    x, w = (operand.bytes(tiling) for operand in operands_of(job))
    out = rows * columns * prod(job.strides) * 4
    return tiling.turns * (max(cycles, (x + w + out) / port) + TURN)
