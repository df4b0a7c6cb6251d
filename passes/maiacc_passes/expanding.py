"""Composites become the ops they stand for, but those that the machine has a function for.

Assumes: recognized composites. Promises: the bits that the composite means, which are those of its
expansion. In:

    %1 = softplus(%0) : fp32[4]
    return(%1)

Out:

    %1 = abs(%0) : fp32[4]
    %2 = neg(%1) : fp32[4]
    %3 = exp(%2) : fp32[4]
    %4 = log1p(%3) : fp32[4]
    %5 = relu(%0) : fp32[4]
    %6 = add(%5, %4) : fp32[4]
    return(%6)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.expand import inline
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.lowering.recipes import single


@dataclass(frozen=True)
class Expand:
    """Inlines composites, until none is left."""

    name: ClassVar[str] = "expand"
    keeps: ClassVar[str] = "bit"

    def run(self, module: Module) -> int:
        """How many ops were expanded."""
        count = 0
        regions = [module.main]
        for region in regions:
            again = True
            while again:
                again = False
                for op in list(region):
                    if op.region is region and _expanded(op, module):
                        count += 1
                        again = True
            regions += [inner for op in region for inner in op.regions]
        return count


def _expanded(op: Op, module: Module) -> bool:
    if op.row.expand is not None and not single(op):
        inline(op, module)
        return True
    made = _SPELLED.get(op.name)
    if made is None or op.region is None:
        return False
    b = Builder(module, op.region, op, op.location)
    op.replace([made(b, op)])
    return True


def _along(b: Builder, op: Op, value: Value, rank: int) -> Value:
    """A scale or zero point with axes that meet those of what is scaled."""
    x = op.operands[0]
    assert x is not None
    block, axis = op.integer("block"), op.integer("axis")
    if value.type.rank == 0 or value.type.size == 1:
        return b("reshape", value, shape=())
    if block:
        sizes = value.type.shape
        shape = (*sizes[: axis + 1], 1, *sizes[axis + 1 :])
        wide = (*sizes[: axis + 1], block, *sizes[axis + 1 :])
        full = b("broadcast", b("reshape", value, shape=shape), shape=wide)
        merged = (*sizes[:axis], sizes[axis] * block, *sizes[axis + 1 :])
        found = b("reshape", full, shape=merged)
        if merged != x.type.shape:
            found = b(
                "slice",
                found,
                starts=(0,) * rank,
                sizes=x.type.shape,
                steps=(1,) * rank,
            )
        return found
    shape = tuple(value.type.shape[0] if a == axis % rank else 1 for a in range(rank))
    return b("reshape", value, shape=shape)


def _float(b: Builder, value: Value, dtype: str = "fp32") -> Value:
    return value if value.type.dtype == dtype else b("cvt", value, to=dtype)


def _quantize(b: Builder, op: Op) -> Value:
    x, scale, *zeros = (v for v in op.operands if v is not None)
    rank = x.type.rank
    to = op.result.type
    found = b("div", _float(b, x), _along(b, op, _float(b, scale), rank))
    if to.element.is_int:
        found = b("round", found)
    if zeros:
        found = b("add", found, _along(b, op, _float(b, zeros[0]), rank))
    saturate = bool(op.attrs["saturate"]) or to.element.is_int
    return b("cvt", found, to=to.dtype, saturate=saturate)


def _dequantize(b: Builder, op: Op) -> Value:
    x, scale, *zeros = (v for v in op.operands if v is not None)
    rank = x.type.rank
    if x.type.element.is_int and x.type.element.bits == 32 and zeros:
        found = _float(b, b("sub", x, _along(b, op, zeros[0], rank)))
    else:
        found = _float(b, x)
        if zeros and not _zero(zeros[0]):
            found = b("sub", found, _along(b, op, _float(b, zeros[0]), rank))
    found = b("mul", found, _along(b, op, _float(b, scale), rank))
    return _float(b, found, op.result.type.dtype)


def _zero(value: Value) -> bool:
    weight = value.weight
    return weight is not None and not np.any(weight.source.array(value.type))


_SPELLED = {"quantize": _quantize, "dequantize": _dequantize}
