"""How random modules grow: choices of values and shapes, op by op, and a recipe for each row.

A recipe makes one op of values that are there. ``random_graphs`` is what tests use.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import NOWHERE, Location, Module, Op, Region, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.weights import Array, Data, Splat

#: Values of more elements are not used any further.
LARGEST = 600

#: How deep regions are inside one another, and how many inputs there are.
DEPTH = 3
INPUTS = 12

#: Attempts at one op before another one is chosen.
ATTEMPTS = 12

FLOATS = [element.name for element in ELEMENTS.values() if element.is_float]
INTS = [element.name for element in ELEMENTS.values() if element.is_int]
DTYPES = list(ELEMENTS)

#: Names that a model may have for an input.
_NAMES = ("x", 'quo"te', "a/b:0", "größe", "tab\t", "", "true", "#no comment", "a" * 70)


class NotNowError(Exception):
    """There is nothing that an op could take."""


class Grower:
    """A module that grows op by op. ``pool`` has the values that may be used where it grows."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.arrays = np.random.default_rng(seed)
        self.module = Module()
        self.b = Builder(self.module)
        self.pool: list[Value] = []
        self.depth = 0

    # ---- choices ----------------------------------------------------------------------------
    def flip(self, chance: float = 0.5) -> bool:
        """True with some chance."""
        return self.rng.random() < chance

    def dims(self, rank: int, most: int = 4) -> tuple[int, ...]:
        """A shape; now and then an extent is 0."""
        return tuple(0 if self.flip(0.01) else self.rng.randint(1, most) for _ in range(rank))

    def shape(self) -> tuple[int, ...]:
        """A shape of any small rank."""
        return self.dims(self.rng.choice((0, 1, 2, 2, 3, 3, 4)))

    def pick(self, good: Callable[[Type], bool] = lambda kind: True) -> Value:
        """A value that is there, a young one rather than an old one, or a new one for ``good``."""
        chosen = [value for value in self.pool if good(value.type)]
        if not chosen:
            raise NotNowError
        return (
            chosen[-self.rng.randint(1, min(len(chosen), 9))]
            if self.flip(0.7)
            else (self.rng.choice(chosen))
        )

    def floating(self, least: int = 0) -> Value:
        """A value of floats of at least some rank."""
        if self.flip(0.2):
            return self.value(self.rng.choice(FLOATS), self.dims(max(least, 2)))
        return self.pick(lambda kind: kind.element.is_float and kind.rank >= least)

    def axis(self, value: Value) -> int:
        """One of its axes."""
        if not value.type.rank:
            raise NotNowError
        return self.rng.randrange(value.type.rank)

    def value(self, dtype: str, shape: tuple[int, ...]) -> Value:
        """A value of a type: one that is there, an input, or a weight."""
        kind = tensor(dtype, shape)
        there = [value for value in self.pool if value.type is kind]
        if there and self.flip(0.7):
            return self.rng.choice(there)
        if len(self.module.inputs) < INPUTS and self.flip(0.4):
            return self.input(dtype, shape)
        return self.weight(dtype, shape)

    def input(self, dtype: str, shape: tuple[int, ...]) -> Value:
        """A new input."""
        name = f"{self.rng.choice(_NAMES)}{len(self.module.inputs)}"
        value = self.module.add_input(name, tensor(dtype, shape))
        self.pool.insert(0, value)
        return value

    def weight(self, dtype: str, shape: tuple[int, ...]) -> Value:
        """A new constant."""
        kind = tensor(dtype, shape)
        name = self.rng.choice(("w", "b", "onnx::Add_1", "layer.0.weight", "7"))
        if self.flip(0.15):
            source: Splat | Data = Splat(random_array(self.arrays, tensor(dtype)))
        else:
            source = Data(random_array(self.arrays, kind))
        return self.module.add_weight(name, kind, source)

    def indices(self, shape: tuple[int, ...], extent: int) -> Value:
        """Constant indices below a size."""
        if extent < 1:
            raise NotNowError
        array = self.arrays.integers(0, extent, shape)
        dtype = self.rng.choice(("int64", "int32"))
        return (
            self.b.constant(array.tolist() if shape else int(array), dtype)
            if array.size
            else (self.module.add_weight("i", tensor(dtype, shape), Data(np.zeros(shape, dtype))))
        )

    # ---- growing ----------------------------------------------------------------------------
    def grow(self, count: int, recipes: Sequence[Recipe]) -> None:
        """Adds about so many ops."""
        for _ in range(count):
            for _ in range(ATTEMPTS):
                self.b.location = self._location()
                try:
                    recipe = self.rng.choice(recipes)
                    self._keep(recipe(self))
                except (NotNowError, IRError):
                    continue
                break

    def _keep(self, op: Op) -> None:
        self.pool += [value for value in op.results if value.type.size <= LARGEST]

    def _location(self) -> Location:
        if self.flip(0.3):
            return NOWHERE
        node = f"/layers.{self.rng.randint(0, 5)}/{self.rng.choice(('Add', 'é', 'q'))}"
        scope = self.rng.choice(("", "model.layers"))
        return Location((node,), scope, self.rng.choice(("", "m.py:3", scope and "x.py:1")))

    def region(
        self, kinds: Sequence[Type], count: int, ends: Callable[[Region], Sequence[Value]]
    ) -> Region:
        """A region with parameters of some types and about so many ops, that yields ``ends``."""
        region = Region(kinds)
        outside, self.depth = len(self.pool), self.depth + 1
        self.pool += region.params
        with self.b.inside(region):
            self.grow(count, recipes_of(self.depth))
            finish(self.b, ends(region), "yield")
        # Inputs may have come in front.
        inner = set(region.params) | {value for op in region for value in op.results}
        self.pool = [value for value in self.pool if value not in inner]
        assert len(self.pool) >= outside
        self.depth -= 1
        return region

    def finish(self) -> Module:
        """The module, which returns some of what nobody uses."""
        ends = [value for value in self.pool if value.op is not None and not value.uses][-6:]
        ends = ends or [self.pool[-1]]
        self.b.location = NOWHERE
        finish(self.b, ends)
        self.module.outputs = [f"y{number}" for number in range(len(ends))]
        self.module.drop_unused_weights()
        return self.module


#: Makes an op, or raises ``NotNowError`` or ``IRError`` and leaves nothing behind.
Recipe = Callable[[Grower], Op]

#: Recipes by the name of the op; ``random_rows`` and ``random_regions`` fill it.
RECIPES: dict[str, Recipe] = {}


def recipe(name: str, again: bool = False) -> Callable[[Recipe], Recipe]:
    """Registers the recipe of an op, ``again`` if it takes the place of another one."""

    def register(function: Recipe) -> Recipe:
        assert name in OPS, name
        assert (name in RECIPES) == again, name
        RECIPES[name] = function
        return function

    return register


def recipes_of(depth: int) -> list[Recipe]:
    """What may grow at a depth."""
    return [made for name, made in RECIPES.items() if depth < DEPTH or not OPS[name].regions]


def random_array(rng: np.random.Generator, kind: Type) -> Array:
    """Elements of a type: mostly small numbers, and a few infinities and NaNs."""
    element, shape = kind.element, kind.shape
    if element.kind == "bool":
        return np.asarray(rng.integers(0, 2, shape) != 0)
    if element.is_int:
        low = 0 if element.kind == "uint" else -5
        return np.asarray(rng.integers(low, 7, shape)).astype(element.numpy)
    array = np.asarray(rng.standard_normal(shape) * 2)
    if element.name == "e8m0":
        array = np.abs(array) + 0.5
    if element.name not in ("e8m0", "e2m1") and rng.random() < 0.1:
        odd: list[Any] = [-0.0, np.nan] + [np.inf] * (element.name != "e4m3")
        array = np.where(rng.random(shape) < 0.2, rng.choice(odd, shape), array)
    with np.errstate(all="ignore"):
        return np.asarray(array).astype(element.numpy)
