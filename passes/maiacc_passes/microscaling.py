"""Contractions in MX formats: blocks of 32 elements along what is summed share a power of two.

Weights are quantised when they are read, what is computed by an op in front of the contraction. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to=""} : fp32[4, 8]

Out, for mxfp8:

    %1, %2 = block_quantize(%0) {to="e4m3"} : e4m3[4, 32], e8m0[4, 1]
    %3 = contract_scaled(%1, %2, @w.blocks, @w.scales) {spec="ab,cb->ac", to="fp32"} : fp32[4, 8]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.blocks import GROUP, padded_size, scaled
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array, Lazy, Source
from maiacc_passes.narrowing import Narrower


class Blocked:
    """Changes contractions to one MX format: blocks of 32 along what is summed share a scale.
    Convolutions, whose sums are not the last axis of their operands, get 8 bits and scales of
    whole operands."""

    def __init__(self, module: Module, to: str) -> None:
        self.module = module
        self.to = to
        self._others = Narrower(module, "e4m3")

    def change(self, op: Op) -> bool:
        """Whether an op multiplies narrow operands now."""
        if op.name != "contract":
            return self._others.change(op)
        left, right, out = split_spec(str(op.attrs["spec"]))
        gone = [[x for x in letters if x not in out] for letters in (left, right)]
        a, b = op.operands[:2]
        assert a is not None
        assert b is not None
        wide = not {a.type.dtype, b.type.dtype} - {"fp32", "fp16", "bf16"}
        if gone[0] != gone[1] or len(gone[0]) != 1 or not wide or op.region is None:
            return False
        builder = Builder(self.module, op.region, op, op.location)
        parts: list[Value] = []
        letters = []
        for value, mine in ((a, left), (b, right)):
            axis = mine.index(gone[0][0])
            order = (*(i for i in range(len(mine)) if i != axis), axis)
            letters.append("".join(mine[i] for i in order))
            parts += self._blocks(builder, value, order)
        spec, to = f"{letters[0]},{letters[1]}->{out}", op.result.type.dtype
        op.replace([builder("contract_scaled", *parts, *op.operands[2:], spec=spec, to=to)])
        return True

    def _blocks(self, b: Builder, value: Value, order: tuple[int, ...]) -> list[Value]:
        if value.weight is None:
            if order != tuple(range(len(order))):
                value = b("transpose", value, perm=order)
            return b.many("block_quantize", value, to=self.to)
        name, source, kind = value.weight.name, value.weight.source, value.type
        shape = tuple(kind.shape[axis] for axis in order)
        size = padded_size(shape[-1])
        types = (
            tensor(self.to, (*shape[:-1], size)),
            tensor("e8m0", (*shape[:-1], size // GROUP)),
        )
        return [
            self.module.add_weight(
                f"{name}.{part}",
                made,
                Lazy(
                    f"{part} of {name} in {self.to}",
                    _Block(source, kind, order, made, number, self.to),
                ),
            )
            for number, (part, made) in enumerate(zip(("blocks", "scales"), types, strict=True))
        ]


@dataclass(frozen=True)
class _Block:
    """The elements (0) or the scales (1) of a constant in blocks, when it is read."""

    source: Source
    kind: Type
    order: tuple[int, ...]
    made: Type
    number: int
    to: str

    def __call__(self) -> Array:
        wide = self.source.array(self.kind).astype(np.float32).transpose(self.order)
        found = scaled(wide, self.to)[self.number]
        return found.astype(self.made.element.numpy)
