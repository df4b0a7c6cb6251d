"""Nothing is computed where there are no elements.

What has no elements becomes a constant without any; sums over no elements become numbers; empty
parts of a concatenation go. Promises: all bits. In:

    %1 = rsum(%0) {axes=[1], keep=false} : fp32[4]
    return(%1)

for ``%0 : fp32[4, 0]``. Out:

    %1 = broadcast(@c) {shape=[4]} : fp32[4]
    return(%1)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Data

#: Ops whose results are the same for all values of their operands, if one of these is empty.
ADDED_UP = frozenset({"contract", "conv"})


@dataclass(frozen=True)
class Empties:
    """Takes ops without elements away."""

    name: ClassVar[str] = "empties"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops went or became smaller."""
        return sum(
            _none(module, op) or _identity(module, op) or _parts(module, op)
            for op in module.main.walk()
            if op.region is not None and op.row.pure and not op.regions and op.results
        )


def _none(module: Module, op: Op) -> bool:
    """Whether an op made no elements, and went."""
    if any(value.type.size or value.type.counts for value in op.results):
        return False
    values = []
    for value in op.results:
        kind = value.type
        array = np.zeros(kind.shape, kind.element.numpy)
        values.append(module.add_weight("empty", kind, Data(array)))
    op.replace(values)
    return True


def _identity(module: Module, op: Op) -> bool:
    """Whether an op added up no elements, and became a number."""
    given = [value for value in op.operands if value is not None]
    adds = op.row.kind is Kind.REDUCE or op.name in ADDED_UP
    if not adds or all(value.type.size for value in given) or len(op.results) != 1:
        return False
    result = op.result
    if result.type.counts or (op.name == "conv" and len(given) > 2):
        return False
    arrays = [np.zeros(v.type.shape, v.type.element.numpy) for v in given]
    (found,) = _evaluated(op, arrays)
    number = np.asarray(found).reshape(-1)[:1].reshape(())
    value = module.add_weight("c", tensor(result.type.dtype), Data(number))
    assert op.region is not None
    b = Builder(module, op.region, op, op.location)
    op.replace([b("broadcast", value, shape=result.type.shape)])
    return True


def _evaluated(op: Op, arrays: list[np.ndarray]) -> list[np.ndarray]:
    run = Run()
    run.values.update(zip([v for v in op.operands if v is not None], arrays, strict=True))
    return run.results(op)


def _parts(module: Module, op: Op) -> bool:
    """Whether a concatenation had empty parts."""
    if op.name != "concat":
        return False
    full: list[Value | None] = [v for v in op.operands if v is not None and v.type.size]
    if len(full) == len(op.operands):
        return False
    if len(full) == 1 and full[0] is not None and full[0].type is op.result.type:
        op.replace([full[0]])
    else:
        op.set_operands(full)
    return True
