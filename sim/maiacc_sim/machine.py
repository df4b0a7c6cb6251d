"""A system executing a program with its data: blocks, queues and semaphores."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word
from maiacc_sim.code import Step, steps
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.executor import Executor
from maiacc_sim.issue import Issue
from maiacc_sim.memory import Memories
from maiacc_sim.places import place
from maiacc_sim.processor import Control
from maiacc_sim.recipe import peers_of
from maiacc_sim.sanitize import RaceDetector
from maiacc_sim.scalar_log import Log, check_parameters
from maiacc_sim.scalars import REGISTER, fresh_sources
from maiacc_sim.stuck import Stop, explain
from maiacc_sim.system import QueueOf, System
from maiacc_sim.tokens import Counters, Touched, Wiring
from maiacc_sim.traps import Trap

#: Orders by name: words as soon as they are pushed; whatever has waited longest; as late as
#: possible, so that queues fill up.
ORDERS = ("program", "ready", "late")


@dataclass(frozen=True)
class Limits:
    """What a run may use: words that a control processor walks over (each takes a cycle at
    least), and bytes of simulated memory."""

    cycles: int | None = None
    memory: int | None = None


class Queue:
    """A queue of an instance: words pushed and not executed yet, each with what its control
    processor knew of (for the race detector)."""

    def __init__(self, of: QueueOf) -> None:
        self.of = of
        self.pending: deque[tuple[Issue, Any]] = deque()
        self.blocked: Control | None = None
        self.barriers = 0
        self.met = False


class Machine:
    """A system executing a program. ``after`` is called behind every executed word."""

    def __init__(
        self,
        program: Program,
        parameters: Mapping[str, int],
        order: str | int,
        sanitize: bool,
        limits: Limits,
    ) -> None:
        self.program = program
        self.system = System(program.machine)
        self.detector = RaceDetector(program, self.system) if sanitize else None
        self.memories = Memories(self.system, self.detector, limit=limits.memory)
        self.executor = Executor(program, self.system, self.memories)
        self.parameters = check_parameters(program, parameters)
        self.max_steps = limits.cycles
        self.order = order
        self.random = random.Random(order) if isinstance(order, int) else None
        self.one_step = self.random is not None
        self.log: Log = {}
        self.words = 0
        self.after: Callable[[QueueOf, Issue], None] | None = None
        self.sources = {i.number: fresh_sources(i) for i in self.system.instances}
        self.block: Block = program.blocks[0]
        self.wiring: Wiring
        self.counters: Counters
        self.controls: dict[int, Control] = {}
        self.queues: dict[int, Queue] = {}
        self.depth = program.machine.int("queue.depth")
        self._ready: list[Queue | Control] = []
        self._among: set[int] = set()

    def run(self) -> None:
        """Executes the program to its end."""
        for block in blocks_in_order(self.program, self.system, self.sources):
            self.begin(block)
            self.execute()

    # ---- one block --------------------------------------------------------------------------
    def begin(self, block: Block) -> None:
        """Every queue empty, every counter with its first tokens, every processor at the start."""
        self.block, self.wiring = block, Wiring(self.system, block)
        self.counters = Counters(block, self.wiring)
        by_role = {role: steps(block, role) for role in load().roles}
        self.controls, self.queues = {}, {}
        for of in self.system.queues:
            if of.row.engine != "control":
                self.queues[of.number] = Queue(of)
                continue
            sources = self.sources[of.instance.number]
            control = Control(of, sources, block, by_role[of.instance.role], self)
            control.check_live_in()
            self.controls[of.number] = control
        if self.detector is not None:
            self.detector.begin(block, self.wiring)
        for control in reversed(self.controls.values()):
            self.again(control)

    def execute(self) -> None:
        """Takes units that may be able to go until nothing can; then the block must be over."""
        while self._ready:
            unit = self._take()
            if isinstance(unit, Control):
                unit.walk()
            else:
                self._pump(unit)
        self.check_over()

    def step(self, unit: Queue | Control) -> bool:
        """Executes a word of a queue, or lets a control processor walk over one; False if it
        has to wait, or has nothing left. Raises ``Trap``."""
        return unit.step() if isinstance(unit, Control) else self._one(unit)

    def check_over(self) -> None:
        """Raises ``Trap`` deadlock if the block is not at its end though nothing can go on."""
        if any(q.pending for q in self.queues.values()) or not all(
            c.done for c in self.controls.values()
        ):
            raise self._deadlock()

    def _take(self) -> Queue | Control:
        ready = self._ready
        position = len(ready) - 1
        if self.random is not None:
            position = self.random.randrange(len(ready))
        elif self.order == "ready":
            position = 0
        elif self.order == "late":
            controls = (n for n, unit in enumerate(ready) if isinstance(unit, Control))
            position = next(controls, position)
        ready[position], ready[-1] = ready[-1], ready[position]
        unit = ready.pop()
        self._among.discard(unit.of.number)
        return unit

    def again(self, unit: Queue | Control) -> None:
        """A unit may be able to go on."""
        if unit.of.number not in self._among:
            self._among.add(unit.of.number)
            self._ready.append(unit)

    # ---- what control processors do to queues -------------------------------------------
    def push(self, control: Control, step: Step) -> bool:
        """Puts a word into its queue; False while that is full."""
        of = self.system.queue(control.of.instance, str(step.word.queue))
        queue = self.queues[of.number]
        if len(queue.pending) >= self.depth:
            queue.blocked = control
            return False
        known = None if self.detector is None else self.detector.known(control.of)
        queue.pending.append((control.issue(step), known))
        if self.order == "program":
            self._pump(queue)
        else:
            self.again(queue)
        return True

    def load(self, control: Control, step: Step) -> bool:
        """Executes an SLD; False while a token is missing."""
        word, of = step.word, control.of
        if not self.counters.met(step.index, of.instance):
            return False
        issue = control.issue(step)
        self._taken(of, issue, None)
        value = self.executor.load_scalar(self.block, of.instance, issue)
        control.sources[REGISTER + word["dest"]] = value
        self.log.setdefault(of.instance.number, []).append(value)
        self._posted(of, issue)
        return True

    # ---- queues -------------------------------------------------------------------------
    def _pump(self, queue: Queue) -> None:
        """Executes words of a queue while they can go; one only in a random order."""
        while self._one(queue):
            if self.one_step:
                self.again(queue)
                return

    def _one(self, queue: Queue) -> bool:
        """Executes the word at the head of a queue; False if it cannot go."""
        if not queue.pending:
            return False
        issue, known = queue.pending[0]
        word = self.block.words[issue.index]
        if not self.counters.met(issue.index, queue.of.instance):
            return False
        if word.name == "BAR" and not queue.met and not self._all_here(queue, word):
            return False
        queue.pending.popleft()
        queue.met = False
        if queue.blocked is not None:
            self.again(queue.blocked)
            queue.blocked = None
        try:
            self._taken(queue.of, issue, known)
            self.executor.execute(self.block, queue.of.instance, issue)
            self._posted(queue.of, issue)
        except Trap as trap:
            raise self.placed(trap, issue.index, issue.iteration, queue.of) from None
        if self.after is not None:
            self.after(queue.of, issue)
        return True

    def _all_here(self, queue: Queue, word: Word) -> bool:
        """Whether every member of a BAR's group has come to it."""
        members = [
            other
            for other in self.queues.values()
            if other.of.name == queue.of.name and other.of.instance.chip in self._group(word)
        ]
        if not all(q.barriers == queue.barriers and self._stands(q) for q in members):
            return False
        if self.detector is not None:
            self.detector.meet([(q.of, self._waits(q.of, q.pending[0][0].index)) for q in members])
        for other in members:
            other.met = True
            other.barriers += 1
            if other is not queue:
                self.again(other)
        return True

    def _waits(self, of: QueueOf, index: int) -> Touched:
        """The tokens a word of a queue waits for."""
        return self.wiring.waits(index, of.instance)

    def _stands(self, queue: Queue) -> bool:
        """Whether a BAR is at the head of a queue, and its waits are met."""
        if not queue.pending or queue.met:
            return False
        index = queue.pending[0][0].index
        met = self.counters.met(index, queue.of.instance)
        return self.block.words[index].name == "BAR" and met

    def _group(self, word: Word) -> frozenset[int]:
        group = word.fields["group"]
        chips = frozenset(range(self.program.machine.chips))
        return self.block.masks[group - 1].members if group else chips

    def _taken(self, of: QueueOf, issue: Issue, known: Any) -> None:
        """Takes a word's tokens; from here on accesses are its own."""
        waits = self.counters.take(issue.index, of.instance)
        self.words += 1
        if self.detector is not None:
            self.detector.start(of, issue, waits, known)

    def _posted(self, of: QueueOf, issue: Issue) -> None:
        """Gives a word's tokens."""
        word = self.block.words[issue.index]
        if not word.posts:
            return
        peers = peers_of(self.system, self.block, word, of.instance.chip, issue.peer)
        posts = self.counters.post(issue.index, of.instance, peers)
        for _, found in posts:
            for n in found:
                number = self.wiring.counters[n][1].number
                self.again(self.queues.get(number) or self.controls[number])
        if self.detector is not None:
            self.detector.post(of, posts)

    # ---- the end ------------------------------------------------------------------------
    def placed(self, trap: Trap, index: int, iteration: tuple[int, ...], of: QueueOf) -> Trap:
        """A trap with where it happened."""
        return place(self.program, self.block, trap, index, iteration, of)

    def _deadlock(self) -> Trap:
        """What is wrong when nothing can go on."""
        heads = [(q.of, q.pending[0][0]) for q in self.queues.values() if q.pending]
        stops = [Stop(of, issue.index, issue.iteration) for of, issue in heads]
        controls = self.controls.values()
        stops += [Stop(c.of, c.index, c.iteration) for c in controls if not c.done]
        done = frozenset(c.of.instance.number for c in controls if c.done)
        return explain(self.program, self.wiring, self.counters.held, stops, done)
