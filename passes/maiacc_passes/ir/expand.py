"""Composites as the ops they stand for."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.ops import OPS


def expansion(op: Op) -> Region:
    """A composite as a region of other ops. Its parameters are the operands that are given."""
    assert op.row.expand is not None, f"{op.name} has neither a meaning nor an expansion"
    module = Module()
    params = [None if x is None else module.main.add_param(x.type) for x in op.operands]
    copy = Op(op.row, params, op.attrs, [value.type for value in op.results])
    b = Builder(module)
    finish(b, op.row.expand(b, copy))
    copy.set_operands(())
    return module.main


def finish(b: Builder, values: Sequence[Value], name: str = "return") -> None:
    """Ends a region with an op that hands out values."""
    b.region.append(Op(OPS[name], values, {}, (), (), b.location))


def inline(op: Op, module: Module) -> None:
    """Replaces a composite by what it stands for."""
    assert op.row.expand is not None
    b = Builder(module, op.region, op, op.location)
    op.replace(op.row.expand(b, op))
