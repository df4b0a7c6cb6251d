"""Convolutions, and those of groups that are too many channels for one tile.

A group of channels is a turn of a loop where its result channels fit the accumulators. Else there
is a kernel for each group, which reads its part of the operands and writes its part of the result.
"""

from __future__ import annotations

from dataclasses import replace

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.chunked_alone import dense_input, grouped
from maiacc_passes.lowering.contraction import lower_contraction
from maiacc_passes.lowering.convolutions_depthwise import lower_depthwise
from maiacc_passes.lowering.fitting import RETRIED
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.recipes import unsupported

#: Axes of windows: views have boxes for no more.
MOST = 3


def lower_convolution(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a convolution. Raises ``IRError`` E1502, E1505."""
    if op.result.type.rank - 2 > MOST:
        raise unsupported(op, f"windows over more than {MOST} axes")
    if op.attrs["groups"] == op.result.type.shape[1] != 1:
        found = lower_depthwise(group, op)
        if found is not None:
            return [found]
    try:
        return lower_contraction(group, op)
    except IRError as refusal:
        groups = op.attrs["groups"]
        alone = len(group.ops) == 1 and op.name == "conv" and isinstance(groups, int)
        if refusal.code not in RETRIED or not alone or groups == 1:
            raise
        return _each(group, op)


def _each(group: Group, op: Op) -> list[Kernel]:
    groups = op.attrs["groups"]
    assert isinstance(groups, int)
    (target,) = group.outputs.values()
    x, w = dense_input(group, op, 0), dense_input(group, op, 1)
    bias = None if op.operand(2) is None else dense_input(group, op, 2)
    result = group.parts.get(op.result) or whole(target, op.result.type.shape)
    kernels: list[Kernel] = []
    for number in range(groups):
        given = [part(x, 1, number, groups), part(w, 0, number, groups)]
        if bias is not None:
            given.append(part(bias, 0, number, groups))
        made, inner = grouped(
            group,
            f"{group.name}.{number}",
            op,
            given,
            [target],
            part(result, 1, number, groups),
            groups=1,
        )
        kernels += lower_contraction(made, inner)
    return kernels


def part(access: Access, axis: int, number: int, parts: int) -> Access:
    """One of equal parts of an access along an axis."""
    size = access.sizes[axis] // parts
    sizes = (*access.sizes[:axis], size, *access.sizes[axis + 1 :])
    return replace(access, sizes=sizes, offset=access.offset + number * size * access.strides[axis])
