"""Products of matrices against loops over exact scalars."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maiacc_sim.arith.contraction import multiply
from maiacc_sim.arith.convert import from_float32
from sim.arith_oracle import NAN, draw, edges, value
from sim.contraction_oracle import (
    FLOAT_PAIRS,
    INTEGER_PAIRS,
    WEIGHT_PAIRS,
    accumulators,
    dense,
    expected,
    moderate,
    same,
    scale_products,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize(("ta", "tb"), FLOAT_PAIRS)
def test_float_pairs(ta: str, tb: str) -> None:
    rng = np.random.default_rng(1)
    for drawn in (moderate, draw):
        a, b = drawn(rng, ta, (4, 37)), drawn(rng, tb, (5, 37))
        acc = accumulators(rng, (4, 5))
        same(multiply(acc, a, ta, b, tb), expected(acc, a, ta, dense(b, tb), None, 0))


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_edges_meet_edges(dtype: str) -> None:
    """Every edge times every edge onto accumulators that are edges, too."""
    values = edges().view(np.float32)
    column = from_float32(values, dtype)[:, None]
    for start in edges()[::3]:
        acc = np.full((len(values), len(values)), start, np.uint32)
        same(
            multiply(acc, column, dtype, column, dtype),
            expected(acc, column, dtype, dense(column, dtype), None, 0),
        )


def test_the_fused_product_is_not_two_roundings() -> None:
    a = np.array([[1 + 2.0**-23]], np.float32).view(np.uint32)
    acc = np.array([[-(1 + 2.0**-22)]], np.float32).view(np.uint32)
    found = multiply(acc, a, "fp32", a, "fp32").view(np.float32)
    assert found.tolist() == [[2.0**-46]]


@pytest.mark.parametrize(("ta", "tb"), INTEGER_PAIRS)
def test_integer_pairs_wrap(ta: str, tb: str) -> None:
    rng = np.random.default_rng(2)
    a, b = draw(rng, ta, (3, 50)), draw(rng, tb, (4, 50))
    a[0], b[0] = 0x80, 0xFF
    acc = np.array([[0x7FFFFFF0, 0xFFFFFFFF, 0, 5]] * 3, np.uint32)
    want = [
        [
            (
                int(acc[m, n])
                + sum(value(x, ta) * value(y, tb) for x, y in zip(row, column, strict=True))
            )
            % 2**32
            for n, column in enumerate(b.tolist())
        ]
        for m, row in enumerate(a.tolist())
    ]
    same(multiply(acc, a, ta, b, tb), np.array(want, np.uint32))


@pytest.mark.parametrize(("ta", "tb"), [(a, b) for a, b in FLOAT_PAIRS if a[0] == b[0] == "e"])
@pytest.mark.parametrize("which", ["a", "b", "ab"])
def test_mx_pairs(ta: str, tb: str, which: str) -> None:
    rng = np.random.default_rng(3)
    a, b = moderate(rng, ta, (2, 96)), moderate(rng, tb, (3, 96))
    acc = accumulators(rng, (2, 3))
    codes = {"a": draw(rng, "e8m0", (2, 3)), "b": draw(rng, "e8m0", (3, 3))}
    codes["a"][0] = 120 + codes["a"][0] % 16
    codes["b"][:2] = 120 + codes["b"][:2] % 16
    scale_a = (codes["a"], "e8m0") if "a" in which else None
    scale_b = (codes["b"], "e8m0") if "b" in which else None
    scales = scale_products(scale_a, scale_b, 2, 3, 3)
    found = multiply(acc, a, ta, b, tb, scale_a, scale_b, 32)
    same(found, expected(acc, a, ta, dense(b, tb), scales, 32))


@pytest.mark.parametrize(("ta", "tb"), WEIGHT_PAIRS)
@pytest.mark.parametrize("scale", ["fp32", "bf16", "fp16"])
def test_integer_weights_with_group_scales(ta: str, tb: str, scale: str) -> None:
    rng = np.random.default_rng(4)
    a, b = moderate(rng, ta, (3, 96)), draw(rng, tb, (2, 96))
    acc = accumulators(rng, (3, 2))
    scale_b = (moderate(rng, scale, (2, 2)), scale)
    scales = scale_products(None, scale_b, 3, 2, 2)
    found = multiply(acc, a, ta, b, tb, None, scale_b, 48)
    same(found, expected(acc, a, ta, dense(b, tb), scales, 48))


def test_a_scale_that_is_nan_makes_the_element_nan() -> None:
    ones = np.full((1, 32), 0x38, np.uint8)
    acc = np.zeros((1, 1), np.uint32)
    nan = (np.array([[0xFF]], np.uint8), "e8m0")
    assert multiply(acc, ones, "e4m3", ones, "e4m3", nan, None, 32).tolist() == [[NAN]]
    assert multiply(acc, ones * 0, "e4m3", ones, "e4m3", None, nan, 32).tolist() == [[NAN]]


def test_scales_beyond_fp32_meet_in_fp64() -> None:
    """2^127 * 2^-127 is 1, and 2^-254 is no zero that turns an infinity into NaN."""
    ones = np.full((1, 32), 0x38, np.uint8)
    acc = np.zeros((1, 1), np.uint32)
    high, low = ((np.array([[code]], np.uint8), "e8m0") for code in (254, 0))
    found = multiply(acc, ones, "e4m3", ones, "e4m3", high, low, 32)
    assert found.view(np.float32).tolist() == [[32.0]]
    infinite = np.full((1, 32), 0x7C, np.uint8)
    found = multiply(acc, infinite, "e5m2", ones, "e4m3", low, low, 32)
    assert found.view(np.float32).tolist() == [[math.inf]]


def test_nothing_to_multiply_leaves_the_accumulators() -> None:
    acc = np.array([[0xFFC00001, 1]], np.uint32)
    none = np.zeros((1, 0), np.uint16), np.zeros((2, 0), np.uint16)
    assert multiply(acc, none[0], "bf16", none[1], "bf16").tolist() == acc.tolist()


def test_nan_results_are_canonical() -> None:
    a = np.array([[0xFFC1]], np.uint16)
    b = np.array([[0x3F80]], np.uint16)
    acc = np.zeros((1, 1), np.uint32)
    assert multiply(acc, a, "bf16", b, "bf16").tolist() == [[NAN]]
    dirty = np.array([[0xFF812345]], np.uint32)
    assert multiply(dirty, b, "bf16", b, "bf16").tolist() == [[NAN]]
    infinite = np.array([[0x7C, 0xFC] * 16], np.uint8)
    ones = np.full((1, 32), 0x3C, np.uint8)
    scale = (np.array([[127]], np.uint8), "e8m0")
    assert multiply(acc, infinite, "e5m2", ones, "e5m2", scale, None, 32).tolist() == [[NAN]]
    assert multiply(acc, infinite, "e5m2", ones, "e5m2").tolist() == [[NAN]]
