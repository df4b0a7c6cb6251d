"""Reductions and scans of rows, in the order that the manual defines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.arith.convert import decode, from_float32, pack
from maiacc_sim.arith.floats import Array, canonical, from_keys, larger, smaller, to_keys
from maiacc_sim.traps import Trap


def reduce_rows(op: str, codes: Array, dtype: str, dst: str, carry: Array | None) -> Array:
    """One result of type ``dst`` for each row of codes [R, C]; ``carry`` [R] is of type ``dst``.

    Raises ``Trap`` bounds for the position in a row without elements.
    """
    values = decode(codes, dtype)
    before = None if carry is None else decode(carry, dst)
    if op.startswith("arg"):
        return pack(_position(op, values), dst)
    if not load().dtypes[dst].is_float:
        return _reduce_integers(op, values, dst, before)
    with np.errstate(all="ignore"):
        result = _FLOAT[op](values.astype(np.float32, copy=False))
        if before is not None:
            result = _COMBINE[op](before, result)
        return from_float32(result, dst)


def row_stat(stat: str, values: Array) -> Array:
    """The second result of a chain: fp32 codes [R] for its results, fp32 codes [R, C]."""
    return reduce_rows(stat, values, "fp32", "fp32", None)


def scan_rows(op: str, codes: Array, dtype: str, dst: str, carry: Array | None) -> Array:
    """Running results of type ``dst`` along rows of codes [R, C], after ``carry`` [R] of it."""
    t = load().dtypes[dst]
    values = decode(codes, dtype)
    kind = np.float32 if t.is_float else np.dtype(f"{'i' if t.signed else 'u'}{t.bits // 8}")
    if carry is None:
        start = np.full((len(codes), 1), _identity(op, dst)).astype(kind)
    else:
        start = decode(carry, dst).astype(kind)[:, None]
    # The value before the first element is an element, too: +0 + -0 is +0.
    line = np.concatenate([start, values.astype(kind)], axis=1)
    with np.errstate(all="ignore"):
        result = _scan_float(op, line) if t.is_float else _UFUNCS[op].accumulate(line, axis=1)
    result = result[:, 1:]
    return from_float32(np.ascontiguousarray(result), dst) if t.is_float else pack(result, dst)


def _identity(op: str, dst: str) -> float | int:
    """What an operation starts from: of max and min the lowest and highest value of the type."""
    t = load().dtypes[dst]
    if op not in ("max", "min"):
        return 1 if op in ("prod", "mul") else 0
    if t.is_float:
        return -np.inf if op == "max" else np.inf
    if t.kind == "bool":
        return 0 if op == "max" else 1
    return t.low if op == "max" else t.high


def _partials(combine: Callable[[Array, Array], Array], identity: float, x: Array) -> Array:
    """Partial sums of every 32nd element, then a tree over the partial sums."""
    width = load().limit("partials")
    p = np.full((x.shape[0], width), identity, np.float32)
    for start in range(0, x.shape[1], width):
        part = x[:, start : start + width]
        p[:, : part.shape[1]] = combine(p[:, : part.shape[1]], part)
    while width > 1:
        width //= 2
        p = combine(p[:, :width], p[:, width:])
    return canonical(p[:, 0])


def _largest(x: Array) -> Array:
    first = np.full((len(x), 1), -np.inf, np.float32)
    most = from_keys(to_keys(np.concatenate([first, x], axis=1)).max(axis=1))
    return canonical(np.where(np.isnan(x).any(axis=1), np.float32(np.nan), most))


def _smallest(x: Array) -> Array:
    return canonical(-_largest(-x))


_FLOAT: dict[str, Callable[[Array], Array]] = {
    "sum": lambda x: _partials(np.add, 0.0, x),
    "prod": lambda x: _partials(np.multiply, 1.0, x),
    "sumsq": lambda x: _partials(np.add, 0.0, x * x),
    "max": _largest,
    "min": _smallest,
    # In front of |x| stands 0, which is below every other one.
    "absmax": lambda x: larger(_largest(np.abs(x)), np.zeros(len(x), np.float32)),
}

#: How a carried value, the first operand, meets the result of a row.
_COMBINE: dict[str, Callable[[Array, Array], Array]] = {
    "sum": np.add,
    "prod": np.multiply,
    "max": larger,
    "min": smaller,
}


def _reduce_integers(op: str, values: Array, dst: str, carry: Array | None) -> Array:
    """Exact on the operands' values; what is kept are the low bits of the result."""
    if op in ("max", "min"):
        # Python integers: operand and carry may be of types that have no common one.
        best = max if op == "max" else min
        rows = [best(row.tolist(), default=_identity(op, dst)) for row in values]
        if carry is not None:
            rows = [best(first, last) for first, last in zip(carry.tolist(), rows, strict=True)]
        return pack(np.array([int(row) & 0xFFFFFFFFFFFFFFFF for row in rows], np.uint64), dst)
    x = values.astype(np.uint64)
    if op == "absmax":
        size = np.where(values < 0, np.uint64(0) - x, x)
        return pack(size.max(axis=1, initial=0), dst)
    ufunc = _UFUNCS["mul" if op == "prod" else "add"]
    total = ufunc.reduce(x * x if op == "sumsq" else x, axis=1, dtype=np.uint64)
    return pack(total if carry is None else ufunc(carry.astype(np.uint64), total), dst)


def _position(op: str, values: Array) -> Array:
    """The first position of the extreme value; a NaN is one."""
    if len(values) == 0:
        return np.zeros(0, np.int64)
    if values.shape[1] == 0:
        raise Trap(
            "bounds", f"{op} of a row without elements", expected="at least 1 element", found="0"
        )
    keys = to_keys(values) if values.dtype == np.float32 else values
    best = keys.argmax(axis=1) if op == "argmax" else keys.argmin(axis=1)
    nan = np.isnan(values)
    places: Array = np.where(nan.any(axis=1), nan.argmax(axis=1), best)
    return places


_UFUNCS: dict[str, np.ufunc] = {
    "add": np.add,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}


def _scan_float(op: str, line: Array) -> Array:
    if op in ("add", "mul"):
        return np.asarray(_UFUNCS[op].accumulate(line, axis=1))
    best = from_keys(_UFUNCS[op].accumulate(to_keys(line), axis=1))
    seen = np.logical_or.accumulate(np.isnan(line), axis=1)
    return np.where(seen, np.float32(np.nan), best)
