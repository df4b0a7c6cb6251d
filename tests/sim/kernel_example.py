"""Inputs for a kernel, and what must come out of it: to the bit, or within a bound.

Nothing here shares code with the simulator: numbers of narrow types come from ``ml_dtypes``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Sizes: TypeAlias = Mapping[str, int]

#: Types of the machine that numpy has by another library.
TYPES: dict[str, Any] = {
    "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e2m1": ml_dtypes.float4_e2m1fn,
    "e8m0": ml_dtypes.float8_e8m0fnu,
    "int4": ml_dtypes.int4,
}

#: Largest integer up to which all integers are numbers of a type.
WHOLE = {"bf16": 1 << 8, "e4m3": 1 << 4, "fp32": 1 << 24}


@dataclass(frozen=True)
class Wanted:
    """An output: as the host gets it, or numbers and how far each may be off."""

    values: Array
    bound: Array | None = None

    def wrong(self, found: Array) -> Array:
        """Where an output is not what it should be."""
        assert found.shape == self.values.shape
        if self.bound is None:
            assert found.dtype == self.values.dtype
            return np.not_equal(_bits(found), _bits(self.values))
        within: Array = np.abs(numbers(found) - self.values) <= self.bound
        return ~within  # a NaN is within no bound

    def nudged(self, at: int) -> Wanted:
        """The same with one element changed, by a bit or a little more than is allowed: what
        is as far off as it may be, in the one direction, is wrong then."""
        values = self.values.copy()
        if self.bound is None:
            _bits(values).flat[at] ^= 1
        else:
            values.flat[at] += 2.01 * self.bound.flat[at]
        return Wanted(values, self.bound)


Answer: TypeAlias = dict[str, Wanted]


@dataclass(frozen=True)
class Example:
    """What goes in and must come out, and answers of programs that do something else: each of
    them must be told from the right one."""

    inputs: dict[str, Array]
    answer: Answer
    mistakes: dict[str, Callable[[], Answer]] = field(default_factory=dict)
    parameters: dict[str, int] = field(default_factory=dict)


#: Makes an example of some sizes; data of the same sizes come in several kinds, from 0.
Maker: TypeAlias = Callable[[Sizes, np.random.Generator, int], Example]


def _bits(array: Array) -> Array:
    return array.view(np.uint8 if array.dtype == np.bool_ else f"u{array.itemsize}")


def numbers(found: Array) -> Array:
    """An output of bf16 codes or fp32 as float64."""
    real = found.view(ml_dtypes.bfloat16) if found.dtype == np.uint16 else found
    result: Array = real.astype(np.float64)
    return result


# ---- inputs ---------------------------------------------------------------------------------


def host(values: Array, dtype: str) -> Array:
    """Numbers as the host gives them, all of which the type has."""
    result: Array = values.astype(np.float32).astype(TYPES.get(dtype, np.float32))
    assert np.array_equal(result.astype(np.float64), values)
    return result


def whole(rng: np.random.Generator, shape: tuple[int, ...], most: int) -> Array:
    """Integers from minus ``most`` to ``most``, as float64."""
    return rng.integers(-most, most + 1, shape).astype(np.float64)


def most(terms: int, dtype: str) -> int:
    """The largest magnitude such that sums of so many products of two are exact in fp32."""
    return min(isqrt((1 << 24) // terms), WHOLE[dtype])


def reals(
    rng: np.random.Generator, shape: tuple[int, ...], size: float = 1.0, middle: float = 0.0
) -> Array:
    """Normally distributed numbers of bf16, as float64."""
    drawn = (middle + size * rng.standard_normal(shape)).astype(np.float32)
    result: Array = drawn.astype(ml_dtypes.bfloat16).astype(np.float64)
    return result


# ---- exact results --------------------------------------------------------------------------


def product(a: Array, b: Array, unit: float = 1.0) -> Array:
    """a times b, of numbers whose products are multiples of ``unit``, such that every partial
    sum is a number of fp32, in whatever order terms are added."""
    assert (np.abs(a) @ np.abs(b)).max() <= (1 << 24) * unit
    result: Array = a @ b
    return result


def rounded(values: Array) -> Wanted:
    """Numbers of fp32 after one rounding to bf16."""
    single = values.astype(np.float32)
    assert np.array_equal(single.astype(np.float64), values)
    return Wanted(single.astype(ml_dtypes.bfloat16).view(np.uint16))


def cut(values: Array) -> Wanted:
    """Numbers of fp32 cut off to bf16, which is wrong."""
    codes = values.astype(np.float32).view(np.uint32) >> np.uint32(16)
    return Wanted(codes.astype(np.uint16))
