"""Contractions in 8 bits: operands are scaled to the range of fp8 (e4m3) or int8, and rounded.

Weights have a scale for each column of the product, which is known; what is computed has one for
each row, found while the model runs: the largest magnitude along what is summed. Of a convolution's
input, an image has one. Sums are fp32, or exact in int32; scales multiply the sums. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to=""} : fp32[4, 8]

Out, for fp8:

    %1 = abs(%0) : fp32[4, 16]
    %2 = rmax(%1) {axes=[1], keep=true} : fp32[4, 1]
    %3 = max(%2, @c) : fp32[4, 1]
    %4 = mul(%3, @c.1) : fp32[4, 1]
    %5 = div(%0, %4) : fp32[4, 16]
    %6 = cvt(%5) {to="e4m3", saturate=true, round="rne"} : e4m3[4, 16]
    %7 = contract(%6, @w.e4m3) {spec="ab,bc->ac", to="fp32"} : fp32[4, 8]
    %8 = mul(%7, %4) : fp32[4, 8]
    %9 = mul(%8, @w.scale) : fp32[1, 8]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array, Data, Lazy, Source

#: The largest number of a type, which the largest magnitude becomes.
LARGEST = {"e4m3": 448.0, "int8": 127.0}

#: What magnitudes count as at least, so that rows of zeros have a scale.
LEAST = 1e-30


@dataclass(frozen=True)
class Scaled:
    """A scaled operand: narrow elements, and scales that meet the result."""

    values: Value
    scale: Value


class Narrower:
    """Changes contractions to one narrow type."""

    def __init__(self, module: Module, to: str) -> None:
        self.module = module
        self.to = to
        self._known: dict[tuple[Value, tuple[int, ...]], tuple[Value, Value]] = {}

    def change(self, op: Op) -> bool:
        """Whether an op multiplies narrow operands now."""
        axes = self._axes(op)
        if axes is None or op.region is None:
            return False
        a, b = op.operands[:2]
        assert a is not None
        assert b is not None
        if {a.type.dtype, b.type.dtype} - {"fp32", "fp16", "bf16"}:
            return False
        builder = Builder(self.module, op.region, op, op.location)
        scaled = [
            self._scaled(builder, value, gone, op, number)
            for number, (value, gone) in enumerate(zip((a, b), axes, strict=True))
        ]
        whole = self.to == "int8"
        attrs = {**op.attrs, "to": "int32" if whole else "fp32"}
        found = builder(op.name, scaled[0].values, scaled[1].values, **attrs)
        if whole:
            found = builder("cvt", found, to="fp32")
        for part in scaled:
            found = builder("mul", found, part.scale)
        found = self._biased(builder, op, found)
        if found.type is not op.result.type:
            found = builder("cvt", found, to=op.result.type.dtype)
        op.replace([found])
        return True

    def _biased(self, b: Builder, op: Op, found: Value) -> Value:
        bias = op.operand(2)
        if bias is None:
            return found
        if op.name == "conv":
            bias = b("reshape", bias, shape=(bias.type.size, *[1] * (found.type.rank - 2)))
        return b("add", found, bias if bias.type.dtype == "fp32" else b("cvt", bias, to="fp32"))

    def _axes(self, op: Op) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
        """The axes of both operands that share a scale; None if the op stays as it is."""
        if op.name == "conv":
            x = op.operands[0]
            assert x is not None
            every = tuple(range(1, x.type.rank))
            return every, every
        if op.name != "contract":
            return None
        left, right, out = split_spec(str(op.attrs["spec"]))
        gone = [
            tuple(axis for axis, letter in enumerate(letters) if letter not in out)
            for letters in (left, right)
        ]
        same = {left[axis] for axis in gone[0]} == {right[axis] for axis in gone[1]}
        return (gone[0], gone[1]) if same and gone[0] else None

    # ---- operands ---------------------------------------------------------------------------
    def _scaled(
        self, b: Builder, value: Value, gone: tuple[int, ...], op: Op, number: int
    ) -> Scaled:
        key = value, gone
        found = self._known.get(key)
        if found is None:
            make = self._constant if value.weight is not None else self._computed
            found = make(b, value, gone)
            # What is computed in front of one op is there for later ones of the region only.
            if value.weight is not None:
                self._known[key] = found
        values, scale = found
        return Scaled(values, self._meeting(b, scale, gone, op, number))

    def _constant(self, b: Builder, value: Value, gone: tuple[int, ...]) -> tuple[Value, Value]:
        assert value.weight is not None
        name, source, kind = value.weight.name, value.weight.source, value.type
        recipe = _Narrowed(source, kind, gone, self.to)
        narrow = kind.with_dtype(self.to)
        label = Lazy(f"{name} in {self.to}", recipe)
        values = self.module.add_weight(f"{name}.{self.to}", narrow, label)
        scale = recipe.scale()
        kept = tensor("fp32", scale.shape)
        return values, self.module.add_weight(f"{name}.scale", kept, Data(scale))

    def _computed(self, b: Builder, value: Value, gone: tuple[int, ...]) -> tuple[Value, Value]:
        wide = value if value.type.dtype == "fp32" else b("cvt", value, to="fp32")
        most = b("rmax", b("abs", wide), axes=gone, keep=True)
        scale = b(
            "mul",
            b("max", most, b.constant(np.asarray(LEAST, np.float32))),
            b.constant(np.asarray(1 / LARGEST[self.to], np.float32)),
        )
        found = b("div", wide, scale)
        if self.to == "int8":
            found = b("round", found)
        return b("cvt", found, to=self.to, saturate=True), scale

    def _meeting(self, b: Builder, scale: Value, gone: Sequence[int], op: Op, number: int) -> Value:
        """Scales with an axis for each of the result's."""
        rank = op.result.type.rank
        sizes = [n for axis, n in enumerate(scale.type.shape) if axis not in gone]
        if op.name == "conv":
            shape = (sizes[0], *[1] * (rank - 1)) if number == 0 else (sizes[0], *[1] * (rank - 2))
            return b("reshape", scale, shape=shape)
        spec = split_spec(str(op.attrs["spec"]))
        letters, out = spec[number], spec[2]
        left = [letter for axis, letter in enumerate(letters) if axis not in gone]
        order = sorted(range(len(left)), key=lambda i: out.index(left[i]))
        flat = b("reshape", scale, shape=tuple(sizes))
        if order != list(range(len(left))):
            flat = b("transpose", flat, perm=tuple(order))
        shape = tuple(sizes[left.index(x)] if x in left else 1 for x in out)
        return b("reshape", flat, shape=shape)


@dataclass(frozen=True)
class _Narrowed:
    """A constant divided by its scales and rounded, when it is read."""

    source: Source
    kind: Type
    gone: tuple[int, ...]
    to: str

    def _wide(self) -> Array:
        return self.source.array(self.kind).astype(np.float32)

    def scale(self) -> Array:
        """A scale for each column, axes that share one kept as 1."""
        most = np.abs(self._wide()).max(axis=self.gone, keepdims=True, initial=LEAST)
        return np.asarray(most * np.float32(1 / LARGEST[self.to]), np.float32)

    def __call__(self) -> Array:
        found = self._wide() / self.scale()
        if self.to == "int8":
            found = np.clip(np.rint(found), -127, 127)
        else:
            found = np.clip(found, -LARGEST[self.to], LARGEST[self.to])
        return found.astype(tensor(self.to).element.numpy)
