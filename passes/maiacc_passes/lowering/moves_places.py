"""What an op indexes: dims of what is read or written at computed places, and parts of tuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

from maiacc_passes.ir.graph import NOWHERE, Location
from maiacc_passes.lowering.access import Access

#: Coordinates and places lie below this.
FAR = 1 << 31

#: Types that words take indices in.
INDEX = ("int32", "int64")


@dataclass(frozen=True)
class Spot:
    """``size`` elements, so far apart among indices, in the result, and in what is indexed, which
    may have more of them: ``reach``."""

    size: int
    index: int
    target: int
    base: int
    reach: int = 0

    @property
    def whole(self) -> int:
        """How many elements what is indexed has along the dim."""
        return self.reach or self.size

    def around(self, inner: Spot) -> Spot | None:
        """This spot with another one inside of it, as one; None if they are two."""
        mine, others = (
            (self.index, self.target, self.base),
            (inner.index, inner.target, inner.base),
        )
        whole = self.whole * inner.size
        together = all(a == b * inner.size for a, b in zip(mine, others, strict=True))
        if whole >= FAR or inner.size != inner.whole or not together:
            return None
        size = self.size * inner.size
        return Spot(size, inner.index, inner.target, inner.base, 0 if size == whole else whole)


def joined(spots: Sequence[Spot]) -> tuple[Spot, ...]:
    """Spots with those that go on in each other as one, without those of size 1."""
    found: list[Spot] = []
    for spot in spots:
        if spot.whole == 1:
            continue
        both = found[-1].around(spot) if found else None
        found = [*found[:-1], both] if both is not None else [*found, spot]
    return tuple(found)


@dataclass(frozen=True)
class Part:
    """An index of a tuple: the extent of the axis it goes along, and how far apart its elements
    are."""

    extent: int
    stride: int


@dataclass(frozen=True)
class Places:
    """What an op indexes: ``spots`` in the order of the result, ``parts`` of tuples that lie
    ``step`` elements apart among the indices. ``oob`` is trap, clamp or fill."""

    index: Access
    spots: tuple[Spot, ...]
    parts: tuple[Part, ...]
    step: int
    oob: str
    location: Location = NOWHERE

    @property
    def dtype(self) -> str:
        """The type of indices."""
        return self.index.dtype or self.index.buffer.dtype

    @cached_property
    def rows(self) -> list[int]:
        """Spots that have indices of their own."""
        return [d for d, spot in enumerate(self.spots) if spot.index]

    @cached_property
    def columns(self) -> list[int]:
        """Spots along which the index is the same."""
        return [d for d, spot in enumerate(self.spots) if not spot.index]

    @cached_property
    def direct(self) -> bool:
        """Whether an index is a place as it is."""
        bases = any(self.spots[d].base for d in self.rows)
        return len(self.parts) == 1 and not bases and self.dtype in INDEX

    @property
    def negative(self) -> bool:
        """Whether a place grows while an index or a coordinate falls."""
        steps = [part.stride for part in self.parts]
        return min(*steps, *(self.spots[d].base for d in self.rows), 0) < 0

    @cached_property
    def unit(self) -> int:
        """What all strides of places are multiples of."""
        steps = [part.stride for part in self.parts]
        steps += [self.spots[d].base for d in self.rows]
        return max(1, gcd(*steps))

    @cached_property
    def extent(self) -> int:
        """How many places there are."""
        reach = sum((part.extent - 1) * part.stride for part in self.parts)
        reach += sum((self.spots[d].size - 1) * self.spots[d].base for d in self.rows)
        return max(0, reach // self.unit + 1)
