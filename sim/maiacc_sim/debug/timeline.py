"""A recorded timed run in the order of time, for the debugger."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Any

import numpy as np

from maiacc_sim.timing.interface import Span
from maiacc_sim.timing.record import Recorder
from maiacc_sim.timing.run import Timed
from maiacc_sim.timing.variants import Variant


class Timeline:
    """A recorded run in the order of time.

    Event n of the debugger is ``order[n]`` of the recorder; it is executed in cycle ``at[n]``, by
    queue ``unit[n]``. ``of_unit`` has the recorder's events of each queue or control processor.
    """

    def __init__(self, timed: Timed, recorder: Recorder) -> None:
        self.recorder = recorder
        self.engine = timed.engine
        self.spans: list[Span] = timed.account.spans
        self.cycles = timed.cycles
        at = np.array(recorder.begin, np.int64)
        self.first = self._blocks()
        self._barriers(at)
        unit = np.array(recorder.unit, np.int64)
        self.order = np.lexsort((unit, at))
        self.at, self.unit = at[self.order], unit[self.order]
        self.of_unit: list[list[int]] = [[] for _ in timed.engine.system.queues]
        for event, number in enumerate(unit.tolist()):
            self.of_unit[number].append(event)

    def variant(self, event: int) -> Variant:
        """What an event of the recorder executes."""
        return self.engine.variant(self.recorder.variant[event])

    def span_of(self, event: int) -> int:
        """In which execution of a block an event of the recorder is."""
        return bisect_right(self.first, event) - 1

    def _blocks(self) -> list[int]:
        """The first event of each execution of a block."""
        first, behind = [], 0
        for span in self.spans:
            first.append(behind)
            while behind < len(self.recorder) and self.recorder.begin[behind] < span.until:
                behind += 1
        return first

    def _barriers(self, at: Any) -> None:
        """The members of a barrier are executed when the last of them has come to it."""
        met: dict[tuple[str, frozenset[int], int], list[int]] = {}
        passed: Counter[int] = Counter()
        for event in range(len(self.recorder)):
            v = self.variant(event)
            if v.barrier is not None:
                key = (v.queue.name, v.barrier, passed[v.queue.number])
                passed[v.queue.number] += 1
                met.setdefault(key, []).append(event)
        for events in met.values():
            at[events] = at[events].max()
