"""What assembly text is read into: statements with their places, nothing resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Pos(NamedTuple):
    line: int
    column: int


@dataclass(frozen=True)
class Linear:
    """A sum of products; a name of None is a constant."""

    pos: Pos
    parts: tuple[tuple[int, str | None, Pos], ...]


@dataclass(frozen=True)
class Bound:
    """A size: a number, or a scalar register and the most it may hold."""

    static: int | None
    reg: str | None
    pos: Pos


@dataclass(frozen=True)
class BufferPlace:
    pos: Pos
    name: str
    slot: Linear | None
    home: Linear | str | None


@dataclass(frozen=True)
class RawPlace:
    pos: Pos
    dtype: str
    space: str
    home: Linear | str | None
    base: int
    offset: Linear | None


@dataclass(frozen=True)
class AxisText:
    at: Linear
    bound: Bound | None
    stride: int | None


@dataclass(frozen=True)
class View:
    pos: Pos
    place: BufferPlace | RawPlace
    dims: tuple[tuple[str, Bound], ...]
    split: int
    axes: tuple[AxisText, ...]
    options: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class TokenText:
    pos: Pos
    name: str
    count: int


@dataclass(frozen=True)
class Statement:
    """Any line: its kind, where it stands, and its parts by name."""

    kind: str
    pos: Pos
    parts: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.parts[name]
