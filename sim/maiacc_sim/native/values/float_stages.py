"""What each stage of class float computes, on 16 numbers, bound by name to ``rows/stages.isa``.

Stages that move bits leave a NaN as it is; all others give the one NaN. Nothing is fused.
"""

from __future__ import annotations

from typing import Any

from maiacc_isa.load import load
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, i32x16, i64
from maiacc_sim.native.lang.operations import (
    bits,
    ceil,
    choose,
    floor,
    local_array,
    lshr,
    magnitude,
    rint,
    sqrt,
    trunc,
    unordered,
)
from maiacc_sim.native.values.numbers import NAN, canonical

SIGN = 1 << 31


@native(inline=True)
def mov(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return x


@native(inline=True)
def neg(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return bits(f32x16, bits(i32x16, x) ^ SIGN)


@native(inline=True)
def abs_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return magnitude(x)


@native(inline=True)
def select(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return choose(x != 0.0, y, z)


@native(inline=True)
def add(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(x + y)


@native(inline=True)
def sub(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(x - y)


@native(inline=True)
def mul(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(x * y)


@native(inline=True)
def madd(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(x * y + z)


@native(inline=True)
def key(x: f32x16) -> i32x16:
    """Integers in the order of the floats: -0 below +0."""
    raw = bits(i32x16, x)
    return raw ^ ((raw >> 31) & 0x7FFFFFFF)


@native(inline=True)
def either(x: f32x16, y: f32x16, chosen: f32x16) -> f32x16:
    """The one NaN if either of two is a NaN, else what was chosen."""
    nan = bits(f32x16, i32x16.splat(NAN))
    return choose(unordered(x) | unordered(y), nan, chosen)


@native(inline=True)
def min_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return either(x, y, choose(key(x) <= key(y), x, y))


@native(inline=True)
def max_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return either(x, y, choose(key(x) >= key(y), x, y))


@native(inline=True)
def clamp(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return min_(max_(x, y, z), z, z)


@native(inline=True)
def eq(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return choose(x == y, f32x16.splat(1.0), f32x16.splat(0.0))


@native(inline=True)
def ne(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return choose(x != y, f32x16.splat(1.0), f32x16.splat(0.0))


@native(inline=True)
def lt(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return choose(x < y, f32x16.splat(1.0), f32x16.splat(0.0))


@native(inline=True)
def le(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return choose(x <= y, f32x16.splat(1.0), f32x16.splat(0.0))


@native(inline=True)
def relu(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(choose(x <= 0.0, f32x16.splat(0.0), x))


@native(inline=True)
def div(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(x / y)


@native(inline=True)
def recip(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(f32x16.splat(1.0) / x)


@native(inline=True)
def sqrt_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(sqrt(x))


@native(inline=True)
def rne(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(rint(x))


@native(inline=True)
def floor_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(floor(x))


@native(inline=True)
def ceil_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(ceil(x))


@native(inline=True)
def trunc_(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    return canonical(trunc(x))


@native()
def remainder(x: f32, y: f32) -> f32:
    """x - y * n for the integer n that cuts x / y off: exact, by long division in binary."""
    a = bits(i64, x) & 0x7FFFFFFF
    b = bits(i64, y) & 0x7FFFFFFF
    if a >= 0x7F800000 or b > 0x7F800000 or b == 0:
        return bits(f32, NAN)
    if a < b:
        return x
    # Fractions with their hidden bits; the exponent counts from that of denormals.
    exponent_a = lshr(a, 23)
    exponent_b = lshr(b, 23)
    rest = (a & 0x7FFFFF) | choose(exponent_a > 0, 0x800000, 0)
    step = (b & 0x7FFFFF) | choose(exponent_b > 0, 0x800000, 0)
    shift = choose(exponent_a > 0, exponent_a, 1) - choose(exponent_b > 0, exponent_b, 1)
    rest = rest % step
    while shift > 0:
        # 24 bits can move by 39 places at a time.
        part = choose(shift > 39, 39, shift)
        rest = (rest << part) % step
        shift -= part
    # The remainder counts units of the last place of y.
    exponent = choose(exponent_b > 0, exponent_b, 1)
    if rest == 0:
        return bits(f32, bits(i64, x) & SIGN)
    while rest < 0x800000 and exponent > 1:
        rest = rest << 1
        exponent -= 1
    if rest >= 0x800000:
        rest = (rest & 0x7FFFFF) | exponent << 23
    return bits(f32, rest | (bits(i64, x) & SIGN))


@native()
def frem(x: f32x16, y: f32x16, z: f32x16) -> f32x16:
    left = local_array(f32, 16)
    right = local_array(f32, 16)
    x.store(left)
    y.store(right)
    for i in range(16):
        left[i] = remainder(left[i], right[i])
    return f32x16.load(left)


_LANES: tuple[Any, ...] = (
    mov, neg, abs_, select, add, sub, mul, madd, min_, max_, clamp, eq, ne, lt, le, relu, div,
    recip, sqrt_, rne, floor_, ceil_, trunc_, frem,
)  # fmt: skip

#: The lanes of every stage of class float that is no function, by name.
FLOAT_LANES: dict[str, Any] = {f.python.__name__.rstrip("_"): f for f in _LANES}


#: Vectors that functions of many steps work on in turn. The steps of one wait for each other; what
#: waits fills the processor's queue, so that going through one after the other leaves it idle.
TOGETHER = 4


def _loop(stage: str, lanes: Any) -> Any:
    """A stage over a row: n is a multiple of 16."""

    @native(name=f"row_{stage}", export=True)
    def row(x: Array[f32], y: Array[f32], z: Array[f32], out: Array[f32], n: i64) -> None:
        for i in range(0, n, 16):
            lanes(f32x16.load(x, i), f32x16.load(y, i), f32x16.load(z, i)).store(out, i)

    return row


def _loop_of_several(stage: str, several: Any) -> Any:
    """As ``_loop``, ``TOGETHER`` vectors at a time."""

    @native(name=f"row_{stage}", export=True)
    def row(x: Array[f32], y: Array[f32], z: Array[f32], out: Array[f32], n: i64) -> None:
        for i in range(0, n, 16 * TOGETHER):
            several(x, y, z, out, i, n - 16)

    return row


def float_rows(functions: dict[str, Any]) -> dict[str, Any]:
    """The rows of all stages of class float by name; ``functions`` are those of ``functions.fn``,
    on some vectors."""
    found = {}
    for stage in load().stages.values():
        if "float" in stage.classes:
            if stage.function is None:
                found[stage.name] = _loop(stage.name, FLOAT_LANES[stage.name])
            else:
                found[stage.name] = _loop_of_several(stage.name, functions[stage.function])
    return found
