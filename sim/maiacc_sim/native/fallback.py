"""What native code declines, executed by Python: one word or one step at a time."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Program
from maiacc_sim.code import Step
from maiacc_sim.executor import Executor
from maiacc_sim.issue import Issue, Located
from maiacc_sim.native.codes import OPERANDS, SLOT
from maiacc_sim.native.image import BlockImage
from maiacc_sim.native.machine_state import MachineState
from maiacc_sim.native.memory import NativeMemories
from maiacc_sim.places import place
from maiacc_sim.processor import Control
from maiacc_sim.recipe import peers_of
from maiacc_sim.scalars import REGISTER
from maiacc_sim.stuck import Stop, explain
from maiacc_sim.system import QueueOf, System
from maiacc_sim.tokens import TOKEN_MAX
from maiacc_sim.traps import Trap


class Helped(Protocol):
    """What is needed of a native machine."""

    program: Program
    system: System
    executor: Executor
    memories: NativeMemories
    state: MachineState
    counters: Any
    parameters: dict[int, int]
    asked: Any
    log: Any

    def wake_all(self) -> None:
        """Every instance may be able to go on."""


class Fallback:
    """Python's part in executing a block natively."""

    def __init__(self, machine: Helped, image: BlockImage) -> None:
        self.machine, self.image, self.block = machine, image, image.block
        self.foreign: dict[tuple[int, int], Issue] = {}
        #: Parts that processors ask their surroundings for; nothing here interrupts a step.
        self.parameters = machine.parameters
        self.max_steps: int | None = None
        self.one_step = False

    # ---- entry --------------------------------------------------------------------------
    def help(self, instance: int, position: int) -> None:
        """Executes the word at the head of a queue of an instance, or for position -1 a step of its
        control processor. Raises ``Trap`` as the reference simulator does."""
        if position < 0:
            self._step(instance)
        else:
            self._head(instance, position)

    def check_live_in(self) -> None:
        """Registers that the block finds set lie in their intervals. Raises ``Trap``."""
        sources = self.machine.state.instances["control"]["sources"]
        for entry in self.block.live_in:
            code = REGISTER + entry.reg
            value, known = sources["value"][:, code], sources["known"][:, code]
            if ((known != 0) & ((value < entry.low) | (value > entry.high))).any():
                for instance in self.machine.system.instances:
                    self._control(instance.number).check_live_in()
                return

    def check_over(self) -> None:
        """Raises ``Trap`` deadlock if the block is not at its end though nothing can go on."""
        m = self.machine
        waiting, over = m.state.waiting, m.state.done
        if not np.count_nonzero(waiting) and np.count_nonzero(over) == len(over):
            return
        stops = [self._stopped(position) for position in waiting.nonzero()[0].tolist()]
        for i in m.system.instances:
            if not over[i.number]:
                control = self._control(i.number)
                stops.append(Stop(control.of, control.index, control.iteration))
        done = frozenset(np.flatnonzero(over).tolist())
        held = m.counters
        raise explain(m.program, self.image.wiring, lambda n: int(held[n]), stops, done)

    def _stopped(self, position: int) -> Stop:
        ring = self._ring(position)
        return Stop(self._queue(position), int(ring["word"]), _iteration(ring))

    # ---- words --------------------------------------------------------------------------
    def _queue(self, position: int) -> QueueOf:
        return self.machine.state.own_queues[position]

    def _ring(self, position: int) -> Any:
        """The word at the head of a queue."""
        m = self.machine
        return m.state.rings[position * m.state.depth + int(m.state.queues[position]["head"])]

    def _head(self, instance: int, queue: int) -> None:
        m = self.machine
        position = int(m.state.instances[instance]["first_queue"]) + queue
        ring, of = self._ring(position), self._queue(position)
        place_ = int(m.state.queues[position]["head"])
        issue = self.foreign.pop((position, place_), None) or self._issue(ring)
        word = self.block.words[issue.index]
        try:
            if self._unshared(of, issue):
                return
            m.asked[word.row.mnemonic] += 1
            m.executor.execute(self.block, of.instance, issue)
            self._check_posts(issue.index, of, issue.peer)
        except Trap as trap:
            raise self.placed(trap, issue.index, issue.iteration, of) from None
        m.state.queues[position]["executed"] = 1

    def _unshared(self, of: QueueOf, issue: Issue) -> bool:
        """Whether the word writes where a file was mapped: that is the machine's own now, and
        native code can do it."""
        found = False
        for operand in self.machine.executor.written(self.block, of.instance, issue):
            address = operand.places.address[operand.places.inside]
            if len(address):
                unit = 8 if load().dtypes[operand.dtype].packed else 1
                first, last = int(address.min()) // unit, int(address.max()) // unit
                for owner in operand.owners:
                    found |= self.machine.memories.unshare(owner, first, last)
        return found

    def _check_posts(self, index: int, of: QueueOf, peer: int) -> None:
        word, m = self.block.words[index], self.machine
        peers = None
        if word.posts:
            peers = peers_of(m.system, self.block, word, of.instance.chip, peer)
        for count, found in self.image.wiring.posts(index, of.instance, peers):
            if any(m.counters[n] + count > TOKEN_MAX for n in found):
                raise Trap("token_overflow", f"a counter passes {TOKEN_MAX:,}")

    def _issue(self, ring: Any) -> Issue:
        """A word as Python has it."""
        index = int(ring["word"])
        word = self.block.words[index]
        views = {}
        for op in present_operands(word, self.block.chains):
            scale = {"d": SLOT.scale_d, "a": SLOT.scale_a, "b": SLOT.scale_b}.get(op.name)
            located = ring["located"]
            number = int(located[OPERANDS.index(op.name)]["desc"])
            d = self.block.descriptors[number]
            beside = None if d.scale is None or scale is None else self._located(located[scale])
            meta = None if d.meta is None else self._located(located[SLOT.meta_b])
            views[op.name] = self._located(located[OPERANDS.index(op.name)], beside, meta)
        return Issue(index, views, bool(ring["fresh"]), int(ring["peer"]), _iteration(ring))

    def _located(
        self, r: Any, scale: Located | None = None, meta: Located | None = None
    ) -> Located:
        d = self.block.descriptors[int(r["desc"])]
        return Located(
            d,
            tuple(r["size"][: len(d.dims)].tolist()),
            tuple(r["extent"][: len(d.axes)].tolist()),
            tuple(r["origin"][: len(d.axes)].tolist()),
            int(r["offset"]),
            int(r["home"]),
            scale,
            meta,
        )

    # ---- steps --------------------------------------------------------------------------
    def _control(self, instance: int) -> Control:
        """A control processor as Python has it, at the step where the native one is."""
        m = self.machine
        i = m.system.instances[instance]
        found = self.image.plain_steps[i.role]
        control = Control(m.system.control(i), m.state.sources(instance), self.block, found, self)
        native = m.state.instances[instance]["control"]
        control.at = min(int(native["at"]), len(found) - 1)
        depth = int(native["depth"])
        control.trips = {level: int(native["trips"][level]) for level in range(depth)}
        return control

    def _step(self, instance: int) -> None:
        control = self._control(instance)
        self.instance = instance
        control.step()
        native = self.machine.state.instances[instance]["control"]
        native["at"], native["done"] = control.at, control.done
        native["walked"] += 1
        native["depth"] = len(control.trips)
        for level, trip in control.trips.items():
            native["trips"][level] = trip
        for code, value in enumerate(control.sources):
            native["sources"]["known"][code] = value is not None
            if value is not None:
                native["sources"]["value"][code] = value

    def push(self, control: Control, step: Step) -> bool:
        """Puts a word that native code could not locate into its queue; Python keeps it."""
        m = self.machine
        of = m.system.queue(control.of.instance, str(step.word.queue))
        first = int(m.state.instances[self.instance]["first_queue"])
        position = first + of.row.code - int(m.state.instances[self.instance]["first_code"])
        queue = m.state.queues[position]
        if queue["count"] >= m.state.depth:
            return False
        issue = control.issue(step)
        place_ = int(queue["head"] + queue["count"]) % m.state.depth
        ring = m.state.rings[position * m.state.depth + place_]
        ring["word"], ring["foreign"], ring["peer"] = step.index, 1, issue.peer
        ring["depth"] = len(issue.iteration)
        ring["iteration"][: len(issue.iteration)] = issue.iteration
        self.foreign[position, place_] = issue
        queue["count"] += 1
        return True

    def load(self, control: Control, step: Step) -> bool:
        """Executes an SLD whose tokens are there."""
        m, word, of = self.machine, step.word, control.of
        m.asked[word.row.mnemonic] += 1
        issue = control.issue(step)
        value = m.executor.load_scalar(self.block, of.instance, issue)
        self._check_posts(step.index, of, -1)
        wiring = self.image.wiring
        for count, found in wiring.waits(step.index, of.instance):
            m.counters[found] -= count
        control.sources[REGISTER + word["dest"]] = value
        m.log.setdefault(of.instance.number, []).append(value)
        for count, found in wiring.posts(step.index, of.instance):
            m.counters[found] += count
        m.wake_all()
        return True

    def again(self, unit: Any) -> None:
        """Nothing: native code finds out by itself."""

    def placed(self, trap: Trap, index: int, iteration: tuple[int, ...], of: QueueOf) -> Trap:
        """A trap with where it happened."""
        return place(self.machine.program, self.block, trap, index, iteration, of)


def _iteration(ring: Any) -> tuple[int, ...]:
    return tuple(ring["iteration"][: int(ring["depth"])].tolist())
