"""One spelling for contractions.

Assumes: a legal module. Promises: results up to the order of sums. Letters are a, b, c ... in the
order in which operands name them; transposes of operands and of the result are part of the spec;
what is added behind is a bias. In:

    %1 = transpose(%0) {perm=[1, 0]} : fp32[8, 4]
    %2 = contract(%1, @w) {spec="mk,kn->mn"} : fp32[8, 16]
    %3 = add(%2, @b) : fp32[8, 16]

Out:

    %1 = contract(%0, @w, @b) {spec="ab,ac->bc"} : fp32[8, 16]
"""

from __future__ import annotations

import string

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import made_by
from maiacc_passes.rewriting import Replacement, Rule


def parts_of(spec: str) -> tuple[str, str, str]:
    """The letters of both operands and of the result."""
    operands, _, out = spec.partition("->")
    left, _, right = operands.partition(",")
    return left, right, out


def canonical(spec: str) -> str:
    """A spec with letters in the order in which they come."""
    names: dict[str, str] = {}
    for letter in spec:
        if letter.isalpha():
            names.setdefault(letter, string.ascii_letters[len(names)])
    return "".join(names.get(letter, letter) for letter in spec)


def letters(op: Op, b: Builder) -> Replacement:
    """Letters in the order in which they come."""
    spec: str = op.attrs["spec"]
    if canonical(spec) == spec:
        return None
    return b("contract", *op.operands, **{**op.attrs, "spec": canonical(spec)})


def transposed_operand(op: Op, b: Builder) -> Replacement:
    """A transpose of an operand is part of the spec."""
    groups = list(parts_of(op.attrs["spec"]))
    operands = list(op.operands)
    changed = False
    for number in range(2):
        turn = made_by(operands[number], "transpose")
        if turn is None:
            continue
        changed = True
        operands[number] = turn.operands[0]
        before = [""] * len(groups[number])
        for letter, axis in zip(groups[number], turn.attrs["perm"], strict=True):
            before[axis] = letter
        groups[number] = "".join(before)
    if not changed:
        return None
    spec = canonical(f"{groups[0]},{groups[1]}->{groups[2]}")
    return b("contract", *operands, **{**op.attrs, "spec": spec})


def transposed_result(op: Op, b: Builder) -> Replacement:
    """A transpose of the result is part of the spec, if nothing else uses the result."""
    product = made_by(op.operands[0], "contract")
    if product is None or len(product.operands) > 2 or len(product.result.uses) > 1:
        return None
    left, right, out = parts_of(product.attrs["spec"])
    turned = "".join(out[axis] for axis in op.attrs["perm"])
    spec = canonical(f"{left},{right}->{turned}")
    return b("contract", *product.operands, **{**product.attrs, "spec": spec})


def bias(op: Op, b: Builder) -> Replacement:
    """What is added to a product is its bias, if it is a constant or a row as wide as the last
    axis."""
    for x, y in (op.operands, op.operands[::-1]):
        product = made_by(x, "contract", "conv")
        if product is None or x is None or y is None or len(product.operands) > 2:
            continue
        if len(x.uses) > 1 or x.type is not op.result.type or product.attrs["to"]:
            continue
        if y.weight is None and y.type.rank > 1:
            continue
        if product.name == "conv":
            wide = _channels(y, x)
            added = None if wide is None else b("reshape", y, shape=(wide,))
        else:
            added = _last_axis(y, x, b)
        if added is not None:
            return b(product.name, *product.operands, added, **product.attrs)
    return None


def _last_axis(y: Value, x: Value, b: Builder) -> Value | None:
    last = x.type.shape[-1:]
    if not last or y.type.shape[-1:] != last or y.type.size != last[0] or y.type.counts:
        return None
    return y if y.type.rank == 1 else b("reshape", y, shape=last)


def _channels(y: Value, x: Value) -> int | None:
    """How many channels a value has that broadcasts along the channels of a convolution."""
    channels, spatial = x.type.shape[1], x.type.rank - 2
    shape = y.type.shape
    if y.type.counts or shape[-spatial - 1 :] != (channels,) + (1,) * spatial:
        return None
    return channels if y.type.size == channels else None


RULES = (
    Rule("letters of a contraction", ("contract",), letters),
    Rule("transposed operand", ("contract",), transposed_operand, "bound"),
    Rule("transposed result", ("transpose",), transposed_result, "bound"),
    Rule("bias", ("add",), bias, "bound"),
)
