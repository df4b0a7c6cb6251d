"""Executes engine words, one at a time: whose memories their operands mean, and what they do.

When a word executes is the scheduler's business; here a word reads all of its operands and then
writes its results.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.spec import Operand as OperandRow
from maiacc_isa.word import Word
from maiacc_sim.arith.convert import decode
from maiacc_sim.issue import Issue, Located
from maiacc_sim.legality import Rules
from maiacc_sim.meanings import MEANINGS
from maiacc_sim.meanings.registry import Context, Meaning
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.operand import Operand
from maiacc_sim.recipe import peers_of
from maiacc_sim.system import Instance, System
from maiacc_sim.tokens import mask_members
from maiacc_sim.traps import Trap


@dataclass(frozen=True, slots=True)
class _Plan:
    """What all executions of a word have in common."""

    word: Word
    rules: Rules
    meaning: Meaning | None


class Executor:
    """Executes the words of a program on its memories."""

    def __init__(self, program: Program, system: System, memories: Memories) -> None:
        self.program = program
        self.system = system
        self.memories = memories
        self._plans: dict[tuple[str, int], _Plan] = {}

    def execute(self, block: Block, instance: Instance, issue: Issue) -> None:
        """Executes an engine word. Raises ``Trap`` without its place."""
        plan = self._plan(block, issue.index)
        plan.rules.sizes(issue.views)
        peers = self._peers(block, plan.word, instance, issue)
        found = {
            op.name: self._operand(block, plan.word, instance, op, issue.views[op.name], peers)
            for op in plan.rules.operands
        }
        number = plan.word.fields.get("chain")
        chain = None if number is None else block.chains[number]
        context = Context(plan.word, issue, self.program.machine, chain)
        assert plan.meaning is not None
        plan.meaning(context, *(found.get(op.name) for op in plan.word.row.operands))

    def load_scalar(self, block: Block, instance: Instance, issue: Issue) -> int:
        """The value that an SLD loads. Raises ``Trap`` without its place, interval among them."""
        plan = self._plan(block, issue.index)
        plan.rules.sizes(issue.views)
        (row,) = plan.rules.operands
        operand = self._operand(block, plan.word, instance, row, issue.views[row.name], None)
        value = int(decode(operand.read(), operand.dtype).item())
        low, high = plan.word["low"], plan.word["high"]
        if not low <= value <= high:
            message = "a loaded scalar lies outside its declared interval"
            raise Trap("interval", message, expected=f"{low} .. {high}", found=str(value))
        return value

    def written(self, block: Block, instance: Instance, issue: Issue) -> list[Operand]:
        """The operands that a word writes. Raises what ``execute`` raises for places."""
        plan = self._plan(block, issue.index)
        peers = self._peers(block, plan.word, instance, issue)
        return [
            self._operand(block, plan.word, instance, op, issue.views[op.name], peers)
            for op in plan.rules.operands
            if op.writes
        ]

    def _plan(self, block: Block, index: int) -> _Plan:
        key = (block.name, index)
        if key not in self._plans:
            word = block.words[index]
            rules = Rules(word, block, self.program.machine)
            self._plans[key] = _Plan(word, rules, MEANINGS.get(word.row.meaning))
        return self._plans[key]

    # ---- whose memory -------------------------------------------------------------------
    def _operand(
        self,
        block: Block,
        word: Word,
        instance: Instance,
        op: OperandRow,
        located: Located,
        peers: Sequence[int] | None,
    ) -> Operand:
        chips = peers if peers is not None and op.writes else (instance.chip,)
        members = mask_members(block, word)
        owners = tuple(
            owner for chip in chips for owner in self._owners(instance, chip, located, members)
        )
        return Operand(self.memories, f"operand {op.name}", located, owners)

    def _owners(
        self, instance: Instance, chip: int, located: Located, members: Iterable[int] | None
    ) -> list[Owner]:
        """The memories on a chip that a view means."""
        d = located.descriptor
        space = load().spaces[d.space]
        machine = self.program.machine
        if space.role == "chip":
            return [Owner(d.space, self.system.instance("chip", chip).number)]
        cluster = space.role == "cluster"
        count = machine.clusters if cluster else machine.tiles
        numbers = [instance.cluster if cluster else instance.tile]
        if d.home == "at":
            numbers = [located.home]
        elif d.home == "all":
            numbers = sorted(range(count) if members is None else members)
        for number in numbers:
            if not 0 <= number < count:
                message = f"there is no {d.space} of this number here"
                raise Trap("bounds", message, expected=f"0 .. {count - 1}", found=str(number))
        places = [(n, -1) if cluster else (instance.cluster, n) for n in numbers]
        return [
            Owner(d.space, self.system.instance(space.role, chip, *place).number)
            for place in places
        ]

    def _peers(
        self, block: Block, word: Word, instance: Instance, issue: Issue
    ) -> tuple[int, ...] | None:
        """The chips that a network word goes to, None for words that go to none."""
        if "group" in word.fields and not word.row.operands:
            members = mask_members(block, word, "group")
            if members is not None and instance.chip not in members:
                raise Trap("peer", "this chip is no member of the barrier's group")
        return peers_of(self.system, block, word, instance.chip, issue.peer)
