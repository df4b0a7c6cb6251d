"""Memories as dictionaries of bytes, and views as plain loops over window indices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import NamedTuple

from maiacc_isa.machine import Machine
from maiacc_isa.program import Block
from maiacc_isa.tables import Descriptor
from sim.plain_chains import coordinate
from sim.plain_numbers import PlainTrap, row, signed


class Place(NamedTuple):
    """An instance of a role, or of a memory; -1 where a number does not apply."""

    kind: str
    chip: int
    cluster: int = -1
    tile: int = -1


@dataclass(frozen=True)
class Window:
    """A descriptor with everything filled in that scalars decide."""

    d: Descriptor
    sizes: tuple[int, ...]
    extents: tuple[int, ...]
    origin: tuple[int, ...]
    offset: int
    home: int
    scale: Window | None = None
    meta: Window | None = None

    @property
    def rows(self) -> int:
        return prod(self.sizes[: self.d.split])

    @property
    def columns(self) -> int:
        return prod(self.sizes[self.d.split :])

    def coordinates(self) -> Iterator[list[int]]:
        """The coordinates of every element, in row-major order of the window dims."""
        for index in product(*map(range, self.sizes)):
            where = list(self.origin)
            for i, dim in zip(index, self.d.dims, strict=True):
                where[dim.axis] += dim.step * i
            yield where

    def inside(self, where: list[int]) -> bool:
        """Whether coordinates lie in the box."""
        return all(0 <= c < extent for c, extent in zip(where, self.extents, strict=True))

    def bit(self, where: list[int]) -> int:
        """The first bit of the element there."""
        unit = 1 if row(self.d.dtype).bits < 8 else 8
        strides = sum(c * axis.stride for c, axis in zip(where, self.d.axes, strict=True))
        return (self.d.base + self.offset) * 8 + strides * unit

    @property
    def fill(self) -> int:
        """The code that elements outside the box read."""
        return constant(self.d.fill, self.d.dtype)


def constant(value: int, dtype: str) -> int:
    """The code of 32 bits; types of 64 bits take them as a signed number."""
    return signed(value, 32) & ((1 << row(dtype).bits) - 1)


def locate(block: Block, number: int, read: Callable[[int], int]) -> Window:
    """Fills in a descriptor; ``read`` gives the value of a source by its code."""
    d = block.descriptors[number]
    sizes = [dim.size for dim in d.dims]
    extents = [axis.extent for axis in d.axes]
    for sized in d.sized:
        table = sizes if sized.what.startswith("size") else extents
        value = read(sized.reg)
        if not 0 <= value <= table[int(sized.what[-1])]:
            raise PlainTrap("bounds", f"{sized.what} = {value}")
        table[int(sized.what[-1])] = value
    origin = [axis.start for axis in d.axes]
    moved = {"bytes": 0, "home": 0}
    for term in d.terms:
        value = term.coef * read(term.source)
        if term.target in moved:
            moved[term.target] += value
        else:
            origin[int(term.target[-1])] += value
    aux = [locate(block, n, read) if n is not None else None for n in (d.scale, d.meta)]
    return Window(
        d, tuple(sizes), tuple(extents), tuple(origin), moved["bytes"], moved["home"], *aux
    )


@dataclass
class Memories:
    """Every byte that was written, by memory and address."""

    machine: Machine
    contents: dict[Place, dict[int, int]] = field(default_factory=dict)
    capacity: dict[str, int] = field(default_factory=dict)

    def load(self, place: Place, base: int, data: bytes) -> None:
        """What the host writes."""
        self.contents.setdefault(place, {}).update(enumerate(data, base))

    def read(self, place: Place, bit: int, bits: int) -> int:
        """The code of one element."""
        memory = self.contents.get(place, {})
        first, last = self._range(place, bit, bits)
        total = 0
        for n, address in enumerate(range(first, last + 1)):
            if address not in memory:
                raise PlainTrap("uninitialised", f"{place} byte 0x{address:x}")
            total |= memory[address] << 8 * n
        return total >> (bit - 8 * first) & ((1 << bits) - 1)

    def write(self, place: Place, bit: int, bits: int, code: int) -> None:
        """Writes one element."""
        memory = self.contents.setdefault(place, {})
        first, last = self._range(place, bit, bits)
        shift = bit - 8 * first
        keep = ~(((1 << bits) - 1) << shift)
        total = sum(memory.get(first + n, 0) << 8 * n for n in range(last - first + 1))
        total = total & keep | code << shift
        for n, address in enumerate(range(first, last + 1)):
            memory[address] = total >> 8 * n & 255

    def _range(self, place: Place, bit: int, bits: int) -> tuple[int, int]:
        first, last = bit // 8, (bit + bits - 1) // 8
        if place.kind not in self.capacity:
            self.capacity[place.kind] = self.machine.space_bytes(place.kind)
        if first < 0 or last >= self.capacity[place.kind]:
            raise PlainTrap("bounds", f"{place} byte {first}")
        return first, last

    # ---- views --------------------------------------------------------------------------
    def element(self, window: Window, place: Place, where: list[int]) -> int:
        """The code at coordinates, the fill value outside the box."""
        if window.d.space == "iota":
            if window.d.dtype == "bool":
                return int(window.inside(where))
            return coordinate(where[0], window.d.dtype) if window.inside(where) else window.fill
        if not window.inside(where):
            return window.fill
        return self.read(place, window.bit(where), row(window.d.dtype).bits)

    def elements(self, window: Window, place: Place) -> list[int]:
        """The codes of a view, in order."""
        return [self.element(window, place, where) for where in window.coordinates()]

    def put(self, window: Window, place: Place, where: list[int], code: int) -> None:
        """Writes an element; outside the box it is dropped, or traps."""
        if window.inside(where):
            self.write(place, window.bit(where), row(window.d.dtype).bits, code)
        elif not window.d.drop:
            raise PlainTrap("bounds", f"{place}: {where} outside {window.extents}")

    def store(self, window: Window, place: Place, codes: list[int]) -> None:
        """Writes a view, in order."""
        for where, code in zip(window.coordinates(), codes, strict=True):
            self.put(window, place, where, code)
