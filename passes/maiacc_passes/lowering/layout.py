"""Which values lie channels last in memory, though their axes have them second.

A convolution sums over channels at every place of its kernel. With channels last, what it reads for
a row is one run; with rows last, each row of each channel is a run of its own, which for small
images is shorter than what memory moves at once. Only values that convolutions read, and that
nobody reshapes, are laid out so.
"""

from __future__ import annotations

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.lowering.access import VIEWS, Access, whole
from maiacc_passes.lowering.space import ELEMENTWISE

#: Convolutions that read and write such values.
CONVOLUTIONS = frozenset({"conv", "conv_sparse"})

#: Views and other ops that do not care how their operands lie.
STRIDED = frozenset({"transpose", "broadcast", "slice"})

#: Windows, which take either order, and are faster with rows last.
POOLS = frozenset({"pool_max", "pool_avg", "pool_sum"})


def channels_last(group: Op, number: int) -> bool:
    """Whether a result of a group lies channels last."""
    result, inner = group.results[number], group.regions[0].outputs[number]
    if result.type.rank < 3 or result.type.element.bits < 8 or inner is None:
        return False
    if not _makes(group, inner):
        return False
    return _wanted(result, any(_dense(op) for op in list(group.regions[0])[:-1]))


def _makes(group: Op, inner: Value) -> bool:
    """Whether the lowering of a group can write a result so."""
    for op in list(group.regions[0])[:-1]:
        plain = op.row.kind in (*ELEMENTWISE, Kind.REDUCE) or op.name in VIEWS
        if not plain and not _dense(op):
            return False
    return inner.op is not None


def _dense(op: Op) -> bool:
    return op.name in CONVOLUTIONS and op.attrs["groups"] == 1


def _wanted(result: Value, natural: bool) -> bool:
    """Whether a convolution reads a value, and nobody minds how it lies; or one makes it
    (``natural``), and nobody wants it in another order."""
    read = pooled = False
    for user in result.uses:
        if user.name != "group":
            return False
        for param, operand in zip(user.regions[0].params, user.operands, strict=True):
            if operand is result:
                for op in param.uses:
                    if _dense(op) and op.operands[0] is param:
                        read = True
                    elif op.name in POOLS:
                        pooled = True
                    elif op.row.kind not in (*ELEMENTWISE, Kind.REDUCE) and op.name not in STRIDED:
                        return False
    return read or (natural and not pooled)


def laid_out(buffer_shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape with the channels last."""
    return (buffer_shape[0], *buffer_shape[2:], buffer_shape[1])


def last(buffer: Buffer, shape: tuple[int, ...]) -> Access:
    """A value of a shape in a buffer whose channels are last."""
    found = whole(buffer, laid_out(shape))
    strides = (found.strides[0], found.strides[-1], *found.strides[1:-1])
    return Access(buffer, shape, strides)
