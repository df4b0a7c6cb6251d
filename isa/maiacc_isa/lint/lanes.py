"""Touches that have happened, kept by the word's operand and the process that did them."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from maiacc_isa.lint.instances import Instance
from maiacc_isa.lint.regions import Region

#: Iterations of the loops around a word.
Iteration = tuple[tuple[str, int], ...]

#: Different regions in which an earlier record of the same one is looked for.
SLOTS_LIMIT = 16


@dataclass(slots=True, eq=False)
class Record:
    """A touch that has happened. Unordered with an event whose clock's ``component`` is below
    ``tick``."""

    word: int
    operand: str
    mode: str
    instance: Instance
    process: int
    component: int
    tick: int
    region: Region
    iteration: Iteration


class Lane:
    """The records of one word's operand by one process, in order, and their hull in bits.

    Of records with one region the last stands for all: who does not know an earlier one does not
    know the last one either. Lanes of a memory are numbered; no record has a tick above ``top``.
    """

    def __init__(self, number: int, record: Record) -> None:
        self.number = number
        self.process, self.component, self.mode = record.process, record.component, record.mode
        self.top = -1
        self.records: list[Record] = []
        self.count = 0
        self.low = 1 << 62
        self.high = -(1 << 62)

    def add(self, record: Record) -> None:
        """Enters a record behind those of its tick and before."""
        self.count += 1
        self.widen(record.region)
        records = self.records
        for back in range(len(records) - 1, max(-1, len(records) - 1 - SLOTS_LIMIT), -1):
            if records[back].region.same(record.region):
                if records[back].tick > record.tick:
                    return
                del records[back]
                break
        insort(records, record, key=lambda r: r.tick)

    def widen(self, region: Region) -> None:
        """Makes the hull contain a region."""
        base = region.base
        self.low = min(self.low, base.low)
        self.high = max(self.high, base.high + region.span)
