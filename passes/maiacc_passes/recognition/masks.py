"""What attention carries in its canonical form: masks, scales, heads that share a key.

Assumes: attention is recognised. Promises: results up to rounding. In:

    %1 = reshape(%k) {shape=[1, 8, 1, 4, 64]} : fp32[1, 8, 1, 4, 64]
    %2 = broadcast(%1) {shape=[1, 8, 4, 4, 64]} : fp32[1, 8, 4, 4, 64]
    %3 = reshape(%2) {shape=[1, 32, 4, 64]} : fp32[1, 32, 4, 64]
    %4 = attention(%q, %3, %3, @mask) {scale=0.12499999} : fp32[1, 32, 4, 64]

Out, if @mask is causal:

    %1 = attention(%q, %k, %k) {causal=true, scale=0.125, groups=4} : fp32[1, 32, 4, 64]
"""

from __future__ import annotations

import math

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.weights import Array
from maiacc_passes.matching import LARGE, constant, made_by, scalar
from maiacc_passes.recognition.scores import NEVER
from maiacc_passes.rewriting import Replacement, Rule


def with_attrs(op: Op, b: Builder, *operands: Value | None, **attrs: object) -> Value:
    """An attention like another."""
    return b("attention", *operands, **{**op.attrs, **attrs})


def plain_scale(op: Op, b: Builder) -> Replacement:
    """A scale that is 1 / sqrt(size) up to rounding is that in fp32."""
    q = op.operands[0]
    assert q is not None
    usual = float(np.float32(1 / math.sqrt(max(q.type.shape[3], 1))))
    scale: float = op.attrs["scale"]
    if scale == usual or not math.isclose(scale, usual, rel_tol=1e-6):
        return None
    return with_attrs(op, b, *op.operands, scale=usual)


def shared_heads(op: Op, b: Builder) -> Replacement:
    """Keys and values whose heads are repeated: heads of queries share them."""
    q, k, v = op.operands[:3]
    first, second = _repeated(k, b), _repeated(v, b)
    if first is None or second is None or first[1] != second[1]:
        return None
    groups: int = op.attrs["groups"] * first[1]
    return with_attrs(op, b, q, first[0], second[0], *op.operands[3:], groups=groups)


def _repeated(value: Value | None, b: Builder) -> tuple[Value, int] | None:
    """What a value [batch, heads * n, rows, size] repeats n times, each head by itself; and n."""
    if made_by(value, "gather") is not None:
        return _gathered(value)
    joined = made_by(value, "reshape")
    spread = made_by(value if joined is None else joined.operands[0], "broadcast")
    split = None if spread is None else spread.operands[0]
    if value is None or spread is None or split is None:
        return None
    wide, narrow = spread.result.type.shape, split.type.shape
    stretched = [axis for axis in range(len(narrow)) if narrow[axis] != wide[axis]]
    if len(wide) != len(narrow) or len(stretched) != 1:
        return None
    (axis,) = stretched
    batch, heads, rows, size = value.type.shape
    times, inner = wide[axis], math.prod(wide[axis + 1 :])
    if heads % times or inner != rows * size:
        return None
    return b("reshape", split, shape=(batch, heads // times, rows, size)), times


def _gathered(value: Value | None) -> tuple[Value, int] | None:
    """The same for heads that are fetched by a known index."""
    op = made_by(value, "gather")
    x, index = (None, None) if op is None else op.operands
    array = constant(index)
    if op is None or x is None or array is None or array.ndim != 1 or op.attrs["axis"] != 1:
        return None
    heads = x.type.shape[1]
    times = len(array) // max(heads, 1)
    wanted = np.repeat(np.arange(heads), times)
    return (x, times) if times and np.array_equal(array, wanted) else None


def chosen_mask(op: Op, b: Builder) -> Replacement:
    """An added mask of 0 and very negative numbers is one that chooses, if it is known and lets
    every query see some key, or if what it adds is -inf."""
    mask = op.operand(3)
    if mask is None or mask.type.dtype == "bool":
        return None
    array = constant(mask, LARGE)
    if array is not None:
        wide = array.astype(np.float64)
        seen = wide == 0
        if not (seen | (wide <= NEVER)).all():
            return None
        if not (wide[~seen] == -np.inf).all():
            others = op.attrs["causal"] or op.attrs["window"] >= 0
            if others or not seen.any(-1).all():
                return None
        return with_attrs(op, b, *op.operands[:3], b.constant(seen))
    choice = made_by(mask, "select")
    if choice is None:
        return None
    keep, *pair = choice.operands
    numbers = [scalar(x) for x in pair]
    if numbers == [-math.inf, 0]:
        keep = b("not", keep)
    elif numbers != [0, -math.inf]:
        return None
    return with_attrs(op, b, *op.operands[:3], keep)


def causal_mask(op: Op, b: Builder) -> Replacement:
    """A known mask by which query i sees keys up to i + offset; or all of them."""
    array = constant(op.operand(3), LARGE)
    if array is None or array.dtype != np.bool_:
        return None
    if array.all():
        return with_attrs(op, b, *op.operands[:3])
    offset = _causal_offset(op, array)
    return (
        None if offset is None else with_attrs(op, b, *op.operands[:3], causal=True, offset=offset)
    )


def _causal_offset(op: Op, array: Array) -> int | None:
    """The offset of the causal mask that truth values are; None if they are none, or if there is
    another one already."""
    q, k = op.operands[:2]
    assert q is not None
    assert k is not None
    rows, keys = q.type.shape[2], k.type.shape[2]
    if op.attrs["causal"] or op.attrs["window"] >= 0:
        return None
    if array.ndim < 2 or array.shape[-2:] != (rows, keys):
        return None
    offset = int(array.reshape(-1, rows, keys)[0, 0].sum()) - 1
    ahead = np.arange(keys) - np.arange(rows)[:, np.newaxis]
    return offset if (array == (ahead <= offset)).all() else None


def causal_and_added(op: Op, b: Builder) -> Replacement:
    """A known causal mask, and another one that is added where it lets keys be seen."""
    choice = made_by(op.operand(3), "select")
    array = None if choice is None else constant(choice.operands[0], LARGE)
    if choice is None or array is None or scalar(choice.operands[2]) != -math.inf:
        return None
    offset = _causal_offset(op, array)
    if offset is None:
        return None
    return with_attrs(op, b, *op.operands[:3], choice.operands[1], causal=True, offset=offset)


def needless_causal(op: Op, b: Builder) -> Replacement:
    """Causal attention of which every query sees every key."""
    k = op.operands[1]
    assert k is not None
    if not op.attrs["causal"] or op.attrs["offset"] < k.type.shape[2] - 1:
        return None
    offset = op.attrs["offset"] if op.attrs["window"] >= 0 else 0
    return with_attrs(op, b, *op.operands, causal=False, offset=offset)


def no_empty_rows(op: Op, b: Builder) -> Replacement:
    """What rows without a key give does not matter where there are none."""
    mask = op.operand(3)
    if not op.attrs["masked_zero"] or op.attrs["window"] >= 0:
        return None
    if op.attrs["causal"] and (op.attrs["offset"] < 0 or mask is not None):
        return None
    if mask is not None:
        array = constant(mask, LARGE)
        if array is None:
            return None
        seen = array if array.dtype == np.bool_ else array.astype(np.float64) > -np.inf
        if not seen.any(-1).all():
            return None
    return with_attrs(op, b, *op.operands, masked_zero=False)


RULES = (
    Rule("scale of attention", ("attention",), plain_scale, "bound"),
    Rule("heads that share a key", ("attention",), shared_heads, "bound"),
    Rule("mask that chooses", ("attention",), chosen_mask, "bound"),
    Rule("causal mask", ("attention",), causal_mask),
    Rule("causal and added mask", ("attention",), causal_and_added, "bound"),
    Rule("causal and all seen", ("attention",), needless_causal),
    Rule("no rows without a key", ("attention",), no_empty_rows, "bound"),
)
