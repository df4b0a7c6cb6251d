"""Long sums over few results are dealt over clusters.

A product with few columns gives each tile all of the left operand, which takes longer to arrive
than the product takes. Cut along what is summed, each cluster has its part of both operands. The
parts are added where rows are read whole next, so that adding them is no kernel of its own.

Assumes: no composites but functions of the machine; operands have the types that they are
multiplied in. Promises: sums of products are rounded in another order. For ``%0 : bf16[64, 2048]``
and four clusters, in:

    %1 = contract(%0, @w, @b) {spec="ab,bc->ac", to=fp32} : fp32[64, 768]
    %2 = rsum(%1) {axes=[1], keep=true} : fp32[64, 1]

Out:

    %1 = reshape(%0) {shape=[64, 4, 512]} : bf16[64, 4, 512]
    %2 = reshape(@w) {shape=[4, 512, 768]} : bf16[4, 512, 768]
    %3 = contract(%1, %2) {spec="adb,dbc->dac", to=fp32} : fp32[4, 64, 768]
    %4 = rsum(%3) {axes=[0], keep=false} : fp32[64, 768]
    %5 = add(%4, @b) : fp32[64, 768]
    %6 = rsum(%5) {axes=[1], keep=true} : fp32[64, 1]
"""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.lowering.space import ELEMENTWISE
from maiacc_passes.pieces import pieces, rows_and_columns, sizes_of

#: A part of a sum has at least so many products, and a multiple of the second.
LONG, UNIT = 384, 32

#: Elementwise ops between a product and who reads whole rows of it.
FAR = 8


@dataclass(frozen=True)
class SplitK:
    """Cuts sums into ``ways`` parts where there is work for fewer than ``tiles`` tiles; ``block``
    is the size of the tensor unit's blocks."""

    name: ClassVar[str] = "splitk"
    keeps: ClassVar[str] = "bound"
    tiles: int = 36
    ways: int = 4
    block: int = 32

    def run(self, module: Module) -> int:
        """How many sums were cut."""
        found = [op for op in module.main.walk() if op.name == "contract" and self._pays(op)]
        for op in found:
            self._cut(module, op)
        return len(found)

    def _pays(self, op: Op) -> bool:
        """Whether tiles would have too little to do, or wait, and adding parts costs little."""
        if self.ways < 2 or not op.result.type.element.is_float:
            return False
        sums = _summed(op)
        if sums is None or sums[1] % (self.ways * UNIT) or sums[1] < self.ways * LONG:
            return False
        left, right, out = split_spec(str(op.attrs["spec"]))
        sizes = sizes_of(op)
        if any(letter in left and letter in right and sizes[letter] > 1 for letter in out):
            return False
        rows, _ = rows_and_columns(op)
        enough = self.ways <= pieces(op, self.block) < self.tiles
        return rows >= self.block and enough and _reads_rows(op)

    def _cut(self, module: Module, op: Op) -> None:
        left, right, out = split_spec(str(op.attrs["spec"]))
        sums = _summed(op)
        assert sums is not None
        letter, size = sums
        fresh = next(x for x in string.ascii_lowercase if x not in left + right)
        b = Builder(module, op.region, op, op.location)
        parts = []
        for value, letters in zip(op.operands[:2], (left, right), strict=True):
            assert value is not None
            shape = list(value.type.shape)
            at = letters.index(letter)
            shape[at : at + 1] = [self.ways, size // self.ways]
            parts.append(b("reshape", value, shape=tuple(shape)))
        specs = [x.replace(letter, fresh + letter) for x in (left, right)]
        spec = f"{specs[0]},{specs[1]}->{fresh}{out}"
        product = b("contract", *parts, spec=spec, to="fp32")
        found = b("rsum", product, axes=(0,), keep=False)
        bias = op.operands[2] if len(op.operands) > 2 else None
        if bias is not None:
            found = b("add", found, bias)
        element = op.result.type.element
        if element.name != "fp32":
            found = b("cvt", found, to=element.name, saturate=False)
        op.replace([found])


def _summed(op: Op) -> tuple[str, int] | None:
    """The letter that is summed over, and its size; None if there are several."""
    left, right, out = split_spec(str(op.attrs["spec"]))
    letters = [x for x in left if x in right and x not in out]
    return (letters[0], sizes_of(op)[letters[0]]) if len(letters) == 1 else None


def _reads_rows(op: Op) -> bool:
    """Whether whole rows of a product are read next, but for elementwise ops."""
    return any(user.row.kind is Kind.REDUCE for user in _users(op.result))


def _users(value: Value) -> Iterator[Op]:
    """Who uses a value, through elementwise ops and views."""
    seen: set[Op] = set()
    front = [value]
    for _ in range(FAR):
        ops = [user for each in front for user in each.uses if user not in seen]
        seen |= set(ops)
        yield from ops
        passing = (*ELEMENTWISE, Kind.VIEW)
        front = [op.results[0] for op in ops if op.row.kind in passing]
