"""Operators that move elements: transposing, repeating, joining, cutting, padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from maiacc.frontend.importers.common import cast, reshaped, sliced, stretched
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("Transpose")
def transpose(node: Node) -> Value:
    x = node.input(0)
    given = node.get_ints("perm", tuple(reversed(range(x.type.rank))))
    perm = node.axes(given, x.type.rank)
    if len(perm) != x.type.rank:
        node.fail("E1304", "perm", expected=f"{x.type.rank} axes", found=str(list(perm)))
    return x if perm == tuple(range(x.type.rank)) else node.b("transpose", x, perm=perm)


@importer("Expand")
def expand(node: Node) -> Value:
    x = node.input(0)
    wanted = check_sizes(node, node.static_ints(1, "the new shape"))
    rank = max(x.type.rank, len(wanted))
    mine = (*[1] * (rank - x.type.rank), *x.type.shape)
    other = (*[1] * (rank - len(wanted)), *wanted)
    shape = [b if a == 1 else a for a, b in zip(mine, other, strict=True)]
    if any(b not in (1, a) for a, b in zip(shape, other, strict=True)):
        node.fail("E1304", "shapes do not broadcast", str(list(wanted)), str(x.type))
    return stretched(node, x, shape)


def check_sizes(node: Node, sizes: Sequence[int]) -> tuple[int, ...]:
    """Sizes that are not negative. Refuses with E1304."""
    if min(sizes, default=0) < 0:
        node.fail("E1304", "a size is negative", found=str(list(sizes)))
    return tuple(sizes)


# ---- Tile -----------------------------------------------------------------------------------
@importer("Tile", since=6)
def tile(node: Node) -> Value:
    x, repeats = node.input(0), node.static_ints(1, "how often it is repeated")
    if len(check_sizes(node, repeats)) != x.type.rank:
        node.fail("E1304", "repeats", expected=f"{x.type.rank} numbers", found=str(list(repeats)))
    extents = x.type.shape
    apart: list[int] = []
    repeated: list[int] = []
    for extent, times in zip(extents, repeats, strict=True):
        if times != 1:
            apart.append(1)
            repeated.append(times)
        apart.append(extent)
        repeated.append(extent)
    found = stretched(node, reshaped(node, x, apart), repeated)
    return reshaped(node, found, [n * m for n, m in zip(extents, repeats, strict=True)])


# ---- Concat, Split --------------------------------------------------------------------------
@importer("Concat", since=4)
def concat(node: Node) -> Value:
    values = [node.input(i) for i in range(max(len(node.inputs), 1))]
    axis = node.axis(node.get_int("axis"), values[0].type.rank)
    return values[0] if len(values) == 1 else node.b("concat", *values, axis=axis)


@importer("Split", since=2)
def split_before_13(node: Node) -> Sequence[Value | None]:
    return _parts(node, node.get_ints("split") if node.has("split") else None)


@importer("Split", since=13)
def split(node: Node) -> Sequence[Value | None]:
    given = node.optional(1) is not None
    return _parts(node, node.static_ints(1, "the sizes of the parts") if given else None)


def _parts(node: Node, sizes: Sequence[int] | None) -> Sequence[Value | None]:
    x, count = node.input(0), len(node.proto.output)
    axis = node.axis(node.get_int("axis", 0), x.type.rank)
    extent = x.type.shape[axis]
    if sizes is None:
        if node.get_int("num_outputs", count) != count:
            node.fail("E1304", "num_outputs", f"{count} outputs", str(node.get_int("num_outputs")))
        each = -(-extent // max(count, 1))
        sizes = [max(min(each, extent - i * each), 0) for i in range(count)]
        if node.version < 18 and extent % max(count, 1):
            node.fail("E1304", f"{extent} elements make no {count} equal parts")
    if sum(check_sizes(node, sizes)) != extent or len(sizes) != len(node.proto.output):
        node.fail(
            "E1304",
            f"the parts do not make up axis {axis}",
            expected=f"{len(node.proto.output)} sizes with the sum {extent}",
            found=str(list(sizes)),
        )
    starts = [0, *accumulate(sizes)][: len(sizes)]
    return [
        sliced(node, x, axis, start, size) if node.wants(i) else None
        for i, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]


# ---- Slice ----------------------------------------------------------------------------------
@importer("Slice")
def slice_before_10(node: Node) -> Value:
    starts, ends = node.get_ints("starts"), node.get_ints("ends")
    return _cut(node, starts, ends, node.get_ints("axes", range(len(starts))), [1] * len(starts))


@importer("Slice", since=10)
def slice_(node: Node) -> Value:
    starts = node.static_ints(1, "where the slice starts")
    ends = node.static_ints(2, "where the slice ends")
    axes: Sequence[int] = range(len(starts))
    steps: Sequence[int] = [1] * len(starts)
    if node.optional(3) is not None:
        axes = node.static_ints(3, "the axes of the slice")
    if node.optional(4) is not None:
        steps = node.static_ints(4, "the steps of the slice")
    return _cut(node, starts, ends, axes, steps)


def _cut(
    node: Node,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int],
) -> Value:
    x = node.input(0)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        node.fail("E1304", "starts, ends, axes and steps", expected="as many each, and no step 0")
    first, sizes, by = [0] * x.type.rank, list(x.type.shape), [1] * x.type.rank
    for axis, start, end, step in zip(
        node.axes(axes, x.type.rank), starts, ends, steps, strict=True
    ):
        chosen = range(*slice(start, end, step).indices(sizes[axis]))
        sizes[axis] = len(chosen)
        if len(chosen) > 1:
            first[axis], by[axis] = chosen.start, step
        elif chosen:
            first[axis] = chosen.start
    if tuple(sizes) == x.type.shape and not any(first):
        return x
    return node.b("slice", x, starts=tuple(first), sizes=tuple(sizes), steps=tuple(by))


# ---- Pad ------------------------------------------------------------------------------------
@importer("Pad", since=2)
def pad_before_11(node: Node) -> Value:
    x, amounts = node.input(0), node.get_ints("pads")
    number = node.get_float("value", 0.0)
    fill = node.b.constant(number, x.type.dtype) if number else None
    return _padded(node, x, amounts, range(x.type.rank), fill)


@importer("Pad", since=11)
def pad(node: Node) -> Value:
    x = node.input(0)
    amounts = node.static_ints(1, "how much is padded")
    axes: Sequence[int] = range(x.type.rank)
    if node.optional(3) is not None:
        axes = node.axes(node.static_ints(3, "the axes that are padded"), x.type.rank)
    fill = node.optional(2)
    if fill is not None:
        if fill.type.size != 1:
            node.fail("E1304", "constant_value", expected="a scalar", found=str(fill.type))
        fill = cast(node, reshaped(node, fill, ()), x.type.dtype)
    return _padded(node, x, amounts, axes, fill)


def _padded(
    node: Node, x: Value, amounts: Sequence[int], axes: Sequence[int], fill: Value | None
) -> Value:
    """x with more elements, or fewer where an amount is negative, around it."""
    mode = node.get_str("mode", "constant")
    if mode not in ("constant", "reflect", "edge", "wrap"):
        node.fail("E1304", "mode", "constant | reflect | edge | wrap", mode)
    if len(amounts) != 2 * len(axes):
        node.fail("E1304", "pads", f"{2 * len(axes)} numbers", str(list(amounts)))
    before, after = [0] * x.type.rank, [0] * x.type.rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = amounts[i], amounts[len(axes) + i]
        cut = max(-before[axis], 0), max(-after[axis], 0)
        extent = x.type.shape[axis] - sum(cut)
        if extent < 0:
            node.fail("E1304", "more is cut off than there is", found=str(list(amounts)))
        x = sliced(node, x, axis, cut[0], extent)
    more = tuple(max(n, 0) for n in before), tuple(max(n, 0) for n in after)
    if not any((*more[0], *more[1])):
        return x
    fill = fill if mode == "constant" else None
    return node.b("pad", x, fill, before=more[0], after=more[1], mode=mode)
