"""Where in a program something happened, in the words a reader of the program knows."""

from __future__ import annotations

from maiacc_isa.errors import Place
from maiacc_isa.names import default_name
from maiacc_isa.program import Block, Program
from maiacc_isa.text_block import BlockText
from maiacc_sim.system import QueueOf
from maiacc_sim.traps import Trap


def word_text(program: Program, block: Block, index: int) -> str:
    """The assembly of a word."""
    return BlockText(block, program, inline=True).word(index)


def source_text(program: Program, block: Block, index: int) -> str:
    """Where a word came from: ONNX nodes, or the line of the text."""
    origin = block.origin(index)
    if origin:
        return ", ".join(origin)
    if index < len(block.lines):
        return f"{program.file or 'text'}:{block.lines[index]}"
    return ""


def semaphore_name(block: Block, sem: int) -> str:
    """What a semaphore is called: its name in the symbols, or its number."""
    return block.symbols.semaphores.get(sem, default_name("q", sem))


def loop_names(block: Block, index: int) -> list[str]:
    """Names of the loops around a word, outermost first."""
    names: list[str] = []
    for at, word in enumerate(block.words[:index]):
        if word.name == "LOOP":
            names.append(block.symbols.loops.get(at, default_name("L", word["level"])))
        elif word.name == "ENDL":
            names.pop()
    return names


def describe(block: Block, index: int, iteration: tuple[int, ...]) -> str:
    """The iteration in which a word is executed, such as ``j=2, k=0``."""
    names = loop_names(block, index)
    return ", ".join(f"{name}={n}" for name, n in zip(names, iteration, strict=False))


def place(
    program: Program,
    block: Block,
    trap: Trap,
    index: int,
    iteration: tuple[int, ...],
    of: QueueOf,
) -> Trap:
    """A trap with instruction, iteration, instance and source."""
    line = block.lines[index] if index < len(block.lines) else None
    text = word_text(program, block, index)
    where = Place(file=program.file, line=line, text=text, block=block.name, word=index, label=None)
    at = describe(block, index, iteration)
    origin = ", ".join(block.origin(index)) or None
    return trap.at(where, f"{of}{' at ' if at else ''}{at}", origin)
