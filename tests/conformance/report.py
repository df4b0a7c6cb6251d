"""Counts how ONNX's node tests end: ``python -m conformance.report [--every N] [--only TEXT]``.

``--write FILE`` writes the page with the counts and with everything that does not pass, through the
IR and on both machines.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import onnx

from conformance.cases import Case
from conformance.compiled import BACKENDS, chosen
from conformance.expected import ROUNDED
from conformance.judge import OUTCOMES, Verdict, judge
from maiacc.onnx_backend import IRBackend

#: What tests run through, by the heading of its column.
WAYS: dict[str, Any] = {"IR": IRBackend, **BACKENDS}


def verdicts(cases: list[Case], way: str) -> list[Verdict]:
    """How tests end."""
    return [judge(case, WAYS[way]) for case in cases]


def page(found: dict[str, list[Verdict]]) -> str:
    """The page of the manual, of how tests end each way."""
    counts = {way: Counter(v.outcome for v in ends) for way, ends in found.items()}
    total = len(next(iter(found.values())))
    lines = [
        "# Conformance",
        "",
        f"ONNX {onnx.__version__} carries its own tests for backends. {total} of its node tests",
        "have inputs and outputs of the element types that maiacc knows, use the default domain",
        "and no optional values. They run three ways: through the import, the IR and its numpy",
        "meaning (`maiacc.onnx_backend.IRBackend`); and compiled, proven and simulated on the",
        "machines `mini` and `maia200` (`maiacc.onnx_backend.MaiaBackend`). This page is written",
        "by `python -m conformance.report --write docs/conformance.md` in `tests/`, and",
        "`python -m conformance.compiled mini` shows one machine. A skipped test would not count",
        "as passed, and none is skipped. In these tests some expected values are farther from the",
        "exact result than the tolerance allows, and ours have to be nearer to it:",
        "",
        *(f"- `{name}`: {reason}" for name, reason in ROUNDED.items()),
        "",
        f"| outcome | {' | '.join(found)} |",
        f"|---|{'---|' * len(found)}",
    ]
    for outcome in OUTCOMES:
        cells = " | ".join(str(counts[way][outcome]) for way in found)
        lines.append(f"| {outcome} | {cells} |")
    lines += ["", "## What does not pass", ""]
    lines += ["| test | operator | where | outcome | why |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *failures(found)]) + "\n"


def failures(found: dict[str, list[Verdict]]) -> list[str]:
    """A row for each test that does not pass, and for each way it does not."""
    ends: dict[Verdict, list[str]] = {}
    for way, verdicts_ in found.items():
        for verdict in verdicts_:
            if verdict.outcome != "passed":
                ends.setdefault(verdict, []).append(way)
    rows = []
    for v, ways in sorted(ends.items(), key=lambda end: end[0].name):
        cells = (f"`{v.name}`", v.operator, ", ".join(ways), v.outcome, v.why.replace("|", "/"))
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Counts how ONNX's node tests end.")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    cases = chosen(0, given.every, given.only)
    found = {way: verdicts(cases, way) for way in WAYS}
    bad = 0
    for way, ends in found.items():
        for verdict in ends:
            if verdict.outcome != "passed":
                print(f"{way:<8} {verdict.outcome:<8} {verdict.name}: {verdict.why[:200]}")
        counts = Counter(verdict.outcome for verdict in ends)
        print(f"{way}: " + ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
        bad += counts["wrong"] + counts["crashed"]
    if given.write:
        given.write.write_text(page(found), "utf-8")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
