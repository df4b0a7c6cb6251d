"""Finds accesses that nothing orders, while a program runs (``--sanitize``).

Every queue has a vector clock: how many words of every other queue are known to come before its
next one. Tokens carry the clock of the word that posted them. For every byte the last write and,
for each queue, the last read since are kept; an access by a word that does not know of them is a
race, whether or not this execution happened to get it right. What comes before what is defined in
the manual's chapter on synchronisation.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.program import Block, Program
from maiacc_sim.issue import Issue
from maiacc_sim.memory import Owner
from maiacc_sim.places import describe, word_text
from maiacc_sim.system import QueueOf, System
from maiacc_sim.tokens import Wiring
from maiacc_sim.traps import Trap

Clock: TypeAlias = NDArray[np.int64]

#: Bytes that are watched together.
PAGE = 1 << 12

#: Tokens to take or give, with the numbers of their counters.
Tokens = list[tuple[int, list[int]]]


@dataclass
class _Page:
    """Who touched the bytes of a page: the last writer and the count of its word, and for each
    queue the count of the word that read last (0: none)."""

    writer: NDArray[np.int32]
    written: NDArray[np.int64]
    readers: dict[int, NDArray[np.int64]] = field(default_factory=dict)


class RaceDetector:
    """The watcher of a run's memories."""

    def __init__(self, program: Program, system: System) -> None:
        self.program, self.system = program, system
        self._width = len(system.queues)
        self._block: Block
        self._pages: dict[tuple[Owner, int], _Page] = {}
        self._clocks: list[Clock] = []
        self._tokens: list[deque[Clock]] = []
        self._events: list[list[Issue]] = []
        self._now: QueueOf | None = None

    def begin(self, block: Block, wiring: Wiring) -> None:
        """A block starts: all that was before is over."""
        self._block = block
        self._pages.clear()
        self._clocks = [np.zeros(self._width, np.int64) for _ in range(self._width)]
        none = np.zeros(self._width, np.int64)
        self._tokens = [deque([none] * block.semaphores[sem].init) for sem, _, _ in wiring.counters]
        self._events = [[] for _ in range(self._width)]
        self._now = None

    def known(self, of: QueueOf) -> Clock:
        """What a control processor knows of when it pushes a word."""
        return self._clocks[of.number].copy()

    def start(self, of: QueueOf, issue: Issue, waits: Tokens, known: Clock | None) -> None:
        """A word takes its tokens; the accesses that follow are its own."""
        clock = self._clocks[of.number]
        if known is not None:
            np.maximum(clock, known, out=clock)
        for count, counters in waits:
            for n in counters:
                for _ in range(count):
                    np.maximum(clock, self._tokens[n].popleft(), out=clock)
        clock[of.number] += 1
        self._events[of.number].append(issue)
        self._now = of

    def post(self, of: QueueOf, posts: Tokens) -> None:
        """A word gives tokens."""
        clock = self._clocks[of.number].copy()
        for count, counters in posts:
            for n in counters:
                self._tokens[n].extend([clock] * count)

    def meet(self, members: list[tuple[QueueOf, Tokens]]) -> None:
        """The members of a barrier learn what each of them knew, and what the tokens know that
        it is about to take."""
        clocks = [self._clocks[of.number] for of, _ in members]
        for _, waits in members:
            for count, counters in waits:
                clocks += [t for n in counters for t in islice(self._tokens[n], count)]
        joined = np.max(clocks, axis=0)
        for of, _ in members:
            np.maximum(self._clocks[of.number], joined, out=self._clocks[of.number])

    # ---- accesses -----------------------------------------------------------------------
    def touch(self, owner: Owner, offsets: NDArray[np.int64], write: bool) -> None:
        """An access of the word that started last. Raises ``Trap`` race."""
        if self._now is None or not offsets.size:
            return
        pages = offsets // PAGE
        for number in np.unique(pages).tolist():
            inside = np.unique(offsets[pages == number] - number * PAGE)
            self._page(owner, number, inside, write)

    def _page(self, owner: Owner, number: int, at: NDArray[np.int64], write: bool) -> None:
        assert self._now is not None
        page = self._pages.get((owner, number))
        if page is None:
            page = _Page(np.full(PAGE, -1, np.int32), np.zeros(PAGE, np.int64))
            self._pages[owner, number] = page
        own = self._now.number
        clock = self._clocks[own]
        writer, written = page.writer[at], page.written[at]
        late = (writer >= 0) & (clock[writer] < written)
        if late.any():
            first = int(np.argmax(late))
            place = number * PAGE + int(at[first])
            self._race(owner, place, write, int(writer[first]), int(written[first]), True)
        if not write:
            reads = page.readers.get(own)
            if reads is None:
                reads = page.readers[own] = np.zeros(PAGE, np.int64)
            reads[at] = clock[own]
            return
        for reader, reads in page.readers.items():
            late = clock[reader] < reads[at]
            if late.any():
                first = int(np.argmax(late))
                place = number * PAGE + int(at[first])
                self._race(owner, place, True, reader, int(reads[at][first]), False)
            reads[at] = 0
        page.writer[at] = own
        page.written[at] = clock[own]

    def _race(
        self, owner: Owner, place: int, write: bool, other: int, count: int, wrote: bool
    ) -> None:
        """Reports the access of the present word and the earlier one of another queue."""
        issue = self._events[other][count - 1]
        of = self.system.queues[other]
        where = describe(self._block, issue.index, issue.iteration)
        instance = self.system.instances[owner.instance]
        raise Trap(
            "race",
            f"byte 0x{place:x} of the {owner.space} of {instance} is "
            f"{'written' if write else 'read'} here and {'written' if wrote else 'read'} by word "
            f"{issue.index} of {of}{' at ' if where else ''}{where}, and nothing orders the two",
            found=word_text(self.program, self._block, issue.index),
        )
