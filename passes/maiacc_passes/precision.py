"""Contractions in bf16: their operands are rounded to it, sums stay in fp32.

Assumes: contractions of fp32 (or fp16) operands, composites expanded, so that those of attention
are seen. Promises: outputs up to the rounding of operands. Weights are converted when they are
needed; what several contractions read is rounded once. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to="fp32"} : fp32[4, 8]
    return(%1)

Out:

    %1 = cvt(%0) {to="bf16", saturate=false, round="rne"} : bf16[4, 16]
    %2 = contract(%1, @w.bf16) {spec="ab,bc->ac", to="fp32"} : fp32[4, 8]
    return(%2)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import NOWHERE, Module, Op, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array, Lazy, Source
from maiacc_passes.lowering.access import VIEWS
from maiacc_passes.microscaling import Blocked
from maiacc_passes.narrowing import LARGEST, Narrower
from maiacc_passes.rounding import Rounded, measured

#: Ops that multiply their first two operands.
PRODUCTS = frozenset({"contract", "conv", "conv_transpose", "contract_sparse", "conv_sparse"})


#: Types of 8 bits, whose operands are scaled, by the name of the precision.
NARROW = {"fp8": "e4m3", "int8": "int8"}

#: MX formats, by the name of the precision.
BLOCKS = {"mxfp8": "e4m3", "mxfp4": "e2m1"}


@dataclass(frozen=True)
class Precision:
    """Rounds operands of contractions to ``to``; ``model`` leaves them. With ``measure`` there is
    a report for each layer with weights."""

    name: ClassVar[str] = "precision"
    keeps: ClassVar[str] = "bound"
    to: str = "model"
    measure: bool = False
    reports: list[Rounded] = field(default_factory=list, compare=False, repr=False)

    def run(self, module: Module) -> int:
        """How many contractions were changed."""
        if self.to == "model":
            return 0
        changer: _Changer | Narrower | Blocked = _Changer(module, self.to)
        if self.to in NARROW:
            changer = Narrower(module, NARROW[self.to])
        elif self.to in BLOCKS:
            changer = Blocked(module, BLOCKS[self.to])
        return sum(self._change(changer, op) for region in module.regions() for op in list(region))

    def _change(self, changer: _Changer | Narrower | Blocked, op: Op) -> bool:
        """Changes an op, and notes what that costs."""
        report = None
        if self.measure and op.name in ("contract", "conv"):
            if self.to in NARROW:
                dtype = NARROW[self.to]
                report = measured(op, "scaled", dtype, LARGEST[dtype])
            elif self.to in BLOCKS and op.name == "contract":
                report = measured(op, "blocks", BLOCKS[self.to], 0.0)
            elif self.to in BLOCKS:
                report = measured(op, "scaled", "e4m3", LARGEST["e4m3"])
            else:
                report = measured(op, "plain", self.to, 0.0)
        changed = changer.change(op)
        if changed and report is not None:
            self.reports.append(report)
        return changed


class _Changer:
    def __init__(self, module: Module, to: str) -> None:
        self.module = module
        self.to = to
        self._rounded: dict[Value, Value] = {}

    def change(self, op: Op) -> bool:
        """Rounds the operands of an op that multiplies wide floats."""
        if op.name not in PRODUCTS:
            return False
        a, b = op.operands[:2]
        assert a is not None
        assert b is not None
        wide = {kind.dtype for kind in (a.type, b.type)} <= {"fp32", "fp16"}
        if not wide:
            return False
        attrs = dict(op.attrs)
        if "to" in attrs:
            attrs["to"] = op.result.type.dtype
        operands = [self.rounded(a), self.rounded(b), *op.operands[2:]]
        if "to" not in attrs and op.result.type.dtype != self.to:
            return False
        made = Op(op.row, operands, attrs, [v.type for v in op.results], (), op.location)
        assert op.region is not None
        op.region.insert(made, op)
        op.replace(made.results)
        return True

    def rounded(self, value: Value) -> Value:
        """A value in the narrow type: a weight that is converted when it is read, or an op right
        behind what makes the value, before any views of it."""
        found = self._rounded.get(value)
        if found is None:
            found = self._rounded[value] = self._round(value)
        return found

    def _round(self, value: Value) -> Value:
        kind = value.type.with_dtype(self.to)
        if value.weight is not None:
            source = _Converted(value.weight.source, value.type, kind)
            name = value.weight.name
            label = Lazy(f"{name} in {self.to}", source)
            return self.module.add_weight(f"{name}.{self.to}", kind, label)
        op = value.op
        if op is not None and op.name in VIEWS and op.name != "bitcast":
            source_value = op.operands[0]
            assert source_value is not None
            inner = self.rounded(source_value)
            assert op.region is not None
            b = Builder(self.module, op.region, op.next, op.location)
            return b.again(op, [inner])[0]
        region = value.region if op is None else op.region
        assert region is not None
        before = region.first if op is None else op.next
        b = Builder(self.module, region, before, NOWHERE if op is None else op.location)
        return b("cvt", value, to=self.to, saturate=False)


@dataclass(frozen=True)
class _Converted:
    """The elements of a constant in another type."""

    source: Source
    old: Type
    new: Type

    def __call__(self) -> Array:
        return self.source.array(self.old).astype(self.new.element.numpy)
