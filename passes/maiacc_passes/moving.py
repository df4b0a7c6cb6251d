"""Transposes move towards what they turn, through reshapes, broadcasts and multiples.

Assumes: a legal module. Promises: all bits. In:

    %1 = reshape(%0) {shape=[32, 128, 64]} : fp32[32, 128, 64]
    %2 = transpose(%1) {perm=[0, 2, 1]} : fp32[32, 64, 128]
    %3 = reshape(%2) {shape=[1, 32, 64, 128]} : fp32[1, 32, 64, 128]

Out, where %0 is fp32[1, 32, 128, 64]:

    %1 = transpose(%0) {perm=[0, 1, 3, 2]} : fp32[1, 32, 64, 128]
"""

from __future__ import annotations

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Op
from maiacc_passes.matching import made_by
from maiacc_passes.rewriting import Replacement, Rule

Ints = tuple[int, ...]


def atoms(before: Ints, after: Ints) -> list[tuple[list[int], list[int]]] | None:
    """Runs of axes of two shapes of one size that hold the same elements, as short as they can be;
    None for shapes without elements."""
    if 0 in before or 0 in after:
        return None
    found: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        one, two = before[i : i + 1], after[j : j + 1]
        if one == two:
            left, right = [i], [j]
        elif 1 in one:
            left, right = [i], []
        elif 1 in two:
            left, right = [], [j]
        else:
            left, right = _run(before, after, i, j)
        found.append((left, right))
        i, j = i + len(left), j + len(right)
    return found


def _run(before: Ints, after: Ints, i: int, j: int) -> tuple[list[int], list[int]]:
    """The shortest run from two axes on that differ in size."""
    left, right = [i], [j]
    size, other = before[i], after[j]
    while size != other:
        if size < other:
            left.append(left[-1] + 1)
            size *= before[left[-1]]
        else:
            right.append(right[-1] + 1)
            other *= after[right[-1]]
    return left, right


def transpose_of_reshape(op: Op, b: Builder) -> Replacement:
    """transpose(reshape(x)) = reshape(transpose(x)), where the transpose moves whole axes of x."""
    view = made_by(op.operands[0], "reshape")
    x = None if view is None else view.operands[0]
    if view is None or x is None or len(view.result.uses) > 1 or x.type.counts:
        return None
    runs = atoms(x.type.shape, view.result.type.shape)
    if runs is None:
        return None
    run_of = {axis: number for number, (_, right) in enumerate(runs) for axis in right}
    order = [run_of[axis] for axis in op.attrs["perm"]]
    kept = list(dict.fromkeys(order))
    for number in kept:
        wanted = runs[number][1]
        if [axis for axis in op.attrs["perm"] if run_of[axis] == number] != wanted:
            return None
    if any(order[k] != order[k - 1] and order[k] in order[:k] for k in range(1, len(order))):
        return None
    perm = [axis for number in kept for axis in runs[number][0]]
    # Axes of size 1 that the reshape left out stay where they are.
    for axis in range(x.type.rank):
        if axis not in perm:
            perm.insert(axis, axis)
    if perm == list(range(len(perm))):
        return None
    return b("reshape", b("transpose", x, perm=tuple(perm)), shape=op.result.type.shape)


def transpose_of_broadcast(op: Op, b: Builder) -> Replacement:
    """transpose(broadcast(x)) = broadcast(transpose(x))."""
    view = made_by(op.operands[0], "broadcast")
    x = None if view is None else view.operands[0]
    if view is None or x is None or len(view.result.uses) > 1:
        return None
    if x.type.rank < view.result.type.rank:
        ones = (1,) * (view.result.type.rank - x.type.rank)
        if x.type.counts:
            return None
        x = b("reshape", x, shape=ones + x.type.shape)
    turned = b("transpose", x, perm=op.attrs["perm"])
    return b("broadcast", turned, shape=op.result.type.shape)


def transpose_of_scaled(op: Op, b: Builder) -> Replacement:
    """transpose(x * c) = transpose(x) * c for a number c; and of one operand of other ops."""
    inner = made_by(op.operands[0], "mul", "div", "add", "sub")
    if inner is None or len(inner.result.uses) > 1:
        return None
    x, y = inner.operands
    if x is None or y is None or x.type is not inner.result.type or y.type.size != 1:
        return None
    return b(inner.name, b("transpose", x, perm=op.attrs["perm"]), y, **inner.attrs)


#: Ops of one operand through which slices and reshapes move.
UNARY = ("sin", "cos", "neg", "cvt", "exp", "sigmoid", "tanh", "sqrt", "rsqrt", "recip")


def slice_of_unary(op: Op, b: Builder) -> Replacement:
    """slice(f(x)) = f(slice(x)), if only slices use f(x); and of f(x, c) for a number c."""
    inner = made_by(op.operands[0], *UNARY, "mul", "add", "div")
    if inner is None or any(user.name != "slice" for user in inner.result.uses):
        return None
    x, rest = inner.operands[0], inner.operands[1:]
    if x is None or x.type.shape != inner.result.type.shape:
        return None
    if any(y is None or y.type.size != 1 for y in rest):
        return None
    return b(inner.name, b("slice", x, **op.attrs), *rest, **inner.attrs)


def slice_of_broadcast(op: Op, b: Builder) -> Replacement:
    """slice(broadcast(x)) = broadcast(slice(x))."""
    view = made_by(op.operands[0], "broadcast")
    x = None if view is None else view.operands[0]
    if view is None or x is None or x.type.counts:
        return None
    more = view.result.type.rank - x.type.rank
    starts, sizes, steps = [0] * x.type.rank, list(x.type.shape), [1] * x.type.rank
    for axis in range(x.type.rank):
        if x.type.shape[axis] == view.result.type.shape[axis + more]:
            starts[axis], sizes[axis], steps[axis] = (
                op.attrs[name][axis + more] for name in ("starts", "sizes", "steps")
            )
    cut = b("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))
    return b("broadcast", cut, shape=op.result.type.shape)


def every_other(op: Op, b: Builder) -> Replacement:
    """A slice of every n-th element of an axis is one element of an axis of n, if there is one."""
    view = made_by(op.operands[0], "reshape")
    x = None if view is None else view.operands[0]
    if view is None or x is None or x.type.counts or x.type.rank < 2:
        return None
    *outer, times, each = x.type.shape
    shape, (start, size, step) = view.result.type.shape, _last(op)
    if (*outer, times * each) != shape or (size, step) != (times, each) or start >= each:
        return None
    if each == 1 or any(_cut(op, axis) for axis in range(len(outer))):
        return None
    rank = x.type.rank
    starts, sizes = (0,) * (rank - 1) + (start,), (*outer, times, 1)
    one = b("slice", x, starts=starts, sizes=sizes, steps=(1,) * rank)
    return b("reshape", one, shape=op.result.type.shape)


def _last(op: Op) -> Ints:
    return tuple(op.attrs[name][-1] for name in ("starts", "sizes", "steps"))


def _cut(op: Op, axis: int) -> bool:
    """Whether a slice leaves something of an axis out, or turns it round."""
    x = op.operands[0]
    assert x is not None
    found = tuple(op.attrs[name][axis] for name in ("starts", "sizes", "steps"))
    return found != (0, x.type.shape[axis], 1)


def slice_of_concat(op: Op, b: Builder) -> Replacement:
    """A slice that lies in one of the values that are concatenated."""
    joined = made_by(op.operands[0], "concat")
    if joined is None:
        return None
    axis: int = joined.attrs["axis"]
    starts: Ints = op.attrs["starts"]
    first, last = sorted(
        (starts[axis], starts[axis] + (op.attrs["sizes"][axis] - 1) * op.attrs["steps"][axis])
    )
    at = 0
    for x in joined.operands:
        assert x is not None
        extent = x.type.shape[axis]
        if at <= first and last < at + extent and op.attrs["sizes"][axis]:
            moved = (*starts[:axis], starts[axis] - at, *starts[axis + 1 :])
            return b("slice", x, **{**op.attrs, "starts": moved})
        at += extent
    return None


def slice_of_reshape(op: Op, b: Builder) -> Replacement:
    """slice(reshape(x)) = reshape(slice(x)), where only whole axes of x are cut."""
    view = made_by(op.operands[0], "reshape")
    x = None if view is None else view.operands[0]
    if view is None or x is None or any(user.name != "slice" for user in view.result.uses):
        return None
    wide = view.result.type
    runs = atoms(x.type.shape, wide.shape)
    if runs is None or x.type.counts or wide.counts:
        return None
    starts, sizes, steps = [0] * x.type.rank, list(x.type.shape), [1] * x.type.rank
    for axis in range(wide.rank):
        start, size, step = (op.attrs[name][axis] for name in ("starts", "sizes", "steps"))
        if (start, size, step) == (0, wide.shape[axis], 1):
            continue
        (run,) = (run for run in runs if axis in run[1])
        own = [i for i in run[0] if x.type.shape[i] != 1]
        if len(own) != 1 or [j for j in run[1] if wide.shape[j] != 1] != [axis]:
            return None
        starts[own[0]], sizes[own[0]], steps[own[0]] = start, size, step
    cut = b("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))
    return b("reshape", cut, shape=op.result.type.shape)


RULES = (
    Rule("slice of a function", ("slice",), slice_of_unary),
    Rule("slice of a broadcast", ("slice",), slice_of_broadcast),
    Rule("every other element", ("slice",), every_other),
    Rule("slice in a concatenation", ("slice",), slice_of_concat),
    Rule("slice of a reshape", ("slice",), slice_of_reshape),
    Rule("transpose of a reshape", ("transpose",), transpose_of_reshape),
    Rule("transpose of a broadcast", ("transpose",), transpose_of_broadcast),
    Rule("transpose of a multiple", ("transpose",), transpose_of_scaled),
)
