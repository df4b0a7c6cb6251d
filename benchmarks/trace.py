"""Measures what it takes to write a trace.

    python benchmarks/trace.py                            ten million slices as .pftrace
    python benchmarks/trace.py --slices 1000000 --ending .json
    python benchmarks/trace.py --flows 10000000 --counters 0

The recording is made up, in the order in which a simulator of events makes one: slices by begin,
on 900 queues, one in two behind a wait. Its own memory is part of the peak.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from maiacc_sim.recording import (
    CounterTrack,
    Flows,
    Ints,
    Recording,
    Slices,
    Track,
    WordInfo,
)
from maiacc_sim.trace.write import write_trace

QUEUES = ("LD0", "LD1", "TTU", "TVP", "ST")
CLUSTERS, TILES = 18, 10
WORDS, REASONS = 5000, 40

#: Made up at a time, so that making a recording takes little more than its own memory.
STEP = 1 << 16


def recording(slices: int, flows: int, counters: int, values: int) -> Recording:
    """A recording of that many slices, flows, counters, and values of each counter."""
    places = [
        (("chip 0", f"cluster {cluster}", f"tile {tile}"), queue)
        for cluster in range(CLUSTERS)
        for tile in range(TILES)
        for queue in QUEUES
    ]
    words = [
        WordInfo(f"main:{i}", f"op{i % 30}", f"LD0 op{i} a[i + {i}], b[i]", f"MatMul_{i % 99}", i)
        for i in range(WORDS)
    ]
    rng = np.random.default_rng(1)
    columns = [np.empty(slices, np.int64) for _ in Slices.__annotations__]
    free = np.zeros(len(places), np.int64)
    for start in range(0, slices, STEP):
        for column, part in zip(columns, _slices(rng, free, start, slices), strict=True):
            column[start : start + STEP] = part
    made = Slices(*columns)
    posters = rng.integers(0, max(slices - 5000, 1), flows)
    last = int(made.end.max(initial=0))
    times = np.sort(rng.integers(0, last + 1, values))
    return Recording(
        "benchmark",
        1.7e9,
        last,
        [Track(path, name) for path, name in places],
        words,
        ["", *(f"full (LD{i})" for i in range(1, REASONS))],
        made,
        [
            CounterTrack(places[i * 5][0], f"sem {i}", "tokens", times, np.arange(values) % 9)
            for i in range(counters)
        ],
        Flows(posters, np.minimum(posters + 4000, slices - 1)) if flows else None,
    )


def _slices(rng: np.random.Generator, free: Ints, start: int, slices: int) -> list[Ints]:
    """The columns of some slices: rounds over all queues, in each of which every queue runs a
    word. ``free`` is when each queue's last word ended."""
    queues = len(free)
    count = min(STEP, slices - start)
    track = (start + np.arange(count)) % queues
    stalled = rng.integers(0, 200, count) * rng.integers(0, 2, count)
    length = rng.integers(1, 400, count)
    begin = np.empty(count, np.int64)
    for first in range(0, count, queues):
        part = slice(first, first + queues)
        begin[part] = free[track[part]] + stalled[part]
        free[track[part]] = begin[part] + length[part]
    end = begin + length
    word = rng.integers(0, WORDS, count)
    stall = np.where(stalled > 0, rng.integers(1, REASONS, count), 0)
    return [track, word, begin, end, end + 30, stall, stalled]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slices", type=int, default=10_000_000)
    parser.add_argument("--flows", type=int, default=2_000_000)
    parser.add_argument("--counters", type=int, default=100)
    parser.add_argument("--values", type=int, default=10_000, help="of each counter")
    parser.add_argument("--ending", default=".pftrace")
    arguments = parser.parse_args()
    made = recording(arguments.slices, arguments.flows, arguments.counters, arguments.values)
    before = resource.getrusage(resource.RUSAGE_SELF)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"trace{arguments.ending}"
        write_trace(made, str(path))
        size = os.stat(path).st_size
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    sys.stdout.write(
        f"{arguments.slices} slices as {arguments.ending}: {seconds:.2f} s CPU, "
        f"{size / 1e6:.0f} MB, peak {after.ru_maxrss / 1024:.0f} MiB "
        f"(of which the recording {before.ru_maxrss / 1024:.0f} MiB)\n"
    )


if __name__ == "__main__":
    main()
