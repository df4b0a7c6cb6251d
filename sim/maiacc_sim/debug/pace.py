"""In which order the debugger executes words, and how far control processors are by then.

``TimedPace`` has a recorded timed run: words are executed in the order in which they start, and
control processors have walked as far as they have in that cycle. Since a word starts later than
everything it waits for, this order is a legal one. ``TrailPace`` has only the steps that a run
took until it was stopped.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from maiacc_isa.errors import InternalError
from maiacc_isa.program import Block
from maiacc_sim.code import Do
from maiacc_sim.debug.machine import Recorded, is_event
from maiacc_sim.debug.timeline import Timeline
from maiacc_sim.issue import Issue
from maiacc_sim.machine import Machine, Queue
from maiacc_sim.processor import Control
from maiacc_sim.scalar_log import Log
from maiacc_sim.traps import Trap

#: How deep queues are for a machine whose pushes come when a recording says.
ANY_DEPTH = 1 << 30

#: Issues of words that may be complete, before anybody looks which are.
FLYING = 4096


@dataclass(frozen=True)
class TimedState:
    """A timed pace between two words; see ``TimedPace``."""

    event: int
    cycle: int
    span: int
    heap: list[tuple[int, int]]
    arrived: dict[int, int]
    pushed: list[int]
    executed: list[int]
    issues: dict[int, Issue]


class TimedPace:
    """Stands at the beginning of ``cycle``, of whose words some may be executed already.

    ``arrived`` says since when each control processor is at its word; ``heap`` when each that
    needs no load takes its next step. ``pushed`` and ``executed`` count the words of queues.
    ``issues`` are those of words executed but not complete, among others.
    """

    def __init__(self, machine: Machine, timeline: Timeline, log: Log) -> None:
        self.machine, self.timeline, self.log = machine, timeline, log
        machine.depth = ANY_DEPTH
        queues = len(machine.system.queues)
        self.events = len(timeline.order)
        self.event = self.cycle = 0
        self.span = -1
        self.heap: list[tuple[int, int]] = []
        self.arrived: dict[int, int] = {}
        self.pushed, self.executed = [0] * queues, [0] * queues
        self.issues: dict[int, Issue] = {}
        self._kept = FLYING
        self.stand(0)

    def state(self) -> TimedState:
        """All of it, for ``put_back``."""
        self._forget()
        return TimedState(
            self.event,
            self.cycle,
            self.span,
            list(self.heap),
            dict(self.arrived),
            list(self.pushed),
            list(self.executed),
            dict(self.issues),
        )

    def put_back(self, state: TimedState) -> None:
        """As it was when the state was taken."""
        self.event, self.cycle, self.span = state.event, state.cycle, state.span
        self.heap, self.arrived = list(state.heap), dict(state.arrived)
        self.pushed, self.executed = list(state.pushed), list(state.executed)
        self.issues = dict(state.issues)

    def _forget(self) -> None:
        """Forgets the issues of words that are complete."""
        complete = self.timeline.recorder.complete
        self.issues = {e: issue for e, issue in self.issues.items() if complete[e] > self.cycle}
        self._kept = max(FLYING, 2 * len(self.issues))

    @property
    def unit(self) -> int | None:
        """The queue or control processor that executes the next word."""
        return int(self.timeline.unit[self.event]) if self.event < self.events else None

    @property
    def word(self) -> tuple[Block, int] | None:
        """The next word."""
        if self.event == self.events:
            return None
        v = self.timeline.variant(int(self.timeline.order[self.event]))
        return self.timeline.engine.program.blocks[v.block], v.index

    def arrive(self) -> None:
        """Goes to the cycle of the next word, or of the end."""
        ended = self.event == self.events
        self.stand(self.timeline.cycles if ended else int(self.timeline.at[self.event]))

    def stand(self, cycle: int) -> None:
        """Goes to a cycle whose earlier words are all executed. Raises ``Trap``."""
        spans = self.timeline.spans
        while self.span + 1 < len(spans) and spans[self.span + 1].start <= cycle:
            self._walk(None)
            self.machine.check_over()
            self.span += 1
            self.machine.begin(self.machine.program.block(spans[self.span].block))
            self.heap, self.arrived = [], {}
            for number, control in self.machine.controls.items():
                self._plan(number, control, spans[self.span].start)
            heapify(self.heap)
        self._walk(cycle)
        self.cycle = max(self.cycle, cycle)

    def _walk(self, behind: int | None) -> None:
        """Control processors take their steps of the cycles before one, or all they have."""
        while self.heap and (behind is None or self.heap[0][0] < behind):
            time, number = self.heap[0]
            control = self.machine.controls[number]
            step = control.steps[control.at]
            self.cycle = max(self.cycle, time)
            if not self.machine.step(control):
                raise InternalError("E0001", f"{control.of} does not go on in cycle {time}")
            heappop(self.heap)
            if step.do is Do.PUSH:
                queue = self.machine.system.queue(control.of.instance, str(step.word.queue))
                self.pushed[queue.number] += 1
            self._plan(number, control, time + step.cycles)

    def _plan(self, number: int, control: Control, now: int) -> None:
        """When a control processor that comes to a word in cycle ``now`` goes on."""
        self.arrived[number] = now
        if control.done or is_event(control):
            return
        step = control.steps[control.at]
        if step.do is Do.PUSH:
            queue = self.machine.system.queue(control.of.instance, str(step.word.queue)).number
            event = self.timeline.of_unit[queue][self.pushed[queue]]
            now = max(now, self.timeline.recorder.ready[event] - 1)
        heappush(self.heap, (now, number))

    def execute(self) -> None:
        """Executes the next word, to whose cycle it has come. Raises ``Trap``."""
        number = int(self.timeline.unit[self.event])
        event = int(self.timeline.order[self.event])
        unit = _unit(self.machine, number)
        issue = unit.pending[0][0] if isinstance(unit, Queue) and unit.pending else None
        if not self.machine.step(unit):
            raise InternalError("E0001", f"{unit.of} does not go on in cycle {self.cycle}")
        if issue is not None:
            self.issues[event] = issue
        if len(self.issues) > self._kept:
            self._forget()
        self.executed[number] += 1
        self.event += 1
        if isinstance(unit, Control):
            self._compare(unit)
            self._plan(number, unit, self.timeline.recorder.complete[event])

    def _compare(self, control: Control) -> None:
        """Whether a load gave what it gave in the run that was timed."""
        loaded = self.machine.log[control.of.instance.number]
        expected = self.log[control.of.instance.number][len(loaded) - 1]
        if loaded[-1] != expected:
            raise Trap(
                "race",
                f"{control.of} loads another scalar in the order of time than in that of the "
                "program, so nothing orders the load and what it reads",
                expected=str(expected),
                found=str(loaded[-1]),
            )


class TrailPace:
    """Takes the steps of a run that was stopped, in their order. There are no cycles."""

    cycle = None

    def __init__(self, machine: Machine, recorded: Recorded) -> None:
        self.machine = machine
        self.trail: array[int] = recorded.trail
        self.failing = recorded.failing
        self.events = recorded.events
        self.event = self.at = 0
        self.arrive()

    def state(self) -> tuple[int, int]:
        """All of it, for ``put_back``."""
        return self.event, self.at

    def put_back(self, state: tuple[int, int]) -> None:
        """As it was when the state was taken."""
        self.event, self.at = state

    @property
    def unit(self) -> int | None:
        """The queue or control processor that takes the next step that is shown."""
        return self.trail[self.at] if self.at < len(self.trail) else self.failing

    @property
    def word(self) -> tuple[Block, int] | None:
        """The word it is at, if it is at one."""
        unit = None if self.unit is None else _unit(self.machine, self.unit)
        if unit is None:
            return None
        if isinstance(unit, Control):
            return self.machine.block, unit.index
        return (self.machine.block, unit.pending[0][0].index) if unit.pending else None

    def arrive(self) -> None:
        """Takes the steps of control processors before the next word."""
        while self.at < len(self.trail):
            entry = self.trail[self.at]
            if entry < 0:
                self.machine.begin(self.machine.program.blocks[-1 - entry])
            elif is_event(unit := _unit(self.machine, entry)):
                return
            elif not self.machine.step(unit):
                raise InternalError("E0001", f"{unit.of} does not go on as it did")
            self.at += 1

    def execute(self) -> None:
        """Executes the next word."""
        unit = _unit(self.machine, self.trail[self.at])
        if not self.machine.step(unit):
            raise InternalError("E0001", f"{unit.of} does not go on as it did")
        self.at += 1
        self.event += 1


#: Either of them.
Pace = TimedPace | TrailPace


def _unit(machine: Machine, number: int) -> Queue | Control:
    return machine.queues.get(number) or machine.controls[number]
