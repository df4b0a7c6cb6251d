"""Composites of transformers beside attention: rotation of positions, gated units, caches, routing
to experts, quantisation by what is in a tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.rules import all_whole, floats_only, need, same_dtype, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.composites import composite, operands, sigmoid_weighted
from maiacc_passes.ir.vocabulary.formulas import (
    cast,
    check_stretch,
    number,
    parameters,
    wide_name,
    widened,
)

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder


# ---- rope -----------------------------------------------------------------------------------
def _rope_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, cos, sin = need(types, 0), need(types, 1), need(types, 2)
    parameters(x, cos, sin)
    if x.rank < 1:
        raise wrong("rope of a number", x)
    size = whole(x, x.rank - 1, "rope")
    dims = attrs["dims"] or size
    if dims % 2 or not 0 <= dims <= size:
        expected = f"an even number up to {size}"
        raise IRError("E1401", "attribute dims", expected=expected, found=str(attrs["dims"]))
    half = tensor(x.dtype, (*x.shape[:-1], dims // 2), x.counts)
    check_stretch(cos, half, "cos")
    check_stretch(sin, half, "sin")
    return (x,)


def _part(b: Builder, x: Value, start: int, size: int, step: int = 1) -> Value:
    """Elements along the last axis."""
    outer = x.type.shape[:-1]
    starts, steps = (*(0 for _ in outer), start), (*(1 for _ in outer), step)
    return b("slice", x, starts=starts, sizes=(*outer, size), steps=steps)


def _rope(b: Builder, op: Op) -> Sequence[Value]:
    x, cos, sin = operands(op, 3)
    size, last = x.type.shape[-1], x.type.rank - 1
    dims = op.attrs["dims"] or size
    half = dims // 2
    if not half:
        return (x,)
    if op.attrs["interleaved"]:
        parts = [_part(b, x, 0, half, 2), _part(b, x, 1, half, 2)]
    else:
        parts = [_part(b, x, 0, half), _part(b, x, half, half)]
    real, imaginary = (widened(b, part) for part in parts)
    cos, sin = cast(b, cos, real.type.dtype), cast(b, sin, real.type.dtype)
    turned = [
        b("sub", b("mul", real, cos), b("mul", imaginary, sin)),
        b("add", b("mul", real, sin), b("mul", imaginary, cos)),
    ]
    turned = [cast(b, part, x.type.dtype) for part in turned]
    if op.attrs["interleaved"]:
        pairs = [b("reshape", part, shape=(*part.type.shape, 1)) for part in turned]
        joined = b("concat", *pairs, axis=last + 1)
        turned = [b("reshape", joined, shape=(*x.type.shape[:-1], dims))]
    if dims < size:
        turned.append(_part(b, x, dims, size - dims))
    return (turned[0] if len(turned) == 1 else b("concat", *turned, axis=last),)


# ---- gates, caches, routing -----------------------------------------------------------------
def _gated_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    gate, up = need(types, 0), need(types, 1)
    floats_only(gate)
    if gate is not up:
        raise wrong("the operands of swiglu have different types", gate, up)
    return (gate,)


def _swiglu(b: Builder, op: Op) -> Sequence[Value]:
    gate, up = operands(op, 2)
    result = b("mul", sigmoid_weighted(b, widened(b, gate)), widened(b, up))
    return (cast(b, result, gate.type.dtype),)


def _append_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    cache, new = need(types, 0), need(types, 1)
    axis = attrs["axis"]
    same_dtype(cache, new)
    others = [[(k.shape[i], k.count(i)) for i in range(k.rank) if i != axis] for k in (cache, new)]
    if not 0 <= axis < cache.rank or cache.rank != new.rank or others[0] != others[1]:
        raise wrong(f"shapes differ outside of axis {axis}", cache, new)
    size = whole(cache, axis, "cache_append") + whole(new, axis, "cache_append")
    shape = (*cache.shape[:axis], size, *cache.shape[axis + 1 :])
    return (tensor(cache.dtype, shape, cache.counts),)


def _append(b: Builder, op: Op) -> Sequence[Value]:
    return (b("concat", *operands(op, 2), axis=op.attrs["axis"]),)


def _route_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    scores, k = need(types, 0), attrs["k"]
    floats_only(scores)
    if scores.rank < 1 or not 0 < k <= whole(scores, scores.rank - 1, "moe_route"):
        raise wrong(f"the best {k} of the last axis", scores, expected="as many at least")
    kind = tensor(scores.dtype, (*scores.shape[:-1], k), scores.counts)
    return kind, kind.with_dtype("int64")


def _route(b: Builder, op: Op) -> Sequence[Value]:
    (scores,) = operands(op, 1)
    last = scores.type.rank - 1
    shares = b("softmax", widened(b, scores), axis=last)
    best, indices = b.many("topk", shares, axis=last, k=op.attrs["k"])
    if op.attrs["normalize"]:
        best = b("div", best, b("rsum", best, axes=(last,), keep=True))
    return cast(b, best, scores.type.dtype), indices


# ---- dynamic quantisation -------------------------------------------------------------------
def _dynamic_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x = need(types, 0)
    floats_only(x)
    all_whole(x, "dynamic_quantize")
    wide = wide_name(x.element)
    return x.with_dtype(attrs["to"]), tensor(wide), tensor(attrs["to"])


def _dynamic_quantize(b: Builder, op: Op) -> Sequence[Value]:
    (x,) = operands(op, 1)
    wide, to = widened(b, x), op.attrs["to"]
    least, most = (0, 255) if to == "uint8" else (-128, 127)
    axes = tuple(range(x.type.rank))
    zero = number(b, 0, wide)
    low = b("min", b("rmin", wide, axes=axes, keep=False), zero)
    high = b("max", b("rmax", wide, axes=axes, keep=False), zero)
    step = b("div", b("sub", high, low), number(b, 255, wide))
    # A tensor of zeros is divided by something.
    step = b("select", b("eq", step, zero), number(b, 1, wide), step)
    start = b("round", b("sub", number(b, least, wide), b("div", low, step)))
    start = b("clamp", start, number(b, least, wide), number(b, most, wide))
    start = b("cvt", start, to=to)
    return b("quantize", wide, step, start, to=to), step, start


ROWS = (
    composite(
        "rope",
        ("x", "cos", "sin"),
        _rope_rule,
        _rope,
        "The first dims elements of the last axis (0: all) turned in pairs (a, b) to (a cos - b "
        "sin, a sin + b cos); pairs are neighbours if interleaved, else halves. cos and sin "
        "broadcast to [..., dims/2].",
        interleaved=Attr("bool", False),
        dims=Attr("int", 0),
    ),
    composite("swiglu", ("gate", "up"), _gated_rule, _swiglu, "gate / (1 + exp(-gate)) * up."),
    composite(
        "cache_append",
        ("cache", "new"),
        _append_rule,
        _append,
        "The cache with new behind it along an axis.",
        axis=Attr("int"),
    ),
    composite(
        "moe_route",
        ("scores",),
        _route_rule,
        _route,
        "The k largest of softmax(scores) along the last axis, and their indices. With normalize "
        "the k are divided by their sum.",
        k=Attr("int"),
        normalize=Attr("bool", False),
    ),
    composite(
        "dynamic_quantize",
        ("x",),
        _dynamic_rule,
        _dynamic_quantize,
        "x in 256 steps from min(x, 0) to max(x, 0): integers, the size of a step (1 if all "
        "elements are 0) and the integer that stands for 0.",
        to=Attr("str", "uint8", ("uint8", "int8")),
    ),
)
