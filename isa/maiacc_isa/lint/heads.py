"""States of a proof at the heads of a loop, to be compared with each other."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.lint.run import Event, Run
from maiacc_isa.lint.tokens import Clock
from maiacc_isa.lint.values import Val
from maiacc_isa.lint.walker import Walker


class NotSteady(Exception):  # noqa: N818
    """The loop is not, or not yet, steady."""


@dataclass
class Head:
    """The state when all control processors stand at the head of a loop. ``at`` is the length of
    the trace, ``pending`` the words that wait in each queue; ``clocks``, if they are wanted, are
    what every queue knows and every token tells."""

    at: int
    tick: int
    levels: tuple[int, ...]
    pending: list[list[Event]]
    registers: dict[int, list[Val | None]]
    places: tuple[object, ...]
    clocks: list[Clock | None]

    @property
    def waiting(self) -> list[list[int]]:
        """The numbers of the words that wait in each queue."""
        return [[event.index for event in queue] for queue in self.pending]

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
    return Head(
        at=len(run.trace),
        tick=run.tick,
        levels=run.counters.levels(),
        pending=[[event for event, _ in p.pending] for p in run.by_number],
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
