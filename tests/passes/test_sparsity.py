"""Methods of pruning, beside what can be said about them by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from maiacc import options
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array
from maiacc_passes.pruning import Prune
from maiacc_passes.sparsity import activations
from maiacc_passes.sparsity.activations import Activations
from maiacc_passes.sparsity.methods import magnitude, rounding, sparsegpt, wanda
from maiacc_passes.sparsity.pattern import METHODS, PATTERNS, pattern_of

FP32 = rounding(ELEMENTS["fp32"])


def seen(x: Array) -> Activations:
    """The activations of some rows."""
    found = Activations(x.shape[1])
    found.add([x.astype(np.float64)])
    return found


def correlated(rows: int, columns: int, seed: int = 0) -> Array:
    """Rows whose elements go together, as those of networks do, some much larger than others."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((rows, columns // 4)) @ rng.standard_normal((columns // 4, columns))
    scale = np.exp(rng.standard_normal(columns))
    found: Array = (mixed + 0.3 * rng.standard_normal((rows, columns))) * scale
    return found


def weights(rows: int, columns: int, seed: int = 1) -> Array:
    """Normally distributed ones."""
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def second(w: Array, pattern: str, x: Activations) -> Array:
    """What sparsegpt makes of fp32 weights."""
    found = sparsegpt(w, pattern_of(pattern), x, FP32)
    assert found is not None
    assert found.dtype == w.dtype
    return found


def all_of(method: str, w: Array, pattern: str, x: Activations) -> Array:
    """What a method makes of fp32 weights."""
    if method == "magnitude":
        return magnitude(w, pattern_of(pattern))
    return wanda(w, pattern_of(pattern), x) if method == "wanda" else second(w, pattern, x)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", METHODS)
def test_exactly_n_of_m_are_kept_and_two_of_four_at_most(method: str, pattern: str) -> None:
    w = weights(24, 304)
    found = all_of(method, w, pattern, seen(correlated(500, 304)))
    keep, _, of = pattern.partition(":")
    groups = found.reshape(24, -1, int(of))
    assert (np.count_nonzero(groups, axis=-1) == int(keep)).all()
    assert pattern_of("2:4").holds(found)
    if method != "sparsegpt":
        assert np.array_equal(found[found != 0], w[found != 0])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_makes_up_for_losses_is_better_than_what_does_not(pattern: str) -> None:
    x = seen(correlated(500, 304))
    w = weights(24, 304)
    errors = [x.error(w, all_of(method, w, pattern, x)) for method in METHODS]
    assert errors[2] < errors[1] < errors[0]


def test_without_correlation_all_methods_keep_the_same() -> None:
    x = seen(3 * np.eye(144))
    w = weights(24, 144)
    masks = [all_of(method, w, "2:4", x) != 0 for method in METHODS]
    assert np.array_equal(masks[0], masks[1])
    assert np.array_equal(masks[0], masks[2])
    # Nothing can be made up for, either.
    assert np.array_equal(second(w, "2:4", x), magnitude(w, pattern_of("2:4")))


def test_wanda_is_the_product_with_the_norms() -> None:
    x = correlated(50, 16)
    w = weights(3, 16)
    found = wanda(w, pattern_of("2:4"), seen(x))
    norms = np.sqrt((x**2).sum(0))
    for row, kept in zip(w, found, strict=True):
        for at in range(0, 16, 4):
            best = max(
                combinations(range(at, at + 4), 2),
                key=lambda pair: sum(abs(row[j]) * norms[j] for j in pair),
            )
            assert (np.flatnonzero(kept[at : at + 4]) + at).tolist() == list(best)


def test_the_last_group_is_refitted_exactly() -> None:
    # Of one group of two columns one is dropped: the other is then the damped least squares fit.
    x = correlated(40, 8)[:, :2]
    w = weights(5, 2)
    found = second(w, "1:2", seen(x))
    h = x.T @ x
    h += 0.01 * np.trace(h) / 2 * np.eye(2)
    inverse = np.linalg.inv(h)
    for row, new in zip(w.astype(np.float64), found, strict=True):
        # Whether column 0 goes is decided by [H^-1]_00, the other by what is left of H: 1 / h_11.
        gone = 0 if row[0] ** 2 / inverse[0, 0] < row[1] ** 2 * h[1, 1] else 1
        wanted = row.copy()
        wanted[gone] = 0
        if gone == 0:
            wanted[1] = row[1] + h[1, 0] / h[1, 1] * row[0]
        assert np.allclose(new, wanted, rtol=1e-6)


def test_later_blocks_make_up_for_earlier_ones() -> None:
    # Column 0 and column 200, in another block, are the same: what goes of one is in the other.
    x = np.random.default_rng(0).standard_normal((300, 256))
    x[:, 200] = x[:, 0]
    w = np.zeros((1, 256), np.float32)
    w[0, [0, 1, 2, 200]] = 0.1, 1, 1, 5
    found = second(w, "2:4", seen(x))
    assert found[0, 0] == 0
    assert found[0, 200] == pytest.approx(5.1, abs=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_of_equals_the_first_are_kept(method: str) -> None:
    w = np.full((3, 16), 2, np.int8)
    x = seen(np.eye(16))
    if method == "sparsegpt":
        found = sparsegpt(w, pattern_of("2:4"), x, rounding(ELEMENTS["int8"]))
    else:
        found = all_of(method, w, "2:4", x)
    assert found is not None
    assert found.dtype == np.int8
    assert np.array_equal(found, np.tile(np.array([2, 2, 0, 0], np.int8), (3, 4)))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "fp16", "bf16", "e4m3", "e5m2"])
def test_results_have_the_type_of_the_weight(dtype: str) -> None:
    element = ELEMENTS[dtype]
    w = np.clip(60 * weights(8, 64), 0 if dtype == "uint8" else -120, 120).astype(element.numpy)
    found = sparsegpt(w, pattern_of("2:4"), seen(correlated(200, 64)), rounding(element))
    assert found is not None
    assert found.dtype == w.dtype
    assert np.isfinite(found.astype(np.float32)).all()
    assert pattern_of("2:4").holds(found)
    most = rounding(element)(np.array([1e9]))
    assert np.array_equal(most, most.astype(element.numpy).astype(np.float64))


def test_a_dead_input_is_worth_less_than_any_other_and_magnitude_decides_among_them() -> None:
    x = correlated(100, 16)
    x[:, [1, 2, 4, 5, 6, 7]] = 0
    w = weights(6, 16)
    w[:, [1, 2]] *= 100
    for found in (wanda(w, pattern_of("2:4"), seen(x)), second(w, "2:4", seen(x))):
        assert (found[:, [0, 3]] != 0).all()
        largest = magnitude(w[:, 4:8], pattern_of("2:4"))
        assert np.array_equal(found[:, 4:8], largest)
        assert np.isfinite(found).all()
    nothing = seen(np.zeros((5, 16)))
    for method in METHODS:
        assert np.array_equal(all_of(method, w, "2:4", nothing), magnitude(w, pattern_of("2:4")))


def test_few_rows_are_enough() -> None:
    w = weights(8, 64)
    x = seen(correlated(3, 64))
    assert x.error(w, second(w, "2:4", x)) < x.error(w, magnitude(w, pattern_of("2:4")))


def test_errors_are_those_of_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = correlated(100, 32), weights(8, 32)
    pruned = magnitude(w, pattern_of("2:4"))
    wanted = np.linalg.norm(x @ (w - pruned).T) / np.linalg.norm(x @ w.T)
    assert seen(x).error(w, pruned) == pytest.approx(wanted)
    monkeypatch.setattr(activations, "COLUMNS", 31)
    sampled = seen(x)
    assert sampled.hessian is None
    assert sampled.error(w, pruned) == pytest.approx(wanted, rel=0.5)
    assert sparsegpt(w, pattern_of("2:4"), sampled, FP32) is None


def test_options_are_those_of_the_pass() -> None:
    assert ("none", *PATTERNS) == options.SPARSITIES
    assert options.METHODS == METHODS
    for pattern, method in (("4:8", "magnitude"), ("2:4", "wanda")):
        with pytest.raises(IRError) as refused:
            Prune(pattern, method=method)
        assert refused.value.code == "E1413"
