"""What a timed run says, as rows: queues, waits, instructions, sources, ports, memories.

All of it is taken from the account and the totals of one run, so that every table of ``run`` and
``profile`` shows the same numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from maiacc_isa.load import load
from maiacc_isa.operation import TICKS
from maiacc_isa.program import Block, Program
from maiacc_sim.places import semaphore_name, word_text
from maiacc_sim.simulate import Result
from maiacc_sim.timing.account import Account, WordUse

#: Source of words that say nothing about where they come from.
NO_SOURCE = "(no source)"


@dataclass(frozen=True)
class QueueFigures:
    """Cycles of one kind of queue, added up over the instances of its role. The shares of a queue
    that has words: ``used`` instances have some."""

    role: str
    queue: str
    instances: int
    used: int
    words: int
    cycles: int
    busy: int
    kinds: dict[str, int]

    @property
    def utilisation(self) -> float:
        """Busy cycles as a share of all."""
        return self.busy / self.cycles if self.cycles else 0.0


def queues(account: Account, control: bool = False) -> list[QueueFigures]:
    """Queues, or control processors, in the order of the machine."""
    found = []
    for (role, name), uses in account.by_queue().items():
        if (uses[0].queue.row.engine == "control") is not control:
            continue
        kinds: Counter[str] = Counter()
        for use in uses:
            for (kind, _), cycles in use.waits.items():
                kinds[kind] += cycles
        words, busy = sum(u.words for u in uses), sum(u.busy for u in uses)
        used = sum(1 for u in uses if u.words)
        total = len(uses) * account.cycles
        found.append(QueueFigures(role, name, len(uses), used, words, total, busy, dict(kinds)))
    return found


@dataclass(frozen=True)
class Stall:
    """What words of a queue, or a control processor, waited for. ``name`` is the semaphore, port
    or queue; ``poster`` the queue that posts the semaphore; ``share`` that of all cycles of the
    queue's instances."""

    queue: str
    kind: str
    name: str
    poster: str
    cycles: int
    share: float

    @property
    def text(self) -> str:
        """The reason in words."""
        return _REASONS[self.kind].format(name=self.name, poster=self.poster)


#: Kinds of waiting, as people read them.
_REASONS = {
    "semaphore": "{name} from {poster}",
    "port": "the {name} port",
    "barrier": "the other chips",
    "control": "its control processor",
    "queue": "room in {name}",
    "load": "a loaded scalar",
}


def stalls(result: Result) -> list[Stall]:
    """Everything that was waited for, the longest first."""
    account, program = result.timed.account, result.program
    cycles: Counter[tuple[str, str, str, str]] = Counter()
    for use in account.words.values():
        block = program.block(use.block)
        word = block.words[use.index]
        if not word.row.control:
            for (kind, name), count in use.waits.items():
                cycles[str(word.queue), kind, name, _poster(block, kind, name)] += count
    for of in account.queues:
        if of.queue.row.engine == "control":
            for (kind, name), count in of.waits.items():
                if kind in _REASONS:
                    poster = _any_poster(program.blocks, kind, name)
                    cycles[of.queue.name, kind, name, poster] += count
    instances = Counter(of.queue.name for of in account.queues)
    found = [
        Stall(queue, kind, name, poster, count, count / (instances[queue] * account.cycles))
        for (queue, kind, name, poster), count in cycles.items()
        if count
    ]
    return sorted(found, key=lambda s: (-s.cycles, s.queue, s.name, s.poster))


def _poster(block: Block, kind: str, name: str) -> str:
    if kind != "semaphore":
        return ""
    names = (semaphore_name(block, number) for number in range(len(block.semaphores)))
    return next(
        str(sem.poster) for sem, own in zip(block.semaphores, names, strict=True) if own == name
    )


def _any_poster(blocks: Iterable[Block], kind: str, name: str) -> str:
    """The poster of a semaphore of some block; of control processors no more is known."""
    for block in blocks:
        for number, sem in enumerate(block.semaphores):
            if kind == "semaphore" and semaphore_name(block, number) == name:
                return str(sem.poster)
    return ""


@dataclass(frozen=True)
class Spent:
    """Cycles of words, added up over the instances that execute them. The parts of a
    ``total``: busy, and waiting for semaphores, ports, and all else."""

    count: int
    busy: int
    semaphore: int
    port: int
    other: int

    @property
    def total(self) -> int:
        return self.busy + self.semaphore + self.port + self.other


def spent_on(uses: list[WordUse]) -> Spent:
    """What words took, all of them together."""
    kinds: Counter[str] = Counter()
    for use in uses:
        for (kind, _), cycles in use.waits.items():
            kinds[kind] += cycles
    semaphore, port = kinds.pop("semaphore", 0), kinds.pop("port", 0)
    count, busy = sum(u.count for u in uses), sum(u.busy for u in uses)
    return Spent(count, busy, semaphore, port, kinds.total())


@dataclass(frozen=True)
class WordFigures:
    """One word: where it stands, what it says, what it came from and what it took."""

    address: str
    queue: str
    text: str
    source: str
    spent: Spent


def engine_words(result: Result) -> list[tuple[Block, WordUse]]:
    """Words of engines; those of control processors are part of their queue's account."""
    found = []
    for use in result.timed.account.words.values():
        block = result.program.block(use.block)
        if not block.words[use.index].row.control:
            found.append((block, use))
    return found


def instructions(result: Result) -> list[WordFigures]:
    """Every executed word, the one that took longest first."""
    found = [
        WordFigures(
            f"{use.block}:{use.index}",
            str(block.words[use.index].queue),
            word_text(result.program, block, use.index),
            ", ".join(block.origin(use.index)),
            spent_on([use]),
        )
        for block, use in engine_words(result)
    ]
    return sorted(found, key=lambda w: (-w.spent.total, w.address))


@dataclass(frozen=True)
class PortFigures:
    """Ports of one kind: ``width`` bytes a cycle each; shares of all cycles for which they were
    occupied, on average and of the busiest."""

    kind: str
    ports: int
    width: float
    occupied: int
    average: float
    highest: float
    busiest: str


def ports(result: Result) -> list[PortFigures]:
    """How busy the ports were, by kind."""
    account, machine = result.timed.account, result.program.machine
    found = []
    for kind, row in load().ports.items():
        numbers = [n for n, own in enumerate(account.port_kinds) if own == kind]
        if not numbers or not account.cycles:
            continue
        ticks = [account.port_ticks[n] for n in numbers]
        most = max(range(len(numbers)), key=lambda n: ticks[n])
        all_ticks = account.cycles * TICKS
        found.append(
            PortFigures(
                kind,
                len(numbers),
                float(machine.evaluate(row.width)),
                -(-sum(ticks) // TICKS),
                sum(ticks) / (all_ticks * len(numbers)),
                ticks[most] / all_ticks,
                account.port_names[numbers[most]],
            )
        )
    return found


def memory_peaks(program: Program) -> dict[str, tuple[int, int]]:
    """For each memory that buffers lie in: the end of the highest buffer, and the capacity."""
    peaks: Counter[str] = Counter()
    for block in program.blocks:
        for buffer in block.buffers:
            peaks[buffer.space] = max(peaks[buffer.space], buffer.end)
    for tensor in program.tensors:
        end = tensor.base + tensor.bytes(program.machine.chips)
        peaks["hbm"] = max(peaks["hbm"], end)
    return {name: (used, program.machine.space_bytes(name)) for name, used in peaks.items()}


def plain(row: Any) -> dict[str, Any]:
    """A row as plain data."""
    return asdict(row)
