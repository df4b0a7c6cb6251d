"""The error function and its complement against those of C and mpmath."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest

from ir.rows import same
from maiacc_passes.ir.vocabulary import errorfunctions
from maiacc_passes.ir.vocabulary.errorfunctions import erf, erfc
from maiacc_passes.ir.weights import Array


def points() -> Array:
    rng = np.random.default_rng(0)
    parts = [
        rng.normal(size=10_000),
        rng.uniform(-28, 28, 10_000),
        np.ldexp(rng.uniform(-1, 1, 1000), rng.integers(-1000, 3, 1000)),
        np.linspace(0.99, 1.01, 2001),
    ]
    return np.concatenate(parts)


@pytest.mark.parametrize(("function", "known"), [(erf, math.erf), (erfc, math.erfc)])
def test_they_are_those_of_c(
    function: Callable[[Array], Array], known: Callable[[float], float]
) -> None:
    x = points()
    np.testing.assert_allclose(function(x), [known(v) for v in x], 2e-15, 1e-300)


def test_the_tail_has_all_its_digits() -> None:
    with mpmath.workdps(40):
        for v in np.linspace(1.01, 26, 200):
            exact = mpmath.erfc(mpmath.mpf(float(v)))
            assert abs(mpmath.mpf(float(erfc(np.array(v)))) / exact - 1) < 5e-16


def test_hard_values() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 30, -30, 1e308])
    same(erf(x), np.array([np.nan, 1, -1, 0.0, -0.0, 5e-324, 1, -1, 1]))
    same(erfc(x), np.array([np.nan, 0, 2, 1, 1, 1, 0, 2, 0]))


def test_shapes_and_types(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-3, 3, 35, dtype="f").reshape(5, 7)
    whole = erf(x)
    monkeypatch.setattr(errorfunctions, "_PIECE", 4)
    same(erf(x), whole)
    same(erf(x.T), whole.T)
    same(erf(x[:0]), np.zeros((0, 7)))
    same(erf(np.array(0.5, "f")), np.array(math.erf(0.5)))
