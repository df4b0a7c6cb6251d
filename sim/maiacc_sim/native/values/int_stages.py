"""What each stage of class int computes, on int64 numbers, bound by name to ``rows/stages.isa``.

Numbers are values of the chain's type; results are wrapped to it afterwards. Of uint64 the values
are those of int64 with the same bits: ``flip`` is the sign bit then, which turns the order of
unsigned numbers into that of signed ones, and 0 for all other types.
"""

from __future__ import annotations

from typing import Any

from maiacc_isa.load import load
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64, i64x16
from maiacc_sim.native.lang.operations import choose, lshr_lanes, sdiv, udiv


@native(inline=True, name="int_mov")
def mov(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x


@native(inline=True, name="int_add")
def add(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x + y


@native(inline=True, name="int_sub")
def sub(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x - y


@native(inline=True, name="int_mul")
def mul(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x * y


@native(inline=True, name="int_madd")
def madd(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x * y + z


@native(inline=True, name="int_neg")
def neg(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return 0 - x


@native(inline=True, name="int_abs")
def abs_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) < flip, 0 - x, x)


@native(inline=True, name="int_min")
def min_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) < (y ^ flip), x, y)


@native(inline=True, name="int_max")
def max_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) > (y ^ flip), x, y)


@native(inline=True, name="int_clamp")
def clamp(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return min_(max_(x, y, z, width, flip), z, z, width, flip)


@native(inline=True, name="int_select")
def select(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose(x != 0, y, z)


@native(inline=True, name="int_eq")
def eq(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose(x == y, i64x16.splat(1), i64x16.splat(0))


@native(inline=True, name="int_ne")
def ne(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose(x != y, i64x16.splat(1), i64x16.splat(0))


@native(inline=True, name="int_lt")
def lt(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) < (y ^ flip), i64x16.splat(1), i64x16.splat(0))


@native(inline=True, name="int_le")
def le(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) <= (y ^ flip), i64x16.splat(1), i64x16.splat(0))


@native(inline=True, name="int_relu")
def relu(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return choose((x ^ flip) < flip, i64x16.splat(0), x)


@native(inline=True, name="int_shl")
def shl(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    inside = (y >= 0) & (y < width)
    return choose(inside, x << choose(inside, y, i64x16.splat(0)), i64x16.splat(0))


@native(inline=True, name="int_shr")
def shr(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    inside = (y >= 0) & (y < width)
    amount = choose(inside, y, i64x16.splat(63))
    if flip != 0:
        return choose(inside, lshr_lanes(x, amount), i64x16.splat(0))
    return x >> amount


@native(inline=True, name="int_and")
def and_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x & y


@native(inline=True, name="int_or")
def or_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x | y


@native(inline=True, name="int_xor")
def xor(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return x ^ y


@native(inline=True, name="int_not")
def not_(x: i64x16, y: i64x16, z: i64x16, width: i64, flip: i64) -> i64x16:
    return ~x


# ---- divisions, number by number --------------------------------------------------------------
@native(inline=True)
def cut_quotient(x: i64, y: i64, flip: i64) -> i64:
    """x / y without its fraction; 0 if y is 0."""
    if y == 0:
        return 0
    if flip != 0:
        return udiv(x, y)
    if y == -1:
        return 0 - x
    return sdiv(x, y)


@native(inline=True)
def floor_quotient(x: i64, y: i64, flip: i64) -> i64:
    """x / y rounded down; 0 if y is 0."""
    if y == 0:
        return 0
    if flip != 0:
        return udiv(x, y)
    if y == -1:
        return 0 - x
    return x // y


def _division(name: str, quotient: Any, remainder: bool) -> Any:
    @native(name=f"int_row_{name}")
    def row(
        x: Array[i64],
        y: Array[i64],
        z: Array[i64],
        out: Array[i64],
        n: i64,
        width: i64,
        flip: i64,
    ) -> None:
        for i in range(n):
            found = quotient(x[i], y[i], flip)
            if remainder:
                out[i] = choose(y[i] == 0, 0, x[i] - y[i] * found)
            else:
                out[i] = found

    return row


#: Rows of the stages that divide, by name.
DIVISIONS: dict[str, Any] = {
    "divf": _division("divf", floor_quotient, False),
    "divt": _division("divt", cut_quotient, False),
    "modf": _division("modf", floor_quotient, True),
    "modt": _division("modt", cut_quotient, True),
}

_LANES: tuple[Any, ...] = (
    mov, add, sub, mul, madd, neg, abs_, min_, max_, clamp, select, eq, ne, lt, le, relu, shl, shr,
    and_, or_, xor, not_,
)  # fmt: skip

#: The lanes of every other stage of class int, by name.
INT_LANES: dict[str, Any] = {f.python.__name__.rstrip("_"): f for f in _LANES}


def _loop(stage: str, lanes: Any) -> Any:
    @native(name=f"int_row_{stage}")
    def row(
        x: Array[i64],
        y: Array[i64],
        z: Array[i64],
        out: Array[i64],
        n: i64,
        width: i64,
        flip: i64,
    ) -> None:
        for i in range(0, n, 16):
            a = i64x16.load(x, i)
            b = i64x16.load(y, i)
            c = i64x16.load(z, i)
            lanes(a, b, c, width, flip).store(out, i)

    return row


def int_rows() -> dict[int, Any]:
    """The rows of all stages of class int by their code."""
    found = {}
    for stage in load().stages.values():
        if "int" in stage.classes:
            name = stage.name
            found[stage.code] = DIVISIONS.get(name) or _loop(name, INT_LANES[name])
    return found
