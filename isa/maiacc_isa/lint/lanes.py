"""Touches that have happened in one memory, so that those which an event does not know are found
without looking at the others.

A queue's touches have rising ticks, and who knows one of them knows all before it. So the lanes
of a component of clocks stand in the order of their last ticks, and a search from the last one
ends at the first that is known.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, replace

from maiacc_isa.lint.instances import Instance
from maiacc_isa.lint.regions import Region, normal
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.values import Val

#: Iterations of the loops around a word.
Iteration = tuple[tuple[str, int], ...]

#: Records of a lane that a blur repeats at most; the hull of the rest is kept as one.
BLUR_LIMIT = 256

#: Different regions in which an earlier record of the same one is looked for.
SLOTS_LIMIT = 16

#: Word, operand, mode, process and component of clocks.
LaneKey = tuple[int, str, str, int, int]


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

    @property
    def key(self) -> LaneKey:
        """The lane it belongs to."""
        return (self.word, self.operand, self.mode, self.process, self.component)


class Lane:
    """The records of one word's operand by one process, in order, and their hull in bits. ``top``
    is the largest tick there has been.

    Of records with one region the last stands for all: who does not know an earlier one does not
    know the last one either.
    """

    def __init__(self, number: int, first: Record) -> None:
        self.number = number
        self.writes = first.mode != "r"
        self.process = first.process
        self.records: list[Record] = []
        self.top = -1
        self.low = 1 << 62
        self.high = -(1 << 62)

    def add(self, record: Record) -> None:
        """Enters a record behind those of its tick and before."""
        self.top = max(self.top, record.tick)
        self.widen(record.region)
        records = self.records
        for back in range(len(records) - 1, max(-1, len(records) - 1 - SLOTS_LIMIT), -1):
            if records[back].region.same(record.region):
                if records[back].tick > record.tick:
                    return
                del records[back]
                break
        if not records or records[-1].tick <= record.tick:
            records.append(record)
        else:
            insort(records, record, key=lambda r: r.tick)

    def widen(self, region: Region) -> None:
        """Makes the hull contain a region."""
        base = region.base
        self.low = min(self.low, base.low)
        self.high = max(self.high, base.high + region.span)

    def blur(self, since: int) -> None:
        """Lets every record after a tick stand for all since then."""
        recent = [record for record in self.records if record.tick > since]
        kept = list({id(record.region): record.region for record in recent}.values())
        if len(kept) < 2:
            return
        last = recent[-1]
        for region in kept[:BLUR_LIMIT]:
            self.add(replace(last, region=region))
        if len(kept) > BLUR_LIMIT:
            self.add(replace(last, region=_hull(kept[BLUR_LIMIT:])))


def _hull(regions: list[Region]) -> Region:
    """A region that contains all of them."""
    low = min(region.base.low for region in regions)
    high = max(region.base.high + region.span for region in regions)
    return normal(Val(low), [], high - low)


class Lanes:
    """The lanes of one memory. ``writes`` counts what has been entered for writes."""

    def __init__(self) -> None:
        self.writes = 0
        self._lanes: dict[LaneKey, Lane] = {}
        self._recent: dict[int, list[tuple[int, Lane]]] = {}

    def record(self, record: Record) -> None:
        """Enters a touch."""
        lane = self._lanes.get(record.key)
        if lane is None:
            lane = self._lanes[record.key] = Lane(len(self._lanes), record)
        before = lane.top
        lane.add(record)
        self.writes += lane.writes
        if lane.top > before:
            self._enter(record.component, lane)

    def _enter(self, component: int, lane: Lane) -> None:
        """Puts a lane where its last tick belongs; where it stood before it no longer counts."""
        recent = self._recent.setdefault(component, [])
        if not recent or recent[-1][0] <= lane.top:
            recent.append((lane.top, lane))
        else:
            insort(recent, (lane.top, lane), key=lambda entry: entry[0])
        if len(recent) > 2 * len(self._lanes) + 64:
            recent[:] = [entry for entry in recent if entry[1].top == entry[0]]

    def unknown(self, known: Clock) -> Iterator[Lane]:
        """The lanes that may have records which a clock does not know."""
        width = len(known)
        for component, recent in self._recent.items():
            tick = known[component] if component < width else 0
            if recent[-1][0] <= tick:
                continue
            for top, lane in reversed(recent):
                if top <= tick:
                    break
                if top == lane.top:
                    yield lane

    def withdraw(self, records: list[Record]) -> None:
        """Takes records out."""
        gone = {id(record) for record in records}
        for key in {record.key for record in records}:
            lane = self._lanes.get(key)
            if lane is not None:
                lane.records = [record for record in lane.records if id(record) not in gone]

    def blur(self, since: int) -> None:
        """Lets every record after a tick stand for all of its lane since then: which of them was
        the last is not known."""
        for lane in self._lanes.values():
            if lane.top > since:
                lane.blur(since)
                self.writes += lane.writes
