"""How fast the native simulator computes values and cycles, beside onnxruntime and numpy.

    python benchmarks/native.py [values] [time] [start] [threads] [memory]

Each row is a program written for ``maia200`` by a generator in ``benchmarks/programs``, run in a
session: values and cycles together, on one thread. Its neighbour does the same work in fp32 on one
thread: onnxruntime with the same network, or numpy. Both run in turn, and the CPU time of each is
the median of its runs. A session that runs again with the same scalars knows its cycles; the column
``cycles`` is what counting them takes when it does not.

Needs onnx and onnxruntime (``pip install -e '.[test]'``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.native_parts import costs, peers  # noqa: E402
from benchmarks.native_parts.rows import ROWS, Row  # noqa: E402


def values(folder: Path) -> None:
    """The table of ratios."""
    print(f"{'workload':<24}{'ours ms':>10}{'cycles ms':>11}{'peer ms':>10}  {'peer':<12}", end="")
    print(f"{'ratio':>6}{'at most':>9}")
    for row in ROWS:
        print(_line(row, folder), flush=True)


def _line(row: Row, folder: Path) -> str:
    case = row.make(folder)
    ours, theirs = costs.interleaved([case.run, case.peer], row.runs)
    cycles = costs.median_cpu(case.time, 5)
    line = f"{row.name:<24}{1e3 * ours:>10.2f}{1e3 * cycles:>11.2f}{1e3 * theirs:>10.2f}"
    return f"{line}  {row.peer:<12}{ours / theirs:>6.2f}{row.most:>9.2f}"


PARTS = {
    "values": values,
    "time": costs.event_model,
    "start": costs.start_up,
    "threads": costs.threads,
    "memory": costs.memory,
}


def main() -> None:
    """Measures what is asked for; everything, if nothing is."""
    asked = sys.argv[1:] or list(PARTS)
    print(peers.surroundings())
    with TemporaryDirectory() as folder:
        for part in asked:
            print(f"\n== {part}")
            PARTS[part](Path(folder))


if __name__ == "__main__":
    main()
