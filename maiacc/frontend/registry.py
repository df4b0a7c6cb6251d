"""Which ONNX operators there are importers for, by domain, name and version."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from maiacc_passes.ir.graph import Value

if TYPE_CHECKING:
    from maiacc.frontend.node import Node

#: Turns a node into ops; its outputs, or the only one. None stands for one that nobody wants.
Importer = Callable[["Node"], "Value | Sequence[Value | None]"]

_F = TypeVar("_F", bound=Importer)

#: Names of the default domain and of onnxruntime's.
ONNX, MICROSOFT = "", "com.microsoft"


@dataclass(frozen=True)
class Entry:
    """An importer from a version of its operator on."""

    domain: str
    name: str
    since: int
    importer: Importer

    @property
    def title(self) -> str:
        """The operator as people write it."""
        return f"{self.domain}.{self.name}" if self.domain else self.name


@dataclass(frozen=True)
class Refusal:
    """An operator that is refused: why, and what to do instead."""

    reason: str
    way_out: str


#: Importers of each operator, the latest first.
ENTRIES: dict[tuple[str, str], list[Entry]] = {}

#: Operators that are refused by name.
REFUSED: dict[tuple[str, str], Refusal] = {}


def importer(*names: str, since: int = 1, domain: str = ONNX) -> Callable[[_F], _F]:
    """Registers an importer of operators, from a version of theirs on."""

    def register(function: _F) -> _F:
        for name in names:
            entries = ENTRIES.setdefault((domain, name), [])
            assert all(entry.since != since for entry in entries), f"{name} twice from {since}"
            entries.append(Entry(domain, name, since, function))
            entries.sort(key=lambda entry: -entry.since)
        return function

    return register


def refuse(reason: str, way_out: str, *names: str, domain: str = ONNX) -> None:
    """Registers operators that are refused."""
    for name in names:
        REFUSED[domain, name] = Refusal(reason, way_out)


def entry_for(domain: str, name: str, version: int) -> Entry | None:
    """The importer of a version of an operator."""
    return next((e for e in ENTRIES.get((domain, name), ()) if e.since <= version), None)
