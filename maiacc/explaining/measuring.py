"""What a kernel takes: lower bounds from its words, and its part of a timed run.

A run in which every event is kept has a critical path, whose pieces lie one behind the other from
the first cycle to the last. Those of a kernel's words are what the kernel takes: over all kernels,
with what lies between, they add up to the cycles of the program.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from maiacc.explaining.record import KernelRow
from maiacc.running.prepare import MAX_RECORDED
from maiacc_isa.program import Program
from maiacc_sim.bounds import totals
from maiacc_sim.counts import Counts, count
from maiacc_sim.options import Options
from maiacc_sim.result import Result
from maiacc_sim.scalar_log import Scalars, times_depend_on_data
from maiacc_sim.session import Session


@dataclass(frozen=True)
class Taken:
    """A kernel's cycles on the critical path, all of its executions together; those by queue, and
    those in which the path waited for a token of another queue or kernel."""

    cycles: int
    of: int
    queues: dict[str, int] = field(default_factory=dict)
    busy: int = 0


class Measures:
    """Figures of a program's kernels; the program is counted and run once, when one is asked."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._blocks = {block.name: number for number, block in enumerate(program.blocks)}
        self._counts: Counts | None = None
        self._result: Result | None = None

    def bounds(self, kernel: KernelRow) -> dict[str, int]:
        """Cycles below which no schedule of the kernel's words can be, by what is busy so long.
        Where data decide how often it is executed, for the most executions."""
        if self._counts is None:
            self._counts = count(self.program, Scalars({}))
        number, (first, end) = self._blocks[kernel.block], kernel.words
        mine = {
            key: times
            for key, times in self._counts.words.items()
            if key[0] == number and first <= key[2] < end
        }
        found = totals(self.program, Counts(Counter(mine))).bounds
        return {name: cycles for name, cycles in found.items() if cycles}

    @property
    def why_not_timed(self) -> str:
        """Why the program is not run; empty if it can be."""
        if times_depend_on_data(self.program):
            return "its cycles depend on data: maiacc profile takes inputs"
        if self._counts is None:
            self._counts = count(self.program, Scalars({}))
        if self._counts.words.total() > MAX_RECORDED:
            return "it has too many words to keep each of them: maiacc profile"
        return ""

    def taken(self, kernel: KernelRow) -> Taken:
        """The kernel's part of a run without values, which ``why_not_timed`` allows."""
        if self._result is None:
            options = Options(values=False, record=True)
            self._result = Session(self.program, options).run({})
        first, end = kernel.words
        queues: Counter[str] = Counter()
        for link in self._result.critical_path():
            if link.block == kernel.block and first <= link.index < end:
                queues[link.queue.split(" of ")[0]] += link.end - link.begin
        account = self._result.timed.account
        uses = [account.words.get((kernel.block, index)) for index in range(first, end)]
        busy = sum(use.busy for use in uses if use is not None)
        return Taken(queues.total(), self._result.cycles, dict(queues.most_common()), busy)
