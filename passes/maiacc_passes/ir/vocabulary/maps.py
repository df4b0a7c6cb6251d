"""Ops that compute each element of the result from one element of each operand.

Operands of one element type broadcast as in numpy: trailing axes meet, a 1 stretches. Integers
wrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import broadcast as meet
from maiacc_passes.ir.rules import (
    elementwise,
    floats_only,
    need,
    predicate,
    same,
    same_float,
    wrong,
)
from maiacc_passes.ir.table import Attr, Attrs, Kind, Meaning, Row, TypeRule, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.errorfunctions import erf
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


def of(function: Callable[..., Any]) -> Meaning:
    """The meaning that a function of arrays is."""

    def meaning(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
        found: Array = np.asarray(function(*arrays))
        return found

    return meaning


def unary(name: str, function: Callable[..., Any], doc: str, rule: TypeRule = same_float) -> Row:
    """A row with the operand x."""
    return Row(name, Kind.MAP, ("x",), {}, rule, doc, of(function))


def binary(
    name: str,
    function: Callable[..., Any],
    doc: str,
    rule: TypeRule = elementwise,
    commutes: bool = False,
) -> Row:
    """A row with the operands a and b."""
    return Row(name, Kind.MAP, ("a", "b"), {}, rule, doc, of(function), commutes=commutes)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), which does not overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def power(a: Array, b: Array) -> Array:
    """a to the power of b; of integers the wrapped product, 0 for a negative exponent unless the
    base is 1 or -1."""
    if a.dtype.kind == "f":
        return np.asarray(np.power(a, b))
    a, b = np.broadcast_arrays(a, b)
    if a.dtype.kind == "u":
        return np.asarray(np.power(a, b))
    unit = np.where(a == 1, 1, np.where(a == -1, 1 - 2 * (b & 1), 0)).astype(a.dtype)
    return np.where(b < 0, unit, np.power(a, np.maximum(b, 0))).astype(a.dtype)


def larger(a: Array, b: Array) -> Array:
    """The larger of two; NaN if one is. +0 is above -0, as in the manual; numpy leaves it open."""
    found = np.asarray(np.maximum(a, b))
    if found.dtype.kind != "f" or found.all():
        return found
    zeros = np.where(a == 0, np.where(b == 0, a + b, a), b)
    return np.where(found == 0, zeros, found).astype(found.dtype)


def smaller(a: Array, b: Array) -> Array:
    """The smaller of two, likewise."""
    if a.dtype.kind != "f":
        return np.asarray(np.minimum(a, b))
    return -larger(-a, -b)


def rectified(x: Array) -> Array:
    """max(x, 0), which is +0 for -0."""
    return np.where(x <= 0, x.dtype.type(0), x)


def _divided(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    """Floats divide; integers truncate, or floor. By zero they give 0."""
    a, b = arrays
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    quotient, rest = np.divmod(a, np.where(b == 0, 1, b))
    if not op.attrs["floor"]:
        quotient = quotient + ((rest != 0) & ((a < 0) != (b < 0)))
    return np.asarray(np.where(b == 0, 0, quotient), a.dtype)


def _remainder(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    """The remainder with the sign of b (``floor``) or of a; exact for floats. Of integers by zero
    it is 0."""
    a, b = arrays
    function = np.mod if op.attrs["floor"] else np.fmod
    if a.dtype.kind == "f":
        return np.asarray(function(a, b))
    return np.asarray(np.where(b == 0, 0, function(a, np.where(b == 0, 1, b))), a.dtype)


def _shifted(left: bool) -> Meaning:
    """A shift of integers. By the width or more: everything leaves; right shifts of signed
    integers repeat the sign. A negative amount counts as the width."""

    def meaning(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
        a, b = np.broadcast_arrays(*arrays)
        width = a.dtype.itemsize * 8
        amount = b.astype(np.int64) if b.dtype != np.uint64 else np.minimum(b, width)
        over = (amount < 0) | (amount >= width)
        by = np.where(over, 0, amount).astype(a.dtype)
        gone = np.where(a < 0, -1, 0).astype(a.dtype) if not left else np.zeros_like(a)
        return np.where(over, gone, a << by if left else a >> by)

    return meaning


def _is_inf(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    (x,) = arrays
    return np.asarray(
        (np.isposinf(x) & op.attrs["positive"]) | (np.isneginf(x) & op.attrs["negative"])
    )


def _truths(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    floats_only(kind)
    return (kind.with_dtype("bool"),)


def _check_numbers(types: Types) -> None:
    if any(kind is not None and kind.dtype == "bool" for kind in types):
        raise wrong("elements are no numbers", *types, expected="floats or integers")


def _number(attrs: Attrs, types: Types) -> Sequence[Type]:
    _check_numbers(types)
    return same(attrs, types)


def _numbers(attrs: Attrs, types: Types) -> Sequence[Type]:
    _check_numbers(types)
    return elementwise(attrs, types)


def _bools(attrs: Attrs, types: Types) -> Sequence[Type]:
    for kind in types:
        if kind is None or kind.dtype != "bool":
            raise wrong("elements are no truth values", *types, expected="bool")
    return elementwise(attrs, types)


def _integers(attrs: Attrs, types: Types) -> Sequence[Type]:
    for kind in types:
        if kind is None or not kind.element.is_int:
            raise wrong("elements are no integers", *types, expected="an integer type")
    return elementwise(attrs, types)


def _bits(attrs: Attrs, types: Types) -> Sequence[Type]:
    return _bools(attrs, types) if need(types, 0).dtype == "bool" else _integers(attrs, types)


def _chosen(attrs: Attrs, types: Types) -> Sequence[Type]:
    condition, a, b = need(types, 0), need(types, 1), need(types, 2)
    if condition.dtype != "bool" or a.element is not b.element:
        raise wrong("select chooses by truth values between elements of one type", *types)
    return (tensor(a.dtype, *meet(condition, a, b)),)


def _clamped(attrs: Attrs, types: Types) -> Sequence[Type]:
    kinds = [kind for kind in types if kind is not None]
    found = elementwise(attrs, kinds)
    if found[0] is not kinds[0]:
        raise wrong("bounds are larger than what is clamped", *types)
    return found


def _clamp(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, low, high = (*arrays, None, None)[:3]
    x = x if low is None else larger(x, low)
    return np.asarray(x if high is None else smaller(x, high))


ROWS = (
    unary("neg", np.negative, "-x.", _number),
    unary("abs", np.abs, "The size of x; the lowest integer is its own.", _number),
    unary("sign", np.sign, "-1, 0 or 1; of NaN, NaN.", _number),
    unary("sqrt", np.sqrt, "The square root."),
    unary("rsqrt", lambda x: 1 / np.sqrt(x), "1 / sqrt(x)."),
    unary("recip", lambda x: 1 / x, "1 / x."),
    unary("exp", np.exp, "e to the power of x."),
    unary("expm1", np.expm1, "exp(x) - 1, exact near 0."),
    unary("log", np.log, "The natural logarithm."),
    unary("log1p", np.log1p, "log(1 + x), exact near 0."),
    unary("erf", erf, "The error function."),
    unary("tanh", np.tanh, "The hyperbolic tangent."),
    unary("sigmoid", sigmoid, "1 / (1 + exp(-x))."),
    unary("sin", np.sin, "The sine."),
    unary("cos", np.cos, "The cosine."),
    unary("atan", np.arctan, "The arc tangent."),
    unary("floor", np.floor, "The largest integer that is not above x."),
    unary("ceil", np.ceil, "The smallest integer that is not below x."),
    unary("trunc", np.trunc, "x without its fraction."),
    unary("round", np.rint, "The nearest integer, the even one of two."),
    unary("relu", rectified, "max(x, 0); of NaN, NaN.", _number),
    unary("is_nan", np.isnan, "Whether x is NaN.", _truths),
    Row(
        "is_inf",
        Kind.MAP,
        ("x",),
        {"positive": Attr("bool", True), "negative": Attr("bool", True)},
        _truths,
        "Whether x is an infinity of one of the signs asked for.",
        _is_inf,
    ),
    unary("not", np.invert, "The inverted bits of integers, or the inverted truth value.", _bits),
    binary("add", np.add, "a + b.", _numbers, True),
    binary("sub", np.subtract, "a - b.", _numbers),
    binary("mul", np.multiply, "a * b.", _numbers, True),
    Row(
        "div",
        Kind.MAP,
        ("a", "b"),
        {"floor": Attr("bool", False)},
        _numbers,
        "a / b; of integers the truncated quotient, or the floored one. An integer by 0 gives 0.",
        _divided,
    ),
    Row(
        "mod",
        Kind.MAP,
        ("a", "b"),
        {"floor": Attr("bool", True)},
        _numbers,
        "The exact remainder, with the sign of b if floored, else with that of a. Of an integer by "
        "0 it is 0.",
        _remainder,
    ),
    binary("pow", power, "a to the power of b.", _numbers),
    binary("min", smaller, "The smaller one; NaN if one is.", commutes=True),
    binary("max", larger, "The larger one; NaN if one is.", commutes=True),
    binary("and", np.bitwise_and, "Bits, or truth values, that both have.", _bits, True),
    binary("or", np.bitwise_or, "Bits, or truth values, that one has.", _bits, True),
    binary("xor", np.bitwise_xor, "Bits, or truth values, that differ.", _bits, True),
    Row("shl", Kind.MAP, ("a", "b"), {}, _integers, "a shifted left by b bits.", _shifted(True)),
    Row("shr", Kind.MAP, ("a", "b"), {}, _integers, "a shifted right by b bits.", _shifted(False)),
    binary("eq", np.equal, "Whether a = b; NaN equals nothing.", predicate, True),
    binary("lt", np.less, "Whether a < b.", predicate),
    binary("le", np.less_equal, "Whether a <= b.", predicate),
    Row(
        "select",
        Kind.MAP,
        ("condition", "a", "b"),
        {},
        _chosen,
        "a where the condition holds, else b; bits are moved unchanged.",
        of(np.where),
        compute="raw",
    ),
    Row(
        "clamp",
        Kind.MAP,
        ("x", "low?", "high?"),
        {},
        _clamped,
        "min(max(x, low), high), without a bound that is left out.",
        _clamp,
    ),
)
