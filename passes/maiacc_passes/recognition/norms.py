"""Layer norm and RMS norm.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = mul(%0, %0) : fp32[2, 8]
    %2 = rsum(%1) {axes=[1], keep=true} : fp32[2, 1]
    %3 = mul(%2, @eighth) : fp32[2, 1]
    %4 = add(%3, @eps) : fp32[2, 1]
    %5 = rsqrt(%4) : fp32[2, 1]
    %6 = mul(%0, %5) : fp32[2, 8]
    %7 = mul(%6, @g) : fp32[2, 8]

Out, where @eps is 1e-05 in fp32:

    %1 = rms_norm(%0, @g) {axis=1, eps=9.999999747378752e-06} : fp32[2, 8]

Means may be sums times a number or divided by one, roots reciprocal or not, factors in any order.
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import tensor
from maiacc_passes.matching import (
    factors,
    made_by,
    mean_of,
    mean_square_of,
    scalar,
    split_constant,
)
from maiacc_passes.rewriting import Replacement, Rule


def rms_norm(op: Op, b: Builder) -> Replacement:
    """x * rsqrt(mean(x * x) + eps) * scale."""
    found = _normalised(op)
    if found is None:
        return None
    x, axis, eps, rest = found
    if x.type is not op.result.type or _centred(x, axis) is not None:
        return None
    scale = _scale(rest, x, axis, b)
    return None if scale is None else b("rms_norm", x, scale, axis=axis, eps=eps)


def layer_norm(op: Op, b: Builder) -> Replacement:
    """(x - mean(x)) * rsqrt(variance + eps) * scale."""
    found = _normalised(op)
    if found is None:
        return None
    d, axis, eps, rest = found
    x = _centred(d, axis)
    if x is None or x.type is not op.result.type:
        return None
    scale = _scale(rest, x, axis, b)
    return None if scale is None else b("layer_norm", x, scale, axis=axis, eps=eps)


def _normalised(op: Op) -> tuple[Value, int, float, list[Value]] | None:
    """What is divided by its root mean square, from which axis on, eps, and other factors."""
    parts = factors(op.result)
    for number, part in enumerate(parts):
        root = made_by(part, "rsqrt")
        total = None if root is None else made_by(root.operands[0], "add")
        found = None if total is None else split_constant(total)
        square = None if found is None else mean_square_of(found[0])
        if found is None or square is None:
            continue
        x, axes = square
        others = parts[:number] + parts[number + 1 :]
        first = x.type.rank - len(axes)
        if x in others and axes == tuple(range(first, x.type.rank)):
            others.remove(x)
            return x, first, float(found[1]), others
    return None


def _centred(d: Value, axis: int) -> Value | None:
    """What d is the distance of from its mean."""
    away = made_by(d, "sub")
    found = None if away is None else mean_of(away.operands[1])
    if away is None or found is None or found[0] is not away.operands[0]:
        return None
    return away.operands[0] if found[1] == tuple(range(axis, d.type.rank)) else None


def _scale(rest: list[Value], x: Value, axis: int, b: Builder) -> Value | None:
    """One value of the shape of the normalised axes that is multiplied in; ones if none is. None
    if what is left is no such value."""
    shape = x.type.shape[axis:]
    if len(rest) > 1:
        return None
    if not rest:
        return b.splat(1.0, tensor(x.type.dtype, shape))
    scale = rest[0]
    if scale.type.shape == shape:
        return scale
    leading = scale.type.rank - len(shape)
    if scale.type.size == 1:
        return b("broadcast", b("reshape", scale, shape=()), shape=shape)
    if leading > 0 and scale.type.shape == (1,) * leading + shape:
        return b("reshape", scale, shape=shape)
    return None


def norm_with_bias(op: Op, b: Builder) -> Replacement:
    """layer_norm(...) + bias."""
    for x, y in (op.operands, op.operands[::-1]):
        norm = made_by(x, "layer_norm")
        if norm is None or x is None or y is None or len(norm.operands) > 2 or len(x.uses) > 1:
            continue
        axis: int = norm.attrs["axis"]
        shape = x.type.shape[axis:]
        leading = y.type.rank - len(shape)
        if leading < 0 or y.type.shape != (1,) * leading + shape or y.type.size == 1:
            continue
        bias = b("reshape", y, shape=shape) if leading else y
        return b("layer_norm", norm.operands[0], norm.operands[1], bias, **norm.attrs)
    return None


def scaled_norm(op: Op, b: Builder) -> Replacement:
    """layer_norm or rms_norm without a scale of its own, times a scale."""
    for x, y in (op.operands, op.operands[::-1]):
        norm = made_by(x, "layer_norm", "rms_norm")
        if norm is None or x is None or y is None or len(norm.operands) > 2 or len(x.uses) > 1:
            continue
        axis: int = norm.attrs["axis"]
        shape = x.type.shape[axis:]
        leading = y.type.rank - len(shape)
        if leading < 0 or y.type.shape != (1,) * leading + shape or y.type.size == 1:
            continue
        if _ones(norm.operands[1]):
            scale = b("reshape", y, shape=shape) if leading else y
            return b(norm.name, norm.operands[0], scale, **norm.attrs)
    return None


def _ones(value: Value | None) -> bool:
    return scalar(value) == 1


RULES = (
    Rule("rms norm", ("mul",), rms_norm, "bound"),
    Rule("layer norm", ("mul",), layer_norm, "bound"),
    Rule("layer norm's bias", ("add",), norm_with_bias, "bound"),
    Rule("norm's scale", ("mul",), scaled_norm, "bound"),
)
