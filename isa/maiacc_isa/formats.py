"""Single numbers of every format, exactly: bits to value and value to bits.

Written with Python integers and fractions only, from the rows' description of each format;
what the simulators do to whole arrays is checked against this.
"""

from __future__ import annotations

import math
from fractions import Fraction

from maiacc_isa.errors import MaiaccError
from maiacc_isa.load import load
from maiacc_isa.spec import DType


def decode(dtype: str, bits: int) -> float | int:
    """The value of ``bits``: exact, as float (NaN and infinities included) or int."""
    t = load().dtypes[dtype]
    if t.kind in ("int", "bool", "meta"):
        return bits - (1 << t.bits) if t.signed and bits >> (t.bits - 1) else bits
    if t.kind == "scale":
        return math.nan if bits == (1 << t.bits) - 1 else math.ldexp(1.0, bits - t.bias)
    sign = -1.0 if bits >> (t.bits - 1) else 1.0
    exponent = bits >> t.mantissa & (1 << t.exponent) - 1
    mantissa = bits & (1 << t.mantissa) - 1
    if t.nan == "allones" and bits & (1 << (t.bits - 1)) - 1 == (1 << (t.bits - 1)) - 1:
        return math.nan
    if t.inf and exponent == (1 << t.exponent) - 1:
        return math.nan if mantissa else sign * math.inf
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - t.bias - t.mantissa)
    return sign * math.ldexp(mantissa | 1 << t.mantissa, exponent - t.bias - t.mantissa)


def nan_bits(t: DType) -> int:
    """The canonical NaN of a format; 0 in formats without one."""
    if t.nan == "none":
        return 0
    if t.nan == "allones":
        return (1 << (t.bits - 1)) - 1 if t.kind == "float" else (1 << t.bits) - 1
    return (((1 << t.exponent) - 1) << t.mantissa) | 1 << (t.mantissa - 1)


def largest_bits(t: DType) -> int:
    """The bits of the largest finite number of a float format."""
    top = (1 << (t.bits - 1)) - 1
    if t.inf:
        return (((1 << t.exponent) - 1) << t.mantissa) - 1
    return top - 1 if t.nan == "allones" else top


def encode(dtype: str, value: float | int | Fraction, saturate: bool = False) -> int:
    """The bits of a value, rounded to nearest even.

    Above the largest number: that number with ``saturate`` or in formats that have neither
    infinity nor NaN, else infinity, else NaN. Raises ``MaiaccError`` E0411 for an integer
    outside an integer format.
    """
    t = load().dtypes[dtype]
    if not t.is_float:
        if not isinstance(value, int) or not t.low <= value <= t.high:
            raise MaiaccError(
                "E0411",
                f"not a value of {dtype}",
                expected=f"{t.low} to {t.high}",
                found=str(value),
            )
        return value & (1 << t.bits) - 1
    if isinstance(value, float) and math.isnan(value):
        return nan_bits(t)
    negative = math.copysign(1.0, value) < 0 if isinstance(value, float) else value < 0
    sign = (1 << (t.bits - 1)) if negative else 0
    if isinstance(value, float) and math.isinf(value):
        return _overflow(t, sign, saturate)
    magnitude = round_magnitude(t, abs(Fraction(value)))
    if magnitude > largest_bits(t):
        return _overflow(t, sign, saturate)
    return sign | magnitude


def round_magnitude(t: DType, value: Fraction) -> int:
    """Bits without sign of a non-negative value, as if exponents had no upper end."""
    if value == 0:
        return 0
    exponent = value.numerator.bit_length() - value.denominator.bit_length()
    if value < Fraction(2) ** exponent:
        exponent -= 1
    exponent = max(exponent, 1 - t.bias)
    quantum = Fraction(2) ** (exponent - t.mantissa)
    units = round(value / quantum)  # Fraction rounds half to even
    # A unit count that reaches the next power of two carries into the exponent by itself.
    return units + ((exponent + t.bias - 1) << t.mantissa)


def _overflow(t: DType, sign: int, saturate: bool) -> int:
    if saturate or (not t.inf and t.nan == "none"):
        return sign | largest_bits(t)
    return sign | ((1 << t.exponent) - 1) << t.mantissa if t.inf else nan_bits(t)
