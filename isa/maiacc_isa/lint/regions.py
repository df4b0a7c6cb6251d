"""Footprints, and whether two of them meet.

A footprint is a lattice box, measured in bits because some types are smaller than a byte: runs at
``base + sum(step_i * x_i)`` for all ``0 <= x_i < count_i``. Two boxes meet if a bounded linear
inequality has a solution in integers; ``meet`` decides that exactly (within a budget of search
steps, beyond which it says yes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd, prod

from maiacc_isa.lint.values import Val

#: Search steps after which two boxes are taken to meet.
SEARCH_LIMIT = 20_000

Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Region:
    """A lattice box of runs of bits. ``steps`` are (distance, count), rising, each above the last
    piece's span. ``other`` is a second, equally valid description of the same bytes, anchored
    at the far end of an axis that a scalar bounds. With an empty ``guard`` all bits are touched;
    otherwise the box contains what is touched, and equal boxes with equal guards touch the same."""

    base: Val
    steps: Steps
    run: int
    other: Region | None = None
    guard: tuple[object, ...] = ()

    @property
    def span(self) -> int:
        """Bits from the first to behind the last."""
        return self.run + sum(step * (count - 1) for step, count in self.steps)

    @property
    def size(self) -> int:
        """Bits touched."""
        return self.run * prod(count for _, count in self.steps)

    def same(self, other: Region) -> bool:
        """Whether the two are the same box in the same place."""
        if (self.steps, self.run, self.guard) != (other.steps, other.run, other.guard):
            return False
        mine, theirs = self.other, other.other
        if mine is None or theirs is None:
            return mine is theirs and self.base.same(other.base)
        return self.base.same(other.base) and mine.same(theirs)

    def moved(self, offset: int) -> Region:
        """The box shifted by bits."""
        other = self.other.moved(offset) if self.other else None
        return replace(self, base=self.base.plus(offset), other=other)

    def repeated(self, step: int, count: int) -> Region:
        """The union of the box and its copies at multiples of ``step``."""
        other = self.other.repeated(step, count) if self.other else None
        result = normal(self.base, [*self.steps, (step, count)], self.run, self.guard)
        return replace(result, other=other)

    def fixed(self) -> Region:
        """A box that contains the region for all values of its unknowns."""
        region, steps = self, []
        for sym, coef in self.base.terms.items():
            steps.append((coef, sym.high - sym.low + 1))
        if steps:
            low = sum(coef * sym.low for sym, coef in self.base.terms.items())
            region = normal(Val(self.base.const + low), [*self.steps, *steps], self.run)
        return region


def normal(
    base: Val, steps: list[tuple[int, int]], run: int, guard: tuple[object, ...] = ()
) -> Region:
    """The region with rising positive steps and neighbouring pieces joined."""
    rising = []
    for step, count in steps:
        if count > 1 and step < 0:
            base = base.plus(step * (count - 1))
        if count > 1 and step:
            rising.append((abs(step), count))
    rising.sort()
    kept: list[tuple[int, int]] = []
    for step, count in rising:
        if not kept and step <= run:
            run += step * (count - 1)
        elif kept and step == kept[-1][0] * kept[-1][1]:
            kept[-1] = (kept[-1][0], kept[-1][1] * count)
        elif kept and step == kept[-1][0]:
            kept[-1] = (step, kept[-1][1] + count - 1)
        else:
            kept.append((step, count))
    return Region(base, tuple(kept), run, guard=guard)


# ---- meeting --------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 16)
def meet(
    left: Steps, left_run: int, right: Steps, right_run: int, distance: int, extra: Steps = ()
) -> bool:
    """Whether a box at ``distance`` from another shares a bit with it.

    ``distance`` is the left base minus the right base; ``extra`` are further (step, count)
    by which the distance may grow.
    """
    terms = [*left, *((-step, count) for step, count in right), *extra]
    return solvable(tuple(terms), 1 - left_run - distance, right_run - 1 - distance)


def solvable(terms: Steps, low: int, high: int) -> bool:
    """Whether sum(step * x) can lie in [low, high], each x in 0 .. count-1."""
    merged: dict[int, int] = {}
    for step, count in terms:
        if step < 0:
            low -= step * (count - 1)
            high -= step * (count - 1)
        if step and count > 1:
            merged[abs(step)] = merged.get(abs(step), 0) + count - 1
    items = sorted(merged.items(), reverse=True)
    rest = [0] * (len(items) + 1)
    common = [0] * (len(items) + 1)
    for i in range(len(items) - 1, -1, -1):
        rest[i] = rest[i + 1] + items[i][0] * items[i][1]
        common[i] = gcd(common[i + 1], items[i][0])
    budget = [SEARCH_LIMIT]

    def search(i: int, low: int, high: int) -> bool:
        budget[0] -= 1
        if budget[0] < 0:
            return True
        if high < 0 or low > rest[i] or low > high:
            return False
        if low <= 0:
            return True
        if i == len(items):
            return False
        if common[i] > 1 and -(-low // common[i]) * common[i] > high:
            return False
        step, most = items[i]
        first = max(0, -(-(low - rest[i + 1]) // step))
        last = min(most, high // step)
        return any(search(i + 1, low - step * x, high - step * x) for x in range(first, last + 1))

    return search(0, low, high)
