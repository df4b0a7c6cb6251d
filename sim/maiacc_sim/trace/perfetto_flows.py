"""The flows of a ``.pftrace``: for each slice, those that leave it and those that reach it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_sim.recording import Flows, Ints, Slices
from maiacc_sim.trace import schema, wire
from maiacc_sim.trace.selection import Window, overlaps

#: A flow's number is 64 bits wide; the tags of both ends have the same size.
_TAGS = np.frombuffer(
    wire.tag(schema.TRACK_EVENT_FLOW_IDS, wire.FIXED64)
    + wire.tag(schema.TRACK_EVENT_TERMINATING_FLOW_IDS, wire.FIXED64),
    np.uint8,
).reshape(2, -1)

SIZE = _TAGS.shape[1] + 8

#: Flows at a time while the ends are gathered.
STEP = 1 << 20


@dataclass(frozen=True)
class Ends:
    """The ends of flows at some slices: how many each slice has, and for each end its slice, its
    number within the slice, and the field."""

    counts: Ints
    slices: Ints
    turns: Ints
    fields: wire.Bytes


class FlowEnds:
    """Both ends of all flows, by the order in which slices are written.

    An end is a key of 64 bits: the slice's place in that order, the flow's number, and 1 where
    it arrives. Keys are sorted in place, because ten million flows are a lot of memory.
    """

    def __init__(
        self, flows: Flows | None, slices: Slices, order: NDArray[Any], window: Window
    ) -> None:
        poster = flows.poster if flows is not None else np.zeros(0, np.int64)
        waiter = flows.waiter if flows is not None else poster
        if window is not None:
            both = [overlaps(slices.begin[s], slices.end[s], window) for s in (poster, waiter)]
            poster, waiter = poster[both[0] & both[1]], waiter[both[0] & both[1]]
        self._keys = np.empty(2 * len(poster), np.uint64)
        if not len(poster):
            return
        place = np.zeros(len(slices), order.dtype)
        place[order] = np.arange(len(order), dtype=order.dtype)
        for start in range(0, len(poster), STEP):
            behind = min(start + STEP, len(poster))
            number = np.arange(start, behind, dtype=np.uint64) << np.uint64(1)
            for arrives, ends in ((0, poster), (1, waiter)):
                key = place[ends[start:behind]].astype(np.uint64) << np.uint64(32)
                key |= number | np.uint64(arrives)
                first = arrives * len(poster)
                self._keys[first + start : first + behind] = key
        self._keys.sort()

    def __len__(self) -> int:
        return len(self._keys)

    def among(self, start: int, count: int) -> Ends:
        """The ends at ``count`` slices from the one at place ``start``."""
        limits = np.array([start << 32, (start + count) << 32], np.uint64)
        first, behind = np.searchsorted(self._keys, limits)
        keys = self._keys[first:behind]
        slices = (keys >> np.uint64(32)).astype(np.int64) - start
        counts = np.bincount(slices, minlength=count)
        turns = np.arange(len(keys)) - (np.cumsum(counts) - counts)[slices]
        fields = np.empty((len(keys), SIZE), np.uint8)
        fields[:, :-8] = _TAGS[(keys & np.uint64(1)).astype(np.intp)]
        numbers = ((keys & np.uint64(0xFFFFFFFF)) >> np.uint64(1)) + np.uint64(1)
        fields[:, -8:] = numbers.astype("<u8").view(np.uint8).reshape(-1, 8)
        return Ends(counts, slices, turns, fields)
