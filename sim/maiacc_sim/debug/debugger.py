"""The step debugger: a program executed word by word, forwards and backwards.

The program first runs once: that gives the scalars it loads, and with them a timed run that says
in which cycle every word starts. The debugger then executes words in this order, so it always
stands at a cycle. A program that traps or hangs in the first run has no cycles; it is debugged up
to there, in the order of that run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.errors import MaiaccError
from maiacc_isa.program import Block, Program
from maiacc_sim.debug.contents import Contents, find, look
from maiacc_sim.debug.flight import arriving
from maiacc_sim.debug.machine import Checkpoints
from maiacc_sim.debug.pace import TimedPace
from maiacc_sim.debug.places import with_memory, words_of
from maiacc_sim.debug.queues import ControlState, Execution, Onlooker, QueueState, TokenState
from maiacc_sim.debug.replay import Replay
from maiacc_sim.debug.stops import Breakpoint, Position, Standing, Stop, Watch, Watcher
from maiacc_sim.machine import Limits
from maiacc_sim.processor import Control
from maiacc_sim.system import Instance, QueueOf, System
from maiacc_sim.traps import Stopped


class Debugger:
    """Steps through a program.

    Raises what ``simulate`` raises for words, inputs and parameters. What traps is no error: the
    debugger then stands before it.
    """

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, NDArray[Any]],
        parameters: Mapping[str, int] | None = None,
        limits: Limits | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> None:
        self.program = program
        self._replay = Replay(
            program, inputs, parameters or {}, limits or Limits(), checkpoints or Checkpoints()
        )
        self.breakpoints: list[Breakpoint] = []
        self.watches: list[Watch] = []
        self._numbers = 0
        self._watcher = Watcher()
        self._focus: tuple[Position, Instance] | None = None

    # ---- where it stands ----------------------------------------------------------------------
    @property
    def failure(self) -> Stopped | None:
        """What ended the first run before the end of the program; there are no cycles then."""
        return self._replay.failure

    @property
    def stopped(self) -> Stopped | None:
        """The trap at which the debugger stands."""
        return self._replay.stopped

    @property
    def position(self) -> Position:
        """Cycle and number of words executed."""
        return Position(self._replay.pace.cycle, self._replay.pace.event)

    @property
    def events(self) -> int:
        """How many words are executed, as far as the program comes."""
        return self._replay.pace.events

    @property
    def cycles(self) -> int | None:
        """The cycles of the whole program."""
        return None if self._replay.timed is None else self._replay.timed.cycles

    @property
    def block(self) -> Block:
        """The block that is executed."""
        return self._replay.machine.block

    @property
    def system(self) -> System:
        """The instances of the machine."""
        return self._replay.machine.system

    @property
    def next(self) -> Standing | None:
        """The word that is executed next, or that cannot be; None at the end."""
        machine, pace = self._replay.machine, self._replay.pace
        number, word = pace.unit, pace.word
        if number is None or word is None:
            return None
        (block, index), iteration = word, None
        unit = machine.queues.get(number) or machine.controls.get(number)
        if isinstance(unit, Control):
            iteration = unit.iteration if not unit.done and unit.index == index else None
        elif unit is not None and unit.pending and unit.pending[0][0].index == index:
            iteration = unit.pending[0][0].iteration
        iteration = iteration if block is machine.block else None
        return Standing(machine.system.queues[number], Execution(block, index, iteration))

    @property
    def here(self) -> Instance:
        """The instance that is looked at: that of the next word, behind a watched buffer that
        was written the one with its memory; at the end the first tile."""
        if self._focus is not None and self._focus[0] == self.position:
            return self._focus[1]
        standing = self.next
        return standing.queue.instance if standing else self.system.instances[0]

    # ---- looking ------------------------------------------------------------------------------
    @property
    def _onlooker(self) -> Onlooker:
        return Onlooker(self._replay.machine, self._replay.pace)

    def queues(self, instance: Instance | None = None) -> list[QueueState]:
        """What the queues of an instance do."""
        return self._onlooker.queues(instance or self.here)

    def control(self, instance: Instance | None = None) -> ControlState:
        """What the control processor of an instance does."""
        return self._onlooker.control(instance or self.here)

    def tokens(self, instance: Instance | None = None) -> list[TokenState]:
        """The counters of the semaphores that an instance waits for."""
        return self._onlooker.tokens(instance or self.here)

    def registers(self, instance: Instance | None = None) -> dict[str, int]:
        """The scalar registers of an instance that are set, by name."""
        return self._onlooker.registers(instance or self.here)

    def loops(self, instance: Instance | None = None) -> dict[str, int]:
        """The counters of the loops that an instance's control processor is in, by name."""
        return self._onlooker.loops(instance or self.here)

    def inspect(self, name: str, instance: Instance | None = None, slot: int = 0) -> Contents:
        """A buffer of the block or a tensor of the program, as it is now.

        The memory is that of ``instance``, of the one it lies in or of the first in it. Raises
        ``MaiaccError`` E0004 for a name or slot there is not.
        """
        buffer = find(self.program, self.block, name)
        owner = with_memory(self.system, instance or self.here, buffer.space)
        return look(self._replay.machine.memories, buffer, owner, slot)

    def arriving(self, contents: Contents) -> list[Standing]:
        """Words that are not complete though what they write is in the contents already."""
        return list(arriving(self._replay.pace, self._replay.machine.executor, contents))

    # ---- breakpoints --------------------------------------------------------------------------
    def add_break(self, spec: str, instance: Instance | None = None) -> Breakpoint:
        """Stops before the words that ``spec`` means, see ``debug_places.words_of``."""
        words = words_of(self.program, spec)
        self._numbers += 1
        self.breakpoints.append(Breakpoint(self._numbers, spec, words, instance))
        return self.breakpoints[-1]

    def watch(self, name: str, instance: Instance | None = None) -> Watch:
        """Stops behind words that write a buffer or tensor, of one instance or of all."""
        buffer = find(self.program, self.block, name)
        if instance is not None:
            instance = with_memory(self.system, instance, buffer.space)
        block = self.block.name if buffer in self.block.buffers else None
        self._numbers += 1
        self.watches.append(Watch(self._numbers, buffer, block, instance))
        return self.watches[-1]

    def delete(self, number: int) -> None:
        """Forgets a breakpoint or watch. Raises ``MaiaccError`` E0004."""
        numbers = {b.number for b in self.breakpoints} | {w.number for w in self.watches}
        if number not in numbers:
            listed = ", ".join(map(str, sorted(numbers))) or "none"
            raise MaiaccError("E0004", f"no breakpoint or watch {number}", expected=listed)
        self.breakpoints = [b for b in self.breakpoints if b.number != number]
        self.watches = [w for w in self.watches if w.number != number]

    # ---- going --------------------------------------------------------------------------------
    def step(self, count: int = 1) -> Stop:
        """Executes so many words; a breakpoint or watched buffer stops before."""
        if not count:
            return self._stop("step")
        target = self.position.event + count
        return self._go(lambda: self.position.event >= target, "step", first=False)

    def run(self) -> Stop:
        """Goes on to a breakpoint, a watched buffer, a trap or the end."""
        return self._go(lambda: False, "end")

    def run_to_instruction(self, spec: str, instance: Instance | None = None) -> Stop:
        """Goes on to before a word that ``spec`` means, see ``debug_places.words_of``."""
        place = Breakpoint(0, spec, words_of(self.program, spec), instance)
        return self._go(
            lambda: (standing := self.next) is not None and place.stops(standing), "place"
        )

    def run_to_queue(self, queue: QueueOf) -> Stop:
        """Goes on to before the next word of a queue."""
        return self._go(
            lambda: (standing := self.next) is not None and standing.queue == queue,
            "place",
            first=False,
        )

    def run_to_trap(self) -> Stop:
        """Goes on to a trap, past all breakpoints; without one to the end."""
        return self._go(lambda: False, "end", halts=False)

    def run_to_end(self) -> Stop:
        """Goes on to the end, past all breakpoints; a trap stops before."""
        return self.run_to_trap()

    def run_to_cycle(self, cycle: int) -> Stop:
        """Goes to the beginning of a cycle, forwards or back; a breakpoint before it stops.

        Raises ``MaiaccError`` E0004 if there are no cycles.
        """
        replay, pace = self._replay, self._replay.pace
        if not isinstance(pace, TimedPace):
            message = "there are no cycles, since the program does not come to its end"
            raise MaiaccError("E0004", message)
        if cycle >= pace.timeline.cycles:
            return self.run()
        before = int(np.searchsorted(pace.timeline.at, cycle))
        if before < pace.event or cycle < pace.cycle:
            replay.rewind(before, cycle)
            return self._stop("cycle")
        if before > pace.event:
            stop = self._go(lambda: pace.event == before, "cycle", at_once=True)
            if stop.reason != "cycle":
                return stop
        if replay.stopped is None:
            replay.stand(cycle)
        return self._stop("cycle")

    def back(self, count: int = 1) -> Stop:
        """Goes back to before the last words, so many of them, or to the start."""
        self._replay.rewind(max(0, self.position.event - count))
        return self._stop("step" if self.position.event else "start")

    def recover(self) -> None:
        """Stands behind the last word again, after an interrupt in the middle of one."""
        self._replay.rewind(self.position.event)

    def _go(
        self,
        there: Callable[[], bool],
        reason: str,
        *,
        first: bool = True,
        halts: bool = True,
        at_once: bool = False,
    ) -> Stop:
        """Executes words until it is ``there``.

        ``first`` also asks before the first word, unless it has been stood before already;
        ``at_once`` asks behind a word, before control processors go on to the next.
        """
        replay = self._replay
        new = not replay.arrived
        replay.arrive()
        if first and new and not at_once and (stop := self._halt(there, reason, halts)):
            return stop
        while replay.can_go:
            by, watches = self.next, self.watches if halts else []
            if not replay.execute(self._watcher if watches else None):
                break
            written = tuple(self._watcher.hits(watches, by, self.system))
            if not written and at_once and there():
                return Stop(reason)
            replay.arrive()
            if written:
                self._focus = (self.position, written[0].instance)
                return Stop("watch", written=written)
            if stop := self._halt(there, reason, halts):
                return stop
        return self._stop("end")

    def _halt(self, there: Callable[[], bool], reason: str, halts: bool) -> Stop | None:
        """Why to stand before this word."""
        standing = self.next
        if not self._replay.can_go:
            return None
        if halts and standing is not None:
            for breakpoint_ in self.breakpoints:
                if breakpoint_.stops(standing):
                    return Stop("break", breakpoint_)
        return Stop(reason) if there() else None

    def _stop(self, reason: str) -> Stop:
        """A stop for a reason, unless a trap is a better one."""
        trap = self._replay.stopped
        return Stop(reason) if trap is None else Stop("trap", trap=trap)
