"""Steady loops: when an iteration repeats, the remaining ones follow from it.

A head of a loop is compared with the heads one and two periods before. If tokens, waiting words
and the order of events are the same, and every scalar has moved by a constant that its function
carries over, then all later iterations are copies shifted by constants.

What is known moves too. Say a queue knows, at a head, an event that lies in one of the periods
that have been seen to be alike. It learned of it by a chain of words and tokens that lies in
these periods; a period later the same chain, one period on, tells it of the next copy. So an entry
of a clock that points into the alike periods moves with them; one that points before them may be
taken to stand still, since knowledge only grows. Pairs of touches that nothing orders are
then checked for all of the copies at once (``maiacc_isa.lint.pairs``), so are bounds and reads
of what was never written. Where a copy might be wrong, nothing is skipped and the run goes on step
by step.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from maiacc_isa.lint.advance import Alike, Motion, advance
from maiacc_isa.lint.heads import (
    Head,
    NotSteady,
    difference,
    region_step,
    same_place,
    same_value,
)
from maiacc_isa.lint.memory import Owner
from maiacc_isa.lint.pairs import unordered
from maiacc_isa.lint.run import Done, Event, Item, Run
from maiacc_isa.lint.stays import Windows, absent, present
from maiacc_isa.lint.touched import Touch
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.walker import Walker
from maiacc_isa.lint.written import TooFine, exact_key

#: Longest period looked for, in iterations.
PERIOD_LIMIT = 64

#: Periods that are compared at most. A queue that is told of what happened longer ago is taken
#: not to be told at all.
LAG_LIMIT = 32


#: Periods after which a patient proof takes for settled what has not changed.
SETTLED = 4


class Steady:
    """Looks for periods and skips iterations."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def skip(
        self,
        members: list[Walker],
        heads: dict[int, Head],
        count: int,
        left: int,
        all_or_none: bool = False,
    ) -> int:
        """Skips iterations of a loop that stands at iteration ``count`` with ``left`` to follow
        before its last; returns how many."""
        for period in range(1, min(count // 2, PERIOD_LIMIT, left) + 1):
            before = heads.get(count - period)
            if before is None or not before.like(heads[count]):
                continue
            marks = [heads.get(count - period * i) for i in range(LAG_LIMIT + 1)]
            known = marks[: marks.index(None)] if None in marks else marks
            if len(known) < 3:
                continue
            times = left // period
            if all_or_none and left % period:
                continue
            attempt = _Attempt(self._run, members, [h for h in known if h], times, all_or_none)
            try:
                attempt.check()
            except (NotSteady, TooFine):
                continue
            advance(self._run, members, attempt.alike, period, attempt.times)
            return attempt.times * period
        return 0


class _Attempt:
    """One period tried: the slices of the trace, and what moves by how much. ``heads`` are those
    one period apart, the present one first."""

    def __init__(
        self, run: Run, members: list[Walker], heads: list[Head], times: int, all_or_none: bool
    ) -> None:
        self._run = run
        self._members = members
        self._heads = heads
        self._all_or_none = all_or_none
        self.times = times
        self.alike = Alike(heads[0], heads[1])

    # ---- checking -----------------------------------------------------------------------
    def check(self) -> None:
        """Raises ``NotSteady`` unless all remaining iterations are copies."""
        now, before, first = self._heads[:3]
        length = now.at - before.at
        if length != before.at - first.at or now.tick - before.tick != before.tick - first.tick:
            raise NotSteady
        if not now.like(before) or not before.like(first):
            raise NotSteady
        self._registers()
        new, old = self._slice(0), self._slice(1)
        for item, earlier in zip(new, old, strict=True):
            self._item(item, earlier)
        self._pending()
        self._earlier()
        if self._run.effort.patient:
            self._settled()
        if unordered(self._run.memory, self.alike, self.times):
            raise NotSteady
        self._reads()
        self._bounds()

    def _slice(self, back: int) -> list[Item]:
        """The trace of a period, counted from the last one."""
        return self._run.trace[self._heads[back + 1].at : self._heads[back].at]

    def _limit(self, times: int) -> None:
        """Only so many copies are surely alike; the rest is followed step by step."""
        if times < self.times and (self._all_or_none or times < 1):
            raise NotSteady
        self.times = min(self.times, times)

    def _registers(self) -> None:
        for member in self._members:
            states = [head.registers[id(member)] for head in self._heads[:3]]
            for now, before, first in zip(*states, strict=True):
                if difference(now, before) != difference(before, first):
                    raise NotSteady

    def _item(self, new: Item, old: Item) -> None:
        """Compares what happened with what happened a period before."""
        if new.what != old.what or len(new.done) != len(old.done):
            raise NotSteady
        if new.assigned is not None and old.assigned is not None:
            self._assignment(new, old)
        self.alike.absent += zip(new.absent, self._absent(new.absent, old.absent), strict=True)
        for fresh, stale in zip(new.done, old.done, strict=True):
            if not same_place(fresh, stale):
                raise NotSteady
            step = region_step(fresh.record.region, stale.record.region)
            self.alike.enter(fresh, Motion(step, self._origins(fresh.touch, stale.touch)))

    def _assignment(self, new: Item, old: Item) -> None:
        """Whether a function carries a constant change of its input over as a constant."""
        assert new.assigned is not None
        assert old.assigned is not None
        step = difference(new.assigned.value, old.assigned.value)
        if step is None:
            raise NotSteady
        word = self._run.block.words[new.assigned.word]
        match word["fn"]:
            case "none":
                return
            case "div" | "mod":
                good = step % word["m"] == 0
            case "table":
                good = step == 0
            case _:
                good = self._keeps_side(new.assigned.value, step)
        if not good:
            raise NotSteady

    def _keeps_side(self, gap: Val, step: int) -> bool:
        """Whether a minimum or maximum goes on choosing the same of two values, as long as the
        copies are limited: ``gap`` is their difference, changing by ``step``."""
        if step == 0:
            return True
        nearest = gap.low if gap.low >= 0 else -gap.high
        if nearest < 0:
            return False
        if (step < 0) == (gap.low >= 0):
            self._limit(nearest // abs(step))
        return True

    def _origins(self, new: Touch, old: Touch) -> tuple[int, ...]:
        """By how much the windows of a touch move."""
        steps, times = present(new.spans, old.spans)
        self._limit(times)
        return steps

    def _absent(self, new: Sequence[Windows], old: Sequence[Windows]) -> list[Motion]:
        """How windows move of operands that touch nothing."""
        motions = []
        for steps, times in absent(new, old):
            self._limit(times)
            motions.append(Motion(0, steps))
        return motions

    def _pending(self) -> None:
        """Words that wait in queues are those of a period before, shifted."""
        for queue, earlier in zip(self._heads[0].pending, self._heads[1].pending, strict=True):
            for event, before in zip(queue, earlier, strict=True):
                if id(event) not in self.alike.waiting:
                    self.alike.waiting[id(event)] = self._waiting(event, before)

    def _waiting(self, new: Event, old: Event) -> list[Motion]:
        if len(new.touches) != len(old.touches) or not same_value(new.peer, old.peer):
            raise NotSteady
        motions = []
        for touch, before in zip(new.touches, old.touches, strict=True):
            if touch.number != before.number or not same_value(touch.home_value, before.home_value):
                raise NotSteady
            step = region_step(touch.region, before.region)
            motions.append(Motion(step, self._origins(touch, before)))
        return motions + self._absent(new.absent, old.absent)

    def _earlier(self) -> None:
        """Periods still earlier that were alike too, as far back as they are."""
        self.alike.extend(self._slice(1), self._heads[2])
        newer = self._slice(1)
        for back in range(2, len(self._heads) - 1):
            older = self._slice(back)
            if len(older) != len(newer) or not self._repeats(newer, older):
                return
            self.alike.extend(older, self._heads[back + 1])
            newer = older

    def _repeats(self, newer: list[Item], older: list[Item]) -> bool:
        """Whether a period is the one before another one in the same row of copies."""
        moves = iter(self.alike.moves)
        for new, old in zip(newer, older, strict=True):
            if new.what != old.what or len(new.done) != len(old.done):
                return False
            for fresh, stale in zip(new.done, old.done, strict=True):
                _, motion = next(moves)
                if not same_place(fresh, stale):
                    return False
                if not stale.record.region.moved(motion.step).same(fresh.record.region):
                    return False
        return True

    def _settled(self) -> None:
        """What queues know and tokens tell has moved into the alike periods, or has not changed
        for as many periods as tokens can be under way."""
        now = self._heads[0]
        wanted = max(SETTLED, max(now.levels, default=0) + 2)
        if self.alike.periods < wanted:
            raise NotSteady
        for newer, older in pairwise(self._heads[: wanted + 1]):
            for a, b in zip(newer.clocks, older.clocks, strict=True):
                if (a is None) != (b is None):
                    raise NotSteady
                if a is None or b is None:
                    continue
                changed = a[: len(b)] != b[: len(a)]
                if len(a) != len(b) or (changed & (a <= self.alike.start)).any():
                    raise NotSteady

    def _reads(self) -> None:
        """Copies of reads are covered by what is written already, or by copies of writes that
        come before them."""
        memory = self._run.memory
        writes: set[tuple[Owner, int, object]] = set()
        for done, motion in self.alike.earlier():
            writes |= _written(done, motion)
        for done, motion in self.alike.moves:
            record, step = done.record, motion.step
            writes |= _written(done, motion)
            if record.mode != "r" or step == 0 or done.touch.given:
                continue
            if (done.owner, step, exact_key(record.region)) in writes:
                continue
            everything = record.region.repeated(step, self.times + 1)
            if not all(map(memory.written(done.owner).covers, memory.spread(everything))):
                raise NotSteady

    def _bounds(self) -> None:
        footprints, times = self._run.footprints, self.times
        moves = [(d.touch, d.record.region, motion) for d, motion in self.alike.moves]
        for queue in self._heads[0].pending:
            for event in queue:
                motions = self.alike.waiting[id(event)]
                touches = zip(event.touches, motions, strict=False)
                moves += [(touch, touch.region, motion) for touch, motion in touches]
        for touch, region, motion in moves:
            if not (step := motion.step):
                continue
            gone = footprints.bounds(touch.number, region.moved(step * times)) is not None
            copies = region.repeated(step, times + 1)
            if gone or (touch.mode == "w" and footprints.overwrites(touch.number, copies)):
                raise NotSteady


def _written(done: Done, motion: Motion) -> set[tuple[Owner, int, object]]:
    """What a touch writes, in a form in which a read that moves alike finds it."""
    if done.record.mode != "w" or done.touch.whole:
        return set()
    return {(done.owner, motion.step, exact_key(done.record.region))}
