"""Every output of a model gets memory of its own.

An input, a constant, or what is handed out already cannot be an output as it is: a copy is, spelled
as a bitcast to its own type. Assumes: a module that is ready to be put into groups. Promises: all
bits. In:

    return(%0, @w, %1, %1)

Out:

    %2 = bitcast(%0) {to=fp32} : fp32[4]
    %3 = bitcast(@w) {to=fp32} : fp32[4]
    %4 = bitcast(%1) {to=fp32} : fp32[4]
    return(%2, %3, %1, %4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.lowering.access import VIEWS


@dataclass(frozen=True)
class HandOut:
    """Copies what would be handed out from memory that is not an output's own."""

    name: ClassVar[str] = "hand-out"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many copies there are."""
        main, last = module.main, module.main.last
        assert last is not None
        b = Builder(module, main, last, last.location)
        seen: set[Value] = set()
        handed: list[Value | None] = []
        for value in last.operands:
            assert value is not None
            made = _made(value)
            if made.op is None or made in seen:
                handed.append(b("bitcast", value, to=value.type.dtype))
            else:
                handed.append(value)
            seen.add(made)
        copies = sum(x is not y for x, y in zip(handed, last.operands, strict=True))
        if copies:
            last.set_operands(handed)
        return copies


def _made(value: Value) -> Value:
    """What a value is a view of."""
    while value.op is not None and value.op.name in VIEWS:
        source = value.op.operands[0]
        assert source is not None
        value = source
    return value
