"""The event model run in native code, as often as one likes."""

from __future__ import annotations

from collections.abc import Iterator

from maiacc_isa.program import Program
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.native.core import library
from maiacc_sim.native.shared import ENDED, GROW, HELP, LATE
from maiacc_sim.native.timing_block import TimedBlock
from maiacc_sim.native.timing_events import EventColumns
from maiacc_sim.native.timing_image import ImageMaker
from maiacc_sim.native.timing_run import NativeRun
from maiacc_sim.native.timing_state import TimingState
from maiacc_sim.native.timing_wrong import deadlock, step_problem
from maiacc_sim.ports import Ports
from maiacc_sim.relevant import Relevant, relevant
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.scalars import Sources
from maiacc_sim.system import System
from maiacc_sim.timing.interface import Outcome, Span
from maiacc_sim.traps import budget

#: Work until Python looks at its signals, in steps of control processors and arrivals.
FUEL = 20_000_000


class NativeTimer:
    """Runs a program without data, again and again; what is known of its blocks is kept."""

    def __init__(self, program: Program, skip: bool = True, max_cycles: int | None = None) -> None:
        self.program, self.max_cycles = program, max_cycles
        self.system = System(program.machine)
        self.ports = Ports(self.system)
        self.relevant: Relevant = relevant(program)
        self.maker = ImageMaker(program, self.system, self.ports, self.relevant)
        self.state = TimingState(program, self.system, self.ports, skip)
        self.run_events = library("timing").function("run_events")
        self._blocks: dict[str, TimedBlock] = {}

    def run(self, scalars: Scalars, recorder: EventColumns | None = None) -> NativeRun:
        """Runs the program to its end; a ``recorder`` is told every event, which needs ``skip`` to
        be off. Raises what ``Engine.run`` raises."""
        run = NativeRun(self.program, self.system, self.ports)
        self.time(run, scalars, recorder)
        return run

    def time(self, run: NativeRun, scalars: Scalars, recorder: EventColumns | None) -> None:
        """As ``run``; what it leaves is kept in ``run``."""
        self.state.fresh(scalars)
        for ready in self._blocks.values():
            ready.fresh()
        self.clock = self.made = 0
        for block in blocks_in_order(self.program, self.system, _Registers(self.state)):
            self._block(run, block.name, recorder)
        run.finish(self.state, self._blocks.values())

    def _prepared(self, name: str) -> TimedBlock:
        if name not in self._blocks:
            block = self.program.block(name)
            image = self.maker.image(block, self.program.blocks.index(block))
            self._blocks[name] = TimedBlock(image, self.state, self.relevant, self.max_cycles)
            self._blocks[name].fresh()
        return self._blocks[name]

    # ---- a block ------------------------------------------------------------------------
    def _block(self, run: NativeRun, name: str, recorder: EventColumns | None) -> None:
        ready, start, hold = self._prepared(name), self.clock, self.state
        m = ready.record
        ready.begin(start)
        hold.begin(ready.image, start)
        if recorder is not None:
            recorder.begin_block(ready.image, ready.model, run, start)
        m["made"] = self.made
        while True:
            m["fuel"] = FUEL
            why = self.run_events(ready.model.ctypes.data, ready.skipper.ctypes.data)
            if why == ENDED:
                break
            if why == GROW:
                if recorder is None or not recorder.grow(ready.model):
                    ready.more_tokens()
            elif why == HELP:
                self._help(ready)
            elif why == LATE:
                raise budget(self.max_cycles or 0)
        self.made = int(m["made"])
        run.skipped += int(ready.seeker["skipped"])
        ready.seeker["skipped"] = 0
        if recorder is not None:
            recorder.end_block(ready.model)
        if hold.stuck.any() or not hold.controls["done"].all():
            raise deadlock(hold, ready.image, ready.arrays["token_count"], hold.stuck)
        self._close(run, ready, start, hold.end)

    def _help(self, ready: TimedBlock) -> None:
        """Makes the variant that native code asks for. Raises ``Trap`` for what is wrong."""
        unit, word = int(ready.record["stop_unit"]), int(ready.record["stop_word"])
        of, image = self.system.queues[unit], ready.image
        problem = step_problem(self.state, image, of, word)
        if problem is not None:
            raise problem
        key = image.recipes[word].key(image.block, self.state.sources(of.instance.number))
        ready.add(unit, word, key, *self.maker.dynamic(image, of, word, key))

    def _close(self, run: NativeRun, ready: TimedBlock, start: int, end: int) -> None:
        """Ends a block: when the next one starts."""
        machine, block = self.program.machine, ready.image.block
        links = [machine.int(f"link.{n}.latency") for n in range(machine.links)]
        gap = machine.int("sem.chip") + (max(links, default=0) if machine.chips > 1 else 0)
        self.clock = end + gap
        run.spans.append(Span(block.name, start, end, self.clock))
        self.state.close(block, start, self.clock)


class NativeEngine(NativeRun):
    """One run of the event model, with the interface of ``maiacc_sim.timing.engine.Engine``."""

    def __init__(
        self,
        program: Program,
        scalars: Scalars,
        skip: bool = True,
        recorder: EventColumns | None = None,
        max_cycles: int | None = None,
    ) -> None:
        self._timer = NativeTimer(program, skip, max_cycles)
        super().__init__(program, self._timer.system, self._timer.ports)
        self._scalars, self._recorder = scalars, recorder

    def run(self) -> Outcome:
        """Runs the program to its end. Raises what ``Engine.run`` raises."""
        self._timer.time(self, self._scalars, self._recorder)
        return self.outcome


class _Registers(dict[int, Sources]):
    """The sources of control processors by instance number, read when asked for."""

    def __init__(self, state: TimingState) -> None:
        super().__init__()
        self._state = state

    def __missing__(self, number: int) -> Sources:
        return self._state.sources(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._state.control_of)
