"""Which scalars the times of a program depend on.

Times follow from trip counts, sizes, the homes of operands, the peers of network words and the
control graph. A register matters if one of these reads it, or a SET of a register that matters.
Everything else - ring slots, coordinates, addresses - may differ from turn to turn of a loop
without a difference in time, which is what lets turns be skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, If, Program, While, walk_control
from maiacc_isa.tables import Descriptor
from maiacc_isa.word import Word
from maiacc_sim.scalars import COUNTER, REGISTER, REGISTERS


@dataclass(frozen=True)
class Relevant:
    """Registers and, for each block by name, loop levels that times depend on."""

    registers: frozenset[int]
    levels: dict[str, frozenset[int]]

    @cached_property
    def ordered(self) -> tuple[int, ...]:
        """Source codes of the registers, rising."""
        return tuple(REGISTER + number for number in sorted(self.registers))


def sizes_of(d: Descriptor) -> list[tuple[int, int]]:
    """Window dims whose size a register gives: (dim, register)."""
    pairs = [(dim, d.size_reg(dim)) for dim in range(len(d.dims))]
    return [(dim, reg) for dim, reg in pairs if reg is not None]


def homes_of(d: Descriptor) -> list[tuple[int, int]]:
    """Terms that choose the instance of the memory: (source code, coefficient)."""
    return [(term.source, term.coef) for term in d.terms if term.target == "home"]


def relevant(program: Program) -> Relevant:
    """The scalars that the times of a program depend on."""
    codes: set[tuple[str, int]] = set()
    for block in program.blocks:
        for word in block.words:
            codes |= {(block.name, code) for code in _read_by(block, word)}
    registers = {code - REGISTER for _, code in codes if REGISTER <= code < REGISTER + REGISTERS}
    registers |= {n.reg for n in walk_control(program.control) if isinstance(n, If | While)}
    grown = True
    while grown:
        grown = False
        for block in program.blocks:
            for word in block.words:
                if word.name != "SET" or word["dest"] not in registers:
                    continue
                sources = {word[f"x{n}"] for n in (1, 2) if word[f"c{n}"]}
                codes |= {(block.name, code) for code in sources}
                more = {c - REGISTER for c in sources if REGISTER <= c < REGISTER + REGISTERS}
                grown = grown or not more <= registers
                registers |= more
    deepest = load().limit("loops")
    levels = {
        block.name: frozenset(
            code - COUNTER
            for name, code in codes
            if name == block.name and COUNTER <= code < COUNTER + deepest
        )
        for block in program.blocks
    }
    return Relevant(frozenset(registers), levels)


def _read_by(block: Block, word: Word) -> set[int]:
    """Source codes that a word's time depends on directly."""
    codes: set[int] = set()
    if word.name == "LOOP" and word["kind"] == "scalar":
        codes.add(REGISTER + word["reg"])
    if "peer" in word.fields:
        codes.add(REGISTER + word["peer"])
    for op in present_operands(word, block.chains):
        d = block.descriptors[word[op.name]]
        codes |= {REGISTER + reg for _, reg in sizes_of(d)}
        codes |= {code for code, _ in homes_of(d)}
    return codes
