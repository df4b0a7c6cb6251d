"""Rotary embeddings.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = slice(%0) {starts=[0, 2], sizes=[3, 2], steps=[1, 1]} : fp32[3, 2]
    %2 = neg(%1) : fp32[3, 2]
    %3 = slice(%0) {starts=[0, 0], sizes=[3, 2], steps=[1, 1]} : fp32[3, 2]
    %4 = concat(%2, %3) {axis=1} : fp32[3, 4]
    %5 = mul(%4, @sin) : fp32[3, 4]
    %6 = mul(%0, @cos) : fp32[3, 4]
    %7 = add(%6, %5) : fp32[3, 4]

Out, if both halves of @cos and of @sin are alike, and @c and @s one of them:

    %1 = rope(%0, @c, @s) : fp32[3, 4]

Also: each half by itself and then concatenated; every other element instead of halves; and only the
first elements turned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import made_by
from maiacc_passes.recognition.alike import alike
from maiacc_passes.recognition.slices import beside, by_turns, is_part
from maiacc_passes.rewriting import Replacement, Rule


def part(value: Value, size: int, step: int, b: Builder) -> Value:
    """Elements of the last axis, from the first one on."""
    rank = value.type.rank
    steps = (1,) * (rank - 1) + (step,)
    sizes = (*value.type.shape[:-1], size)
    return b("slice", value, starts=(0,) * rank, sizes=sizes, steps=steps)


def unviewed(value: Value) -> Value:
    """What a value is a reshape of, or the value."""
    view = made_by(value, "reshape")
    x = None if view is None else view.operands[0]
    return value if x is None else x


def of_pair(value: Value | None, which: int) -> Value | None:
    """The value in whose last axis of two elements a value is the first or second one."""
    op = None if value is None else made_by(unviewed(value), "slice")
    x = None if op is None else op.operands[0]
    if op is None or x is None or x.type.shape[-1:] != (2,):
        return None
    return x if is_part(op.result, x, which, 1) else None


def whole(op: Op, b: Builder) -> Replacement:
    """x * cos + turned(x) * sin, where turned is concat(-high, low), or -odd and even by turns."""
    for x, y in (op.operands, op.operands[::-1]):
        straight, turned = made_by(x, "mul"), made_by(y, "mul")
        if straight is None or turned is None:
            continue
        for base, cos in (straight.operands, straight.operands[::-1]):
            for both, sin in (turned.operands, turned.operands[::-1]):
                made = _whole(base, cos, both, sin, b)
                if made is not None and made.type is op.result.type:
                    return made
    return None


def _whole(
    x: Value | None, cos: Value | None, both: Value | None, sin: Value | None, b: Builder
) -> Value | None:
    """The rope of x, if the other values are what they have to be."""
    if x is None or not x.type.shape or x.type.shape[-1] % 2:
        return None
    pairs = _turned_pairs(both, x)
    if not pairs and not _turned_halves(both, x):
        return None
    width, angles = x.type.shape[-1], [y for y in (cos, sin) if y is not None]
    if not all(y.type.shape[-1:] == (width,) and alike(y, pairs) for y in angles):
        return None
    first = [part(y, width // 2, 2 if pairs else 1, b) for y in angles]
    return b("rope", x, *first, interleaved=pairs)


def _turned_halves(value: Value | None, x: Value) -> bool:
    """Whether a value is concat(-high, low) of x."""
    both = made_by(value, "concat")
    if both is None or len(both.operands) != 2 or both.attrs["axis"] != both.result.type.rank - 1:
        return False
    half = x.type.shape[-1] // 2
    minus = made_by(both.operands[0], "neg")
    high = None if minus is None else minus.operands[0]
    return is_part(high, x, half, half) and is_part(both.operands[1], x, 0, half)


def _turned_pairs(value: Value | None, x: Value) -> bool:
    """Whether a value is -odd and even elements of x by turns."""
    found = _joined_pairs(value)
    if found is None:
        return False
    odd, even = found
    minus = made_by(unviewed(odd), "neg")
    high = odd if minus is None else minus.operands[0]
    return minus is not None and _is_half(high, x, 1) and _is_half(even, x, 0)


def _is_half(value: Value | None, x: Value, which: int) -> bool:
    """Whether a value is every other element of x, in order."""
    if value is None:
        return False
    if is_part(unviewed(value), x, which, x.type.shape[-1] // 2, 2):
        return True
    pairs = of_pair(value, which)
    return pairs is not None and unviewed(pairs) is unviewed(x)


def _joined_pairs(value: Value | None) -> tuple[Value, Value] | None:
    """What is joined so that elements of two values follow one another by turns."""
    joined = made_by(value, "reshape")
    both = None if joined is None else made_by(joined.operands[0], "concat")
    if both is None or len(both.operands) != 2:
        return None
    kind = both.result.type
    if both.attrs["axis"] != kind.rank - 1 or kind.shape[-1] != 2:
        return None
    one, two = both.operands
    return None if one is None or two is None else (one, two)


def by_halves(op: Op, b: Builder) -> Replacement:
    """concat(low * cos - high * sin, high * cos + low * sin), perhaps among other parts."""
    if op.attrs["axis"] != op.result.type.rank - 1:
        return None
    for at in range(len(op.operands) - 1):
        pair = op.operands[at : at + 2]
        for low, high, cos, sin in _turned(*pair):
            x = beside(low, high, b) if _plain(pair, low, high) else None
            if x is not None:
                made = b("rope", x, cos, sin)
                parts = [*op.operands[:at], made, *op.operands[at + 2 :]]
                return made if len(parts) == 1 else b("concat", *parts, axis=op.attrs["axis"])
    return None


def interleaved(op: Op, b: Builder) -> Replacement:
    """reshape(concat(...)) of the same for every other element."""
    joined = _joined_pairs(op.result)
    views = [made_by(x, "reshape") for x in joined or ()]
    if not views or views[0] is None or views[1] is None:
        return None
    pair = (views[0].operands[0], views[1].operands[0])
    for low, high, cos, sin in _turned(*pair):
        if not _plain(pair, low, high) or not low.type.shape or low.type.counts:
            continue
        pairs = of_pair(low, 0)
        x = by_turns(low, high, b) if pairs is None or of_pair(high, 1) is not pairs else pairs
        if x is not None:
            shape = (*low.type.shape[:-1], 2 * low.type.shape[-1])
            turned = b("rope", b("reshape", x, shape=shape), cos, sin, interleaved=True)
            return b("reshape", turned, shape=op.result.type.shape)
    return None


def _plain(pair: Sequence[Value | None], low: Value, high: Value) -> bool:
    """Whether cos and sin do not stretch what they turn."""
    return all(x is not None and x.type is low.type is high.type for x in pair)


def _turned(
    first: Value | None, second: Value | None
) -> Iterator[tuple[Value, Value, Value, Value]]:
    """Whatever low, high, cos and sin may be in low * cos - high * sin and high * cos + low * sin.
    There is more than one way, as factors have no order."""
    away, total = made_by(first, "sub"), made_by(second, "add")
    if away is None or total is None:
        return
    one, two = (made_by(x, "mul") for x in away.operands)
    others = [made_by(x, "mul") for x in total.operands]
    if one is None or two is None or None in others:
        return
    sides = [{*x.operands} for x in others if x is not None]
    for low, cos in (one.operands, one.operands[::-1]):
        for high, sin in (two.operands, two.operands[::-1]):
            wanted = [{high, cos}, {low, sin}]
            if low is None or cos is None or high is None or sin is None:
                continue
            if sides in (wanted, wanted[::-1]):
                yield low, high, cos, sin


def partial(op: Op, b: Builder) -> Replacement:
    """concat(rope(first elements), the others)."""
    if len(op.operands) != 2 or op.attrs["axis"] != op.result.type.rank - 1:
        return None
    turned, rest = made_by(op.operands[0], "rope"), op.operands[1]
    if turned is None or turned.attrs["dims"] or len(turned.result.uses) > 1:
        return None
    x = beside(turned.operands[0], rest, b)
    if x is None or x.type is not op.result.type:
        return None
    width = turned.result.type.shape[-1]
    return b("rope", x, *turned.operands[1:], **{**turned.attrs, "dims": width})


RULES = (
    Rule("rope", ("add",), whole, "bound"),
    Rule("rope by halves", ("concat",), by_halves, "bound"),
    Rule("interleaved rope", ("reshape",), interleaved, "bound"),
    Rule("rope of the first elements", ("concat",), partial, "bound"),
)
