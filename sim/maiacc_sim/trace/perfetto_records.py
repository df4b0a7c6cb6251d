"""The pieces of the slices of a ``.pftrace``, as records with columns."""

from __future__ import annotations

import numpy as np

from maiacc_sim.recording import Ints, Recording
from maiacc_sim.trace import labels, schema, wire
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.perfetto_names import Names
from maiacc_sim.trace.wire import Bytes, Column, Part, Record

#: Everything in the file is one sequence of packets, this one.
SEQUENCE = wire.number(schema.TRACE_PACKET_TRUSTED_PACKET_SEQUENCE_ID, 1)

#: Says that a packet uses texts by number.
STATE = wire.number(schema.TRACE_PACKET_SEQUENCE_FLAGS, schema.SEQ_NEEDS_INCREMENTAL_STATE)

#: Bytes of the length of a packet with flows: enough for 26 million of them.
LONG = 4


class Begin:
    """The begin of a slice, and the lengths of its packet and its event where nothing follows
    that belongs to them. Columns ``packet`` and ``event`` are the lengths."""

    def __init__(self, width: int, head: tuple[Part, ...], event: tuple[Part, ...]) -> None:
        field = wire.tag(schema.TRACE_PACKET_TRACK_EVENT, wire.LENGTH)
        self.event = wire.size(event)
        self.packet = wire.size(head) + len(field) + width + self.event
        self.record = Record(
            wire.tag(schema.TRACE_PACKET, wire.LENGTH),
            Column("packet", width),
            *head,
            field,
            Column("event", width),
            *event,
        )


class Shapes:
    """The records of a recording: numbers have the width of the largest in their column.

    ``wait`` is the slice in front of a slice, ``begin`` the begin of a slice, ``reason`` what
    follows where it waited, ``end`` its end. ``words`` is, for each word, the part of ``begin``
    that all of its executions share.
    """

    def __init__(
        self, recording: Recording, clock: Clock, names: Names, tracks: Ints, flows: bool
    ) -> None:
        slices = recording.slices
        last = int(slices.end.max(initial=0))
        self._time = wire.width(int(clock.ns(np.array([last]))[0]))
        self._track = _width(tracks)
        cycle = wire.width(last)
        self.wait = Record(
            *self._packet(
                "from",
                STATE,
                schema.TYPE_SLICE_BEGIN,
                wire.number(schema.TRACK_EVENT_CATEGORY_IIDS, names.wait),
                *names.event("wait"),
                *names.text(labels.ADDRESS, "address"),
                *names.number(labels.BEGIN, "from_cycle", cycle),
                *names.number(labels.END, "begin_cycle", cycle),
            ),
            *self._packet("begin", b"", schema.TYPE_SLICE_END),
        )
        word = Record(
            *names.event("mnemonic"),
            *names.text(labels.ADDRESS, "address"),
            *names.text(labels.ASSEMBLY, "assembly"),
            *names.text(labels.SOURCE, "source"),
            *names.number(labels.BYTES, "moved", _width(names.moved)),
        )
        self.words: Bytes = word.fill(vars(names))
        event = (
            *self._event(schema.TYPE_SLICE_BEGIN),
            wire.number(schema.TRACK_EVENT_CATEGORY_IIDS, names.level),
            Column("word", word.size, raw=True),
            *names.number(labels.BEGIN, "begin_cycle", cycle),
            *names.number(labels.END, "end_cycle", cycle),
            *names.number(labels.COMPLETE, "complete_cycle", _width(slices.complete)),
            *names.number(labels.STALLED, "stalled", _width(slices.stalled)),
        )
        head = (*self._time_of("begin"), SEQUENCE, STATE)
        self.reason = Record(*names.text(labels.STALL, "reason"))
        most = wire.size(head) + wire.size(event) + self.reason.size + 2 * LONG
        self.begin = Begin(LONG if flows else wire.width(most), head, event)
        self.end = Record(*self._packet("end", b"", schema.TYPE_SLICE_END))

    def _packet(self, time: str, state: bytes, kind: int, *fields: Part) -> tuple[Part, ...]:
        event = wire.message(schema.TRACE_PACKET_TRACK_EVENT, *self._event(kind), *fields)
        return wire.message(schema.TRACE_PACKET, *self._time_of(time), SEQUENCE, state, *event)

    def _time_of(self, column: str) -> tuple[Part, ...]:
        return wire.tag(schema.TRACE_PACKET_TIMESTAMP), Column(column, self._time)

    def _event(self, kind: int) -> tuple[Part, ...]:
        return (
            wire.number(schema.TRACK_EVENT_TYPE, kind),
            wire.tag(schema.TRACK_EVENT_TRACK_UUID),
            Column("track", self._track),
        )


def _width(column: Ints) -> int:
    return wire.width(int(column.max(initial=0)))
