"""Machines for the debugger: one that remembers its way, and the state of one that is stopped."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maiacc_isa.program import Block, Program
from maiacc_sim.code import Do
from maiacc_sim.issue import Issue
from maiacc_sim.machine import Limits, Machine, Queue
from maiacc_sim.memory import Snapshot
from maiacc_sim.pages import Page
from maiacc_sim.processor import Control
from maiacc_sim.scalars import Sources, fresh_sources
from maiacc_sim.tokens import Counters, Wiring
from maiacc_sim.traps import Stopped

#: Bytes of the host that checkpoints may take together.
BUDGET = 256 << 20

#: Words between two checkpoints, at least.
INTERVAL = 64

#: Bytes that are copied for a checkpoint in the time of a word, roughly.
BYTES_PER_WORD = 1 << 20


class Recorded(Machine):
    """A machine in the order `program` that keeps in ``trail`` who took each step.

    An entry is the number of a queue or control processor, or -1 - n where block n starts.
    ``words`` executed are in ``events``; what stopped the run was a step of ``failing``, which is
    not in the trail.
    """

    def __init__(self, program: Program, parameters: Mapping[str, int], limits: Limits) -> None:
        super().__init__(program, parameters, "program", False, limits)
        self.trail = array("i")
        self.events = 0
        self.failing: int | None = None

    def begin(self, block: Block) -> None:
        super().begin(block)
        self.trail.append(-1 - self.program.blocks.index(block))

    def execute(self) -> None:
        while self._ready:
            self._go_on(self._take())
        self.check_over()

    def _pump(self, queue: Queue) -> None:
        self._go_on(queue)

    def _go_on(self, unit: Queue | Control) -> None:
        while self._recorded(unit):
            pass

    def _recorded(self, unit: Queue | Control) -> bool:
        """A step of a unit; a word pushed by it is executed within it, and stands behind it."""
        event = is_event(unit)
        self.trail.append(unit.of.number)
        length = len(self.trail)
        try:
            moved = self.step(unit)
        except Stopped:
            if self.failing is None:
                self.failing = unit.of.number
                # A budget may run out behind a step that was taken, with words in it.
                if len(self.trail) == length:
                    self.trail.pop()
            raise
        if not moved:
            self.trail.pop()
        self.events += moved and event
        return moved


def is_event(unit: Queue | Control) -> bool:
    """Whether the next step of a unit executes a word: one of a queue, or a scalar load."""
    return isinstance(unit, Queue) or (not unit.done and unit.steps[unit.at].do is Do.SLD)


# ---- states -------------------------------------------------------------------------------


@dataclass
class State:
    """A machine between two words, and what the debugger's pace knows then."""

    event: int
    pace: Any
    memory: Snapshot
    block: Block
    wiring: Wiring
    counters: Counters
    held: list[int]
    queues: dict[int, Queue]
    controls: dict[int, Control]
    pending: dict[int, tuple[tuple[Issue, Any], ...]]
    barriers: dict[int, tuple[int, bool]]
    walked: dict[int, tuple[int, int, bool, dict[int, int]]]
    sources: dict[int, Sources]
    log: dict[int, int]
    words: int


def take(machine: Machine, event: int, pace: Any) -> State:
    """The state of a machine in a block, for ``put_back``."""
    return State(
        event,
        pace,
        machine.memories.snapshot(),
        machine.block,
        machine.wiring,
        machine.counters,
        machine.counters.all(),
        machine.queues,
        machine.controls,
        {n: tuple(q.pending) for n, q in machine.queues.items() if q.pending},
        {n: (q.barriers, q.met) for n, q in machine.queues.items()},
        {n: (c.at, c.walked, c.done, dict(c.trips)) for n, c in machine.controls.items()},
        {n: list(values) for n, values in machine.sources.items()},
        {n: len(values) for n, values in machine.log.items()},
        machine.words,
    )


def put_back(machine: Machine, state: State) -> None:
    """The machine as it was when the state was taken."""
    machine.memories.restore(state.memory)
    machine.block, machine.wiring, machine.counters = state.block, state.wiring, state.counters
    machine.counters.put_back(state.held)
    machine.queues, machine.controls = state.queues, state.controls
    for number, queue in machine.queues.items():
        queue.pending.clear()
        queue.pending.extend(state.pending.get(number, ()))
        queue.barriers, queue.met = state.barriers[number]
        queue.blocked = None
    for number, control in machine.controls.items():
        control.at, control.walked, control.done, trips = state.walked[number]
        control.trips = dict(trips)
    for number, values in state.sources.items():
        machine.sources[number][:] = values
    for number, loaded in machine.log.items():
        del loaded[state.log.get(number, 0) :]
    machine.words = state.words


def reset(machine: Machine) -> None:
    """The machine as it was when it was made: nothing in its memories, in no block.

    States that were taken of it stay good.
    """
    machine.memories.restore({})
    for instance in machine.system.instances:
        machine.sources[instance.number][:] = fresh_sources(instance)
    machine.queues, machine.controls = {}, {}
    machine.log.clear()
    machine.words = 0


@dataclass
class Checkpoints:
    """States of a run in the order of their events.

    They share the pages that did not change from one to the next. When they take more than
    ``budget`` bytes, every other one is given up, and from then on they are further apart.
    """

    budget: int = BUDGET
    interval: int = INTERVAL
    states: list[State] = field(default_factory=list)

    def offer(self, machine: Machine, event: int, pace: Callable[[], Any]) -> None:
        """Keeps the machine's state if it is time to; ``pace`` gives a copy of the pace's."""
        last = self.states[-1].event if self.states else 0
        held = machine.memories.held
        if event - last < max(self.interval, held // BYTES_PER_WORD) or held > self.budget:
            return
        state = take(machine, event, pace())
        if self.states:
            _share(state.memory, self.states[-1].memory)
        self.states.append(state)
        while self.states and self.bytes > self.budget:
            del self.states[::2]
            self.interval *= 2

    def before(self, event: int) -> State | None:
        """The last state at an event or before it, if there is one."""
        at = bisect_right(self.states, event, key=lambda state: state.event)
        return self.states[at - 1] if at else None

    @property
    def bytes(self) -> int:
        """Bytes of all pages, those that are shared once."""
        pages = {
            id(page): page
            for state in self.states
            for held in state.memory.values()
            for page in held.values()
        }
        return sum(2 * len(p.data) for p in pages.values() if p.data.flags.writeable)


def _share(memory: Snapshot, before: Snapshot) -> None:
    """Puts the pages of an earlier copy in the place of equal ones."""
    for owner, held in memory.items():
        for number, page in held.items():
            other = before.get(owner, {}).get(number)
            if other is not None and _equal(page, other):
                held[number] = other


def _equal(one: Page, other: Page) -> bool:
    if one.data is not other.data and not np.array_equal(one.data, other.data):
        return False
    if one.written is None or other.written is None:
        return one.written is other.written
    return bool(np.array_equal(one.written, other.written))
