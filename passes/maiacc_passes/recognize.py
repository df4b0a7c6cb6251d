"""Finds the composites that the machine does well, in whatever spelling they come.

Assumes: canonical form. Promises: results up to rounding; canonical form. Every composite carries
its expansion, so that nothing is lost if a later pass does not know it. In:

    %1 = sigmoid(%0) : fp32[4]
    %2 = mul(%0, %1) : fp32[4]

Out:

    %1 = silu(%0) : fp32[4]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.canonicalize import ROUNDS, simplify
from maiacc_passes.canonicalize import RULES as CANONICAL
from maiacc_passes.ir.graph import Module
from maiacc_passes.recognition import (
    activations,
    attention,
    caches,
    conversions,
    groups,
    masks,
    norms,
    rope,
    routing,
    softmax,
)
from maiacc_passes.rewriting import Rule

FAMILIES = (
    softmax, norms, groups, activations, rope, attention, masks, routing, caches,
    conversions,
)  # fmt: skip

RULES: tuple[Rule, ...] = tuple(rule for family in FAMILIES for rule in family.RULES)


@dataclass(frozen=True)
class Recognize:
    """Rules of composites beside those of canonical form, until nothing changes."""

    fold_limit: int = 1 << 20

    name: ClassVar[str] = "recognize"
    keeps: ClassVar[str] = "bound"

    def run(self, module: Module) -> int:
        """How many changes there were."""
        return simplify(module, (*RULES, *CANONICAL), self.fold_limit, ROUNDS)
