"""Scalar arithmetic in Python integers and fractions, against which that on arrays is checked."""

from __future__ import annotations

import math
import struct
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa import formats
from maiacc_isa.load import load
from maiacc_sim.arith.convert import container

Codes: TypeAlias = NDArray[Any]

NAN = 0x7FC00000
INFINITY = 0x7F800000

#: fp32 numbers at which arithmetic goes wrong first.
EDGES = [
    0.0, 1.0, 1.5, 2.0, 3.0, 0.5, 0.1, 1 / 3, 6.0, 7.0, 448.0, 464.0, 65504.0, 65520.0, 2.0**-24,
    2.0**24, 2.0**24 - 1, 2.0**23 + 1, 2.0**-126, 2.0**-126 - 2.0**-149, 2.0**-149, 3 * 2.0**-149,
    2.0**-75, 2.0**64, 2.0**127, 2.0**128 - 2.0**104, 1 + 2.0**-23, 1 - 2.0**-24, math.inf, math.nan,
]  # fmt: skip


def edges() -> Codes:
    """The bits of the edges, with both signs."""
    values = np.array([*EDGES, *(-x for x in EDGES)], np.float32)
    return values.view(np.uint32)


def draw(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Codes:
    """Codes of any bits."""
    bits = load().dtypes[dtype].bits
    return rng.integers(0, (1 << bits) - 1, shape, np.uint64, endpoint=True).astype(
        container(dtype)
    )


def value(code: int, dtype: str) -> float | int:
    """The value of one code; of type bool 0 or 1."""
    return int(code != 0) if dtype == "bool" else formats.decode(dtype, int(code))


def bits32(x: float) -> int:
    """The bits of an fp32 number that a float holds exactly; NaN is canonical."""
    return NAN if math.isnan(x) else int(struct.unpack("<I", struct.pack("<f", x))[0])


def round32(x: Fraction | float) -> float:
    """A number rounded once to fp32; zeros, infinities and NaN pass."""
    if isinstance(x, float) and (x == 0 or not math.isfinite(x)):
        return x
    return float(formats.decode("fp32", formats.encode("fp32", Fraction(x))))


def add32(x: float, y: float) -> float:
    """x + y of fp32 numbers, rounded once."""
    special = x + y
    if not math.isfinite(special) or special == 0:
        # The sum of two fp32 numbers in fp64 neither overflows nor vanishes by rounding.
        return special
    return round32(Fraction(x) + Fraction(y))


def mul32(x: float, y: float) -> float:
    """x * y of fp32 numbers, rounded once."""
    special = x * y
    if not math.isfinite(special) or special == 0:
        return special
    negative = math.copysign(1.0, special) < 0
    product = round32(Fraction(x) * Fraction(y))
    return math.copysign(product, -1.0) if negative else product


def _parts(code: int) -> tuple[int, int]:
    """m and e of the finite fp32 number m * 2**e."""
    exponent, mantissa = code >> 23 & 0xFF, code & 0x7FFFFF
    size = mantissa | (1 << 23 if exponent else 0)
    return (-size if code >> 31 else size), max(exponent, 1) - 150


def _round_scaled(total: int, power: int) -> int:
    """The fp32 code of total * 2**power, total not 0, to nearest even."""
    size, sign = abs(total), (1 << 31 if total < 0 else 0)
    unit = max(size.bit_length() - 1 + power - 23, -149)
    shift = unit - power
    if shift <= 0:
        units = size << -shift
    else:
        units, rest, half = size >> shift, size & (1 << shift) - 1, 1 << (shift - 1)
        units += rest > half or (rest == half and units & 1 == 1)
    return sign | min(units + ((unit + 149) << 23), INFINITY)


def fma_code(a: int, b: int, c: int) -> int:
    """The code of a * b + c, rounded once, for fp32 codes."""
    special = [code for code in (a, b, c) if code & INFINITY == INFINITY]
    if special:
        x, y, z = (struct.unpack("<f", struct.pack("<I", code))[0] for code in (a, b, c))
        if all(code & INFINITY != INFINITY for code in (a, b)):
            return bits32(z)  # a finite product in fp64 cannot change an infinity
        return bits32(x * y + z)
    (ma, ea), (mb, eb), (mc, ec) = _parts(a), _parts(b), _parts(c)
    power = min(ea + eb, ec)
    total = (ma * mb << (ea + eb - power)) + (mc << (ec - power))
    if total:
        return _round_scaled(total, power)
    # An exact zero is negative only if both addends are.
    both = ma * mb == 0 and mc == 0 and (a ^ b) >> 31 and c >> 31
    return 1 << 31 if both else 0
