"""Shapes and work list of the panel products: who multiplies which panel with which columns.

``gemm.py`` explains the schedule.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    operand's second piece to its first, how much of K one multiply takes, and
    its cycles for a block."""

    a: tuple[Piece, ...]
    b: tuple[Piece, ...]
    multiply: str
    option: str
    depth: int
    cycles: int


@dataclass(frozen=True)
class Shape:
    """Sizes that follow from the machine: rows of a panel, columns of a block, depth of a chunk;
    their numbers in a cluster; the grid of clusters; slots of the ring of B; panels that a cluster
    stages for the others of its row; passes over the columns."""

    rows: int
    width: int
    depth: int
    chunks: int
    panels: int
    columns: int
    down: int
    across: int
    slots: int
    staged: int = 0
    passes: int = 1

    @property
    def begin(self) -> int:
        """Column blocks of the first step."""
        return min(2, self.columns)

    @property
    def shared(self) -> int:
        """Tiles of a cluster whose first panel comes through CSRAM."""
        return self.staged * self.across


def _bytes(pieces: tuple[Piece, ...], rows: int, depth: int) -> int:
    return sum(p.bytes(rows, depth) for p in pieces)


def shape(mach: Machine, form: Form, m: int, n: int, k: int) -> Shape:
    """The shape that wastes least, in as few passes as possible: what lies outside A and B is
    multiplied too, and low panels need more of B than a tile's port lets through."""
    block, port = mach.int("ttu.block"), mach.int("tile.bytes_per_cycle")

    def cost(s: Shape) -> tuple[float, int, int, int]:
        area = s.rows * s.panels * s.down * s.width * s.columns * s.across * s.passes
        cycles = form.cycles * (s.rows // block) * (s.width // block)
        use = _bytes(form.b, s.width, s.depth) / cycles / port
        return area * max(1.0, use / 0.85), s.passes, s.across, -s.rows

    shapes = list(_shapes(mach, form, m, n, k))
    if not shapes:
        raise ValueError(f"{m} x {n} x {k} does not fit the memories of {mach.name}")
    return min(shapes, key=cost)


def _shapes(mach: Machine, form: Form, m: int, n: int, k: int) -> Iterator[Shape]:
    """Every height of panels and every grid of clusters that fits."""
    block, half = mach.int("ttu.block"), mach.int("ttu.acc_blocks") // 2
    depth, chunks = form.depth, cdiv(k, form.depth)
    for tall in range(1, isqrt(2 * half) + 1):
        rows, width = tall * block, half // tall * block
        panel = _bytes(form.a, rows, depth) * chunks
        free = mach.int("tsram.bytes") - panel - 4 * rows * width
        slots = min(10, free // _bytes(form.b, width, depth))
        column = _bytes(form.b, width, depth) * chunks
        most = mach.int("csram.bytes") // column
        for across in range(1, mach.clusters + 1):
            down = mach.clusters // across
            if down * across != mach.clusters or down > across or slots < 3 or not most:
                continue
            columns = cdiv(cdiv(n, width), across)
            passes = cdiv(columns, most)
            columns = cdiv(columns, passes)
            panels = max(cdiv(cdiv(m, rows), down), mach.tiles)
            while down > 1 and rows * panels % across:
                panels += 1
            # where CSRAM has room, some tiles share their first panels over a row of clusters
            staged = (mach.int("csram.bytes") - column * columns) // panel
            staged = min(staged, 2 * mach.tiles // 3 // across) if across > 1 else 0
            yield Shape(
                rows,
                width,
                depth,
                chunks,
                panels,
                columns,
                down,
                across,
                slots,
                staged,
                passes,
            )


#: A panel, its first column block, and how many.
Segment = tuple[int, int, int]


def plan(panels: int, columns: int, tiles: int) -> list[list[Segment]]:
    """Deals out all pairs of ``panels`` and ``columns``: the segments of each tile.

    Pairs, panel by panel, are cut into equal runs. A tile begins with the part of its run that
    starts at column block 0, and the shortest of these: so all of B is needed late, and tiles
    change their panels at different times. Panels are numbered such that tile t begins with t.
    """
    unit = 1
    rows: list[list[Segment]] = []
    for start, length in split_evenly(panels * columns // unit, tiles):
        row, at, left = [], start * unit, length * unit
        while left:
            panel, n = divmod(at, columns)
            count = min(left, columns - n)
            row.append((panel, n, count))
            at, left = at + count, left - count
        rows.append(_ordered(row, columns))
    # panels anew: t where tile t begins with it, if no tile before did
    numbers: dict[int, int] = {}
    for tile, row in enumerate(rows):
        numbers.setdefault(row[0][0], tile)
    free = iter(set(range(panels)) - set(numbers.values()))
    for panel in range(panels):
        if panel not in numbers:
            numbers[panel] = next(free)
    return [[(numbers[p], n, count) for p, n, count in row] for row in rows]


def _ordered(row: list[Segment], columns: int) -> list[Segment]:
    """A tile's segments in the order in which it does them. One with an odd number of blocks has
    less time for the next panel to arrive, and therefore comes late."""

    def key(segment: Segment) -> tuple[bool, bool, bool, int]:
        _, n, count = segment
        return count % 2 == 1, n > 0, count < columns // 4, count

    first = min(row, key=lambda segment: (segment[1] > 0, key(segment)))
    return [first, *sorted((other for other in row if other is not first), key=key)]


@dataclass(frozen=True)
class Step:
    """One or ``two`` column blocks of a panel. ``fresh``: the panel comes from HBM, ``share``: from
    CSRAM; ``free``: it is not needed any more; ``need``: tokens of B to take before the step,
    ``init``: and one for each chunk."""

    panel: int
    column: int
    two: int
    fresh: int
    share: int
    free: int
    need: int
    init: int


def steps(s: Shape, tiles: int) -> list[list[Step]]:
    """The steps of each tile."""
    found = []
    for tile, row in enumerate(plan(s.panels, s.columns, tiles)):
        steps: list[Step] = []
        taken = s.begin
        for number, (panel, n, count) in enumerate(row):
            for at in range(n, n + count, 2):
                two = int(at + 1 < n + count)
                share = int(not steps and panel == tile < s.shared)
                fresh = int(at == n and not share)
                free = int(at + 2 >= n + count)
                # the last step takes what is left of the tokens
                last = free and number == len(row) - 1
                need = max(0, (s.columns if last else at + two + 1) - taken)
                taken += need
                init = int(not steps and not need)
                if not steps and need:
                    need += s.chunks
                steps.append(Step(panel, at, two, fresh, share, free, need, init))
        found.append(steps)
    return found
