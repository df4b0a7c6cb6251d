"""A program that has run once, executed again as far as somebody wants, and back.

Going back means to put back the last checkpoint before, and to execute again what comes behind it:
the same program with the same inputs does the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from maiacc_isa.program import Program
from maiacc_sim.debug.machine import Checkpoints, Recorded, put_back, reset
from maiacc_sim.debug.pace import Pace, TimedPace, TrailPace
from maiacc_sim.debug.timeline import Timeline
from maiacc_sim.machine import Limits, Machine
from maiacc_sim.memory import Watcher
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.simulate import check
from maiacc_sim.tensors import load_inputs, read_outputs
from maiacc_sim.timing.record import Recorder
from maiacc_sim.timing.run import Timed, time_program
from maiacc_sim.traps import Stopped


class Replay:
    """A machine that is stepped.

    ``failure`` is what ended the first run, ``stopped`` what stops the machine where it stands.
    ``arrived`` says that it stands at the next word or, if it has ``finished``, at the end.
    """

    pace: Pace

    def __init__(
        self,
        program: Program,
        inputs: Mapping[str, NDArray[Any]],
        parameters: Mapping[str, int],
        limits: Limits,
        checkpoints: Checkpoints,
    ) -> None:
        check(program)
        self.program = program
        self._inputs = dict(inputs)
        self._first = Recorded(program, parameters, limits)
        load_inputs(program, self._first.memories, inputs)
        self.failure: Stopped | None = None
        self.timed: Timed | None = None
        self._timeline: Timeline | None = None
        try:
            self._first.run()
            self._time(limits)
        except Stopped as problem:
            self.failure = problem
        self._first.memories.restore({})  # only its steps and scalars are needed
        self.checkpoints = checkpoints
        # What the first run was allowed need not be counted again.
        self.machine = Machine(program, parameters, "ready", False, Limits())
        self.restart()

    def _time(self, limits: Limits) -> None:
        recorder, first = Recorder(), self._first
        scalars = Scalars(first.parameters, first.log)
        self.timed = time_program(
            self.program, scalars, skip=False, recorder=recorder, max_cycles=limits.cycles
        )
        self._timeline = Timeline(self.timed, recorder)

    @property
    def ended(self) -> bool:
        """Whether no word is left to execute."""
        return self.pace.event == self.pace.events

    @property
    def can_go(self) -> bool:
        """Whether nothing keeps it from executing a word."""
        return not self.finished and self.stopped is None

    def restart(self) -> None:
        """Goes to before the first word."""
        reset(self.machine)
        load_inputs(self.program, self.machine.memories, self._inputs)
        self.pace = (
            TrailPace(self.machine, self._first)
            if self._timeline is None
            else TimedPace(self.machine, self._timeline, self._first.log)
        )
        self._stands()

    def _stands(self) -> None:
        self.stopped: Stopped | None = None
        self.arrived = self.finished = False

    # ---- forwards -----------------------------------------------------------------------------
    def arrive(self) -> None:
        """Goes to the next word, or to the end; there outputs have to be complete."""
        if self.arrived or self.stopped is not None:
            return
        try:
            self.pace.arrive()
            self.arrived, self.finished = True, self.ended
            if self.finished and self.failure is not None:
                raise self.failure
            if self.finished:
                read_outputs(self.program, self.machine.memories)
        except Stopped as problem:
            self.stopped = problem

    def execute(self, watcher: Watcher | None = None) -> bool:
        """Executes the next word. False if it traps: the machine stands before it as it was."""
        self.checkpoints.offer(self.machine, self.pace.event, self.pace.state)
        event = self.pace.event
        self.machine.memories.watcher = watcher
        try:
            self.pace.execute()
        except Stopped as problem:
            self.machine.memories.watcher = None
            self.rewind(event)
            self.stopped = problem
            return False
        finally:
            self.machine.memories.watcher = None
        self.arrived = False
        return True

    def stand(self, cycle: int) -> None:
        """Goes to the beginning of a cycle whose earlier words are all executed."""
        assert isinstance(self.pace, TimedPace)
        try:
            self.pace.stand(cycle)
        except Stopped as problem:
            self.stopped = problem

    # ---- back ---------------------------------------------------------------------------------
    def rewind(self, event: int, cycle: int | None = None) -> None:
        """Goes to where so many words are executed: to the beginning of a cycle between the last
        of these and the next word, or to that."""
        state = self.checkpoints.before(event if cycle is None else event - 1)
        if state is None:
            self.restart()
        else:
            put_back(self.machine, state)
            self.pace.put_back(state.pace)
        self._stands()
        while self.pace.event < event:
            self.pace.arrive()
            self.pace.execute()
        if cycle is not None:
            self.stand(cycle)
        elif event:
            self.arrive()
