"""Repetitions in the form that is lowered.

Promises: all bits. What is scanned and stacked along other axes than the first is turned, the
condition that a body is given is true, and trip counts lie in what a register can be told. In:

    %3 = scan(%0, %1) {carried=1, axes=[1], out_axes=[1], ...} { ... }

Out:

    %2 = transpose(%1) {perm=[1, 0, 2]}
    %3 = scan(%0, %2) {carried=1, axes=[0], out_axes=[0], ...} { ... }
    %4 = transpose(%3) {perm=[1, 0, 2]}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value

#: The most turns that the control graph can be told.
TURNS = (1 << 31) - 2


@dataclass(frozen=True)
class Turns:
    """Changes loops and scans; counts those that it changes."""

    name: ClassVar[str] = "turns"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops were changed."""
        count = 0
        for region in module.regions():
            for op in list(region):
                if op.name == "loop":
                    count += _loop(op, module)
                elif op.name == "scan":
                    count += _scan(op, module)
        return count


def _loop(op: Op, module: Module) -> bool:
    assert op.region is not None
    b = Builder(module, op.region, op, op.location)
    condition = op.regions[0].params[1]
    changed = bool(condition.uses)
    if changed:
        condition.replace(b.constant(True, "bool"))
    trip = op.operand(0)
    if trip is not None and trip.weight is None:
        most = min(op.integer("most"), TURNS)
        zero, last = b.constant(0, "int64"), b.constant(most + 1, "int64")
        op.set_operands((b("clamp", trip, zero, last), *op.operands[1:]))
        changed = True
    return changed


def _scan(op: Op, module: Module) -> bool:
    axes, out_axes = op.ints("axes"), op.ints("out_axes")
    if not any((*axes, *out_axes)):
        return False
    assert op.region is not None
    b = Builder(module, op.region, op, op.location)
    carried = op.integer("carried")
    operands: list[Value | None] = list(op.operands[:carried])
    for value, axis in zip(op.operands[carried:], axes, strict=True):
        assert value is not None
        rank = value.type.rank
        axis %= rank
        operands.append(_turned(b, value, (axis, *(a for a in range(rank) if a != axis))))
    attrs = {**op.attrs, "axes": (0,) * len(axes), "out_axes": (0,) * len(out_axes)}
    regions, op.regions = op.regions, []
    made = b.many("scan", *operands, regions=regions, **attrs)
    results = list(made[:carried])
    for value, axis in zip(made[carried:], out_axes, strict=True):
        order = list(range(1, value.type.rank))
        order.insert(axis, 0)
        results.append(_turned(b, value, order))
    op.replace(results)
    return True


def _turned(b: Builder, value: Value, perm: Sequence[int]) -> Value:
    perm = tuple(perm)
    return value if perm == tuple(sorted(perm)) else b("transpose", value, perm=perm)
