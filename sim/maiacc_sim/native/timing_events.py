"""Recorded events of a native timed run: the columns of ``maiacc_sim.timing.record.Recorder``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from maiacc_isa.program import Block
from maiacc_sim.code import Do, Step
from maiacc_sim.native.arrays import Ints, Records
from maiacc_sim.native.shared import MARGIN
from maiacc_sim.native.timing_image import TimingImage
from maiacc_sim.places import semaphore_name
from maiacc_sim.tokens import Wiring

#: The columns of events.
COLUMNS = (
    "unit",
    "variant",
    "ready",
    "begin",
    "end",
    "complete",
    "free",
    "late",
    "cause",
    "causer",
    "before",
)

#: Events there is room for at first.
FIRST = 1 << 12


class Numbered(Protocol):
    """What knows the variants that were met."""

    numbering: list[tuple[Any, int]]


@dataclass(frozen=True)
class Wired:
    """The counters of a block, and what its semaphores are called."""

    wiring: Wiring
    names: list[str]


@dataclass
class _Part:
    """One execution of a block: how many of each column there were when it began and ended."""

    image: TimingImage
    start: int
    first: dict[str, int]
    behind: dict[str, int]

    def of(self, name: str) -> slice:
        """Its entries in the columns that a count is about."""
        return slice(self.first[name], self.behind[name])


class EventColumns:
    """Columns of events, one entry for each engine word and SLD in the order they were found."""

    def __init__(self) -> None:
        self._columns: dict[str, Ints] = {name: np.zeros(FIRST, np.int64) for name in COLUMNS}
        self._flows = np.zeros((2, FIRST), np.int64)
        self._changes = np.zeros((3, FIRST), np.int64)
        self._marks = np.zeros((3, FIRST), np.int64)
        self._counts = {"count": 0, "flows": 0, "changes": 0, "marks": 0}
        self._parts: list[_Part] = []
        self._run: Any = None
        self.blocks: list[tuple[Block, Wired, int]] = []

    # ---- while it runs ------------------------------------------------------------------
    def begin_block(self, image: TimingImage, model: Records, run: Any, start: int) -> None:
        """A block starts; its events go where the columns have come to."""
        self._run = run
        block = image.block
        names = [semaphore_name(block, sem) for sem in range(len(block.semaphores))]
        self.blocks.append((block, Wired(image.lists.wiring, names), start))
        self._parts.append(_Part(image, start, self._counts, self._counts))
        self._attach(model)

    def _attach(self, model: Records) -> None:
        e = model[0]["events"]
        e["on"] = 1
        for name, array in self._columns.items():
            e[name] = array.ctypes.data
        e["poster"], e["waiter"] = (row.ctypes.data for row in self._flows)
        e["changed"], e["change_cycle"], e["change_by"] = (r.ctypes.data for r in self._changes)
        e["mark_unit"], e["mark_cycle"], e["mark_word"] = (r.ctypes.data for r in self._marks)
        for name, count in self._counts.items():
            e[name] = count
        e["room"], e["change_room"] = len(self._columns["unit"]), self._changes.shape[1]
        e["mark_room"] = self._marks.shape[1]

    def _detach(self, model: Records) -> None:
        e = model[0]["events"]
        self._counts = {name: int(e[name]) for name in self._counts}

    def grow(self, model: Records) -> bool:
        """Makes room if it was events there was no room for; whether it was."""
        self._detach(model)
        counts, counters = self._counts, int(model[0]["counters"])
        few = counts["count"] + MARGIN > len(self._columns["unit"])
        marks = counts["marks"] + MARGIN > self._marks.shape[1]
        changes = counts["changes"] + 2 * counters > self._changes.shape[1]
        if few:
            self._columns = {name: wider(array) for name, array in self._columns.items()}
            self._flows = wider(self._flows)
        if marks:
            self._marks = wider(self._marks)
        if changes:
            self._changes = wider(self._changes, 2 * counters)
        self._attach(model)
        return few or marks or changes

    def end_block(self, model: Records) -> None:
        """A block is over."""
        self._detach(model)
        self._parts[-1].behind = self._counts
        model[0]["events"]["on"] = 0

    # ---- the columns ----------------------------------------------------------------------
    def __len__(self) -> int:
        return self._counts["count"]

    def __getattr__(self, name: str) -> Ints:
        if name.startswith("_") or name not in COLUMNS:
            raise AttributeError(name)
        return self._columns[name][: len(self)]

    @cached_property
    def variant(self) -> Ints:
        """The numbers of variants, as the engine counts them."""
        result = np.zeros(len(self), np.int64)
        numbers: dict[int, dict[int, int]] = {}
        for number, (ready, position) in enumerate(self._run.numbering):
            numbers.setdefault(id(ready.image), {})[position] = number
        for part in self._parts:
            found = numbers.get(id(part.image), {})
            table = np.zeros(1 + max(found, default=0), np.int64)
            table[list(found)] = list(found.values())
            own = part.of("count")
            result[own] = table[self._columns["variant"][own]]
        return result

    @property
    def posters(self) -> Ints:
        """Events that posted the token another event waited for."""
        return self._flows[0, : self._counts["flows"]]

    @property
    def waiters(self) -> Ints:
        """The events that waited."""
        return self._flows[1, : self._counts["flows"]]

    @cached_property
    def levels(self) -> list[tuple[int, int, int, int]]:
        """Changes of counters: block, counter, cycle, tokens."""
        found: list[tuple[int, int, int, int]] = []
        for number, part in enumerate(self._parts):
            block = part.image.block
            for counter, (sem, _, _) in enumerate(part.image.lists.wiring.counters):
                init = block.semaphores[sem].init
                if init:
                    found.append((number, counter, part.start, init))
            columns = self._changes[:, part.of("changes")].tolist()
            found += [(number, *row) for row in zip(*columns, strict=True)]
        return found

    @property
    def marks(self) -> list[tuple[int, int, Step]]:
        """Regions that control processors began and ended."""
        found = []
        for part in self._parts:
            rows = self._marks[:, part.of("marks")].tolist()
            for unit, cycle, word in zip(*rows, strict=True):
                found.append((unit, cycle, Step(Do.MARK, word, part.image.block.words[word])))
        return found


def wider(array: Ints, more: int = 0) -> Ints:
    """Twice as many columns, and some more."""
    room = np.zeros((*array.shape[:-1], 2 * array.shape[-1] + more), np.int64)
    room[..., : array.shape[-1]] = array
    return room
