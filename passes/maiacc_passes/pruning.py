"""Weights of contractions become 2:4 sparse: of four along what is summed, two are kept.

Assumes: contractions with constant right operands, composites expanded. Promises nothing about the
bits of a model that was not sparse before: asked for, it drops elements, and says what that costs.
A weight that has no more than two elements that are not zero in each four is found without being
asked, and nothing changes but signs of zeros, and that a zero that is skipped never meets an
infinity or NaN. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac", to=""} : fp32[4, 8]

Out:

    %1 = contract_sparse(%0, @w.values, @w.positions) {spec="ab,bc->ac", to=""} : fp32[4, 8]
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Op
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.vocabulary.sparse import grouped, packed
from maiacc_passes.ir.weights import Array, Data, Lazy, Source
from maiacc_passes.sparsity.activations import Activations
from maiacc_passes.sparsity.calibrating import Samples, calibrate
from maiacc_passes.sparsity.layers import Layer, layer_of
from maiacc_passes.sparsity.methods import magnitude, rounding, sparsegpt, wanda
from maiacc_passes.sparsity.pattern import METHODS, Pattern, pattern_of

#: Rows of made-up inputs by which errors of layers are measured without samples.
SAMPLES = 64

#: Elements of a weight that are looked at first, to see whether it is sparse.
GLANCE = 4096

#: What the machine stores.
STORED = Pattern(2, 4)

#: What a sparse weight is made of.
PARTS = ("values", "positions")


@dataclass(frozen=True)
class Pruned:
    """A layer that multiplies a sparse weight of ``elements`` elements. ``method`` is what chose
    them, or ``found`` if the weight came sparse; ``note`` says why that is not what was asked for.
    ``energy`` is how much of the sum of squares is left; ``error`` the relative error of the
    output, by Frobenius norms, for the inputs that it has on the samples if it is ``measured``, for
    normally distributed ones if not. The bytes are those
    of the weight before and after, in the type that it has in the model."""

    nodes: tuple[str, ...]
    weight: str
    elements: int
    pattern: str
    method: str
    energy: float
    error: float
    measured: bool
    dense_bytes: int
    sparse_bytes: int
    note: str = ""

    @property
    def found(self) -> bool:
        """Whether nobody pruned it."""
        return self.method == "found"


@dataclass(frozen=True)
class Prune:
    """``pattern`` is ``none``, which only finds sparse weights, or one of ``PATTERNS``. ``layers``
    is a regular expression of ONNX nodes that are pruned although they are the first or the last.
    ``method`` is one of ``METHODS``; all but ``magnitude`` need ``samples``, which gives inputs of
    a module by name."""

    name: ClassVar[str] = "prune"
    keeps: ClassVar[str] = "bound"
    pattern: str = "none"
    layers: str = ""
    method: str = "magnitude"
    samples: Callable[[Module], Samples] | None = field(default=None, compare=False, repr=False)
    reports: list[Pruned] = field(default_factory=list, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.pattern != "none":
            pattern_of(self.pattern)
        good = ("magnitude",) if self.samples is None else METHODS
        if self.method not in good:
            expected = ", ".join(good) if self.samples else "magnitude where there are no samples"
            raise IRError(
                "E1413", "option method of pass prune", expected=expected, found=self.method
            )
        try:
            re.compile(self.layers)
        except re.error as problem:
            raise IRError(
                "E1413", f"option layers of pass prune: {problem}", expected="a regular expression"
            ) from None

    def run(self, module: Module) -> int:
        """How many layers multiply sparse weights now. Raises what ``samples`` raises, and
        ``IRError`` E1409 and E1508 for samples that cannot be used."""
        there = [layer for op in module.main.walk() if (layer := layer_of(op)) is not None]
        chosen = self._chosen(there)
        wanted = pattern_of(self.pattern) if chosen else STORED
        work = _Work(module, wanted, self.method)
        left = []
        for layer in there:
            dense = _dense(layer)
            if layer in chosen and not _is_sparse(layer, dense, wanted):
                left.append(layer)
            elif _is_sparse(layer, dense, STORED):
                work.found(layer)
        if self.samples is None:
            for layer in left:
                work.unseen(layer)
        elif left:
            calibrate(module, self.samples(module), left, work.seen)
        self.reports.extend(work.reports[layer] for layer in there if layer in work.reports)
        return len(work.reports)

    def _chosen(self, layers: Sequence[Layer]) -> set[Layer]:
        """All but the first and the last, and those that are named; none that cannot be."""
        if self.pattern == "none":
            return set()
        named = {
            layer
            for layer in layers
            if self.layers and any(re.search(self.layers, node) for node in layer.op.location.nodes)
        }
        return {layer for layer in {*layers[1:-1], *named} if not _corrected(layer.op)}


@dataclass
class _Work:
    """Puts sparse ops in the places of dense ones, and keeps what is to be said of them."""

    module: Module
    pattern: Pattern
    method: str
    reports: dict[Layer, Pruned] = field(default_factory=dict)

    def found(self, layer: Layer) -> None:
        """A weight that is sparse already."""
        self._lazily(layer, STORED)
        self._report(layer, "found", 1.0, 0.0, str(STORED))

    def unseen(self, layer: Layer) -> None:
        """A layer of whose inputs nothing is known."""
        old = layer.matrix(_dense(layer))
        new = magnitude(old, self.pattern)
        self._report(layer, "magnitude", _energy(old, new), _noise(old, new), str(self.pattern))
        self._lazily(layer, self.pattern)

    def seen(self, layer: Layer, x: Activations) -> Op:
        """A layer that multiplied these rows. Gives the op that is there now."""
        old = layer.matrix(_dense(layer))
        new, method, note = self._chosen(layer, old, x)
        wide = old.astype(np.float64), new.astype(np.float64)
        error = x.error(*wide) if x.finite else float("nan")
        self._report(layer, method, _energy(*wide), error, str(self.pattern), True, note)
        return self._change(layer, [Data(part) for part in packed(layer.weight(new), layer.axis)])

    def _chosen(self, layer: Layer, old: Array, x: Activations) -> tuple[Array, str, str]:
        """Other weights, the method that made them, and why it is not the one asked for."""
        if self.method == "magnitude":
            return magnitude(old, self.pattern), "magnitude", ""
        if not x.finite or not np.isfinite(old.astype(np.float32)).all():
            return magnitude(old, self.pattern), "magnitude", "values are infinite or NaN"
        if self.method == "wanda":
            return wanda(old, self.pattern, x), "wanda", ""
        made = sparsegpt(old, self.pattern, x, rounding(layer.value.type.element))
        if made is not None:
            return made, "sparsegpt", ""
        why = "it sums too many" if x.hessian is None else "H cannot be inverted"
        return wanda(old, self.pattern, x), "wanda", why

    def _report(
        self,
        layer: Layer,
        method: str,
        energy: float,
        error: float,
        pattern: str,
        measured: bool = False,
        note: str = "",
    ) -> None:
        assert layer.value.weight is not None
        kind = layer.value.type
        self.reports[layer] = Pruned(
            layer.op.location.nodes,
            layer.value.weight.name,
            kind.size,
            pattern,
            method,
            energy,
            error,
            measured,
            kind.bytes,
            sum(part.bytes for part in layer.types()),
            note,
        )

    def _lazily(self, layer: Layer, pattern: Pattern) -> Op:
        """Keeps what has the largest magnitude, each time it is read."""
        assert layer.value.weight is not None
        source, name = layer.value.weight.source, layer.value.weight.name
        parts = [
            Lazy(f"{part} of {name}", _Part(source, layer, pattern, number))
            for number, part in enumerate(PARTS)
        ]
        return self._change(layer, parts)

    def _change(self, layer: Layer, sources: Sequence[Source]) -> Op:
        op, weight = layer.op, layer.value.weight
        assert weight is not None
        assert op.region is not None
        parts = [
            self.module.add_weight(f"{weight.name}.{part}", kind, source)
            for part, kind, source in zip(PARTS, layer.types(), sources, strict=True)
        ]
        operands = [op.operands[0], *parts, *op.operands[2:]]
        row = OPS[f"{op.name}_sparse"]
        made = Op(row, operands, dict(op.attrs), [op.result.type], (), op.location)
        op.region.insert(made, op)
        op.replace(made.results)
        return made


def _dense(layer: Layer) -> Array:
    assert layer.value.weight is not None
    return layer.value.weight.source.array(layer.value.type)


def _corrected(op: Op) -> bool:
    """Whether a constant made of the dense weight is taken off the sum, for a zero point of what
    is multiplied: with other weights it would be another constant."""
    users = [user for user in op.result.uses if user.name == "sub"]
    constants = [value for user in users for value in user.operands if value and value.weight]
    return bool(constants) and op.result.type.element.is_int


def _is_sparse(layer: Layer, dense: Array, pattern: Pattern) -> bool:
    """Whether a pattern holds already; all zeros are not sparse."""
    moved = np.moveaxis(dense, layer.axis, -1)
    first = moved.reshape(-1, moved.shape[-1])[: max(1, GLANCE // moved.shape[-1])]
    for part in (first, moved):
        groups = grouped(part, part.ndim - 1)
        if not pattern.holds(groups.reshape(*groups.shape[:-2], -1)):
            return False
    return bool(np.any(dense))


def _energy(old: Array, new: Array) -> float:
    """How much of the sum of squares is left."""
    total = float(np.square(old, dtype=np.float64).sum())
    return float(np.square(new, dtype=np.float64).sum()) / total if total else 1.0


def _noise(old: Array, new: Array) -> float:
    """The relative error of products with normally distributed rows."""
    wide = old.astype(np.float32)
    x = np.random.default_rng(0).standard_normal((SAMPLES, old.shape[1]), np.float32)
    whole = np.linalg.norm(x @ wide.T)
    off = np.linalg.norm(x @ (wide - new.astype(np.float32)).T)
    return float(off / whole) if whole else 0.0


@dataclass(frozen=True)
class _Part:
    """The values (0) or the positions (1) of a weight that is pruned when it is read."""

    source: Source
    layer: Layer
    pattern: Pattern
    number: int

    def __call__(self) -> Array:
        dense = self.source.array(self.layer.value.type)
        if self.pattern != STORED:
            dense = self.layer.weight(magnitude(self.layer.matrix(dense), self.pattern))
        return packed(dense, self.layer.axis)[self.number]
