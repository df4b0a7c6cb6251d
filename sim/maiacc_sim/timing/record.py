"""Records every event of a timed run: what a trace and the critical path are made of."""

from __future__ import annotations

from array import array
from collections import deque

from maiacc_isa.program import Block
from maiacc_sim.code import Step
from maiacc_sim.timing.control import Control
from maiacc_sim.timing.state import Queue
from maiacc_sim.timing.variants import Variant, Variants

#: What let a word start: its push, the word before it in the queue, or a token.
BY_PUSH, BY_QUEUE, BY_TOKEN = 0, 1, 2


class Recorder:
    """Columns of events, one entry for each engine word and SLD in the order they were found.

    ``cause`` says what let an event start (``BY_...``) and ``causer`` the event it was: the one
    whose token came last, the one before in the queue, or for a push the event that the control
    processor last waited for (-1: none, it has been walking since the block began). ``before`` is
    the event before in the same queue.
    """

    def __init__(self) -> None:
        self.unit = array("q")
        self.variant = array("q")
        self.ready = array("q")
        self.begin = array("q")
        self.end = array("q")
        self.complete = array("q")
        self.free = array("q")
        self.late = array("b")
        self.cause = array("b")
        self.causer = array("q")
        self.before = array("q")
        self.posters = array("q")
        self.waiters = array("q")
        #: (counter name, cycle, change): semaphores over time.
        self.levels: list[tuple[int, int, int, int]] = []
        self.marks: list[tuple[int, int, Step]] = []
        self.blocks: list[tuple[Block, Variants, int]] = []
        self._tokens: list[deque[int]] = []
        self._open: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._starts: dict[int, deque[int]] = {}
        self._anchor: dict[int, int] = {}
        self._pushed: dict[int, deque[int]] = {}

    def __len__(self) -> int:
        return len(self.unit)

    def block(self, block: Block, variants: Variants, start: int) -> None:
        """A block starts; counters hold their first tokens."""
        self.blocks.append((block, variants, start))
        self._tokens = [
            deque([-1] * block.semaphores[sem].init) for sem, _, _ in variants.wiring.counters
        ]
        for number, tokens in enumerate(self._tokens):
            if tokens:
                self.levels.append((len(self.blocks) - 1, number, start, len(tokens)))
        self._last.clear()
        self._starts.clear()
        self._anchor.clear()

    def push(self, control: Control, queue: Queue) -> None:
        """A control processor pushes a word."""
        anchor = self._anchor.get(control.of.number, -1)
        self._pushed.setdefault(queue.of.number, deque()).append(anchor)

    def room(self, control: Control, queue: Queue, waiting: int) -> None:
        """A control processor got room when a word of a full queue started."""
        starts = self._starts[queue.of.number]
        position = len(starts) - (queue.depth - waiting)
        self._anchor[control.of.number] = starts[position] if position >= 0 else -1

    def start(self, queue: Queue, v: Variant, ready: int, start: int, late: int) -> int:
        """A word starts; its tokens are about to be taken."""
        number = queue.of.number
        pushed = self._pushed[number].popleft()
        causer = self._taken(v, late, start)
        if late >= 0:
            cause = BY_TOKEN
        elif ready > queue.free:
            cause, causer = BY_PUSH, pushed
        else:
            cause, causer = BY_QUEUE, self._last.get(number, -1)
        event = self._add(number, v, ready, start, queue.free, late, cause, causer)
        self._open[number] = event
        starts = self._starts.setdefault(number, deque(maxlen=queue.depth))
        starts.append(event)
        return event

    def finish(self, queue: Queue, v: Variant, start: int, end: int, done: int) -> None:
        """The word's occupancy is over at ``end``, and its posts fire at ``done``."""
        event = self._open.pop(queue.of.number)
        self.end[event], self.complete[event] = end, done
        self._post(v, event, done)

    def load(self, control: Control, v: Variant, met: int, late: int) -> None:
        """An SLD goes on."""
        number = control.of.number
        causer = self._taken(v, late, met)
        cause = BY_TOKEN if late >= 0 else BY_PUSH
        if late < 0:
            causer = self._anchor.get(number, -1)
        event = self._add(number, v, control.time, met, control.time, late, cause, causer)
        done = met + 1 + v.latency
        self.end[event], self.complete[event] = met + 1, done
        self._anchor[number] = event
        self._post(v, event, done)

    def mark(self, control: Control, step: Step) -> None:
        """A control processor begins or ends a region."""
        self.marks.append((control.of.number, control.time, step))

    def _add(
        self,
        unit: int,
        v: Variant,
        ready: int,
        begin: int,
        free: int,
        late: int,
        cause: int,
        causer: int,
    ) -> int:
        event = len(self.unit)
        self.unit.append(unit)
        self.variant.append(v.number)
        self.ready.append(ready)
        self.begin.append(begin)
        self.end.append(begin)
        self.complete.append(begin)
        self.free.append(free)
        self.late.append(late)
        self.cause.append(cause)
        self.causer.append(causer)
        self.before.append(self._last.get(unit, -1))
        self._last[unit] = event
        if late >= 0 and causer >= 0:
            self.posters.append(causer)
            self.waiters.append(event)
        return event

    def _taken(self, v: Variant, late: int, start: int) -> int:
        """Takes tokens; returns the event that posted the one that came last."""
        block = len(self.blocks) - 1
        causer = -1
        for i, (count, counters) in enumerate(v.waits):
            for n, times in zip(v.wait_counters[i], counters, strict=True):
                arrival = times[count - 1]
                for _ in range(count):
                    event = self._tokens[n].popleft()
                if i == late and arrival == start and causer < 0:
                    causer = event
                self.levels.append((block, n, start, -count))
        return causer

    def _post(self, v: Variant, event: int, done: int) -> None:
        block = len(self.blocks) - 1
        for i, (count, travel, _) in enumerate(v.posts):
            for n in v.post_counters[i]:
                self._tokens[n].extend([event] * count)
                self.levels.append((block, n, done + travel, count))
