"""Arithmetic and comparisons of values and of what is known while translating."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from maiacc_sim.native.lang.emit import Body, Value
from maiacc_sim.native.lang.types import BOOL, I64, Pointer, Scalar, Vector
from maiacc_sim.native.lang.writers import numeric, pair


class Unsupported(Exception):  # noqa: N818
    """A native function says something that cannot be translated."""


_KNOWN_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.Pow: operator.pow,
}

_INTEGER: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.LShift: "shl",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}

_FLOAT: dict[type[ast.operator], str] = {
    ast.Add: "fadd",
    ast.Sub: "fsub",
    ast.Mult: "fmul",
    ast.Div: "fdiv",
}

_KNOWN_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}

#: Predicates of comparisons: signed integers, unsigned ones, floats (a NaN compares false but
#: for "not equal").
_PREDICATES: dict[type[ast.cmpop], tuple[str, str, str]] = {
    ast.Eq: ("eq", "eq", "oeq"),
    ast.NotEq: ("ne", "ne", "une"),
    ast.Lt: ("slt", "ult", "olt"),
    ast.LtE: ("sle", "ule", "ole"),
    ast.Gt: ("sgt", "ugt", "ogt"),
    ast.GtE: ("sge", "uge", "oge"),
}


def combined(body: Body, op: ast.operator, left: Any, right: Any) -> Any:
    """left op right."""
    if not isinstance(left, Value) and not isinstance(right, Value):
        return _KNOWN_BINARY[type(op)](left, right)
    if isinstance(left, Value) and isinstance(left.kind, Pointer):
        if not isinstance(op, ast.Add):
            raise Unsupported("addresses can only be added to")
        return Value(left.kind, body.element(left, numeric(body, right, I64)).ref)
    a, b = pair(body, left, right)
    assert isinstance(a.kind, Scalar | Vector)
    if a.kind.is_float:
        if type(op) not in _FLOAT:
            raise Unsupported(f"{type(op).__name__} of floats")
        return body.binary(_FLOAT[type(op)], a, b)
    if isinstance(op, ast.RShift):
        signed = not isinstance(a.kind, Vector) or a.kind.element.signed
        return body.binary("ashr" if signed else "lshr", a, b)
    if isinstance(op, ast.FloorDiv | ast.Mod):
        return _floored(body, isinstance(op, ast.Mod), a, b, right)
    if type(op) not in _INTEGER:
        raise Unsupported(f"{type(op).__name__} of integers")
    return body.binary(_INTEGER[type(op)], a, b)


def _floored(body: Body, remainder: bool, a: Value, b: Value, right: Any) -> Value:
    """Division rounded down, and its remainder, as Python has them."""
    if isinstance(right, int) and right > 0 and right & (right - 1) == 0:
        amount = right - 1 if remainder else right.bit_length() - 1
        op = "and" if remainder else "ashr"
        return body.binary(op, a, numeric(body, amount, a.kind))
    rest = body.binary("srem", a, b)
    zero = numeric(body, 0, a.kind)
    signs = body.compare("slt", body.binary("xor", rest, b), zero)
    wrong = body.binary("and", signs, body.compare("ne", rest, zero))
    if remainder:
        return body.choose(wrong, body.binary("add", rest, b), rest)
    down = body.binary("sdiv", a, b)
    return body.choose(wrong, body.binary("sub", down, numeric(body, 1, a.kind)), down)


def negated(body: Body, op: ast.unaryop, found: Any) -> Any:
    """- and ~ of what was found."""
    if not isinstance(found, Value):
        return -found if isinstance(op, ast.USub) else ~found
    kind = found.kind
    assert isinstance(kind, Scalar | Vector)
    if isinstance(op, ast.Invert):
        return inverted(body, found)
    if kind.is_float:
        return body.give(kind, f"fneg {kind.value} {found.ref}")
    return body.binary("sub", numeric(body, 0, kind), found)


def inverted(body: Body, value: Value) -> Value:
    """The other truth value, or all bits turned over."""
    assert isinstance(value.kind, Scalar | Vector)
    kind = value.kind.element if isinstance(value.kind, Vector) else value.kind
    return body.binary("xor", value, numeric(body, 1 if kind is BOOL else -1, value.kind))


def compared(body: Body, op: ast.cmpop, left: Any, right: Any) -> Any:
    """left op right, a truth value."""
    if not isinstance(left, Value) and not isinstance(right, Value):
        return _KNOWN_COMPARE[type(op)](left, right)
    a, b = pair(body, left, right)
    kind = a.kind
    unsigned = isinstance(kind, Pointer) or (isinstance(kind, Vector) and not kind.element.signed)
    floats = isinstance(kind, Scalar | Vector) and kind.is_float
    predicate = _PREDICATES[type(op)][2 if floats else 1 if unsigned else 0]
    return body.compare(predicate, a, b)
