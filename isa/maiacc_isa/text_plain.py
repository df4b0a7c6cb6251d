"""Which words and descriptors the language's statements can say.

Compilers and damaged files may hold what no statement assembles to: origin terms in another
order, a scalar word that names a source it does not read, loops that do not nest. The
disassembler gives such things as their bits, so that every program has a text that assembles
to it.
"""

from __future__ import annotations

from maiacc_isa.asm_views import START_LIMIT
from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from maiacc_isa.tables import Descriptor, Term
from maiacc_isa.word import Word


def is_source(code: int) -> bool:
    """Whether a source has this code."""
    return any(s.code <= code < s.code + s.count for s in load().sources.values())


def plain_view(d: Descriptor, descriptors: int) -> bool:
    """Whether a view can say this descriptor of a block with so many descriptors."""
    if any(not is_source(t.source) for t in d.terms):
        return False
    keys = [_term_order(t, d) for t in d.terms]
    pairs = {(t.source, t.target) for t in d.terms}
    if keys != sorted(keys) or len(pairs) < len(d.terms):
        return False
    if d.home != "at" and any(t.target == "home" for t in d.terms):
        return False
    if any(dim.step == 0 and dim.axis != 0 for dim in d.dims):
        return False
    sized = [(s.what[:-1], s.what[-1]) for s in d.sized]
    references = [number for number in (d.scale, d.meta) if number is not None]
    return sized == sorted(sized) and all(number < descriptors for number in references)


def _term_order(t: Term, d: Descriptor) -> tuple[int, bool]:
    """Where the assembler puts a term: home, bytes, then the axes, each with its constant last."""
    one = t.source == load().sources["one"].code
    if t.target == "home":
        return 0, one
    if t.target == "bytes":
        return 1, False
    number = int(t.target[-1])
    large = one and d.axes[number].start == 0 and not -START_LIMIT <= t.coef < START_LIMIT
    return 2 + number, large


def plain_word(word: Word, block: Block, parameters: int) -> bool:
    """Whether a statement other than a loop can say this word."""
    match word.name:
        case "SET":
            return _plain_set(word, len(block.tables))
        case "PAR":
            return bool(word["param"] < parameters)
        case "SLD":
            return word["a"] < len(block.descriptors) and _known_semaphores(word, block)
        case "NOP" | "MARK":
            return True
        case "LOOP" | "ENDL" | "END":
            return False
    return _plain_engine_word(word, block)


def _plain_engine_word(word: Word, block: Block) -> bool:
    for f in word.row.fields:
        if f.kind.base == "chain" and word[f.name] >= len(block.chains):
            return False
        if f.kind.base == "mask" and word[f.name] > len(block.masks):
            return False
    present = {op.name for op in present_operands(word, block.chains)}
    for op in word.row.operands:
        index = word[op.name]
        if index >= len(block.descriptors) if op.name in present else index != 0:
            return False
    return _known_semaphores(word, block)


def _known_semaphores(word: Word, block: Block) -> bool:
    return all(sem < len(block.semaphores) for sem, _ in (*word.waits, *word.posts))


def _plain_set(word: Word, tables: int) -> bool:
    x1, c1, x2, c2 = (word[name] for name in ("x1", "c1", "x2", "c2"))
    unread = (c1 == 0 and (x1, c2, x2) != (0, 0, 0)) or (c2 == 0 and x2 != 0)
    if unread or not is_source(x1) or not is_source(x2):
        return False
    match word["fn"]:
        case "min2" | "max2":
            return bool(c1 != 0)
        case "table" if not 0 <= word["m"] < tables:
            return False
        case "none" if word["m"] != 0:
            return False
    return bool(c2 == 0 or x1 != x2)


def nests(block: Block) -> bool:
    """Whether every loop of a block is one that braces can say."""
    stack: list[int] = []
    words = block.words
    for index, word in enumerate(words):
        if word.name == "LOOP":
            if word["level"] != len(stack) or len(stack) >= load().limit("loops"):
                return False
            stack.append(index)
        elif word.name == "ENDL":
            if not stack:
                return False
            at = stack.pop()
            frame = (word["level"], word.roles, index - at - 1)
            if frame != (len(stack), words[at].roles, words[at]["length"]):
                return False
    return not stack
