"""Modules of every family with sizes around every edge of a target: none is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compile import scaled
from compile.scaled import (
    BAD,
    FAMILIES,
    LOOSE,
    NEAR,
    REFUSED,
    SAME,
    TARGETS,
    Case,
    campaign,
    case,
    run,
)
from compile.single import one
from maiacc.compiler import compile_module
from maiacc.verifying.chains import propagated
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.evaluate import evaluate
from maiacc_sim.result import Result
from maiacc_sim.simulate import simulate

#: Cases of a normal run, half of them for each target, in pieces; then those of the nightly script.
SEEDS, PIECE = 300, 20
NIGHTLY, NIGHTLY_PIECE = 5_000, 100

#: Parts of the cases that may be refused, or have bounds that say little.
FEW, SOME = 0.03, 0.1


def checked(first: int, count: int) -> None:
    """Cases of some seeds: none is wrong, few are refused."""
    tally = campaign(range(first, first + count))
    assert not tally.wrong, "\n".join(tally.wrong)
    assert sum(tally.verdicts.values()) == count
    told = "\n".join(tally.other)
    assert tally.verdicts[REFUSED] <= 1 + FEW * count, told
    assert tally.verdicts[LOOSE] <= 2 + SOME * count, told


@pytest.mark.parametrize("first", range(0, SEEDS, PIECE))
def test_cases(first: int) -> None:
    checked(first, PIECE)


@pytest.mark.nightly
@pytest.mark.parametrize("first", range(SEEDS, SEEDS + NIGHTLY, NIGHTLY_PIECE))
def test_cases_nightly(first: int) -> None:
    checked(first, NIGHTLY_PIECE)


def test_seeds_draw_the_same_again_and_all_families() -> None:
    families = set()
    for seed in range(120):
        first, again = case(seed), case(seed)
        assert str(first) == str(again)
        assert first.target == TARGETS[seed % 2]
        assert all(np.array_equal(first.inputs[n], x) for n, x in again.inputs.items())
        families.add(first.family)
    assert families == set(FAMILIES)


# ---- the tests can fail -----------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_wrong_is_seen(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit of an element of an output, the highest of its exponent or of its size."""
    seed = next(seed for seed in range(0, 100, 2) if _some(case(seed, family)))
    assert run(case(seed, family)).verdict in (SAME, NEAR, LOOSE)

    def wrong(*given: Any, **more: Any) -> Result:
        result = simulate(*given, **more)
        for out in result.outputs.values():
            assert isinstance(out, np.ndarray)
            raw = out.reshape(out.size, 1).view(np.uint8)
            raw[out.size // 2, -1] ^= 1 if out.dtype == np.bool_ else 0x40
        return result

    monkeypatch.setattr(scaled, "simulate", wrong)
    found = run(case(seed, family))
    assert found.verdict == BAD
    assert found.why.startswith("1 of ")


def _some(one: Case) -> bool:
    """Whether all outputs have elements."""
    return all(value is not None and value.type.size for value in one.module.main.outputs)


def test_bounds_of_small_results_are_around_them() -> None:
    """gelu far below zero is small, but not zero."""
    module = one("gelu", ("fp32", (64,)))
    given = {"x0": np.linspace(-12, -4, 64).astype(np.float32)}
    known = propagated(module, given, 0.0, narrowed=False)["y0"]
    exact = evaluate(module, given, lift=True)["y0"]
    assert np.allclose(known.exact, exact, 1e-12, 0)
    assert (known.slack < 1e-5 * np.abs(exact)).all()


def test_a_truth_value_alone_is_an_array() -> None:
    """Outputs without axes are handed out as arrays, as all others are."""
    module = one("rmax", ("bool", (9,)), axes=(0,), keep=False)
    program = compile_module(module, load_machine("mini")).program
    (found,) = simulate(program, {"x0": np.arange(9) == 3}).outputs.values()
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.bool_
    assert found.shape == ()
    assert found
