"""What the rows demand of a word before it may execute.

The prover refuses what breaks these rules; a program that was not proven traps here. The rules
are few and general: they read the rows, and say nothing about how a program could be better.
"""

from __future__ import annotations

from collections.abc import Mapping

from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.measure import WordMeasure, moves
from maiacc_isa.operands import present_operands
from maiacc_isa.operation import View
from maiacc_isa.program import Block
from maiacc_isa.spec import Operand
from maiacc_isa.word import Word
from maiacc_sim.issue import Located
from maiacc_sim.traps import Trap


class Rules:
    """The rules of one word. Raises ``Trap`` bounds or route when made for a word that no sizes
    or scalars can make right."""

    def __init__(self, word: Word, block: Block, machine: Machine) -> None:
        self.word, self.block, self.machine = word, block, machine
        self.operands = present_operands(word, block.chains)
        self._good: set[tuple[tuple[int, ...], ...]] = set()
        self._references()
        measure = WordMeasure(word, block, machine)
        if "net" in word.row.engines and measure.link >= machine.links:
            self._refuse(f"the machine has no link for {word.queue}")
        role = word.roles[0] if word.row.control else load().queues[str(word.queue)].role
        for op in self.operands:
            view = measure.views[op.name]
            assert view is not None
            self._operand(op, view, role)
        self._requires(measure)
        a, d = measure.views.get("a"), measure.views.get("d")
        if moves(word.row) and a is not None and d is not None and measure.route(a, d) is None:
            raise Trap(
                "route",
                f"{word.queue} does not connect these memories",
                found=f"{a.space} ({a.home}) -> {d.space} ({d.home})",
            )

    def sizes(self, views: Mapping[str, Located]) -> None:
        """Whether the operands' sizes fit each other. Raises ``Trap`` bounds."""
        found = tuple(views[op.name].sizes for op in self.operands)
        if found in self._good:
            return
        sizes = {op.name: views[op.name].sizes for op in self.operands}
        measure = WordMeasure(self.word, self.block, self.machine, sizes=sizes)
        for op in self.operands:
            view = measure.views[op.name]
            assert view is not None
            pairs = [(op.kept, view.n if op.reduced is None else view.kept)]
            if op.reduced is not None:
                pairs.append((op.reduced, view.red))
            for shape, size in pairs:
                expected = measure.evaluate(shape)
                if expected != size:
                    message = f"the size of {op.name} does not fit the other operands"
                    raise Trap("bounds", message, expected=str(expected), found=str(size))
        self._good.add(found)

    def _references(self) -> None:
        tables = {"chain": len(self.block.chains), "mask": len(self.block.masks) + 1}
        numbers = [
            (f.name, f.kind.base, self.word.fields.get(f.name)) for f in self.word.row.fields
        ]
        numbers += [(op.name, "desc", self.word.fields[op.name]) for op in self.operands]
        tables["desc"] = len(self.block.descriptors)
        for name, kind, number in numbers:
            if kind in tables and number is not None and number >= tables[kind]:
                self._refuse(f"{name} = {number} lies behind the block's table")
        for op in self.operands:
            d = self.block.descriptors[self.word.fields[op.name]]
            if any(aux is not None and aux >= tables["desc"] for aux in (d.scale, d.meta)):
                self._refuse(f"the scales or 2:4 positions of {op.name} lie behind the table")

    def _operand(self, op: Operand, view: View, role: str) -> None:
        """Whether an operand is of a type, and in a memory, that its row allows."""
        if view.space not in op.spaces:
            self._refuse(f"{op.name} cannot lie in {view.space}")
        if op.types is not None and view.dtype not in op.types:
            self._refuse(f"{op.name} cannot be of type {view.dtype}")
        d = view.descriptor
        for aux in (d.scale, d.meta):
            if aux is not None and self.block.descriptors[aux].space != view.space:
                self._refuse(f"the scales or 2:4 positions of {op.name} lie in another memory")
        home, roles = view.home, load().roles
        holder = load().spaces[view.space].role
        if home != "own" and (not moves(self.word.row) or view.space == "hbm"):
            self._refuse(f"{op.name} can only lie in the executing instance's memory")
        if home == "all" and op.reads and op.direction == "in":
            self._refuse(f"{op.name} is read, but its home is `all`")
        if home == "own" and roles[holder].code < roles[role].code:
            self._refuse(f"{op.name} does not say whose {view.space} it means")

    def _requires(self, measure: WordMeasure) -> None:
        for rule in self.word.row.requires:
            try:
                good = measure.evaluate(rule.test)
            except (ArithmeticError, LookupError, TypeError, ValueError):
                good = False
            if not good:
                self._refuse(rule.message)

    def _refuse(self, message: str) -> None:
        raise Trap("bounds", f"an illegal word: {self.word.row.mnemonic}: {message}")
