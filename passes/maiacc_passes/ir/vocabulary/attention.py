"""Attention."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.rules import all_whole, floats_only, need, same_dtype, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.composites import operands
from maiacc_passes.ir.vocabulary.formulas import (
    cast,
    check_stretch,
    number,
    wide_name,
)
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder
    from maiacc_passes.ir.evaluate import Run


# ---- attention ------------------------------------------------------------------------------
def _attention_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    q, k, v = need(types, 0), need(types, 1), need(types, 2)
    mask = types[3] if len(types) > 3 else None
    floats_only(q)
    same_dtype(q, k, v)
    groups = attrs["groups"]
    for kind in types:
        if kind is not None:
            all_whole(kind, "attention")
    if not q.rank == k.rank == v.rank == 4:
        raise wrong("attention without four axes", q, k, v, expected="[batch, heads, rows, size]")
    fits = 1 <= groups <= max(q.shape[1], 1)
    fits = fits and q.shape[:2] == (k.shape[0], k.shape[1] * groups)
    if not fits or q.shape[3] != k.shape[3] or k.shape[:3] != v.shape[:3]:
        raise wrong(f"shapes of q, k and v do not fit, with {groups} heads a key", q, k, v)
    check_stretch(mask, tensor("fp32", (*q.shape[:3], k.shape[2])), "the mask")
    if mask is not None and mask.dtype not in (q.dtype, "fp32", "bool"):
        raise wrong("element type of the mask", mask, expected=f"{q.dtype}, fp32 or bool")
    if attrs["softcap"] < 0 or attrs["window"] < -1:
        raise IRError("E1401", "attributes softcap, window", expected="not negative, or window -1")
    return (tensor(q.dtype, (*q.shape[:3], v.shape[3])),)


def _attention(b: Builder, op: Op) -> Sequence[Value]:
    """Heads that share a key are rows of one product, so that nothing is repeated."""
    q, k, v = operands(op, 3)
    attrs, wide = op.attrs, wide_name(q.type.element)
    batch, heads, rows, size = q.type.shape
    groups, letters = attrs["groups"], "bhq"
    if groups > 1:
        letters = "bhgq"
        q = b("reshape", q, shape=(batch, heads // groups, groups, rows, size))
    scores = b("contract", q, k, spec=f"{letters}d,bhkd->{letters}k", to=wide)
    scores = b("mul", scores, number(b, attrs["scale"], scores))
    if attrs["softcap"]:
        cap = number(b, attrs["softcap"], scores)
        scores = b("mul", b("tanh", b("div", scores, cap)), cap)
    scores = _masked(b, op, scores)
    axis = scores.type.rank - 1
    weights = b("softmax", scores, axis=axis, masked_zero=attrs["masked_zero"])
    weights = cast(b, weights, q.type.dtype)
    result = b("contract", weights, v, spec=f"{letters}k,bhkd->{letters}d")
    if groups > 1:
        result = b("reshape", result, shape=(batch, heads, rows, v.type.shape[3]))
    return (result,)


def _grouped(b: Builder, mask: Value, groups: int) -> Value:
    """A mask whose axis of heads, if it has one, is two: heads of keys, and who shares one."""
    if groups == 1 or mask.type.rank < 3:
        return mask
    *outer, heads, rows, keys = mask.type.shape
    split = (1, 1) if heads == 1 else (heads // groups, groups)
    return b("reshape", mask, shape=(*outer, *split, rows, keys))


def _masked(b: Builder, op: Op, scores: Value) -> Value:
    """Scores, -inf where a query does not see a key."""
    mask, attrs = op.operand(3), op.attrs
    if mask is not None:
        mask = _grouped(b, mask, attrs["groups"])
    seen = []
    if mask is not None and mask.type.dtype != "bool":
        scores = b("add", scores, cast(b, mask, scores.type.dtype))
    elif mask is not None:
        seen.append(mask)
    if attrs["causal"] or attrs["window"] >= 0:
        rows, keys = scores.type.shape[-2:]
        row = b("iota", to="int32", shape=(rows, 1), axis=0)
        key = b("iota", to="int32", shape=(1, keys), axis=1)
        if attrs["causal"]:
            seen.append(b("le", key, _shifted(b, row, attrs["offset"])))
        if attrs["window"] >= 0:
            seen.append(b("le", _shifted(b, row, attrs["offset"] - attrs["window"]), key))
    for keep in seen:
        scores = b("select", keep, scores, number(b, -math.inf, scores))
    return scores


def _shifted(b: Builder, index: Value, by: int) -> Value:
    # Far beyond any key, and a number that int32 still has when a row is added.
    by = max(-(1 << 30), min(1 << 30, by))
    return b("add", index, number(b, by, index))


#: Scores of more bytes than this are not computed for all heads at once.
SCORES = 8 << 20


def _by_heads(run: Run, op: Op, arrays: Sequence[Any]) -> Sequence[Array]:
    """The expansion for one batch element and one head of keys at a time, if scores are large: no
    sum crosses these, so that bits are the same."""
    q, k, v, mask = (*arrays, None)[:4]
    groups = op.attrs["groups"]
    if q.shape[0] * q.shape[1] * q.shape[2] * k.shape[2] * 4 <= SCORES:
        return run.expanded(op, arrays)
    out = np.empty(op.result.type.shape, q.dtype)
    if mask is not None:
        mask = np.broadcast_to(mask, (*q.shape[:3], k.shape[2]))
    for batch, head in np.ndindex(*k.shape[:2]):
        one, heads = slice(batch, batch + 1), slice(head * groups, (head + 1) * groups)
        parts = [q[one, heads], k[one, head : head + 1], v[one, head : head + 1]]
        if mask is not None:
            parts.append(mask[one, heads])
        values = [
            Value(tensor(value.type.dtype, part.shape))
            for value, part in zip(operands(op, len(parts)), parts, strict=True)
        ]
        result = tensor(op.result.type.dtype, out[one, heads].shape)
        (out[one, heads],) = run.expanded(Op(op.row, values, op.attrs, (result,)), parts)
    return (out,)


ROWS = (
    Row(
        "attention",
        Kind.COMPOSITE,
        ("q", "k", "v", "mask?"),
        {
            "causal": Attr("bool", False),
            "offset": Attr("int", 0),
            "scale": Attr("float"),
            "softcap": Attr("float", 0.0),
            "groups": Attr("int", 1),
            "window": Attr("int", -1),
            "masked_zero": Attr("bool", False),
        },
        _attention_rule,
        "softmax(scale * q k^T + mask) v for operands [batch, heads, rows, size]; groups heads of "
        "q share one of k and v. Scores go through softcap * tanh(scores / softcap) if softcap is "
        "not 0. The mask is added, or says which keys are seen. A query i sees keys up to i + "
        "offset if causal, and from i + offset - window on unless window is -1. A query that sees "
        "no key gets NaN, or 0 with masked_zero.",
        _by_heads,
        _attention,
        compute="raw",
    ),
)
