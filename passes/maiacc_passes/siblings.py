"""Products of one operand with several weights become one product.

Where each of them has too few columns for all tiles of the chip, they are one kernel with enough,
and what they share is loaded once. The weights stand side by side; who used a product takes its
columns.

Assumes: contractions in canonical form. Promises: all bits. For ``%0 : fp32[8, 16]``, in:

    %1 = contract(%0, @q) {spec="ab,bc->ac"} : fp32[8, 32]
    %2 = contract(%0, @k) {spec="ab,bc->ac"} : fp32[8, 64]

Out:

    %1 = contract(%0, @q.beside) {spec="ab,bc->ac"} : fp32[8, 96]
    %2 = slice(%1) {starts=[0, 0], sizes=[8, 32], steps=[1, 1]} : fp32[8, 32]
    %3 = slice(%1) {starts=[0, 32], sizes=[8, 64], steps=[1, 1]} : fp32[8, 64]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Location, Module, Op, Region, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array, Lazy, Source
from maiacc_passes.pieces import pieces


@dataclass(frozen=True)
class Siblings:
    """Joins products that have work for fewer than ``tiles`` tiles each; ``block`` is the size of
    the tensor unit's blocks."""

    name: ClassVar[str] = "siblings"
    keeps: ClassVar[str] = "bit"
    tiles: int = 36
    block: int = 32

    def run(self, module: Module) -> int:
        """How many products became part of another one."""
        return sum(self._region(module, region) for region in module.regions())

    def _region(self, module: Module, region: Region) -> int:
        found: dict[tuple[object, ...], list[Op]] = {}
        for op in region:
            if op.name == "contract" and self._few(op):
                bias = len(op.operands) > 2
                weight = op.operands[1]
                assert weight is not None
                key = (op.operands[0], *op.attrs.items(), weight.type.element, bias)
                found.setdefault(key, []).append(op)
        groups = [ops for ops in found.values() if len(ops) > 1]
        for ops in groups:
            _join(module, region, ops)
        return sum(len(ops) - 1 for ops in groups)

    def _few(self, op: Op) -> bool:
        """Whether a product is of rows with columns that are constants, and has few of them."""
        left, right, out = split_spec(str(op.attrs["spec"]))
        columns = [letter for letter in right if letter not in left]
        if len(columns) != 1 or right[-1] != columns[0] or out[-1] != columns[0]:
            return False
        constants = op.operands[1:]
        if any(value is None or value.weight is None for value in constants):
            return False
        if len(right) != 2 or not op.result.type.element.is_float:
            return False
        if any(value is not None and value.type.rank != 1 for value in op.operands[2:]):
            return False
        return pieces(op, self.block) < self.tiles


def _join(module: Module, region: Region, ops: Sequence[Op]) -> None:
    first = ops[0]
    location = Location()
    for op in ops:
        location = location.merged(op.location)
    b = Builder(module, region, first, location)
    constants = []
    for place in range(1, len(first.operands)):
        parts = [op.operands[place] for op in ops]
        constants.append(_beside(module, [value for value in parts if value is not None]))
    product = b("contract", first.operands[0], *constants, **dict(first.attrs))
    start, rank, found = 0, product.type.rank, []
    for op in ops:
        sizes = op.result.type.shape
        b.location = op.location
        begins = (*(0 for _ in sizes[:-1]), start)
        found.append(b("slice", product, starts=begins, sizes=sizes, steps=(1,) * rank))
        start += sizes[-1]
    for op, part in zip(ops, found, strict=True):
        op.replace([part])


def _beside(module: Module, parts: Sequence[Value]) -> Value:
    """Constants side by side, along their last axis."""
    shape = parts[0].type.shape
    columns = sum(value.type.shape[-1] for value in parts)
    kind = tensor(parts[0].type.element.name, (*shape[:-1], columns))
    weights = [value.weight for value in parts if value.weight is not None]
    label = " beside ".join(weight.name for weight in weights)
    sources = [(weight.source, value.type) for weight, value in zip(weights, parts, strict=True)]
    made = Lazy(label, partial(_joined, sources))
    return module.add_weight(f"{weights[0].name}.beside", kind, made)


def _joined(sources: Sequence[tuple[Source, Type]]) -> Array:
    return np.concatenate([source.array(kind) for source, kind in sources], axis=-1)
