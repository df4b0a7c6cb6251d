"""The transcendental functions, statement by statement, as functions.fn writes them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from maiacc_isa import function_rows as rows
from maiacc_isa.functions import load
from sim import plain_float as pf
from sim.plain_numbers import UNIT, nearest

M32 = (1 << 32) - 1
M64 = (1 << 64) - 1


def evaluate(name: str, *arguments: int) -> int:
    """The result of a function for fp32 bits; a NaN is canonical."""
    function = load().functions[name]
    names = {param: value for (param, _), value in zip(function.params, arguments, strict=True)}
    for statement in function.statements:
        value = _value(statement.expr, names)
        if statement.target == "return":
            return pf.NAN if pf.is_nan(value) else value
        names[statement.target] = value
    raise AssertionError(f"{name} returns nothing")


def _value(expr: rows.Expr | rows.Product, names: dict[str, int]) -> int:
    match expr:
        case rows.Name():
            return names[expr.name]
        case rows.Const():
            return expr.bits
        case rows.Free():
            return _free(expr.op, _value(expr.arg, names))
        case rows.Product():
            return pf.mul(_value(expr.a, names), _value(expr.b, names))
        case rows.Arith():
            return _arith(expr.form, [_value(arg, names) for arg in expr.args])
        case rows.Lookup():
            table = load().tables[expr.table]
            return table.values[_value(expr.index, names) % table.rows * table.width + expr.column]
        case rows.Call():
            return evaluate(expr.function, *(_value(arg, names) for arg in expr.args))
    return OPS[expr.op](*(_value(arg, names) for arg in expr.args))


def _free(op: str, x: int) -> int:
    match op:
        case "neg":
            return x ^ pf.SIGN
        case "abs":
            return x & ~pf.SIGN
        case "asuint":
            return pf.NAN if pf.is_nan(x) else x
    assert op == "asfloat"
    return x


def _arith(form: str, args: list[int]) -> int:
    if form in ("a+b", "a-b"):
        return (pf.add if form == "a+b" else pf.sub)(*args)
    product = pf.mul(args[0], args[1])
    match form:
        case "a*b":
            return product
        case "a*b+c":
            return pf.add(product, args[2])
        case "a*b-c":
            return pf.sub(product, args[2])
    assert form == "c-a*b"
    return pf.sub(args[2], product)


def _sign_of(x: int) -> int:
    return 0 if pf.is_nan(x) else x & pf.SIGN


def _small(value: int) -> int:
    """The fp32 bits of a small integer."""
    return nearest("fp32", int(value < 0), abs(value), 0)


def _pscale(p: int, k: int) -> int:
    if pf.is_nan(k):
        return pf.NAN
    number = pf.f32(k)
    if number.kind == "inf":
        return 0 if number.sign else pf.INF
    power = Fraction(number.signed, 1 << UNIT)
    if power >= 129:
        return pf.INF
    if power <= -160:
        return 0
    x = pf.f32(p)
    if x.kind != "finite":
        return pf.NAN if x.kind == "nan" else p
    return nearest("fp32", x.sign, x.size, UNIT - int(power))


def _exponent(x: int) -> int | None:
    """The j that brings a positive finite x * 2**j into [3/4, 3/2); None if there is none."""
    a = pf.f32(x)
    if a.kind != "finite" or a.sign or a.size == 0:
        return None
    power = a.size.bit_length() - 1 - UNIT  # 2**power <= x < 2**(power + 1)
    value = Fraction(a.size, 1 << UNIT) / Fraction(2) ** power
    return -power if value < Fraction(3, 2) else -power - 1


def _norm(x: int) -> int:
    j = _exponent(x)
    if j is not None:
        return _small(j)
    if pf.is_nan(x):
        return pf.NAN
    if x & ~pf.SIGN == 0:
        return pf.INF
    return pf.INF | pf.SIGN if x == pf.INF else pf.NAN


def _mant(x: int) -> int:
    j = _exponent(x)
    if j is not None:
        return nearest("fp32", 0, pf.f32(x).size, UNIT - j)
    return pf.NAN if pf.is_nan(_norm(x)) else pf.ONE


def _unit(x: int) -> int:
    j = _norm(x)
    if pf.is_nan(j):
        return pf.NAN
    number = pf.f32(j)
    power = (-128 if number.sign else 127) if number.kind == "inf" else number.signed >> UNIT
    return nearest("fp32", 0, 1, -max(-128, min(127, power)))


def _sig8(x: int) -> int:
    return ((x & 0x7FFFFF) + 0x800000) << ((x >> 23 & 0xFF) % 8)


def _radians(y: int) -> int:
    distance = min(y, abs(y - (1 << 63)), (1 << 64) - y)
    size = distance * 0xC90FDAA2 >> 32
    rounded = nearest("fp32", int(y >= 1 << 63), size, 0)
    return pf.mul(rounded, nearest("fp32", 0, 1, 61))


OPS: dict[str, Callable[..., int]] = {
    "rne": lambda x: pf.whole(x, "rne"),
    "trunc": lambda x: pf.whole(x, "trunc"),
    "min": pf.least,
    "max": pf.most,
    "lt": lambda x, y: int(pf.compare(x, y) == -1),
    "eq": lambda x, y: int(pf.compare(x, y) == 0),
    "ne": lambda x, y: int(pf.compare(x, y) != 0),
    "select": lambda c, x, y: x if c else y,
    "both": lambda x, y: x & y,
    "either": lambda x, y: x | y,
    "copysign": lambda x, y: (x & ~pf.SIGN) | _sign_of(y),
    "mulsign": lambda x, y: x ^ _sign_of(y),
    "div": pf.div,
    "sqrt": pf.sqrt,
    "pscale": _pscale,
    "norm": _norm,
    "mant": _mant,
    "unit": _unit,
    "and": lambda x, y: x & y,
    "shr": lambda x, y: x >> (y % 32),
    "sig8": _sig8,
    "mac": lambda a, b, c: (c + a * b) & M64,
    "machi": lambda a, b, c: (c + (a * b << 32)) & M64,
    "maclo": lambda a, b, c: (c + (a * b >> 32)) & M64,
    "radians": _radians,
}
