"""One order for ops, whatever order the exporter wrote them in.

Assumes: a legal module. Promises: all bits. Outputs ask for what they need, depth first and the
first operand first, so that every op stands behind what makes its operands. In:

    %1 = exp(%0) : fp32[4]
    %2 = sin(%0) : fp32[4]
    %3 = neg(%2) : fp32[4]
    %4 = add(%3, %1) : fp32[4]
    return(%4)

Out:

    %1 = sin(%0) : fp32[4]
    %2 = neg(%1) : fp32[4]
    %3 = exp(%0) : fp32[4]
    %4 = add(%2, %3) : fp32[4]
    return(%4)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.graph import Module, Op, Region


@dataclass(frozen=True)
class Order:
    """Puts the ops of every region into the order in which its outputs ask for them."""

    name: ClassVar[str] = "order"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops stand elsewhere now."""
        # Inner ones first: what their ops need first, the op around them needs first.
        return sum(_ordered(region) for region in reversed(module.regions()))


def _ordered(region: Region) -> int:
    before = list(region)
    if not before or not all(op.row.pure for op in before[:-1]):
        return 0
    after = _asked(region, before)
    moved = sum(a is not b for a, b in zip(before, after, strict=True))
    if moved:
        for op in before:
            region.unlink(op)
        for op in after:
            region.append(op)
    return moved


def _asked(region: Region, ops: list[Op]) -> list[Op]:
    """The ops in the order in which the last one asks; those that nobody asks for, before it."""
    done: dict[Op, None] = {}
    last = ops[-1]
    for root in (*_needs(last, region), *ops[:-1]):
        stack = [(root, _needs(root, region))]
        if root in done:
            continue
        while stack:
            op, needs = stack[-1]
            following = next((x for x in needs if x not in done), None)
            if following is None:
                stack.pop()
                done.setdefault(op)
            else:
                stack.append((following, _needs(following, region)))
    return [*done, last]


def _needs(op: Op, region: Region) -> Iterator[Op]:
    """The ops of a region that make what an op uses, also in its own regions."""
    inner = [x for part in op.regions for x in part.walk()]
    for user in (op, *inner):
        for value in user.operands:
            if value is not None and value.op is not None and value.op.region is region:
                yield value.op
