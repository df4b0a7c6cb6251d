"""A module of groups as a plan of kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import NOWHERE, Module, Op, Region, Value, Weight
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array, Lazy, Source
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.kernel.plan import Output, Plan, Step
from maiacc_passes.lowering.access import VIEWS, Access, viewed, whole
from maiacc_passes.lowering.attention import lower_attention
from maiacc_passes.lowering.blocks import lower_blocks
from maiacc_passes.lowering.bounded import lower_compact, lower_nonzero
from maiacc_passes.lowering.bounded_nms import lower_nms
from maiacc_passes.lowering.bounded_unique import lower_unique
from maiacc_passes.lowering.chunked import lower_reduction
from maiacc_passes.lowering.chunked_alone import one_by_one
from maiacc_passes.lowering.contraction import lower_contraction
from maiacc_passes.lowering.control import lower_control
from maiacc_passes.lowering.control_moves import Move, moving
from maiacc_passes.lowering.convolutions import lower_convolution
from maiacc_passes.lowering.copies import lower_concat, lower_copy, lower_pad
from maiacc_passes.lowering.fitting import RETRIED
from maiacc_passes.lowering.gathers import lower_gather
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.layout import channels_last, laid_out, last
from maiacc_passes.lowering.orders import lower_order
from maiacc_passes.lowering.pools import lower_pool
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.scans import lower_scan
from maiacc_passes.lowering.scatters import lower_scatter
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.lowering.transposed import lower_transposed
from maiacc_passes.lowering.vector import lower_vector


def lower(
    module: Module,
    machine: Machine,
    refused: list[IRError] | None = None,
    plain: bool = False,
) -> Plan:
    """The kernels of a module whose ops are groups. ``plain`` keeps every value in the order of its
    axes. Raises ``IRError`` E1501, E1502, E1505; with ``refused``, what is raised for a group is
    put there, and the plan lacks its kernels."""
    return _Lowering(module, machine, refused, plain).run()


class _Lowering:
    """Lowers regions: the main one, and those of control flow, which it is the ``Around`` of."""

    def __init__(
        self, module: Module, machine: Machine, refused: list[IRError] | None, plain: bool
    ) -> None:
        self.module = module
        self.machine = machine
        self.refused = refused
        self.plain = plain
        self.plan = Plan()
        self.access: dict[Value, Access] = {}
        self.made: list[Buffer] = []
        self.loops = self.depth = 0
        self._steps = self.plan.steps
        self._constants: dict[tuple[Value, tuple[int, ...]], Buffer] = {}
        self._names = 0
        self.memo: dict[object, tuple[Tiling, ...]] = {}

    def run(self) -> Plan:
        main, module = self.module.main, self.module
        for name, value in zip(module.inputs, main.params, strict=True):
            buffer = Buffer(name, value.type.dtype, value.type.shape or (), "hbm", "input")
            self.plan.inputs[name] = buffer
            self.access[value] = whole(buffer, value.type.shape)
        assert main.last is not None
        for op in list(main)[:-1]:
            self._op(op)
        for name, given in zip(module.outputs, main.last.operands, strict=True):
            assert given is not None
            self._output(name, given)
        self._ends_are_there()
        for result in (result for op in main for result in op.results):
            if result in self.access and self.access[result].dense:
                self.plan.results[result] = self.access[result].buffer
        return self.plan

    def _ends_are_there(self) -> None:
        """Raises ``IRError`` E1505 for inputs and outputs of a type that the machine does not
        have, if no op was refused for them."""
        outputs = {name: output.buffer for name, output in self.plan.outputs.items()}
        for name, buffer in (*self.plan.inputs.items(), *outputs.items()):
            if buffer.dtype == "fp64" and not self.refused:
                raise IRError("E1505", f"{name!r} is of fp64, which the machine does not have")

    def constant(self, value: Value, order: tuple[int, ...] = ()) -> Buffer:
        """The buffer of a constant, its axes in another order if one is given."""
        key = value, order
        if key not in self._constants:
            assert value.weight is not None
            kept = permuted(value, order) if order else value
            assert kept.weight is not None
            kind = kept.type
            buffer = Buffer(f"@{kept.weight.name}", kind.dtype, kind.shape, "hbm", "weight")
            self._constants[key] = buffer
            self.plan.constants[buffer] = kept
        return self._constants[key]

    def located(self, value: Value) -> Access:
        """Where a value lies."""
        if value.weight is not None and value not in self.access:
            self.access[value] = whole(self.constant(value), value.type.shape)
        return self.access[value]

    def lowered(self, region: Region) -> list[Step]:
        """The steps of a region."""
        outer, self._steps = self._steps, []
        for op in list(region)[:-1]:
            self._op(op)
        found, self._steps = self._steps, outer
        return found

    def emit(self, steps: Sequence[Step]) -> None:
        """Adds steps to those of the region that is being lowered."""
        self._steps += steps

    def name(self) -> str:
        """A new name of a kernel."""
        self._names += 1
        return f"k{self._names - 1}"

    def buffer(self, kind_of: Value) -> Buffer:
        """A new buffer for a value."""
        kind = kind_of.type
        return self._made(f"{self.name()}.0", kind)

    def _made(self, name: str, kind: Type) -> Buffer:
        self.made.append(Buffer(name, kind.dtype, kind.shape, "hbm"))
        return self.made[-1]

    def _op(self, op: Op) -> None:
        if op.name in VIEWS:
            source = op.operands[0]
            assert source is not None
            found = viewed(op, self.located(source))
            assert found is not None, "groups copy what strides cannot say"
            self.access[op.result] = found
        elif op.name == "group":
            self._group(op)
        else:
            lower_control(self, op)

    def _group(self, op: Op) -> None:
        region = op.regions[0]
        inputs = {}
        for param, value in zip(region.params, op.operands, strict=True):
            assert value is not None
            inputs[param] = self.located(value)
        outputs = {}
        name = self.name()
        parts = {}
        for index, (result, inner) in enumerate(zip(op.results, region.outputs, strict=True)):
            assert inner is not None
            kind = result.type
            if not self.plain and channels_last(op, index):
                moved = kind.with_shape(laid_out(kind.shape))
                buffer = self._made(f"{name}.{index}", moved)
                self.access[result] = parts[inner] = last(buffer, kind.shape)
            else:
                buffer = self._made(f"{name}.{index}", kind)
                self.access[result] = whole(buffer, kind.shape)
            outputs[inner] = buffer
        group = Group(name, op, self.machine, inputs, outputs, self.constant, parts, self.memo)
        try:
            self.emit(lowered(group))
        except IRError as problem:
            if self.refused is None:
                raise
            self.refused.append(problem)

    def _output(self, name: str, value: Value) -> None:
        """A buffer that is handed out: where the value is, in the shape of the output, or a copy
        where that is handed out already or is not the machine's own."""
        access = self.located(value)
        given = {output.buffer for output in self.plan.outputs.values()}
        taken = access.buffer in given or access.buffer.kind in ("input", "weight")
        if taken or not access.dense or access.dtype:
            buffer = self.buffer(value)
            moves = [Move(whole(buffer, access.sizes), access)]
            self.emit(moving(self.name(), moves, self.machine, NOWHERE))
            access = whole(buffer, access.sizes)
        self.plan.outputs[name] = Output(access.buffer, value.type.shape)


def permuted(value: Value, order: tuple[int, ...]) -> Value:
    """A constant with its axes in another order; its elements are moved when they are read."""
    assert value.weight is not None
    old = value.weight
    kind = value.type.with_shape(tuple(value.type.shape[axis] for axis in order))
    name = f"{old.name}.{''.join(map(str, order))}"
    source = Lazy(f"{old.name} with axes {list(order)}", _Moved(old.source, value.type, order))
    return Weight(name, kind, source).value


@dataclass(frozen=True)
class _Moved:
    """The elements of a constant with its axes in another order."""

    source: Source
    kind: Type
    order: tuple[int, ...]

    def __call__(self) -> Array:
        return np.ascontiguousarray(self.source.array(self.kind).transpose(self.order))


#: How a group with such an op is lowered; the op is the first of the group.
Lowering = Callable[[Group, Op], list[Kernel]]

LOWERINGS: dict[str, Lowering] = {
    **dict.fromkeys(
        ("contract", "conv", "contract_sparse", "conv_sparse", "contract_scaled"), lower_contraction
    ),
    "block_quantize": lambda group, op: [lower_blocks(group, op)],
    **dict.fromkeys(("gather", "gather_elements", "gather_nd"), lower_gather),
    **dict.fromkeys(("scatter_elements", "scatter_nd"), lower_scatter),
    "nonzero": lower_nonzero,
    "compact": lower_compact,
    "unique": lower_unique,
    "nms": lower_nms,
    "concat": lower_concat,
    "pad": lower_pad,
    **dict.fromkeys(("pool_max", "pool_argmax", "pool_sum", "pool_avg"), lower_pool),
    "conv": lower_convolution,
    **dict.fromkeys(("sort", "topk"), lower_order),
    **dict.fromkeys(("cumsum", "cumprod"), lower_scan),
    "conv_transpose": lower_transposed,
}

#: Kinds of ops that one pass over tiles computes.
VECTOR = frozenset({Kind.MAP, Kind.REDUCE, Kind.MAKE, Kind.COMPOSITE, Kind.VIEW})


def lowered(group: Group) -> list[Kernel]:
    """The kernels of a group. Raises ``IRError`` E1505 for what has no words."""
    if not any(buffer.size for buffer in group.outputs.values()):
        return []
    ops = [op for op in group.ops if op.results[0] not in group.access]
    _in_the_machine(ops)
    try:
        return _together(group, ops)
    except IRError as refusal:
        # What does not fit as one kernel may fit op by op.
        if refusal.code not in RETRIED or len(ops) < 2:
            raise
        return one_by_one(group, lowered)


def _in_the_machine(ops: Sequence[Op]) -> None:
    """Raises ``IRError`` E1505 for an op on numbers that the machine does not have."""
    for op in ops:
        if any(v is not None and v.type.dtype == "fp64" for v in (*op.operands, *op.results)):
            raise unsupported(op, "the machine has no fp64")


def _together(group: Group, ops: list[Op]) -> list[Kernel]:
    products = [op for op in ops if op.name == "contract"]
    if len(products) == 2:
        return [lower_attention(group, *products)]
    for op in ops:
        if op.name in LOWERINGS:
            return LOWERINGS[op.name](group, op)
    if not ops:
        return lower_copy(group)
    if len(ops) == 1 and ops[0].row.kind is Kind.REDUCE:
        return lower_reduction(group, ops[0])
    if all(op.row.kind in VECTOR for op in ops):
        return [lower_vector(group)]
    other = next(op for op in ops if op.row.kind not in VECTOR)
    raise unsupported(other, "there are no words for it yet")
