"""The critical path, with what repeats in it said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from maiacc.running.figures import NO_SOURCE
from maiacc_isa.program import Program
from maiacc_sim.places import word_text
from maiacc_sim.simulate import Result
from maiacc_sim.timing.critical import Link

#: Longest sequence of links that is looked for as something that repeats.
PERIOD = 64

#: What a link is called that is no word.
WALKS = "walks over control words"

#: What let a link begin, as people read it.
REASONS = {
    "pushed": "once pushed",
    "behind": "behind the word before",
    "token": "on its last token",
    "walks": "",
    "waits": "",
    "boundary": "",
}


@dataclass(frozen=True)
class Step:
    """A link that follows itself ``times`` times; ``cycles`` are those of all of them, also of
    all repetitions of the piece it is in."""

    link: Link
    times: int
    cycles: int


@dataclass(frozen=True)
class Piece:
    """Steps that follow each other ``times`` times."""

    times: int
    steps: tuple[Step, ...]


def collapsed(path: Sequence[Link]) -> list[Piece]:
    """The path as pieces. Links are alike if their queue's name, word and reason are, whichever
    instance and however long."""
    steps = [
        Step(run[0], len(run), sum(link.end - link.begin for link in run))
        for run in (list(same) for _, same in groupby(path, _key))
    ]
    keys = [(_key(step.link), step.times) for step in steps]
    pieces: list[Piece] = []
    at = 0
    while at < len(steps):
        period, times = _repetition(keys, at)
        cycles = [0] * period
        for number, step in enumerate(steps[at : at + period * times]):
            cycles[number % period] += step.cycles
        merged = zip(steps[at : at + period], cycles, strict=True)
        pieces.append(Piece(times, tuple(replace(step, cycles=n) for step, n in merged)))
        at += period * times
    return pieces


def _key(link: Link) -> tuple[str, str, int, str]:
    return queue_of(link), link.block, link.index, link.reason


def _repetition(keys: Sequence[object], at: int) -> tuple[int, int]:
    """The sequence from ``at`` on that covers most by repeating, the shortest of equal ones:
    its length and how often it follows itself."""
    best = (1, 1)
    for period in range(1, min(PERIOD, (len(keys) - at) // 2) + 1):
        same = at
        while same + period < len(keys) and keys[same] == keys[same + period]:
            same += 1
        times = (same - at) // period + 1
        if times > 1 and period * times > best[0] * best[1]:
            best = (period, times)
    return best


def queue_of(link: Link) -> str:
    """The queue's name without its instance."""
    return link.queue.split(" of ")[0]


def word_of(program: Program, link: Link) -> str:
    """What the link's word says."""
    if link.index < 0:
        return WALKS if link.reason == "walks" else link.reason
    return word_text(program, program.block(link.block), link.index)


def shares(result: Result) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Cycles of the path by queue and by source, the most first; both add up to all cycles."""
    queues: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    for link in result.critical_path():
        cycles = link.end - link.begin
        queues[queue_of(link)] += cycles
        block = result.program.block(link.block)
        origin = block.origin(link.index) if link.index >= 0 else ("control",)
        sources[", ".join(origin) or NO_SOURCE] += cycles
    return queues.most_common(), sources.most_common()
