"""Traces for Perfetto: every packet is what the recording says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maiacc_sim.recording import CounterTrack, Flows, Recording, Slices, Track
from maiacc_sim.trace import perfetto, perfetto_flows, perfetto_slices
from maiacc_sim.trace.write import write_trace
from sim.perfetto_reader import Read, read
from sim.trace_samples import empty, encodable, expected, flows_of, in_order, nanosecond, sample


def written(recording: Recording, folder: Path, window: tuple[int, int] | None = None) -> Read:
    """The trace of a recording, read again."""
    path = folder / "t.pftrace"
    write_trace(recording, str(path), window)
    return read(path)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("hostile", [False, True])
def test_slices_and_flows_are_those_of_the_recording(
    tmp_path: Path, seed: int, hostile: bool
) -> None:
    recording = sample(seed, hostile)
    found = written(recording, tmp_path)
    assert in_order(found.slices) == in_order(expected(recording))
    assert sorted(found.flows) == flows_of(recording)
    assert found.flows


@pytest.mark.parametrize("seed", range(3))
def test_counters_have_their_values_units_and_places(tmp_path: Path, seed: int) -> None:
    recording = sample(seed, hostile=seed == 2)
    found = written(recording, tmp_path)
    tracks = {uuid: t for uuid, t in found.tracks.items() if t.HasField("counter")}
    assert len(tracks) == len(recording.counters)
    for (uuid, descriptor), counter in zip(tracks.items(), recording.counters, strict=True):
        place = (*counter.path, counter.name)
        assert found.paths[uuid] == tuple(map(encodable, place))
        unit = descriptor.counter.unit
        kind = type(descriptor.counter).Unit.Name(unit)
        known = {"bytes": "UNIT_SIZE_BYTES", "count": "UNIT_COUNT"}
        assert kind == known.get(counter.unit, "UNIT_UNSPECIFIED")
        assert counter.unit in known or descriptor.counter.unit_name == encodable(counter.unit)
        times = [nanosecond(recording, cycle) for cycle in counter.times.tolist()]
        assert found.counters[uuid] == list(zip(times, counter.values.tolist(), strict=True))


def test_tracks_stand_under_their_instances_in_the_order_given(tmp_path: Path) -> None:
    recording = sample(1)
    found = written(recording, tmp_path)
    queues = [
        uuid for uuid, p in found.paths.items() if any(s.track == p for s in expected(recording))
    ]
    assert [found.paths[uuid] for uuid in queues] == [(*t.path, t.name) for t in recording.tracks]
    for uuid, descriptor in found.tracks.items():
        children = [t for t in found.tracks.values() if t.parent_uuid == uuid]
        assert [t.sibling_order_rank for t in children] == sorted(t.uuid for t in children)
        assert bool(children) == (descriptor.child_ordering == descriptor.EXPLICIT)
        assert descriptor.sibling_merge_behavior == descriptor.SIBLING_MERGE_BEHAVIOR_NONE
    root = found.tracks[min(found.tracks)]
    assert root.name == recording.title
    for line in (
        f"cycles: {recording.cycles}",
        "level: instruction",
        "program: text 3",
        "runs: [1, 2]",
    ):
        assert line in root.description.split("\n")
    assert len({found.paths[uuid] for uuid in found.tracks}) == len(found.tracks)


def test_tracks_of_one_name_stay_apart(tmp_path: Path) -> None:
    recording = sample(1)
    twins = [Track(("chip 0",), "NET0")] * len(recording.tracks)
    found = written(replace(recording, tracks=twins), tmp_path)
    names = [t.name for t in found.tracks.values() if not t.HasField("counter")]
    assert names == [recording.title, "chip 0", *["NET0"] * len(twins), "cluster 1", "tile 3"]


def test_slices_nest_as_their_cycles_do(tmp_path: Path) -> None:
    # At 1 GHz a cycle is a nanosecond, so nothing but the order of the packets is at work.
    recording = replace(sample(3), clock_hz=1e9)
    found = written(recording, tmp_path)
    region = (*recording.tracks[4].path, recording.tracks[4].name)
    inner = recording.slices.track == 4
    spans = list(
        zip(
            recording.slices.begin[inner].tolist(),
            recording.slices.end[inner].tolist(),
            strict=True,
        )
    )
    around: Counter[tuple[int, int, int]] = Counter()
    for begin, end in spans:
        wider = [s for s in spans if s[0] <= begin and s[1] >= end and s != (begin, end)]
        if begin < end and spans.count((begin, end)) == 1:
            around[begin, end, len([s for s in wider if s[0] < s[1]])] += 1
    depths: Counter[tuple[int, int, int]] = Counter(
        (s.start, s.end, depth)
        for s, depth in zip(found.slices, found.depths, strict=True)
        if s.track == region
        and s.category != "wait"
        and spans.count((s.start, s.end)) == 1
        and s.start < s.end
    )
    assert depths == around
    assert max(depth for _, _, depth in depths) == 1


@pytest.mark.parametrize("chunk", [1, 7])
def test_chunks_make_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    recording = sample(4)
    write_trace(recording, str(tmp_path / "one.pftrace"))
    monkeypatch.setattr(perfetto_slices, "CHUNK", chunk)
    monkeypatch.setattr(perfetto_flows, "STEP", chunk)
    monkeypatch.setattr(perfetto, "VALUES", chunk)
    write_trace(recording, str(tmp_path / "many.pftrace"))
    assert (tmp_path / "one.pftrace").read_bytes() == (tmp_path / "many.pftrace").read_bytes()


def test_texts_are_spread_over_packets_of_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perfetto, "TEXTS", 100)
    recording = sample(5, hostile=True)
    assert in_order(written(recording, tmp_path).slices) == in_order(expected(recording))


@pytest.mark.parametrize("seed", range(4))
def test_a_window_keeps_what_overlaps_it(tmp_path: Path, seed: int) -> None:
    recording = sample(seed)
    last = recording.cycles
    for window in ((last // 3, last // 2), (last // 3, last // 3 + 1), (0, 1), (last, last + 9)):
        found = written(recording, tmp_path, window)
        assert in_order(found.slices) == in_order(expected(recording, window))
        assert sorted(found.flows) == flows_of(recording, window)
        for uuid, counter in zip(
            [u for u, t in found.tracks.items() if t.HasField("counter")],
            recording.counters,
            strict=True,
        ):
            pairs = list(zip(counter.times.tolist(), counter.values.tolist(), strict=True))
            before = [(window[0], value) for time, value in pairs if time <= window[0]]
            exact = [p for p in pairs if window[0] <= p[0] < window[1]]
            wanted = exact if exact and exact[0][0] == window[0] else before[-1:] + exact
            times = [(nanosecond(recording, time), value) for time, value in wanted]
            assert found.counters.get(uuid, []) == times


def test_nothing_happened(tmp_path: Path) -> None:
    recording = empty(sample(0))
    found = written(recording, tmp_path)
    assert not found.slices
    assert len(found.tracks) == len({t.path[:i] for t in recording.tracks for i in range(4)}) + len(
        recording.tracks
    )
    bare = replace(recording, tracks=[], title="", meta={}, stalls=[])
    assert [t.name for t in written(bare, tmp_path).tracks.values()] == ["maiacc"]
    for window in ((5, 5), (9, 3)):
        gone = written(sample(0), tmp_path, window)
        assert not gone.slices
        assert not gone.counters


def test_numbers_as_large_as_they_get(tmp_path: Path) -> None:
    recording = replace(sample(0), clock_hz=3e9)
    one = [np.array([v], np.int64) for v in (0, 0, 2**53 - 2, 2**53 - 1, 2**61, 1, 2**53 - 3)]
    times = np.array([0, 2**53], np.int64)
    values = np.array([-(2**63), 2**63 - 1], np.int64)
    counters = [CounterTrack((), "c", "bytes", times, values)]
    recording = replace(recording, slices=Slices(*one), counters=counters, flows=None)
    found = written(recording, tmp_path)
    assert in_order(found.slices) == in_order(expected(recording))
    assert [v for points in found.counters.values() for _, v in points] == values.tolist()


def test_many_flows_at_one_slice_and_more_than_65536_tracks(tmp_path: Path) -> None:
    recording = sample(2)
    slices = recording.slices
    first, last = int(slices.begin.argmin()), int(slices.begin.argmax())
    flows = Flows(np.full(3000, first), np.full(3000, last))
    recording = replace(recording, flows=flows)
    found = written(recording, tmp_path)
    assert found.flows == flows_of(recording)
    assert len(found.flows) == 3000
    tracks = [Track((), str(i)) for i in range(70_000)]
    far = replace(slices, track=slices.track // 2 + slices.track % 2 * 65_536)
    recording = replace(recording, tracks=tracks, slices=far)
    assert in_order(written(recording, tmp_path).slices) == in_order(expected(recording))
