"""Footprints, and whether two of them meet.

A footprint is a lattice box, measured in bits because some types are smaller than a byte: runs at
``base + sum(step_i * x_i)`` for all ``0 <= x_i < count_i``. Two boxes meet if a bounded linear
inequality has a solution in integers; ``meet`` decides that exactly (within a budget of search
steps, beyond which it says yes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from math import gcd, prod
from typing import TYPE_CHECKING

from maiacc_isa.lint.values import Sym, Val

if TYPE_CHECKING:
    from maiacc_isa.lint.cuts import Cut

#: Search steps after which two boxes are taken to meet.
SEARCH_LIMIT = 20_000

Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Region:
    """A lattice box of runs of bits. ``steps`` are (distance, count), rising, each above the last
    piece's span. With an empty ``guard`` all bits are touched; otherwise the box contains what is
    touched, and equal boxes with equal guards touch the same.

    ``others`` are further descriptions that contain what is touched: anchored at the far end of
    an axis that a scalar bounds, or where windows lie that boxes cut. ``cut`` says what
    each instance touches, if ids decide that."""

    base: Val
    steps: Steps
    run: int
    others: tuple[Region, ...] = ()
    guard: tuple[object, ...] = ()
    cut: Cut | None = None

    @cached_property
    def span(self) -> int:
        """Bits from the first to behind the last."""
        return self.run + sum(step * (count - 1) for step, count in self.steps)

    @property
    def size(self) -> int:
        """Bits touched."""
        return self.run * prod(count for _, count in self.steps)

    @property
    def unknowns(self) -> set[Sym]:
        """The unknowns that decide what is touched."""
        cut = () if self.cut is None else self.cut.syms
        return {*self.base.terms, *cut}

    @property
    def exact(self) -> bool:
        """Whether it is known what is touched, at least for every instance."""
        return not self.guard or self.cut is not None

    def bits(self, instances: int) -> int:
        """The bits that so many instances touch together, if each touches its own."""
        return self.size * instances if self.cut is None else self.cut.bits(instances)

    def same(self, other: Region) -> bool:
        """Whether the two are the same box in the same place."""
        if (self.steps, self.run, self.guard) != (other.steps, other.run, other.guard):
            return False
        if not self.base.same(other.base) or len(self.others) != len(other.others):
            return False
        return all(map(Region.same, self.others, other.others))

    def moved(self, offset: int) -> Region:
        """The box shifted by bits."""
        if not offset:
            return self
        others = tuple(other.moved(offset) for other in self.others)
        cut = self.cut and self.cut.moved(offset)
        return replace(self, base=self.base.plus(offset), others=others, cut=cut)

    def repeated(self, step: int, count: int) -> Region:
        """The union of the box and its copies at multiples of ``step``."""
        others = tuple(other.repeated(step, count) for other in self.others)
        guard = (*self.guard, step, count) if self.guard else ()
        result = normal(self.base, [*self.steps, (step, count)], self.run, guard)
        return replace(result, others=others, cut=self.cut and self.cut.repeated(step, count))

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
