"""Groups of elementwise ops and reductions: one pass over rows that fit a tile."""

from __future__ import annotations

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering.cutting import cuts
from maiacc_passes.lowering.expr import Expr
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.space import reduced_axes
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.lowering.writer import Writer


def lower_vector(group: Group) -> Kernel:
    """A kernel for the group. Raises ``IRError`` E1502 where not even the smallest tile fits."""
    group.space.sizes = list(group.space.sizes)

    def make(tiling: Tiling) -> Kernel:
        writer = Writer(tiling)
        exprs: dict[Value, Expr] = {}
        group.express(writer, exprs)
        group.finish(writer, exprs)
        return group.kernel(tiling, writer)

    room = _room(group.machine, group)
    ways = cuts(group.machine, group.space.sizes, full_dims(group), room)
    return fitting(group.machine, ways, make)


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
