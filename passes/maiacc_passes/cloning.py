"""What is made of coordinates and small constants alone is made where it is used.

A mask of coordinates costs less to compute again than to keep between kernels, and ops that share
one could not be executed apart. Assumes: composites expanded. Promises all bits; ops are only
doubled. In:

    %1 = iota() {axis=0, shape=[4, 1], to=int32} : int32[4, 1]
    %2 = le(%1, @c) : bool[4, 1]
    %3 = select(%2, %x, @d) : fp32[4, 8]
    %4 = select(%2, %y, @d) : fp32[4, 8]

Out: a second ``iota`` and ``le`` stand before %4, which uses them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind

#: Ops from coordinates to what is made of them.
DEEP = 4

#: Elements of a constant that counts as coordinates.
SMALL = 1 << 13


@dataclass(frozen=True)
class Clone:
    """Gives every op that is not made of such alone its own copy of those it uses."""

    name: ClassVar[str] = "clone"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops were added."""
        return sum(_Region(region).run() for region in module.regions())


class _Region:
    def __init__(self, region: Region) -> None:
        self.region = region
        self.depth: dict[Op, int] = {}

    def run(self) -> int:
        ops = list(self.region)
        for op in ops:
            self._enter(op)
        taken: set[Value] = set()
        for op in ops:
            if op in self.depth or op.row.kind is not Kind.MAP:
                continue
            operands = list(op.operands)
            made: dict[Value, Value] = {}
            for number, value in enumerate(operands):
                if value is not None and value.op in self.depth and value.op.name != "iota":
                    if value not in made:
                        made[value] = self._copy(value, op) if value in taken else value
                        taken.add(value)
                    operands[number] = made[value]
            if operands != list(op.operands):
                op.set_operands(operands)
        return len(list(self.region)) - len(ops)

    def _enter(self, op: Op) -> None:
        """Notes an op that is made of coordinates and small constants."""
        if op.name == "iota":
            self.depth[op] = 1
        elif op.row.kind is Kind.MAP and not op.regions:
            others = [v for v in op.operands if v is not None and not _small(v)]
            depths = [DEEP if v.op is None else self.depth.get(v.op, DEEP) for v in others]
            if max(depths, default=0) < DEEP:
                self.depth[op] = max(depths, default=0) + 1

    def _copy(self, value: Value, before: Op) -> Value:
        """A copy of what makes a value, in front of an op."""
        op = value.op
        assert op is not None
        operands = [
            self._copy(v, before) if v is not None and v.op in self.depth else v
            for v in op.operands
        ]
        made = Op(op.row, operands, dict(op.attrs), [op.result.type], (), op.location)
        self.region.insert(made, before)
        return made.result


def _small(value: Value) -> bool:
    return value.weight is not None and value.type.size <= SMALL
