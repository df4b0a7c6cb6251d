"""Functions in the native language: floats and vectors."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import (
    Array,
    f32,
    f32x16,
    f64,
    i8,
    i32,
    i32x16,
    i64,
    u8,
    u8x16,
    u16,
    u32,
)
from maiacc_sim.native.lang.operations import (
    any_lane,
    bits,
    ceil,
    choose,
    convert,
    floor,
    fma,
    lane,
    lanes_from,
    lshr_lanes,
    magnitude,
    one_nan,
    rint,
    shuffle,
    sqrt,
    trunc,
    ult_lanes,
    unordered,
)


@native(export=True)
def floats(x: Array[f32], out: Array[f32]) -> i64:
    """Nothing is fused or reordered; a NaN compares as it should."""
    a = x[0]
    b = x[1]
    c = x[2]
    out[0] = a * b + c
    out[1] = fma(a, b, c)
    out[2] = (a + b) + c
    out[3] = a + (b + c)
    out[4] = a / b
    out[5] = sqrt(magnitude(a))
    out[6] = rint(a)
    out[7] = floor(a)
    out[8] = ceil(a)
    out[9] = trunc(a)
    out[10] = -a
    out[11] = convert(f32, convert(f64, a) * convert(f64, b))
    found = 0
    if a < b:
        found |= 1
    if a == a:
        found |= 2
    if a != b:
        found |= 4
    if unordered(a):
        found |= 8
    return found


@native(export=True)
def conversions(x: Array[f32], out: Array[i64]) -> i64:
    """Between floats and integers, and bits read as others."""
    a = x[0]
    out[0] = convert(i64, a)
    out[1] = convert(i32, a)
    out[2] = bits(u32, a)
    out[3] = bits(i32, a)
    out[4] = bits(i64, convert(f64, a))
    out[5] = convert(u8, out[0])
    out[6] = convert(i8, out[0])
    out[7] = convert(u16, out[0])
    x[1] = convert(f32, out[0])
    x[2] = bits(f32, out[2])
    return 8


# ---- vectors --------------------------------------------------------------------------------------
@native(export=True)
def vectors(x: Array[f32], y: Array[f32], out: Array[f32]) -> i64:
    """Lane by lane."""
    a = f32x16.load(x)
    b = f32x16.load(y, 0)
    (a * b + 1.0).store(out, 0)
    (a * b + a).store(out, 16)
    choose(a < b, a, b).store(out, 32)
    f32x16.splat(2.5).store(out, 48)
    sqrt(magnitude(a)).store(out, 64)
    shuffle(a, b, (0, 16, 1, 17, 2, 18, 3, 19, 31, 30, 15, 14, 8, 9, 24, 25)).store(out, 80)
    (-a).store(out, 96)
    fma(a, b, a).store(out, 112)
    out[128] = lane(a, 5)
    found = 0
    if any_lane(a > 100.0):
        found |= 1
    one_nan(a, 0x7FC00000).store(out, 136)
    return found


@native(export=True)
def integer_vectors(x: Array[i32], out: Array[i32]) -> i64:
    """Lanes wrap at their own width; shifts to the right keep the sign."""
    a = i32x16.load(x)
    (a + 0x7FFFFFFF).store(out, 0)
    (a * 65537).store(out, 16)
    (a >> 3).store(out, 32)
    (a << 5).store(out, 48)
    lshr_lanes(a, 3).store(out, 64)
    (a & 0xFF | a ^ 0x100).store(out, 80)
    (~a).store(out, 96)
    choose(ult_lanes(a, i32x16.splat(100)), a, i32x16.splat(0)).store(out, 112)
    lanes_from(i32x16, x, a & 15).store(out, 128)
    convert(i32x16, convert(f32x16, a)).store(out, 144)
    last: i32 = lane(a, 15)
    return last


@native(export=True)
def narrow_vectors(x: Array[u8], out: Array[i32]) -> i64:
    """Unsigned bytes widened, and cut again."""
    a = u8x16.load(x)
    wide = convert(i32x16, a)
    (wide * 3).store(out, 0)
    narrow = convert(u8x16, wide * 3)
    narrow.store(x, 16)
    (a + a >> 1).store(x, 32)
    first: u8 = lane(a, 0)
    return first
