"""Causal attention over many keys is cut into blocks of rows, which see few of them.

Half of the scores of a causal attention are masked. A block of rows sees the keys up to its last
row only, so that most of them are not computed at all.

Assumes: ``attention`` as an op. Promises all bits, but that a key that is not seen never meets a
value that is infinite or no number. For blocks of 512 rows, in:

    %3 = attention(%q, %k, %v) {causal=true, ...} : bf16[1, 8, 1024, 64]

Out:

    %4 = slice(%q) {starts=[0, 0, 0, 0], sizes=[1, 8, 512, 64], ...}
    %5 = slice(%k) {starts=[0, 0, 0, 0], sizes=[1, 8, 512, 64], ...}
    ...
    %7 = attention(%4, %5, %6) {causal=true, offset=0, ...} : bf16[1, 8, 512, 64]
    %8 = slice(%q) {starts=[0, 0, 512, 0], ...}
    %9 = attention(%8, %k, %v) {causal=true, offset=512, ...} : bf16[1, 8, 512, 64]
    %10 = concat(%7, %9) {axis=2} : bf16[1, 8, 1024, 64]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.vocabulary.composites import operands

#: Scores of a head that make it worth its while.
LEAST = 1 << 20


@dataclass(frozen=True)
class Triangles:
    """Cuts rows into blocks of ``rows``; keys end at multiples of ``keys``."""

    name: ClassVar[str] = "triangles"
    keeps: ClassVar[str] = "bound"
    rows: int = 512
    keys: int = 512

    def run(self, module: Module) -> int:
        """How many attentions were cut."""
        found = [
            op
            for region in module.regions()
            for op in region
            if op.name == "attention" and op.attrs["causal"] and self._pays(op)
        ]
        for op in found:
            self._cut(module, op)
        return len(found)

    def _pays(self, op: Op) -> bool:
        q, k, _ = operands(op, 3)
        rows, keys = q.type.shape[2], k.type.shape[2]
        return op.operand(3) is None and rows > self.rows and rows * keys >= LEAST

    def _cut(self, module: Module, op: Op) -> None:
        assert op.region is not None
        b = Builder(module, op.region, op)
        b.location = op.location
        q, k, v = operands(op, 3)
        rows, keys, offset = q.type.shape[2], k.type.shape[2], int(str(op.attrs["offset"]))
        made: list[Value] = []
        for start in range(0, rows, self.rows):
            end = min(rows, start + self.rows)
            seen = -(-max(1, end + offset) // self.keys) * self.keys
            seen = min(keys, seen)
            attrs = {**op.attrs, "offset": offset + start}
            parts = [_part(b, q, start, end), _part(b, k, 0, seen), _part(b, v, 0, seen)]
            made.append(b("attention", *parts, **attrs))
        op.replace([b("concat", *made, axis=2)])


def _part(b: Builder, value: Value, start: int, end: int) -> Value:
    """Some rows of a tensor [batch, heads, rows, size]."""
    shape = value.type.shape
    if end - start == shape[2]:
        return value
    sizes = (*shape[:2], end - start, shape[3])
    return b("slice", value, starts=(0, 0, start, 0), sizes=sizes, steps=(1, 1, 1, 1))
