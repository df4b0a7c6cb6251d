"""What parametric cases are drawn from: sizes around every edge of a target, and elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeVar

import numpy as np

from maiacc_isa.machine import Machine
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Array, Data

T = TypeVar("T")

FLOATS = ("fp32", "bf16", "fp16")
INTS = ("int8", "int32")
TYPES = (*FLOATS, *INTS)

PRIMES = (2, 3, 5, 7, 11, 13, 17, 23, 31, 37, 53, 61, 67, 97, 127, 131, 257, 509, 1021, 2053)

#: How many elements a tensor has at most, and how many products a contraction; one case in
#: ``SELDOM`` may have eight times as many.
ELEMENTS, PRODUCTS, SELDOM = 40_000, 1_500_000, 15


@dataclass
class Draw:
    """A module that is being drawn. ``whole``: its floats are whole numbers; ``exact``: each bit of
    its outputs is known, as the family says."""

    rng: np.random.Generator
    machine: Machine
    module: Module = field(default_factory=Module)
    given: dict[str, Array] = field(default_factory=dict)
    exact: bool = False

    def __post_init__(self) -> None:
        self.b = Builder(self.module)
        self.whole = self.chance(0.6)
        self.more = 8 if self.chance(1 / SELDOM) else 1
        tiles = self.machine.tiles * self.machine.clusters
        lanes = int(self.machine["tvp.lanes32"])
        self.units = [int(self.machine["ttu.block"]), 32, lanes, 2 * lanes, tiles]

    # ---- choices ----------------------------------------------------------------------------
    def chance(self, part: float) -> bool:
        """True so often."""
        return bool(self.rng.random() < part)

    def one(self, choices: Sequence[T]) -> T:
        """One of several."""
        return choices[int(self.rng.integers(len(choices)))]

    def number(self, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def size(self, most: int) -> int:
        """A size of an axis, at most so large: most often next to an edge."""
        if most <= 1:
            return max(most, 1)
        for _ in range(4):
            found = self._size(most)
            if found <= most:
                return found
        return self.number(1, most)

    def _size(self, most: int) -> int:
        kind = self.rng.random()
        if kind < 0.1:
            return 1
        if kind < 0.25:
            return self.number(2, 7)
        if kind < 0.75:
            unit = self.one(self.units)
            return max(1, self.one((1, 1, 1, 2, 3, 5)) * unit + self.one((-1, -1, 0, 0, 1, 1)))
        if kind < 0.87:
            return self.one(PRIMES)
        return self.number(max(1, most // 2), most)

    def sizes(self, count: int, budget: int, most: int = 5000) -> list[int]:
        """Sizes of several axes; their product is within the budget."""
        found = [1] * count
        for axis in self.rng.permutation(count):
            found[axis] = self.size(min(budget, most))
            budget //= found[axis]
        return found

    def shape(self, low: int, high: int) -> list[int]:
        """A shape of a rank from low to high; one in sixty has no elements."""
        shape = self.sizes(self.number(low, high), ELEMENTS * self.more, 30_000)
        if shape and self.chance(1 / 60):
            shape[self.number(0, len(shape) - 1)] = 0
        return shape

    def order(self, rank: int) -> list[int]:
        """The axes in some order."""
        return [int(axis) for axis in self.rng.permutation(rank)]

    def subset(self, rank: int) -> list[int]:
        """Some of the axes, at least one, in their order."""
        return sorted(self.order(rank)[: self.number(1, rank)])

    def broadcastable(self, shape: Sequence[int]) -> list[int]:
        """A shape that broadcasts to another."""
        found = [1 if self.chance(0.3) else size for size in shape]
        return found[self.number(0, len(found)) :] if self.chance(0.5) else found

    # ---- tensors ----------------------------------------------------------------------------
    def values(self, dtype: str, shape: Sequence[int]) -> Array:
        """Elements: small whole numbers, or normally distributed."""
        element = tensor(dtype).element
        found: Array
        if element.kind == "bool":
            found = self.rng.integers(0, 2, shape)
        elif element.kind == "uint":
            found = self.rng.integers(0, 5, shape)
        elif self.whole or not element.is_float:
            found = self.rng.integers(-4, 5, shape)
        else:
            found = self.rng.standard_normal(shape)
        return np.asarray(found).astype(element.numpy)

    def input(self, dtype: str, shape: Sequence[int], values: Array | None = None) -> Value:
        """An input of the module."""
        name = f"x{len(self.given)}"
        array = self.values(dtype, shape) if values is None else values
        self.given[name] = array.astype(tensor(dtype).element.numpy, copy=False)
        return self.module.add_input(name, tensor(dtype, tuple(shape)))

    def weight(self, dtype: str, shape: Sequence[int]) -> Value:
        """An input, or, as often, a constant."""
        if self.chance(0.5) or not prod(shape):
            return self.input(dtype, shape)
        kind = tensor(dtype, tuple(shape))
        return self.module.add_weight("c", kind, Data(self.values(dtype, shape)))

    def done(self, outputs: Sequence[Value]) -> Module:
        """The module that hands out some values."""
        self.module.outputs = [f"y{i}" for i in range(len(outputs))]
        self.module.main.append(Op(OPS["return"], list(outputs), {}, ()))
        return self.module


def narrow(dtype: str) -> bool:
    """Whether floats of a type are rounded where they are stored."""
    return dtype in ("bf16", "fp16")


def epilogue(d: Draw, x: Value) -> Value:
    """What may come behind a product: nothing, or a few ops that fuse. The bits of the outcome are
    known if those of ``x`` are where floats are whole numbers."""
    dtype, count = x.type.dtype, d.one((0, 0, 1, 2))
    d.exact = x.type.element.is_int or (d.whole and not (count and narrow(dtype)))
    for _ in range(count):
        name = d.one(("relu", "add", "mul", "max", "neg", "gelu", "silu", "clamp"))
        if name in ("gelu", "silu"):
            if x.type.element.is_float:
                x, d.exact = d.b(name, x), False
        elif name in ("relu", "neg"):
            x = d.b(name, x)
        elif name == "clamp":
            x = d.b(name, x, d.b.constant(-3, dtype), d.b.constant(6, dtype))
        else:
            x = d.b(name, x, d.weight(dtype, d.broadcastable(x.type.shape)))
    return x
