"""The event model run in native code: the interface of ``maiacc_sim.timing.engine.Engine``, for the
account, recordings and the critical path."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from maiacc_isa.program import Program
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.native.core import library
from maiacc_sim.native.shared import ENDED, GROW, HELP, LATE
from maiacc_sim.native.timing_block import TimedBlock
from maiacc_sim.native.timing_events import EventColumns
from maiacc_sim.native.timing_image import ImageMaker, Made
from maiacc_sim.native.timing_state import TimingState
from maiacc_sim.native.timing_wrong import deadlock, step_problem
from maiacc_sim.ports import Ports
from maiacc_sim.relevant import Relevant, relevant
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.scalars import Sources
from maiacc_sim.system import System
from maiacc_sim.timing.interface import Outcome, Span
from maiacc_sim.timing.variants import COUNT, PORT, Variant
from maiacc_sim.traps import budget

#: Work until Python looks at its signals, in steps of control processors and arrivals.
FUEL = 20_000_000


class NativeEngine:
    """Runs a program without data. ``variants`` are those that were met, in the order in which they
    were, as the reference simulator makes them."""

    def __init__(
        self,
        program: Program,
        scalars: Scalars,
        skip: bool = True,
        recorder: EventColumns | None = None,
        max_cycles: int | None = None,
    ) -> None:
        self.program, self.scalars, self.skip = program, scalars, skip
        self.recorder, self.max_cycles = recorder, max_cycles
        self.system = System(program.machine)
        self.ports = Ports(self.system)
        self.relevant: Relevant = relevant(program)
        self.maker = ImageMaker(program, self.system, self.ports, self.relevant)
        self.state = TimingState(program, self.system, self.ports, scalars, skip)
        self.spans: list[Span] = []
        self.skipped = 0
        self.made = 0
        self.clock = 0
        self.run_events = library("timing").function("run_events")
        self._blocks: dict[str, TimedBlock] = {}

    # ---- blocks -------------------------------------------------------------------------
    def run(self) -> Outcome:
        """Runs the program to its end. Raises what ``Engine.run`` raises."""
        for block in blocks_in_order(self.program, self.system, _Registers(self.state)):
            self._block(block.name)
        total = self.spans[-1].end if self.spans else 0
        if self.spans:
            self.state.empty -= self.spans[-1].until - self.spans[-1].end
        return Outcome(
            total,
            self.spans,
            self.variants,
            self.state.rooms,
            dict(enumerate(self.state.empty.tolist())),
            dict(enumerate(self.state.walked.tolist())),
            self.skipped,
        )

    def _prepared(self, name: str) -> TimedBlock:
        if name not in self._blocks:
            block = self.program.block(name)
            image = self.maker.image(block, self.program.blocks.index(block))
            self._blocks[name] = TimedBlock(image, self.state, self.relevant, self.max_cycles)
        return self._blocks[name]

    # ---- running a block ------------------------------------------------------------------
    def _block(self, name: str) -> None:
        ready, start, hold = self._prepared(name), self.clock, self.state
        m = ready.record
        ready.begin(start)
        hold.begin(ready.image, start)
        if self.recorder is not None:
            self.recorder.begin_block(ready.image, ready.model, self, start)
        m["made"] = self.made
        while True:
            m["fuel"] = FUEL
            why = self.run_events(ready.model.ctypes.data, ready.skipper.ctypes.data)
            if why == ENDED:
                break
            if why == GROW:
                self._grow(ready)
            elif why == HELP:
                self._help(ready)
            elif why == LATE:
                raise budget(self.max_cycles or 0)
        self.made = int(m["made"])
        self.skipped += int(ready.seeker["skipped"])
        ready.seeker["skipped"] = 0
        if self.recorder is not None:
            self.recorder.end_block(ready.model)
        if hold.stuck.any() or not hold.controls["done"].all():
            raise deadlock(hold, ready.image, ready.arrays["token_count"], hold.stuck)
        self._close(ready, start, hold.end)

    def _grow(self, ready: TimedBlock) -> None:
        """Makes room for tokens, or for events."""
        if self.recorder is None or not self.recorder.grow(ready.model):
            ready.more_tokens()

    def _help(self, ready: TimedBlock) -> None:
        """Makes the variant that native code asks for. Raises ``Trap`` for what is wrong."""
        unit, word = int(ready.record["stop_unit"]), int(ready.record["stop_word"])
        of, image = self.system.queues[unit], ready.image
        problem = step_problem(self.state, image, of, word)
        if problem is not None:
            raise problem
        key = image.recipes[word].key(image.block, self.state.sources(of.instance.number))
        ready.add(unit, word, key, *self.maker.dynamic(image, of, word, key))

    def _close(self, ready: TimedBlock, start: int, end: int) -> None:
        """Ends a block: when the next one starts."""
        machine, block = self.program.machine, ready.image.block
        links = [machine.int(f"link.{n}.latency") for n in range(machine.links)]
        gap = machine.int("sem.chip") + (max(links, default=0) if machine.chips > 1 else 0)
        self.clock = end + gap
        self.spans.append(Span(block.name, start, end, self.clock))
        self.state.close(block, start, self.clock)

    # ---- what others ask for ----------------------------------------------------------------
    @property
    def words(self) -> int:
        """Engine words and scalar loads executed."""
        total = 0
        for ready in self._blocks.values():
            total += int(ready.arrays["variants"]["acc"][: ready.used, COUNT].sum())
        return total

    @cached_property
    def numbering(self) -> list[tuple[TimedBlock, int]]:
        """The variants that were met, in their order: block, and number in the block."""
        found = []
        for ready in self._blocks.values():
            made = ready.arrays["variants"]["made"][: ready.used]
            found += [(int(made[n]), ready, int(n)) for n in np.flatnonzero(made)]
        found.sort(key=lambda row: row[0])
        return [(ready, number) for _, ready, number in found]

    @cached_property
    def variants(self) -> list[Variant]:
        """Every variant that was met, in the order in which it was."""
        return [self._variant(n, *row) for n, row in enumerate(self.numbering)]

    def variant(self, number: int) -> Variant:
        """A variant by its number."""
        return self.variants[number]

    def _variant(self, number: int, ready: TimedBlock, position: int) -> Variant:
        r = ready.arrays["variants"][position]
        made: Made = ready.image.made[position]
        passes = tuple(
            (
                tuple(ready.arrays["ports"][r["port_at"][h] : r["port_to"][h]].tolist()),
                int(r["ticks"][h]),
            )
            for h in range(int(r["hops"]))
        )
        entries = ready.arrays["entries"]
        counters = {
            kind: tuple(
                tuple(entries[r[f"{kind}_from"][n] : r[f"{kind}_to"][n]].tolist())
                for n in range(int(r[f"{kind}s"]))
            )
            for kind in ("wait", "post")
        }
        return Variant(
            number,
            self.system.queues[int(r["unit"])],
            ready.image.number,
            made.index,
            int(r["occupancy"]),
            int(r["latency"]),
            passes,
            (),
            (),
            None,
            made.measure,
            made.homes,
            r["acc"][: PORT + len(passes)].tolist(),
            counters["wait"],
            counters["post"],
        )


class _Registers(dict[int, Sources]):
    """The sources of control processors by instance number, read when asked for."""

    def __init__(self, state: TimingState) -> None:
        super().__init__()
        self._state = state

    def __missing__(self, number: int) -> Sources:
        return self._state.sources(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._state.control_of)
