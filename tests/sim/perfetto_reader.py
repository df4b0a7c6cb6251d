"""Reads a .pftrace with Perfetto's own classes, as its trace processor would.

Packets are sorted by time, keeping the order of the file; an end closes the innermost slice that is
open on its track.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as pb

from sim.trace_samples import Shown


@dataclass
class Read:
    """What a trace holds: descriptors by number, full names of tracks, slices with how many are
    around each, flows as pairs of begins in cycles, values of counters by number of the track."""

    tracks: dict[int, Any] = field(default_factory=dict)
    paths: dict[int, tuple[str, ...]] = field(default_factory=dict)
    slices: list[Shown] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    flows: list[tuple[int, int]] = field(default_factory=list)
    counters: dict[int, list[tuple[int, int]]] = field(default_factory=lambda: defaultdict(list))


def read(path: Path) -> Read:
    """Reads a trace, and holds it to the rules of the format."""
    trace = pb.Trace()
    trace.ParseFromString(path.read_bytes())
    size = trace.ByteSize()
    trace.DiscardUnknownFields()
    assert trace.ByteSize() == size, "fields that the schema does not have"
    found, texts, events = Read(), _Texts(), []
    assert trace.packet[0].first_packet_on_sequence
    for number, packet in enumerate(trace.packet):
        assert packet.trusted_packet_sequence_id == trace.packet[0].trusted_packet_sequence_id
        cleared = packet.sequence_flags & pb.TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
        assert bool(cleared) == (number == 0)
        texts.add(packet.interned_data)
        if packet.HasField("track_descriptor"):
            descriptor = packet.track_descriptor
            assert descriptor.uuid not in found.tracks
            above = found.paths.get(descriptor.parent_uuid)
            assert (above is None) == (not found.tracks), "only the first track has no parent"
            found.tracks[descriptor.uuid] = descriptor
            found.paths[descriptor.uuid] = () if above is None else (*above, descriptor.name)
        if packet.HasField("track_event"):
            assert packet.track_event.track_uuid in found.tracks
            events.append(packet)
    events.sort(key=lambda packet: int(packet.timestamp))
    _play(events, texts, found)
    return found


class _Texts:
    """Texts by number."""

    def __init__(self) -> None:
        self.categories: dict[int, str] = {}
        self.events: dict[int, str] = {}
        self.names: dict[int, str] = {}
        self.strings: dict[int, str] = {}

    def add(self, data: Any) -> None:
        for known, fields in (
            (self.categories, data.event_categories),
            (self.events, data.event_names),
            (self.names, data.debug_annotation_names),
        ):
            known.update({entry.iid: entry.name for entry in fields})
        strings = data.debug_annotation_string_values
        self.strings.update({entry.iid: entry.str.decode("utf-8") for entry in strings})

    def notes(self, event: Any) -> dict[str, Any]:
        """The annotations of an event."""
        found: dict[str, Any] = {}
        for note in event.debug_annotations:
            name = self.names[note.name_iid]
            assert name not in found
            kind = note.WhichOneof("value")
            assert kind in ("uint_value", "string_value_iid")
            found[name] = (
                note.uint_value if kind == "uint_value" else self.strings[note.string_value_iid]
            )
        return found


def _play(events: list[Any], texts: _Texts, found: Read) -> None:
    stacks: dict[int, list[Any]] = defaultdict(list)
    posted: dict[int, int] = {}
    for packet in events:
        event = packet.track_event
        stack = stacks[event.track_uuid]
        if event.type == pb.TrackEvent.TYPE_COUNTER:
            assert found.tracks[event.track_uuid].HasField("counter")
            found.counters[event.track_uuid].append((packet.timestamp, event.counter_value))
        elif event.type == pb.TrackEvent.TYPE_SLICE_BEGIN:
            assert packet.sequence_flags == pb.TracePacket.SEQ_NEEDS_INCREMENTAL_STATE
            notes = texts.notes(event)
            for flow in event.flow_ids:
                assert flow not in posted
                posted[flow] = notes["begin_cycle"]
            for flow in event.terminating_flow_ids:
                found.flows.append((posted[flow], notes["begin_cycle"]))
            stack.append((packet.timestamp, event, notes))
        else:
            assert event.type == pb.TrackEvent.TYPE_SLICE_END
            start, begun, notes = stack.pop()
            (category,) = begun.category_iids
            found.depths.append(len(stack))
            found.slices.append(
                Shown(
                    found.paths[event.track_uuid],
                    texts.events[begun.name_iid],
                    texts.categories[category],
                    start,
                    packet.timestamp,
                    tuple(sorted(notes.items())),
                )
            )
    assert not any(stacks.values()), "slices without an end"
    assert len(posted) == len(found.flows), "flows without an end"
