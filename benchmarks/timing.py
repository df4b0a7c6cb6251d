"""How fast the event model is: words timed per second, with and without skipping.

    python benchmarks/timing.py

A word is one execution of an instruction by one instance: engine words and the words that control
processors execute themselves. The counts are exact; the seconds are those of one core, CPU time.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / "tests")]

from maiacc_isa.program import Program  # noqa: E402
from maiacc_sim.scalar_log import Scalars  # noqa: E402
from maiacc_sim.timing.engine import Engine  # noqa: E402
from support import kernel  # noqa: E402

#: Kernels at full size, and a product whose loops repeat many thousand times.
RUNS: list[tuple[str, dict[str, int]]] = [
    ("gemm", {}),
    ("attention", {}),
    ("layernorm", {}),
    ("lstm", {}),
    ("matvec", {}),
    ("gemm_simple", {"m": 16384, "n": 16384, "k": 16384}),
]


def measure(program: Program, skip: bool) -> tuple[float, int, int, int]:
    """CPU seconds, cycles, words executed, and engine words skipped."""
    scalars = Scalars({number: p.high for number, p in enumerate(program.parameters)})
    start = time.process_time()
    engine = Engine(program, scalars, skip)
    outcome = engine.run()
    seconds = time.process_time() - start
    words = sum(v.acc[0] for v in outcome.variants) + sum(outcome.walked.values())
    return seconds, outcome.cycles, words, outcome.skipped


def main() -> None:
    """Prints the table."""
    print(f"{'kernel':<36}{'cycles':>12}{'words':>12}{'s':>8}{'words/s':>12}{'skipping s':>12}")
    for name, sizes in RUNS:
        program = kernel(name, "maia200", sizes)
        quick, cycles, words, _ = measure(program, skip=True)
        shown = name + "".join(f" {k}={n}" for k, n in sizes.items())
        whole, again, _, _ = measure(program, skip=False)
        assert again == cycles, f"{cycles} with skipping, {again} without"
        row = f"{shown:<36}{cycles:>12,}{words:>12,}{whole:>8.2f}{words / whole:>12,.0f}"
        print(f"{row}{quick:>12.2f}")


if __name__ == "__main__":
    main()
