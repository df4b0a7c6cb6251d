"""What the transcendental functions compute: accuracy, and every bit."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from benchmarks.function_ulp import (
    MEASURED,
    ORACLES,
    errors,
    stratified,
    stratified_pairs,
)
from conftest import Golden
from isa.function_samples import (
    bits_of,
    golden_text,
    mutants,
    noticed,
    points,
    rows,
    table_mutants,
    users,
)
from maiacc_isa.function_eval import evaluate
from maiacc_isa.functions import load

NAMES = list(load().functions)

#: The true values, to any precision.
TRUE: dict[str, Callable[..., Any]] = {
    "exp": mpmath.exp,
    "exp_lo": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "atan": mpmath.atan,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "rsqrt": lambda x: 1 / mpmath.sqrt(x),
    "pow": lambda x, y: mpmath.power(x, y),
}


#: Constants with slack: a limit or a scale that does its work a little elsewhere too.
SLACK = {
    "expm1": {"y = max(x, -0x1.4p+4): -0x1.4p+4"},
    "sin": {"b = lt(abs(x), 0x1.92p+0): 0x1.92p+0"},
    "atan": {"g = b * 0x1p+5 + 0x1p+23: 0x1p+5", "g = b * 0x1p+5 + 0x1p+23: 0x1p+23"},
    "tanh": {"a = min(abs(x), 0x1.22e08ap+3): 0x1.22e08ap+3"},
    "erf": {"a = min(abs(x) * 0x1.20dd76p+0, 0x1.1cccccp+2): 0x1.1cccccp+2"},
    "sigmoid": {"y = min(x, 0x1.ep+4): 0x1.ep+4"},
    "silu": {"y = min(x, 0x1.ep+4): 0x1.ep+4"},
    "gelu": {"a = min(abs(x), 0x1.cde1p+3): 0x1.cde1p+3", "k = k - 0x1p+6: 0x1p+6"},
    "pow": {
        "g = select(o, x, 0x1p+0): 0x1p+0",
        "a = select(i, 0x1p+0, a): 0x1p+0",
        "b = max(abs(y), 0x1p-120): 0x1p-120",
        "q = r * 0x1.999706p-3 - 0x1.00096ap-2: 0x1.999706p-3",
    },
}

#: Row and column of table entries that no result depends on: rows that only fill a power of
#: two, and the last coefficients where the function is flat, or an angle too small to matter.
UNREAD = {
    "inv_pi": {(row, 2) for row in range(13)},
    "atan_p": {(row, column) for row in (31, 63) for column in range(4)},
    "erf_p": {*((row, 3) for row in (58, 59, 60, 61)), *((63, column) for column in range(5))},
    "gelu_p": {(row, column) for row in (62, 63) for column in (3, 4)},
}


def _measured() -> dict[str, Any]:
    return tomllib.loads(MEASURED.read_text("utf-8"))


def _cases(name: str) -> list[np.ndarray[Any, Any]]:
    """The stored worst cases of a function: one array per parameter, then the results."""
    rows = [[int(bits, 16) for bits in case] for case in _measured()[name]["cases"]]
    return [np.array(column, np.uint32).view(np.float32) for column in zip(*rows, strict=True)]


def _inputs(name: str, count: int, seed: int) -> tuple[np.ndarray[Any, Any], ...]:
    return stratified_pairs(count, seed) if name == "pow" else (stratified(count, seed),)


@pytest.mark.parametrize("name", NAMES)
def test_errors_stay_within_the_promise(name: str) -> None:
    measured = _measured()[name]
    worst = errors(name, *_inputs(name, 60_000, seed=2)).max()
    assert worst <= load().functions[name].ulp
    assert worst <= measured["ulp"] + 1e-4 or not measured["exhaustive"]


@pytest.mark.parametrize("name", NAMES)
def test_errors_stay_within_the_promise_at_thresholds(name: str) -> None:
    assert errors(name, *points(name)).max() <= load().functions[name].ulp


@pytest.mark.parametrize("name", NAMES)
def test_signs_are_those_of_the_true_values(name: str) -> None:
    x = [np.concatenate(pair) for pair in zip(points(name), _inputs(name, 60_000, 4), strict=True)]
    got = evaluate(name, *x)
    with np.errstate(all="ignore"):
        true = ORACLES[name](*(column.astype(np.float64) for column in x))
    # The one result that promises another sign: silu far below zero.
    right = np.isnan(true) | (np.signbit(got) == np.signbit(true))
    assert np.all(right | ((name == "silu") & (x[0] < -110.6) & (got == 0)))


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_worst_cases_are_as_recorded(name: str) -> None:
    *inputs, results = _cases(name)
    seen = errors(name, *inputs)
    assert np.array_equal(bits_of(name, *inputs), results.view(np.uint32))
    assert seen[0] == pytest.approx(_measured()[name]["ulp"], abs=1e-3)
    assert np.all(np.diff(seen) <= 1e-3)
    assert _measured()[name]["ulp"] <= load().functions[name].ulp


def test_every_function_of_one_argument_was_tried_with_every_input() -> None:
    measured = _measured()
    assert list(measured) == NAMES
    for name, function in load().functions.items():
        exhaustive = len(function.params) == 1
        assert measured[name]["exhaustive"] == exhaustive, name
        assert measured[name]["inputs"] >= (1 << 32 if exhaustive else 1 << 28), name


@pytest.mark.parametrize("name", NAMES)
def test_results_are_the_recorded_ones_to_the_bit(name: str, golden: Golden) -> None:
    golden(f"functions/{name}.txt", golden_text(name))


@pytest.mark.parametrize("name", NAMES)
def test_one_wrong_bit_of_a_constant_is_noticed(name: str) -> None:
    function = load().functions[name]
    missed = {where for where, changed in mutants(function) if not noticed(name, changed)}
    assert missed == SLACK.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_constant_breaks_the_promise(name: str) -> None:
    function = load().functions[name]
    inputs = _inputs(name, 10_000, seed=5)
    worst = []
    for _, changed in mutants(function):
        with rows(changed):
            worst.append(errors(name, *inputs).max())
    assert max(worst) > function.ulp


@pytest.mark.parametrize("name", list(load().tables))
def test_one_wrong_bit_of_a_table_is_noticed(name: str) -> None:
    table = load().tables[name]
    missed = {
        (row, column)
        for row, column, changed in table_mutants(table)
        if not any(noticed(user, changed) for user in users(table))
    }
    assert missed == UNREAD.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_the_oracle_agrees_with_mpmath(name: str) -> None:
    x = [np.concatenate(pair) for pair in zip(_cases(name), _inputs(name, 300, 3), strict=False)]
    x = [column[np.all(np.isfinite(x), axis=0)] for column in x]
    got, seen = evaluate(name, *x), errors(name, *x)
    with mpmath.workdps(50):
        for index in np.flatnonzero(np.isfinite(got) & (got != 0)):
            true = TRUE[name](*(mpmath.mpf(float(column[index])) for column in x))
            nearest = np.float32(float(true))
            exponent = int(np.frexp(nearest)[1]) - 24 if nearest else -149
            unit = mpmath.mpf(2) ** max(exponent, -149)
            exact = float(abs(mpmath.mpf(float(got[index])) - true) / unit)
            assert exact == pytest.approx(seen[index], rel=1e-6, abs=1e-4), index
