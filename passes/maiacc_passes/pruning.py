"""Weights of contractions become 2:4 sparse: of four along what is summed, two are kept.

Assumes: contractions with constant right operands, composites expanded. Promises nothing about the
bits of a model that was not sparse before: asked for, it drops the two elements of smallest
magnitude, and says what that costs. A weight that has no more than two elements that are not zero
in each four is found without being asked, and nothing changes but signs of zeros, and that a zero
that is skipped never meets an infinity or NaN. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to=""} : fp32[4, 8]

Out:

    %1 = contract_sparse(%0, @w.values, @w.positions) {spec="ab,bc->ac", to=""} : fp32[4, 8]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.vocabulary.sparse import grouped, kept, packed, padded_size, summed_axis
from maiacc_passes.ir.weights import Array, Lazy, Source

#: Rows of made-up inputs by which errors of layers are measured.
SAMPLES = 64

#: Elements of a weight that are looked at first, to see whether it is sparse.
GLANCE = 4096


@dataclass(frozen=True)
class Pruned:
    """A layer that multiplies a sparse weight. ``energy`` is how much of the sum of squares was
    kept, ``error`` the relative error of its output for normally distributed inputs."""

    nodes: tuple[str, ...]
    weight: str
    elements: int
    energy: float
    error: float
    found: bool


@dataclass(frozen=True)
class Prune:
    """``pattern`` is ``none``, which only finds sparse weights, or ``2:4``. ``layers`` is a regular
    expression of ONNX nodes that are pruned although they are the first or the last."""

    name: ClassVar[str] = "prune"
    keeps: ClassVar[str] = "bound"
    pattern: str = "none"
    layers: str = ""
    reports: list[Pruned] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.pattern not in ("none", "2:4"):
            raise IRError("E1413", "option pattern of pass prune", expected="none or 2:4")
        try:
            re.compile(self.layers)
        except re.error as problem:
            raise IRError(
                "E1413", f"option layers of pass prune: {problem}", expected="a regular expression"
            ) from None

    def run(self, module: Module) -> int:
        """How many layers multiply sparse weights now."""
        candidates = [op for op in module.main.walk() if _weight(op) is not None]
        chosen = self._chosen(candidates)
        done = [self._change(module, op, op in chosen) for op in candidates]
        return sum(done)

    def _chosen(self, ops: Sequence[Op]) -> set[Op]:
        if self.pattern == "none":
            return set()
        named = {
            op
            for op in ops
            if self.layers and any(re.search(self.layers, node) for node in op.location.nodes)
        }
        return {*ops[1:-1], *named}

    def _change(self, module: Module, op: Op, prune: bool) -> bool:
        value = _weight(op)
        assert value is not None
        assert value.weight is not None
        axis = _axis(op)
        if axis is None or op.region is None:
            return False
        dense = value.weight.source.array(value.type)
        found = _is_sparse(dense, axis)
        if not (prune or found):
            return False
        self.reports.append(_report(op, value, dense, axis, found))
        kinds = _types(value.type, axis)
        source, name = value.weight.source, value.weight.name
        parts = [
            module.add_weight(
                f"{name}.{part}",
                kind,
                Lazy(f"{part} of {name}", _Part(source, value.type, axis, number)),
            )
            for number, (part, kind) in enumerate(zip(("values", "positions"), kinds, strict=True))
        ]
        operands = [op.operands[0], *parts, *op.operands[2:]]
        row = OPS[f"{op.name}_sparse"]
        made = Op(row, operands, dict(op.attrs), [op.result.type], (), op.location)
        op.region.insert(made, op)
        op.replace(made.results)
        return True


def _weight(op: Op) -> Value | None:
    """The constant that an op multiplies by."""
    if op.name not in ("contract", "conv"):
        return None
    value = op.operands[1]
    assert value is not None
    element = value.type.element
    fits = element.bits >= 8 and (element.is_float or element.bits == 8)
    return value if value.weight is not None and fits else None


def _axis(op: Op) -> int | None:
    """The axis of the weight that is summed last; None if it cannot be sparse."""
    value = op.operands[1]
    assert value is not None
    if op.name == "conv":
        return 1 if op.attrs["groups"] == 1 and value.type.shape[1] >= 4 else None
    left, right, out = split_spec(str(op.attrs["spec"]))
    gone = [letter for letter in right if letter not in out]
    batch = [letter for letter in right if letter in left and letter in out]
    only = [letter for letter in left if letter not in out and letter not in right]
    if len(gone) != 1 or gone[0] not in left or batch or only:
        return None
    axis = summed_axis(str(op.attrs["spec"]))
    return axis if value.type.shape[axis] >= 4 else None


def _types(kind: Type, axis: int) -> tuple[Type, Type]:
    shape = kind.shape
    whole = padded_size(shape[axis])
    values = (*shape[:axis], whole // 2, *shape[axis + 1 :])
    positions = (*shape[:axis], *shape[axis + 1 :], whole // 4)
    return kind.with_shape(values), tensor("uint4", positions)


def _is_sparse(dense: Array, axis: int) -> bool:
    """Whether no four elements have more than two that are not zero; all zeros are not sparse."""
    moved = np.moveaxis(dense, axis, -1)
    first = moved.reshape(-1, moved.shape[-1])[: max(1, GLANCE // moved.shape[-1])]
    for part in (first, moved):
        if np.count_nonzero(grouped(part, part.ndim - 1), axis=-1).max(initial=0) > 2:
            return False
    return bool(np.any(dense))


def _report(op: Op, value: Value, dense: Array, axis: int, found: bool) -> Pruned:
    assert value.weight is not None
    groups = grouped(dense.astype(np.float32), axis)
    places = kept(groups)
    pruned = np.zeros_like(groups)
    np.put_along_axis(pruned, places, np.take_along_axis(groups, places, -1), -1)
    rows = groups.reshape(-1, groups.shape[-2] * 4)
    lost = rows - pruned.reshape(rows.shape)
    x = np.random.default_rng(0).standard_normal((SAMPLES, rows.shape[1]), np.float32)
    whole, off = np.linalg.norm(x @ rows.T), np.linalg.norm(x @ lost.T)
    total = float(np.square(groups, dtype=np.float64).sum())
    energy = float(np.square(pruned, dtype=np.float64).sum()) / total if total else 1.0
    error = float(off / whole) if whole else 0.0
    return Pruned(op.location.nodes, value.weight.name, value.type.size, energy, error, found)


@dataclass(frozen=True)
class _Part:
    """The values (0) or the positions (1) of a weight that is pruned when it is read."""

    source: Source
    kind: Type
    axis: int
    number: int

    def __call__(self) -> Array:
        return packed(self.source.array(self.kind), self.axis)[self.number]
