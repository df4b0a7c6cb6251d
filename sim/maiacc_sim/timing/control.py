"""The control processors of the event model."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappush

from maiacc_isa.load import load
from maiacc_isa.operation import TICKS
from maiacc_isa.program import Block
from maiacc_sim.code import Do, Step
from maiacc_sim.scalars import COUNTER, REGISTER, Sources, assign, read
from maiacc_sim.system import QueueOf
from maiacc_sim.timing.state import HOPS, Core, Queue
from maiacc_sim.timing.variants import COUNT, Variants

#: Turns of a loop that a control processor takes without waiting before others go on.
QUIET_TURNS = 64


class Control:
    """A control processor walking the steps of a block. ``time`` is its next cycle."""

    __slots__ = (
        "acc",
        "at",
        "block",
        "core",
        "counters",
        "done",
        "ended",
        "of",
        "queues",
        "quiet",
        "sources",
        "steps",
        "stuck",
        "taken",
        "time",
        "trips",
        "variants",
        "watched",
    )

    def __init__(self, core: Core, of: QueueOf, sources: Sources, start: int) -> None:
        self.core, self.of, self.sources = core, of, sources
        self.steps: list[Step] = []
        self.queues: dict[str | None, Queue] = {}
        self.at = self.quiet = self.taken = 0
        self.time, self.ended = start, -1
        self.trips = [0] * load().limit("loops")
        self.stuck = self.done = self.watched = False
        #: Cycles waited for room in each queue, for each semaphore, and for loads.
        self.acc: dict[tuple[str, str], int] = {}
        self.variants: Variants
        self.block: Block

    def step(self) -> None:
        """Walks until it has to wait, or is through."""
        walk = _WALK
        steps = self.steps
        while True:
            step = steps[self.at]
            if not walk[step.do](self, step):
                return

    def charge(self, kind: str, what: str, cycles: int) -> None:
        """Books cycles in which this control processor waited."""
        self.acc[kind, what] = self.acc.get((kind, what), 0) + cycles

    def idle(self, step: Step) -> bool:
        self.time += step.cycles
        self.at += 1
        return True

    def push(self, step: Step) -> bool:
        """Pushes a word; False while its queue is full."""
        queue = self.queues[step.word.queue]
        waiting = len(queue.pending)
        if waiting >= queue.depth:
            queue.blocked = self
            self.quiet = 0
            return False
        room = queue.ring[waiting]
        if room > self.time:
            self.charge("queue", queue.of.name, room - self.time)
            self.time = room
            if self.core.recorder is not None:
                self.core.recorder.room(self, queue, waiting)
        v = queue.known.get(step.index)
        if v is None:
            v = self.variants.of(queue.of, step.index, self.sources)
            if self.variants.static(step.index):
                queue.known[step.index] = v
        self.time += 1
        if self.core.recorder is not None:
            self.core.recorder.push(self, queue)
        queue.pending.append((self.time, v))
        self.at += 1
        if not queue.stuck and queue.flying is None:
            queue.step()
        return True

    def enter(self, step: Step) -> bool:
        trip = step.trip if step.reg < 0 else read(self.block, self.sources, step.reg)
        self.time += 1
        if trip <= 0:
            self.at = step.target
            return True
        level = step.level
        self.trips[level] = trip
        self.sources[COUNTER + level] = 0
        self.at += 1
        return True

    def leave(self, step: Step) -> bool:
        """ENDL; False when it lets others go on first."""
        level = step.level
        counter = self.sources[COUNTER + level]
        assert counter is not None
        counter += 1
        self.time += 1
        if counter >= self.trips[level]:
            self.sources[COUNTER + level] = None
            self.at += 1
            return True
        self.sources[COUNTER + level] = counter
        self.at = step.target
        if self.watched:
            self.core.heads.append((self, self.at))
        self.quiet += 1
        if self.quiet < QUIET_TURNS:
            return True
        self.quiet = 0
        key = (self.time * TICKS * HOPS + HOPS - 1) * self.core.width + self.of.number
        heappush(self.core.heap, key)
        return False

    def set(self, step: Step) -> bool:
        assign(self.block, step.word, self.sources)
        self.time += 1
        self.at += 1
        return True

    def parameter(self, step: Step) -> bool:
        value = self.core.scalars.parameter(step.word["param"])
        self.sources[REGISTER + step.word["dest"]] = value
        self.time += 1
        self.at += 1
        return True

    def load(self, step: Step) -> bool:
        """SLD; False while a token is missing."""
        v = self.variants.of(self.of, step.index, self.sources)
        met, late = self.time, -1
        for i, (count, counters) in enumerate(v.waits):
            if any(len(tokens) < count for tokens in counters):
                self.stuck = True
                self.quiet = 0
                return False
            arrival = max((tokens[count - 1] for tokens in counters), default=0)
            if arrival > met:
                met, late = arrival, i
        if self.core.recorder is not None:
            self.core.recorder.load(self, v, met, late)
        for count, counters in v.waits:
            for tokens in counters:
                for _ in range(count):
                    tokens.popleft()
        if late >= 0:
            self.charge("semaphore", self.variants.names[step.word.waits[late][0]], met - self.time)
        self.charge("load", "", v.latency)
        self.time = met + 1 + v.latency
        self.sources[REGISTER + step.word["dest"]] = self.core.scalars.loaded(
            self.of.instance, step, self.taken
        )
        self.core.loads += step.word["dest"] in self.core.needed
        self.taken += 1
        v.acc[COUNT] += 1
        for count, travel, ends in v.posts:
            for tokens, waiter in ends:
                for _ in range(count):
                    tokens.append(self.time + travel)
                if waiter.stuck:
                    waiter.stuck = False
                    self.core.work.append(waiter)
        self.at += 1
        return True

    def mark(self, step: Step) -> bool:
        if self.core.recorder is not None:
            self.core.recorder.mark(self, step)
        self.time += 1
        self.at += 1
        return True

    def end(self, step: Step) -> bool:
        self.time += 1
        self.ended = self.time
        self.done = True
        return False

    @property
    def index(self) -> int:
        """The number of the word it is at."""
        return self.steps[self.at].index

    @property
    def iteration(self) -> tuple[int, ...]:
        """Counters of the loops in force, outermost first."""
        return tuple(counter for _, counter, _ in self.levels())

    def levels(self) -> Iterator[tuple[int, int, int]]:
        """Level, counter and trip count of the loops in force."""
        for level, trip in enumerate(self.trips):
            counter = self.sources[COUNTER + level]
            if counter is None:
                return
            yield level, counter, trip


_WALK = {
    Do.PASS: Control.idle,
    Do.PUSH: Control.push,
    Do.LOOP: Control.enter,
    Do.ENDL: Control.leave,
    Do.SET: Control.set,
    Do.PAR: Control.parameter,
    Do.SLD: Control.load,
    Do.MARK: Control.mark,
    Do.END: Control.end,
}
