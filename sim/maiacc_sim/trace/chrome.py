"""Traces in the JSON of Chrome's viewer, one event a line.

A process is an instance, a thread one of its queues. Times are microseconds with three decimals,
as the format wants them: whole nanoseconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from maiacc_sim.recording import CounterTrack, Ints, Recording, WordInfo
from maiacc_sim.trace import labels
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.selection import Slice, Window, at, by_track, overlaps, values

#: Slices, flows or values at a time.
CHUNK = 1 << 14


def write(stream: BinaryIO, recording: Recording, clock: Clock, window: Window, level: str) -> None:
    """Writes the trace."""
    events = _Events(recording, clock, window, level)
    about = _json(labels.about(recording, window, level))
    stream.write(f'{{"displayTimeUnit":"ns","otherData":{about},"traceEvents":['.encode())
    separator = b"\n"
    for lines in events.all():
        if lines:
            stream.write(separator + ",\n".join(lines).encode("ascii"))
            separator = b",\n"
    stream.write(b"\n]}\n")


def _json(value: Any) -> str:
    """JSON in ASCII; halves of surrogate pairs, which some readers refuse, are escaped twice."""
    if isinstance(value, str):
        return json.dumps(labels.encodable(value))
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(k)}:{_json(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def _microseconds(ns: Ints) -> list[str]:
    return [f"{t // 1000}.{t % 1000:03d}" for t in ns.tolist()]


def _named(kind: str, place: str, name: str, rank: int) -> Iterator[str]:
    """Metadata events with the name of a process or thread and its place among the others."""
    for key, value in (("name", _json(name)), ("sort_index", str(rank))):
        yield f'{{"ph":"M",{place},"name":"{kind}_{key}","args":{{"{key}":{value}}}}}'


class _Events:
    """The events of a recording, as lines of JSON."""

    def __init__(self, recording: Recording, clock: Clock, window: Window, level: str) -> None:
        self._recording, self._clock, self._window = recording, clock, window
        paths = dict.fromkeys(
            [*(t.path for t in recording.tracks), *(c.path for c in recording.counters)]
        )
        self._processes = {path: number for number, path in enumerate(paths, 1)}
        # What the lines of a track have in common, by the number of the track.
        self._places = [
            f'"pid":{self._processes[track.path]},"tid":{number}'
            for number, track in enumerate(recording.tracks, 1)
        ]
        self._heads = [self._head(word, level) for word in recording.words]
        self._addresses = [_json(word.address) for word in recording.words]
        self._waits = [_json(labels.wait_name(stall)) for stall in recording.stalls]
        self._stalls = [f',"{labels.STALL}":{_json(stall)}' for stall in recording.stalls]

    def all(self) -> Iterator[list[str]]:
        """All events, some thousand at a time."""
        yield list(self._names())
        slices = self._recording.slices
        order = by_track(slices, self._window)
        for start in range(0, len(order), CHUNK):
            positions = order[start : start + CHUNK]
            shown = at(slices, positions, self._window)
            yield list(self._waits_before(at(slices, positions[shown.waits], None)))
            yield list(self._words(at(slices, positions[shown.words], None)))
        yield from self._flows()
        for counter in self._recording.counters:
            yield from self._counter(counter)

    @staticmethod
    def _head(word: WordInfo, level: str) -> str:
        arguments = {
            labels.ADDRESS: word.address,
            labels.ASSEMBLY: word.text,
            labels.SOURCE: word.source,
            labels.BYTES: word.moved,
        }
        return f'"cat":"{level}","name":{_json(word.mnemonic)},"args":{_json(arguments)[:-1]}'

    def _names(self) -> Iterator[str]:
        """Names of processes and threads, and their order."""
        for path, process in self._processes.items():
            name = " ".join(path) or self._recording.title or "maiacc"
            yield from _named("process", f'"pid":{process}', name, process)
        tracks = zip(self._recording.tracks, self._places, strict=True)
        for number, (track, place) in enumerate(tracks, 1):
            yield from _named("thread", place, track.name, number)

    def _words(self, shown: Slice) -> Iterator[str]:
        """Complete events: slices."""
        for track, word, begin, end, complete, stall, stalled, time, length in zip(
            *(a.tolist() for a in (shown.track, shown.word, shown.begin, shown.end)),
            *(a.tolist() for a in (shown.complete, shown.stall, shown.stalled)),
            *self._spans(shown.begin, shown.end),
            strict=True,
        ):
            why = self._stalls[stall] if stalled else ""
            yield (
                f'{{"ph":"X",{self._places[track]},"ts":{time},"dur":{length},{self._heads[word]}'
                f',"{labels.BEGIN}":{begin},"{labels.END}":{end},"{labels.COMPLETE}":{complete}'
                f',"{labels.STALLED}":{stalled}{why}}}}}'
            )

    def _waits_before(self, shown: Slice) -> Iterator[str]:
        """Complete events: the waits in front of slices."""
        begin = shown.begin - shown.stalled
        for track, word, first, behind, stall, time, length in zip(
            *(a.tolist() for a in (shown.track, shown.word, begin, shown.begin, shown.stall)),
            *self._spans(begin, shown.begin),
            strict=True,
        ):
            yield (
                f'{{"ph":"X",{self._places[track]},"ts":{time},"dur":{length},"cat":"{labels.WAIT}"'
                f',"name":{self._waits[stall]},"args":{{"{labels.ADDRESS}":{self._addresses[word]}'
                f',"{labels.BEGIN}":{first},"{labels.END}":{behind}}}}}'
            )

    def _spans(self, begin: Ints, end: Ints) -> tuple[list[str], list[str]]:
        """Times and durations."""
        first = self._clock.ns(begin)
        return _microseconds(first), _microseconds(self._clock.ns(end) - first)

    def _flows(self) -> Iterator[list[str]]:
        """Flow events, each bound to the slice that begins at its time."""
        flows, slices = self._recording.flows, self._recording.slices
        if flows is None:
            return
        for start in range(0, len(flows.poster), CHUNK):
            ends = [e[start : start + CHUNK] for e in (flows.poster, flows.waiter)]
            both = [overlaps(slices.begin[e], slices.end[e], self._window) for e in ends]
            numbers = (np.flatnonzero(both[0] & both[1]) + start + 1).tolist()
            lines: list[str] = []
            for phase, end in zip(('"s"', '"f","bp":"e"'), ends, strict=True):
                end = end[both[0] & both[1]]
                times = _microseconds(self._clock.ns(slices.begin[end]))
                lines += [
                    f'{{"ph":{phase},{self._places[track]},"ts":{time},"cat":"flow","name":"post"'
                    f',"id":{number}}}'
                    for number, track, time in zip(
                        numbers, slices.track[end].tolist(), times, strict=True
                    )
                ]
            yield lines

    def _counter(self, counter: CounterTrack) -> Iterator[list[str]]:
        """Counter events."""
        cycles, levels = values(counter, self._window)
        head = (
            f'{{"ph":"C","pid":{self._processes[counter.path]},"name":{_json(counter.name)},"ts":'
        )
        unit = _json(counter.unit or "value")
        for start in range(0, len(cycles), CHUNK):
            part = slice(start, start + CHUNK)
            times = _microseconds(self._clock.ns(cycles[part]))
            yield [
                f'{head}{time},"args":{{{unit}:{value}}}}}'
                for time, value in zip(times, levels[part].tolist(), strict=True)
            ]
