"""Choices and repetitions: their regions become steps of the plan, as the main region does.

    %3, %4 = scan(%0, %1) { ... }        set turn0 = 0; go = 16
                                         k0: @k0.0 <- %0; @k0.1 <- zeros
                                         while go max 16:
                                           k1: kernels of the region, %1 as row turn0
                                           k2: @k0.0 <- next state; row turn0 of @k0.1 <- out
                                           set turn0 = turn0 + 1; go = 16 - turn0

Carried values have a buffer each, which is also the result; rows of what is scanned and stacked are
parts of buffers, moved by the number of the turn. Conditions and trip counts that are not known are
loaded by the control processors of chips, of which the control graph asks.
"""

from __future__ import annotations

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.plan import Choice, Scalars
from maiacc_passes.lowering.control_base import GO, Around, Control
from maiacc_passes.lowering.control_turns import Loop, Scan
from maiacc_passes.lowering.recipes import unsupported

#: Loops in each other, and choices and loops in each other: registers and the control graph end.
LOOPS, DEPTH = 7, 7


def lower_control(around: Around, op: Op) -> None:
    """Steps for an op with regions. Raises ``IRError`` E1505."""
    if around.depth >= DEPTH or around.loops >= LOOPS:
        raise unsupported(op, f"control flow nests more than {DEPTH} deep")
    around.depth += 1
    if op.name == "if":
        _Choice(around, op).run()
    elif op.name == "scan":
        Scan(around, op).run()
    else:
        Loop(around, op).run()
    around.depth -= 1


class _Choice(Control):
    """An ``if``: its regions become the two ways of a choice."""

    def run(self) -> None:
        condition = self.op.operands[0]
        assert condition is not None
        load = self.load(GO, self.around.located(condition))
        targets = self.results()
        ways = []
        for region in self.op.regions:
            values = [value for value in region.outputs if value is not None]
            ways.append(self.hand_out(region, values, targets))
        self.around.emit([Scalars([load], location=self.op.location)])
        self.around.emit([Choice(GO, *ways)])
