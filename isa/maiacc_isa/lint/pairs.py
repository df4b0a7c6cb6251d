"""Pairs of touches that nothing orders, looked for in all copies of a period at once.

A copy of a touch that moves by ``step`` bits lies anywhere between its first and its last place.
Pairs whose hulls over all copies are apart cannot meet; those are sorted out by the thousand with
arrays, and only the rest is compared bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from maiacc_isa.lint.advance import Alike, Motion, Moves
from maiacc_isa.lint.lanes import Record
from maiacc_isa.lint.memory import Memory, Owner
from maiacc_isa.lint.regions import Steps
from maiacc_isa.lint.run import Done
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.written import exact_key

#: Hulls are cut off here: beyond every address in bits, and far from the ends of int64.
FAR = 1 << 61


class _Earlier:
    """The earlier touches of one memory that some of the new ones may not know, as arrays."""

    def __init__(
        self, memory: Memory, owner: Owner, moves: Moves, before: Moves, alike: Alike
    ) -> None:
        self._floor = _least_known(moves)
        self._alike = alike
        self.records: list[Record] = []
        self._collect(memory, owner, before)
        self.records += [done.record for done, _ in moves]

    def arrays(self, times: int) -> None:
        """Prepares the hulls over ``times`` copies."""
        steps = [self._alike.step(r) or 0 for r in self.records]
        hulls = [_hull(r, s, times) for r, s in zip(self.records, steps, strict=True)]
        bounds = np.array(hulls, np.int64).reshape(-1, 2)
        self.low, self.high = bounds[:, 0], bounds[:, 1]
        self.steps = np.array(steps, np.int64)
        self.tick = np.array([r.tick for r in self.records], np.int64)
        self.process = np.array([r.process for r in self.records], np.int64)
        self.component = np.array([r.component for r in self.records], np.int64)
        self.writes = np.array([r.mode != "r" for r in self.records], bool)
        self.width = int(self.component.max(initial=-1)) + 1

    def _collect(self, memory: Memory, owner: Owner, before: Moves) -> None:
        """Older touches as the memory keeps them, those of the alike periods, and all of the last
        one. Where several of a queue's word are alike in region and motion, the latest from before
        the last period stands for them: who does not know an earlier one does not know it."""
        for lane in memory.lanes(owner).unknown(self._floor):
            for record in reversed(lane.records):
                if self._known(record):
                    break
                if self._alike.step(record) is None:
                    self.records.append(record)
        last: dict[tuple[object, ...], Record] = {}
        for done, motion in before:
            r = done.record
            if self._known(r):
                continue
            key = (r.key, motion.step, exact_key(r.region))
            if key not in last or last[key].tick <= r.tick:
                last[key] = r
        self.records += last.values()

    def _known(self, record: Record) -> bool:
        """Whether all of the new touches know an earlier one."""
        floor = self._floor
        return record.component < len(floor) and bool(floor[record.component] >= record.tick)

    def rivals(self, done: Done, step: int, times: int) -> Iterator[tuple[Record, Steps]]:
        """Those that a touch may meet in some copy, with the growth of the distance."""
        record = done.record
        low, high = _hull(record, step, times)
        near = (self.low < high) & (self.high > low) & (self.process != record.process)
        if record.mode == "r":
            near &= self.writes
        known = _padded(done.known, self.width)[self.component]
        near &= (known < self.tick) & (self.tick < record.tick)
        moving = known > self._alike.start
        near &= np.where(moving, self.steps != step, (self.steps != 0) | (step != 0))
        for number in np.nonzero(near)[0].tolist():
            theirs = int(self.steps[number])
            if moving[number]:
                yield self.records[number], ((step - theirs, times + 1),)
            else:
                growth = tuple((s, times + 1) for s in (step, -theirs) if s)
                yield self.records[number], growth


def unordered(memory: Memory, alike: Alike, times: int) -> bool:
    """Whether some copy of a touch meets one that nothing orders before it.

    A touch that knows an event of the alike periods knows, a period later, that event's copy: the
    two keep their distance in time, and the distance of their places grows by the difference
    of their steps. What it knows from before is taken to stay the same.
    """
    before = _by_owner(alike.earlier())
    for owner, moves in _by_owner(alike.moves).items():
        earlier = _Earlier(memory, owner, moves, before.get(owner, []), alike)
        earlier.arrays(times)
        for done, motion in moves:
            record = done.record
            for rival, growth in earlier.rivals(done, motion.step, times):
                if memory.meets(record.region, record.instance, rival, growth):
                    return True
    return False


def _by_owner(moves: Iterable[tuple[Done, Motion]]) -> dict[Owner, Moves]:
    """Touches memory by memory, but those of what is given."""
    found: dict[Owner, Moves] = {}
    for done, motion in moves:
        if not done.touch.given:
            found.setdefault(done.owner, []).append((done, motion))
    return found


def _hull(record: Record, step: int, times: int) -> tuple[int, int]:
    """The bits from the first copy's first to behind the last copy's last."""
    base, far = record.region.base, step * times
    low = base.low + min(0, far)
    high = base.high + record.region.span + max(0, far)
    return max(low, -FAR), min(high, FAR)


def _least_known(moves: Moves) -> Clock:
    """Entry by entry, what all of the touches know."""
    width = min(len(done.known) for done, _ in moves)
    least = moves[0][0].known[:width].copy()
    for done, _ in moves:
        np.minimum(least, done.known[:width], out=least)
    return least


def _padded(clock: Clock, width: int) -> Clock:
    """A clock with zeros for the entries that were not there when it was taken."""
    missing = width - len(clock)
    return np.concatenate([clock, np.zeros(missing, np.int64)]) if missing > 0 else clock
