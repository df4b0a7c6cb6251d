"""Counts how ONNX's node tests end: ``python -m conformance.report [--every N] [--only TEXT]``.

``--write FILE`` writes the page with the counts and with everything that does not pass.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import onnx

from conformance.cases import node_cases
from conformance.expected import ROUNDED
from conformance.judge import Verdict, judge
from maiacc.onnx_backend import IRBackend

OUTCOMES = ("passed", "refused", "wrong", "crashed")


def verdicts(every: int, only: str) -> list[Verdict]:
    """How tests end: every so many of those whose name has a text in it."""
    cases = [case for case in node_cases() if only in case.name][::every]
    return [judge(case, IRBackend) for case in cases]


def page(found: list[Verdict]) -> str:
    """The page of the manual."""
    counts = Counter(verdict.outcome for verdict in found)
    lines = [
        "# Conformance",
        "",
        f"ONNX {onnx.__version__} carries its own tests for backends. {len(found)} of its node tests",
        "have inputs and outputs of the element types that maiacc knows, use the default domain and no",
        "optional values. They run through the import, the IR and its numpy meaning",
        "(`maiacc.onnx_backend.IRBackend`). This page is written by",
        "`python -m conformance.report --write docs/conformance.md` in `tests/`; a skipped test would",
        "not count as passed, and none is skipped. In these tests some expected values are farther from",
        "the exact result than the tolerance allows, and ours have to be nearer to it:",
        "",
        *(f"- `{name}`: {reason}" for name, reason in ROUNDED.items()),
        "",
        "| outcome | tests |",
        "|---|---|",
        *(f"| {outcome} | {counts[outcome]} |" for outcome in OUTCOMES),
        "",
        "## What does not pass",
        "",
        "| test | operator | outcome | why |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{v.name}` | {v.operator} | {v.outcome} | {v.why.replace('|', '/')} |"
        for v in found
        if v.outcome != "passed"
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Counts how ONNX's node tests end.")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    found = verdicts(given.every, given.only)
    for verdict in found:
        if verdict.outcome != "passed":
            print(f"{verdict.outcome:<8} {verdict.name}: {verdict.why[:200]}")
    counts = Counter(verdict.outcome for verdict in found)
    print(", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES))
    if given.write:
        given.write.write_text(page(found), "utf-8")
    sys.exit(counts["wrong"] + counts["crashed"] > 0)


if __name__ == "__main__":
    main()
