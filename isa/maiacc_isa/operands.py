"""Which operands a word has: conditions of a row over the word's fields and its chain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa.spec import Operand
from maiacc_isa.tables import Chain
from maiacc_isa.word import Word


class WordScope:
    """Gives expressions the fields of a word and the chain it names."""

    def __init__(self, word: Word, chains: tuple[Chain, ...]) -> None:
        self._fields = word.fields
        self._chains = chains

    def name(self, name: str) -> Any:
        return self._fields.get(name, name)

    def path(self, path: str) -> Any:
        raise LookupError(path)

    def function(self, name: str) -> Callable[..., Any]:
        if name == "inputs":
            return lambda number: self._chain(number).inputs
        if name == "has_stat":
            return lambda number: self._chain(number).stat != "none"
        raise LookupError(name)

    def _chain(self, number: int) -> Chain:
        """The chain, or one that reads its first operand where the table has none."""
        if 0 <= number < len(self._chains):
            return self._chains[number]
        return Chain("fp32", ())


def present_operands(word: Word, chains: tuple[Chain, ...]) -> tuple[Operand, ...]:
    """The operands a word really has, in the row's order.

    ``word`` is complete; ``chains`` is its block's chain table.
    """
    scope = WordScope(word, chains)
    return tuple(op for op in word.row.operands if op.when is None or ex.evaluate(op.when, scope))
