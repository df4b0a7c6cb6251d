"""Reductions of rows of fp32 numbers and of integers, in the order that the manual defines.

A row comes in pieces, all but the last of them multiples of 32 long. Sums keep 32 partial sums; the
others are exact in any order.
"""

from __future__ import annotations

from maiacc_sim.native.codes import LABEL, PARTIALS
from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import Array, Fixed, f32, f32x16, i32, i32x16, i64
from maiacc_sim.native.lang.operations import (
    bits,
    choose,
    copy_bytes,
    largest,
    local_array,
    pointer,
)
from maiacc_sim.native.values.float_stages import key
from maiacc_sim.native.values.numbers import NAN

REDUCE = LABEL.reduce


assert PARTIALS == 32


@record
class Partial:
    """What is known of a row: partial sums or products, or the largest key and whether a NaN was
    among the numbers. Of minima the signs are flipped."""

    sums: Fixed[Array[f32], 32]
    keys: Fixed[Array[i32], 16]
    nans: Fixed[Array[i32], 16]


@native()
def begin_row(p: Partial, op: i64) -> None:
    """Nothing yet."""
    identity = choose(op == REDUCE.prod, 1.0, 0.0)
    for i in range(32):
        p.sums[i] = identity
    lowest = key(bits(f32x16, i32x16.splat(0xFF800000)))
    lowest.store(p.keys)
    i32x16.splat(0).store(p.nans)


@native()
def add_pieces(p: Partial, op: i64, x: Array[f32], n: i64) -> None:
    """The next numbers of a row; n is a multiple of 32."""
    if op == REDUCE.max or op == REDUCE.min or op == REDUCE.absmax:
        most = i32x16.load(p.keys)
        nans = i32x16.load(p.nans)
        flip = choose(op == REDUCE.min, 1 << 31, 0)
        mask = choose(op == REDUCE.absmax, 0x7FFFFFFF, 0xFFFFFFFF)
        for i in range(0, n, 16):
            raw = i32x16.load(pointer(i32, x), i)
            size = raw & 0x7FFFFFFF
            nans = choose(size > 0x7F800000, i32x16.splat(1), nans)
            order = key(bits(f32x16, (raw & mask) ^ flip))
            most = choose(order > most, order, most)
        most.store(p.keys)
        nans.store(p.nans)
        return
    low = f32x16.load(p.sums)
    high = f32x16.load(p.sums, 16)
    if op == REDUCE.sum:
        for i in range(0, n, 32):
            low = low + f32x16.load(x, i)
            high = high + f32x16.load(x, i + 16)
    elif op == REDUCE.prod:
        for i in range(0, n, 32):
            low = low * f32x16.load(x, i)
            high = high * f32x16.load(x, i + 16)
    else:
        for i in range(0, n, 32):
            a = f32x16.load(x, i)
            b = f32x16.load(x, i + 16)
            low = low + a * a
            high = high + b * b
    low.store(p.sums)
    high.store(p.sums, 16)


@native()
def add_to_row(p: Partial, op: i64, x: Array[f32], n: i64) -> None:
    """The next numbers of a row; n is a multiple of 32 but for the last ones."""
    whole = n // 32 * 32
    if whole > 0:
        add_pieces(p, op, x, whole)
    if whole < n:
        rest = local_array(f32, 32)
        # What a reduction starts from changes nothing: no partial sum is -0.
        identity = choose(op == REDUCE.prod, 1.0, 0.0)
        if op == REDUCE.max or op == REDUCE.min:
            identity = bits(f32, choose(op == REDUCE.max, 0xFF800000, 0x7F800000))
        for i in range(32):
            rest[i] = identity
        copy_bytes(rest, x + whole, 4 * (n - whole))
        add_pieces(p, op, rest, 32)


@native()
def end_row(p: Partial, op: i64) -> f32:
    """The result of the row; a NaN is the one NaN."""
    if op == REDUCE.max or op == REDUCE.min or op == REDUCE.absmax:
        most = p.keys[0]
        nans = p.nans[0]
        for i in range(1, 16):
            most = largest(most, p.keys[i])
            nans = nans | p.nans[i]
        if nans != 0:
            return bits(f32, NAN)
        raw = most ^ choose(most < 0, 0x7FFFFFFF, 0)
        if op == REDUCE.absmax and most < 0:
            raw = 0  # no number at all
        return bits(f32, raw ^ choose(op == REDUCE.min, 1 << 31, 0))
    width = 16
    while width > 0:
        for i in range(width):
            if op == REDUCE.prod:
                p.sums[i] = p.sums[i] * p.sums[i + width]
            else:
                p.sums[i] = p.sums[i] + p.sums[i + width]
        width = width // 2
    return one_nan(p.sums[0])


@native(inline=True)
def one_nan(x: f32) -> f32:
    """Every NaN becomes the one NaN."""
    raw = bits(i64, x)
    return bits(f32, choose((raw & 0x7FFFFFFF) > 0x7F800000, NAN, raw))


@native()
def combine(op: i64, carried: f32, result: f32) -> f32:
    """A carried value, the first operand, with the result of a row."""
    if op == REDUCE.sum:
        return one_nan(carried + result)
    if op == REDUCE.prod:
        return one_nan(carried * result)
    p = f32x16.splat(carried)
    q = f32x16.splat(result)
    order = key(p)
    other = key(q)
    pair = local_array(f32, 16)
    if op == REDUCE.max:
        choose(order >= other, p, q).store(pair)
    else:
        choose(order <= other, p, q).store(pair)
    nan = ((bits(i64, carried) & 0x7FFFFFFF) > 0x7F800000) | (
        (bits(i64, result) & 0x7FFFFFFF) > 0x7F800000
    )
    return bits(f32, NAN) if nan else pair[0]
