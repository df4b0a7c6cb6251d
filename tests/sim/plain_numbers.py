"""Number formats one number at a time: bits to exact values, and back with one rounding.

Written from the manual's chapters on formats and arithmetic, in Python integers only. A finite
float is a sign and a size, counted in units of 2**-149: every finite value of every format is a
whole number of those. Integers are Python integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from maiacc_isa.load import load
from maiacc_isa.spec import DType


class PlainTrap(Exception):  # noqa: N818 - the manual's word
    """A trap of the machine, by its name."""

    def __init__(self, name: str, why: str = "") -> None:
        super().__init__(f"{name}: {why}")
        self.name = name


#: Values are multiples of 2**-UNIT.
UNIT = 149

#: The host's fp64, for the one rule of the manual that rounds in it.
FP64 = DType("fp64", 99, "binary64", "float", 64, False, 11, 52, 1023, True, "ieee")


@dataclass(frozen=True, slots=True)
class Float:
    """A decoded float: ``kind`` is finite, inf or nan; ``size`` counts units."""

    kind: str
    sign: int
    size: int

    @property
    def signed(self) -> int:
        """The value in units."""
        return -self.size if self.sign else self.size


@cache
def row(dtype: str) -> DType:
    """The format of that name."""
    return FP64 if dtype == "fp64" else load().dtypes[dtype]


def signed(code: int, bits: int) -> int:
    """The two's complement number of so many bits."""
    code &= (1 << bits) - 1
    return code - (1 << bits) if code >> (bits - 1) else code


def integer(code: int, dtype: str) -> int:
    """The value of an integer or bool code; a bool is 0 or 1."""
    if dtype == "bool":
        return int(code != 0)
    return signed(code, row(dtype).bits) if row(dtype).signed else code


def wrap(value: int, dtype: str) -> int:
    """The code of an integer modulo the size of its type."""
    return value & ((1 << row(dtype).bits) - 1)


def wrapped(value: int, dtype: str) -> int:
    """The integer that is left of a value in an integer type."""
    return integer(wrap(value, dtype), dtype)


@lru_cache(1 << 16)
def decode(code: int, dtype: str) -> Float:
    """The exact value of the code of a float format or of e8m0."""
    t = row(dtype)
    if t.kind == "scale":
        return Float("nan", 0, 0) if code == 255 else Float("finite", 0, 1 << (code - 127 + UNIT))
    sign = code >> (t.bits - 1)
    body = code & ((1 << (t.bits - 1)) - 1)
    exponent, mantissa = body >> t.mantissa, body & ((1 << t.mantissa) - 1)
    if t.nan == "allones" and body == (1 << (t.bits - 1)) - 1:
        return Float("nan", 0, 0)
    if t.inf and exponent == (1 << t.exponent) - 1:
        return Float("nan", 0, 0) if mantissa else Float("inf", sign, 0)
    if exponent == 0:
        return Float("finite", sign, mantissa << (1 - t.bias - t.mantissa + UNIT))
    whole = mantissa | 1 << t.mantissa
    return Float("finite", sign, whole << (exponent - t.bias - t.mantissa + UNIT))


def nan_code(dtype: str) -> int:
    """The canonical NaN; 0 in formats without one."""
    return {
        "fp64": 0x7FF8 << 48,
        "fp32": 0x7FC00000,
        "bf16": 0x7FC0,
        "fp16": 0x7E00,
        "e4m3": 0x7F,
        "e5m2": 0x7E,
    }.get(dtype, 0)


def largest(t: DType) -> int:
    """The code of the largest finite number."""
    top = (1 << (t.bits - 1)) - 1
    if t.inf:
        return (((1 << t.exponent) - 1) << t.mantissa) - 1
    return top - 1 if t.nan == "allones" else top


def infinite(dtype: str, sign: int, saturate: bool = False) -> int:
    """The code for what lies above the largest number, infinity among it."""
    t = row(dtype)
    side = sign << (t.bits - 1)
    if saturate or t.nan == "none":
        return side | largest(t)
    return side | ((1 << t.exponent) - 1) << t.mantissa if t.inf else nan_code(dtype)


def nearest(dtype: str, sign: int, size: int, places: int, saturate: bool = False) -> int:
    """The code nearest to ``size * 2**-places``, ties to even, with a sign."""
    t = row(dtype)
    side = sign << (t.bits - 1)
    if size == 0:
        return side
    exponent = max(size.bit_length() - 1 - places, 1 - t.bias)
    cut = places + exponent - t.mantissa
    if cut <= 0:
        steps = size << -cut
    else:
        steps, rest = size >> cut, size & ((1 << cut) - 1)
        half = 1 << (cut - 1)
        steps += rest > half or (rest == half and steps & 1)
    body = steps + ((exponent + t.bias - 1) << t.mantissa)
    return infinite(dtype, sign, saturate) if body > largest(t) else side | body


def nearest_ratio(dtype: str, sign: int, top: int, bottom: int) -> int:
    """The code nearest to the quotient of two positive integers."""
    # Enough bits in front of the one that says whether anything is left.
    shift = max(0, bottom.bit_length() - top.bit_length() + 200)
    whole, rest = divmod(top << shift, bottom)
    return nearest(dtype, sign, whole << 1 | (rest != 0), shift + 1)


def to_whole(x: Float, rule: str) -> int:
    """A finite value rounded to an integer."""
    below, rest = divmod(x.signed, 1 << UNIT)
    half = 1 << (UNIT - 1)
    match rule:
        case "floor":
            return below
        case "ceil":
            return below + (rest > 0)
        case "trunc":
            return below + (rest > 0 and x.sign)
    return below + (rest > half or (rest == half and below & 1))


def limits(dtype: str) -> tuple[int, int]:
    """The smallest and largest number of an integer type."""
    bits = row(dtype).bits
    return (
        (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if row(dtype).signed else (0, (1 << bits) - 1)
    )


def convert(code: int, source: str, to: str, saturate: bool = False, rule: str = "rne") -> int:
    """A code of one type as one of another: the manual's table of conversions."""
    if source == to:
        return code
    if row(source).is_float:
        # Infinity stays where the destination holds every number of the operand's type.
        return _from_float(decode(code, source), to, saturate and not _holds(to, source), rule)
    value = integer(code, source)
    if row(to).is_float:
        return nearest(to, int(value < 0), abs(value), 0, saturate)
    if to == "bool":
        return int(value != 0)
    if saturate:
        low, high = limits(to)
        value = max(low, min(high, value))
    return wrap(value, to)


@cache
def _holds(to: str, source: str) -> bool:
    """Whether a type has all finite numbers of a float type."""
    if not row(to).is_float:
        return False
    numbers = (largest(row(source)), 1)
    exact = (decode(code, source).size for code in numbers)
    finer = row(to).mantissa >= row(source).mantissa
    return finer and all(
        decode(nearest(to, 0, size, UNIT, saturate=True), to).size == size for size in exact
    )


def _from_float(x: Float, to: str, saturate: bool, rule: str) -> int:
    if row(to).is_float:
        if x.kind == "nan":
            return nan_code(to)
        if x.kind == "inf":
            return infinite(to, x.sign, saturate)
        return nearest(to, x.sign, x.size, UNIT, saturate)
    if to == "bool":
        return int(x.kind != "finite" or x.size != 0)
    low, high = limits(to)
    if x.kind == "finite":
        whole = to_whole(x, rule)
        if low <= whole <= high:
            return wrap(whole, to)
    if not saturate:
        raise PlainTrap("conversion", f"{x} to {to}")
    if x.kind == "nan":
        return 0
    return wrap(low if x.sign else high, to)
