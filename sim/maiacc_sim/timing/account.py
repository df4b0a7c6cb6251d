"""Where the cycles of a timed run went: every queue, every instruction, every port.

Cycles of a queue are busy, port, semaphore, barrier, control or empty, those of a control
processor busy, queue, semaphore, load or end, as the manual's chapter on time says. The parts are
tallied one by one while the program runs; that they add up to the total is checked here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from maiacc_isa.errors import InternalError
from maiacc_isa.program import Program
from maiacc_sim.places import semaphore_name
from maiacc_sim.system import QueueOf, System
from maiacc_sim.timing.interface import Outcome, Span, Timer
from maiacc_sim.timing.variants import (
    BARRIER,
    CONTROL,
    COUNT,
    PORT,
    SEMAPHORE,
    Variant,
)

#: A reason to wait: its kind, and the semaphore, port or queue it is about.
Reason = tuple[str, str]


@dataclass
class QueueUse:
    """The cycles of one queue or control processor. ``waits`` has every reason but busy."""

    queue: QueueOf
    words: int = 0
    busy: int = 0
    waits: Counter[Reason] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        return self.busy + sum(self.waits.values())

    def of_kind(self, kind: str) -> int:
        """Cycles of all reasons of one kind."""
        return sum(n for (k, _), n in self.waits.items() if k == kind)


@dataclass
class WordUse:
    """The cycles of one word of a block, summed over instances."""

    block: str
    index: int
    count: int = 0
    busy: int = 0
    waits: Counter[Reason] = field(default_factory=Counter)


@dataclass
class Account:
    """Everything a timed run tallied. ``queues`` are in the order of ``System.queues``."""

    program: Program
    system: System
    cycles: int
    spans: list[Span]
    queues: list[QueueUse]
    words: dict[tuple[str, int], WordUse]
    port_names: list[str]
    port_kinds: list[str]
    port_ticks: list[int]
    skipped: int

    def by_queue(self) -> dict[tuple[str, str], list[QueueUse]]:
        """The instances of every queue and control processor, by role and name."""
        groups: dict[tuple[str, str], list[QueueUse]] = {}
        for use in self.queues:
            groups.setdefault((use.queue.row.role, use.queue.name), []).append(use)
        return groups

    @property
    def executed(self) -> int:
        """Engine words and scalar loads executed."""
        return sum(use.count for use in self.words.values())


def account(engine: Timer, outcome: Outcome) -> Account:
    """The account of a run. Raises ``InternalError`` if the parts do not add up."""
    system = engine.system
    uses = [QueueUse(queue) for queue in system.queues]
    words: dict[tuple[str, int], WordUse] = {}
    ticks = [0] * len(engine.ports.names)
    for v in outcome.variants:
        if not v.acc[COUNT]:
            continue
        block = engine.program.blocks[v.block]
        use = words.setdefault((block.name, v.index), WordUse(block.name, v.index))
        own = uses[v.queue.number]
        busy = v.acc[COUNT] * v.occupancy
        waits: Counter[Reason] = Counter()
        for reason, cycles in _waits(engine, v):
            waits[reason] += cycles
        use.count += v.acc[COUNT]
        own.words += v.acc[COUNT]
        use.waits.update(waits)
        if v.queue.row.engine != "control":
            own.waits.update(waits)
            use.busy += busy
            own.busy += busy
        for ports, occupied in v.passes:
            for port in ports:
                ticks[port] += occupied * v.acc[COUNT]
    for use_of in uses:
        _close(engine, outcome, use_of)
    return Account(
        engine.program,
        system,
        outcome.cycles,
        outcome.spans,
        uses,
        words,
        engine.ports.names,
        engine.ports.kinds,
        ticks,
        outcome.skipped,
    )


def _waits(engine: Timer, v: Variant) -> Iterable[tuple[Reason, int]]:
    """What executions of a variant waited for."""
    acc, block = v.acc, engine.program.blocks[v.block]
    word = block.words[v.index]
    if acc[CONTROL]:
        yield ("control", ""), acc[CONTROL]
    for number, (sem, _) in enumerate(word.waits):
        if acc[SEMAPHORE + number]:
            yield ("semaphore", semaphore_name(block, sem)), acc[SEMAPHORE + number]
    if acc[BARRIER]:
        yield ("barrier", ""), acc[BARRIER]
    for number, (ports, _) in enumerate(v.passes):
        if acc[PORT + number]:
            yield ("port", engine.ports.kinds[ports[0]]), acc[PORT + number]


def _close(engine: Timer, outcome: Outcome, use: QueueUse) -> None:
    """Adds what was tallied outside words, and checks the sum."""
    number, row = use.queue.number, use.queue.row
    if row.engine != "control":
        use.waits["empty", ""] += outcome.empty[number]
    else:
        use.waits["end", ""] += outcome.empty[number]
        for (kind, what), cycles in outcome.control.get(number, {}).items():
            use.waits[kind, what] += cycles
        use.busy = outcome.walked.get(number, 0)
    use.waits = +use.waits
    if use.total != outcome.cycles:
        raise InternalError(
            "E0001", f"the cycles of {use.queue} add up to {use.total}, not {outcome.cycles}"
        )
