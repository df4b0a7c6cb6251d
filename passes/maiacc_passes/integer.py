"""Contractions of quantised tensors multiply the integers (or narrow floats) themselves.

Assumes: ``dequantize`` ops as the frontend makes them. Promises: the sum of products is exact in
int32, where the model's spelling rounds in fp32: outputs up to that rounding. With zero points z:

    sum (x - zx) (w - zw) = sum x w - zx sum w          where zw = 0

and what pads x is zx. In:

    %1 = dequantize(%0, @sx, @zx) {axis=1, block=0, to="fp32"} : fp32[4, 16]
    %2 = dequantize(@w, @sw, @zw) {axis=1, block=0, to="fp32"} : fp32[16, 8]
    %3 = contract(%1, %2) {spec="ab,bc->ac", to=""} : fp32[4, 8]
    return(%3)

Out:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to="int32"} : int32[4, 8]
    %2 = sub(%1, @c) : int32[4, 8]
    %3 = cvt(%2) {to="fp32", saturate=true, round="rne"} : fp32[4, 8]
    %4 = mul(%3, @c.1) : fp32[4, 8]
    return(%4)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array

#: Types that the tensor unit multiplies as they are, in pairs of one line.
PAIRS = (frozenset({"int8", "uint8"}), frozenset({"e4m3", "e5m2"}))


@dataclass(frozen=True)
class Integer:
    """Takes ``dequantize`` off both operands of contractions and convolutions."""

    name: ClassVar[str] = "integer"
    keeps: ClassVar[str] = "bound"

    def run(self, module: Module) -> int:
        """How many ops multiply integers now."""
        return sum(_changed(module, op) for region in module.regions() for op in list(region))


@dataclass(frozen=True)
class _Quantised:
    """A dequantised operand: elements, scale and zero point as arrays, the axis of several
    scales (None for one)."""

    values: Value
    scale: Array
    zero: int
    axis: int | None


def _changed(module: Module, op: Op) -> bool:
    if op.name not in ("contract", "conv"):
        return False
    found = [_quantised(value) for value in op.operands[:2]]
    if found[0] is None or found[1] is None:
        return False
    x, w = found[0], found[1]
    kinds = {x.values.type.dtype, w.values.type.dtype}
    if not any(kinds <= pair for pair in PAIRS) or x.axis is not None or w.zero:
        return False
    column = _column(op, w)
    if column is None or (x.zero and w.values.weight is None):
        return False
    _rewrite(module, op, x, w, column)
    return True


def _quantised(value: Value | None) -> _Quantised | None:
    op = None if value is None else value.op
    if op is None or op.name != "dequantize" or op.attrs["block"]:
        return None
    values, scale, zero = (*op.operands, None, None)[:3]
    assert values is not None
    known = [_known(v) for v in (scale, zero)]
    if known[0] is None or (zero is not None and known[1] is None):
        return None
    zeros = np.zeros(1) if known[1] is None else known[1].astype(np.float64).reshape(-1)
    if np.any(zeros != zeros[0]) or (zeros[0] and op.result.type.dtype != "fp32"):
        return None
    steps = known[0].astype(np.float32)
    axis = op.integer("axis") % max(1, values.type.rank)
    single = steps.size == 1
    return _Quantised(values, steps.reshape(-1), int(zeros[0]), None if single else axis)


def _known(value: Value | None) -> Array | None:
    if value is None or value.weight is None:
        return None
    return np.asarray(value.weight.source.array(value.type))


def _column(op: Op, w: _Quantised) -> int | None:
    """The axis of the result along which scales of w vary; -1 if they do not, None if they vary
    along what is summed."""
    if w.axis is None:
        return -1
    if op.name == "conv":
        return 1 if w.axis == 0 else None
    _, right, out = split_spec(str(op.attrs["spec"]))
    letter = right[w.axis]
    return out.index(letter) if letter in out else None


def _rewrite(module: Module, op: Op, x: _Quantised, w: _Quantised, column: int) -> None:
    assert op.region is not None
    b = Builder(module, op.region, op, op.location)
    result = op.result.type
    whole = x.values.type.element.is_int
    attrs = {**op.attrs, "to": "int32" if whole else "fp32"}
    values = x.values
    if x.zero and op.name == "conv" and any(attrs["pads"]):
        values, attrs["pads"] = _padded(b, x, attrs["pads"])
    found = b(op.name, values, w.values, **attrs)
    if x.zero:
        found = b("sub", found, _zeros(b, op, x, w))
    if whole:
        found = b("cvt", found, to="fp32")
    scale = x.scale * w.scale
    rank = result.rank
    shape = [1] * rank
    if column >= 0:
        shape[column] = scale.size
    found = b("mul", found, b.constant(scale.astype(np.float32).reshape(shape)))
    bias = op.operand(2)
    if bias is not None:
        if op.name == "conv":
            bias = b("reshape", bias, shape=(bias.type.size, *[1] * (rank - 2)))
        found = b("add", found, bias if bias.type.dtype == "fp32" else b("cvt", bias, to="fp32"))
    if found.type is not result:
        found = b("cvt", found, to=result.dtype)
    op.replace([found])


def _padded(b: Builder, x: _Quantised, pads: tuple[int, ...]) -> tuple[Value, tuple[int, ...]]:
    """What pads a quantised tensor is its zero point."""
    half = len(pads) // 2
    value = b.constant(x.zero, x.values.type.dtype)
    before, after = (0, 0, *pads[:half]), (0, 0, *pads[half:])
    padded = b("pad", x.values, value, before=before, after=after, mode="constant")
    return padded, (0,) * len(pads)


def _zeros(b: Builder, op: Op, x: _Quantised, w: _Quantised) -> Value:
    """The zero point times the sums of w, one for each column."""
    weights = np.asarray(_known(w.values)).astype(np.int64)
    rank = op.result.type.rank
    if op.name == "conv":
        sums = weights.reshape(weights.shape[0], -1).sum(1)
        return b.constant((sums * x.zero).astype(np.int32).reshape(-1, *[1] * (rank - 2)))
    _, right, out = split_spec(str(op.attrs["spec"]))
    gone = tuple(axis for axis, letter in enumerate(right) if letter not in out)
    left = [letter for letter in right if letter in out]
    sums = weights.sum(gone) * x.zero
    shape = [1] * rank
    order = sorted(range(len(left)), key=lambda i: out.index(left[i]))
    for letter, size in zip(left, sums.shape, strict=True):
        shape[out.index(letter)] = size
    return b.constant(np.transpose(sums, order).astype(np.int32).reshape(shape))
