"""What a model may cost while it is imported: a few bytes of it must not become very many."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.types import Type

#: Nodes of a model, with those of bodies and functions, each counted where it is written.
NODES = 1_000_000

#: Nodes imported and ops made, with functions and loops written out: never more than the first, and
#: of small models so many, and so many for each node.
OPS, OPS_OF_ANY, OPS_OF_A_NODE = 2_000_000, 100_000, 100

#: Bytes of one tensor.
BYTES = 1 << 36

#: Axes of one tensor; numpy arrays of any version have so many.
RANK = 32

#: Deepest nesting of graphs and functions.
DEPTH = 32

#: Inputs, outputs or attributes of one node, numbers in a list.
ITEMS = 1 << 20

#: Values looked at to tell what others depend on, for messages.
LOOKS = 5_000_000

#: Problems that are told.
PROBLEMS = 10_000

#: Characters of a name.
NAME = 16_384


@dataclass
class Allowance:
    """So much of something may still be done."""

    left: int


class Exhausted(Exception):  # noqa: N818  ends an import, whatever is being tried
    """The budget of operations is used up; ``problem`` says so."""

    def __init__(self, most: int, nodes: Sequence[str]) -> None:
        self.problem = MaiaccError(
            "E1308",
            "the model is too large with its functions and loops written out",
            node=", ".join(nodes),
            expected=f"at most {most} operations",
            hint="look for functions that call each other, or loops in loops",
        )
        super().__init__(self.problem.message)


def room(kind: Type) -> int:
    """The bytes of a tensor, as if no size were 0: work along the others is done all the same."""
    return math.prod(max(extent, 1) for extent in kind.shape) * kind.element.bits // 8


def check_size(kind: Type, name: str = "") -> Type:
    """A type, unless no tensor can be so large. Raises ``MaiaccError`` E1308."""
    if kind.rank > RANK or room(kind) > BYTES:
        called = f"tensor {name!r}" if name else "a tensor"
        text = str(kind) if kind.rank <= RANK else f"{kind.rank} axes"
        raise MaiaccError(
            "E1308",
            f"{called} is too large",
            expected=f"at most {BYTES} bytes and {RANK} axes",
            found=text,
        )
    return kind


class Metered(Builder):
    """A builder that makes so many ops, of tensors so large, and no more. ``nodes`` is how many
    nodes the model has as it is written."""

    def __init__(self, module: Module, nodes: int = 0) -> None:
        super().__init__(module)
        self.most = self.left = min(OPS, OPS_OF_ANY + OPS_OF_A_NODE * nodes)
        self._fine: set[Type] = set()

    def spend(self) -> None:
        """One more node or op. Raises ``Exhausted``."""
        self.left -= 1
        if self.left < 0:
            raise Exhausted(self.most, self.location.nodes)

    def op(
        self, name: str, *operands: Value | None, regions: Sequence[Region] = (), **attrs: Any
    ) -> Op:
        """A new op. Raises ``IRError``, ``MaiaccError`` E1308 for a large result, ``Exhausted``."""
        self.spend()
        made = super().op(name, *operands, regions=regions, **attrs)
        for value in made.results:
            self._check(value.type)
        return made

    def splat(self, value: float, kind: Type) -> Value:
        """A constant whose elements are all the same. Raises ``MaiaccError`` E1308."""
        self._check(kind)
        return super().splat(value, kind)

    def _check(self, kind: Type) -> None:
        if kind not in self._fine:
            self._fine.add(check_size(kind))
