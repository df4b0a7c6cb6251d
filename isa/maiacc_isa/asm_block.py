"""One block of assembly text: its declarations and words, put together."""

from __future__ import annotations

from maiacc_isa.asm_declarations import Declarations
from maiacc_isa.asm_errors import fail
from maiacc_isa.asm_names import loop_levels, with_scopes
from maiacc_isa.asm_nodes import Statement
from maiacc_isa.asm_places import Places
from maiacc_isa.asm_sums import Sums
from maiacc_isa.asm_views import Views
from maiacc_isa.asm_words import Words
from maiacc_isa.errors import quote
from maiacc_isa.load import load
from maiacc_isa.names import named
from maiacc_isa.program import Block, Symbols, Tensor
from maiacc_isa.word import Word, complete


def assemble_block(
    s: Statement, tensors: dict[str, Tensor], parameters: dict[str, int], chips: int
) -> Block:
    """The block of a statement: declarations first, wherever they stand, then words in order."""
    body: list[Statement] = s["body"]
    declared = Declarations()
    declared.declare(body)
    sums = Sums(declared.registers)
    sums.set_loops(loop_levels(body))
    views = Views(Places(tensors, declared.buffers, sums, chips), sums)
    named_views = [(x, scope) for x, scope in with_scopes(body, ()) if x.kind == "desc"]
    for statement, _ in named_views:
        views.reserve(statement["name"], statement.pos)
    for statement, scope in named_views:
        views.define(statement["name"], statement["view"], scope, statement.pos)
    words = Words(declared, views, sums, parameters)
    words.emit(body, ())
    words.push(complete(Word("END", roles=tuple(load().roles))), s.pos)
    block = _put_together(s["name"], declared, views, words)
    _check_sizes(s, block)
    return block


def _put_together(name: str, declared: Declarations, views: Views, words: Words) -> Block:
    return Block(
        name=name,
        words=tuple(words.words),
        descriptors=views.descriptors(),
        chains=tuple(declared.chains.values()),
        semaphores=tuple(declared.semaphores.values()),
        masks=tuple(declared.masks.values()),
        tables=tuple(declared.tables.values()),
        live_in=tuple(declared.live_in),
        buffers=tuple(declared.buffers.values()),
        symbols=Symbols(
            descriptors=views.names(),
            chains=named(declared.chains, "c"),
            semaphores=named(declared.semaphores, "q"),
            masks=named(declared.masks, "m"),
            tables=named(declared.tables, "t"),
            registers={reg: name for name, reg in declared.registers.items()},
            loops=words.loop_names,
        ),
        origins=tuple(words.origins) if any(words.origins) else (),
        lines=tuple(words.lines),
        places={**declared.lines, **views.lines},
    )


def _check_sizes(s: Statement, block: Block) -> None:
    for name, count in (("descriptors", len(block.descriptors)), ("words", len(block.words))):
        most = load().limit(name)
        if count > most:
            message = f"block {quote(block.name)} has too many {name}"
            raise fail(s.pos, "E0505", message, expected=f"at most {most}", found=str(count))
