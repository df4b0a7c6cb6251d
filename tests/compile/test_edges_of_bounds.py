"""Bounds beside the largest number of fp32, and of the largest of some that are infinite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from compile.built import built, kind
from compile.single import one
from maiacc.verifying.bounds import RULES, Bounds
from maiacc.verifying.judging import judge
from maiacc.verifying.known import Known, rounded, settled
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked, verify
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.weights import Array

INF, NAN = np.inf, np.nan

#: The largest number of fp32, and its distance from the one before.
MOST, UNIT = float(np.finfo(np.float32).max), 2.0**104


def known(x: float, off: float | None) -> tuple[float, float]:
    """A rounding of a number that is off: the number, and how far off it is then."""
    with np.errstate(over="ignore", invalid="ignore"):
        found = rounded(np.array([x]), None if off is None else np.array([off]))
    return float(found.exact[0]), float(found.slack[0])


# ---- the largest number -------------------------------------------------------------------------
def test_a_score_beside_the_largest_number_stays_finite() -> None:
    """A mask of the least number, and scores that are a little off: less than half a unit."""
    exact, slack = known(-MOST - 5, 1e-6)
    assert exact == -MOST - 5
    assert 0 < slack <= 0.51 * UNIT
    # With its rounding, a bound alone may be too large: then the infinity is allowed.
    near = settled(np.array([-MOST - 0.3 * UNIT]), np.array([0.8 * UNIT]))
    assert near.slack[0] == INF
    assert known(MOST, 0.3 * UNIT)[1] < UNIT


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_from_half_a_unit_on_it_is_an_infinity(sign: float) -> None:
    for size in (MOST + 0.5 * UNIT, MOST + 0.75 * UNIT, MOST + UNIT, MOST + 2 * UNIT, 1e39):
        assert known(sign * size, 1e20)[1] in (0.0, INF), "never a finite number"
    assert known(sign * (MOST + 0.75 * UNIT), 1e20) == (sign * INF, 0)
    below = sign * (MOST + 0.49 * UNIT)
    exact, slack = known(below, 1e20)
    assert exact == below
    assert slack < 0.51 * UNIT


def test_either_is_allowed_where_operands_may_reach_it() -> None:
    for size, off in ((MOST, 0.6 * UNIT), (MOST + UNIT, 0.6 * UNIT), (MOST - 5 * UNIT, 6 * UNIT)):
        assert known(size, off)[1] == INF, (size, off)
    assert known(MOST - 5 * UNIT, 5 * UNIT)[1] < 6 * UNIT
    assert known(MOST + 2 * UNIT, UNIT) == (INF, 0)


def test_infinities_and_no_numbers_are_not_off() -> None:
    for x in (INF, -INF, NAN):
        for off in (None, 0.0, 1.0, 1e38):
            exact, slack = known(x, off)
            assert np.array_equal(exact, x, equal_nan=True)
            assert slack == 0
        assert known(x, INF)[1] == INF, "open whether it is one"
    assert known(1.0, INF) == (1.0, INF)
    assert known(1.0, NAN)[1] == INF


def test_of_exact_operands_the_rounding_is_known() -> None:
    assert known(MOST + 0.25 * UNIT, None) == (MOST + 0.25 * UNIT, 0.25 * UNIT)
    assert known(MOST + 0.25 * UNIT, 0.0) == (MOST + 0.25 * UNIT, 0.25 * UNIT)


# ---- the largest of some ------------------------------------------------------------------------
def ends(rows: Sequence[tuple[float, float]], name: str = "rmax") -> tuple[float, float]:
    """The largest or least of numbers that are off, and how far off it is."""
    module = one(name, ("fp32", (len(rows),)), axes=(0,), keep=True)
    x, off = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    op = next(iter(module.main))
    with np.errstate(invalid="ignore"):
        found = RULES[name](Bounds(), op, [Known(x, off)])
    assert isinstance(found, Known)
    return float(found.exact[0]), float(found.slack[0])


MASKED = [(-MOST, UNIT), (-MOST, UNIT)]

LARGEST: dict[str, tuple[list[tuple[float, float]], tuple[float, float]]] = {
    "only the largest counts": ([(5, 0.125), (1, 2)], (5, 0.125)),
    "another one may be larger": ([(5, 0.125), (4, 2)], (5, 1)),
    "less far above, as far below": ([(5, 1), (4.5, 0.25)], (5, 1)),
    "masked by the least number": ([*MASKED, (3, 0.25)], (3, 0.25)),
    "masked by an infinity": ([(-INF, 0), (3, 0.25)], (3, 0.25)),
    "all masked by an infinity": ([(-INF, 0), (-INF, 0)], (-INF, 0)),
    "an infinity": ([(INF, 0), (3, 0.25)], (INF, 0)),
    "may be anything": ([(1, INF), (3, 0.25)], (3, INF)),
    "may be an infinity": ([(-INF, INF), (3, 0.25)], (3, INF)),
    "may be no infinity": ([(INF, INF), (3, 0.25)], (INF, INF)),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_is_as_far_off_as_its_ends(name: str) -> None:
    rows, wanted = LARGEST[name]
    assert ends(rows) == wanted
    exact, slack = ends([(-x, off) for x, off in rows], "rmin")
    assert (-exact, slack) == wanted


def test_no_number_stays_none() -> None:
    exact, slack = ends([(NAN, 0.0), (3, 0.25)])
    assert np.isnan(exact)
    assert slack == 0


# ---- on the machine -----------------------------------------------------------------------------
def masked(least: float) -> Module:
    """Scores, masked by a number that is added, and the softmax of rows."""

    def body(b: Builder, q: Value, k: Value, mask: Value) -> Value:
        scores = b("contract", q, k, spec="qd,kd->qk")
        hidden = b(
            "select", b("cvt", mask, to="bool"), b.constant(np.array(least, np.float32)), mask
        )
        return b("softmax", b("add", scores, hidden), axis=1, masked_zero=True)

    return built(body, kind("fp32", 9, 16), kind("fp32", 12, 16), kind("fp32", 9, 12))


@pytest.mark.parametrize("least", [-MOST, -1e38, -INF])
def test_masked_rows_are_judged(least: float) -> None:
    rng = np.random.default_rng(0)
    hide = rng.integers(0, 2, (9, 12)).astype(np.float32)
    hide[:, 0], hide[2] = 0, 1
    given: dict[str, Array] = {
        "x0": rng.standard_normal((9, 16)).astype(np.float32),
        "x1": rng.standard_normal((12, 16)).astype(np.float32),
        "x2": hide,
    }
    found = verify(Asked(lambda: masked(least), load_machine("mini"), given))
    assert not found.wrong, "\n".join(lines(found))
    assert {line.verdict for line in found.kernels} <= {"ok", "equal"}


def test_what_is_wrong_beside_the_largest_number_is_seen() -> None:
    good = rounded(np.array([-MOST - 5, 1.0]), np.array([1e-6, 1e-6]))
    for wrong in ([-INF, 1.0], [-MOST + 2 * UNIT, 1.0], [-MOST, 1.1], [NAN, 1.0]):
        assert judge("y", np.array(wrong, np.float32), good).verdict == "wrong"
    assert judge("y", np.array([-MOST, 1.0], np.float32), good).verdict == "ok"
