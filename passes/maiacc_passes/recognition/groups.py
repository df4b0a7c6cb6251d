"""Group and instance norm: layer norm over groups of channels, and what scales each channel.

Assumes: layer norm is recognised. Promises: results up to rounding. In:

    %1 = reshape(%0) {shape=[1, 4, 128]} : fp32[1, 4, 128]
    %2 = layer_norm(%1, @ones) {axis=2, eps=1e-05} : fp32[1, 4, 128]
    %3 = reshape(%2) {shape=[1, 8, 8, 8]} : fp32[1, 8, 8, 8]
    %4 = mul(%3, @scale) : fp32[1, 8, 8, 8]
    %5 = add(%4, @bias) : fp32[1, 8, 8, 8]

Out, where @scale and @bias are fp32[8, 1, 1], and @s and @b the same in one row:

    %1 = group_norm(%0, @s, @b) {groups=4, eps=1e-05} : fp32[1, 8, 8, 8]
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import tensor
from maiacc_passes.matching import made_by, scalar
from maiacc_passes.rewriting import Replacement, Rule


def per_channel(value: Value | None, like: Value, b: Builder) -> Value | None:
    """A value that broadcasts along the channels, axis 1, of another, as a row."""
    if value is None or value.type.counts:
        return None
    channels, spatial = like.type.shape[1], like.type.rank - 2
    shape = (1,) * (like.type.rank - value.type.rank) + value.type.shape
    if len(shape) != like.type.rank or shape != (1, channels, *(1,) * spatial):
        return None
    return b("reshape", value, shape=(channels,))


def _normalised(value: Value | None, like: Value) -> tuple[Value, int, float] | None:
    """What is normalised in groups without a scale, how many groups there are, and eps."""
    view = made_by(value, "reshape")
    norm = made_by(value if view is None else view.operands[0], "layer_norm", "group_norm")
    if norm is None or scalar(norm.operands[1]) != 1 or len(norm.result.uses) > 1:
        return None
    if norm.operand(2) is not None and scalar(norm.operands[2]) != 0:
        return None
    rows = norm.operands[0]
    assert rows is not None
    shape, first = like.type.shape, made_by(rows, "reshape")
    x = rows if first is None else first.operands[0]
    if x is None or x.type is not like.type or len(shape) < 3 or x.type.counts:
        return None
    groups = rows.type.shape[1] if rows.type.rank > 2 else 0
    whole = norm.attrs["axis"] == 2 if norm.name == "layer_norm" else norm.attrs["groups"] == groups
    if not whole or not groups or rows.type.shape[0] != shape[0] or shape[1] % groups:
        return None
    return x, groups, float(norm.attrs["eps"])


def scaled_groups(op: Op, b: Builder) -> Replacement:
    """Normalised groups times a number for each channel."""
    for x, y in (op.operands, op.operands[::-1]):
        found = _normalised(x, op.result)
        scale = None if found is None else per_channel(y, op.result, b)
        if found is not None and scale is not None:
            source, groups, eps = found
            zeros = b.splat(0.0, tensor(scale.type.dtype, scale.type.shape))
            return b("group_norm", source, scale, zeros, groups=groups, eps=eps)
    return None


def groups_with_bias(op: Op, b: Builder) -> Replacement:
    """A group norm plus a number for each channel."""
    for x, y in (op.operands, op.operands[::-1]):
        norm = made_by(x, "group_norm")
        if norm is None or x is None or len(x.uses) > 1 or scalar(norm.operands[2]) != 0:
            continue
        bias = per_channel(y, op.result, b)
        if bias is not None:
            return b("group_norm", *norm.operands[:2], bias, **norm.attrs)
    return None


RULES = (
    Rule("scale of groups", ("mul",), scaled_groups, "bound"),
    Rule("bias of groups", ("add",), groups_with_bias, "bound"),
)
