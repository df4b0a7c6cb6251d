"""What the kernel generators share: machines, addresses, pieces of text, the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from maiacc_isa.errors import MaiaccError, render
from maiacc_isa.machine import Machine, load_machine

#: Sizes of a kernel by target.
Sizes = dict[str, dict[str, int]]


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


def buffer(space: Space, name: str, dtype: str, shape: str, size: int, slots: int = 1) -> str:
    """A buffer of TSRAM with the next free address, ``size`` bytes for each slot."""
    pitch = align(size, space.unit)
    tail = f" slots {slots} pitch {pitch:#x}" if slots > 1 else ""
    return f"  buffer {name} : {dtype}[{shape}] @tsram {space.take(pitch * slots):#x}{tail}"


def registers(names: Mapping[str, str]) -> str:
    """Names for the scalar registers from s0 on, each with a remark or an empty one."""
    return "\n".join(
        f"  reg {name} = s{i}" + f"  # {text}" * bool(text)
        for i, (name, text) in enumerate(names.items())
    )


def table(name: str, entries: Iterable[int]) -> str:
    """A constant table, 20 entries a line."""
    texts = [str(n) for n in entries]
    rows = [", ".join(texts[i : i + 20]) for i in range(0, len(texts), 20)]
    return f"table {name} = [" + ",\n    ".join(rows) + "]"


def split_evenly(total: int, parts: int) -> list[tuple[int, int]]:
    """``parts`` ranges (start, length) of near-equal length that cover ``total``."""
    bounds = [total * i // parts for i in range(parts + 1)]
    return [(a, b - a) for a, b in pairwise(bounds)]


def runs(items: int, parts: int) -> tuple[list[int], list[int]]:
    """First item and number of items of each of ``parts`` near-equal runs."""
    ranges = split_evenly(items, parts)
    return [first for first, _ in ranges], [count for _, count in ranges]


def main(source: Callable[..., str], sizes: Sizes) -> None:
    """Prints the program for the target and sizes that the command line names:
    ``python gemm.py mini m=100``."""
    targets = ", ".join(sizes)
    target, *given = sys.argv[1:] or [""]
    if target not in sizes:
        sys.exit(f"usage: {sys.argv[0]} TARGET [NAME=NUMBER ...]; TARGET is one of {targets}")
    try:
        changes = {name: int(number) for name, number in (word.split("=") for word in given)}
    except ValueError:
        sys.exit(f"{' '.join(given)}: sizes are given as NAME=NUMBER")
    unknown = changes.keys() - sizes[target].keys()
    if unknown:
        known = ", ".join(sizes[target])
        sys.exit(f"{', '.join(sorted(unknown))}: no size of this kernel, which has {known}")
    try:
        sys.stdout.write(source(target, **sizes[target] | changes))
    except MaiaccError as error:
        sys.exit(render(error))
    except ValueError as error:
        sys.exit(str(error))
