"""Attention, from its chain of products, scales, masks and a softmax.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = contract(%q, %k) {spec="abcd,abed->abce"} : fp32[1, 8, 128, 128]
    %2 = mul(%1, @scale) : fp32[1, 8, 128, 128]
    %3 = add(%2, @mask) : fp32[1, 8, 128, 128]
    %4 = softmax(%3) {axis=3} : fp32[1, 8, 128, 128]
    %5 = contract(%4, %v) {spec="abcd,abde->abce"} : fp32[1, 8, 128, 64]

Out, if @mask is causal:

    %1 = attention(%q, %k, %v) {causal=true, scale=0.125} : fp32[1, 8, 128, 64]

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
from maiacc_passes.matching import constant, made_by, scalar
from maiacc_passes.rewriting import Replacement, Rule

#: What is added to a score that is not to count is at most this.
NEVER = -1e4


@dataclass
class Scores:
    """What goes into the softmax: the product, its scale, and what is done to it."""

    product: Op
    scale: float = 1.0
    softcap: float = 0.0
    bias: Value | None = None
    seen: Value | None = None


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
        softmax = made_by(weights, "softmax")
        if softmax is None or values is None or len(softmax.result.uses) > 1:
            continue
        scores = _scores(softmax.operands[0], b)
        axes = None if scores is None else _axes(scores, softmax)
        if scores is None or axes is None:
            continue
        made = _made(op, softmax, scores, axes, values, (p, v, out), b)
        if made is not None:
            return made
    return None


def _scores(value: Value | None, b: Builder) -> Scores | None:
    """Takes the softmax's operand apart."""
    bias = seen = None
    for number in range(2):
        choice, total = made_by(value, "select"), made_by(value, "add")
        if choice is not None and seen is None:
            if not _never(choice.operands[2]):
                return None
            seen, value = choice.operands[0], choice.operands[1]
        elif total is not None and bias is None:
            sides = [_scores_only(x) for x in total.operands]
            if (sides[0] is None) == (sides[1] is None):
                return None
            bias = total.operands[0 if sides[0] is None else 1]
            value = total.operands[1 if sides[0] is None else 0]
        elif not number:
            break
    found = _scores_only(value)
    if found is not None:
        found.bias, found.seen = bias, seen
    return found


def _scores_only(value: Value | None) -> Scores | None:
    """A product, perhaps scaled and capped."""
    cap = 0.0
    outer = made_by(value, "mul")
    bent = None if outer is None else made_by(outer.operands[0], "tanh")
    if outer is not None and bent is not None:
        number, inner = scalar(outer.operands[1]), made_by(bent.operands[0], "div", "mul")
        divisor = None if inner is None else scalar(inner.operands[1])
        if number is None or inner is None or divisor is None:
            return None
        divisor = 1 / divisor if inner.name == "mul" and divisor else divisor
        if not math.isclose(number, divisor, rel_tol=1e-6):
            return None
        cap, value = float(number), inner.operands[0]
    value, scale = _unscaled(value)
    product = made_by(value, "contract")
    if product is None or len(product.operands) > 2:
        return None
    return Scores(product, scale, cap)


def _unscaled(value: Value | None) -> tuple[Value | None, float]:
    """A value without the numbers that it is multiplied or divided by, and their product."""
    scale = 1.0
    while True:
        op = made_by(value, "mul", "div")
        number = None if op is None else scalar(op.operands[1])
        if op is None or number is None or not number or isinstance(number, bool):
            return value, scale
        scale = scale * number if op.name == "mul" else scale / number
        value = op.operands[0]


def _never(value: Value | None) -> bool:
    number = scalar(value)
    return number is not None and number <= NEVER


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
    q, q_scale = _unscaled(axes.q)
    k, k_scale = _unscaled(axes.k)
    if q is None or k is None:
        return None
    order = axes.outer + axes.row + axes.depth
    query = _ordered(q, axes.q_letters, order, b)
    keys = _ordered(k, axes.k_letters, axes.outer + axes.key + axes.depth, b)
    value = _ordered(values, v, outer + key + wide[0], b)
    mask = _mask(scores, softmax, axes, b)
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


def _mask(scores: Scores, softmax: Op, axes: Axes, b: Builder) -> Value | bool | None:
    """The mask in the order of attention's scores; False if there cannot be one."""
    if scores.bias is not None and scores.seen is not None:
        return False
    mask = scores.seen if scores.bias is None else scores.bias
    if mask is None:
        return None
    if scores.seen is not None:
        # A row of nothing but large negative numbers would be even, not empty.
        never = made_by(softmax.operands[0], "select")
        number = None if never is None else scalar(never.operands[2])
        if number != -math.inf and not _every_row_sees(mask):
            return False
    _, _, out = parts_of(scores.product.attrs["spec"])
    order = axes.outer + axes.row + axes.key
    if out != order:
        shape = (1,) * (len(out) - mask.type.rank) + mask.type.shape
        mask = b("reshape", mask, shape=shape)
        mask = b("transpose", mask, perm=tuple(out.index(letter) for letter in order))
    return mask


def _every_row_sees(mask: Value) -> bool:
    """Whether a mask that is known lets every query see some key."""
    array = constant(mask)
    return array is not None and array.dtype == np.bool_ and bool(array.any(-1).all())


RULES = (Rule("attention", ("contract",), attention, "bound"),)
