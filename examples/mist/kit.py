"""What the kernel generators share: machines, addresses, and text of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from maiacc_isa.machine import Machine, load_machine


def machine(target: str) -> Machine:
    """The machine a kernel is written for."""
    return load_machine(target)


def cdiv(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def align(n: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not below ``n``."""
    return cdiv(n, unit) * unit


@dataclass
class Space:
    """Hands out addresses of one memory, one after the other."""

    at: int = 0
    unit: int = 64

    def take(self, size: int) -> int:
        """The address of ``size`` bytes."""
        address = self.at
        self.at = align(address + size, self.unit)
        return address


def table(name: str, entries: Iterable[int]) -> str:
    """A constant table, 20 entries a line."""
    texts = [str(n) for n in entries]
    rows = [", ".join(texts[i : i + 20]) for i in range(0, len(texts), 20)]
    return f"table {name} = [" + ",\n    ".join(rows) + "]"


def split_evenly(total: int, parts: int) -> list[tuple[int, int]]:
    """``parts`` ranges (start, length) of near-equal length that cover ``total``."""
    bounds = [total * i // parts for i in range(parts + 1)]
    return [(a, b - a) for a, b in zip(bounds, bounds[1:], strict=False)]
