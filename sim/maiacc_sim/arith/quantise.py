"""Block-scaled formats: values whose groups share a scale."""

from __future__ import annotations

import numpy as np

from maiacc_isa.formats import decode as number
from maiacc_isa.formats import largest_bits
from maiacc_isa.load import load
from maiacc_sim.arith.convert import decode, from_float32, round_float64
from maiacc_sim.arith.floats import Array, canonical


def vquant(codes: Array, dtype: str, dst: str, rule: str) -> tuple[Array, Array]:
    """MX values [R, C] and e8m0 scales [R, C/32] of numbers, by rule ``floor`` or ``ceil``."""
    t = load().dtypes[dst]
    length = load().limit("mx_group")
    values = canonical(decode(codes, dtype)).astype(np.float64)
    groups = values.reshape(len(codes), values.shape[1] // length, length)
    most = np.abs(groups).max(axis=2)
    finite = np.isfinite(most)
    size = np.where(finite, most, 0.0)
    largest = float(number(dst, largest_bits(t)))
    # frexp counts exponents from [1/2, 1), on both sides alike.
    power = np.frexp(size)[1] - np.frexp(largest)[1]
    if rule == "ceil":
        power = power + (size > np.ldexp(largest, power))
    power = np.clip(np.where(size == 0, -127, power), -127, 127)
    quotients = np.where(finite[:, :, None], np.ldexp(groups, -power[:, :, None]), 0.0)
    scales = np.where(finite, power + 127, 0xFF).astype(np.uint8)
    return round_float64(quotients.reshape(values.shape), dst, saturate=True), scales


def vdeq(codes: Array, dtype: str, scales: Array, scale_dtype: str, dst: str) -> Array:
    """Values [R, C] times the scales [R, G] of their groups, as codes of ``dst``."""
    values = decode(codes, dtype).astype(np.float64)
    factors = canonical(decode(scales, scale_dtype)).astype(np.float64)
    length = values.shape[1] // max(factors.shape[1], 1)
    with np.errstate(all="ignore"):
        # Exact in float64, so that the conversion to fp32 is the only rounding.
        product = values * np.repeat(factors, length, axis=1)
        return from_float32(product.astype(np.float32), dst)
