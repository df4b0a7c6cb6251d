"""Rotary embeddings.

Assumes: canonical form. Promises: results up to rounding. In:

    %1 = slice(%0) {starts=[0, 0, 0, 32], ...} : fp32[1, 8, 128, 32]
    %2 = neg(%1) : fp32[1, 8, 128, 32]
    %3 = slice(%0) {starts=[0, 0, 0, 0], ...} : fp32[1, 8, 128, 32]
    %4 = concat(%2, %3) {axis=3} : fp32[1, 8, 128, 64]
    %5 = mul(%4, @sin) : fp32[1, 8, 128, 64]
    %6 = mul(%0, @cos) : fp32[1, 8, 128, 64]
    %7 = add(%6, %5) : fp32[1, 8, 128, 64]

Out, if both halves of @cos and of @sin are alike:

    %3 = rope(%0, %1, %2) : fp32[1, 8, 128, 64]

Also: each half by itself and then concatenated; every other element instead of halves; and only the
first elements turned.
"""

from __future__ import annotations

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import constant, made_by
from maiacc_passes.rewriting import Replacement, Rule

#: Ops of one operand, or of one and a number, through which equal halves stay equal.
PLAIN = ("sin", "cos", "cvt", "neg", "mul", "add", "reshape", "broadcast")


def halves_alike(value: Value | None, depth: int = 12) -> bool:
    """Whether both halves of the last axis of a value are the same, as far as its making shows."""
    if value is None or not value.type.shape or value.type.shape[-1] % 2 or not depth:
        return False
    array = constant(value)
    if array is not None:
        low, high = np.split(array, 2, -1)
        return bool(np.array_equal(low, high))
    op = value.op
    if op is None:
        return False
    if op.name == "concat":
        same = len(op.operands) == 2 and op.operands[0] is op.operands[1]
        return same and op.attrs["axis"] == value.type.rank - 1
    if op.name not in PLAIN:
        return False
    if op.name in ("reshape", "broadcast"):
        x = op.operands[0]
        kept = x is not None and x.type.shape[-1:] == value.type.shape[-1:]
        return kept and halves_alike(x, depth - 1)
    return all(
        x is not None and (x.type.shape[-1:] in ((), (1,)) or halves_alike(x, depth - 1))
        for x in op.operands
    )


def part(value: Value, start: int, length: int, b: Builder) -> Value:
    """Some elements of the last axis."""
    rank = value.type.rank
    starts = (0,) * (rank - 1) + (start,)
    sizes = (*value.type.shape[:-1], length)
    return b("slice", value, starts=starts, sizes=sizes, steps=(1,) * rank)


def is_part(value: Value | None, start: int, length: int, step: int = 1) -> Value | None:
    """What a value is a slice of, along the last axis from ``start`` on."""
    op = made_by(value, "slice")
    x = None if op is None else op.operands[0]
    if op is None or x is None:
        return None
    rank = x.type.rank
    good = (
        op.attrs["starts"] == (0,) * (rank - 1) + (start,)
        and op.attrs["sizes"] == (*x.type.shape[:-1], length)
        and op.attrs["steps"] == (1,) * (rank - 1) + (step,)
    )
    return x if good else None


def whole(op: Op, b: Builder) -> Replacement:
    """x * cos + concat(-high, low) * sin."""
    for x, y in (op.operands, op.operands[::-1]):
        straight, turned = made_by(x, "mul"), made_by(y, "mul")
        if straight is None or turned is None:
            continue
        for both, sin in (turned.operands, turned.operands[::-1]):
            base = _rotated(both)
            if base is None or sin is None or base not in straight.operands:
                continue
            cos = straight.operands[1 - straight.operands.index(base)]
            made = _whole(base, cos, sin, op, b)
            if made is not None:
                return made
    return None


def _whole(x: Value, cos: Value | None, sin: Value, op: Op, b: Builder) -> Value | None:
    width = x.type.shape[-1]
    if cos is None or x.type is not op.result.type or sin.type is not cos.type:
        return None
    if cos.type.shape[-1:] != (width,) or not (halves_alike(cos) and halves_alike(sin)):
        return None
    half = width // 2
    return b("rope", x, part(cos, 0, half, b), part(sin, 0, half, b))


def _rotated(value: Value | None) -> Value | None:
    """What concat(-high, low) is made of."""
    both = made_by(value, "concat")
    if both is None or len(both.operands) != 2 or both.attrs["axis"] != both.result.type.rank - 1:
        return None
    width = both.result.type.shape[-1]
    minus = made_by(both.operands[0], "neg")
    if minus is None or width % 2:
        return None
    high, low = (
        is_part(minus.operands[0], width // 2, width // 2),
        is_part(both.operands[1], 0, width // 2),
    )
    return low if low is high else None


def by_halves(op: Op, b: Builder) -> Replacement:
    """concat(low * cos - high * sin, high * cos + low * sin)."""
    if len(op.operands) != 2 or op.attrs["axis"] != op.result.type.rank - 1:
        return None
    found = _turned(op.operands[0], op.operands[1])
    width = op.result.type.shape[-1]
    if found is None or width % 2:
        return None
    low, high, cos, sin = found
    x = is_part(low, 0, width // 2)
    if x is None or is_part(high, width // 2, width // 2) is not x:
        return None
    return b("rope", x, cos, sin) if x.type is op.result.type else None


def interleaved(op: Op, b: Builder) -> Replacement:
    """reshape(concat(...)) of the same for every other element."""
    both = made_by(op.operands[0], "concat")
    if both is None or len(both.operands) != 2:
        return None
    kind = both.result.type
    if both.attrs["axis"] != kind.rank - 1 or kind.shape[-1] != 2:
        return None
    views = [made_by(x, "reshape") for x in both.operands]
    if views[0] is None or views[1] is None:
        return None
    found = _turned(views[0].operands[0], views[1].operands[0])
    if found is None:
        return None
    low, high, cos, sin = found
    half = low.type.shape[-1]
    x = is_part(low, 0, half, 2)
    if x is None or is_part(high, 1, half, 2) is not x or x.type is not op.result.type:
        return None
    return b("rope", x, cos, sin, interleaved=True)


def _turned(first: Value | None, second: Value | None) -> tuple[Value, Value, Value, Value] | None:
    """low, high, cos and sin of low * cos - high * sin and high * cos + low * sin."""
    away, total = made_by(first, "sub"), made_by(second, "add")
    if away is None or total is None:
        return None
    one, two = (made_by(x, "mul") for x in away.operands)
    others = [made_by(x, "mul") for x in total.operands]
    if one is None or two is None or None in others:
        return None
    sides = [{*x.operands} for x in others if x is not None]
    for low, cos in (one.operands, one.operands[::-1]):
        for high, sin in (two.operands, two.operands[::-1]):
            wanted = [{high, cos}, {low, sin}]
            if sides in (wanted, wanted[::-1]) and None not in (low, cos, high, sin):
                assert low is not None and cos is not None  # noqa: PT018
                assert high is not None and sin is not None  # noqa: PT018
                return low, high, cos, sin
    return None


def partial(op: Op, b: Builder) -> Replacement:
    """concat(rope(first elements), the others)."""
    if len(op.operands) != 2 or op.attrs["axis"] != op.result.type.rank - 1:
        return None
    turned, rest = made_by(op.operands[0], "rope"), op.operands[1]
    if turned is None or rest is None or turned.attrs["dims"] or len(turned.result.uses) > 1:
        return None
    width, size = turned.result.type.shape[-1], op.result.type.shape[-1]
    x = is_part(turned.operands[0], 0, width)
    if x is None or is_part(rest, width, size - width) is not x:
        return None
    return b("rope", x, *turned.operands[1:], **{**turned.attrs, "dims": width})


RULES = (
    Rule("rope", ("add",), whole, "bound"),
    Rule("rope by halves", ("concat",), by_halves, "bound"),
    Rule("interleaved rope", ("reshape",), interleaved, "bound"),
    Rule("rope of the first elements", ("concat",), partial, "bound"),
)
