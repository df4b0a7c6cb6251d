"""Skips turns of loops that take the same course as turns before, exactly.

When a control processor has passed the head of a loop and nothing can happen without the next
arrival at a port, the state of the model is compared with an earlier one at the same head. If all
that is not a time is equal, and every time has moved by the same whole number of cycles, then what
follows is what followed then, moved: the model knows no absolute times. Times in the past need
not have moved so: where they are only compared with later ones they say nothing any more, and
where waiting is counted from them they may stand still, but nothing else.

What differs between turns - counters, ring slots, addresses - the model does not read
(``maiacc_sim.relevant``); what it reads belongs to the state. So turns are skipped by moving the
times and multiplying the tallies, as long as no loop in force reaches its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.operation import TICKS
from maiacc_sim.relevant import Relevant
from maiacc_sim.scalars import COUNTER
from maiacc_sim.timing.control import Control
from maiacc_sim.timing.state import HOPS, Core, Queue
from maiacc_sim.timing.variants import COUNT, Variant

#: Comparisons at one head that may fail before it is not looked at any more.
PATIENCE = 64

#: Times in a state that may be looked at for each arrival since it was looked at before.
SHARE = 12

#: Level, counter and trip count of the loops in force.
Levels = list[tuple[int, int, int]]


@dataclass(frozen=True)
class _State:
    """The model between two arrivals. ``now`` and ``times`` are ticks; ``tallies`` only grow.
    Waiting is counted from the first ``counted`` of the times."""

    now: int
    shape: tuple[Any, ...]
    times: NDArray[np.int64]
    counted: int
    tallies: NDArray[np.int64]
    levels: dict[int, Levels]


@dataclass
class _Head:
    """What is remembered of the head of a loop: a state of the past, replaced when ``seen``
    reaches ``renew`` (Brent's search for a cycle)."""

    glance: tuple[Any, ...]
    state: _State
    seen: int = 0
    renew: int = 2
    failed: int = 0


class Skipper:
    """Looks for repetitions in one execution of a block."""

    def __init__(
        self,
        core: Core,
        units: Sequence[Queue | Control],
        counters: Sequence[deque[int]],
        relevant: Relevant,
        levels: frozenset[int],
        variants: Sequence[Variant],
    ) -> None:
        self.core, self.units, self.counters = core, units, counters
        self.queues = [unit for unit in units if isinstance(unit, Queue)]
        self.controls = [unit for unit in units if isinstance(unit, Control)]
        self.variants = variants
        self.codes = (*relevant.ordered, *(COUNTER + level for level in sorted(levels)))
        self.heads: dict[tuple[int, int], _Head] = {}
        self.spent = self.size = 0
        self.arrivals = 0
        #: Whether the last close look paid; then the next one is free.
        self.trusted = False

    def look(self, arrivals: int) -> int:
        """Looks at the heads passed since the last arrival; returns the words skipped.

        ``arrivals`` counts those of the block so far: looking closely may cost a part of what
        running did, so that programs that never repeat are not much slower.
        """
        if self.core.barriers:
            return 0
        if not self.trusted and (arrivals - self.spent) * SHARE < self.size:
            return 0
        self.arrivals = arrivals
        for control, at in dict.fromkeys(self.core.heads):
            key = (control.of.number, at)
            head = self.heads.get(key)
            if head is not None and head.failed > PATIENCE:
                continue
            glance = self._glance(control)
            if head is None:
                self.heads[key] = _Head(glance, self._state())
                continue
            head.seen += 1
            if glance == head.glance:
                state = self._state()
                turns = self._turns(head.state, state)
                if turns:
                    del self.heads[key]
                    self.trusted = True
                    return self._jump(head.state, state, turns)
                head.failed += 1
                self.trusted = False
            if head.seen >= head.renew:
                head.glance, head.state = glance, self._state()
                head.renew, head.seen = head.renew * 2, 0
        return 0

    # ---- what is compared ---------------------------------------------------------------
    def _now(self) -> int:
        return self.core.heap[0] // (self.core.width * HOPS)

    def _glance(self, control: Control) -> tuple[Any, ...]:
        """A small part of the state, to rule out most differences cheaply."""
        now = self._now()
        queues = ((len(q.pending), max(q.free * TICKS - now, 0)) for q in control.queues.values())
        return control.time * TICKS - now, control.at, len(self.core.heap), now % TICKS, *queues

    def _state(self) -> _State:
        core, now = self.core, self._now()
        self.spent = self.arrivals
        keys = sorted(core.heap)
        shape: list[Any] = [
            now % TICKS,
            core.loads,
            tuple((key // core.width % HOPS, key % core.width) for key in keys),
            tuple(map(len, self.counters)),
        ]
        for q in self.queues:
            flying = None
            if q.flying is not None:
                flying = (q.flying.number, q.hop, q.latest, q.waited)
            shape.append((tuple(v.number for _, v in q.pending), flying, q.stuck, id(q.blocked)))
        for c in self.controls:
            known = tuple(c.sources[code] for code in self.codes)
            shape.append((c.at, c.done, c.stuck, c.quiet, known, tuple(c.acc)))
        counted = list(self._counted(keys))
        times = np.array([*counted, *self._compared()], np.int64)
        self.size = len(times)
        return _State(
            now,
            tuple(shape),
            times,
            len(counted),
            np.fromiter(self._tallies(), np.int64),
            {c.of.number: list(c.levels()) for c in self.controls},
        )

    def _counted(self, keys: list[int]) -> Iterator[int]:
        """Times that waiting is counted from, in ticks, in the order of ``_move``."""
        for q in self.queues:
            yield q.free * TICKS
            if q.flying is not None:
                yield from (q.begin * TICKS, q.end)
            # Words behind the first one wait from the end of the one before, which is to come.
            if q.pending:
                yield max(q.pending[0][0], q.free) * TICKS
        for c in self.controls:
            yield 0 if c.done else c.time * TICKS
        yield from (key // (self.core.width * HOPS) for key in keys)

    def _compared(self) -> Iterator[int]:
        """Times that others are compared with only, in ticks, in the order of ``_move``."""
        for q in self.queues:
            yield q.last * TICKS
            yield from (start * TICKS for start in q.ring)
            yield from (ready * TICKS for ready, _ in q.pending)
        for tokens in self.counters:
            yield from (arrival * TICKS for arrival in tokens)
        yield from self.core.free

    def _tallies(self) -> Iterator[int]:
        """Every number that only grows, in the order of ``_grow``."""
        for v in self.variants:
            yield from v.acc
        for q in self.queues:
            yield q.barriers
        for c in self.controls:
            yield c.taken
            yield from c.acc.values()

    # ---- whether, and how far -----------------------------------------------------------
    def _turns(self, old: _State, new: _State) -> int:
        """How many more periods of the same course there are; 0 if it is not the same."""
        period = new.now - old.now
        if old.shape != new.shape or period <= 0 or period % TICKS:
            return 0
        if len(old.tallies) != len(new.tallies):
            return 0
        moved = new.times - old.times
        past = (old.times <= old.now) & (new.times <= new.now)
        past[: old.counted] &= moved[: old.counted] == 0
        if not bool(np.all((moved == period) | past)):
            return 0
        left: list[int] = []
        for number, levels in new.levels.items():
            room = _room(old.levels[number], levels)
            if room is not None:
                left.append(room)
        return min(left, default=0)

    def _jump(self, old: _State, new: _State, turns: int) -> int:
        """Moves everything by so many periods; returns the words skipped."""
        period = new.now - old.now
        alike = new.times - old.times == period
        self._move(iter((new.times + turns * period * alike).tolist()))
        grown = turns * (new.tallies - old.tallies)
        words = sum(v.acc[COUNT] for v in self.variants)
        self._grow(iter((new.tallies + grown).tolist()))
        for control in self.controls:
            before = old.levels[control.of.number]
            for (level, counter, _), (_, past, _) in zip(
                new.levels[control.of.number], before, strict=True
            ):
                control.sources[COUNTER + level] = counter + turns * (counter - past)
        assert self._now() == new.now + turns * period
        return sum(v.acc[COUNT] for v in self.variants) - words

    def _move(self, times: Iterator[int]) -> None:
        core = self.core
        keys = sorted(core.heap)
        for q in self.queues:
            q.free = next(times) // TICKS
            if q.flying is not None:
                q.begin, q.end = next(times) // TICKS, next(times)
            if q.pending:
                next(times)
        for c in self.controls:
            time = next(times) // TICKS
            c.time = c.time if c.done else time
        span = core.width * HOPS
        core.heap[:] = [next(times) * span + key % span for key in keys]
        for q in self.queues:
            q.last = next(times) // TICKS
            for i in range(len(q.ring)):
                q.ring[i] = next(times) // TICKS
            q.pending = deque((next(times) // TICKS, v) for _, v in q.pending)
        for tokens in self.counters:
            for i in range(len(tokens)):
                tokens[i] = next(times) // TICKS
        for port in range(len(core.free)):
            core.free[port] = next(times)

    def _grow(self, tallies: Iterator[int]) -> None:
        for v in self.variants:
            for i in range(len(v.acc)):
                v.acc[i] = next(tallies)
        for q in self.queues:
            q.barriers = next(tallies)
        for c in self.controls:
            c.taken = next(tallies)
            for key in c.acc:
                c.acc[key] = next(tallies)


def _room(old: Levels, new: Levels) -> int | None:
    """Periods left until a loop in force reaches its end: None if none moves, 0 if the control
    processor is not at the same place of a later turn."""
    if len(old) != len(new):
        return 0
    for number, ((_, before, trip), (_, counter, now)) in enumerate(zip(old, new, strict=True)):
        if trip != now or counter < before:
            return 0
        if counter > before:
            if old[number + 1 :] != new[number + 1 :]:
                return 0
            return (trip - 1 - counter) // (counter - before)
    return None
