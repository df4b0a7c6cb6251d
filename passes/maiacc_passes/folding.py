"""Computes what needs nothing but constants.

Assumes: any legal module. Promises: all bits. Never makes a constant of more than ``limit`` bytes,
and never one that is larger than ``growth`` times what it is made of: an expanded mask stays an op.
In:

    weight @a : fp32[2] = inline [1.0, 2.0]
    %1 = neg(@a) : fp32[2]
    %2 = add(%0, %1) : fp32[2]

Out:

    weight @c : fp32[2] = inline [-1.0, -2.0]
    %1 = add(%0, @c) : fp32[2]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.types import element_of, tensor
from maiacc_passes.ir.weights import Data, Missing

#: The largest limit that can be asked for.
MOST = 1 << 28

#: Constants up to so many bytes may grow as they like.
SMALL = 4096


@dataclass(frozen=True)
class Fold:
    """``limit`` bytes are the largest constant that is made."""

    limit: int = 1 << 20
    growth: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.limit <= MOST or not 1 <= self.growth <= MOST:
            raise IRError("E1413", "options of pass fold", expected=f"from 0 or 1 to {MOST}")

    name: ClassVar[str] = "fold"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops went."""
        count = 0
        for op in module.main.walk():
            if op.region is not None and self._foldable(op) and _fold(module, op):
                count += 1
        return count

    def _foldable(self, op: Op) -> bool:
        if not op.row.pure or op.regions or not op.results:
            return False
        # Weights stay as narrow as the model has them.
        if op.name == "dequantize" and op.result.type.bytes > SMALL:
            return False
        # A size that the data decide is known to who computes it, not to a constant.
        if any(value.type.counts for value in op.results):
            return False
        given = 0
        for value in op.operands:
            if value is not None:
                if value.weight is None or isinstance(value.weight.source, Missing):
                    return False
                given += value.type.bytes
        made = sum(value.type.bytes for value in op.results)
        return given <= self.limit and made <= min(self.limit, max(SMALL, self.growth * given))


def _fold(module: Module, op: Op) -> bool:
    """Whether an op could be computed. What is refused, such as an index that is outside, may
    stand where it never runs."""
    try:
        arrays = Run().results(op)
    except IRError:
        return False
    values = []
    for result, array in zip(op.results, arrays, strict=True):
        kind = tensor(element_of(array.dtype).name, array.shape, result.type.counts)
        values.append(module.add_weight("c", kind, Data(array)))
    op.replace(values)
    return True
