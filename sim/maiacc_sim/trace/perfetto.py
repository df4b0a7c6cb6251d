"""Traces in Perfetto's own format, ``.pftrace``: a sequence of protocol buffers.

The file is one packet sequence: all texts first, by numbers (``interned_data``), then the tracks,
then slices track by track, then counters. A slice is a packet where it begins and one where it
ends; a viewer sorts packets by time and keeps the order of the file where times are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from maiacc_sim.recording import CounterTrack, Recording
from maiacc_sim.trace import labels, schema, wire
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.perfetto_names import Names
from maiacc_sim.trace.perfetto_records import SEQUENCE, STATE
from maiacc_sim.trace.perfetto_slices import SliceWriter
from maiacc_sim.trace.selection import Window, values

#: Bytes of texts in a packet, about, and values of a counter at a time.
TEXTS, VALUES = 1 << 17, 1 << 15

#: Units that the format knows; others are given by name.
UNITS = {"bytes": schema.UNIT_SIZE_BYTES, "count": schema.UNIT_COUNT}


def write(stream: BinaryIO, recording: Recording, clock: Clock, window: Window, level: str) -> None:
    """Writes the trace."""
    tree = Tree(labels.about(recording, window, level))
    tracks = np.array([tree.add(t.path, t.name) for t in recording.tracks], np.int64)
    counters = [tree.add(c.path, c.name, c.unit) for c in recording.counters]
    names = Names(recording, level)
    # Names are complete when everything that uses them has been laid out.
    slices = SliceWriter(recording, clock, window, names, tracks)
    for packet in _texts(names):
        stream.write(packet)
    stream.write(b"".join(tree.packets()))
    for chunk in slices.chunks():
        stream.write(chunk.data)
    for uuid, counter in zip(counters, recording.counters, strict=True):
        for chunk in _counter(uuid, counter, clock, window):
            stream.write(chunk.data)


def _packet(*fields: bytes) -> bytes:
    return wire.data(schema.TRACE_PACKET, b"".join([*fields, SEQUENCE]))


def _texts(names: Names) -> Iterator[bytes]:
    """Packets with all texts; the first one starts the sequence."""
    state = wire.number(
        schema.TRACE_PACKET_SEQUENCE_FLAGS, schema.SEQ_INCREMENTAL_STATE_CLEARED
    ) + wire.number(schema.TRACE_PACKET_FIRST_PACKET_ON_SEQUENCE, 1)
    batch: list[bytes] = []
    room = TEXTS
    for entry in names.entries():
        batch.append(entry)
        room -= len(entry)
        if room < 0:
            yield _packet(state, wire.data(schema.TRACE_PACKET_INTERNED_DATA, b"".join(batch)))
            state, batch, room = STATE, [], TEXTS
    yield _packet(state, wire.data(schema.TRACE_PACKET_INTERNED_DATA, b"".join(batch)))


class Tree:
    """Tracks within tracks: the recording, its instances, and their queues and counters.

    Tracks are numbered as they are added, from the root, which is 1, and shown in that order.
    """

    def __init__(self, facts: dict[str, str]) -> None:
        description = "\n".join(f"{name}: {value}" for name, value in facts.items())
        self._fields = [
            wire.text(schema.TRACK_DESCRIPTOR_NAME, facts["title"] or "maiacc")
            + wire.text(schema.TRACK_DESCRIPTOR_DESCRIPTION, description)
        ]
        self._groups: dict[tuple[str, ...], int] = {(): 1}

    def add(self, path: tuple[str, ...], name: str, unit: str | None = None) -> int:
        """Adds a track, and those of its path that are missing; one with a unit is a counter.
        Returns the track's number."""
        parent = self._group(path)
        counter = b""
        if unit is not None:
            known = UNITS.get(unit)
            fields = (
                wire.number(schema.COUNTER_DESCRIPTOR_UNIT, known)
                if known
                else wire.text(schema.COUNTER_DESCRIPTOR_UNIT_NAME, unit)
            )
            counter = wire.data(schema.TRACK_DESCRIPTOR_COUNTER, fields)
        return self._add(parent, name, counter)

    def packets(self) -> Iterator[bytes]:
        """A packet for each track."""
        groups = set(self._groups.values())
        for uuid, fields in enumerate(self._fields, 1):
            descriptor = wire.number(schema.TRACK_DESCRIPTOR_UUID, uuid) + fields
            descriptor += wire.number(
                schema.TRACK_DESCRIPTOR_SIBLING_MERGE_BEHAVIOR, schema.SIBLING_MERGE_BEHAVIOR_NONE
            )
            if uuid in groups:
                descriptor += wire.number(schema.TRACK_DESCRIPTOR_CHILD_ORDERING, schema.EXPLICIT)
            yield _packet(wire.data(schema.TRACE_PACKET_TRACK_DESCRIPTOR, descriptor))

    def _group(self, path: tuple[str, ...]) -> int:
        if path not in self._groups:
            parent = self._group(path[:-1])
            self._groups[path] = self._add(parent, path[-1], b"")
        return self._groups[path]

    def _add(self, parent: int, name: str, more: bytes) -> int:
        uuid = len(self._fields) + 1
        self._fields.append(
            wire.text(schema.TRACK_DESCRIPTOR_NAME, name)
            + wire.number(schema.TRACK_DESCRIPTOR_PARENT_UUID, parent)
            + wire.number(schema.TRACK_DESCRIPTOR_SIBLING_ORDER_RANK, uuid)
            + more
        )
        return uuid


def _counter(
    uuid: int, counter: CounterTrack, clock: Clock, window: Window
) -> Iterator[wire.Bytes]:
    """Packets of a counter's values, in arrays."""
    times, levels = values(counter, window)
    if not len(times):
        return
    negative = int(levels.min()) < 0
    width = wire.WIDEST if negative else wire.width(int(levels.max()))
    last = int(clock.ns(times[-1:])[0])
    record = wire.Record(
        *wire.message(
            schema.TRACE_PACKET,
            wire.tag(schema.TRACE_PACKET_TIMESTAMP),
            wire.Column("time", wire.width(last)),
            SEQUENCE,
            *wire.message(
                schema.TRACE_PACKET_TRACK_EVENT,
                wire.number(schema.TRACK_EVENT_TYPE, schema.TYPE_COUNTER),
                wire.number(schema.TRACK_EVENT_TRACK_UUID, uuid),
                wire.tag(schema.TRACK_EVENT_COUNTER_VALUE),
                wire.Column("value", width),
            ),
        )
    )
    for start in range(0, len(times), VALUES):
        part = slice(start, start + VALUES)
        yield record.fill({"time": clock.ns(times[part]), "value": levels[part]})
