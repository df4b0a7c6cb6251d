"""Why the debugger stands where it does: breakpoints, watched buffers, and their hits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.program import Buffer
from maiacc_sim.debug.contents import Element, touched
from maiacc_sim.debug.places import WordAt, within
from maiacc_sim.debug.queues import Execution
from maiacc_sim.memory import Owner
from maiacc_sim.system import Instance, QueueOf, System
from maiacc_sim.traps import Stopped


@dataclass(frozen=True)
class Position:
    """Where the debugger stands: at the beginning of a cycle (None if there are no cycles), with
    so many words executed."""

    cycle: int | None
    event: int


@dataclass(frozen=True)
class Standing:
    """The word that is executed next, and by whom."""

    queue: QueueOf
    word: Execution

    @property
    def at(self) -> WordAt:
        """Its block and number."""
        return self.word.block.name, self.word.index


@dataclass(frozen=True)
class Breakpoint:
    """Stops before words; ``instance`` narrows it to a tile, cluster or chip and what is in it."""

    number: int
    spec: str
    words: frozenset[WordAt]
    instance: Instance | None = None

    def stops(self, standing: Standing) -> bool:
        """Whether to stop before a word."""
        if standing.at not in self.words:
            return False
        return self.instance is None or within(standing.queue.instance, self.instance)


@dataclass(frozen=True)
class Watch:
    """Stops behind words that write a buffer. ``block`` is the only one in which they do; None
    for a tensor."""

    number: int
    buffer: Buffer
    block: str | None
    instance: Instance | None = None


@dataclass(frozen=True)
class Written:
    """A word has written ``count`` elements of a watched buffer, the first and last of them
    given."""

    watch: Watch
    by: Standing | None
    instance: Instance
    count: int
    first: Element
    last: Element


@dataclass(frozen=True)
class Stop:
    """Why the debugger stands: ``reason`` is `step`, `break`, `watch`, `place`, `cycle`, `start`,
    `end` or `trap`."""

    reason: str
    breakpoint: Breakpoint | None = None
    written: tuple[Written, ...] = ()
    trap: Stopped | None = None


@dataclass
class Watcher:
    """Keeps what a word writes."""

    accesses: list[tuple[Owner, NDArray[np.int64]]] = field(default_factory=list)

    def touch(self, owner: Owner, offsets: NDArray[np.int64], write: bool) -> None:
        """One access."""
        if write:
            self.accesses.append((owner, offsets))

    def hits(self, watches: list[Watch], by: Standing | None, system: System) -> list[Written]:
        """What was written of watched buffers since the last call."""
        accesses, self.accesses = self.accesses, []
        found = []
        for watch in watches:
            if by is not None and watch.block not in (None, by.at[0]):
                continue
            for owner in dict.fromkeys(owner for owner, _ in accesses):
                instance = system.instances[owner.instance]
                if owner.space != watch.buffer.space or watch.instance not in (None, instance):
                    continue
                offsets = np.concatenate([part for other, part in accesses if other == owner])
                part = touched(watch.buffer, offsets)
                if part is not None:
                    found.append(Written(watch, by, instance, *part))
        return found
