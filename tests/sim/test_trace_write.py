"""Writing traces: names, whole files or none, the same bytes, exact times, time and memory."""

from __future__ import annotations

import hashlib
import random
import signal
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, cast

import numpy as np
import pytest

from maiacc_isa.atomic import AtomicFile
from maiacc_isa.errors import InternalError, MaiaccError
from maiacc_sim.recording import CounterTrack, Flows, Recording
from maiacc_sim.trace import wire, write
from maiacc_sim.trace.clock import Clock
from maiacc_sim.trace.write import ENDINGS, LEVELS, write_trace
from sim.trace_samples import sample
from support import ROOT, run


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_recording_gives_the_same_bytes(tmp_path: Path, ending: str) -> None:
    code = (
        "from sim.trace_samples import sample; from maiacc_sim.trace.write import write_trace;"
        f"write_trace(sample(3, True), {str(tmp_path / 'child') + ending!r})"
    )
    write_trace(sample(3, True), str(tmp_path / f"one{ending}"))
    write_trace(sample(3, True), str(tmp_path / f"two{ending.upper()}"))
    # Another process has other hashes, so that an order taken from a set would show.
    done = run([sys.executable, "-c", code], cwd=ROOT / "tests")
    assert done.code == 0, done.err
    sums = {hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.iterdir()}
    assert len(list(tmp_path.iterdir())) == 3
    assert len(sums) == 1


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_level_is_told(tmp_path: Path, ending: str, level: str) -> None:
    path = tmp_path / f"t{ending}"
    write_trace(sample(0), str(path), level=level)
    assert level.encode() in path.read_bytes()
    assert not [n for n in LEVELS if n != level and n.encode() in path.read_bytes()]


@pytest.mark.parametrize("name", ["t.perfetto", "t", "t.json.gz", ".txt"])
def test_unknown_endings_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MaiaccError) as refused:
        write_trace(sample(0), str(tmp_path / name))
    assert refused.value.code == "E1209"
    assert ".pftrace, .json, .txt" in str(refused.value)
    assert name in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_unknown_levels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MaiaccError) as refused:
        write_trace(sample(0), str(tmp_path / "t.txt"), level="tile")
    assert refused.value.code == "E1209"
    assert "instruction, kernel, layer" in str(refused.value)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_interrupt_leaves_the_old_file(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"t{ending}"
    path.write_text("old")
    parts: list[int] = []

    class Interrupted(AtomicFile):
        """A file whose third part is interrupted."""

        def __enter__(self) -> BinaryIO:
            stream = super().__enter__()
            return cast(BinaryIO, SimpleNamespace(write=lambda data: self.put(stream, data)))

        def put(self, stream: BinaryIO, data: bytes) -> None:
            parts.append(stream.write(data))
            if len(parts) == 3:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(write, "AtomicFile", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_trace(sample(0), str(path))
    assert len(parts) == 3
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "old"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MaiaccError) as refused:
        write_trace(sample(0), str(tmp_path / "none" / "t.pftrace"))
    assert refused.value.code == "E0003"


def broken() -> dict[str, Recording]:
    """Recordings that contradict themselves."""
    good = sample(0)
    rows, one = good.slices, np.ones(1, np.int64)
    wrong = {
        "length": replace(rows, stall=rows.stall[:-1]),
        "track": replace(rows, track=rows.track + 1),
        "word": replace(rows, word=rows.word - 1),
        "stall": replace(rows, stall=rows.stall + 3),
        "stalled": replace(rows, stalled=rows.stalled - 1),
        "too early": replace(rows, begin=rows.begin * 0, stalled=rows.stalled + 1),
        "too soon": replace(rows, end=rows.begin - 1),
        "last": replace(rows, end=rows.end + 2**53),
    }
    found = {name: replace(good, slices=slices) for name, slices in wrong.items()}
    found["clock"] = replace(good, clock_hz=0.5)
    found["no clock"] = replace(good, clock_hz=float("nan"))
    found["falling times"] = replace(good, counters=[CounterTrack((), "c", "", -np.arange(2), one)])
    found["times"] = replace(
        good, counters=[CounterTrack((), "c", "", np.array([3, 2]), np.ones(2, np.int64))]
    )
    found["values"] = replace(good, counters=[CounterTrack((), "c", "", np.arange(2), one)])
    found["poster"] = replace(good, flows=Flows(one * len(rows), one))
    found["waiter"] = replace(good, flows=Flows(one, -one))
    found["flows"] = replace(good, flows=Flows(one, np.ones(2, np.int64)))
    return found


@pytest.mark.parametrize("name", broken())
def test_recordings_that_contradict_themselves_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InternalError):
        write_trace(broken()[name], str(tmp_path / "t.pftrace"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "hz", [1.0, 3.0, 1e3, 7e8, 1e9, 1.7e9, 2.15e9, 3e9, 1e9 / 3, 2e9 + 0.1, 999999999.9, 1e12, 1e15]
)
def test_nanoseconds_are_exact(hz: float) -> None:
    clock = Clock(hz)
    rng = random.Random(1)
    cycles = [*range(50), clock.last, clock.last - 1]
    cycles += [rng.randrange(1 << rng.randrange(1, clock.last.bit_length())) for _ in range(3000)]
    # Cycles beside the one in which a nanosecond begins are those that rounding gets wrong.
    marks = [int(Fraction(hz) * n / 10**9) for n in range(1, 10**6, 997)]
    cycles += [c + d for c in marks for d in (0, 1) if c < clock.last]
    exact = [int(Fraction(cycle) * 10**9 / Fraction(hz)) for cycle in cycles]
    assert clock.ns(np.array(cycles, np.int64)).tolist() == exact
    assert max(exact) < 2**63


@pytest.mark.parametrize("width", range(1, 11))
def test_padded_varints(width: int) -> None:
    rng = random.Random(width)
    top = min(7 * width, 64)
    values = [
        0,
        1,
        127,
        (1 << top) - 1,
        *(rng.randrange(1 << rng.randint(1, top)) for _ in range(500)),
    ]
    rows = wire.padded(np.array(values, np.uint64), width)
    assert [bytes(row) for row in rows] == [wire.varint(value, width) for value in values]
    for value in values:
        read, shift = 0, 0
        for byte in wire.varint(value, width):
            read |= (byte & 127) << shift
            shift += 7
        assert read == value
        assert len(wire.varint(value)) == max(1, -(-value.bit_length() // 7)) == wire.width(value)


def test_a_million_slices_fit_into_time_and_memory() -> None:
    # Ten million may take 15 s and 1 GB; a tenth of each, twice, for machines that are slower.
    done = run([sys.executable, str(ROOT / "benchmarks/trace.py"), "--slices", "1000000",
                "--flows", "200000", "--counters", "10"])  # fmt: skip
    assert done.code == 0, done.err
    assert "1000000 slices as .pftrace" in done.out
    assert done.cpu_seconds < 2 * 15 / 10
    assert done.peak_bytes < 2 * 1e9 / 10


def test_json_of_a_hundred_thousand_slices_fits_into_time() -> None:
    # A million may take 10 s.
    done = run([sys.executable, str(ROOT / "benchmarks/trace.py"), "--slices", "100000",
                "--flows", "20000", "--counters", "1", "--ending", ".json"])  # fmt: skip
    assert done.code == 0, done.err
    assert done.cpu_seconds < 2 * 10 / 10
