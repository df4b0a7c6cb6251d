"""fma32 against exact integers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from maiacc_isa import formats
from maiacc_sim.arith.fma import fma32
from sim.arith_oracle import Codes, edges, fma_code


def check(a: Codes, b: Codes, c: Codes) -> Codes:
    """Compares fma32 with the oracle, and returns its results."""
    values = (codes.astype(np.uint32).view(np.float32) for codes in (a, b, c))
    found = fma32(*values).view(np.uint32)
    triples = zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
    expected = np.array([fma_code(*triple) for triple in triples], np.uint32)
    wrong = np.flatnonzero(found != expected)
    assert wrong.size == 0, [f"{codes[wrong[0]]:08x}" for codes in (a, b, c, found, expected)]
    return found


def drawn(seed: int, count: int) -> tuple[np.random.Generator, Codes, Codes, Codes]:
    """Three arrays of any bits; the random numbers that follow."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << 32, (3, count), np.uint64).astype(np.uint32)
    return rng, codes[0], codes[1], codes[2]


def with_exponent(codes: Codes, exponent: Codes) -> Codes:
    """Codes with another exponent field, kept within 0 and 254."""
    field = np.clip(exponent, 0, 254).astype(np.uint32)
    return (codes & np.uint32(0x807FFFFF)) | field << np.uint32(23)


def exponents(codes: Codes) -> Codes:
    return (codes >> np.uint32(23) & np.uint32(0xFF)).astype(np.int64)


def test_the_oracle_against_fractions() -> None:
    rng, a, b, c = drawn(1, 4000)
    near = with_exponent(c, exponents(a) + exponents(b) - 127 + rng.integers(-30, 30, 4000))
    for triple in zip(a.tolist(), b.tolist(), near.tolist(), strict=True):
        x, y, z = (formats.decode("fp32", code) for code in triple)
        if all(map(math.isfinite, (x, y, z))):
            exact = Fraction(x) * Fraction(y) + Fraction(z)
            if exact:
                assert fma_code(*triple) == formats.encode("fp32", exact)


def test_any_bits() -> None:
    found = check(*drawn(2, 60_000)[1:])
    assert len(np.unique(exponents(found))) > 250


def test_addends_of_the_products_size() -> None:
    """Exponents that let the addend reach into the product, and cancel it."""
    rng, a, b, c = drawn(3, 80_000)
    a = with_exponent(a, rng.integers(60, 190, a.size))
    b = with_exponent(b, rng.integers(60, 190, b.size))
    check(a, b, with_exponent(c, exponents(a) + exponents(b) - 127 + rng.integers(-55, 55, a.size)))


def test_results_that_are_denormal_or_underflow() -> None:
    rng, a, b, c = drawn(4, 40_000)
    a = with_exponent(a, rng.integers(0, 127, a.size))
    b = with_exponent(b, 127 - exponents(a) + rng.integers(-40, 10, a.size))
    found = check(a, b, with_exponent(c, rng.integers(0, 4, a.size)))
    assert (exponents(found) == 0).sum() > 5000


def test_results_at_the_upper_end() -> None:
    rng, a, b, c = drawn(5, 20_000)
    a = with_exponent(a, rng.integers(127, 255, a.size))
    b = with_exponent(b, 381 - exponents(a) + rng.integers(-3, 3, a.size))
    found = check(a, b, with_exponent(c, rng.integers(225, 255, a.size)))
    assert 1000 < (exponents(found) == 255).sum() < 19_000


def test_sums_beside_midpoints() -> None:
    """A product on a midpoint of fp32, and addends that tip it: what two roundings get wrong."""
    rng = np.random.default_rng(6)
    count = 40_000
    a = (rng.integers(1 << 11, 1 << 12, count) * 2 + 1).astype(np.float32)
    b = (rng.integers(1 << 11, 1 << 12, count) * 2 + 1).astype(np.float32)
    product = a.astype(np.float64) * b
    # An odd number of 25 bits lies in the middle between two fp32 numbers.
    assert ((product >= 2.0**24) & (product < 2.0**25)).sum() > 10_000
    # Whole powers of two, and numbers that round to the next fp64 number.
    size = np.where(rng.random(count) < 0.5, 1.0, rng.uniform(1, 2, count))
    power = np.where(rng.random(count) < 0.5, rng.integers(-149, 2, count), -29)
    c = np.ldexp(rng.choice([-1.0, 1.0], count) * size, power).astype(np.float32)
    check(*(values.view(np.uint32) for values in (a, b, c)))
    twice = (product + c).astype(np.float32)
    assert (twice != fma32(a, b, c)).sum() > 1000


def test_sums_that_cancel() -> None:
    rng, a, b, _ = drawn(7, 30_000)
    a = with_exponent(a, rng.integers(70, 180, a.size))
    b = with_exponent(b, rng.integers(70, 180, b.size))
    product = a.view(np.float32).astype(np.float64) * b.view(np.float32)
    nearly = (-product).astype(np.float32)
    shifted = nearly.view(np.uint32) + rng.integers(-2, 3, a.size).astype(np.uint32)
    found = check(a, b, shifted)
    assert (exponents(found) < exponents(shifted) - 20).sum() > 5000


def test_edges_in_every_combination() -> None:
    codes = edges()
    a, b, c = (grid.reshape(-1) for grid in np.meshgrid(codes, codes, codes))
    found = check(a, b, c)
    assert (found == 0x80000000).any()
    assert set(found[np.isnan(found.view(np.float32))].tolist()) == {0x7FC00000}


@pytest.mark.parametrize("shape", [(0,), (3, 1), (1, 4)])
def test_shapes_broadcast(shape: tuple[int, ...]) -> None:
    one = np.ones(shape, np.float32)
    other = np.full((1,) * len(shape), 2, np.float32)
    assert fma32(one, other, one).shape == shape
