"""2:4 sparse products against loops over exact scalars."""

from __future__ import annotations

import math

import numpy as np
import pytest

from maiacc_sim.arith.contraction import multiply, multiply_sparse
from maiacc_sim.arith.convert import container
from maiacc_sim.traps import Trap
from sim.arith_oracle import draw
from sim.contraction_oracle import (
    INTEGER_PAIRS,
    accumulators,
    expected,
    moderate,
    same,
    scale_products,
    sparse,
)

pytestmark = pytest.mark.filterwarnings("error")

NIBBLES = (4, 8, 9, 12, 13, 14)


@pytest.mark.parametrize(
    ("ta", "tb"), [("bf16", "bf16"), ("fp32", "fp32"), ("e4m3", "e2m1"), ("e5m2", "e3m2")]
)
def test_sparse_floats(ta: str, tb: str) -> None:
    rng = np.random.default_rng(5)
    a, b = moderate(rng, ta, (3, 64)), moderate(rng, tb, (4, 32))
    meta = rng.choice(NIBBLES, (4, 16)).astype(np.uint8)
    acc = accumulators(rng, (3, 4))
    same(
        multiply_sparse(acc, a, ta, b, tb, meta), expected(acc, a, ta, sparse(b, tb, meta), None, 0)
    )


@pytest.mark.parametrize(("ta", "tb"), INTEGER_PAIRS)
def test_sparse_integers(ta: str, tb: str) -> None:
    rng = np.random.default_rng(6)
    a, b = draw(rng, ta, (3, 16)), draw(rng, tb, (4, 8))
    meta = rng.choice(NIBBLES, (4, 4)).astype(np.uint8)
    acc = draw(rng, "int32", (3, 4))
    full = np.zeros((4, 16), container(tb))
    for n in range(4):
        for q in range(4):
            full[n, 4 * q + (meta[n, q] & 3)] = b[n, 2 * q]
            full[n, 4 * q + (meta[n, q] >> 2)] = b[n, 2 * q + 1]
    same(multiply_sparse(acc, a, ta, b, tb, meta), multiply(acc, a, ta, full, tb))


def test_sparse_with_scales_of_logical_groups() -> None:
    rng = np.random.default_rng(7)
    a, b = moderate(rng, "e4m3", (2, 64)), moderate(rng, "e2m1", (3, 32))
    meta = rng.choice(NIBBLES, (3, 16)).astype(np.uint8)
    acc = accumulators(rng, (2, 3))
    scale_a = (rng.integers(120, 134, (2, 2)).astype(np.uint8), "e8m0")
    scale_b = (rng.integers(120, 134, (3, 2)).astype(np.uint8), "e8m0")
    scales = scale_products(scale_a, scale_b, 2, 3, 2)
    found = multiply_sparse(acc, a, "e4m3", b, "e2m1", meta, scale_a, scale_b, 32)
    same(found, expected(acc, a, "e4m3", sparse(b, "e2m1", meta), scales, 32))
    int4 = draw(rng, "int4", (3, 32))
    scale = (moderate(rng, "fp32", (3, 4)), "fp32")
    brain = moderate(rng, "bf16", (2, 64))
    found = multiply_sparse(acc, brain, "bf16", int4, "int4", meta, None, scale, 16)
    scales = scale_products(None, scale, 2, 3, 4)
    same(found, expected(acc, brain, "bf16", sparse(int4, "int4", meta), scales, 16))


def test_a_skipped_zero_never_meets_an_infinity() -> None:
    a = np.array([[1.0, math.inf, 2.0, math.nan]], np.float32).view(np.uint32)
    b = np.array([[1.0, 1.0]], np.float32).view(np.uint32)
    acc = np.zeros((1, 1), np.uint32)
    kept = np.array([[0 | 2 << 2]], np.uint8)
    assert multiply_sparse(acc, a, "fp32", b, "fp32", kept).view(np.float32).tolist() == [[3.0]]


@pytest.mark.parametrize("nibble", range(16))
def test_illegal_nibbles_trap(nibble: int) -> None:
    a, b = np.ones((1, 8), np.uint8), np.ones((1, 4), np.uint8)
    acc = np.zeros((1, 1), np.uint32)
    meta = np.array([[4, nibble]], np.uint8)
    if nibble in NIBBLES:
        assert multiply_sparse(acc, a, "int8", b, "int8", meta).tolist() == [[4]]
        return
    for dtype in ("int8", "e4m3"):
        with pytest.raises(Trap) as caught:
            multiply_sparse(acc, a, dtype, b, dtype, meta)
        assert caught.value.name == "metadata"
        assert caught.value.found == str(nibble)
