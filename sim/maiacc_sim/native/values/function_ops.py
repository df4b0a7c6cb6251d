"""The operations of ``functions.fn`` on 16 numbers at a time."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import f32, f32x16, i32x16, i64x16
from maiacc_sim.native.lang.operations import bits, choose, convert, lshr_lanes, scaled, unordered
from maiacc_sim.native.toolchain.host import host
from maiacc_sim.native.values.float_stages import SIGN
from maiacc_sim.native.values.numbers import NAN, canonical

#: Whether the processor scales by powers of two, and permutes registers by numbers in others.
HAS_SCALED = host().lanes == 16


# ---- operations -------------------------------------------------------------------------------
@native(inline=True, name="op_asuint")
def asuint(x: f32x16) -> i32x16:
    return bits(i32x16, canonical(x))


@native(inline=True, name="op_copysign")
def copysign(x: f32x16, y: f32x16) -> f32x16:
    return bits(f32x16, (bits(i32x16, x) & 0x7FFFFFFF) | (asuint(y) & SIGN))


@native(inline=True, name="op_mulsign")
def mulsign(x: f32x16, y: f32x16) -> f32x16:
    return bits(f32x16, asuint(x) ^ (asuint(y) & SIGN))


@native(inline=True)
def power(k: i32x16) -> f32x16:
    """2**k for k from -126 to 127."""
    return bits(f32x16, (k + 127) << 23)


@native(inline=True, name="op_pscale")
def pscale(p: f32x16, k: f32x16) -> f32x16:
    inside = (k > -160.0) & (k < 129.0)
    infinite = bits(f32x16, i32x16.splat(0x7F800000))
    if HAS_SCALED:
        product = choose(k >= 129.0, infinite, scaled(p, k))
        return choose(k <= -160.0, f32x16.splat(0.0), product)
    whole = convert(i32x16, choose(inside, k, f32x16.splat(0.0)))
    # Two steps, of which the first is exact unless the result is 0: large numbers last upwards,
    # small ones last downwards.
    last = choose(whole > 64, i32x16.splat(64), i32x16.splat(0))
    last = choose(whole < -64, i32x16.splat(-64), last)
    product = (p * power(whole - last)) * power(last)
    ends = choose(k > 0.0, infinite, f32x16.splat(0.0))
    return choose(unordered(k), k, choose(inside, product, ends))


@native(inline=True)
def exponent_of(x: f32x16) -> i32x16:
    """j with x * 2**j in [3/4, 3/2), for finite x > 0."""
    raw = asuint(raised(x))
    e = lshr_lanes(raw, 23) - 126
    low = (raw & 0x7FFFFF) < 0x400000
    j = choose(low, 1 - e, 0 - e)
    return choose(x < bits(f32, 0x00800000), j + 32, j)


@native(inline=True)
def raised(x: f32x16) -> f32x16:
    """Denormals times 2**32, other numbers as they are."""
    return choose(x < bits(f32, 0x00800000), x * 4294967296.0, x)


@native(inline=True, name="op_norm")
def norm(x: f32x16) -> f32x16:
    infinite = bits(f32x16, i32x16.splat(0x7F800000))
    j = convert(f32x16, exponent_of(x))
    j = choose(x == infinite, bits(f32x16, i32x16.splat(0xFF800000)), j)
    j = choose(x == 0.0, infinite, j)
    return choose(x >= 0.0, j, bits(f32x16, i32x16.splat(NAN)))


@native(inline=True, name="op_mant")
def mant(x: f32x16) -> f32x16:
    raw = asuint(raised(x))
    fraction = raw & 0x7FFFFF
    # Fractions below 1.5 stand for themselves, others for half of it.
    field = choose(fraction < 0x400000, i32x16.splat(127), i32x16.splat(126))
    m = bits(f32x16, fraction | (field << 23))
    infinite = bits(f32x16, i32x16.splat(0x7F800000))
    m = choose((x == 0.0) | (x == infinite), f32x16.splat(1.0), m)
    return choose(x >= 0.0, m, bits(f32x16, i32x16.splat(NAN)))


@native(inline=True, name="op_unit")
def unit(x: f32x16) -> f32x16:
    j = norm(x)
    j = choose(j < -128.0, f32x16.splat(-128.0), j)
    j = choose(j > 127.0, f32x16.splat(127.0), j)
    whole = convert(i32x16, choose(unordered(j), f32x16.splat(0.0), j))
    # 2**-127 and 2**-128 are denormals.
    deep = choose(whole < -126, whole + 2, whole)
    scale = power(deep) * choose(whole < -126, f32x16.splat(0.25), f32x16.splat(1.0))
    return choose(unordered(j), j, scale)


@native(inline=True, name="op_sig8")
def sig8(x: f32x16) -> i32x16:
    raw = asuint(x)
    return ((raw & 0x7FFFFF) | 0x800000) << (lshr_lanes(raw, 23) & 7)


@native(inline=True)
def wide(x: i32x16) -> i64x16:
    """Unsigned numbers of 32 bits in 64."""
    return convert(i64x16, x) & 0xFFFFFFFF


@native(inline=True, name="op_mac")
def mac(a: i32x16, b: i32x16, c: i64x16) -> i64x16:
    return c + wide(a) * wide(b)


@native(inline=True, name="op_machi")
def machi(a: i32x16, b: i32x16, c: i64x16) -> i64x16:
    return c + ((wide(a) * wide(b)) << 32)


@native(inline=True, name="op_maclo")
def maclo(a: i32x16, b: i32x16, c: i64x16) -> i64x16:
    return c + lshr_lanes(wide(a) * wide(b), 32)


@native(inline=True, name="op_radians")
def radians(y: i64x16) -> f32x16:
    quarters = lshr_lanes(y, 62)
    negative = quarters >= 2
    size = choose(negative, 0 - y, y)
    size = choose((quarters == 1) | (quarters == 2), i64x16.splat(1 << 63) - size, size)
    low = lshr_lanes((size & 0xFFFFFFFF) * 0xC90FDAA2, 32)
    angle = convert(f32x16, lshr_lanes(size, 32) * 0xC90FDAA2 + low)
    angle = angle * bits(f32, (127 - 61) << 23)
    return choose(negative, bits(f32x16, bits(i32x16, angle) ^ SIGN), angle)


@native(inline=True, name="op_shr")
def shr(a: i32x16, count: i32x16) -> i32x16:
    return lshr_lanes(a, count & 31)


@native(inline=True, name="op_min")
def least(a: f32x16, b: f32x16) -> f32x16:
    """As numpy's minimum on numbers; of equal ones the signs are joined."""
    joined = bits(f32x16, bits(i32x16, a) | bits(i32x16, b))
    small = choose(a < b, a, b)
    small = choose(unordered(a), a, small)
    return choose(a == b, joined, small)


@native(inline=True, name="op_max")
def most(a: f32x16, b: f32x16) -> f32x16:
    """As numpy's maximum on numbers; of equal ones the signs are met."""
    joined = bits(f32x16, bits(i32x16, a) & bits(i32x16, b))
    large = choose(a > b, a, b)
    large = choose(unordered(a), a, large)
    return choose(a == b, joined, large)
