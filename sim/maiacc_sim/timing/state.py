"""The queues of the event model, and what they share with control processors."""

from __future__ import annotations

from collections import deque
from heapq import heappush
from typing import Any, Protocol

from maiacc_isa.operation import TICKS
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.system import QueueOf
from maiacc_sim.timing.variants import (
    BARRIER,
    CONTROL,
    COUNT,
    PORT,
    SEMAPHORE,
    Variant,
)

#: Hops a heap key has room for; the last stands for control processors that let others go on.
HOPS = 8


class Unit(Protocol):
    """A queue or control processor: ``stuck`` while it waits for tokens."""

    stuck: bool
    of: QueueOf

    def step(self) -> None:
        """Goes on as far as it can."""


class Core:
    """What all queues and control processors share.

    ``heap`` holds keys of arrivals at ports, ``(tick * HOPS + hops passed) * width + queue
    number``: rising keys are the order of arrival. ``work`` are those that may be able to go on.
    """

    def __init__(self, width: int, ports: int, scalars: Scalars, recorder: Any) -> None:
        self.width = width
        self.heap: list[int] = []
        self.work: list[Unit] = []
        self.free = [0] * ports
        self.scalars = scalars
        self.recorder = recorder
        self.heads: list[tuple[Any, int]] = []
        self.barriers: dict[tuple[str, frozenset[int], int], list[Queue]] = {}
        self.needed: frozenset[int] = frozenset()
        self.loads = 0


class Queue:
    """A queue of an instance and its engine. Times are cycles.

    ``ring`` has the starts of as many words as the queue is deep, the latest last. A word in
    ``flying`` has started and its transfer is not through all of its ports yet.
    """

    __slots__ = (
        "barriers",
        "begin",
        "blocked",
        "core",
        "depth",
        "end",
        "event",
        "flying",
        "free",
        "hop",
        "known",
        "last",
        "latest",
        "of",
        "pending",
        "ring",
        "stuck",
        "waited",
    )

    def __init__(self, core: Core, of: QueueOf, depth: int, start: int) -> None:
        self.core, self.of, self.depth = core, of, depth
        self.pending: deque[tuple[int, Variant]] = deque()
        #: Variants of words that are always the same, by word.
        self.known: dict[int, Variant] = {}
        self.ring: deque[int] = deque([0] * depth, depth)
        self.free = self.last = start
        self.begin = self.end = self.hop = self.latest = self.waited = 0
        self.event = self.barriers = 0
        self.flying: Variant | None = None
        self.stuck = False
        self.blocked: Unit | None = None

    @property
    def head(self) -> int:
        """The word it stands at: one that has begun and waits, or the next one; -1 for none."""
        if self.flying is not None:
            return self.flying.index
        return self.pending[0][1].index if self.pending else -1

    def step(self) -> None:
        """Starts every word that can start."""
        pending = self.pending
        while pending and self.flying is None:
            ready, v = pending[0]
            free = self.free
            at = start = ready if ready > free else free
            late = -1
            for i, (count, counters) in enumerate(v.waits):
                for tokens in counters:
                    if len(tokens) < count:
                        self.stuck = True
                        return
                    arrival = tokens[count - 1]
                    if arrival > start:
                        start, late = arrival, i
            if self.core.recorder is not None:
                self.event = self.core.recorder.start(self, v, ready, start, late)
            for count, counters in v.waits:
                for tokens in counters:
                    for _ in range(count):
                        tokens.popleft()
            pending.popleft()
            self.stuck = False
            acc = v.acc
            acc[COUNT] += 1
            if at > free:
                acc[CONTROL] += at - free
            if start > at:
                acc[SEMAPHORE + late] += start - at
            self.ring.append(start)
            if self.blocked is not None:
                self.core.work.append(self.blocked)
                self.blocked = None
            if v.passes:
                self.flying, self.begin, self.hop, self.end = v, start, 0, 0
                self.latest = self.waited = 0
                key = (start * TICKS * HOPS) * self.core.width + self.of.number
                heappush(self.core.heap, key)
            elif v.barrier is not None:
                self._meet(v, start)
            else:
                self.finish(v, start, v.occupancy)

    def arrive(self, tick: int) -> None:
        """The transfer arrives at its next port, or ports."""
        v, core = self.flying, self.core
        assert v is not None
        ports, ticks = v.passes[self.hop]
        free = core.free
        last = tick
        for port in ports:
            start = free[port]
            if start < tick:
                start = tick
            elif start > last:
                last = start
            free[port] = start = start + ticks
            if start > self.end:
                self.end = start
        if last - tick > self.waited:
            self.waited, self.latest = last - tick, self.hop
        self.hop += 1
        if self.hop < len(v.passes):
            key = (last * HOPS + self.hop) * core.width + self.of.number
            heappush(core.heap, key)
            return
        occupancy = -(-self.end // TICKS) - self.begin
        if occupancy > v.occupancy:
            v.acc[PORT + self.latest] += occupancy - v.occupancy
        else:
            occupancy = v.occupancy
        self.flying = None
        self.finish(v, self.begin, occupancy)
        self.step()

    def finish(self, v: Variant, start: int, occupancy: int) -> None:
        """The word's occupancy is known: when it is complete, and its posts."""
        self.free = end = start + occupancy
        done = end + v.latency
        if done < self.last:
            done = self.last
        self.last = done
        core = self.core
        if core.recorder is not None:
            core.recorder.finish(self, v, start, end, done)
        for count, travel, ends in v.posts:
            arrival = done + travel
            for tokens, waiter in ends:
                for _ in range(count):
                    tokens.append(arrival)
                if waiter.stuck:
                    waiter.stuck = False
                    core.work.append(waiter)

    def _meet(self, v: Variant, start: int) -> None:
        """A BAR: all members go on when the last of them has come."""
        assert v.barrier is not None
        self.flying, self.begin = v, start
        key = (self.of.name, v.barrier, self.barriers)
        self.barriers += 1
        members = self.core.barriers.setdefault(key, [])
        members.append(self)
        if len(members) < len(v.barrier):
            return
        del self.core.barriers[key]
        latest = max(queue.begin for queue in members)
        for queue in members:
            own = queue.flying
            assert own is not None
            queue.flying = None
            until = max(latest + own.occupancy + own.latency, queue.last)
            own.acc[BARRIER] += until - queue.begin - own.occupancy
            queue.finish(own, queue.begin, until - own.latency - queue.begin)
            queue.free = until
            self.core.work.append(queue)
