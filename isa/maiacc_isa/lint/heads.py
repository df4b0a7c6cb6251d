"""States of a proof at the heads of a loop, to be compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.lint.regions import Region
from maiacc_isa.lint.run import Done, Event, Run
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.walker import Walker


class NotSteady(Exception):  # noqa: N818
    """The loop is not, or not yet, steady."""


@dataclass
class Head:
    """The state when all control processors stand at the head of a loop. ``at`` is the length of
    the trace, ``pending`` the words that wait in each queue, ``waiting`` their numbers;
    ``clocks``, if they are wanted, are what every queue knows and every token tells."""

    at: int
    tick: int
    levels: tuple[int, ...]
    pending: list[list[Event]]
    waiting: list[list[int]]
    registers: dict[int, list[Val | None]]
    places: tuple[object, ...]
    clocks: list[Clock | None]

    def like(self, other: Head) -> bool:
        """Whether tokens, waiting words and the control processors elsewhere are the same."""
        same = (self.levels, self.places) == (other.levels, other.places)
        return same and self.waiting == other.waiting


def take_head(run: Run, members: list[Walker]) -> Head:
    """The present state, for a loop that ``members`` are in."""
    inside = {id(member) for member in members}
    clocks: list[Clock | None] = []
    if run.effort.patient:
        clocks += [process.clock.copy() for process in run.by_number]
        clocks += [token for counter in run.counters.queues.values() for token in counter]
    places = tuple(walker.key() if id(walker) not in inside else () for walker in run.walkers)
    pending = [[event for event, _ in p.pending] for p in run.by_number]
    return Head(
        at=len(run.trace),
        tick=run.tick,
        levels=run.counters.levels(),
        pending=pending,
        waiting=[[event.index for event in queue] for queue in pending],
        registers={id(member): list(member.registers) for member in members},
        places=places,
        clocks=clocks,
    )


def difference(new: Val | None, old: Val | None) -> int | None:
    """new - old where that is a known number, 0 for two unset registers; None otherwise."""
    if new is None or old is None:
        return 0 if new is old else None
    change = new - old
    return change.const if change.known else None


def same_value(a: Val | None, b: Val | None) -> bool:
    """Whether two values are the same expression, or both absent."""
    return a is b if a is None or b is None else a.same(b)


def same_place(a: Done, b: Done) -> bool:
    """Whether two touches are of the same operand and queue, in the same memory."""
    x, y = a.record, b.record
    return (x.operand, x.mode, x.process, a.owner, a.weight) == (
        y.operand,
        y.mode,
        y.process,
        b.owner,
        b.weight,
    )


def region_step(new: Region, old: Region) -> int:
    """By how much a region has moved. Raises ``NotSteady`` if it has changed otherwise."""
    if (new.steps, new.run, new.guard) != (old.steps, old.run, old.guard):
        raise NotSteady
    step = difference(new.base, old.base)
    if step is None or len(new.others) != len(old.others):
        raise NotSteady
    for other, before in zip(new.others, old.others, strict=True):
        if region_step(other, before) != step:
            raise NotSteady
    return step
