"""Shapes and work list of the panel products: who multiplies which panel with which columns.

``gemm.py`` explains the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from kit import cdiv, split_evenly

from maiacc_isa.machine import Machine


@dataclass(frozen=True)
class Piece:
    """A tensor of an operand: one element for ``group`` steps of K; ``fill`` is read outside."""

    name: str
    dtype: str
    bits: int
    group: int = 1
    fill: int = 0
    kind: str = "input"

    def bytes(self, rows: int, depth: int) -> int:
        """Bytes of some rows, ``depth`` of K long."""
        return rows * cdiv(depth // self.group * self.bits, 8)


@dataclass(frozen=True)
class Form:
    """What a product is made of: the pieces of A and B, the multiply, the option that ties an
    operand's second piece to its first, and how much of K one multiply takes."""

    a: tuple[Piece, ...]
    b: tuple[Piece, ...]
    multiply: str
    option: str
    depth: int


@dataclass(frozen=True)
class Shape:
    """Sizes that follow from the machine: rows of a panel, columns of a block, depth of a chunk;
    their numbers in a cluster; the grid of clusters; slots of the ring of B."""

    rows: int
    width: int
    depth: int
    chunks: int
    panels: int
    columns: int
    down: int
    across: int
    slots: int

    @property
    def begin(self) -> int:
        """Column blocks of the first step."""
        return min(2, self.columns)


def shape(mach: Machine, form: Form, m: int, n: int, k: int) -> Shape:
    """Panels as tall as TSRAM allows, clusters in the squarest grid whose part of B fits."""
    block, half = mach.int("ttu.block"), mach.int("ttu.acc_blocks") // 2
    depth, chunks = form.depth, cdiv(k, form.depth)
    tall = isqrt(2 * half)

    def chunk(pieces: tuple[Piece, ...], rows: int) -> int:
        return sum(p.bytes(rows, depth) for p in pieces)

    while tall > 1 and chunk(form.a, tall * block) * chunks > mach.int("tsram.bytes") * 2 // 3:
        tall //= 2
    rows, width = tall * block, half // tall * block
    free = mach.int("tsram.bytes") - chunk(form.a, rows) * chunks - 4 * rows * width
    slots = min(8, free // chunk(form.b, width))
    for across in range(1, mach.clusters + 1):
        down = mach.clusters // across
        columns = cdiv(cdiv(n, width), across)
        fits = columns * chunks * chunk(form.b, width) <= mach.int("csram.bytes")
        if down * across == mach.clusters and down <= across and fits and slots >= 2:
            panels = max(cdiv(cdiv(m, rows), down), mach.tiles)
            return Shape(rows, width, depth, chunks, panels, columns, down, across, slots)
    raise ValueError(f"{m} x {n} x {k} does not fit the memories of {mach.name}")


Segment = tuple[int, int, int]


def plan(panels: int, columns: int, tiles: int) -> list[list[Segment]]:
    """Deals out all pairs of ``panels`` and ``columns``: the segments (panel, first column block,
    count) of each tile."""
    share = [count for _, count in split_evenly(panels * columns, tiles)]
    first = [(t, 0, min(share[t], columns - t % 3 * (columns // 3))) for t in range(tiles)]
    rest = [(t, keep, columns - keep) for t, _, keep in first if keep < columns]
    rest += [(p, 0, columns) for p in range(tiles, panels)]
    deals = [_deal(first, rest[i:] + rest[:i], share) for i in range(max(1, len(rest)))]
    # segments of one pair have no time to change the panel
    return min(deals, key=lambda deal: sum(seg[2] == 1 for row in deal for seg in row))


def _deal(first: list[Segment], rest: list[Segment], share: list[int]) -> list[list[Segment]]:
    """Fills each tile's share from ``rest``, in order."""
    left = list(rest)
    rows = []
    for start, count in zip(first, share, strict=True):
        row, wanted = [start], count - start[2]
        while wanted:
            panel, n, size = left.pop(0)
            part = min(size, wanted)
            row.append((panel, n, part))
            wanted -= part
            if part < size:
                left.insert(0, (panel, n + part, size - part))
        rows.append(row)
    return rows
