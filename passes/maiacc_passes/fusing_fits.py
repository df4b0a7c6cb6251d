"""What a kernel can do with ops together: dims of one space, and views that strides can say."""

from __future__ import annotations

from collections.abc import Container
from math import prod

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.lowering.access import VIEWS, Access, viewed, whole
from maiacc_passes.lowering.space import Space, joined, reduced_axes, unit_reshape

#: Views that keep the axes of a group's space.
INNER = frozenset({"transpose", "broadcast", "reshape"})

#: Elements of which one tile computes all without loss.
FEW = 4096


def fits(ops: list[Op], contraction: bool, most: int, tiles: int) -> bool:
    """Whether ops have one space, no dim being twice in a value. Behind a contraction they have its
    dims only; else what is reduced is at most ``most`` elements, and leaves work for ``tiles``."""
    space = Space()
    joined(space, ops)
    full: set[int] = set()
    values = {v for op in ops for v in (*op.operands, *op.results) if v is not None}
    for value in values:
        dims = space.of(value)
        if len(set(dims)) != len(dims):
            return False
    roots = [op for op in ops if op.name == "contract"] or ops[:1]
    root = {d for op in roots for d in space.of(op.result)} if contraction else set()
    for op in ops:
        if contraction and not set(space.of(op.results[0])) <= root:
            return False
        if op.row.kind is Kind.REDUCE:
            source = op.operands[0]
            assert source is not None
            dims_of = space.dims(source)
            full |= {d for a in reduced_axes(op) if (d := dims_of[a]) is not None}
    if contraction:
        return True
    held = prod(space.sizes[d] for d in full)
    rest = prod(n for d, n in enumerate(space.sizes) if d not in full)
    return not full or held * rest <= FEW or (held <= most and rest >= tiles)


def inner_view(op: Op) -> bool:
    """Whether a view keeps the axes of a space."""
    return op.name in INNER and (op.name != "reshape" or unit_reshape(op))


def access_of(value: Value, grouped: Container[Op]) -> Access | None:
    """How a value lies in what it is a view of, which one of ``grouped`` makes; None where strides
    cannot say it."""
    views: list[Op] = []
    while value.op is not None and value.op.name in VIEWS and value.op not in grouped:
        views.append(value.op)
        source = value.op.operands[0]
        assert source is not None
        value = source
    shape = value.type.shape or (1,)
    found: Access | None = whole(Buffer("", value.type.dtype, shape, "hbm"), value.type.shape)
    for view in reversed(views):
        found = None if found is None else viewed(view, found)
    return found


def is_alias(value: Value, grouped: Container[Op]) -> bool:
    """Whether a view has all elements of something in their order."""
    found = access_of(value, grouped)
    return found is not None and found.dense and not found.dtype
