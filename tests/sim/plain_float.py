"""fp32 arithmetic on bits, one operation at a time: exact, then rounded once."""

from __future__ import annotations

from math import isqrt

from sim.plain_numbers import UNIT, Float, decode, nearest, nearest_ratio, to_whole

NAN = 0x7FC00000
SIGN = 1 << 31
INF = 0x7F800000
ONE = 0x3F800000


def f32(code: int) -> Float:
    """The value of fp32 bits."""
    return decode(code, "fp32")


def add(x: int, y: int) -> int:
    """x + y."""
    return _sum(f32(x), f32(y), UNIT)


def sub(x: int, y: int) -> int:
    """x - y."""
    return _sum(f32(x), f32(y ^ SIGN), UNIT)


def _sum(a: Float, b: Float, places: int) -> int:
    """The rounded sum of two exact numbers of units 2**-places."""
    if "nan" in (a.kind, b.kind):
        return NAN
    if "inf" in (a.kind, b.kind):
        if a.kind == b.kind and a.sign != b.sign:
            return NAN
        return INF | (a.sign if a.kind == "inf" else b.sign) << 31
    total = a.signed + b.signed
    if total == 0:
        # Only -0 + -0 is -0.
        return SIGN if a.sign and b.sign else 0
    return nearest("fp32", int(total < 0), abs(total), places)


def _product(a: Float, b: Float) -> Float:
    """The exact product, in units of 2**-298."""
    sign = a.sign ^ b.sign
    if "nan" in (a.kind, b.kind):
        return Float("nan", 0, 0)
    if "inf" in (a.kind, b.kind):
        zero = any(v.kind == "finite" and v.size == 0 for v in (a, b))
        return Float("nan", 0, 0) if zero else Float("inf", sign, 0)
    return Float("finite", sign, a.size * b.size)


def mul(x: int, y: int) -> int:
    """x * y."""
    p = _product(f32(x), f32(y))
    if p.kind != "finite":
        return NAN if p.kind == "nan" else INF | p.sign << 31
    return nearest("fp32", p.sign, p.size, 2 * UNIT)


def multiply_add(a: Float, b: Float, acc: int) -> int:
    """acc + a * b with one rounding."""
    c = f32(acc)
    return _sum(_product(a, b), Float(c.kind, c.sign, c.size << UNIT), 2 * UNIT)


def div(x: int, y: int) -> int:
    """x / y, correctly rounded."""
    a, b = f32(x), f32(y)
    sign = a.sign ^ b.sign
    if "nan" in (a.kind, b.kind) or (a.kind == b.kind == "inf"):
        return NAN
    if a.kind == "inf":
        return INF | sign << 31
    if b.kind == "inf":
        return sign << 31
    if b.size == 0:
        return NAN if a.size == 0 else INF | sign << 31
    if a.size == 0:
        return sign << 31
    return nearest_ratio("fp32", sign, a.size, b.size)


def sqrt(x: int) -> int:
    """The square root, correctly rounded."""
    a = f32(x)
    if a.kind == "nan":
        return NAN
    if a.kind == "finite" and a.size == 0:
        return x
    if a.sign:
        return NAN
    if a.kind == "inf":
        return INF
    # value * 2**400 is a whole number; its root has 2**200 for a unit.
    scaled = a.size << (400 - UNIT)
    root = isqrt(scaled)
    return nearest("fp32", 0, root << 1 | (root * root != scaled), 201)


def frem(x: int, y: int) -> int:
    """The remainder of x / y with the quotient truncated; it has the sign of x."""
    a, b = f32(x), f32(y)
    if "nan" in (a.kind, b.kind) or a.kind == "inf" or (b.kind == "finite" and b.size == 0):
        return NAN
    if b.kind == "inf":
        return x
    return nearest("fp32", a.sign, a.size % b.size, UNIT)


def whole(x: int, rule: str) -> int:
    """x rounded to an integer, with the sign of x."""
    a = f32(x)
    if a.kind != "finite":
        return NAN if a.kind == "nan" else x
    return nearest("fp32", a.sign, abs(to_whole(a, rule)), 0)


def rank(x: int) -> int:
    """A number that orders fp32 other than NaN; -0 is below +0."""
    return ~(x & ~SIGN) if x & SIGN else x


def is_nan(x: int) -> bool:
    """Whether fp32 bits are a NaN."""
    return x & ~SIGN > INF


def least(x: int, y: int) -> int:
    """The smaller; NaN if either is NaN."""
    if is_nan(x) or is_nan(y):
        return NAN
    return x if rank(x) <= rank(y) else y


def most(x: int, y: int) -> int:
    """The larger; NaN if either is NaN."""
    if is_nan(x) or is_nan(y):
        return NAN
    return x if rank(x) >= rank(y) else y


def compare(x: int, y: int) -> int | None:
    """-1, 0 or 1 as x is below, equal to or above y; None with a NaN."""
    if is_nan(x) or is_nan(y):
        return None
    if (x | y) & ~SIGN == 0:
        return 0
    return (rank(x) > rank(y)) - (rank(x) < rank(y))


def truth(condition: bool) -> int:
    """1.0 or 0.0."""
    return ONE if condition else 0
