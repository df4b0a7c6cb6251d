"""Number formats on arrays: codes to values, values to codes, and conversions between formats."""

from __future__ import annotations

from functools import cache

import numpy as np

from maiacc_isa.formats import largest_bits, nan_bits
from maiacc_isa.load import load
from maiacc_isa.spec import DType
from maiacc_sim.arith.floats import Array, canonical
from maiacc_sim.traps import Trap

ROUNDINGS = {"rne": np.rint, "trunc": np.trunc, "floor": np.floor, "ceil": np.ceil}


@cache
def container(dtype: str) -> np.dtype[np.unsignedinteger]:
    """The numpy type that holds one code."""
    size = (load().dtypes[dtype].bits + 7) // 8
    return np.dtype(f"u{size}")


def decode(codes: Array, dtype: str) -> Array:
    """The exact values of codes: float32 for floats and scales, int64, uint64 or bool."""
    t = load().dtypes[dtype]
    if t.kind == "bool":
        return np.not_equal(codes, 0)
    if dtype == "fp32":
        return codes.view(np.float32)
    if t.is_float or t.kind == "scale":
        return np.take(_values(dtype), codes)
    wide = codes.astype(np.uint64)
    if not t.signed:
        return wide
    # The sign bit goes to the top and comes back with copies of itself.
    spare = 64 - t.bits
    return (wide << np.uint64(spare)).view(np.int64) >> np.int64(spare)


def convert(codes: Array, src: str, dst: str, saturate: bool = False, round: str = "rne") -> Array:
    """Codes of ``src`` as codes of ``dst``; its own type moves bits unchanged.

    ``round`` matters from floats to integers. Raises ``Trap`` conversion where a float does not
    fit an integer type and does not saturate.
    """
    if src == dst:
        return codes
    s, t = load().dtypes[src], load().dtypes[dst]
    values = decode(codes, src)
    if t.kind == "bool":
        return np.not_equal(values, 0).astype(np.uint8)
    if s.is_float or s.kind == "scale":
        exact = t.is_float and _holds(t, s)
        return _from_float(canonical(values).astype(np.float64), t, saturate and not exact, round)
    if t.is_float:
        return _to_float(_odd(values), t, saturate)
    if saturate and s.is_int:
        bounds = max(s.low, t.low), min(s.high, t.high)
        values = np.clip(values, *np.array(bounds, values.dtype))
    return pack(values, dst)


def from_float32(values: Array, dst: str, saturate: bool = False, round: str = "rne") -> Array:
    """fp32 results as codes of ``dst``; every NaN becomes the canonical one.

    Raises ``Trap`` conversion as ``convert`` does.
    """
    if dst == "fp32":
        return canonical(values).view(np.uint32)
    return convert(values.view(np.uint32), "fp32", dst, saturate, round)


def pack(values: Array, dtype: str) -> Array:
    """The low bits of integers, or of truth values, as codes."""
    mask = np.uint64((1 << load().dtypes[dtype].bits) - 1)
    return (values.astype(np.uint64) & mask).astype(container(dtype))


def round_float64(values: Array, dtype: str, saturate: bool = False) -> Array:
    """fp64 values as codes of a float format, rounded once to nearest even."""
    return _to_float(values, load().dtypes[dtype], saturate)


@cache
def _values(dtype: str) -> Array:
    """The value of every code of a format of at most 16 bits, as float32."""
    t = load().dtypes[dtype]
    codes = np.arange(1 << t.bits)
    if t.kind == "scale":
        values = np.where(codes == nan_bits(t), np.nan, np.ldexp(1.0, codes - t.bias))
        return values.astype(np.float32)
    exponent = codes >> t.mantissa & (1 << t.exponent) - 1
    mantissa = codes & (1 << t.mantissa) - 1
    hidden = np.where(exponent > 0, 1 << t.mantissa, 0)
    power = np.maximum(exponent, 1) - t.bias - t.mantissa
    values = np.ldexp((mantissa + hidden).astype(np.float64), power)
    if t.inf:
        special = exponent == (1 << t.exponent) - 1
        values = np.where(special, np.where(mantissa, np.nan, np.inf), values)
    if t.nan == "allones":
        magnitude = codes & (1 << (t.bits - 1)) - 1
        values = np.where(magnitude == nan_bits(t), np.nan, values)
    return np.where(codes >> (t.bits - 1), -values, values).astype(np.float32)


def _holds(wide: DType, narrow: DType) -> bool:
    """Whether every number of one float format, and its infinities, are in another."""
    return wide.exponent >= narrow.exponent and wide.mantissa >= narrow.mantissa


def _from_float(values: Array, t: DType, saturate: bool, round: str) -> Array:
    if t.is_float:
        return _to_float(values, t, saturate)
    return _to_integer(ROUNDINGS[round](values), t, saturate)


def _to_float(values: Array, t: DType, saturate: bool) -> Array:
    """One rounding to nearest even of float64 values."""
    size = np.where(np.isfinite(values), np.abs(values), 0.0)
    exponent = np.where(size > 0, np.frexp(size)[1] - 1, 1 - t.bias)
    exponent = np.maximum(exponent, 1 - t.bias).astype(np.int64)
    units = np.rint(np.ldexp(size, t.mantissa - exponent)).astype(np.int64)
    # Units that reach the next power of two carry into the exponent by themselves.
    code = units + ((exponent + t.bias - 1) << t.mantissa)
    signed = code + np.where(np.signbit(values), 1 << (t.bits - 1), 0)
    beyond = np.isinf(values) | (code > largest_bits(t))
    result = np.where(beyond, _beyond(values, t, saturate), signed)
    return np.where(np.isnan(values), nan_bits(t), result).astype(container(t.name))


def _beyond(values: Array, t: DType, saturate: bool) -> Array:
    """What numbers become whose magnitude is above the largest one."""
    if not saturate and not t.inf and t.nan != "none":
        return np.full(values.shape, nan_bits(t))
    infinity = ((1 << t.exponent) - 1) << t.mantissa
    limit = infinity if t.inf and not saturate else largest_bits(t)
    return limit + np.where(np.signbit(values), 1 << (t.bits - 1), 0)


def _to_integer(whole: Array, t: DType, saturate: bool) -> Array:
    """Integral float64 values as codes of an integer format."""
    above, below = whole >= float(t.high + 1), whole < float(t.low)
    outside = above | below | np.isnan(whole)
    if not saturate and outside.any():
        raise Trap(
            "conversion",
            f"a number is outside the range of {t.name}",
            expected=f"{t.low} to {t.high}",
            found=f"{whole[outside].flat[0]:g}",
        )
    kind = np.int64 if t.signed else np.uint64
    inside = np.where(outside, 0.0, whole).astype(kind)
    return pack(np.where(above, kind(t.high), np.where(below, kind(t.low), inside)), t.name)


def _odd(values: Array) -> Array:
    """Integers as float64, those above 2**53 rounded to odd.

    At least 43 bits remain, so that a second rounding to any float format gives what a single
    one would.
    """
    negative = values < 0
    bits = values.astype(np.uint64)
    size = np.where(negative, np.uint64(0) - bits, bits)
    sticky = (size & np.uint64(0x7FF)) != 0
    kept = ((size >> np.uint64(11)) | sticky).astype(np.float64) * 2048.0
    real = np.where(size >> np.uint64(53), kept, size.astype(np.float64))
    return np.where(negative, -real, real)
