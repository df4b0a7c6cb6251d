"""Which words' results go straight to an output.

A word that computes, and behind it one that copies what it computed to an output, are one step of
native code, which leaves the scratch memory between them as it is (``values/onward.py``). Whoever
reads there later reads the output instead, so that has to stay as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block, Call, If, Node, Program
from maiacc_isa.tables import Descriptor
from maiacc_isa.word import Word
from maiacc_sim.code import Do
from maiacc_sim.native.image import BlockImage
from maiacc_sim.native.spans import Span, own_spans


def written_once(program: Program) -> list[Span]:
    """The outputs of which every byte is written once in any run, if the program is proven.

    A proof says that all bytes are written, and counts what plain writes of known size write: no
    more than there is. Other writes it does not count, nor what a ``while`` does in its turns.
    """
    if not _forward(program.control):
        return []
    spans = [span for span, kind in own_spans(program).items() if kind == "output"]
    for block in program.blocks:
        for word in block.words:
            for d in _destinations(block, word):
                plain = word.row.native == "copy" and not d.drop and not d.sized
                spans = [(a, b) for a, b in spans if plain or not a <= d.base < b]
    return spans


def _forward(nodes: Sequence[Node]) -> bool:
    """Whether a part of the control graph never goes back."""
    return all(
        isinstance(node, Call) or (isinstance(node, If) and _forward((*node.then, *node.other)))
        for node in nodes
    )


def _destinations(block: Block, word: Word) -> Iterator[Descriptor]:
    """What a word writes to in HBM, scales as well."""
    for op in present_operands(word, block.chains):
        if op.direction != "in":
            d = block.descriptors[word.fields[op.name]]
            if d.space == "hbm":
                yield d
                if d.scale is not None:
                    yield block.descriptors[d.scale]


def mark_copied(image: BlockImage, spans: Sequence[Span]) -> None:
    """Tells words whose results the next word copies to an output, and these, of each other."""
    for found in image.plain_steps.values():
        for one, two in pairwise(step for step in found if step.do is not Do.PASS):
            if one.do is two.do is Do.PUSH and _goes_on(image.block, one.word, two.word, spans):
                image.words[one.index]["copied"] = two.index + 1
                image.words[two.index]["copies"] = one.index + 1


def _goes_on(block: Block, one: Word, two: Word, spans: Sequence[Span]) -> bool:
    """Whether a word may copy to an output what another computes, and waits for nothing else."""
    if (one.row.native, two.row.native) != ("map", "copy") or one.queue == two.queue:
        return False
    if len(two.waits) != 1 or two.waits[0] not in one.posts:
        return False
    if {"peer", "group"} & two.fields.keys():
        return False
    a, d = block.descriptors[two["a"]], block.descriptors[two["d"]]
    if a.space != "tsram" or d.space != "hbm" or block.semaphores[two.waits[0][0]].scope != "tile":
        return False
    return any(start <= d.base < end for start, end in spans)
