"""ONNX's node tests through the IR: none is wrong, and those that do not pass are known by name."""

from __future__ import annotations

from collections import Counter

import pytest

from conformance.cases import node_cases
from conformance.expected import REFUSED, ROUNDED
from conformance.judge import Verdict, judge
from maiacc.onnx_backend import IRBackend

#: Which cases a normal run tries.
EVERY = 8

#: How many of all have to pass.
LEAST = 1500


def verdicts(first: int, last: int, every: int) -> list[Verdict]:
    """How some cases end."""
    return [judge(case, IRBackend) for case in node_cases()[first:last:every]]


def judged(found: list[Verdict]) -> None:
    """What does not pass is what is expected not to."""
    wrong = [v for v in found if v.outcome in ("wrong", "crashed")]
    assert not wrong, "\n".join(f"{v.name}: {v.why}" for v in wrong)
    refused = {v.name for v in found if v.outcome == "refused"}
    names = {v.name for v in found}
    assert refused == names & REFUSED.keys()
    assert all(v.why.startswith("E1303") for v in found if v.outcome == "refused")


def test_a_sample_of_the_node_tests() -> None:
    judged(verdicts(0, len(node_cases()), EVERY))


def test_those_that_are_refused_and_those_that_exact_results_decide() -> None:
    named = [case for case in node_cases() if case.name in REFUSED or case.name in ROUNDED]
    assert len(named) == len(REFUSED) + len(ROUNDED)
    judged([judge(case, IRBackend) for case in named])


@pytest.mark.nightly
def test_all_node_tests() -> None:
    found = verdicts(0, len(node_cases()), 1)
    judged(found)
    assert Counter(v.outcome for v in found)["passed"] >= LEAST
