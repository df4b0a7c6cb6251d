"""Inputs of the functions that are the same everywhere, and what the functions make of them.

The inputs come from integer arithmetic alone, so that the results can be stored: a golden
file holds those at special values and thresholds, and one digest of many more. ``mutants``
changes the functions one constant at a time, to show that these results would notice.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import product
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from maiacc_isa import function_eval
from maiacc_isa.function_eval import NAN_BITS, evaluate
from maiacc_isa.function_rows import Const, Function, FunctionSet, Lookup, Table, expr_text
from maiacc_isa.functions import load
from maiacc_isa.manual.functions_chapter import algorithm

Array: TypeAlias = NDArray[Any]

#: Inputs behind a digest, half of them spread over all bit patterns and half over +-16.
DIGEST = 1 << 18

SIGN = np.uint32(1 << 31)

#: Bit patterns where a function of one argument is always recorded, with either sign.
POINTS = (0, 1, 0x7FFFFF, 0x800000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x7F7FFFFF, 0x7F800000)

#: Sizes of either argument of pow; every pair of them is recorded, with either sign.
POW_X = (0.0, 2.0**-149, 2.0**-126, 0.5, 1.0, 1.0000001, 2.0, 3.5, 3.4028235e38, np.inf)
POW_Y = (0.0, 2.0**-149, 0.5, 1.0, 2.0, 3.0, 2.5, 127.0, 149.0, 8388609.0, 16777216.0, np.inf)


#: Where a result changes its kind, at most this many inputs are recorded.
THRESHOLDS = 48


def bits_of(name: str, *inputs: Array) -> Array:
    """The bits of a function's results."""
    result: Array = evaluate(name, *inputs).view(np.uint32)
    return result


@cache
def points(name: str) -> tuple[Array, ...]:
    """Special inputs of a function, one array per parameter."""
    if name == "pow":
        x, y = (_signed(np.array(sizes, np.float32).view(np.uint32)) for sizes in (POW_X, POW_Y))
        pairs = np.array(list(product(x, y)), np.uint32)
        return tuple(np.ascontiguousarray(column).view(np.float32) for column in pairs.T)
    return (_signed(np.array([*POINTS, *_thresholds(name)], np.uint32)).view(np.float32),)


def _signed(bits: Array) -> Array:
    """Bit patterns with either sign, in order and once each, then a NaN."""
    return np.append(np.unique(np.concatenate([bits, bits | SIGN])), np.uint32(NAN_BITS))


def _kind(bits: Array) -> Array:
    """What sort of result this is: zero, subnormal, normal, one, infinity or NaN; its sign."""
    edges = np.array([1, 0x800000, 0x3F800000, 0x3F800001, 0x7F800000, 0x7F800001], np.uint32)
    sort = np.searchsorted(edges, bits & ~SIGN, "right")
    # Above 1 is the same sort of result as below.
    result: Array = np.where(sort == 4, 2, sort) * 2 + (bits >> np.uint32(31))
    return result


def _thresholds(name: str) -> list[int]:
    """Both sides of places where the result changes its kind, without the sign.

    All of them, except for sin and cos: there the smallest ones.
    """
    found: set[int] = set()
    for sign in (np.uint32(0), SIGN):
        low = np.arange(0, 0x7F800000, 1 << 19, dtype=np.uint32) | sign
        high = np.append(low[1:], np.uint32(0x7F800000) | sign)
        first, last = (_kind(bits_of(name, x.view(np.float32))) for x in (low, high))
        low, high, first = (x[first != last] for x in (low, high, first))
        while np.any(high - low > 1):
            middle = low + (high - low) // np.uint32(2)
            same = _kind(bits_of(name, middle.view(np.float32))) == first
            low, high = np.where(same, middle, low), np.where(same, high, middle)
        found.update(int(x & ~SIGN) for x in (*low, *high))
    return sorted(found)[:THRESHOLDS]


@cache
def spread(name: str) -> tuple[Array, ...]:
    """The inputs behind the digest, one array per parameter."""
    index = np.arange(DIGEST // 2, dtype=np.uint64)
    words = (index * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    near = (words.astype(np.float64) * 2.0**-27 - 16.0).astype(np.float32)
    if name != "pow":
        return (np.concatenate([words.astype(np.uint32).view(np.float32), near]),)
    # The exponent goes through +-8 at another pace. A negative base is given an integer.
    words = (index * np.uint64(0xD1B54A32D192ED03)) >> np.uint64(32)
    other = (words.astype(np.float64) * 2.0**-28 - 8.0).astype(np.float32)
    return np.concatenate([np.abs(near), near]), np.concatenate([other, np.rint(other)])


def digest(name: str) -> str:
    """SHA-256 of the little-endian results at the spread inputs."""
    return sha256(bits_of(name, *spread(name)).astype("<u4").tobytes()).hexdigest()


def golden_text(name: str) -> str:
    """Inputs and results at the special places, in hexadecimal, then the digests."""
    inputs = points(name)
    columns = [*(x.view(np.uint32) for x in inputs), bits_of(name, *inputs)]
    lines = [" ".join(f"{int(bits):08x}" for bits in row) for row in zip(*columns, strict=True)]
    lines += [f"{DIGEST} others {digest(name)}", f"algorithm {algorithm_digest(name)}"]
    return "\n".join([*lines, ""])


def algorithm_digest(name: str) -> str:
    """SHA-256 of the statements of a function and of its tables.

    The last bit of a small coefficient may change no result at the inputs tried here.
    """
    known = load()
    function = known.functions[name]
    used = [repr(table.values) for table in known.tables.values() if name in users(table)]
    return sha256("\n".join([algorithm(function), *used]).encode()).hexdigest()


def mutants(function: Function) -> Iterator[tuple[str, FunctionSet]]:
    """Every constant of a function with one bit flipped: where it is, and all functions then."""
    known = load()
    for number, statement in enumerate(function.statements):
        for old, expr in _changed(statement.expr):
            before, after = function.statements[:number], function.statements[number + 1 :]
            body = (*before, replace(statement, expr=expr), *after)
            functions = {**known.functions, function.name: replace(function, statements=body)}
            where = f"{statement.target} = {expr_text(statement.expr)}: {old}"
            yield where, FunctionSet(known.ops, known.tables, functions)


#: Which bit is flipped: one in the middle of an f32, the lowest of what counts or masks,
#: and one worth 2**-29 of a turn.
FLIPPED = {"f32": 1 << 12, "u32": 1, "u64": 1 << 35}


def _changed(node: Any) -> Iterator[tuple[str, Any]]:
    """A part of a statement with one constant changed, for each: the constant, the part."""
    if isinstance(node, Const):
        yield expr_text(node), Const(node.type, node.bits ^ FLIPPED[node.type])
    elif isinstance(node, tuple):
        for number, kid in enumerate(node):
            for old, new in _changed(kid):
                yield old, (*node[:number], new, *node[number + 1 :])
    elif is_dataclass(node) and not isinstance(node, type):
        for each in fields(node):
            for old, new in _changed(getattr(node, each.name)):
                yield old, replace(node, **{each.name: new})


def table_mutants(table: Table) -> Iterator[tuple[int, int, FunctionSet]]:
    """A table with the highest bit of one significand flipped, for each: row, column, set."""
    known = load()
    flip = 1 << 22 if table.type == "f32" else 1 << 31
    for index, value in enumerate(table.values):
        # The bit would make a subnormal of a zero; a one is a change of the same weight.
        new = value ^ flip if value or table.type != "f32" else 0x3F800000
        values = (*table.values[:index], new, *table.values[index + 1 :])
        tables = {**known.tables, table.name: replace(table, values=values)}
        row, column = divmod(index, table.width)
        yield row, column, FunctionSet(known.ops, tables, known.functions)


def users(table: Table) -> list[str]:
    """The functions that read a table."""
    found = []
    for function in load().functions.values():
        exprs = (statement.expr for statement in function.statements)
        if any(isinstance(expr, Lookup) and expr.table == table.name for expr in exprs):
            found.append(function.name)
    return found


@cache
def recorded(name: str) -> tuple[tuple[tuple[Array, ...], Array], ...]:
    """The special and the spread inputs of a function, each with the right results."""
    return tuple((inputs, bits_of(name, *inputs)) for inputs in (points(name), spread(name)))


@contextmanager
def rows(changed: FunctionSet) -> Iterator[None]:
    """Has the evaluator go by other rows."""
    function_eval._column.cache_clear()
    try:
        with patch.object(function_eval, "load", lambda: changed):
            yield
    finally:
        function_eval._column.cache_clear()


def noticed(name: str, changed: FunctionSet) -> bool:
    """Whether a function has other results at the recorded inputs with other rows."""
    right = recorded(name)
    with rows(changed):
        return any(not np.array_equal(bits_of(name, *x), bits) for x, bits in right)
