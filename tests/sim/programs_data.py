"""What random programs are given: bytes of every type, some of them special."""

from __future__ import annotations

import random

from maiacc_isa.load import load

#: Legal 2:4 metadata.
NIBBLES = (4, 8, 9, 12, 13, 14)


def code(rng: random.Random, dtype: str, kind: str) -> int:
    """One element."""
    t = load().dtypes[dtype]
    if kind.startswith("index"):
        return rng.randrange(4)
    if kind.startswith("count"):
        low, high = map(int, kind.split()[1:])
        return rng.randint(low, high) & ((1 << t.bits) - 1)
    if t.kind == "meta":
        return rng.choice(NIBBLES)
    if t.kind == "scale":
        return rng.choice((120, 126, 127, 128, 130, 134, 0, 254, 255, rng.randrange(256)))
    if t.kind == "bool":
        return rng.choice((0, 1))
    dice = rng.random()
    if dice < 0.06 or t.bits <= 6:
        return rng.getrandbits(t.bits)
    if not t.is_float:
        value = rng.randint(-9, 9) if dice < 0.8 else rng.getrandbits(t.bits)
        if dice > 0.96:
            value = rng.choice((t.low, t.high, t.low + 1))
        return value & ((1 << t.bits) - 1)
    if dice < 0.1:
        # Zeros, the ends of the denormals, the largest, infinity and NaN or what stands there.
        edge = 1 << t.mantissa
        top = (1 << (t.bits - 1)) - 1
        chosen = rng.choice((0, 1, edge - 1, edge, top - edge, top - edge + 1, top))
        return chosen | rng.getrandbits(1) << (t.bits - 1)
    # Mostly near one, so that sums and products stay in range.
    exponent = t.bias + rng.randint(-3, 3)
    mantissa = rng.getrandbits(t.mantissa) if dice < 0.6 else rng.getrandbits(2) << t.mantissa - 2
    return rng.getrandbits(1) << (t.bits - 1) | exponent << t.mantissa | mantissa


def fill(rng: random.Random, dtype: str, rows: int, columns: int, kind: str) -> bytes:
    """The bytes of rows of elements; each row begins at a whole byte."""
    bits = load().dtypes[dtype].bits
    data = bytearray()
    for _ in range(rows):
        total = 0
        for i in range(columns):
            total |= code(rng, dtype, kind) << i * bits
        data += total.to_bytes(-(-columns * bits // 8), "little")
    return bytes(data)
