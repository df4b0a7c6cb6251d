"""Executes the functions of ``functions.fn`` on numpy arrays, to the bit.

Every statement runs in exactly the type it states, each operation rounding by itself. The
numpy routine of an op is bound to the op row of the same name; the two sets must be equal.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.errors import InternalError
from maiacc_isa.function_rows import (
    Apply,
    Arith,
    Call,
    Const,
    Expr,
    Free,
    Function,
    Lookup,
    Name,
    Product,
)
from maiacc_isa.functions import load

Array: TypeAlias = NDArray[Any]

#: numpy types of the language.
DTYPES: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "i32": np.dtype(np.int32),
    "u32": np.dtype(np.uint32),
    "u64": np.dtype(np.uint64),
    "bool": np.dtype(np.bool_),
}

#: The one NaN of the machine.
NAN_BITS = 0x7FC00000

#: Elements computed at a time, so that the values of a function stay in the cache.
BLOCK = 1 << 14


def evaluate(name: str, *arrays: Array) -> Array:
    """The function ``name``, element by element.

    The arrays have the types of the parameters and broadcast against each other; the
    result has their common shape. NaN results are the canonical NaN 0x7fc00000.
    Raises KeyError for an unknown name and TypeError for wrong types or counts.
    """
    function = load().functions[name]
    wanted = [DTYPES[kind] for _, kind in function.params]
    if [array.dtype for array in arrays] != wanted:
        raise TypeError(f"{name} takes {', '.join(map(str, wanted))}")
    shaped = np.broadcast_arrays(*arrays)
    flat = [np.ascontiguousarray(array).reshape(-1) for array in shaped]
    result = np.empty(flat[0].size, DTYPES[function.result])
    with np.errstate(all="ignore"):
        for start in range(0, result.size, BLOCK):
            part = slice(start, start + BLOCK)
            result[part] = _canonical(_run(function, [array[part] for array in flat]))
    return result.reshape(shaped[0].shape)


def _run(function: Function, args: list[Array]) -> Array:
    names = {name: arg for (name, _), arg in zip(function.params, args, strict=True)}
    for statement in function.statements:
        names[statement.target] = _value(statement.expr, names)
    return np.broadcast_to(names["return"], args[0].shape)


def _value(expr: Expr | Product, names: dict[str, Array]) -> Array:
    if isinstance(expr, Name):
        return names[expr.name]
    if isinstance(expr, Const):
        return _constant(expr)
    if isinstance(expr, Free):
        arg = _value(expr.arg, names)
        return np.negative(arg) if expr.op == "neg" else OPS[expr.op](arg)
    if isinstance(expr, Product):
        return np.multiply(_value(expr.a, names), _value(expr.b, names))
    if isinstance(expr, Lookup):
        column = _column(expr.table, expr.column)
        return np.take(column, _value(expr.index, names) & np.uint32(column.size - 1))
    values = [_value(arg, names) for arg in expr.args]
    if isinstance(expr, Arith):
        return _ARITH[expr.form](*values)
    if isinstance(expr, Apply):
        return OPS[expr.op](*values)
    assert isinstance(expr, Call)
    return _run(load().functions[expr.function], values)


@cache
def _constant(const: Const) -> Array:
    bits = np.array(const.bits, np.uint64 if const.type == "u64" else np.uint32)
    return bits.view(DTYPES[const.type])


@cache
def _column(name: str, column: int) -> Array:
    """One column of a table, shape (rows,)."""
    table = load().tables[name]
    values = table.values[column :: table.width]
    bits = np.array(values, np.uint64 if table.type == "u64" else np.uint32)
    return bits.view(DTYPES[table.type])


def _canonical(x: Array) -> Array:
    if x.dtype != np.float32:
        return x
    nan = np.uint32(NAN_BITS).view(np.float32)
    return np.where(np.isnan(x), nan, x)


_ARITH: dict[str, Callable[..., Array]] = {
    "a*b": lambda a, b: a * b,
    "a+b": lambda a, b: a + b,
    "a-b": lambda a, b: a - b,
    "a*b+c": lambda a, b, c: a * b + c,
    "a*b-c": lambda a, b, c: a * b - c,
    "c-a*b": lambda a, b, c: c - a * b,
}


def _bits(x: Array) -> Array:
    """The bits of f32 values; a NaN reads as the canonical one, whatever made it."""
    return _canonical(x).view(np.uint32)


def _smaller(a: Array, b: Array) -> Array:
    # numpy leaves open which zero it returns, so equal values are joined by their sign bits.
    joined = (_bits(a) | _bits(b)).view(np.float32)
    return np.where(a == b, joined, np.minimum(a, b))


def _larger(a: Array, b: Array) -> Array:
    joined = (_bits(a) & _bits(b)).view(np.float32)
    return np.where(a == b, joined, np.maximum(a, b))


def _copysign(a: Array, b: Array) -> Array:
    return np.copysign(a, _canonical(b))


def _mulsign(a: Array, b: Array) -> Array:
    sign = _bits(b) & np.uint32(0x80000000)
    flipped: Array = _bits(a) ^ sign
    return flipped.view(np.float32)


def _power_of_two(k: Array) -> Array:
    """2**k in float64 for integral int64 k of at most 1022 in size."""
    return ((k + 1023) << 52).view(np.float64)


def _pscale(p: Array, k: Array) -> Array:
    inside = (k > -160) & (k < 129)
    scale = _power_of_two(np.where(inside, k, 0).astype(np.int64))
    # At most 24 bits times a power of two: exact in float64, so it rounds once.
    product = (p.astype(np.float64) * scale).astype(np.float32)
    ends = np.where(np.isnan(k), k, np.where(k > 0, np.float32(np.inf), np.float32(0)))
    return np.where(inside, product, ends)


def _split(x: Array) -> tuple[Array, Array]:
    """f32 x as (m, j) with m = x * 2**j in [3/4, 3/2), for finite x > 0."""
    m, e = np.frexp(x)
    low = m < np.float32(0.75)
    return np.where(low, m + m, m), np.where(low, 1 - e, -e)


def _norm(x: Array) -> Array:
    j = _split(x)[1].astype(np.float32)
    j = np.where(x == 0, np.float32(np.inf), np.where(x == np.inf, np.float32(-np.inf), j))
    return np.where(x >= 0, j, np.float32(np.nan))


def _mant(x: Array) -> Array:
    m = np.where((x == 0) | (x == np.inf), np.float32(1), _split(x)[0])
    return np.where(x >= 0, m, np.float32(np.nan))


def _unit(x: Array) -> Array:
    j = np.clip(_norm(x), np.float32(-128), np.float32(127))
    scale = _power_of_two(np.where(np.isnan(j), 0, j).astype(np.int64)).astype(np.float32)
    return np.where(np.isnan(j), j, scale)


def _sig8(x: Array) -> Array:
    bits = _bits(x)
    significand = (bits & np.uint32(0x7FFFFF)) | np.uint32(0x800000)
    shifted: Array = significand << ((bits >> np.uint32(23)) & np.uint32(7))
    return shifted


def _product64(a: Array, b: Array) -> Array:
    return a.astype(np.uint64) * b.astype(np.uint64)


def _radians(y: Array) -> Array:
    quarters = y >> np.uint64(62)
    negative = quarters >= 2
    size = np.where(negative, np.uint64(0) - y, y)
    # In the second and third quarter the distance is measured from the half turn.
    size = np.where((quarters == 1) | (quarters == 2), np.uint64(1 << 63) - size, size)
    pi = np.uint64(0xC90FDAA2)
    low = (size & np.uint64(0xFFFFFFFF)) * pi >> np.uint64(32)
    angle = ((size >> np.uint64(32)) * pi + low).astype(np.float32) * np.float32(2.0**-61)
    return np.where(negative, -angle, angle)


#: The numpy routine of each op row.
OPS: dict[str, Callable[..., Array]] = {
    "abs": np.abs,
    "asuint": _bits,
    "asfloat": lambda bits: bits.view(np.float32),
    "rne": np.rint,
    "trunc": np.trunc,
    "min": _smaller,
    "max": _larger,
    "lt": np.less,
    "eq": np.equal,
    "ne": np.not_equal,
    "select": np.where,
    "both": np.logical_and,
    "either": np.logical_or,
    "copysign": _copysign,
    "mulsign": _mulsign,
    "div": np.divide,
    "sqrt": np.sqrt,
    "pscale": _pscale,
    "norm": _norm,
    "mant": _mant,
    "unit": _unit,
    "and": np.bitwise_and,
    "shr": lambda a, count: a >> (count & np.uint32(31)),
    "sig8": _sig8,
    "mac": lambda a, b, c: c + _product64(a, b),
    "machi": lambda a, b, c: c + (_product64(a, b) << np.uint64(32)),
    "maclo": lambda a, b, c: c + (_product64(a, b) >> np.uint64(32)),
    "radians": _radians,
}


def _check_ops() -> None:
    unbound = set(OPS) ^ set(load().ops)
    if unbound:
        names = ", ".join(sorted(unbound))
        raise InternalError("E0001", f"op rows and numpy routines differ: {names}")


_check_ops()
