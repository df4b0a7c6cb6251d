"""Groups of elementwise ops and reductions: one pass over rows that fit a tile."""

from __future__ import annotations

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering.cutting import cuts
from maiacc_passes.lowering.expr import Expr
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.space import reduced_axes
from maiacc_passes.lowering.writer import Writer
from maiacc_passes.schedule.places import place

#: Codes of refusals that another tiling may not meet with.
RETRIED = frozenset({"E1501", "E1502"})

#: The most bytes that a DMA word moves.
DMA_BYTES = 1 << 18


def lower_vector(group: Group) -> Kernel:
    """A kernel for the group. Raises ``IRError`` E1502 where not even the smallest tile fits."""
    group.space.sizes = list(group.space.sizes)
    full = full_dims(group)
    problem: IRError | None = None
    room = _room(group.machine, group)
    for tiling in cuts(group.machine, group.space.sizes, full, room):
        try:
            writer = Writer(tiling)
            exprs: dict[object, Expr] = {}
            group.express(writer, exprs)  # type: ignore[arg-type]
            group.finish(writer, exprs)  # type: ignore[arg-type]
            kernel = group.kernel(tiling, writer)
            place(kernel, group.machine, False)
            return kernel
        except IRError as refusal:
            if refusal.code not in RETRIED:
                raise
            problem = refusal
    assert problem is not None
    raise problem


def full_dims(group: Group) -> set[int]:
    """Dims that a tile has to hold whole."""
    found: set[int] = set()
    for op in group.ops:
        if op.row.kind is Kind.REDUCE:
            source = op.operands[0]
            assert source is not None
            dims = group.space.dims(source)
            found |= {d for a in reduced_axes(op) if (d := dims[a]) is not None}
    return found


def _room(machine: Machine, group: Group) -> int:
    """Elements of a tile, so that what is loaded, kept and stored fits twice."""
    values = 2 * len(group.inputs) + 2 * len(group.outputs) + 3
    return min(machine.space_bytes("tsram") // (4 * values), DMA_BYTES // 8)
