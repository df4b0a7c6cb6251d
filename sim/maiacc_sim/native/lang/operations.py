"""The operations that native functions use and Python has no sign for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maiacc_sim.native.lang.names import Array, Lanes, Mask, N, T, V, f32x16, not_here


def unrolled(*bounds: int) -> Iterator[int]:
    """As ``range``, with the body written once for each turn; bounds are constants."""
    not_here()


def udiv(a: int, b: int) -> int:
    """a / b of unsigned numbers; b is not 0. Quicker than ``//``."""
    not_here()


def urem(a: int, b: int) -> int:
    """The remainder of unsigned numbers; b is not 0."""
    not_here()


def sdiv(a: int, b: int) -> int:
    """a / b cut off; b is not 0, and the quotient fits."""
    not_here()


def ult(a: int, b: int) -> bool:
    """a < b of unsigned numbers. True for 0 <= a < b whenever b is not negative."""
    not_here()


def ult_lanes(a: V, b: V) -> Mask:
    """a < b of unsigned lanes."""
    not_here()


def lshr(a: N, count: int) -> N:
    """a shifted right, zeros entering."""
    not_here()


def lshr_lanes(a: V, count: V | int) -> V:
    """Lanes shifted right, zeros entering."""
    not_here()


def smallest(a: int, b: int) -> int:
    """The smaller of two integers."""
    not_here()


def largest(a: int, b: int) -> int:
    """The larger of two integers."""
    not_here()


def mul_fits(a: int, b: int) -> bool:
    """Whether a * b fits 64 bits."""
    not_here()


def add_fits(a: int, b: int) -> bool:
    """Whether a + b fits 64 bits."""
    not_here()


def choose(condition: Any, a: T, b: T) -> T:
    """a where the condition holds, else b; both are computed."""
    not_here()


def convert(kind: type[T], value: Any) -> T:
    """A number as another type: floats to integers are truncated and must fit, integers to
    floats rounded, wide integers cut, narrow ones extended as their own type says."""
    not_here()


def bits(kind: type[T], value: Any) -> T:
    """The same bits read as another type of as many bits."""
    not_here()


def pointer(kind: type[T], array: Any) -> Array[T]:
    """The same address seen as one of other elements."""
    not_here()


def address(array: Any) -> int:
    """An address as a number."""
    not_here()


def at_address(kind: type[T], number: int) -> Array[T]:
    """The elements at an address given as a number."""
    not_here()


def local_array(kind: type[T], count: int) -> Array[T]:
    """Memory of this call alone; the count is constant."""
    not_here()


def local_record(kind: type[T]) -> T:
    """A record of this call alone."""
    not_here()


def leading_zeros(x: int) -> int:
    """How many of the 64 bits are zeros before the first one; 64 for 0."""
    not_here()


def sqrt(x: T) -> T:
    """The square root, correctly rounded."""
    not_here()


def rint(x: T) -> T:
    """The nearest integer, ties to even."""
    not_here()


def floor(x: T) -> T:
    """The largest integer not above."""
    not_here()


def ceil(x: T) -> T:
    """The smallest integer not below."""
    not_here()


def trunc(x: T) -> T:
    """Without its fraction."""
    not_here()


def magnitude(x: T) -> T:
    """A float with its sign bit cleared."""
    not_here()


def fma(a: T, b: T, c: T) -> T:
    """a * b + c with one rounding."""
    not_here()


def unordered(x: Any) -> Any:
    """Whether a float is a NaN."""
    not_here()


def one_nan(x: f32x16, nan: int) -> f32x16:
    """Numbers with a NaN of these bits in place of every NaN. They are told by their bits: LLVM
    takes the bits of a NaN that an operation produced for arbitrary, and has been seen to ask about
    its operand instead."""
    not_here()


def scaled(x: f32x16, power: f32x16) -> f32x16:
    """x * 2**power for integral powers, rounded once, where the processor can (``HAS_SCALED``)."""
    not_here()


def any_lane(mask: Mask) -> bool:
    """Whether any lane holds."""
    not_here()


def lane(vector: Lanes, number: int) -> Any:
    """The element of a lane."""
    not_here()


def lanes_from(kind: type[V], array: Array[Any], indices: Lanes) -> V:
    """The elements of an array that the lanes of ``indices`` name."""
    not_here()


def shuffle(a: V, b: V, order: tuple[int, ...]) -> V:
    """Lanes of two vectors, counted on, in a constant order."""
    not_here()


def copy_bytes(to: Array[Any], source: Array[Any], count: int) -> None:
    """Copies bytes that do not overlap."""
    not_here()


def set_bytes(to: Array[Any], value: int, count: int) -> None:
    """Fills bytes."""
    not_here()


def atomic_add(cell: Array[int], at: int, number: int) -> int:
    """Adds to an element; returns what was there. Orders everything before and after."""
    not_here()


def atomic_load(cell: Array[int], at: int) -> int:
    """Reads an element, and sees everything done before it was stored."""
    not_here()


def atomic_store(cell: Array[int], at: int, number: int) -> None:
    """Stores an element behind everything done before."""
    not_here()


def atomic_swap(cell: Array[int], at: int, expected: int, number: int) -> bool:
    """Stores an element if it holds what is expected; says whether it did."""
    not_here()


def invoke(function: int, *arguments: Any) -> int:
    """Calls the function at an address, which takes what it is given and returns a number."""
    not_here()


def perform(function: int, *arguments: Any) -> None:
    """Calls the function at an address, which takes what it is given and returns nothing."""
    not_here()


def pause() -> None:
    """Lets a spinning processor rest for a moment."""
    not_here()
