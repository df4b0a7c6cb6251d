"""The state of one proof run of a block: queues, clocks, memories, and what has happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from maiacc_isa.lint.findings import Finding, Report, Site, Sites
from maiacc_isa.lint.footprints import Footprints
from maiacc_isa.lint.instances import Cast, Instance
from maiacc_isa.lint.lanes import Iteration, Record
from maiacc_isa.lint.memory import Memory, Owner
from maiacc_isa.lint.spans import Span
from maiacc_isa.lint.tokens import Clock, Counters
from maiacc_isa.lint.touched import Touch
from maiacc_isa.lint.values import Derived, Sym, Val
from maiacc_isa.lint.walker import Assigned, Walker
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word

#: Intervals assumed for values that are fixed for the block, by their key.
Intervals = dict[tuple[object, ...], tuple[int, int]]


@dataclass(frozen=True)
class Effort:
    """How a proof goes about it. ``thorough`` follows every instance and every iteration, which
    must not change the verdict, ``every`` every instance; ``split`` proves trip counts that
    scalars decide value by value; ``patient`` skips iterations only when what the queues know
    has settled, which takes longer and may find an order that was missed. The proof is given up
    after ``limit`` events, by default EVENT_LIMIT."""

    thorough: bool = False
    every: bool = False
    split: bool = True
    patient: bool = False
    limit: int = 0


class Stop(Exception):  # noqa: N818
    """The run cannot go on; a finding says why."""


class NeedSplit(Exception):  # noqa: N818
    """A trip count is not the same for the whole interval of an unknown, which is to be cut behind
    a number."""

    def __init__(self, sym: Sym, cut: int) -> None:
        super().__init__(sym.name)
        self.sym = sym
        self.cut = cut


@dataclass
class Event:
    """An issued word, waiting in or executed by a queue. ``absent`` are the windows of operands
    that touch nothing."""

    index: int
    word: Word
    touches: list[Touch]
    absent: list[tuple[Span, ...]]
    iteration: Iteration
    context: int
    peer: Val | None


@dataclass
class Process:
    """A queue of an instance, or its control processor as far as SLD makes it wait."""

    number: int
    instance: Instance
    queue: str
    clock: Clock
    pending: deque[tuple[Event, Clock]] = field(default_factory=deque)
    barriers: int = 0


@dataclass
class Done:
    """A touch that happened, for the search for steady loops. It stands for ``weight`` touches;
    ``known`` is the clock of its event."""

    record: Record
    owner: Owner
    touch: Touch
    known: Clock
    weight: int

    @property
    def counts(self) -> bool:
        """Whether it counts for the check that outputs are written once."""
        return self.touch.plain and self.owner[0] == "hbm" and self.record.region.exact


@dataclass
class Item:
    """An entry of the trace: what happened, and the numbers that may move between iterations."""

    what: tuple[object, ...]
    assigned: Assigned | None = None
    done: list[Done] = field(default_factory=list)
    absent: Sequence[tuple[Span, ...]] = ()


class Run:
    """Everything that one run knows. Engine, queues and loops share it."""

    def __init__(
        self,
        program: Program,
        block: Block,
        report: Report,
        sites: Sites,
        intervals: Intervals,
        effort: Effort,
    ) -> None:
        self.program, self.block = program, block
        self.report, self.sites = report, sites
        self.intervals = intervals
        self.effort = effort
        self.cast = Cast(block, program, every=effort.thorough or effort.every)
        self.memory = Memory(self.cast)
        self.footprints = Footprints(program, block, program.machine, self.cast)
        self.counters = Counters(block, self.cast)
        self.derived = Derived()
        self.walkers: list[Walker] = []
        self.processes: dict[tuple[int, str], Process] = {}
        self.by_number: list[Process] = []
        self.width = 0
        self.tick = 0
        self.events = 0
        self.trace: list[Item] = []
        self.plain_bits: dict[str, int] = {}
        self._make_processes()

    def _make_processes(self) -> None:
        spec = load()
        used = {word.queue for word in self.block.words if word.queue}
        for sem in self.block.semaphores:
            used |= {sem.waiter, sem.poster}
        names = [q for q in spec.queues.values() if q.name in used or q.engine == "control"]
        for instance in self.cast.instances:
            for queue in names:
                if queue.role == instance.role:
                    number = len(self.by_number)
                    process = Process(number, instance, queue.name, np.zeros(0, np.int64))
                    self.processes[instance.number, queue.name] = process
                    self.by_number.append(process)
        self.widen()

    def widen(self) -> None:
        """Gives every clock one more entry for each queue."""
        count = len(self.by_number)
        self.width += count
        for process in self.by_number:
            process.clock = np.concatenate([process.clock, np.zeros(count, np.int64)])

    def stop(self) -> NoReturn:
        """Ends the proof after a finding."""
        raise Stop

    def give_up(self, why: str) -> NoReturn:
        """Ends the proof without a verdict on what follows."""
        message = f"block {self.block.name} cannot be proven: {why}"
        hint = "keep tables out of long loops, or split the block"
        self.report.add(Finding("E0910", message, hint=hint))
        raise Stop

    def site(self, index: int, iteration: Iteration, instance: object) -> Site:
        """A word at an iteration; instances that stand for all are named by their role."""
        return self.sites.site(index, iteration, str(instance))

    def members(self, word: Word) -> frozenset[int] | None:
        """The instances a word's mask names, None for all."""
        mask = word.fields.get("mask", 0)
        return self.block.masks[mask - 1].members if mask else None

    def group(self, word: Word) -> frozenset[int]:
        """The chips a word's group names."""
        group = word.fields.get("group", 0)
        members: frozenset[int] = frozenset(self.cast.chips)
        return self.block.masks[group - 1].members if group else members

    def count(self, done: Done, times: int) -> None:
        """Counts the bits that plain writes give to HBM, for the check of outputs."""
        if done.counts:
            base = done.record.region.base.low // 8
            name = self.footprints.name_of("hbm", base, base + 1)
            bits = done.touch.region.bits(done.weight) * times
            self.plain_bits[name] = self.plain_bits.get(name, 0) + bits
