"""ONNX's node tests through the compiler and the simulator, on both machines: none is wrong, none
crashes, every program is proven, and what is refused is known by name."""

from __future__ import annotations

from collections import Counter

import pytest

from conformance.cases import node_cases
from conformance.compiled import BACKENDS, chosen, compiled
from conformance.expected import REFUSED, ROUNDED, UNCOMPILED
from conformance.judge import Verdict

#: Which cases a normal run tries, and where it starts on each machine.
EVERY, FIRST = 8, {"mini": 1, "maia200": 5}

#: How many of all have to pass.
LEAST = 1500


def judged(found: list[Verdict]) -> None:
    """What does not pass is what is expected not to, for the reason that is expected."""
    wrong = [v for v in found if v.outcome in ("wrong", "crashed")]
    assert not wrong, "\n".join(f"{v.name}: {v.why}" for v in wrong)
    refused = {v.name: v.why for v in found if v.outcome == "refused"}
    names = {v.name for v in found}
    assert refused.keys() == names & (REFUSED.keys() | UNCOMPILED.keys())
    for name, why in refused.items():
        assert why.startswith("E1303" if name in REFUSED else "E1505"), f"{name}: {why}"
        assert UNCOMPILED.get(name, "") in why, f"{name}: {why}"


@pytest.mark.parametrize("target", BACKENDS)
def test_a_sample_of_the_node_tests(target: str) -> None:
    judged(compiled(chosen(FIRST[target], EVERY), target))


def test_those_that_are_refused_and_those_that_exact_results_decide() -> None:
    wanted = REFUSED.keys() | UNCOMPILED.keys() | ROUNDED.keys()
    named = [case for case in node_cases() if case.name in wanted]
    assert len(named) == len(wanted)
    judged(compiled(named, "mini"))


@pytest.mark.nightly
@pytest.mark.parametrize("target", BACKENDS)
def test_all_node_tests(target: str) -> None:
    found = compiled(node_cases(), target)
    judged(found)
    assert Counter(v.outcome for v in found)["passed"] >= LEAST
