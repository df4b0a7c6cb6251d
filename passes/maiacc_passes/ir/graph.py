"""Values, ops, regions and modules, and the only verbs that change them.

A module has one main region, the constants that its ops use, and bounds of sizes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from maiacc_passes.ir.types import Type
from maiacc_passes.ir.values import NOWHERE, Attribute, Location, Op, Region, Value
from maiacc_passes.ir.weights import Source

__all__ = [
    "NOWHERE",
    "Attribute",
    "Location",
    "Module",
    "Op",
    "Region",
    "Value",
    "Weight",
]

#: Characters that names of weights do not have in the text.
_UNFIT = re.compile(r"[^A-Za-z0-9_.]")


class Weight:
    """A constant of the module. ``value`` is what ops have as operand."""

    __slots__ = ("name", "source", "value")

    def __init__(self, name: str, kind: Type, source: Source) -> None:
        self.name = name
        self.source = source
        self.value = Value(kind)
        self.value.weight = self

    @property
    def type(self) -> Type:
        """The type of the elements."""
        return self.value.type


@dataclass
class Module:
    """A model at some stage. ``inputs`` and ``outputs`` are the names that the model has for the
    main region's parameters and for the values it returns; ``bounds`` says how large each symbol
    of a bounded dimension can be."""

    stage: str = "graph"
    main: Region = field(default_factory=Region)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    weights: dict[str, Weight] = field(default_factory=dict)
    bounds: dict[str, int] = field(default_factory=dict)
    _taken: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def regions(self) -> list[Region]:
        """All regions, the main one first, inner ones behind those around them."""
        found = [self.main]
        for region in found:
            found += [inner for op in region for inner in op.regions]
        return found

    def add_weight(self, name: str, kind: Type, source: Source) -> Value:
        """A new constant; its name is made unique and fit for the text."""
        clean = _UNFIT.sub("_", name)
        clean = clean if clean[:1].isalpha() or clean[:1] == "_" else f"w{clean}"
        # Many constants have the same name; the search goes on where the last one ended.
        unique, number = clean, self._taken.get(clean, 0)
        while unique in self.weights:
            number += 1
            unique = f"{clean}.{number}"
        self._taken[clean] = number
        weight = self.weights[unique] = Weight(unique, kind, source)
        return weight.value

    def add_input(self, name: str, kind: Type) -> Value:
        """A new input of the model."""
        self.inputs.append(name)
        return self.main.add_param(kind)

    def add_bound(self, most: int) -> str:
        """A new symbol for a number of at most so much."""
        number = len(self.bounds)
        while f"n{number}" in self.bounds:
            number += 1
        symbol = f"n{number}"
        self.bounds[symbol] = most
        return symbol

    def drop_unused_weights(self) -> None:
        """Forgets constants that no op uses."""
        self.weights = {name: w for name, w in self.weights.items() if w.value.uses}
        self._taken = {}
