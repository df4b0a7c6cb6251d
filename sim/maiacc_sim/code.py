"""A block as the control processors of one role see it: a list of steps to walk.

Words for other roles take a cycle each and do nothing, so runs of them become one step; so do
loops that are for other roles, and loops of this one that hold nothing but such steps. Whoever
needs only times names the registers that times depend on, and SETs of others become such steps,
too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum, auto

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.scalars import REGISTER

#: Idle loops up to this many cycles become one step; longer ones are walked, so that a control
#: processor is not far ahead of the others.
SPIN_LIMIT = 256


class Do(IntEnum):
    """What a step is."""

    PASS = auto()
    PUSH = auto()
    LOOP = auto()
    ENDL = auto()
    SET = auto()
    PAR = auto()
    SLD = auto()
    MARK = auto()
    END = auto()


@dataclass(slots=True)
class Step:
    """A step of a control processor. ``index`` is the number of its word; ``cycles`` those of a
    PASS; ``target`` the step to go on with: behind a LOOP's ENDL, or the first of an ENDL's
    body. A LOOP of ``level`` takes ``trip`` turns, or as many as source ``reg`` says if that is
    not -1."""

    do: Do
    index: int
    word: Word
    cycles: int = 1
    target: int = 0
    level: int = 0
    trip: int = 0
    reg: int = -1


def steps(block: Block, role: str, needed: Collection[int] | None = None) -> list[Step]:
    """The steps of a block for a role, the last of them END.

    ``needed`` are the registers whose values matter; None means all of them. The block's loops
    nest (see ``maiacc_isa.lint``).
    """
    result: list[Step] = []
    _Builder(block, role, needed, result).body(0, len(block.words))
    return result


class _Builder:
    def __init__(
        self, block: Block, role: str, needed: Collection[int] | None, result: list[Step]
    ) -> None:
        self.block = block
        self.role = role
        self.needed = needed
        self.result = result

    def body(self, first: int, behind: int) -> None:
        """Appends the steps of words ``first`` to ``behind`` - 1."""
        at = first
        while at < behind:
            word = self.block.words[at]
            if word.name == "LOOP":
                end = at + word["length"] + 1
                if self.role in word.roles:
                    self.loop(at, end)
                else:
                    self.idle(at, 1)
                at = end + 1
                continue
            self.plain(at, word)
            at += 1

    def plain(self, at: int, word: Word) -> None:
        """A word that is no loop."""
        if not word.row.control:
            if load().queues[str(word.queue)].role == self.role:
                self.result.append(Step(Do.PUSH, at, word))
            else:
                self.idle(at, 1)
            return
        do = _DO.get(word.name)
        wanted = self.needed is None or word.fields.get("dest") in self.needed
        if do is None or self.role not in word.roles or (do in (Do.SET, Do.PAR) and not wanted):
            self.idle(at, 1)
        else:
            self.result.append(Step(do, at, word))

    def idle(self, at: int, cycles: int) -> None:
        """Cycles in which this role does nothing; joined with those just before."""
        last = self.result[-1] if self.result else None
        if last is not None and last.do is Do.PASS:
            last.cycles += cycles
        else:
            self.result.append(Step(Do.PASS, at, self.block.words[at], cycles))

    def loop(self, at: int, end: int) -> None:
        """A loop this role takes part in."""
        word = self.block.words[at]
        level = word["level"]
        reg = REGISTER + word["reg"] if word["kind"] == "scalar" else -1
        head = Step(Do.LOOP, at, word, level=level, trip=word["trip"], reg=reg)
        self.result.append(head)
        start = len(self.result)
        self.body(at + 1, end)
        body = self.result[start:]
        idle = sum(step.cycles for step in body) if all(s.do is Do.PASS for s in body) else None
        if idle is not None and word["kind"] == "imm":
            total = 1 + word["trip"] * (idle + 1)
            if total <= SPIN_LIMIT:
                del self.result[start - 1 :]
                self.idle(at, total)
                return
        self.result.append(Step(Do.ENDL, end, self.block.words[end], 1, start, level))
        head.target = len(self.result)


_DO = {"SET": Do.SET, "PAR": Do.PAR, "SLD": Do.SLD, "END": Do.END, "MARK": Do.MARK}
