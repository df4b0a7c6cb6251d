"""Skipping periods of a steady loop: the state of the proof moved on by a number of copies.

Ticks keep their values: those of the periods seen to be alike now stand for the last periods of
the loop, so that what is known need not be touched. Their accesses are moved to where they then
are, and the copies in between are entered as older than all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from maiacc_isa.lint.heads import Head, difference
from maiacc_isa.lint.lanes import Iteration, Record
from maiacc_isa.lint.memory import Owner
from maiacc_isa.lint.run import Done, Event, Item, Run
from maiacc_isa.lint.stays import Windows
from maiacc_isa.lint.touched import Touch
from maiacc_isa.lint.walker import Walker
from maiacc_isa.lint.written import exact_key


@dataclass(frozen=True)
class Motion:
    """By how much a touch moves from period to period: in bits, and the origin of its window on
    each axis."""

    step: int
    origins: tuple[int, ...]

    @property
    def moves(self) -> bool:
        """Whether anything changes from period to period."""
        return self.step != 0 or any(self.origins)

    def carry(self, touch: Touch, times: int) -> Touch:
        """A touch ``times`` periods later."""
        spans = self.shift(touch.spans, times)
        return replace(touch, region=touch.region.moved(self.step * times), spans=spans)

    def shift(self, spans: Windows, times: int) -> Windows:
        """Windows ``times`` periods later."""
        both = zip(spans, self.origins, strict=True)
        return tuple(span.moved(step * times) for span, step in both)

    def sweep(self, spans: Windows, times: int) -> Windows:
        """Windows that contain those of this period and of so many later ones."""
        both = zip(spans, self.origins, strict=True)
        return tuple(span.swept(step, times) for span, step in both)


#: Touches and how they move.
Moves = list[tuple[Done, Motion]]


class Alike:
    """Successive periods of a loop that are copies of each other.

    ``moves`` are the touches of the last one, ``absent`` the windows of its operands that touch
    nothing, ``waiting`` how the touches of words that wait in queues move, by the identity of the
    word. Everything after tick ``start`` belongs to them.
    """

    def __init__(self, now: Head, before: Head) -> None:
        self.now = now
        self.before = before
        self.start = before.tick
        self.moves: Moves = []
        self.waiting: dict[int, list[Motion]] = {}
        self.absent: list[tuple[Windows, Motion]] = []
        self._earlier: list[Moves] = []
        self._steps: dict[int, int] = {}

    def enter(self, done: Done, motion: Motion) -> None:
        """A touch of the last period."""
        self.moves.append((done, motion))
        self._steps[id(done.record)] = motion.step

    def extend(self, older: list[Item], head: Head) -> None:
        """A period before those known, which starts at a head."""
        touches = [done for item in older for done in item.done]
        motions = [motion for _, motion in self.moves]
        self._earlier.append(list(zip(touches, motions, strict=True)))
        for done, motion in self._earlier[-1]:
            self._steps[id(done.record)] = motion.step
        self.start = head.tick

    def step(self, record: Record) -> int | None:
        """By how much an access of these periods moves; None for an older one."""
        return self._steps.get(id(record))

    def earlier(self) -> Iterator[tuple[Done, Motion]]:
        """The touches of all periods but the last, in order."""
        for moves in reversed(self._earlier):
            yield from moves

    def all(self) -> Iterator[tuple[Done, Motion]]:
        """The touches of all periods, in order."""
        yield from self.earlier()
        yield from self.moves

    @property
    def periods(self) -> int:
        """How many there are."""
        return len(self._earlier) + 1


def advance(run: Run, members: list[Walker], alike: Alike, period: int, times: int) -> None:
    """Moves the state on by ``times`` periods of ``period`` iterations."""
    gone: dict[Owner, list[Record]] = {}
    for done, _ in alike.all():
        if not done.touch.given:
            gone.setdefault(done.owner, []).append(done.record)
    for owner, records in gone.items():
        run.memory.lanes(owner).withdraw(records)
    # What does not move is touched again in the same place, for which the last time stands.
    moving = [(done, motion) for done, motion in alike.moves if motion.moves or done.counts]
    copies = [_copy(run, alike, done, motion, times) for done, motion in moving]
    for done, motion in alike.all():
        if motion.step:
            done.record.region = done.record.region.moved(motion.step * times)
    _enter(run, [*copies, *(done for done, _ in alike.all())])
    loop = members[0].frames[-1].loop
    _move_waiting(run, alike, loop.name, period, times)
    for member in members:
        member.frames[-1].counter += times * period
        before = alike.before.registers[id(member)]
        for number, value in enumerate(member.registers):
            change = difference(value, before[number])
            if value is not None and change:
                member.registers[number] = value.plus(change * times)
    what = ("skip", loop.index, period, times, alike.periods)
    absent = tuple(motion.sweep(spans, times) for spans, motion in alike.absent)
    run.trace.append(Item(what, None, copies, absent))


def _copy(run: Run, alike: Alike, done: Done, motion: Motion, times: int) -> Done:
    """The skipped copies of a touch, from the oldest place that the alike periods leave."""
    record, step = done.record, motion.step
    first = record.region.moved(-step * (alike.periods - 1))
    between = replace(record, tick=alike.start + 1, region=first.repeated(step, times))
    if record.mode == "w" and not done.touch.whole:
        everything = record.region.repeated(step, times + 1)
        run.memory.written(done.owner).enter(run.memory.spread(everything))
    if not done.touch.given:
        run.count(done, times)
    touch = motion.carry(done.touch, times)
    return Done(between, done.owner, touch, done.known, done.weight * times)


def _enter(run: Run, touches: list[Done]) -> None:
    """Enters accesses into the memories, each region once, in the order of their ticks."""
    last: dict[tuple[object, ...], Done] = {}
    for done in touches:
        if done.touch.given:
            continue
        r = done.record
        key = (done.owner, r.key, exact_key(r.region))
        if key not in last or last[key].record.tick <= r.tick:
            last[key] = done
    for done in sorted(last.values(), key=lambda d: d.record.tick):
        run.memory.lanes(done.owner).record(done.record)


def _move_waiting(run: Run, alike: Alike, loop: str, period: int, times: int) -> None:
    """Words that wait in queues become those of the last period."""
    moved: dict[int, Event] = {}
    for process in run.by_number:
        for position, (event, clock) in enumerate(process.pending):
            if id(event) not in moved:
                motions = alike.waiting[id(event)]
                touches = zip(event.touches, motions, strict=False)
                absent = zip(event.absent, motions[len(event.touches) :], strict=True)
                moved[id(event)] = replace(
                    event,
                    touches=[motion.carry(touch, times) for touch, motion in touches],
                    absent=[motion.shift(spans, times) for spans, motion in absent],
                    iteration=_later(event.iteration, loop, period * times),
                )
            process.pending[position] = (moved[id(event)], clock)


def _later(iteration: Iteration, loop: str, turns: int) -> Iteration:
    return tuple((name, n + turns if name == loop else n) for name, n in iteration)
