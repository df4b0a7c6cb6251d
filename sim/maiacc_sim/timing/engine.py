"""The event model: runs a program without data and counts its cycles.

Queues and semaphores need no order of events: when a word starts follows from what is known about
the word before it, its push and its tokens, and is worked out as soon as these are there. Only
ports do: they serve transfers in the order of arrival. So the one event is an arrival at a port.
All that follows without an arrival is done first; then the earliest arrival is the next one that
any port will see, since whatever follows from others is later (a hop takes at least a tick).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop
from typing import Any

from maiacc_isa.operation import TICKS
from maiacc_isa.program import Block, Program
from maiacc_sim.code import Step, steps
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.ports import Ports
from maiacc_sim.relevant import Relevant, relevant
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.scalars import Sources, fresh_sources
from maiacc_sim.stuck import Stop, explain
from maiacc_sim.system import QueueOf, System
from maiacc_sim.timing.control import Control
from maiacc_sim.timing.interface import Outcome, Span
from maiacc_sim.timing.skip import Skipper
from maiacc_sim.timing.state import HOPS, Core, Queue
from maiacc_sim.timing.variants import Variant, Variants
from maiacc_sim.traps import Trap, budget


@dataclass
class _Prepared:
    """A block made ready: steps by role, and its variants with their counters."""

    block: Block
    steps: dict[str, list[Step]]
    variants: Variants
    counters: list[deque[int]]


@dataclass
class Engine:
    """Runs a program. ``skip`` jumps over repeated turns of loops, with the same result; a
    ``recorder`` is told every event, which needs ``skip`` to be off."""

    program: Program
    scalars: Scalars
    skip: bool = True
    recorder: Any = None
    max_cycles: int | None = None
    spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.system = System(self.program.machine)
        self.ports = Ports(self.system)
        self.relevant: Relevant = relevant(self.program)
        self.core = Core(
            len(self.system.queues), len(self.ports.names), self.scalars, self.recorder
        )
        self.core.needed = self.relevant.registers
        self.sources: dict[int, Sources] = {
            i.number: fresh_sources(i) for i in self.system.instances
        }
        self._prepared: dict[str, _Prepared] = {}
        self._made: list[Variant] = []
        self._units: dict[int, Queue | Control] = {}
        self._control: dict[int, dict[tuple[str, str], int]] = {}
        self._empty: dict[int, int] = {q.number: 0 for q in self.system.queues}
        self._walked: dict[int, int] = {q.number: 0 for q in self.system.queues}
        self._waited: dict[int, int] = {}
        self.skipped = 0
        self.clock = 0

    def run(self) -> Outcome:
        """Runs the program to its end.

        Raises ``Trap`` for what scalars do wrong, ``Stopped`` E1116 for a deadlock and E1206 when
        ``max_cycles`` are over.
        """
        for block in blocks_in_order(self.program, self.system, self.sources):
            self._block(block.name)
        total = self.spans[-1].end if self.spans else 0
        if self.spans:
            self._trim(self.spans[-1])
        self.outcome = Outcome(
            total,
            self.spans,
            self._made,
            self._control,
            self._empty,
            self._walked,
            self.skipped,
        )
        return self.outcome

    @property
    def cycles(self) -> int:
        """Cycles of the program, when it has been run."""
        return self.outcome.cycles

    @property
    def variants(self) -> list[Variant]:
        """Every variant made so far."""
        return self._made

    def variant(self, number: int) -> Variant:
        """A variant by its number."""
        return self._made[number]

    # ---- one block --------------------------------------------------------------------------
    def _prepare(self, name: str) -> _Prepared:
        if name not in self._prepared:
            block = self.program.block(name)
            needed = self.relevant.registers
            number = self.program.blocks.index(block)
            counters: list[deque[int]] = []
            variants = Variants(
                self.system, block, number, self.ports, counters, self._unit, self._made
            )
            by_role = {role: steps(block, role, needed) for role in ("tile", "cluster", "chip")}
            self._prepared[name] = _Prepared(block, by_role, variants, counters)
        return self._prepared[name]

    def _unit(self, of: QueueOf) -> Queue | Control:
        if of.number not in self._units:
            engine = of.row.engine
            depth = self.program.machine.int("queue.depth")
            sources = self.sources[of.instance.number]
            self._units[of.number] = (
                Control(self.core, of, sources, 0)
                if engine == "control"
                else Queue(self.core, of, depth, 0)
            )
        return self._units[of.number]

    def _block(self, name: str) -> None:
        ready, start = self._prepare(name), self.clock
        for counter, (sem, _, _) in zip(
            ready.counters, ready.variants.wiring.counters, strict=True
        ):
            counter.clear()
            counter.extend([start] * ready.block.semaphores[sem].init)
        controls = self._begin(ready, start)
        if self.recorder is not None:
            self.recorder.block(ready.block, ready.variants, start)
        self.core.work += controls
        self._events(ready)
        units = list(self._units.values())
        stuck = [u for u in units if isinstance(u, Queue) and (u.pending or u.flying)]
        if stuck or not all(c.done for c in controls):
            raise self._deadlock(ready, controls)
        ends = [c.ended for c in controls]
        ends += [max(u.free, u.last) for u in units if isinstance(u, Queue)]
        self._close(name, start, max(ends), controls)

    def _begin(self, ready: _Prepared, start: int) -> list[Control]:
        """Sets every queue and control processor to the start of a block."""
        controls = []
        for of in self.system.queues:
            unit = self._unit(of)
            if isinstance(unit, Queue):
                unit.free = unit.last = start
                unit.ring = deque([start] * unit.depth, unit.depth)
                unit.stuck = False
                unit.known.clear()
                continue
            unit.steps = ready.steps[of.instance.role]
            unit.block, unit.variants = ready.block, ready.variants
            unit.queues = {
                q.name: other
                for q in self.system.queues
                if q.instance is of.instance and isinstance(other := self._unit(q), Queue)
            }
            unit.at, unit.time, unit.quiet, unit.done = 0, start, 0, False
            unit.stuck, unit.watched = False, self.skip and self._is_first(of)
            controls.append(unit)
        return controls

    def _is_first(self, of: QueueOf) -> bool:
        """Whether this is the first control processor of its role, whose loops are watched."""
        i = of.instance
        return i.chip == 0 and i.cluster <= 0 and i.tile <= 0

    def _skipper(self, ready: _Prepared, units: list[Queue | Control]) -> Skipper:
        levels = self.relevant.levels[ready.block.name]
        return Skipper(self.core, units, ready.counters, self.relevant, levels, self._made)

    def _events(self, ready: _Prepared) -> None:
        core, width = self.core, self.core.width
        work, heap, heads = core.work, core.heap, core.heads
        units = [self._unit(q) for q in self.system.queues]
        skipper = self._skipper(ready, units) if self.skip else None
        limit = None if self.max_cycles is None else self.max_cycles * TICKS
        arrivals = 0
        while True:
            while work:
                work.pop().step()
            if heads and heap and skipper is not None:
                self.skipped += skipper.look(arrivals)
                heads.clear()
            if not heap:
                return
            key = heappop(heap)
            arrivals += 1
            tick, unit = key // (width * HOPS), units[key % width]
            if limit is not None and tick > limit:
                raise budget(self.max_cycles or 0)
            if isinstance(unit, Queue):
                unit.arrive(tick)
            else:
                unit.step()

    def _close(self, name: str, start: int, end: int, controls: list[Control]) -> None:
        """Books the time behind the last word of every queue."""
        machine = self.program.machine
        links = [machine.int(f"link.{n}.latency") for n in range(machine.links)]
        gap = machine.int("sem.chip") + (max(links, default=0) if machine.chips > 1 else 0)
        self.clock = until = end + gap
        self.spans.append(Span(name, start, end, until))
        for of in self.system.queues:
            unit = self._unit(of)
            if isinstance(unit, Queue):
                self._empty[of.number] += until - unit.free
            else:
                number = of.number
                self._empty[number] += until - unit.ended
                self._control[number] = unit.acc
                waited = sum(unit.acc.values())
                self._walked[number] += unit.ended - start - waited + self._waited.get(number, 0)
                self._waited[number] = waited

    def _trim(self, last: Span) -> None:
        """No block follows the last one."""
        for number in self._empty:
            self._empty[number] -= last.until - last.end

    def _deadlock(self, ready: _Prepared, controls: list[Control]) -> Trap:
        """What is wrong when nothing can go on."""
        queues = [unit for unit in self._units.values() if isinstance(unit, Queue)]
        stops = [Stop(q.of, q.head, ()) for q in queues if q.head >= 0]
        stops += [Stop(c.of, c.index, c.iteration) for c in controls if not c.done]
        done = frozenset(c.of.instance.number for c in controls if c.done)
        counters = ready.counters
        return explain(self.program, ready.variants.wiring, lambda n: len(counters[n]), stops, done)
