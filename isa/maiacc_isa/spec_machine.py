"""Types, memories, queues, ports and constants of the rows, as frozen dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from maiacc_isa.expr import Expr


@dataclass(frozen=True)
class Limit:
    """A number the instruction set fixes for every machine."""

    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Label:
    name: str
    code: int
    doc: str


@dataclass(frozen=True)
class Enum:
    """A set of names for the values of a field."""

    name: str
    doc: str
    labels: tuple[Label, ...]

    @cached_property
    def by_name(self) -> dict[str, Label]:
        return {label.name: label for label in self.labels}

    @cached_property
    def by_code(self) -> dict[int, Label]:
        return {label.code: label for label in self.labels}


@dataclass(frozen=True)
class DType:
    """A number format. Float formats have all of exponent, mantissa, bias, inf and nan."""

    name: str
    code: int
    doc: str
    kind: str
    bits: int
    signed: bool = False
    exponent: int = 0
    mantissa: int = 0
    bias: int = 0
    inf: bool = False
    nan: str = "none"

    @property
    def is_float(self) -> bool:
        return self.kind == "float"

    @property
    def is_int(self) -> bool:
        return self.kind == "int"

    @property
    def packed(self) -> bool:
        """Whether several elements share a byte."""
        return self.bits < 8

    @property
    def low(self) -> int:
        """Smallest integer of an integer format."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest integer of an integer format."""
        return (1 << (self.bits - self.signed)) - 1


@dataclass(frozen=True)
class Role:
    name: str
    code: int
    doc: str


@dataclass(frozen=True)
class Queue:
    name: str
    code: int
    role: str
    engine: str
    doc: str


@dataclass(frozen=True)
class Source:
    """A family of values a scalar word may read: `count` consecutive codes from `code`."""

    name: str
    code: int
    count: int
    roles: tuple[str, ...]
    varies: str
    doc: str


@dataclass(frozen=True)
class Space:
    name: str
    code: int
    role: str
    bytes: Expr
    granule: Expr
    doc: str


@dataclass(frozen=True)
class Port:
    name: str
    role: str
    width: Expr
    doc: str


@dataclass(frozen=True)
class Hop:
    """A port on a route, and which side's bytes occupy it."""

    port: str
    bytes: str


@dataclass(frozen=True)
class Route:
    source: str
    destination: str
    home: str
    engines: tuple[str, ...]
    hops: tuple[Hop, ...]
    latency: Expr
    doc: str


@dataclass(frozen=True)
class Constant:
    """A constant of a machine file: type, inclusive bounds, unit and meaning."""

    path: str
    type: str
    low: float | None
    high: float | None
    unit: str
    doc: str


@dataclass(frozen=True)
class Pair:
    """Operand types of the tensor unit that may meet."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    rate: str
    acc: str
    doc: str


@dataclass(frozen=True)
class Trap:
    name: str
    code: str
    doc: str
