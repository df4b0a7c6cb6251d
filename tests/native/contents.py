"""Elements of every type for single words: all bit patterns, the special ones often.

A mood says which: ``wild`` is any bit pattern, with the special ones mixed in; ``tame`` numbers are
near one, so that sums and products stay in range and round; ``mixed`` ones are tame but for a few.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.spec import DType
from maiacc_sim.arith.convert import container
from maiacc_sim.tensors import pack

Codes = NDArray[np.unsignedinteger]

MOODS = ("wild", "tame", "mixed")

#: Legal 2:4 positions.
NIBBLES = (4, 8, 9, 12, 13, 14)


@cache
def special(dtype: str) -> Codes:
    """Codes that are treated in some way of their own, in both signs."""
    t = load().dtypes[dtype]
    if t.is_float:
        found = _special_floats(t)
    elif t.kind == "int":
        found = [0, 1, t.low, t.low + 1, t.high, t.high - 1, -1, 2, t.bits, t.bits - 1]
    else:
        found = list(range(1 << t.bits))
    mask = (1 << t.bits) - 1
    return np.array(sorted({code & mask for code in found}), np.uint64).astype(container(dtype))


def _special_floats(t: DType) -> list[int]:
    """Zero, ends of the denormals and of the normal numbers, one and its neighbours, infinity, and
    NaNs with several payloads, quiet and signalling: or what stands there in small types."""
    edge, one = 1 << t.mantissa, t.bias << t.mantissa
    top = (1 << (t.bits - 1)) - 1
    quiet = 1 << (t.mantissa - 1)
    infinity = top - edge + 1
    found = [0, 1, 2, edge - 1, edge, edge + 1, one - 1, one, one + 1, one + quiet, one + edge]
    found += [infinity - 1, infinity, infinity + 1, infinity + quiet, infinity + quiet + 1, top - 1]
    found += [top, one - edge, infinity + quiet // 2 + 1]
    return [sign | code for code in found for sign in (0, 1 << (t.bits - 1))]


def codes(rng: np.random.Generator, dtype: str, count: int, mood: str) -> Codes:
    """So many elements of a type."""
    t = load().dtypes[dtype]
    held = container(dtype)
    if t.kind == "meta":
        return rng.choice(np.array(NIBBLES, held), count)
    wild = rng.integers(0, 1 << 32, (2, count), np.uint64)
    patterns = ((wild[0] << 32 | wild[1]) & ((1 << t.bits) - 1)).astype(held)
    if mood == "wild":
        return np.where(rng.random(count) < 0.4, rng.choice(special(dtype), count), patterns)
    tame = _tame(rng, t, count, patterns)
    if mood == "tame":
        return tame
    return np.where(rng.random(count) < 0.05, rng.choice(special(dtype), count), tame)


def _tame(rng: np.random.Generator, t: DType, count: int, patterns: Codes) -> Codes:
    """Numbers near one, zeros among them; small integers; scales near one."""
    held = container(t.name)
    if t.kind == "bool":
        return rng.integers(0, 2, count).astype(held)
    if t.kind == "scale":
        return rng.integers(t.bias - 3, t.bias + 4, count).astype(held)
    if not t.is_float:
        low = max(t.low, -9)
        wide = rng.integers(low, min(10, t.high + 1), count).astype(np.uint64)
        return (wide & np.uint64((1 << t.bits) - 1)).astype(held)
    room = min(4, t.bias)
    exponent = rng.integers(t.bias - room + 1, t.bias + room, count)
    whole = exponent << t.mantissa | (patterns & ((1 << t.mantissa) - 1)).astype(np.int64)
    # Short mantissas make ties.
    short = whole >> max(t.mantissa - 2, 0) << max(t.mantissa - 2, 0)
    found = np.where(rng.random(count) < 0.3, short, whole)
    found = np.where(rng.random(count) < 0.06, 0, found)
    signed: Codes = (found | rng.integers(0, 2, count) << (t.bits - 1)).astype(held)
    return signed


def data(rng: np.random.Generator, dtype: str, size: int, mood: str) -> NDArray[np.uint8]:
    """Bytes full of elements."""
    bits = load().dtypes[dtype].bits
    count = -(-size * 8 // bits)
    return pack(codes(rng, dtype, count, mood), dtype)[:size]
