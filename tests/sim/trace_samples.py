"""Recordings for the tests of traces, and what a trace of them has to show, in plain Python."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from maiacc_sim.recording import (
    CounterTrack,
    Flows,
    Recording,
    Slices,
    Track,
    WordInfo,
)

#: Texts that break formats which do not escape: quotes, control characters, the ends of pairs.
HOSTILE = [
    "",
    'say "no" \\ / \\u0041 </script>',
    "line\nbreak\r\n\ttab\x00nul\x07bell\x1b[31mred\x7f\x85\u2028",
    "日本語 ö 𝔘 \U0010ffff e\u0301 \u202eright to left",
    "half \ud800 pair \udfff",
    "x" * 5000,
]

CLOCKS = [1e9, 2.0e9, 2.15e9, 1.7e9, 3.3e8 + 1 / 3, 999999937.0]


@dataclass(frozen=True)
class Shown:
    """A slice as a trace shows it; times in nanoseconds."""

    track: tuple[str, ...]
    name: str
    category: str
    start: int
    end: int
    notes: tuple[tuple[str, Any], ...]


def nanosecond(recording: Recording, cycle: int) -> int:
    """The definition: rounded down."""
    return int(Fraction(cycle) * 10**9 / Fraction(recording.clock_hz))


def encodable(text: str) -> str:
    """The text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def inside(first: int, behind: int, window: tuple[int, int] | None) -> bool:
    """Whether an interval has a cycle in the window."""
    return window is None or (first < window[1] and max(behind, first + 1) > window[0])


def expected(
    recording: Recording, window: tuple[int, int] | None = None, level: str = "instruction"
) -> list[Shown]:
    """All slices of the trace."""
    found = []
    rows = zip(
        *(getattr(recording.slices, n).tolist() for n in Slices.__annotations__), strict=True
    )
    for track, word, begin, end, complete, stall, stalled in rows:
        place = (*recording.tracks[track].path, recording.tracks[track].name)
        path = tuple(map(encodable, place))
        info = recording.words[word]
        start, stop = nanosecond(recording, begin), nanosecond(recording, end)
        if inside(begin, end, window):
            notes = {
                "address": encodable(info.address),
                "assembly": encodable(info.text),
                "source": encodable(info.source),
                "bytes": info.moved,
                "begin_cycle": begin,
                "end_cycle": end,
                "complete_cycle": complete,
                "stalled_cycles": stalled,
            }
            if stalled:
                notes["stall"] = encodable(recording.stalls[stall])
            name = encodable(info.mnemonic)
            found.append(Shown(path, name, level, start, stop, tuple(sorted(notes.items()))))
        if stalled and inside(begin - stalled, begin, window):
            first = begin - stalled
            notes = {
                "address": encodable(info.address), "begin_cycle": first, "end_cycle": begin,
            }  # fmt: skip
            name = f"wait {encodable(recording.stalls[stall])}".strip()
            wait = nanosecond(recording, first)
            found.append(Shown(path, name, "wait", wait, start, tuple(sorted(notes.items()))))
    return found


def in_order(found: list[Shown]) -> list[Shown]:
    """Slices in an order that does not depend on the trace."""
    return sorted(found, key=repr)


def flows_of(recording: Recording, window: tuple[int, int] | None = None) -> list[tuple[int, int]]:
    """Begins of the slices that flows join, as cycles."""
    if recording.flows is None:
        return []
    begin, end = recording.slices.begin.tolist(), recording.slices.end.tolist()
    pairs = zip(recording.flows.poster.tolist(), recording.flows.waiter.tolist(), strict=True)
    return sorted(
        (begin[p], begin[w])
        for p, w in pairs
        if inside(begin[p], end[p], window) and inside(begin[w], end[w], window)
    )


def sample(seed: int, hostile: bool = False, count: int = 60) -> Recording:
    """A recording with all that may happen: slices within others, empty ones, waits, flows."""
    rng = random.Random(seed)
    texts = HOSTILE if hostile else [f"text {i}" for i in range(6)]
    tracks = [
        Track((), texts[1]), Track(("chip 0",), "NET0"),
        Track(("chip 0", "cluster 1", "tile 3"), "LD0"), Track(("chip 0", "cluster 1", "tile 3"), "TTU"),
        Track(("chip 0", "cluster 1"), "BC"), Track(("chip 1", texts[3]), texts[2]),
    ]  # fmt: skip
    words = [
        WordInfo(f"main:{i}" if i else texts[4], f"op{i}" if i % 2 else texts[i % 6], rng.choice(texts),
                 rng.choice(texts), rng.choice([0, 1, 127, 128, 1 << 40]))
        for i in range(12)
    ]  # fmt: skip
    rows: list[tuple[int, ...]] = []
    for track in range(len(tracks)):
        _fill_track(rng, track, count, rows, len(words))
    rng.shuffle(rows)
    slices = Slices(*(np.array(column, np.int64) for column in zip(*rows, strict=True)))
    posters, waiters = _joins(rng, slices, 2 * count)
    last = int(slices.end.max())
    counters = [
        _counter(rng, ("chip 0", "cluster 1", "tile 3"), "tsram", "bytes", last, (0, 1 << 22)),
        _counter(rng, ("chip 0",), texts[5], texts[1], last, (-(1 << 62), 1 << 62)),
        _counter(rng, (), "sem full", "count", last, (-1, 3)),
        CounterTrack((), "never set", "", np.zeros(0, np.int64), np.zeros(0, np.int64)),
    ]
    return Recording(
        texts[2], rng.choice(CLOCKS), last, tracks, words, ["", "full (LD0)", texts[2]], slices,
        counters, Flows(posters, waiters), {"program": texts[3], "runs": [1, 2]},
    )  # fmt: skip


def _fill_track(
    rng: random.Random, track: int, count: int, rows: list[tuple[int, ...]], words: int
) -> None:
    time = 0
    for _ in range(count):
        stalled = rng.choice([0, 0, 1, 3, 250])
        time += stalled + rng.choice([0, 0, 1, 70])
        length = rng.choice([0, 1, 1, 2, 5, 300])
        stall = rng.randrange(1, 3) if stalled else rng.choice([0, 1])
        word = rng.randrange(words)
        complete = time + length + rng.choice([0, 40])
        rows.append((track, word, time, time + length, complete, stall, stalled))
        if track == 4:
            # A region with parts, which may begin and end with it.
            inner = time
            while inner < time + length:
                behind = rng.randint(inner + 1, time + length)
                rows.append((track, rng.randrange(words), inner, behind, behind, 0, 0))
                inner = behind
        time += length


def _joins(rng: random.Random, slices: Slices, count: int) -> tuple[Any, Any]:
    """Flows to later slices; some slices have many."""
    ends = slices.complete.tolist()
    begins = slices.begin.tolist()
    found = []
    for _ in range(count):
        poster = rng.choice([0, 1, rng.randrange(len(slices))])
        later = [i for i, begin in enumerate(begins) if begin > ends[poster]]
        if later:
            found.append((poster, rng.choice([later[0], rng.choice(later)])))
    posters, waiters = zip(*found, strict=True)
    return np.array(posters, np.int64), np.array(waiters, np.int64)


def _counter(
    rng: random.Random,
    path: tuple[str, ...],
    name: str,
    unit: str,
    last: int,
    span: tuple[int, int],
) -> CounterTrack:
    times = sorted(rng.randrange(last) for _ in range(40))
    levels = [rng.randint(*span) for _ in times]
    return CounterTrack(path, name, unit, np.array(times, np.int64), np.array(levels, np.int64))


def empty(recording: Recording) -> Recording:
    """The recording without anything that happened."""
    nothing = np.zeros(0, np.int64)
    return replace(
        recording, slices=Slices(*[nothing] * 7), counters=[], flows=None, words=[], stalls=[""]
    )
