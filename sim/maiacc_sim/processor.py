"""A control processor executing a block with its data: it walks the steps, keeps scalars, and
reads for every word it pushes what scalars, counters and ids say at that moment."""

from __future__ import annotations

from typing import Any, Protocol

from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.code import Do, Step
from maiacc_sim.issue import Issue
from maiacc_sim.scalars import COUNTER, REGISTER, Sources, assign, read
from maiacc_sim.system import QueueOf
from maiacc_sim.traps import Stopped, Trap
from maiacc_sim.views import locate


class Surroundings(Protocol):
    """What a control processor needs of the machine around it."""

    parameters: dict[int, int]
    max_steps: int | None
    one_step: bool

    def push(self, control: Control, step: Step) -> bool:
        """Puts a word into its queue; False while that is full."""

    def load(self, control: Control, step: Step) -> bool:
        """Executes an SLD; False while a token is missing."""

    def again(self, unit: Any) -> None:
        """A unit may be able to go on."""

    def placed(self, trap: Trap, index: int, iteration: tuple[int, ...], of: QueueOf) -> Trap:
        """A trap with where it happened."""


class Control:
    """A control processor in one block."""

    def __init__(
        self, of: QueueOf, sources: Sources, block: Block, steps: list[Step], around: Surroundings
    ) -> None:
        self.of, self.sources, self.block, self.steps = of, sources, block, steps
        self.around = around
        self.at = 0
        self.walked = 0
        self.done = False
        self.trips: dict[int, int] = {}

    @property
    def iteration(self) -> tuple[int, ...]:
        """Counters of the loops in force, outermost first."""
        values = self.sources[COUNTER : COUNTER + len(self.trips)]
        return tuple(value for value in values if value is not None)

    @property
    def index(self) -> int:
        """The number of the word it is at."""
        return self.steps[self.at].index

    def check_live_in(self) -> None:
        """Registers that the block finds set lie in their intervals. Raises ``Trap`` interval."""
        for live in self.block.live_in:
            value = self.sources[REGISTER + live.reg]
            if value is not None and not live.low <= value <= live.high:
                name = self.block.symbols.registers.get(live.reg, f"s{live.reg}")
                raise Trap(
                    "interval",
                    f"{name} lies outside its interval as block {self.block.name} starts",
                    expected=f"{live.low} .. {live.high}",
                    found=str(value),
                )

    def walk(self) -> None:
        """Walks until it has to wait or is through; one step only if others are to have a turn."""
        while self.step():
            if self.around.one_step and not self.done:
                self.around.again(self)
                return

    def step(self) -> bool:
        """Walks over one step; False if it has to wait or is through."""
        if self.done:
            return False
        step = self.steps[self.at]
        try:
            moved = self._step(step)
        except Trap as trap:
            raise self.around.placed(trap, step.index, self.iteration, self.of) from None
        if not moved:
            return False
        self.walked += step.cycles
        if self.around.max_steps is not None and self.walked > self.around.max_steps:
            raise Stopped(
                "E1206",
                f"{self.of} walks over more words than the run may have cycles",
                expected=f"at most {self.around.max_steps:,} cycles",
                hint="raise --max-cycles",
            )
        return True

    def _step(self, step: Step) -> bool:
        """One step; False if it has to wait."""
        word = step.word
        if step.do is Do.PUSH:
            return self._move_on(self.around.push(self, step))
        if step.do is Do.SLD:
            return self._move_on(self.around.load(self, step))
        if step.do is Do.LOOP:
            self._enter(step)
            return True
        if step.do is Do.ENDL:
            self._leave(step)
            return True
        if step.do is Do.SET:
            assign(self.block, word, self.sources)
        elif step.do is Do.PAR:
            self.sources[REGISTER + word["dest"]] = self.around.parameters[word["param"]]
        elif step.do is Do.END:
            self.done = True
        self.at += 1
        return True

    def _move_on(self, could: bool) -> bool:
        self.at += could
        return could

    def _enter(self, step: Step) -> None:
        word = step.word
        if word["kind"] == "imm":
            trip = word["trip"]
        else:
            trip = self.read(REGISTER + word["reg"])
        if trip <= 0:
            self.at = step.target
            return
        self.trips[word["level"]] = trip
        self.sources[COUNTER + word["level"]] = 0
        self.at += 1

    def _leave(self, step: Step) -> None:
        level = step.word["level"]
        counter = (self.sources[COUNTER + level] or 0) + 1
        if counter < self.trips[level]:
            self.sources[COUNTER + level] = counter
            self.at = step.target
        else:
            self.sources[COUNTER + level] = None
            del self.trips[level]
            self.at += 1

    # ---- what words read ------------------------------------------------------------------
    def read(self, code: int) -> int:
        """The value of a source. Raises ``Trap`` scalar_unset or level."""
        return read(self.block, self.sources, code)

    def issue(self, step: Step) -> Issue:
        """A word with what it reads from scalars now. Raises ``Trap`` bounds for sizes."""
        word, block = step.word, self.block
        views = {
            op.name: locate(block, word[op.name], self.read)
            for op in present_operands(word, block.chains)
        }
        peer = self.read(REGISTER + word["peer"]) if "peer" in word.fields else -1
        fresh = word.fields.get("mode") == "first" and self._fresh(word)
        return Issue(step.index, views, fresh, peer, self.iteration)

    def _fresh(self, word: Word) -> bool:
        """Whether the loops from the word's level inwards are at their first iteration."""
        counters = self.iteration
        level, span = word["level"], word["span"]
        if level >= max(1, len(counters)):
            raise Trap("level", f"no loop of level {level} is in force here")
        return not any(counters[level : level + span if span else None])
