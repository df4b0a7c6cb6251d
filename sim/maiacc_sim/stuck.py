"""Why nothing can go on: who waits for whom, and the circle if there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from maiacc_isa.program import Block, Program
from maiacc_sim.places import place, semaphore_name
from maiacc_sim.system import QueueOf
from maiacc_sim.tokens import Wiring
from maiacc_sim.traps import Trap


@dataclass(frozen=True)
class Wait:
    """A queue or control processor that cannot go on: the word it is at, what that needs, and
    the queue that should give it. ``room`` says that it needs room in that queue."""

    of: QueueOf
    index: int
    iteration: tuple[int, ...]
    needs: str
    gives: QueueOf | None
    room: bool = False


#: How many tokens a counter holds, by its number.
Held = Callable[[int], int]


@dataclass(frozen=True)
class Stop:
    """A queue or control processor that stands: at which word, in which iteration."""

    of: QueueOf
    index: int
    iteration: tuple[int, ...]


def explain(
    program: Program, wiring: Wiring, held: Held, stops: Iterable[Stop], finished: frozenset[int]
) -> Trap:
    """The trap of a block in which nothing can go on.

    ``finished`` are the instances whose control processors have issued all of their words.
    """
    block, depth = wiring.block, program.machine.int("queue.depth")
    waits = []
    for stop in stops:
        word, of = block.words[stop.index], stop.of
        if of.row.engine == "control" and not word.row.control:
            full = wiring.system.queue(of.instance, str(word.queue))
            needs = f"room in {full.name} ({depth} words deep, all taken)"
            waits.append(Wait(of, stop.index, stop.iteration, needs, full, room=True))
        else:
            needs, gives = token_wait(block, wiring, held, of, stop.index)
            waits.append(Wait(of, stop.index, stop.iteration, needs, gives))
    return deadlock(program, block, waits, finished)


def token_wait(
    block: Block, wiring: Wiring, held: Held, of: QueueOf, index: int
) -> tuple[str, QueueOf | None]:
    """What a word that waits for tokens lacks, and the queue that posts it."""
    found = wiring.waits(index, of.instance)
    for (sem, count), (_, counters) in zip(block.words[index].waits, found, strict=True):
        name = semaphore_name(block, sem)
        for n in counters:
            if held(n) < count:
                return f"{name} ({held(n)} of {count} tokens)", wiring.counters[n][2]
    return "the other chips at the barrier", None


def deadlock(program: Program, block: Block, waits: list[Wait], finished: frozenset[int]) -> Trap:
    """The trap of a block in which nothing can go on.

    ``finished`` are the instances whose control processors have issued all of their words.
    """
    stuck = {w.of.number: w for w in waits if not w.room}
    circle = _circle(waits)
    shown = circle or _roots(waits, stuck)
    several = len({str(of.instance) for w in shown for of in (w.of, w.gives) if of}) > 1
    lines = [_line(w, stuck, finished, several) for w in shown[:6]]
    message = "a circle of waits" if circle else "waits for what never comes"
    trap = Trap(
        "deadlock",
        message,
        expected="every wait to be met by a post that can still happen",
        found="\n".join([*lines, *(["..."] if len(shown) > 6 else [])]),
    )
    trap.hint = "count posts and waits of the semaphore over an iteration, and its first tokens"
    first = shown[0]
    return place(program, block, trap, first.index, first.iteration, first.of)


def _line(wait: Wait, stuck: dict[int, Wait], finished: frozenset[int], several: bool) -> str:
    def name(of: QueueOf) -> str:
        return str(of) if several else of.name

    control = wait.of.row.engine == "control"
    who = f"the control processor of {wait.of.instance}" if control else name(wait.of)
    text = f"{who} waits for {wait.needs}"
    if wait.gives is None:
        return text
    if wait.room:
        return f"{text}, where nothing moves"
    if wait.gives.number in stuck:
        return f"{text}, which {name(wait.gives)} should post but is stuck itself"
    if wait.gives.instance.number in finished:
        return f"{text}, but {name(wait.gives)} has executed all its words"
    return f"{text}, but no word of {name(wait.gives)} has been issued that posts it"


def _roots(waits: list[Wait], stuck: dict[int, Wait]) -> list[Wait]:
    """Those whose giver is not stuck itself first, and of equal ones only the first."""
    kept: dict[tuple[str, int], Wait] = {}
    for wait in sorted(waits, key=lambda w: w.gives is not None and w.gives.number in stuck):
        kept.setdefault((wait.of.name, wait.index), wait)
    return list(kept.values())


def _circle(waits: list[Wait]) -> list[Wait] | None:
    """A circle of waits, each for a queue that is stuck in the next."""
    by_queue = {w.of.number: w for w in waits if not w.room}
    for start in waits:
        path: list[Wait] = []
        at: Wait | None = start
        while at is not None and at not in path:
            path.append(at)
            at = by_queue.get(at.gives.number) if at.gives is not None else None
        if at is not None:
            return path[path.index(at) :]
    return None
