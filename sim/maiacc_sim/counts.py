"""How often every word is executed, without the event model: control flow alone.

Independent of ``maiacc_sim.timing``: loops are multiplied out instead of run wherever nothing in
their bodies depends on their counters. From the counts follow the lower bounds of the manual's
chapter on time, multiplications, bytes and instructions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from maiacc_isa.program import Block, Program
from maiacc_sim.code import Do, Step, steps
from maiacc_sim.control_graph import blocks_in_order
from maiacc_sim.recipe import Key, Recipe
from maiacc_sim.relevant import Relevant, relevant
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.scalars import COUNTER, REGISTER, Sources, assign, fresh_sources, read
from maiacc_sim.system import Instance, System
from maiacc_sim.traps import budget


@dataclass
class Counts:
    """Executions of engine words and SLDs by (block, instance number, word, key of its recipe),
    and the cycles that each control processor spends on words, by instance number."""

    words: Counter[tuple[int, int, int, Key]] = field(default_factory=Counter)
    control: Counter[int] = field(default_factory=Counter)


def count(program: Program, scalars: Scalars, most: int | None = None) -> Counts:
    """Counts the executions of every word of a program.

    Raises ``Trap`` for what scalars do wrong, and ``Stopped`` E1206 if a control processor
    walks over more than ``most`` words in a block.
    """
    return _Walk(program, scalars, most).run()


class _Walk:
    def __init__(self, program: Program, scalars: Scalars, most: int | None) -> None:
        self.program, self.scalars, self.most = program, scalars, most
        self.taken: Counter[int] = Counter()
        self.system = System(program.machine)
        self.relevant: Relevant = relevant(program)
        self.sources = {i.number: fresh_sources(i) for i in self.system.instances}
        self.counts = Counts()
        self.same: dict[tuple[int, int, str], bool] = {}
        self._steps: dict[tuple[str, str], list[Step]] = {}
        self._recipes: dict[str, list[Recipe]] = {}

    def run(self) -> Counts:
        for block in blocks_in_order(self.program, self.system, self.sources):
            for instance in self.system.instances:
                _Body(self, block, instance).run()
        return self.counts

    def recipes(self, block: Block) -> list[Recipe]:
        """The recipes of a block's words, made once."""
        if block.name not in self._recipes:
            self._recipes[block.name] = [Recipe(word, block) for word in block.words]
        return self._recipes[block.name]

    def steps(self, block: Block, role: str) -> list[Step]:
        """The steps of a block for a role, made once."""
        key = (block.name, role)
        if key not in self._steps:
            self._steps[key] = steps(block, role, self.relevant.registers)
        return self._steps[key]


class _Body:
    """One instance's way through a block."""

    def __init__(self, walk: _Walk, block: Block, instance: Instance) -> None:
        self.walk, self.block, self.instance = walk, block, instance
        self.number = walk.program.blocks.index(block)
        self.steps = walk.steps(block, instance.role)
        self.sources: Sources = walk.sources[instance.number]
        self.words: dict[tuple[int, Key], int] = {}
        self.control = 0
        self.recipes = walk.recipes(block)

    def run(self) -> None:
        self.body(0, len(self.steps), 1)
        for (index, key), number in self.words.items():
            self.walk.counts.words[self.number, self.instance.number, index, key] += number
        self.walk.counts.control[self.instance.number] += self.control

    def body(self, first: int, behind: int, times: int) -> None:
        """Counts steps ``first`` to ``behind`` - 1, each ``times`` times."""
        at = first
        while at < behind:
            step = self.steps[at]
            self.control += step.cycles * times
            if self.walk.most is not None and self.control > self.walk.most:
                raise budget(self.walk.most)
            if step.do is Do.LOOP:
                self.loop(step, at, times)
                at = step.target
                continue
            self.plain(step, times)
            at += 1

    def plain(self, step: Step, times: int) -> None:
        word = step.word
        if step.do in (Do.PUSH, Do.SLD):
            recipe = self.recipes[step.index]
            key = (step.index, recipe.key(self.block, self.sources) if recipe.dynamic else ())
            self.words[key] = self.words.get(key, 0) + times
        if step.do is Do.SET:
            assign(self.block, word, self.sources)
        elif step.do is Do.PAR:
            self.sources[REGISTER + word["dest"]] = self.walk.scalars.parameter(word["param"])
        elif step.do is Do.SLD:
            taken = self.walk.taken
            if word["dest"] in self.walk.relevant.registers:
                # A loop around this one is run turn by turn, so it is one load.
                value = self.walk.scalars.loaded(self.instance, step, taken[self.instance.number])
                self.sources[REGISTER + word["dest"]] = value
            taken[self.instance.number] += times

    def loop(self, step: Step, at: int, times: int) -> None:
        trip = step.trip if step.reg < 0 else self.value(step.reg)
        if trip <= 0:
            return
        code = COUNTER + step.level
        end = step.target - 1
        if self.same_every_turn(at, end, step.level):
            self.sources[code] = trip - 1
            self.control += trip * times
            self.body(at + 1, end, times * trip)
        else:
            self.turns(step, at, end, trip, times)
        self.sources[code] = None

    def turns(self, step: Step, at: int, end: int, trip: int, times: int) -> None:
        """Counts a loop turn by turn, until a turn leaves all that is read as it found it: those
        behind it are like it."""
        relevant = self.walk.relevant
        alike = step.level not in relevant.levels[self.block.name]
        alike = alike and not any(s.do is Do.SLD and self.decides(s) for s in self.steps[at:end])
        before: list[int | None] | None = None
        for turn in range(trip):
            found = [self.sources[code] for code in relevant.ordered] if alike else None
            left = trip - turn if alike and found == before else 1
            self.sources[COUNTER + step.level] = turn + left - 1
            self.control += left * times
            self.body(at + 1, end, left * times)
            if left == trip - turn:
                return
            before = found

    def same_every_turn(self, at: int, end: int, level: int) -> bool:
        """Whether no turn of a loop differs from another in what is counted."""
        known = self.walk.same.get((self.number, at, self.instance.role))
        if known is None:
            known = level not in self.walk.relevant.levels[self.block.name] and all(
                not self.decides(step) for step in self.steps[at:end]
            )
            self.walk.same[self.number, at, self.instance.role] = known
        return known

    def decides(self, step: Step) -> bool:
        """Whether a step sets a register that what is counted depends on."""
        registers = self.walk.relevant.registers
        return step.do is Do.SET or (step.do is Do.SLD and step.word["dest"] in registers)

    def value(self, code: int) -> int:
        return read(self.block, self.sources, code)
