"""Traces as JSON: valid, and every event is what the recording says."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from maiacc_sim.recording import Recording, Track
from maiacc_sim.trace import chrome
from maiacc_sim.trace.write import write_trace
from sim.trace_samples import (
    Shown,
    empty,
    encodable,
    expected,
    flows_of,
    in_order,
    inside,
    nanosecond,
    sample,
)


def written(
    recording: Recording, folder: Path, window: tuple[int, int] | None = None
) -> dict[str, Any]:
    """The trace of a recording, read again; numbers with a point are decimal."""
    write_trace(recording, str(folder / "t.json"), window)
    text = (folder / "t.json").read_text("ascii")
    document = json.loads(text, parse_float=Decimal, parse_constant=pytest.fail)
    assert isinstance(document, dict)
    return document


def of(document: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    return [event for event in document["traceEvents"] if event["ph"] == phase]


def nanoseconds(time: Decimal) -> int:
    """A time of the file; all have three decimals."""
    assert time == time.quantize(Decimal("0.001"))
    return int(time * 1000)


def slices(document: dict[str, Any], recording: Recording) -> list[Shown]:
    """The complete events, with the track that each is on."""
    found = []
    for event in of(document, "X"):
        track = recording.tracks[event["tid"] - 1]
        start = nanoseconds(event["ts"])
        found.append(
            Shown(
                tuple(map(encodable, (*track.path, track.name))),
                event["name"],
                event["cat"],
                start,
                start + nanoseconds(event["dur"]),
                tuple(sorted(event["args"].items())),
            )
        )
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("hostile", [False, True])
def test_slices_are_those_of_the_recording(tmp_path: Path, seed: int, hostile: bool) -> None:
    recording = sample(seed, hostile)
    for window in (None, (recording.cycles // 3, recording.cycles // 2)):
        document = written(recording, tmp_path, window)
        assert in_order(slices(document, recording)) == in_order(expected(recording, window))


@pytest.mark.parametrize("hostile", [False, True])
def test_processes_are_instances_and_threads_their_queues(tmp_path: Path, hostile: bool) -> None:
    recording = sample(1, hostile)
    document = written(recording, tmp_path)
    names = {(e["name"], e["pid"], e.get("tid")): e["args"] for e in of(document, "M")}
    assert len(names) == len(of(document, "M"))
    threads = {tid: pid for name, pid, tid in names if name == "thread_name"}
    assert len(threads) == len(recording.tracks)
    for number, track in enumerate(recording.tracks, 1):
        process = threads[number]
        path = " ".join(track.path) or recording.title
        assert names["process_name", process, None] == {"name": encodable(path)}
        assert names["process_sort_index", process, None] == {"sort_index": process}
        assert names["thread_name", process, number] == {"name": encodable(track.name)}
        assert names["thread_sort_index", process, number] == {"sort_index": number}
    assert {e["pid"] for e in of(document, "X")} <= set(threads.values())
    assert all(threads[e["tid"]] == e["pid"] for e in of(document, "X"))


@pytest.mark.parametrize("seed", range(3))
def test_flows_join_the_begins_of_slices(tmp_path: Path, seed: int) -> None:
    recording = replace(sample(seed), clock_hz=1e9)
    for window in (None, (recording.cycles // 3, recording.cycles // 2)):
        document = written(recording, tmp_path, window)
        starts = {e["id"]: e for e in of(document, "s")}
        stops = {e["id"]: e for e in of(document, "f")}
        assert len(starts) == len(of(document, "s")) == len(of(document, "f"))
        assert starts.keys() == stops.keys()
        assert all(e["bp"] == "e" for e in stops.values())
        pairs = [(nanoseconds(starts[i]["ts"]), nanoseconds(stops[i]["ts"])) for i in starts]
        assert sorted(pairs) == flows_of(recording, window)
        places = {(e["tid"], e["ts"]) for e in of(document, "X") if e["cat"] != "wait"}
        assert {(e["tid"], e["ts"]) for e in (*starts.values(), *stops.values())} <= places


@pytest.mark.parametrize("hostile", [False, True])
def test_counters(tmp_path: Path, hostile: bool) -> None:
    recording = sample(2, hostile)
    document = written(recording, tmp_path)
    for counter in recording.counters:
        events = [e for e in of(document, "C") if e["name"] == encodable(counter.name)]
        unit = encodable(counter.unit) or "value"
        points = [(nanoseconds(e["ts"]), e["args"][unit]) for e in events]
        times = [nanosecond(recording, cycle) for cycle in counter.times.tolist()]
        assert points == list(zip(times, counter.values.tolist(), strict=True))
    window = (recording.cycles // 3, recording.cycles // 2)
    kept = of(written(recording, tmp_path, window), "C")
    inner = [t for c in recording.counters for t in c.times.tolist() if inside(t, t, window)]
    assert len(inner) < len(kept) <= len(inner) + len(recording.counters)


def test_what_it_says_of_itself(tmp_path: Path) -> None:
    recording = replace(sample(0), clock_hz=2e9, title="t", cycles=7, meta={"a": "ü", "b": [1]})
    document = written(recording, tmp_path, (3, 9))
    assert document["otherData"] == {
        "title": "t", "clock_hz": "2000000000", "cycles": "7", "level": "instruction",
        "window": "3:9", "a": "ü", "b": "[1]",
    }  # fmt: skip
    assert document["displayTimeUnit"] == "ns"


def test_nothing_happened(tmp_path: Path) -> None:
    recording = empty(sample(0))
    assert {e["ph"] for e in written(recording, tmp_path)["traceEvents"]} == {"M"}
    assert written(replace(recording, tracks=[]), tmp_path)["traceEvents"] == []


def test_chunks_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = sample(4)
    whole = written(recording, tmp_path)["traceEvents"]
    monkeypatch.setattr(chrome, "CHUNK", 7)
    parts = written(recording, tmp_path)["traceEvents"]
    assert sorted(map(repr, whole)) == sorted(map(repr, parts))


def test_a_track_without_instance_and_title_has_a_process(tmp_path: Path) -> None:
    recording = replace(empty(sample(0)), tracks=[Track((), "only")], title="")
    events = of(written(recording, tmp_path), "M")
    assert [e["args"] for e in events if e["name"] == "process_name"] == [{"name": "maiacc"}]
