"""Steady loops: when an iteration repeats, the remaining ones follow from it.

A head of a loop is compared with the heads one and two periods before. If tokens, waiting words
and the order of events are the same, if every clock entry has either moved with the period or
not moved at all, and if every scalar has moved by a constant that its function carries over, then
all later iterations are copies shifted by constants. Pairs of touches that nothing orders are
checked for all of the copies at once, so are bounds and reads of what was never written; where
a copy might be wrong, nothing is skipped and the run goes on step by step.
"""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.lint.memory import Record
from maiacc_isa.lint.regions import Region, Steps
from maiacc_isa.lint.run import Done, Item, Run
from maiacc_isa.lint.shapes import Span
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.walker import Walker
from maiacc_isa.lint.written import TooFine, exact_key

#: Longest period looked for, in iterations.
PERIOD_LIMIT = 64


@dataclass
class Head:
    """The state when all control processors stand at the head of a loop."""

    at: int
    tick: int
    levels: tuple[int, ...]
    pending: tuple[tuple[int, ...], ...]
    clocks: list[Clock]
    tokens: list[tuple[Clock | None, ...]]
    registers: dict[int, list[Val | None]]
    places: tuple[object, ...]


def take_head(run: Run, members: list[Walker]) -> Head:
    """The present state, for a loop that ``members`` are in."""
    inside = {id(member) for member in members}
    places = tuple(walker.key() if id(walker) not in inside else () for walker in run.walkers)
    return Head(
        at=len(run.trace),
        tick=run.tick,
        levels=run.counters.levels(),
        pending=tuple(tuple(e.index for e, _ in p.pending) for p in run.by_number),
        clocks=[process.clock.copy() for process in run.by_number],
        tokens=run.counters.clocks(),
        registers={id(member): list(member.registers) for member in members},
        places=places,
    )


class NotSteady(Exception):  # noqa: N818
    """The loop is not, or not yet, steady."""


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
        if left < 1:
            return 0
        for period in range(1, min(count // 2, PERIOD_LIMIT, left) + 1):
            marks = [heads.get(count - period * i) for i in range(3)]
            if any(mark is None for mark in marks):
                continue
            times = left // period
            attempt = _Attempt(self._run, members, heads, count, period, times, all_or_none)
            try:
                attempt.check()
            except (NotSteady, TooFine):
                continue
            attempt.apply()
            return attempt.times * period
        return 0


class _Attempt:
    """One period tried: the slices of the trace, and what moves by how much."""

    def __init__(
        self,
        run: Run,
        members: list[Walker],
        heads: dict[int, Head],
        count: int,
        period: int,
        times: int,
        all_or_none: bool,
    ) -> None:
        self._run = run
        self._members = members
        self._heads = heads
        self._count = count
        self._period = period
        self.times = times
        self._all_or_none = all_or_none
        self._now, self._before, self._first = (heads[count - period * i] for i in range(3))
        self._shift: dict[int, int] = {}
        self._moves: list[tuple[Done, int]] = []
        self._since = 0

    # ---- checking -----------------------------------------------------------------------
    def check(self) -> None:
        """Raises ``NotSteady`` unless all remaining iterations are copies."""
        now, before, first = self._now, self._before, self._first
        length = now.at - before.at
        if length != before.at - first.at or now.tick - before.tick != before.tick - first.tick:
            raise NotSteady
        for one, two in ((now, before), (before, first)):
            if (one.levels, one.pending, one.places) != (two.levels, two.pending, two.places):
                raise NotSteady
        self._registers()
        trace = self._run.trace
        for new, old in zip(trace[before.at : now.at], trace[first.at : before.at], strict=True):
            self._item(new, old)
        self._clocks()
        self._pairs()
        self._reads()
        self._bounds()

    def _limit(self, times: int) -> None:
        """Only so many copies are surely alike; the rest is followed step by step."""
        if times < self.times and (self._all_or_none or times < 1):
            raise NotSteady
        self.times = min(self.times, times)

    def _registers(self) -> None:
        for member in self._members:
            states = [head.registers[id(member)] for head in (self._now, self._before, self._first)]
            for now, before, first in zip(*states, strict=True):
                if _difference(now, before) != _difference(before, first):
                    raise NotSteady

    def _item(self, new: Item, old: Item) -> None:
        if new.what != old.what or len(new.done) != len(old.done):
            raise NotSteady
        if new.assigned is not None and old.assigned is not None:
            self._assignment(new, old)
        for fresh, stale in zip(new.done, old.done, strict=True):
            a, b = fresh.record, stale.record
            same = (a.operand, a.mode, a.process, fresh.owner) == (
                b.operand,
                b.mode,
                b.process,
                stale.owner,
            )
            if not same or fresh.weight != stale.weight:
                raise NotSteady
            for span, old_span in zip(fresh.touch.spans, stale.touch.spans, strict=True):
                self._span(span, old_span)
            step = _region_step(a.region, b.region)
            self._shift[id(a)] = step
            self._shift[id(b)] = step
            self._moves.append((fresh, step))

    def _assignment(self, new: Item, old: Item) -> None:
        """Whether a function carries a constant change of its input over as a constant."""
        assert new.assigned is not None
        assert old.assigned is not None
        step = _difference(new.assigned.value, old.assigned.value)
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

    def _span(self, new: Span, old: Span) -> None:
        """A window that moves stays inside its box, or is not moved over its edge."""
        if (new.low, new.high) != (old.low, old.high) or not new.extent.same(old.extent):
            raise NotSteady
        step = _difference(new.origin, old.origin)
        if step is None or (step and not new.inside):
            raise NotSteady
        if step > 0:
            self._limit((new.extent.low - 1 - new.origin.high - new.high) // step)
        elif step < 0:
            self._limit((new.origin.low + new.low) // -step)

    def _clocks(self) -> None:
        """Entries move with the period or not at all; nothing that moves lags too far."""
        step = self._now.tick - self._before.tick
        moved_from = []
        for now, before, first in zip(
            self._now.clocks, self._before.clocks, self._first.clocks, strict=True
        ):
            moved_from.append(self._entries(now, before, first, step))
        for now_t, before_t, first_t in zip(
            self._now.tokens, self._before.tokens, self._first.tokens, strict=True
        ):
            for a, b, c in zip(now_t, before_t, first_t, strict=True):
                if (a is None) != (b is None) or (b is None) != (c is None):
                    raise NotSteady
                if a is not None and b is not None and c is not None:
                    moved_from.append(self._entries(a, b, c, step))
        oldest = min(moved_from, default=self._now.tick)
        for back in range(2, self._count // self._period + 1):
            head = self._heads.get(self._count - back * self._period)
            if head is None:
                break
            if head.tick < oldest:
                # Later than everything an entry that stands still may know, and known to
                # everything whose entry moves.
                self._since = head.tick + 1
                self._extend(back, head, step)
                return
        raise NotSteady

    def _entries(self, now: Clock, before: Clock, first: Clock, step: int) -> int:
        """The oldest entry that moves. Raises ``NotSteady`` for one that moves otherwise."""
        if not len(now) == len(before) == len(first):
            raise NotSteady
        change = now - before
        if (change != before - first).any() or ((change != 0) & (change != step)).any():
            raise NotSteady
        moving = now[change == step] if step else now[:0]
        return int(moving.min()) if len(moving) else self._now.tick

    def _extend(self, back: int, head: Head, step: int) -> None:
        """Entries that stand still must have stood still since ``head``; records back to it
        move like those of the last period."""
        for now, before, old in zip(
            self._now.clocks, self._before.clocks, head.clocks, strict=True
        ):
            if len(old) != len(now) or ((now == before) & (now != old)).any():
                raise NotSteady
        trace = self._run.trace
        length = self._now.at - self._before.at
        for number in range(2, back):
            start = self._now.at - (number + 1) * length
            if start < 0:
                raise NotSteady
            for new, old_item in zip(
                trace[self._before.at : self._now.at], trace[start : start + length], strict=True
            ):
                if new.what != old_item.what or len(new.done) != len(old_item.done):
                    raise NotSteady
                for fresh, stale in zip(new.done, old_item.done, strict=True):
                    self._shift[id(stale.record)] = self._shift[id(fresh.record)]

    def _pairs(self) -> None:
        """No copy of a touch meets what it is not ordered with."""
        memory = self._run.memory
        copies = self.times + 1
        step = self._now.tick - self._before.tick
        for done, mine in self._moves:
            record = done.record
            clock, old = self._now.clocks[record.process], self._before.clocks[record.process]
            for key, lane in memory.lanes(done.owner).items():
                if key[3] == record.process or (key[2] == "r" and record.mode == "r"):
                    continue
                component = key[4]
                with_period = (
                    component < len(clock) and clock[component] - old[component] == step != 0
                )
                for rival in reversed(lane.records):
                    if component < len(done.known) and done.known[component] >= rival.tick:
                        break
                    theirs = self._shift.get(id(rival), 0)
                    extra = _growth(mine, theirs, copies, with_period)
                    if extra and memory.meets(record.region, record.instance, rival, extra):
                        raise NotSteady

    def _reads(self) -> None:
        """Copies of reads are covered by what is written already, or by copies of writes."""
        memory = self._run.memory
        writes: set[tuple[object, ...]] = set()
        for done, step in self._moves:
            if done.record.mode == "w" and not done.touch.whole:
                writes.add((done.owner, step, exact_key(done.record.region)))
        for done, step in self._moves:
            if done.record.mode != "r" or step == 0:
                continue
            key = (done.owner, step, exact_key(done.record.region))
            if key in writes:
                continue
            region = memory.spread(done.record.region, done.owner, done.record.instance)
            if not memory.written(done.owner).covers(region.repeated(step, self.times + 1)):
                raise NotSteady

    def _bounds(self) -> None:
        footprints = self._run.footprints
        for done, step in self._moves:
            last = done.record.region.moved(step * self.times)
            if step and footprints.bounds(done.touch.number, last) is not None:
                raise NotSteady

    # ---- applying -----------------------------------------------------------------------
    def apply(self) -> None:
        """Moves the state on by ``times`` periods."""
        run = self._run
        copies: list[Done] = []
        for done, step in self._moves:
            copies.append(self._copy(done, step))
        for member in self._members:
            frame = member.frames[-1]
            frame.counter += self.times * self._period
            before = self._before.registers[id(member)]
            for number, value in enumerate(member.registers):
                change = _difference(value, before[number])
                if value is not None and change:
                    member.registers[number] = value.plus(change * self.times)
        what = ("skip", self._members[0].frames[-1].loop.index, self._period, self.times)
        run.trace.append(Item(what, None, copies))

    def _copy(self, done: Done, step: int) -> Done:
        """Enters the skipped copies of a touch and moves the touch itself to the last one."""
        run, record = self._run, done.record
        between = Record(
            record.word,
            record.operand,
            record.mode,
            record.instance,
            record.process,
            record.component,
            min(record.tick, self._since),
            record.region.repeated(step, self.times),
            record.iteration,
        )
        run.memory.record(done.owner, between)
        run.memory.move(done.owner, record, step * self.times)
        if record.mode == "w" and not done.touch.whole:
            region = run.memory.spread(between.region, done.owner, record.instance)
            run.memory.written(done.owner).add(region)
            moved = run.memory.spread(record.region, done.owner, record.instance)
            run.memory.written(done.owner).add(moved)
        run.count(done, self.times)
        return Done(between, done.owner, done.touch, done.known, done.weight * self.times)


def _difference(new: Val | None, old: Val | None) -> int | None:
    """new - old where that is a known number, 0 for two unset registers; None otherwise."""
    if new is None or old is None:
        return 0 if new is old else None
    change = new - old
    return change.const if change.known else None


def _region_step(new: Region, old: Region) -> int:
    """By how much a region has moved. Raises ``NotSteady`` if it has changed otherwise."""
    if (new.steps, new.run, new.guard) != (old.steps, old.run, old.guard):
        raise NotSteady
    step = _difference(new.base, old.base)
    if step is None or (new.other is None) != (old.other is None):
        raise NotSteady
    far, far_before = new.other, old.other
    if far is not None and far_before is not None and _region_step(far, far_before) != step:
        raise NotSteady
    return step


def _growth(mine: int, theirs: int, copies: int, with_period: bool) -> Steps:
    """How the distance of two touches may grow over the copies."""
    if with_period:
        return ((mine - theirs, copies),) if mine != theirs else ()
    return tuple((step, copies) for step in (mine, -theirs) if step)
