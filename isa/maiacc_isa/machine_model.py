"""A machine in memory: constants by path, where each comes from, and what follows from them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from maiacc_isa import expr as ex
from maiacc_isa.load import load

#: Annotations inside ``Machine``, which has a method called ``int``.
Number = int


@dataclass(frozen=True)
class Provenance:
    """Where a constant comes from: one of ``SOURCES``, and a citation or a reason."""

    source: str
    cite: str


@dataclass(frozen=True)
class Published:
    """A published figure and the formula over the constants that must reproduce it."""

    name: str
    value: float
    unit: str
    formula: ex.Expr
    tolerance: float
    cite: str


@dataclass(frozen=True)
class Machine:
    """A machine. Values are plain numbers in the units of ``rows/machine.isa``."""

    name: str
    title: str
    values: dict[str, Number | float | str]
    provenance: dict[str, Provenance]
    published: tuple[Published, ...]

    def __getitem__(self, path: str) -> Number | float | str:
        return self.values[path]

    def int(self, path: str) -> Number:
        """A constant that is a whole number."""
        value = self.values[path]
        assert isinstance(value, int)
        return value

    @property
    def chips(self) -> Number:
        return self.int("system.chips")

    @property
    def clusters(self) -> Number:
        """Clusters of a chip."""
        return self.int("chip.clusters")

    @property
    def tiles(self) -> Number:
        """Tiles of a cluster."""
        return self.int("cluster.tiles")

    @property
    def links(self) -> Number:
        return self.int("net.links")

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the values: equal for machines on which every program means the same."""
        text = json.dumps(self.values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def instances(self, role: str) -> Number:
        """How many instances of a role a chip has."""
        return {"tile": self.clusters * self.tiles, "cluster": self.clusters, "chip": 1}[role]

    def evaluate(self, expr: ex.Expr, link: Number = 0) -> Any:
        """An expression over constants; ``m.link.x`` means link number ``link``."""
        return ex.evaluate(expr, _Constants(self, link))

    def space_bytes(self, space: str) -> Number:
        """Capacity of one instance of a memory, in bytes."""
        return int(self.evaluate(load().spaces[space].bytes))

    def space_granule(self, space: str) -> Number:
        """Smallest piece of a memory that is moved, in bytes."""
        return int(self.evaluate(load().spaces[space].granule))

    def kchunk(self, left: str, right: str) -> Number:
        """K the tensor unit takes per cycle for a pair of types; 0 if they are no pair here."""
        for pair in load().pairs:
            if left in pair.left and right in pair.right:
                return self.int(f"ttu.kchunk.{pair.rate}")
        return 0

    def peak(self, rate: str) -> float:
        """Peak of a chip for a rate of the tensor unit, in operations (2 per MAC) per second."""
        block = self.int("ttu.block")
        macs = block * block * self.int(f"ttu.kchunk.{rate}") * self.instances("tile")
        return 2.0 * macs * float(self.values["clock.hz"])

    def reaches(self, link: Number, chip: Number, peer: Number) -> bool:
        """Whether a link of a chip leads to another chip."""
        rule = str(self.values[f"link.{link}.reach"]).split()
        if peer == chip or not 0 <= peer < self.chips:
            return False
        match rule:
            case ["any"]:
                return True
            case ["next"]:
                return peer == (chip + 1) % self.chips
            case ["xor", number]:
                return peer == chip ^ int(number)
        return False


class _Constants:
    """Gives expressions over machine constants and limits their meaning."""

    def __init__(self, machine: Machine, link: int) -> None:
        self._machine = machine
        self._link = link

    def name(self, name: str) -> Any:
        raise KeyError(name)

    def path(self, path: str) -> Any:
        head, rest = path.split(".", 1)
        if head == "limit":
            return load().limit(rest)
        if rest.startswith("link.") and rest.count(".") == 1:
            rest = f"link.{self._link}.{rest[5:]}"
        return self._machine.values[rest]

    def function(self, name: str) -> Callable[..., Any]:
        raise KeyError(name)
