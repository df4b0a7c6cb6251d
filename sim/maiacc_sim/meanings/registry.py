"""What meanings are given, and the check that rows and meanings are the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from maiacc_isa.errors import InternalError
from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.tables import Chain
from maiacc_isa.word import Word
from maiacc_sim.issue import Issue
from maiacc_sim.traps import Trap

#: What a word does: takes its context and the operands of its row, None for those it lacks.
Meaning: TypeAlias = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Context:
    """A word that executes. ``context["field"]`` is a field of the word."""

    word: Word
    issue: Issue
    machine: Machine
    named: Chain | None

    def __getitem__(self, field: str) -> Any:
        return self.word.fields[field]

    @property
    def chain(self) -> Chain:
        """The chain the word names."""
        assert self.named is not None
        return self.named


def require(good: bool, message: str, expected: str | None = None, found: Any = None) -> None:
    """Traps where sizes that scalars decide do not fit. Raises ``Trap`` bounds."""
    if not good:
        text = None if found is None else str(found)
        raise Trap("bounds", message, expected=expected, found=text)


def table(*modules: Iterable[Meaning]) -> dict[str, Meaning]:
    """Meanings by name. Raises ``InternalError`` E0001 unless they are those of the engine words'
    rows, each with the operands of its rows in their order."""
    found = {f.__name__.rstrip("_"): f for module in modules for f in module}
    rows = [row for row in load().insns.values() if not row.control]
    different = set(found) ^ {row.meaning for row in rows}
    if different:
        names = ", ".join(sorted(different))
        raise InternalError("E0001", f"meanings of rows and of the simulator differ: {names}")
    for row in rows:
        takes = tuple(inspect.signature(found[row.meaning]).parameters)[1:]
        if takes != tuple(op.name for op in row.operands):
            raise InternalError("E0001", f"{row.name} has other operands than its meaning")
    return found
