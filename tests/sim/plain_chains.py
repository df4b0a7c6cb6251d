"""Chains, reductions, scans and orders of the vector unit, one element at a time."""

from __future__ import annotations

from collections.abc import Callable

from maiacc_isa.functions import load as functions
from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from sim import plain_float as pf
from sim.plain_functions import evaluate
from sim.plain_numbers import (
    PlainTrap,
    convert,
    integer,
    limits,
    nearest,
    row,
    signed,
    wrap,
    wrapped,
)

Code = int

FLOAT: dict[str, Callable[..., int]] = {
    "mov": lambda x: x,
    "add": pf.add,
    "sub": pf.sub,
    "mul": pf.mul,
    "madd": lambda x, y, z: pf.add(pf.mul(x, y), z),
    "neg": lambda x: x ^ pf.SIGN,
    "abs": lambda x: x & ~pf.SIGN,
    "min": pf.least,
    "max": pf.most,
    "clamp": lambda x, y, z: pf.least(pf.most(x, y), z),
    "select": lambda x, y, z: y if x & ~pf.SIGN else z,
    "eq": lambda x, y: pf.truth(pf.compare(x, y) == 0),
    "ne": lambda x, y: pf.truth(pf.compare(x, y) != 0),
    "lt": lambda x, y: pf.truth(pf.compare(x, y) == -1),
    "le": lambda x, y: pf.truth(pf.compare(x, y) in (-1, 0)),
    "relu": lambda x: pf.most(x, 0),
    "div": pf.div,
    "recip": lambda x: pf.div(pf.ONE, x),
    "sqrt": pf.sqrt,
    "frem": pf.frem,
    **{rule: lambda x, rule=rule: pf.whole(x, rule) for rule in ("rne", "floor", "ceil", "trunc")},
    **{name: lambda *a, name=name: evaluate(name, *a) for name in functions().functions},
}

INTEGER: dict[str, Callable[..., int]] = {
    "mov": lambda x: x,
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "madd": lambda x, y, z: x * y + z,
    "neg": lambda x: -x,
    "abs": abs,
    "min": min,
    "max": max,
    "clamp": lambda x, y, z: min(max(x, y), z),
    "select": lambda x, y, z: y if x else z,
    "eq": lambda x, y: int(x == y),
    "ne": lambda x, y: int(x != y),
    "lt": lambda x, y: int(x < y),
    "le": lambda x, y: int(x <= y),
    "relu": lambda x: max(x, 0),
    "divf": lambda x, y: x // y,
    "divt": lambda x, y: abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1),
    "modf": lambda x, y: x % y,
    "modt": lambda x, y: abs(x) % abs(y) * (-1 if x < 0 else 1),
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "not": lambda x: ~x,
}

_DIVIDING = ("divf", "divt", "modf", "modt")


def run(chain: Chain, inputs: list[tuple[Code, str]]) -> Code:
    """The chain's result for one element, a code of the chain's type."""
    known = {
        name: convert(code, dtype, chain.dtype)
        for name, (code, dtype) in zip("abc", inputs, strict=False)
    }
    for number, step in enumerate(chain.steps):
        stage = _float_stage if row(chain.dtype).is_float else _integer_stage
        result = stage(chain, step, known)
        known[f"r{number}"] = result
    return result


def _float_stage(chain: Chain, step: Step, known: dict[str, Code]) -> Code:
    return FLOAT[step.op](*(known.get(name, step.imm) for name in step.inputs))


def _integer_stage(chain: Chain, step: Step, known: dict[str, Code]) -> Code:
    constant = wrap(signed(step.imm, 32), chain.dtype)
    x = [integer(known.get(name, constant), chain.dtype) for name in step.inputs]
    if step.op in _DIVIDING and x[1] == 0:
        if not chain.zero_div:
            raise PlainTrap("division")
        return 0
    if step.op in ("shl", "shr"):
        return wrap(_shifted(step.op, x[0], x[1], row(chain.dtype).bits), chain.dtype)
    return wrap(INTEGER[step.op](*x), chain.dtype)


def _shifted(op: str, x: int, y: int, width: int) -> int:
    far = not 0 <= y < width
    if op == "shl":
        return 0 if far else x << y
    return x >> (width if far else y)


def leave(chain: Chain, code: Code, dtype: str) -> Code:
    """A result of a chain in the destination's type."""
    return convert(code, chain.dtype, dtype, chain.saturate, chain.round)


# ---- reductions ---------------------------------------------------------------------------
_COMBINE: dict[str, tuple[int, Callable[[int, int], int]]] = {
    "sum": (0, pf.add),
    "prod": (pf.ONE, pf.mul),
    "max": (pf.INF | pf.SIGN, pf.most),
    "min": (pf.INF, pf.least),
}


def float_row(op: str, values: list[Code]) -> Code:
    """The fp32 reduction of fp32 values, in the order of the manual."""
    if op == "absmax":
        result = 0
        for value in values:
            result = pf.most(result, value & ~pf.SIGN)
        return result
    if op == "sumsq":
        return float_row("sum", [pf.mul(value, value) for value in values])
    identity, combine = _COMBINE[op]
    partial = [identity] * 32
    for i, value in enumerate(values):
        partial[i % 32] = combine(partial[i % 32], value)
    for half in (16, 8, 4, 2, 1):
        for j in range(half):
            partial[j] = combine(partial[j], partial[j + half])
    return partial[0]


def reduce_row(op: str, codes: list[Code], dtype: str, to: str, carry: Code | None) -> Code:
    """VRED of one row."""
    if op in ("argmax", "argmin"):
        return wrap(position(op, codes, dtype), to)
    if row(dtype).is_float:
        result = float_row(op, [convert(code, dtype, "fp32") for code in codes])
        if carry is not None:
            result = _COMBINE[op][1](convert(carry, to, "fp32"), result)
        return convert(result, "fp32", to)
    values = [integer(code, dtype) for code in codes]
    total = _integer_row(op, values, to)
    if carry is not None:
        total = _integer_row(op, [integer(carry, to), total], to)
    return int(total != 0) if to == "bool" else wrap(total, to)


def _integer_row(op: str, values: list[int], to: str) -> int:
    match op:
        case "max":
            return max(values, default=limits(to)[0] if to != "bool" else 0)
        case "min":
            return min(values, default=limits(to)[1] if to != "bool" else 1)
        case "absmax":
            return max(map(abs, values), default=0)
        case "sumsq":
            return sum(value * value for value in values)
        case "sum":
            return sum(values)
    product = 1
    for value in values:
        product *= value
    return product


def position(op: str, codes: list[Code], dtype: str) -> int:
    """The first position of the extreme; of the first NaN if there is one."""
    if not codes:
        raise PlainTrap("bounds", f"{op} of nothing")
    if row(dtype).is_float:
        values = [convert(code, dtype, "fp32") for code in codes]
        nans = [i for i, value in enumerate(values) if pf.is_nan(value)]
        if nans:
            return nans[0]
        ranks = [pf.rank(value) for value in values]
    else:
        ranks = [integer(code, dtype) for code in codes]
    best = max(ranks) if op == "argmax" else min(ranks)
    return ranks.index(best)


def scan_row(op: str, codes: list[Code], dtype: str, to: str, carry: Code | None) -> list[Code]:
    """VSCAN of one row."""
    name = {"add": "sum", "mul": "prod"}.get(op, op)
    results = []
    if row(to).is_float:
        identity, combine = _COMBINE[name]
        state = identity if carry is None else convert(carry, to, "fp32")
        for code in codes:
            state = combine(state, convert(code, dtype, "fp32"))
            results.append(convert(state, "fp32", to))
        return results
    value = _integer_row(name, [], to) if carry is None else integer(carry, to)
    for code in codes:
        value = wrapped(_integer_row(name, [value, wrapped(integer(code, dtype), to)], to), to)
        results.append(wrap(value, to))
    return results


def order(codes: list[Code], dtype: str, descending: bool) -> list[int]:
    """Positions in the stable order of VSORT."""
    keys = []
    for code in codes:
        if row(dtype).is_float:
            x = convert(code, dtype, "fp32")
            # NaN above everything, -0 and +0 alike.
            key = pf.INF + 1 if pf.is_nan(x) else pf.rank(x) if x & ~pf.SIGN else 0
        else:
            key = integer(code, dtype)
        keys.append(-key if descending else key)
    return sorted(range(len(codes)), key=lambda i: keys[i])


def combine(op: str, old: Code, new: Code, dtype: str) -> Code:
    """What SCATTER, VSCATTER, RADD and PUTADD leave where there was ``old``."""
    if op == "set":
        return new
    if row(dtype).is_float:
        rule = {"add": pf.add, "mul": pf.mul, "min": pf.least, "max": pf.most}[op]
        x, y = (convert(code, dtype, "fp32") for code in (old, new))
        return convert(rule(x, y), "fp32", dtype)
    return wrap(INTEGER[op](integer(old, dtype), integer(new, dtype)), dtype)


def coordinate(value: int, dtype: str) -> Code:
    """A coordinate as an element of a view of `iota`."""
    if row(dtype).is_float:
        return nearest(dtype, int(value < 0), abs(value), 0)
    return wrap(value, dtype)


assert set(FLOAT) == {s.name for s in load().stages.values() if "float" in s.classes}
assert set(INTEGER) | {"shl", "shr"} == {
    s.name for s in load().stages.values() if "int" in s.classes
}
