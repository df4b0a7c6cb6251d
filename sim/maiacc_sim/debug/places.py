"""Where the debugger can be told to stop: words by number, line, instruction, queue or source,
and the names of instances."""

from __future__ import annotations

import re

from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word
from maiacc_sim.system import Instance, System

#: A word: the name of its block, and its number there.
WordAt = tuple[str, int]


def words_of(program: Program, spec: str) -> frozenset[WordAt]:
    """The words that a place means: ``BLOCK:NUMBER``, a line of the text, a mnemonic, a queue, or
    a source such as an ONNX node.

    A line or number of a word that control processors execute by themselves means the next word
    of a queue, or scalar load. Raises ``MaiaccError`` E0004 for what means nothing.
    """
    block, _, number = spec.rpartition(":")
    if number.isdecimal() and any(b.name == block for b in program.blocks):
        return _numbered(program.block(block), int(number))
    if spec.isdecimal():
        return _on_line(program, int(spec))
    upper = spec.upper()
    tests = (
        lambda block, index: block.words[index].row.mnemonic.upper() == upper,
        lambda block, index: upper in _queues(block.words[index]),
        lambda block, index: spec in block.origin(index),
    )
    for test in tests:
        found = frozenset(
            (block.name, index)
            for block in program.blocks
            for index in range(len(block.words))
            if stoppable(block.words[index]) and test(block, index)
        )
        if found:
            return found
    raise MaiaccError(
        "E0004",
        f"no word is meant by {quote(spec)}",
        expected="BLOCK:NUMBER, a line, or a mnemonic, queue or source of the program",
    )


def stoppable(word: Word) -> bool:
    """Whether a word is a step of the debugger: one for a queue, or a scalar load."""
    return not word.row.control or word.name == "SLD"


def _queues(word: Word) -> set[str]:
    """The queue of a word; of a scalar load the control processors that execute it."""
    if not word.row.control:
        return {str(word.queue)}
    rows = load().queues.values()
    return {q.name for q in rows if q.engine == "control" and q.role in word.roles}


def _numbered(block: Block, number: int) -> frozenset[WordAt]:
    for index in range(number, len(block.words)):
        if stoppable(block.words[index]):
            return frozenset({(block.name, index)})
    raise MaiaccError(
        "E0004",
        f"block {quote(block.name)} has no word to stop at from number {number} on",
        expected=f"0 .. {len(block.words) - 1}",
    )


def _on_line(program: Program, line: int) -> frozenset[WordAt]:
    lines = {
        (block.name, index): at
        for block in program.blocks
        for index, at in enumerate(block.lines)
        if stoppable(block.words[index]) and at >= line
    }
    if not lines:
        known = any(block.lines for block in program.blocks)
        raise MaiaccError(
            "E0004",
            f"no word stands on line {line} or below it"
            if known
            else "the program has no lines: it was not read from a text",
            expected="BLOCK:NUMBER, a mnemonic, queue or source",
        )
    nearest = min(lines.values())
    return frozenset(word for word, at in lines.items() if at == nearest)


# ---- instances ----------------------------------------------------------------------------


def parse_instance(system: System, text: str) -> Instance:
    """An instance by its numbers: ``CHIP``, ``CHIP.CLUSTER`` or ``CHIP.CLUSTER.TILE``.

    Raises ``MaiaccError`` E0004 if the machine does not have it.
    """
    if re.fullmatch(r"\d{1,9}(\.\d{1,9}){0,2}", text):
        numbers = [int(part) for part in text.split(".")]
        role = ("chip", "cluster", "tile")[len(numbers) - 1]
        try:
            return system.instance(role, *numbers)
        except KeyError:
            pass
    last = max(i.number for i in system.instances if i.role == "tile")
    raise MaiaccError(
        "E0004",
        f"the machine has no {quote(text)}",
        expected=f"CHIP.CLUSTER.TILE up to {short(system.instances[last])}, "
        "CHIP.CLUSTER for a cluster, or CHIP",
    )


def short(instance: Instance) -> str:
    """The numbers of an instance, as ``parse_instance`` takes them."""
    parts = (instance.chip, instance.cluster, instance.tile)
    return ".".join(str(number) for number in parts if number >= 0)


def within(inner: Instance, outer: Instance) -> bool:
    """Whether an instance is another or lies in it."""
    return (
        inner.chip == outer.chip
        and outer.cluster in (-1, inner.cluster)
        and outer.tile in (-1, inner.tile)
    )


def with_memory(system: System, instance: Instance, space: str) -> Instance:
    """The instance whose memory of a kind is meant by an instance: itself, the one it lies in, or
    the first that lies in it."""
    role = load().spaces[space].role
    return instance if instance.role == role else system.inside(instance, role)[0]
