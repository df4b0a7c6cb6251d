"""Which bits of a memory have been written: coverage by lattice boxes.

Boxes are kept as they come; they are spread out into intervals only when a question cannot be
answered from a box alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import product

from maiacc_isa.lint.regions import Region

#: Runs that one box or one question is spread into at most.
RUN_LIMIT = 1 << 21

Key = tuple[object, ...]


class TooFine(Exception):  # noqa: N818
    """A question would need more intervals than the prover spends."""


def exact_key(region: Region) -> Key:
    """Equal for equal boxes, unknowns included."""
    return (region.base.key, region.steps, region.run, region.guard)


def runs(region: Region) -> list[tuple[int, int]]:
    """The runs of a box whose base is known, as (first bit, bit behind the last)."""
    total = 1
    for _, count in region.steps:
        total *= count
    if total > RUN_LIMIT:
        raise TooFine
    base = region.base.const
    if not region.steps:
        return [(base, base + region.run)]
    steps = sorted(region.steps, reverse=True)
    ranges = [range(0, step * count, step) for step, count in steps]
    return [(base + sum(xs), base + sum(xs) + region.run) for xs in product(*ranges)]


class Written:
    """The written bits of one memory of one instance."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._exact: set[Key] = set()
        self._waiting: list[Region] = []

    def copy(self) -> Written:
        """An independent copy."""
        other = Written()
        other._starts, other._ends = list(self._starts), list(self._ends)
        other._exact, other._waiting = set(self._exact), list(self._waiting)
        return other

    def add(self, region: Region) -> None:
        """Enters a box; one with unknowns counts only for equal questions."""
        key = exact_key(region)
        if key in self._exact:
            return
        self._exact.add(key)
        if region.base.known and not region.guard:
            if region.steps:
                self._waiting.append(region)
            else:
                self._interval(region.base.const, region.base.const + region.run)

    def enter(self, regions: Iterable[Region]) -> None:
        """Enters boxes."""
        for region in regions:
            self.add(region)

    def covers(self, region: Region) -> bool:
        """Whether every bit of a box is written. Raises ``TooFine``."""
        key = exact_key(region)
        if key in self._exact:
            return True
        region = region.fixed()
        if any(_inside(region, box) for box in self._waiting) or self._has(region):
            self._exact.add(key)
            return True
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for box in waiting:
                for low, high in runs(box):
                    self._interval(low, high)
            if self._has(region):
                self._exact.add(key)
                return True
        return False

    def _has(self, region: Region) -> bool:
        low, high = region.base.const, region.base.const + region.span
        if self._contains(low, high):
            return True
        if not region.steps or not self._touches(low, high):
            return False
        return all(self._contains(a, b) for a, b in runs(region))

    def _contains(self, low: int, high: int) -> bool:
        at = bisect_right(self._starts, low) - 1
        return at >= 0 and self._ends[at] >= high

    def _touches(self, low: int, high: int) -> bool:
        at = bisect_left(self._starts, high) - 1
        return at >= 0 and self._ends[at] > low

    def _interval(self, low: int, high: int) -> None:
        """Enters an interval and joins it with its neighbours."""
        first = bisect_left(self._ends, low)
        last = bisect_right(self._starts, high)
        if first < last:
            low = min(low, self._starts[first])
            high = max(high, self._ends[last - 1])
        self._starts[first:last] = [low]
        self._ends[first:last] = [high]

    def gaps(self, low: int, high: int) -> list[tuple[int, int]]:
        """Intervals of [low, high) that are not written. Raises ``TooFine``."""
        waiting, self._waiting = self._waiting, []
        for box in waiting:
            for a, b in runs(box):
                self._interval(a, b)
        missing = []
        for a, b in zip(self._starts, self._ends, strict=True):
            if b <= low:
                continue
            if a >= high:
                break
            if a > low:
                missing.append((low, a))
            low = max(low, b)
        if low < high:
            missing.append((low, high))
        return missing

    def intersect(self, other: Written) -> Written:
        """What is written in both, as after two ways of a condition."""
        result = Written()
        result._exact = self._exact & other._exact
        for written in (self, other):
            for box in written._waiting:
                for low, high in runs(box):
                    written._interval(low, high)
            written._waiting = []
        for a, b in zip(self._starts, self._ends, strict=True):
            at = max(0, bisect_right(other._starts, a) - 1)
            while at < len(other._starts) and other._starts[at] < b:
                low, high = max(a, other._starts[at]), min(b, other._ends[at])
                if low < high:
                    result._interval(low, high)
                at += 1
        return result


def _inside(region: Region, box: Region) -> bool:
    """Whether a box surely contains a region: same lattice, or one step more."""
    if region.run > box.run:
        return False
    offset = region.base.const - box.base.const
    if offset < 0 or offset + region.span > box.span:
        return False
    steps = list(box.steps)
    for step, count in sorted(steps, reverse=True):
        mine = next((c for s, c in region.steps if s == step), 1)
        at = offset // step
        if at + mine > count:
            return False
        offset -= at * step
    known = {s for s, _ in box.steps}
    return all(s in known for s, _ in region.steps) and offset + region.run <= box.run
