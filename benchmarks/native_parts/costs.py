"""Measures: CPU time of runs in turn, the event model, start-up, threads, memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.native_parts.rows import gpt2
from benchmarks.programs import gpt2_decode, gpt2_prefill
from benchmarks.programs.decode70b_words import Sizes as Decode
from benchmarks.programs.gpt2_plan import Sizes as Gpt2
from benchmarks.programs.run import program
from maiacc_isa.container import save
from maiacc_sim.native.machine import NativeMachine
from maiacc_sim.native.timing_engine import NativeEngine
from maiacc_sim.native.timing_events import EventColumns
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.run import Timed

Work = Callable[[], Any]

#: Lines of the first command that a user may give.
FIRST = ["maiacc", "run", "demo.maia", "--random", "1"]


def cpu_of(work: Work) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def median_cpu(work: Work, runs: int) -> float:
    """CPU seconds of a call, the median of some."""
    return statistics.median(cpu_of(work) for _ in range(runs))


def interleaved(works: Sequence[Work], runs: int) -> list[float]:
    """CPU seconds of calls made in turn, the median of each."""
    for work in works:
        work()
    rounds = [[cpu_of(work) for work in works] for _ in range(runs)]
    return [statistics.median(found) for found in zip(*rounds, strict=True)]


def event_model(folder: Path) -> None:
    """A decode step of 70 billion parameters without data: with and without skipping, and with
    every event recorded."""
    made = program(Decode(), folder)
    for title, skip, recorded in (
        ("skipping repeated turns", True, False),
        ("every word", False, False),
        ("every word, recorded", False, True),
    ):
        events = EventColumns() if recorded else None
        engine = NativeEngine(made, Scalars({}), skip, events)
        core = cpu_of(engine.run)
        timed = Timed(engine, Scalars({}))
        checked = cpu_of(timed.check)
        control = timed.totals.control
        rate = (engine.words + control - engine.skipped) / core / 1e6
        print(
            f"{title:<26}{core:>7.2f} s, account and bounds {checked:.2f} s; {engine.cycles:,} "
            f"cycles, {engine.words:,} engine words, {control:,} control words; "
            f"{rate:.1f} M/s, of engine words {engine.words / core / 1e6:.1f} M/s"
        )


def start_up(folder: Path) -> None:
    """Wall seconds until a tiny proven program has run, with nothing in the cache and then."""
    where = Path(sys.executable).parent
    data = Path(__file__).resolve().parents[2] / "maiacc" / "data" / "demo.mist"
    command = [str(where / "maiacc")]
    environment = {**os.environ, "MAIACC_CACHE": str(folder / "cache")}
    subprocess.run([*command, "asm", str(data), "-o", "demo.maia"], cwd=folder, check=True)
    subprocess.run(["rm", "-rf", str(folder / "cache")], check=True)
    for title in ("cold", "warm", "warm", "warm"):
        start = time.perf_counter()
        subprocess.run(
            [*command, *FIRST[1:]], cwd=folder, env=environment, check=True, capture_output=True
        )
        print(f"{title}: {time.perf_counter() - start:.2f} s")


def threads(folder: Path) -> None:
    """Wall seconds of the values of GPT-2-small's prefill, with one thread and with two."""
    made, given = gpt2(gpt2_prefill, folder)
    found = []
    for count in (1, 2):
        machine = NativeMachine(made, threads=count)
        machine.execute(given)
        seconds = []
        for _ in range(7):
            start = time.perf_counter()
            machine.execute(given)
            seconds.append(time.perf_counter() - start)
        found.append(statistics.median(seconds))
    one, two = found
    load = os.getloadavg()[0]
    print(f"one {one:.3f} s, two {two:.3f} s: {one / two:.2f} times as fast; load {load:.2f}")


def memory(folder: Path) -> None:
    """What a run of a model of 500 MB adds to the resident memory of a process that has opened it,
    beside the bytes of its tensors, which it all touches."""
    made, given = gpt2(gpt2_decode, folder, Gpt2(layers=32))
    save(made, str(folder / "model.maia"))
    np.savez(folder / "inputs.npz", **given)  # type: ignore[arg-type]  # names are no parameters
    command = [sys.executable, "-m", "benchmarks.native_parts.resident", str(folder)]
    root = Path(__file__).resolve().parents[2]
    found = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    before, after = map(int, found.stdout.split())
    touched = sum(t.bytes() for t in made.tensors)
    print(
        f"tensors {touched / 2**20:.0f} MiB, the run adds {(after - before) / 2**20:.0f} MiB: "
        f"{(after - before) / touched:.2f} times as much"
    )
