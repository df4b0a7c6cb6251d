"""The control graph of a program: which block comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from maiacc_isa.program import Block, Call, If, Node, Program, While
from maiacc_sim.scalars import REGISTER, Sources, read
from maiacc_sim.system import System
from maiacc_sim.traps import Trap


def blocks_in_order(
    program: Program, system: System, sources: Mapping[int, Sources]
) -> Iterator[Block]:
    """The blocks that a program executes, one after the other.

    Each has to be executed before the next is asked for, since conditions are registers of the
    chips' control processors (``sources``, by instance number). Raises ``Trap`` scalar_unset, and
    interval where chips do not agree or a `while` takes too many turns.
    """

    def holds(reg: int) -> bool:
        chips = [i.number for i in system.instances if i.role == "chip"]
        values = {read(program.blocks[0], sources[number], REGISTER + reg) != 0 for number in chips}
        if len(values) > 1:
            raise Trap("interval", "the chips do not agree on a condition of the control graph")
        return values.pop()

    def walk(nodes: tuple[Node, ...]) -> Iterator[Block]:
        for node in nodes:
            if isinstance(node, If):
                yield from walk(node.then if holds(node.reg) else node.other)
            elif isinstance(node, While):
                turns = 0
                while holds(node.reg):
                    if turns == node.most:
                        raise Trap("interval", f"a while takes more than {node.most} turns")
                    turns += 1
                    yield from walk(node.body)
            else:
                yield program.block(node.block)

    if len(program.control) == 1 and isinstance(program.control[0], Call):
        return iter([program.block(program.control[0].block)])
    return walk(program.control)
