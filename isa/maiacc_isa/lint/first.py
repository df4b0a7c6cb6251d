"""Words that do something else in the first iteration of loops."""

from __future__ import annotations

from maiacc_isa.operands import WordScope
from maiacc_isa.program import Block
from maiacc_isa.word import Word


class FirstScope(WordScope):
    """Conditions of accesses; `fresh` says whether the word is in its first iteration."""

    def __init__(self, word: Word, block: Block, first: bool) -> None:
        super().__init__(word, block.chains)
        self._first = first

    def name(self, name: str) -> object:
        return self._first if name == "fresh" else super().name(name)


def reads_first(word: Word) -> int | None:
    """The level that `fresh` of a word depends on, if its mode is `first`."""
    return word.fields["level"] if word.fields.get("mode") == "first" else None
