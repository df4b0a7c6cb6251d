"""Views that do nothing, and views of views.

Assumes: a legal module. Promises: all bits. In:

    %1 = transpose(%0) {perm=[0, 2, 1]} : fp32[1, 8, 4]
    %2 = transpose(%1) {perm=[0, 2, 1]} : fp32[1, 4, 8]
    %3 = reshape(%2) {shape=[4, 8]} : fp32[4, 8]
    %4 = reshape(%3) {shape=[32]} : fp32[32]

Out:

    %1 = reshape(%0) {shape=[32]} : fp32[32]
"""

from __future__ import annotations

from typing import cast

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.matching import made_by
from maiacc_passes.rewriting import Replacement, Rule

Ints = tuple[int, ...]


def no_change(op: Op, b: Builder) -> Replacement:
    """A view of the same type, in the same order, is its operand."""
    x = op.operands[0]
    assert x is not None
    if x.type is not op.result.type:
        return None
    if op.name == "transpose" and op.ints("perm") != tuple(range(x.type.rank)):
        return None
    if op.name == "slice" and any(s < 0 for s in op.ints("steps")):
        return None
    return x


def transpose_of_one(op: Op, b: Builder) -> Replacement:
    """A transpose that moves only axes of size 1 is a reshape."""
    x = op.operands[0]
    assert x is not None
    if x.type.counts:
        return None
    moved = [axis for axis in op.ints("perm") if x.type.shape[axis] != 1]
    if moved != sorted(moved):
        return None
    return b("reshape", x, shape=op.result.type.shape)


def reshape_twice(op: Op, b: Builder) -> Replacement:
    """A reshape of a reshape."""
    first = made_by(op.operands[0], "reshape")
    return None if first is None else b("reshape", first.operands[0], **op.attrs)


def transpose_twice(op: Op, b: Builder) -> Replacement:
    """A transpose of a transpose."""
    first = made_by(op.operands[0], "transpose")
    if first is None:
        return None
    inner = first.ints("perm")
    perm = tuple(inner[axis] for axis in op.ints("perm"))
    return b("transpose", first.operands[0], perm=perm)


def slice_twice(op: Op, b: Builder) -> Replacement:
    """A slice of a slice."""
    first = made_by(op.operands[0], "slice")
    if first is None:
        return None
    pairs = zip(first.ints("starts"), first.ints("steps"), strict=True)
    mine = zip(op.ints("starts"), op.ints("steps"), strict=True)
    both = [(s + t * u, t * v) for (s, t), (u, v) in zip(pairs, mine, strict=True)]
    sizes = op.ints("sizes")
    # Where nothing is left, any start is good, but one outside is refused.
    starts = tuple(s if size else 0 for (s, _), size in zip(both, sizes, strict=True))
    steps = tuple(t for _, t in both)
    return b("slice", first.operands[0], starts=starts, sizes=sizes, steps=steps)


def broadcast_twice(op: Op, b: Builder) -> Replacement:
    """A broadcast of a broadcast."""
    first = made_by(op.operands[0], "broadcast")
    return None if first is None else b("broadcast", first.operands[0], **op.attrs)


def broadcast_adds_ones(op: Op, b: Builder) -> Replacement:
    """A broadcast that only adds axes of size 1 is a reshape."""
    x = op.operands[0]
    assert x is not None
    if x.type.size != op.result.type.size or x.type.counts or not x.type.size:
        return None
    return b("reshape", x, shape=op.result.type.shape)


def needless_broadcast(op: Op, b: Builder) -> Replacement:
    """An elementwise op broadcasts its operands itself."""
    operands: list[Value | None] = list(op.operands)
    for number, value in enumerate(op.operands):
        first = made_by(value, "broadcast")
        if first is None:
            continue
        operands[number] = first.operands[0]
        kinds = [None if x is None else x.type for x in operands]
        if op.row.result_types(op.attrs, kinds)[0] is op.result.type:
            return b(op.name, *operands, **dict(op.attrs))
        operands[number] = value
    return None


def single_concat(op: Op, b: Builder) -> Replacement:
    """A concatenation of one value; of values of which some are empty."""
    axis = cast(int, op.attrs["axis"])
    kept = [x for x in op.operands if x is not None and x.type.shape[axis]]
    if (len(kept) == len(op.operands) and len(kept) != 1) or not kept:
        return None
    return kept[0] if len(kept) == 1 else b("concat", *kept, axis=axis)


def nested_concat(op: Op, b: Builder) -> Replacement:
    """A concatenation of concatenations along the same axis."""
    axis = op.attrs["axis"]
    operands: list[Value | None] = []
    for value in op.operands:
        first = made_by(value, "concat")
        alone = first is not None and len(first.result.uses) == 1
        if first is not None and alone and first.attrs["axis"] == axis:
            operands += first.operands
        else:
            operands.append(value)
    if len(operands) == len(op.operands):
        return None
    return b("concat", *operands, axis=axis)


def no_padding(op: Op, b: Builder) -> Replacement:
    """Padding of nothing."""
    if any(op.ints("before")) or any(op.ints("after")):
        return None
    return op.operands[0]


def kept_reduction(op: Op, b: Builder) -> Replacement:
    """A reduction whose axes a reshape adds again, or takes away, keeps them or does not."""
    total = made_by(op.operands[0], *REDUCTIONS)
    if total is None or len(total.result.uses) > 1:
        return None
    axes, keep = total.ints("axes"), not total.attrs["keep"]
    kinds = [None if x is None else x.type for x in total.operands]
    made = total.row.result_types({"axes": axes, "keep": keep}, kinds)
    if made[0] is not op.result.type:
        return None
    return b(total.name, total.operands[0], axes=axes, keep=keep)


REDUCTIONS = ("rsum", "rprod", "rmax", "rmin", "rsumsq")
VIEWS = ("reshape", "transpose", "broadcast", "slice")
ELEMENTWISE = (
    "add", "sub", "mul", "div", "mod", "pow", "min", "max", "and", "or", "xor",
    "eq", "lt", "le", "select",
)  # fmt: skip

RULES = (
    Rule("view of the same", VIEWS, no_change),
    Rule("transpose of axes of size 1", ("transpose",), transpose_of_one),
    Rule("reshape twice", ("reshape",), reshape_twice),
    Rule("transpose twice", ("transpose",), transpose_twice),
    Rule("slice twice", ("slice",), slice_twice),
    Rule("broadcast twice", ("broadcast",), broadcast_twice),
    Rule("broadcast that adds ones", ("broadcast",), broadcast_adds_ones),
    Rule("broadcast before an elementwise op", ELEMENTWISE, needless_broadcast),
    Rule("concatenation of one", ("concat",), single_concat),
    Rule("concatenation in a concatenation", ("concat",), nested_concat),
    Rule("padding of nothing", ("pad",), no_padding),
    Rule("axes of a reduction", ("reshape",), kept_reduction),
)
