"""One spelling for what can be written in several ways.

Assumes: a legal module of the graph stage. Promises: results up to rounding (rules that keep less
than all bits say so); shape arithmetic and needless views are gone, constants folded within bounds,
no dead code, no common subexpressions. In:

    %1 = broadcast(%0) {shape=[4, 8]} : fp32[4, 8]
    %2 = add(@c, %1) : fp32[4, 8]
    %3 = reshape(%2) {shape=[32]} : fp32[32]
    %4 = reshape(%3) {shape=[4, 8]} : fp32[4, 8]

Out, where @c is fp32[4, 8]:

    %1 = add(%0, @c) : fp32[4, 8]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes import algebra, contractions, moving, views
from maiacc_passes.cleaning import CommonSubexpressions, DeadCode
from maiacc_passes.folding import Fold
from maiacc_passes.ir.graph import Module
from maiacc_passes.rewriting import Rule, by_op, rewrite

#: Rounds of all of it; a model that still changes then is left as it is.
ROUNDS = 8

RULES: tuple[Rule, ...] = (
    *views.RULES,
    *moving.RULES,
    *algebra.RULES,
    *contractions.RULES,
)


@dataclass(frozen=True)
class Canonicalize:
    """Folding, rules, common subexpressions and dead code, until nothing changes."""

    fold_limit: int = 1 << 20

    name: ClassVar[str] = "canonicalize"
    keeps: ClassVar[str] = "bound"

    def run(self, module: Module) -> int:
        """How many changes there were."""
        return simplify(module, RULES, self.fold_limit, ROUNDS)


def simplify(module: Module, rules: Sequence[Rule], fold_limit: int, rounds: int) -> int:
    """Folding, rules, common subexpressions and dead code, in rounds; how many changes."""
    tables = by_op(rules)
    total = 0
    for _ in range(rounds):
        changes = Fold(fold_limit).run(module)
        changes += sum(rewrite(module, tables).values())
        changes += CommonSubexpressions().run(module)
        changes += DeadCode().run(module)
        total += changes
        if not changes:
            break
    return total
