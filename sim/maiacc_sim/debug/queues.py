"""What queues and control processors do while the debugger stands: for each the words it has, and
what the first of them waits for."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_isa.names import default_name
from maiacc_isa.program import Block
from maiacc_sim.code import Do
from maiacc_sim.debug.machine import is_event
from maiacc_sim.debug.pace import Pace, TimedPace
from maiacc_sim.machine import Machine, Queue
from maiacc_sim.places import loop_names, semaphore_name
from maiacc_sim.processor import Control
from maiacc_sim.scalars import REGISTER, REGISTERS
from maiacc_sim.stuck import token_wait
from maiacc_sim.system import Instance, QueueOf


@dataclass(frozen=True)
class Execution:
    """One execution of a word. ``iteration`` is None where it is not known any more, or not yet.
    ``end`` is the cycle in which its queue is free again, ``complete`` when its results count;
    None without cycles."""

    block: Block = field(repr=False)
    index: int
    iteration: tuple[int, ...] | None
    begin: int | None = None
    end: int | None = None
    complete: int | None = None


@dataclass(frozen=True)
class QueueState:
    """A queue: the word that ``occupies`` its engine, those behind that are not ``complete`` yet,
    those ``waiting``, and what the first of these waits for, in words (empty: it can start).
    ``starts`` is the cycle in which that one starts, as far as known."""

    queue: QueueOf
    occupies: Execution | None
    completing: tuple[Execution, ...]
    waiting: tuple[Execution, ...]
    needs: str
    starts: int | None


@dataclass(frozen=True)
class ControlState:
    """A control processor: the word it is at (None: it has met END), what it waits for, and the
    cycle in which it goes on, as far as known."""

    queue: QueueOf
    at: Execution | None
    needs: str
    goes_on: int | None


@dataclass(frozen=True)
class TokenState:
    """A counter of a semaphore: who waits, who posts, how many tokens it holds, and how many are
    on their way."""

    name: str
    waiter: QueueOf
    poster: QueueOf
    held: int
    coming: int


class Onlooker:
    """Looks at a machine that stands."""

    def __init__(self, machine: Machine, pace: Pace) -> None:
        self.machine, self.pace = machine, pace

    # ---- tokens ---------------------------------------------------------------------------
    def coming(self) -> dict[int, int]:
        """Tokens by counter that words executed already will give in a later cycle."""
        found: dict[int, int] = {}
        pace = self.pace
        if not isinstance(pace, TimedPace) or pace.span < 0:
            return found
        machine, timeline = self.machine, pace.timeline
        longest = max(machine.program.machine.int(f"sem.{s}") for s in ("tile", "cluster", "chip"))
        for number, count in enumerate(pace.executed):
            for event in reversed(timeline.of_unit[number][:count]):
                done = timeline.recorder.complete[event]
                if done + longest <= pace.cycle or event < timeline.first[pace.span]:
                    break
                v = timeline.variant(event)
                for (tokens, travel, _), counters in zip(v.posts, v.post_counters, strict=True):
                    if done + travel > pace.cycle:
                        for counter in counters:
                            found[counter] = found.get(counter, 0) + tokens
        return found

    def tokens(self, instance: Instance) -> list[TokenState]:
        """The counters of an instance's waiters."""
        machine = self.machine
        if not machine.controls:
            return []
        coming = self.coming()
        return [
            TokenState(
                semaphore_name(machine.block, sem),
                waiter,
                poster,
                machine.counters.held(n) - coming.get(n, 0),
                coming.get(n, 0),
            )
            for n, (sem, waiter, poster) in enumerate(machine.wiring.counters)
            if waiter.instance == instance
        ]

    # ---- queues ---------------------------------------------------------------------------
    def queues(self, instance: Instance) -> list[QueueState]:
        """The queues of an instance."""
        found = [q for q in self.machine.queues.values() if q.of.instance == instance]
        coming = self.coming()
        return [self._queue(queue, coming) for queue in found]

    def _queue(self, queue: Queue, coming: dict[int, int]) -> QueueState:
        occupies, completing = self._executed(queue.of)
        block = self.machine.block
        waiting = tuple(
            Execution(block, issue.index, issue.iteration) for issue, _ in queue.pending
        )
        starts = self._begin(queue.of)
        needs = ""
        if waiting and starts is not None and self._stands_at_barrier(queue.of, starts):
            needs = f"the other chips at the barrier, since cycle {starts}"
            starts = None
        elif waiting:
            needs = self._lacks(queue.of, waiting[0].index, coming)
        return QueueState(
            queue.of, occupies, completing, waiting, needs, starts if waiting else None
        )

    def _executed(self, of: QueueOf) -> tuple[Execution | None, tuple[Execution, ...]]:
        """The word that occupies a queue, and those that are not complete, oldest first."""
        pace, completing = self.pace, []
        if not isinstance(pace, TimedPace):
            return None, ()
        occupies, recorder = None, pace.timeline.recorder
        for event in reversed(pace.timeline.of_unit[of.number][: pace.executed[of.number]]):
            if recorder.complete[event] <= pace.cycle:
                break
            v = pace.timeline.variant(event)
            # A barrier keeps its queue until it is complete.
            end = recorder.end[event] if v.barrier is None else recorder.complete[event]
            issue = pace.issues.get(event)
            found = Execution(
                self.machine.program.blocks[v.block],
                v.index,
                None if issue is None else issue.iteration,
                recorder.begin[event],
                end,
                recorder.complete[event],
            )
            if end > pace.cycle:
                occupies = found
            else:
                completing.append(found)
        return occupies, tuple(reversed(completing))

    def _begin(self, of: QueueOf) -> int | None:
        """The cycle in which the next word of a queue starts."""
        if not isinstance(self.pace, TimedPace):
            return None
        events = self.pace.timeline.of_unit[of.number]
        at = self.pace.executed[of.number]
        return self.pace.timeline.recorder.begin[events[at]] if at < len(events) else None

    def _stands_at_barrier(self, of: QueueOf, begin: int) -> bool:
        """Whether the next word of a queue is a barrier that has started and is not met yet."""
        pace = self.pace
        if not isinstance(pace, TimedPace) or begin >= pace.cycle:
            return False
        event = pace.timeline.of_unit[of.number][pace.executed[of.number]]
        return pace.timeline.variant(event).barrier is not None

    def _lacks(self, of: QueueOf, index: int, coming: dict[int, int]) -> str:
        """Which token a word lacks, and who posts it."""
        machine = self.machine

        def held(counter: int) -> int:
            return machine.counters.held(counter) - coming.get(counter, 0)

        waits = machine.wiring.waits(index, of.instance)
        if all(held(n) >= count for count, found in waits for n in found):
            return "the other chips at the barrier" if self._alone(index) else ""
        needs, gives = token_wait(machine.block, machine.wiring, held, of, index)
        if gives is None:
            return needs
        return f"{needs} from {gives.name if gives.instance == of.instance else gives}"

    def _alone(self, index: int) -> bool:
        """Whether a word whose tokens are there is a barrier of which others are missing."""
        return (
            not isinstance(self.pace, TimedPace) and self.machine.block.words[index].name == "BAR"
        )

    # ---- control processors -----------------------------------------------------------------
    def control(self, instance: Instance) -> ControlState:
        """The control processor of an instance."""
        of = self.machine.system.control(instance)
        control = self.machine.controls.get(of.number)
        if control is None or control.done:
            return ControlState(of, None, "", None)
        at = Execution(self.machine.block, control.index, control.iteration)
        needs, goes_on = "", None
        if isinstance(self.pace, TimedPace):
            needs, goes_on = self._timed_control(control, self.pace)
        elif is_event(control):
            needs = self._lacks(of, control.index, {})
        elif control.steps[control.at].do is Do.PUSH and self._is_full(control):
            needs = f"room in {control.steps[control.at].word.queue}"
        return ControlState(of, at, needs, goes_on)

    def _is_full(self, control: Control) -> bool:
        word = control.steps[control.at].word
        queue = self.machine.system.queue(control.of.instance, str(word.queue))
        return len(self.machine.queues[queue.number].pending) >= self.machine.depth

    def _timed_control(self, control: Control, pace: TimedPace) -> tuple[str, int | None]:
        number = control.of.number
        arrived = pace.arrived[number]
        if arrived > pace.cycle:
            return "", arrived
        if is_event(control):
            return self._lacks(control.of, control.index, self.coming()), self._begin(control.of)
        time = next(time for time, other in pace.heap if other == number)
        full = time > pace.cycle
        return (f"room in {control.steps[control.at].word.queue}" if full else ""), time

    def registers(self, instance: Instance) -> dict[str, int]:
        """The scalar registers of a control processor that are set, by name."""
        sources, names = self.machine.sources[instance.number], self.machine.block.symbols.registers
        return {
            names.get(reg, default_name("s", reg)): value
            for reg in range(REGISTERS)
            if (value := sources[REGISTER + reg]) is not None
        }

    def loops(self, instance: Instance) -> dict[str, int]:
        """The counters of the loops that a control processor is in, outermost first, by name."""
        of = self.machine.system.control(instance)
        control = self.machine.controls.get(of.number)
        if control is None or control.done:
            return {}
        names = loop_names(self.machine.block, control.index)
        return dict(zip(names, control.iteration, strict=False))
