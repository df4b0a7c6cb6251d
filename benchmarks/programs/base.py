"""What the generators of benchmark programs share: addresses, numbers, the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.errors import MaiaccError, render
from maiacc_isa.load import load
from maiacc_isa.machine import Machine, load_machine

Array: TypeAlias = NDArray[Any]
Arrays: TypeAlias = "dict[str, Array]"

S = TypeVar("S")

#: The most bytes that a DMA word moves.
DMA_BYTES = load().limit("dma_bytes")


def cdiv(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


def align(n: int, unit: int) -> int:
    """The smallest multiple of ``unit`` that is not below ``n``."""
    return cdiv(n, unit) * unit


def divisor(n: int, most: int) -> int:
    """The largest divisor of ``n`` that is at most ``most``."""
    return next(d for d in range(max(1, min(n, most)), 0, -1) if n % d == 0)


def check(good: bool, message: str) -> None:
    """Raises ``ValueError`` for sizes that a program cannot have."""
    if not good:
        raise ValueError(message)


@dataclass
class Space:
    """Hands out addresses of one memory, one after the other."""

    size: int
    at: int = 0
    unit: int = 64

    def take(self, size: int) -> str:
        """The address of ``size`` bytes. Raises ``ValueError`` if the memory is full."""
        address = self.at
        self.at = align(address + size, self.unit)
        check(self.at <= self.size, f"{self.at} bytes do not fit a memory of {self.size}")
        return f"{address:#x}"


def hbm(machine: Machine) -> Space:
    """The addresses of HBM."""
    return Space(machine.space_bytes("hbm"), unit=256)


def tsram(machine: Machine) -> Space:
    """The addresses of a tile's memory."""
    return Space(machine.space_bytes("tsram"))


def table(name: str, entries: Sequence[int]) -> str:
    """A constant table, 12 entries a line."""
    texts = [str(n) for n in entries]
    rows = [", ".join(texts[i : i + 12]) for i in range(0, len(texts), 12)]
    return f"table {name} = [" + ",\n    ".join(rows) + "]"


# ---- numbers -----------------------------------------------------------------------------------
def bf16(values: Array) -> Array:
    """The codes of numbers rounded to bf16, to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32).astype(np.uint64)
    codes: Array = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return codes


def from_bf16(codes: Array) -> Array:
    """The numbers, in fp32, of codes of bf16."""
    numbers: Array = (codes.astype(np.uint32) << 16).view(np.float32)
    return numbers


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """Normally distributed numbers in fp32."""
    numbers: Array = rng.standard_normal(shape, np.float32) * np.float32(scale)
    return numbers


# ---- the command line ----------------------------------------------------------------------------
def sizes_of(default: S, words: list[str]) -> S:
    """Sizes with some changed by words like ``m=256`` or ``depths=2,2``. Raises ``ValueError`` for
    other words."""
    changes: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        old: Any = getattr(default, name, None)
        check(old is not None, f"{word}: sizes are those of {default}, given as NAME=VALUE")
        if isinstance(old, tuple):
            changes[name] = tuple(int(part) for part in value.split(","))
        else:
            changes[name] = type(old)(value)
    return replace(default, **changes)  # type: ignore[type-var]


def main(default: S, text: Callable[[S, Machine], str], target: str = "maia200") -> None:
    """Prints the program for the sizes that the command line names."""
    try:
        sys.stdout.write(text(sizes_of(default, sys.argv[1:]), load_machine(target)))
    except MaiaccError as error:
        sys.exit(render(error))
    except ValueError as error:
        sys.exit(str(error))
