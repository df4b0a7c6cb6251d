"""Accesses as they happen: races, reads of what was never written, links that do not reach."""

from __future__ import annotations

from maiacc_isa.lint.findings import Finding
from maiacc_isa.lint.instances import Instance
from maiacc_isa.lint.lanes import Record
from maiacc_isa.lint.memory import Owner
from maiacc_isa.lint.regions import Region
from maiacc_isa.lint.run import Done, Event, Item, Process, Run
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.touched import Touch
from maiacc_isa.lint.written import TooFine
from maiacc_isa.load import load

_VERBS = {"r": "reads", "w": "writes"}


class Touches:
    """Enters the touches of events into the memories and checks them."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def enter(self, process: Process, event: Event, component: int, item: Item) -> None:
        """All touches of an event of a queue; ``item`` remembers them."""
        run, instance = self._run, process.instance
        known = process.clock.copy()
        members = run.members(event.word)
        peers = self._peers(process, event)
        weight = run.cast.weight(instance.role) if self._leads(instance) else 0
        for touch in event.touches:
            for owner in run.memory.owners(touch, instance, members, peers):
                record = Record(
                    event.index,
                    touch.operand,
                    touch.mode,
                    instance,
                    process.number,
                    component,
                    run.tick,
                    touch.region,
                    event.iteration,
                )
                done = Done(record, owner, touch, known, weight)
                item.done.append(done)
                if not touch.given:
                    self._check(owner, touch, record, known)
                    run.memory.lanes(owner).record(record)
                    run.count(done, 1)

    def _leads(self, instance: Instance) -> bool:
        """Whether the instance is the one whose events are counted for all alike."""
        return any(team.members[0] is instance for team in self._run.cast.teams)

    def _check(self, owner: Owner, touch: Touch, record: Record, known: Clock) -> None:
        memory, instance = self._run.memory, record.instance
        for rival in memory.rivals(owner, touch, instance, record.process, known):
            self._race(owner, touch, record, rival)
        written = memory.written(owner)
        regions = memory.spread(touch.region)
        try:
            if touch.mode == "r" and not all(map(written.covers, regions)):
                self._unwritten(touch, record)
            elif touch.mode == "w" and not touch.whole:
                written.enter(regions)
        except TooFine:
            message = f"the footprint of {touch.operand} is too fine to be followed"
            site = self._run.site(record.word, record.iteration, record.instance)
            self._run.report.add(Finding("E0910", message, site))

    def _race(self, owner: Owner, touch: Touch, record: Record, rival: Record) -> None:
        """Reports two touches that nothing orders."""
        run = self._run
        before, after = (
            f"{run.block.words[r.word].row.mnemonic} {_VERBS[r.mode]} {r.operand}"
            for r in (rival, record)
        )
        run.report.add(
            Finding(
                "E0802",
                f"race: {before}, {after}, and nothing orders the two",
                run.site(record.word, record.iteration, record.instance),
                run.site(rival.word, rival.iteration, rival.instance),
                memory=f"{self._range(touch.space, rival.region)} and "
                f"{self._range(touch.space, record.region)}{self._whose(owner)}",
                hint="let the earlier word post a semaphore that the later one waits for",
            )
        )

    def _whose(self, owner: Owner) -> str:
        """Which chip's memory it is, where there are several."""
        return f" of chip {owner[1]}" if self._run.program.machine.chips > 1 else ""

    def _range(self, space: str, region: Region) -> str:
        low, high = region.base.low // 8, -(-(region.base.high + region.span) // 8)
        name = self._run.footprints.name_of(space, low, high)
        return f"{name} ({space} 0x{low:x} to 0x{high:x})"

    def _unwritten(self, touch: Touch, record: Record) -> None:
        self._run.report.add(
            Finding(
                "E0803",
                f"{touch.operand} reads what nothing has written",
                self._run.site(record.word, record.iteration, record.instance),
                memory=self._range(touch.space, touch.region),
            )
        )

    # ---- other chips --------------------------------------------------------------------
    def _peers(self, process: Process, event: Event) -> list[int]:
        """The chips a network word writes to."""
        run = self._run
        link = load().queues[process.queue].code - load().queues["NET0"].code
        machine, chip = run.program.machine, process.instance.chip
        if event.word.name == "PUTM":
            group = sorted(run.group(event.word) - {chip})
            if not all(machine.reaches(link, chip, peer) for peer in group):
                site = run.site(event.index, event.iteration, process.instance)
                run.report.add(Finding("E1010", "the link does not reach all of the group", site))
            return group
        if event.peer is None:
            return []
        low, high = event.peer.low, event.peer.high
        peers = list(range(max(0, low), min(high, machine.chips - 1) + 1))
        reached = [p for p in range(machine.chips) if machine.reaches(link, chip, p)]
        if low < 0 or high >= machine.chips or not set(peers) <= set(reached):
            run.report.add(
                Finding(
                    "E1010",
                    "the link does not reach that chip",
                    run.site(event.index, event.iteration, process.instance),
                    expected=f"one of {reached}",
                    found=str(event.peer),
                )
            )
        return peers
