"""Composites worth recognising: softmax, normalisations, activations.

Each stands for the ops of its expansion, which are computed in fp32 where elements are narrow
floats; the result is rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.rules import check_axis, floats_only, need, same_float, whole
from maiacc_passes.ir.table import Attr, Attrs, Expansion, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.errorfunctions import erfc
from maiacc_passes.ir.vocabulary.formulas import (
    cast,
    check_stretch,
    number,
    parameters,
    vector,
    widened,
)
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder
    from maiacc_passes.ir.evaluate import Run


def operands(op: Op, count: int) -> list[Value]:
    """The first operands, which the row says are there."""
    found = [value for value in op.operands[:count] if value is not None]
    assert len(found) == count
    return found


# ---- softmax --------------------------------------------------------------------------------
def _along_axis(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    floats_only(kind)
    whole(kind, check_axis(attrs["axis"], kind), "softmax")
    return (kind,)


def _below_largest(b: Builder, x: Value, axis: int) -> Value:
    """x minus its largest element along an axis; nothing is taken from a row of -inf only."""
    largest = b("rmax", x, axes=(axis,), keep=True)
    masked = b("eq", largest, number(b, -math.inf, x))
    return b("sub", x, b("select", masked, number(b, 0, x), largest))


def _softmax(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    axis = op.attrs["axis"]
    power = b("exp", _below_largest(b, widened(b, x), axis))
    total = b("rsum", power, axes=(axis,), keep=True)
    result = b("div", power, total)
    if op.attrs["masked_zero"]:
        zero = number(b, 0, power)
        result = b("select", b("eq", total, zero), zero, result)
    return (cast(b, result, x.type.dtype),)


def _log_softmax(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    axis = op.attrs["axis"]
    below = _below_largest(b, widened(b, x), axis)
    total = b("rsum", b("exp", below), axes=(axis,), keep=True)
    return (cast(b, b("sub", below, b("log", total)), x.type.dtype),)


# ---- normalisations -------------------------------------------------------------------------
def _norm_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    check_axis(attrs["axis"], kind)
    parameters(kind, *types[1:])
    inner = [whole(kind, axis, "a norm") for axis in range(attrs["axis"], kind.rank)]
    for other in types[1:]:
        check_stretch(other, tensor(kind.dtype, tuple(inner)), "a scale or bias")
    return (kind,)


def _mean(b: Builder, x: Value, axes: tuple[int, ...], name: str = "rsum") -> Value:
    """The mean along axes, or that of the squares (rsumsq), with the axes kept."""
    count = math.prod(x.type.shape[axis] for axis in axes)
    return b("div", b(name, x, axes=axes, keep=True), number(b, count, x))


def _over_root(b: Builder, x: Value, axes: tuple[int, ...], eps: float) -> Value:
    """x over the root of the mean of its squares plus eps."""
    mean = _mean(b, x, axes, "rsumsq")
    return b("mul", x, b("rsqrt", b("add", mean, number(b, eps, x))))


def _scaled(b: Builder, x: Value, scale: Value | None, bias: Value | None) -> Value:
    if scale is not None:
        x = b("mul", x, cast(b, scale, x.type.dtype))
    return x if bias is None else b("add", x, cast(b, bias, x.type.dtype))


def _layer_norm(b: Builder, op: Op) -> Sequence[Value]:
    """In two passes: the mean is taken off before anything is squared."""
    (x,) = operands(op, 1)
    axes = tuple(range(op.attrs["axis"], x.type.rank))
    wide = widened(b, x)
    away = b("sub", wide, _mean(b, wide, axes))
    result = _scaled(b, _over_root(b, away, axes, op.attrs["eps"]), op.operand(1), op.operand(2))
    return (cast(b, result, x.type.dtype),)


def _rms_norm(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    axes = tuple(range(op.attrs["axis"], x.type.rank))
    result = _over_root(b, widened(b, x), axes, op.attrs["eps"])
    return (cast(b, _scaled(b, result, op.operand(1), None), x.type.dtype),)


def _group_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind, groups = need(types, 0), attrs["groups"]
    check_axis(1, kind)
    parameters(kind, *types[1:])
    channels, *_ = [whole(kind, axis, "a norm") for axis in range(1, kind.rank)]
    if not 1 <= groups <= max(channels, 1) or channels % groups:
        found = f"{groups} groups of {channels} channels"
        raise IRError("E1401", "attribute groups", found=found)
    for other in types[1:]:
        if other is not None:
            vector(other, channels, "scale or bias")
    return (kind,)


def _group_norm(b: Builder, op: Op) -> Sequence[Value]:
    x, scale, bias = operands(op, 3)
    shape, groups = x.type.shape, op.attrs["groups"]
    inner = math.prod(shape[1:]) // groups
    rows = b("reshape", widened(b, x), shape=(shape[0], groups, inner))
    away = b("sub", rows, _mean(b, rows, (2,)))
    result = b("reshape", _over_root(b, away, (2,), op.attrs["eps"]), shape=shape)
    planes = (1,) * (x.type.rank - 2)
    scale, bias = (b("reshape", y, shape=(y.type.size, *planes)) for y in (scale, bias))
    return (cast(b, _scaled(b, result, scale, bias), x.type.dtype),)


def _affine_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    channels = whole(kind, check_axis(attrs["axis"], kind), "affine")
    parameters(kind, *types[1:])
    vector(need(types, 1), channels, "scale")
    vector(need(types, 2), channels, "bias")
    return (kind,)


def _affine(b: Builder, op: Op) -> Sequence[Value]:
    x, scale, bias = operands(op, 3)
    behind = (1,) * (x.type.rank - op.attrs["axis"] - 1)
    scale, bias = (b("reshape", y, shape=(y.type.size, *behind)) for y in (scale, bias))
    return (cast(b, _scaled(b, widened(b, x), scale, bias), x.type.dtype),)


# ---- activations ----------------------------------------------------------------------------
def sigmoid_weighted(b: Builder, x: Value) -> Value:
    """x / (1 + exp(-x))."""
    return b("div", x, b("add", b("exp", b("neg", x)), number(b, 1, x)))


def _silu(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    return (cast(b, sigmoid_weighted(b, widened(b, x)), x.type.dtype),)


def _softplus(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    wide = widened(b, x)
    tail = b("log1p", b("exp", b("neg", b("abs", wide))))
    return (cast(b, b("add", b("relu", wide), tail), x.type.dtype),)


#: sqrt(2 / pi) and the factor of the cube in gelu with tanh.
_ROOT, _CUBE = math.sqrt(2 / math.pi), 0.044715


def _gelu(b: Builder, op: Op) -> Sequence[Value]:
    """With tanh: x * sigmoid(2u), which does not cancel. Else x/2 * (1 + erf(x / sqrt 2)), whose
    absolute error is small, but not its relative one far below 0."""
    (x,) = operands(op, 1)
    wide = widened(b, x)
    if op.attrs["tanh"]:
        square = b("mul", b("mul", wide, wide), number(b, _CUBE, wide))
        line = b("mul", b("add", square, number(b, 1, wide)), wide)
        result = b("mul", wide, b("sigmoid", b("mul", line, number(b, 2 * _ROOT, wide))))
    else:
        curve = b("erf", b("mul", wide, number(b, math.sqrt(0.5), wide)))
        half = b("mul", wide, number(b, 0.5, wide))
        result = b("mul", half, b("add", curve, number(b, 1, wide)))
    return (cast(b, result, x.type.dtype),)


def _gelu_meaning(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    """In float64, so that it is right to the last bit but one also far below 0."""
    x = arrays[0].astype(np.float64)
    if op.attrs["tanh"]:
        return np.asarray(x / (1 + np.exp(-2 * _ROOT * (x + _CUBE * x * x * x)))).astype(x.dtype)
    return np.asarray(0.5 * x * erfc(-x * math.sqrt(0.5)))


# ---- rows -----------------------------------------------------------------------------------
def composite(
    name: str, names: Sequence[str], rule: Any, expand: Expansion, doc: str, **attrs: Attr
) -> Row:
    """A row of a composite."""
    return Row(name, Kind.COMPOSITE, tuple(names), attrs, rule, doc, expand=expand)


_AXIS, _EPS = Attr("int"), Attr("float")

ROWS = (
    composite(
        "softmax",
        ("x",),
        _along_axis,
        _softmax,
        "exp(x) over its sum along an axis. A row of -inf only gives NaN, or 0 with masked_zero.",
        axis=_AXIS,
        masked_zero=Attr("bool", False),
    ),
    composite(
        "log_softmax",
        ("x",),
        _along_axis,
        _log_softmax,
        "The logarithm of softmax; of a row of -inf only it is NaN.",
        axis=_AXIS,
    ),
    composite(
        "layer_norm",
        ("x", "scale", "bias?"),
        _norm_rule,
        _layer_norm,
        "x minus its mean, over the root of its variance plus eps, along axis and all behind it; "
        "times scale, plus bias, which broadcast to these axes.",
        axis=_AXIS,
        eps=_EPS,
    ),
    composite(
        "rms_norm",
        ("x", "scale"),
        _norm_rule,
        _rms_norm,
        "x over the root of the mean of its squares plus eps, along axis and all behind it; times "
        "scale, which broadcasts to these axes.",
        axis=_AXIS,
        eps=_EPS,
    ),
    composite(
        "group_norm",
        ("x", "scale", "bias"),
        _group_rule,
        _group_norm,
        "x[n, c, ...] normalised as by layer_norm, groups of channels each by itself; then "
        "scale[c] and bias[c].",
        groups=Attr("int"),
        eps=_EPS,
    ),
    composite(
        "affine",
        ("x", "scale", "bias"),
        _affine_rule,
        _affine,
        "x * scale + bias, both with one element for each index along an axis.",
        axis=_AXIS,
    ),
    Row(
        "gelu",
        Kind.COMPOSITE,
        ("x",),
        {"tanh": Attr("bool", False)},
        same_float,
        "x times the normal distribution function of x, or with tanh x/2 * (1 + tanh(sqrt(2/pi) * "
        "(x + 0.044715 x^3))).",
        _gelu_meaning,
        _gelu,
    ),
    composite("silu", ("x",), same_float, _silu, "x / (1 + exp(-x))."),
    composite("softplus", ("x",), same_float, _softplus, "log(1 + exp(x)), exact far from 0."),
)
