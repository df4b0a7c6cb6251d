"""Attention, from its chain of products, scales, masks and a softmax.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = contract(%q, %k) {spec="abcd,abed->abce"} : fp32[1, 8, 4, 4]
    %2 = mul(%1, @scale) : fp32[1, 8, 4, 4]
    %3 = add(%2, @mask) : fp32[1, 8, 4, 4]
    %4 = softmax(%3) {axis=3} : fp32[1, 8, 4, 4]
    %5 = contract(%4, %v) {spec="abcd,abde->abce"} : fp32[1, 8, 4, 64]

Out, if @mask is causal:

    %1 = attention(%q, %k, %v) {causal=true, scale=0.125} : fp32[1, 8, 4, 64]

Operands may lie in any order of axes; scales may be on queries, keys or scores; masks may be added
or chosen by. A mask that adds large numbers is only taken for one that chooses where no query is
left without a key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from maiacc_passes.contractions import parts_of
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import LARGE, constant, made_by, narrowed
from maiacc_passes.recognition.scores import Scores, scores_of, unscaled
from maiacc_passes.rewriting import Replacement, Rule


@dataclass
class Axes:
    """Letters of both products: of batches and heads, rows, keys, and the sizes of heads."""

    q: Value
    k: Value
    q_letters: str
    k_letters: str
    outer: str
    row: str
    key: str
    depth: str


def attention(op: Op, b: Builder) -> Replacement:
    """The second product, of weights and values."""
    if len(op.operands) > 2 or op.attrs["to"]:
        return None
    left, right, out = parts_of(op.attrs["spec"])
    for weights, values, p, v in (
        (op.operands[0], op.operands[1], left, right),
        (op.operands[1], op.operands[0], right, left),
    ):
        softmax = made_by(narrowed(weights), "softmax")
        if softmax is None or values is None or len(softmax.result.uses) > 1:
            continue
        scores = scores_of(softmax.operands[0], b)
        axes = None if scores is None else _axes(scores, softmax)
        if scores is None or axes is None:
            continue
        made = _made(op, softmax, scores, axes, values, (p, v, out), b)
        if made is not None:
            return made
    return None


def _axes(scores: Scores, softmax: Op) -> Axes | None:
    """What the letters of the first product mean."""
    left, right, out = parts_of(scores.product.attrs["spec"])
    if len(out) not in (3, 4) or len(out) != softmax.result.type.rank:
        return None
    key = out[softmax.attrs["axis"]]
    a, c = scores.product.operands[:2]
    q, k, q_letters, k_letters = (a, c, left, right) if key in right else (c, a, right, left)
    if q is None or k is None or key in q_letters:
        return None
    rows = [letter for letter in out if letter in q_letters and letter not in k_letters]
    outer = "".join(x for x in out if x in q_letters and x in k_letters)
    depth = [x for x in q_letters if x not in out]
    if len(rows) != 1 or len(depth) != 1 or depth[0] not in k_letters:
        return None
    if len(outer) != len(out) - 2 or len(q_letters) != len(out) or len(k_letters) != len(out):
        return None
    return Axes(q, k, q_letters, k_letters, outer, rows[0], key, depth[0])


def _made(
    op: Op,
    softmax: Op,
    scores: Scores,
    axes: Axes,
    values: Value,
    letters: tuple[str, str, str],
    b: Builder,
) -> Value | None:
    p, v, out = letters
    named = dict(zip(parts_of(scores.product.attrs["spec"])[2], p, strict=True))
    outer = "".join(named[x] for x in axes.outer)
    row, key = named[axes.row], named[axes.key]
    wide = [x for x in v if x not in (*outer, key)]
    if key not in v or key in out or row in v or len(wide) != 1:
        return None
    if set(v) != {*outer, key, *wide} or set(out) != {*outer, row, *wide}:
        return None
    if not _fit(scores, softmax, axes, values):
        return None
    q, q_scale = unscaled(axes.q)
    k, k_scale = unscaled(axes.k)
    if q is None or k is None:
        return None
    order = axes.outer + axes.row + axes.depth
    query = _ordered(q, axes.q_letters, order, b)
    keys = _ordered(k, axes.k_letters, axes.outer + axes.key + axes.depth, b)
    value = _ordered(values, v, outer + key + wide[0], b)
    mask = _mask(scores, axes, b)
    if mask is False:
        return None
    made = b(
        "attention",
        query,
        keys,
        value,
        mask if isinstance(mask, Value) else None,
        scale=scores.scale * q_scale * k_scale,
        softcap=scores.softcap,
        masked_zero=softmax.attrs["masked_zero"],
    )
    found = outer + row + wide[0]
    if len(found) == 3:
        made = b("reshape", made, shape=made.type.shape[1:])
    if found == out:
        return made
    return b("transpose", made, perm=tuple(found.index(letter) for letter in out))


def _ordered(x: Value, letters: str, order: str, b: Builder) -> Value:
    """A value with its axes in an order, four of them."""
    if letters != order:
        x = b("transpose", x, perm=tuple(letters.index(letter) for letter in order))
    return b("reshape", x, shape=(1, *x.type.shape)) if x.type.rank == 3 else x


def _fit(scores: Scores, softmax: Op, axes: Axes, values: Value) -> bool:
    """Whether types are those that attention takes: masks do not stretch scores, sizes are known,
    elements are alike."""
    parts = [x.type for x in (axes.q, axes.k, values)]
    masks = [x.type for x in (scores.bias, scores.seen) if x is not None]
    return (
        softmax.result.type.shape == scores.product.result.type.shape
        and len({kind.element for kind in parts}) == 1
        and all(kind.dtype in (parts[0].dtype, "fp32", "bool") for kind in masks)
        and not any(kind.counts for kind in (*parts, *masks))
    )


def _mask(scores: Scores, axes: Axes, b: Builder) -> Value | bool | None:
    """The mask in the order of attention's scores; False if there cannot be one."""
    mask, seen = scores.bias, scores.seen
    if seen is not None:
        # A row of nothing but large negative numbers would be even, not empty.
        if scores.never != -math.inf and (mask is not None or not _every_row_sees(seen)):
            return False
        if mask is not None:
            mask = b("select", seen, mask, b.constant(-math.inf, mask.type.dtype))
        else:
            mask = seen
    if mask is None:
        return None
    _, _, out = parts_of(scores.product.attrs["spec"])
    order = axes.outer + axes.row + axes.key
    if out != order:
        shape = (1,) * (len(out) - mask.type.rank) + mask.type.shape
        mask = b("reshape", mask, shape=shape)
        mask = b("transpose", mask, perm=tuple(out.index(letter) for letter in order))
    return mask


def _every_row_sees(mask: Value) -> bool:
    """Whether a mask that is known lets every query see some key."""
    array = constant(mask, LARGE)
    return array is not None and array.dtype == np.bool_ and bool(array.any(-1).all())


RULES = (Rule("attention", ("contract",), attention, "bound"),)
