"""Groups within a lowering: ops that get kernels of their own, with values between them in HBM.

What one kernel cannot hold is taken apart: ``one_by_one`` lowers the ops of a group each on its
own; ``copied`` makes a dense copy of a view.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maiacc_passes.ir.graph import Op, Region, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import tensor
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.lowering.access import VIEWS, Access, viewed, whole
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import Mover, access_copy

#: Gives the kernels of a group.
Lower = Callable[[Group], list[Kernel]]


def grouped(
    group: Group,
    name: str,
    op: Op,
    given: Sequence[Access | None],
    outputs: Sequence[Buffer],
    part: Access | None = None,
    **attrs: object,
) -> tuple[Group, Op]:
    """A group of one op, like another op of a group but for where its operands are; constants
    stay what they are where no access is given. The op in the group, too.

    With ``part`` the result is that much of the only output; other attributes replace those of
    the op."""
    region = Region()
    operands: list[Value | None] = []
    inputs: dict[Value, Access] = {}
    for value, access in zip(op.operands, given, strict=True):
        if value is None or access is None:
            operands.append(value)
            continue
        param = region.add_param(tensor(access.dtype or access.buffer.dtype, access.sizes))
        inputs[param] = access
        operands.append(param)
    kinds = [value.type for value in op.results]
    if part is not None:
        kinds = [kinds[0].with_shape(part.sizes)]
    inner = Op(op.row, operands, {**op.attrs, **attrs}, kinds, (), op.location)
    region.append(inner)
    region.append(Op(OPS["yield"], inner.results, {}, ()))
    outer = Op(OPS["group"], [], {}, kinds, [region], op.location)
    places = dict(zip(inner.results, outputs, strict=True))
    parts = {} if part is None else {inner.results[0]: part}
    made = Group(name, outer, group.machine, inputs, places, group.constants, parts)
    return made, inner


def one_by_one(group: Group, lower: Lower) -> list[Kernel]:
    """The ops of a group, each with kernels of its own."""
    access: dict[Value, Access] = dict(group.inputs)
    kernels: list[Kernel] = []
    for number, op in enumerate(group.ops):
        source = op.operands[0] if op.operands else None
        if op.name in VIEWS and source is not None:
            if source.weight is not None:
                access.setdefault(source, group.constant(source))
            found = viewed(op, access[source])
            if found is None:
                found, more = copied(group, op, access[source], f"{group.name}.c{number}")
                kernels += more
                found = viewed(op, found)
            assert found is not None
            access[op.result] = found
            if op.result not in group.outputs:
                continue
            target = whole(group.outputs[op.result], op.result.type.shape)
            kernels += kept(group, op, found, target, f"{group.name}.k{number}")
            continue
        outputs = []
        for index, value in enumerate(op.results):
            buffer = group.outputs.get(value) or Buffer(
                f"{group.name}.{number}.{index}", value.type.dtype, value.type.shape, "hbm"
            )
            outputs.append(buffer)
            access[value] = whole(buffer, value.type.shape)
        given = [None if v is None or v.weight is not None else access[v] for v in op.operands]
        made, _ = grouped(group, f"{group.name}.{number}", op, given, outputs)
        kernels += lower(made)
    return kernels


def copied(group: Group, op: Op, access: Access, name: str) -> tuple[Access, list[Kernel]]:
    """A dense copy of a view, and the kernels that make it."""
    dtype = access.dtype or access.buffer.dtype
    target = whole(Buffer(name, dtype, access.sizes, "hbm"), access.sizes)
    return target, kept(group, op, access, target, name)


def kept(group: Group, op: Op, access: Access, target: Access, name: str) -> list[Kernel]:
    """Kernels that copy what an access shows to another place."""
    return Mover(group.machine, name, op.location, "copy").kernels([access_copy(access, target)])


def dense_input(group: Group, op: Op, number: int = 0) -> Access:
    """Where an operand of an op lies."""
    value = op.operands[number]
    assert value is not None
    found = group.located(value)
    assert found is not None, "what such ops read comes from outside of their groups"
    return found
