"""What of a recording a trace shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.errors import InternalError
from maiacc_sim.recording import CounterTrack, Ints, Recording, Slices
from maiacc_sim.trace.clock import Clock

Mask: TypeAlias = NDArray[np.bool_]

#: From a cycle to the one behind the last; None for all of the recording.
Window: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True)
class Slice:
    """Slices of a recording at some positions: columns, and which of the two parts to show.

    ``words`` says where the word itself is shown, ``waits`` where the wait in front of it is:
    both are slices of their own, and a window may hold one of them only.
    """

    track: Ints
    word: Ints
    begin: Ints
    end: Ints
    complete: Ints
    stall: Ints
    stalled: Ints
    words: Mask
    waits: Mask

    def __len__(self) -> int:
        return len(self.track)


def at(slices: Slices, positions: NDArray[Any], window: Window) -> Slice:
    """The slices at these positions."""
    begin, end, stalled = (a[positions] for a in (slices.begin, slices.end, slices.stalled))
    waits = stalled > 0
    if window is not None:
        waits &= overlaps(begin - stalled, begin, window)
    return Slice(
        slices.track[positions],
        slices.word[positions],
        begin,
        end,
        slices.complete[positions],
        slices.stall[positions],
        stalled,
        overlaps(begin, end, window),
        waits,
    )


def overlaps(begin: Ints, end: Ints, window: Window) -> Mask:
    """Whether intervals have a cycle in the window; an empty one counts as its first cycle."""
    if window is None:
        return np.ones(len(begin), np.bool_)
    if window[0] >= window[1]:
        return np.zeros(len(begin), np.bool_)
    return (begin < window[1]) & (np.maximum(end, begin + 1) > window[0])


def by_track(slices: Slices, window: Window) -> NDArray[Any]:
    """The positions of the slices to show, by track, begin, and the longer one first.

    So an interval stands in front of those inside it, which is the order in which viewers nest
    intervals that begin at once. Only empty ones stand before: the next word of the queue may
    begin in the same cycle. Of equal ones, that which waited stands around the others.
    """
    # Numbers of 16 bits are sorted by counting. Tracks that agree in those stand together then,
    # which does no harm: it is within each track that the order matters.
    track = slices.track.astype(np.uint16)
    order = np.argsort(track, kind="stable").astype(_index_type(len(slices)))
    if window is not None:
        shown = overlaps(slices.begin, slices.end, window)
        shown |= (slices.stalled > 0) & overlaps(
            slices.begin - slices.stalled, slices.begin, window
        )
        order = order[shown[order]]
    edges = np.flatnonzero(np.diff(track[order])) + 1
    starts = [0, *edges.tolist(), len(order)]
    for first, behind in pairwise(starts):
        mine = order[first:behind]
        begin = slices.begin[mine]
        if not (begin[1:] > begin[:-1]).all():
            end, waited = slices.end[mine], slices.stalled[mine] > 0
            order[first:behind] = mine[np.lexsort((~waited, -end, end > begin, begin))]
    return order


def by_begin(slices: Slices, window: Window) -> NDArray[Any]:
    """The positions of the slices whose words are shown, by begin and track."""
    order = np.lexsort((slices.track, slices.begin)).astype(_index_type(len(slices)))
    if window is not None:
        order = order[overlaps(slices.begin, slices.end, window)[order]]
    return order


def values(counter: CounterTrack, window: Window) -> tuple[Ints, Ints]:
    """The times and values of a counter within the window; the first is the one in force."""
    if window is None:
        return counter.times, counter.values
    begin, end = window
    if begin >= end:
        return counter.times[:0], counter.values[:0]
    first, behind = np.searchsorted(counter.times, (begin, end), "left")
    before = np.searchsorted(counter.times, begin, "right") - 1
    if first and before < first:
        times = np.concatenate([np.array([begin], np.int64), counter.times[first:behind]])
        return times, counter.values[first - 1 : behind]
    return counter.times[first:behind], counter.values[first:behind]


def check(recording: Recording, clock: Clock) -> None:
    """Holds the recording to what its classes say. Raises ``InternalError``."""
    slices = recording.slices
    columns = [getattr(slices, name) for name in Slices.__annotations__]
    if len({len(column) for column in columns}) > 1:
        raise InternalError("E0001", "columns of a recording differ in length")
    for name, limit in (("track", len(recording.tracks)), ("word", len(recording.words)),
                        ("stall", len(recording.stalls)), ("stalled", clock.last + 1),
                        ("end", clock.last + 1), ("complete", 1 << 62)):  # fmt: skip
        _within(name, getattr(slices, name), limit)
    if len(slices) and ((slices.begin < slices.stalled) | (slices.end < slices.begin)).any():
        raise InternalError("E0001", "a slice of a recording begins too early or ends too soon")
    for counter in recording.counters:
        _within("times", counter.times, clock.last + 1)
        if len(counter.times) != len(counter.values) or (np.diff(counter.times) < 0).any():
            raise InternalError("E0001", f"counter {counter.name} of a recording is no sequence")
    if recording.flows is not None:
        _within("poster", recording.flows.poster, len(slices))
        _within("waiter", recording.flows.waiter, len(slices))
        if len(recording.flows.poster) != len(recording.flows.waiter):
            raise InternalError("E0001", "columns of a recording differ in length")


def _within(name: str, column: Ints, limit: int) -> None:
    if len(column) and not 0 <= int(column.min()) <= int(column.max()) < limit:
        raise InternalError("E0001", f"{name} of a recording leaves 0 .. {limit - 1}")


def _index_type(count: int) -> type[np.signedinteger[Any]]:
    return np.int32 if count < 1 << 31 else np.int64
