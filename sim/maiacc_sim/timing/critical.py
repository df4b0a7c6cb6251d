"""The critical path: the chain of words and waits that determines how long a program takes."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_sim.timing.interface import Events, Span, Timer
from maiacc_sim.timing.record import BY_PUSH, BY_QUEUE, BY_TOKEN

#: What is said of each way a word was let go.
REASONS = {BY_PUSH: "pushed", BY_QUEUE: "behind", BY_TOKEN: "token"}


@dataclass(frozen=True)
class Link:
    """A piece of the path: from cycle ``begin`` to ``end`` a word of a queue determines what
    comes, or its control processor walks (``index`` -1). ``reason`` says what let it begin:
    `pushed`, `behind` the word before in its queue, or a `token`."""

    queue: str
    block: str
    index: int
    begin: int
    end: int
    reason: str


def critical_path(engine: Timer, recorder: Events, spans: list[Span]) -> list[Link]:
    """The chain that determines the total, first link first.

    Its links follow each other without a gap: their lengths add up to the cycles of the program.
    """
    links: list[Link] = []
    first = 0
    for number, span in enumerate(spans):
        if number:
            past = spans[number - 1]
            links.append(Link("all queues", span.block, -1, past.end, past.until, "boundary"))
        behind = first
        while behind < len(recorder) and recorder.begin[behind] < span.until:
            behind += 1
        links += _Back(engine, recorder, span).path(range(first, behind))
        first = behind
    return links


class _Back:
    """Walks one execution of a block from its end to its start."""

    def __init__(self, engine: Timer, recorder: Events, span: Span) -> None:
        self.engine, self.recorder, self.span = engine, recorder, span
        self.links: list[Link] = []
        self.until = span.end

    def path(self, events: range) -> list[Link]:
        r = self.recorder
        event = max(events, key=lambda e: (r.complete[e], e), default=-1)
        done = r.complete[event] if event >= 0 else self.span.start
        self._link("a control processor", -1, done, "walks")
        while event >= 0:
            event = self._completing(event)
            v = self.engine.variant(r.variant[event])
            cause = r.cause[event]
            self._link(str(v.queue), v.index, r.begin[event], REASONS[cause])
            if cause == BY_PUSH:
                event = self._walked(event)
            else:
                event = r.causer[event]
        self._link("a control processor", -1, self.span.start, "waits")
        return self.links[::-1]

    def _link(self, who: str, index: int, begin: int, reason: str) -> None:
        """Adds the piece from ``begin`` to where the path has come, unless it is empty."""
        begin = int(begin)  # columns may be arrays of numpy
        if begin < self.until:
            self.links.append(Link(who, self.span.block, index, begin, self.until, reason))
            self.until = begin

    def _completing(self, event: int) -> int:
        """The event that completes when this one does: an earlier one of its queue, if words
        complete late because they complete in order."""
        r = self.recorder
        while self.until >= r.complete[event] and r.before[event] >= 0:
            own = r.end[event] + self.engine.variant(r.variant[event]).latency
            if own == r.complete[event]:
                break
            event = r.before[event]
        return event

    def _walked(self, event: int) -> int:
        """The way of the control processor that pushed an event: back to what it waited for."""
        r = self.recorder
        of = self.engine.system.queues[r.unit[event]]
        released = r.causer[event]
        since = self.span.start
        if released >= 0:
            load = self.engine.system.queues[r.unit[released]].row.engine == "control"
            since = r.complete[released] if load else r.begin[released]
        self._link(f"control processor of {of.instance}", -1, since, "walks")
        return int(released)
