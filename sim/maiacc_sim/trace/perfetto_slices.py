"""The slices of a ``.pftrace``: packets made by numpy, many at a time.

A slice is up to five pieces, one behind the other, each a record of fixed size: the wait in front
of it (a slice of its own, begin and end), its begin, the reason why it waited, a field for each
flow, and its end. What is the same for all executions of a word is encoded once, and copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_sim.recording import Ints, Recording
from maiacc_sim.trace import perfetto_flows, selection, wire
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.perfetto_flows import FlowEnds
from maiacc_sim.trace.perfetto_names import Names
from maiacc_sim.trace.perfetto_records import Shapes
from maiacc_sim.trace.selection import Window
from maiacc_sim.trace.wire import EVERY, Bytes

#: Slices at a time: few enough for a chunk's arrays to stay in the cache.
CHUNK = 1 << 14


class SliceWriter:
    """Encodes the slices of a recording. ``tracks`` are the numbers of their tracks."""

    def __init__(
        self, recording: Recording, clock: Clock, window: Window, names: Names, tracks: Ints
    ) -> None:
        self._slices, self._window = recording.slices, window
        self._clock, self._names, self._tracks = clock, names, tracks
        self._order = selection.by_track(recording.slices, window)
        self._flows = FlowEnds(recording.flows, recording.slices, self._order, window)
        self._shapes = Shapes(recording, clock, names, tracks, len(self._flows) > 0)
        self._words = self._shapes.words.view(f"V{self._shapes.words.shape[1]}").reshape(-1)

    def chunks(self) -> Iterator[Bytes]:
        """The packets, some thousand slices at a time."""
        for start in range(0, len(self._order), CHUNK):
            yield self._chunk(start, self._order[start : start + CHUNK])

    def _chunk(self, start: int, positions: NDArray[Any]) -> Bytes:
        shown = selection.at(self._slices, positions, self._window)
        wait, begin, reason, end = (
            s.size for s in (self._shapes.wait, self._shapes.begin.record,
                             self._shapes.reason, self._shapes.end)
        )  # fmt: skip
        whys = shown.words & (shown.stalled > 0)
        more = whys * reason
        flows = self._flows.among(start, len(shown)) if len(self._flows) else None
        if flows is not None:
            more += flows.counts * perfetto_flows.SIZE
        # Where each piece of each slice goes.
        lengths = shown.waits * wait + shown.words * (begin + end) + more
        waits = np.cumsum(lengths) - lengths
        begins = waits + shown.waits * wait
        behind = begins + begin
        buffer = np.empty(int(lengths.sum()), np.uint8)
        columns = self._columns(shown, more)
        for where, record, mask in (
            (waits, self._shapes.wait, shown.waits),
            (begins, self._shapes.begin.record, shown.words),
            (behind, self._shapes.reason, whys),
            (behind + more, self._shapes.end, shown.words),
        ):
            pick = EVERY if mask.all() else np.flatnonzero(mask)
            wire.place(buffer, where[pick], record.fill(columns, pick))
        if flows is not None:
            fields = (behind + whys * reason)[flows.slices] + flows.turns * perfetto_flows.SIZE
            wire.place(buffer, fields, flows.fields)
        return buffer

    def _columns(self, shown: selection.Slice, more: Ints) -> dict[str, NDArray[Any]]:
        """What differs from slice to slice, by the names used in the records."""
        from_cycle = shown.begin - shown.stalled
        return {
            "track": self._tracks[shown.track],
            "word": self._words[shown.word].view(np.uint8).reshape(len(shown), -1),
            "address": self._names.address[shown.word],
            "wait": self._names.waits[shown.stall],
            "reason": self._names.stalls[shown.stall],
            "from_cycle": from_cycle,
            "begin_cycle": shown.begin,
            "end_cycle": shown.end,
            "complete_cycle": shown.complete,
            "stalled": shown.stalled,
            "from": self._clock.ns(from_cycle),
            "begin": self._clock.ns(shown.begin),
            "end": self._clock.ns(shown.end),
            "packet": more + self._shapes.begin.packet,
            "event": more + self._shapes.begin.event,
        }
