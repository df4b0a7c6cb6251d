"""Accesses of a proof: who touched what, which pairs nothing orders, what was never written."""

from __future__ import annotations

from collections.abc import Iterator

from maiacc_isa.lint.instances import Cast, Instance
from maiacc_isa.lint.lanes import Lanes, Record
from maiacc_isa.lint.meeting import Meeting
from maiacc_isa.lint.regions import Region, Steps, normal
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.touched import Touch
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.written import Written

#: A memory of an instance: its name and the ids that tell it from others.
Owner = tuple[object, ...]


class Memory:
    """All memories of the instances of a proof."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._meeting = Meeting(cast)
        self._lanes: dict[Owner, Lanes] = {}
        self._written: dict[Owner, Written] = {}

    # ---- owners -------------------------------------------------------------------------
    def owners(
        self, touch: Touch, instance: Instance, members: frozenset[int] | None, peers: list[int]
    ) -> list[Owner]:
        """The memories a touch means. ``peers`` are the chips that network words write to."""
        chips = peers if peers and touch.operand == "d" else [instance.chip]
        if touch.space == "hbm":
            return [("hbm", chip) for chip in chips]
        if touch.space == "acc":
            return [("acc", instance.chip, instance.cluster, instance.tile)]
        level = instance.cluster if touch.space == "csram" else instance.tile
        most = self._cast.machine.clusters if touch.space == "csram" else self._cast.machine.tiles
        numbers = [level]
        if touch.home == "all":
            numbers = [n for n in range(most) if members is None or n in members]
        elif touch.home == "at":
            value = touch.home_value
            assert value is not None
            numbers = [n for n in range(most) if value.low <= n <= value.high]
        kept = self._kept(touch.space)
        numbers = [n for n in numbers if n < kept]
        if touch.space == "csram":
            return [("csram", chip, n) for chip in chips for n in numbers]
        return [("tsram", instance.chip, instance.cluster, n) for n in numbers]

    def _kept(self, space: str) -> int:
        m = self._cast.machine
        if not self._cast.alike:
            return m.clusters if space == "csram" else m.tiles
        return 2

    # ---- races --------------------------------------------------------------------------
    def rivals(
        self, owner: Owner, touch: Touch, instance: Instance, process: int, known: Clock
    ) -> Iterator[Record]:
        """Earlier records that meet a touch and that nothing orders before it."""
        low = touch.region.base.low
        high = touch.region.base.high + touch.region.span
        reads = touch.mode == "r"
        near = [
            lane
            for lane in self.lanes(owner).unknown(known)
            if lane.process != process
            and (lane.writes or not reads)
            and lane.low < high
            and low < lane.high
        ]
        for lane in sorted(near, key=lambda lane: lane.number):
            for record in reversed(lane.records):
                if known[record.component] >= record.tick:
                    break
                if self.meets(touch.region, instance, record):
                    yield record

    def lanes(self, owner: Owner) -> Lanes:
        """The records of one memory."""
        if owner not in self._lanes:
            self._lanes[owner] = Lanes()
        return self._lanes[owner]

    def blur(self, since: int) -> None:
        """Lets every record after a tick stand for all of its lane since then."""
        for lanes in self._lanes.values():
            lanes.blur(since)

    def written_copy(self) -> dict[Owner, Written]:
        """What is written now, as an independent copy."""
        return {owner: written.copy() for owner, written in self._written.items()}

    def restore_written(self, written: dict[Owner, Written]) -> None:
        """Forgets what was written since a copy was made."""
        self._written = written

    def meets(self, region: Region, instance: Instance, record: Record, extra: Steps = ()) -> bool:
        """Whether a region of one instance shares a bit with a record, for some ids and unknowns.

        ``extra`` are further (step, count) by which their distance may grow.
        """
        return self._meeting.meets(region, instance, record.region, record.instance, extra)

    # ---- written ------------------------------------------------------------------------
    def written(self, owner: Owner) -> Written:
        """What has been written of a memory."""
        if owner not in self._written:
            self._written[owner] = Written()
        return self._written[owner]

    def spread(self, region: Region) -> list[Region]:
        """What a region touches over all ids. What is written into memories of instances does not
        depend on their ids (``Footprints``), so it holds for all that one stands for; what is
        read must be there for all of them."""
        if not self._cast.alike:
            return [region]
        parts = [region] if region.cut is None else region.cut.everything()
        return [self._over_all(part) for part in parts]

    def _over_all(self, region: Region) -> Region:
        ids = (self._cast.tile_sym, self._cast.cluster_sym)
        base, steps = region.base, list(region.steps)
        for sym in ids:
            coef = base.terms.get(sym, 0)
            if coef:
                base = base - Val(0, {sym: coef})
                steps.append((coef, sym.high + 1))
        return normal(base, steps, region.run, region.guard) if base is not region.base else region
