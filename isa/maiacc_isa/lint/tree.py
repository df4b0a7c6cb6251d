"""The loops of a block: words as a tree, and what is wrong with the nesting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from maiacc_isa.lint.findings import Finding, Sites
from maiacc_isa.load import load
from maiacc_isa.names import default_name
from maiacc_isa.program import Block
from maiacc_isa.word import Word


@dataclass
class Leaf:
    """A word that is not part of a loop's frame."""

    index: int
    word: Word


@dataclass
class Loop:
    """A LOOP word, its body, and the index of its ENDL."""

    index: int
    word: Word
    name: str
    level: int
    body: list[Leaf | Loop] = field(default_factory=list)
    end: int = -1


Node = Leaf | Loop


class BadNesting(Exception):  # noqa: N818
    """Loops do not nest; nothing else about the block can be said."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


def build(block: Block, sites: Sites) -> list[Node]:
    """The tree of a block. Raises ``BadNesting`` with a finding E1003."""

    def bad(index: int, message: str, expected: str | None = None) -> BadNesting:
        return BadNesting(Finding("E1003", message, sites.site(index), expected=expected))

    root: list[Node] = []
    stack: list[Loop] = []
    for index, word in enumerate(block.words):
        body = stack[-1].body if stack else root
        if word.name == "LOOP":
            if word["level"] != len(stack) or len(stack) >= load().limit("loops"):
                raise bad(index, "a loop's level is not its depth", f"level={len(stack)}")
            name = block.symbols.loops.get(index, default_name("L", word["level"]))
            loop = Loop(index, word, name, len(stack))
            body.append(loop)
            stack.append(loop)
        elif word.name == "ENDL":
            if not stack or word["level"] != stack[-1].level or word.roles != stack[-1].word.roles:
                raise bad(index, "an ENDL without its LOOP, or of other level or roles")
            loop = stack.pop()
            loop.end = index
            if loop.word["length"] != index - loop.index - 1:
                length = str(index - loop.index - 1)
                raise bad(loop.index, "a loop's length is not that of its body", f"length={length}")
        else:
            body.append(Leaf(index, word))
    if stack:
        raise bad(stack[-1].index, "a loop without its ENDL")
    return root


def walk(
    nodes: list[Node], around: tuple[Loop, ...] = ()
) -> Iterator[tuple[Node, tuple[Loop, ...]]]:
    """Every node with the loops around it, in program order."""
    for node in nodes:
        yield node, around
        if isinstance(node, Loop):
            yield from walk(node.body, (*around, node))
