"""The fused multiply-add of fp32, which numpy does not have."""

from __future__ import annotations

import numpy as np

from maiacc_sim.arith.floats import Array, canonical


def fma32(a: Array, b: Array, c: Array) -> Array:
    """a * b + c of float32 arrays with a single rounding; NaN results are canonical."""
    with np.errstate(all="ignore"):
        # 24 bits times 24 bits fit the 53 of float64, and so do all exponents.
        product = a.astype(np.float64) * b.astype(np.float64)
        addend = c.astype(np.float64)
        total = product + addend
        # The two-sum of Knuth: total + error is the exact sum.
        part = total - product
        error = (product - (total - part)) + (addend - part)
        return canonical(_to_odd(total, error).astype(np.float32))


def _to_odd(total: Array, error: Array) -> Array:
    """total + error in float64, rounded to odd, from the sum rounded to nearest and its error.

    Of the two neighbours of an inexact sum it takes the one whose last bit is 1. That keeps
    the sum off the midpoints of fp32, where a second rounding could err.
    """
    bits = total.view(np.int64)
    even = np.isfinite(total) & (error != 0) & (bits & 1 == 0)
    outwards = (error > 0) == (total > 0)
    step = np.where(outwards, 1, -1)
    return np.where(even, bits + step, bits).view(np.float64)
