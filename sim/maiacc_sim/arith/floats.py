"""What fp32 values have in common everywhere: one NaN, and the order of ``min`` and ``max``."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

SIGN = np.uint32(0x80000000)

#: The NaN that operations produce.
NAN = np.array(0x7FC00000, np.uint32).view(np.float32)


def canonical(x: Array) -> Array:
    """fp32 values with every NaN replaced by the canonical one."""
    return np.where(np.isnan(x), NAN, x)


def to_keys(x: Array) -> Array:
    """uint32 numbers in the order of fp32 values: -inf, ..., -0, +0, ..., +inf."""
    bits = x.view(np.uint32)
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def from_keys(keys: Array) -> Array:
    """The fp32 values of ``to_keys``."""
    return np.where(keys & SIGN, keys ^ SIGN, ~keys).view(np.float32)


def smaller(x: Array, y: Array) -> Array:
    """The smaller; -0 is below +0; NaN if either is NaN."""
    least = np.where(to_keys(x) <= to_keys(y), x, y)
    return np.where(np.isnan(x) | np.isnan(y), NAN, least)


def larger(x: Array, y: Array) -> Array:
    """The larger; +0 is above -0; NaN if either is NaN."""
    most = np.where(to_keys(x) >= to_keys(y), x, y)
    return np.where(np.isnan(x) | np.isnan(y), NAN, most)
