"""Runs ONNX's node tests through the compiler and the simulator, and counts how they end:

    python -m conformance.compiled mini [--every N] [--first N] [--only TEXT] [--names]

What is not passed is grouped by its reason. Everything happens in one process; proofs that were
made before are taken from the cache.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable

from conformance.cases import Case, node_cases
from conformance.judge import OUTCOMES, Verdict, judge
from maiacc.onnx_backend import MaiaBackend


class Mini(MaiaBackend):
    """The smallest machine."""

    target = "mini"


class Maia200(MaiaBackend):
    """The whole chip."""

    target = "maia200"


#: Machines that tests are compiled for.
BACKENDS: dict[str, type[MaiaBackend]] = {"mini": Mini, "maia200": Maia200}


def compiled(cases: Iterable[Case], target: str) -> list[Verdict]:
    """How tests end on a machine."""
    return [judge(case, BACKENDS[target]) for case in cases]


def chosen(first: int = 0, every: int = 1, only: str = "") -> list[Case]:
    """Every so many of the tests whose name has a text in it, from the first of them on."""
    return [case for case in node_cases() if only in case.name][first::every]


def summary(found: Iterable[Verdict], names: bool) -> list[str]:
    """Lines with what does not pass by reason, how often, and for example where."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for verdict in found:
        if verdict.outcome != "passed":
            groups[verdict.outcome, verdict.why[:160]].append(verdict.name)
    lines = []
    for (outcome, why), tests in sorted(groups.items(), key=lambda g: (g[0][0], -len(g[1]))):
        shown = tests if names else tests[:2]
        lines += [f"{outcome:<8}{len(tests):>5}  {why}", *(f"{'':<15}{name}" for name in shown)]
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Counts how ONNX's node tests end on a machine.")
    parser.add_argument("target", choices=BACKENDS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    parser.add_argument("--names", action="store_true", help="the names of all that do not pass")
    given = parser.parse_args()
    cases = chosen(given.first, given.every, given.only)
    start = time.process_time()
    found = compiled(cases, given.target)
    seconds = time.process_time() - start
    print("\n".join(summary(found, given.names)))
    counts = Counter(verdict.outcome for verdict in found)
    ends = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES)
    print(f"{ends} on {given.target}; {seconds:.0f} CPU seconds")
    sys.exit(counts["wrong"] + counts["crashed"] > 0)


if __name__ == "__main__":
    main()
