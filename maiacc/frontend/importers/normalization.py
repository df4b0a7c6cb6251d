"""Normalisations of each sample by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc.frontend.importers.common import cast, reshaped, scalar, stretched
from maiacc.frontend.importers.terms import mean, variance, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import Type


# ---- along the last axes --------------------------------------------------------------------
@importer("LayerNormalization")
def layer_norm(node: Node) -> Sequence[Value | None]:
    b, x = node.b, node.input(0)
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    eps = node.get_float("epsilon", 1e-5)
    scale, bias = node.input(1), node.optional(2)
    if _fits(scale, x.type, axis) and (bias is None or _fits(bias, x.type, axis)):
        found = b("layer_norm", x, scale, bias, axis=axis, eps=eps)
    else:
        exact = wide(node, x)
        one = scalar(node, 1, exact)
        found = b("mul", b("layer_norm", exact, one, axis=axis, eps=eps), wide(node, scale))
        found = found if bias is None else b("add", found, wide(node, bias))
        found = cast(node, found, x.type.dtype)
    if not (node.wants(1) or node.wants(2)):
        return [found]
    axes = tuple(range(axis, x.type.rank))
    exact = wide(node, x)
    _, spread = variance(node, exact, axes)
    inverse = b("rsqrt", b("add", spread, scalar(node, eps, spread)))
    stash = node.get_dtype("stash_type", 1)
    return [found, cast(node, mean(node, exact, axes), stash), cast(node, inverse, stash)]


@importer("RMSNormalization")
def rms_norm(node: Node) -> Value:
    b, x, scale = node.b, node.input(0), node.input(1)
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    eps = node.get_float("epsilon", 1e-5)
    if _fits(scale, x.type, axis) and scale.type.dtype == x.type.dtype:
        return b("rms_norm", x, scale, axis=axis, eps=eps)
    exact = wide(node, x)
    found = b("rms_norm", exact, scalar(node, 1, exact), axis=axis, eps=eps)
    found = b("mul", found, cast(node, scale, found.type.dtype))
    return cast(node, found, scale.type.dtype)


def _fits(value: Value, kind: Type, axis: int) -> bool:
    """Whether a scale is one for the axes that are normalised."""
    inner = kind.shape[axis:]
    shape = value.type.shape
    return len(shape) <= len(inner) and all(
        size in (1, extent) for size, extent in zip(shape[::-1], inner[::-1], strict=False)
    )


# ---- by channels ----------------------------------------------------------------------------
@importer("InstanceNormalization", since=6)
def instance_norm(node: Node) -> Value:
    x = node.input(0)
    groups = x.type.shape[1] if x.type.rank > 1 else 1
    eps = node.get_float("epsilon", 1e-5)
    return node.b("group_norm", x, node.input(1), node.input(2), groups=groups, eps=eps)


@importer("GroupNormalization")
def group_norm_before_21(node: Node) -> Value:
    """Scale and bias have an element for each group."""
    x, groups = node.input(0), node.get_int("num_groups")
    channels = x.type.shape[1] if x.type.rank > 1 else 1
    pair = [node.input(1), node.input(2)]
    if groups > 0 and channels % groups == 0:
        pair = [_each_channel(node, value, groups, channels) for value in pair]
    return node.b("group_norm", x, *pair, groups=groups, eps=node.get_float("epsilon", 1e-5))


def _each_channel(node: Node, value: Value, groups: int, channels: int) -> Value:
    if value.type.shape != (groups,):
        node.fail("E1304", "scale or bias", f"[{groups}]", str(value.type))
    value = reshaped(node, value, (groups, 1))
    return reshaped(node, stretched(node, value, (groups, channels // groups)), (channels,))


@importer("GroupNormalization", since=21)
def group_norm(node: Node) -> Value:
    groups, eps = node.get_int("num_groups"), node.get_float("epsilon", 1e-5)
    return node.b("group_norm", node.input(0), node.input(1), node.input(2), groups=groups, eps=eps)


# ---- by norms -------------------------------------------------------------------------------
@importer("MeanVarianceNormalization", since=9)
def mean_variance(node: Node) -> Value:
    b, x = node.b, wide(node, node.input(0))
    axes = node.axes(node.get_ints("axes", (0, 2, 3)), x.type.rank)
    rest, spread = variance(node, x, axes)
    # This operator adds to the root, not under it.
    deviation = b("add", b("sqrt", spread), scalar(node, 1e-9, x))
    return cast(node, b("div", rest, deviation), node.type(0).dtype)


@importer("LpNormalization")
def lp_norm(node: Node) -> Value:
    b, x = node.b, wide(node, node.input(0))
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    power = node.get_int("p", 2)
    if power == 1:
        norm = b("rsum", b("abs", x), axes=(axis,), keep=True)
    elif power == 2:
        norm = b("sqrt", b("rsumsq", x, axes=(axis,), keep=True))
    else:
        node.fail("E1304", "attribute p", "1 | 2", str(power))
    zero = scalar(node, 0, x)
    found = b("select", b("eq", norm, zero), zero, b("div", x, norm))
    return cast(node, found, node.type(0).dtype)


@importer("LRN")
def local_response(node: Node) -> Value:
    """Each element over a power of the squares of the channels around it."""
    b, x = node.b, wide(node, node.input(0))
    size, shape = node.get_int("size"), x.type.shape
    if x.type.rank < 2 or size < 1:
        node.fail("E1304", "size or shape", "[n, c, ...], 1 or more", f"{x.type}, {size}")
    squares = reshaped(node, b("mul", x, x), (shape[0], 1, shape[1], math.prod(shape[2:])))
    # Of an even number the odd one is behind; more than there are channels are none.
    before, behind = (min(more, shape[1]) for more in ((size - 1) // 2, size // 2))
    around = b(
        "pool_sum",
        squares,
        kernel=(before + 1 + behind, 1),
        strides=(1, 1),
        pads=(before, 0, behind, 0),
        dilations=(1, 1),
        sizes=squares.type.shape[2:],
    )
    factor = scalar(node, node.get_float("alpha", 1e-4) / size, x)
    around = b("mul", reshaped(node, around, shape), factor)
    around = b("add", around, scalar(node, node.get_float("bias", 1.0), x))
    found = b("div", x, b("pow", around, scalar(node, node.get_float("beta", 0.75), x)))
    return cast(node, found, node.type(0).dtype)
