"""Dims of copies: how far apart elements are where they are and where they go, and tiles of them.

Lines that go on in each other on both sides are one:

    64 x 96 elements, 96 and 1 apart on both sides      6144 elements, 1 apart
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import EXTENT, START
from maiacc_passes.kernel.model import Term
from maiacc_passes.kernel.views import Side
from maiacc_passes.lowering.tiling import Tiling, name_of


@dataclass(frozen=True)
class Line:
    """``size`` elements along a dim, so far apart at the source and at the target. If only
    ``extent`` of them exist, that many do from element ``before`` on."""

    size: int
    source: int
    target: int
    extent: int | None = None
    before: int = 0

    @property
    def read(self) -> bool:
        """Whether the source has elements of its own along it."""
        return bool(self.source) or self.extent is not None

    def around(self, inner: Line) -> Line | None:
        """This line with another one inside of it, as one; None if they are two."""
        whole = self.size * inner.size
        fits = (
            self.source == inner.source * inner.size
            and self.target == inner.target * inner.size
            and inner.extent is None
            and self.before * inner.size < START
            and whole < EXTENT
        )
        if not fits:
            return None
        extent = None if self.extent is None else self.extent * inner.size
        return Line(whole, inner.source, inner.target, extent, self.before * inner.size)


def merged(lines: Sequence[Line]) -> list[Line]:
    """Lines in this order with those that go on in each other as one, without those of size 1."""
    found: list[Line] = []
    for line in lines:
        if line.size == 1 and line.extent is None:
            continue
        both = found[-1].around(line) if found else None
        if both is not None:
            found[-1] = both
        else:
            found.append(line)
    return found


def lines_of(sizes: Sequence[int], source: Sequence[int], target: Sequence[int]) -> list[Line]:
    """Lines of two lists of strides, in the order of the target's."""
    found = [Line(n, s, t) for n, s, t in zip(sizes, source, target, strict=True)]
    return merged(sorted(found, key=lambda x: -abs(x.target)))


def part(tiling: Tiling, dim: int, stride: int, line: Line | None = None) -> Side:
    """The part of a dim that a tile has in HBM: its box, if a tile sticks out or elements lack."""
    if line is None or line.extent is None:
        return tiling.side(dim, stride)
    terms: tuple[Term, ...] = ()
    if dim in tiling.spreads:
        terms = ((name_of(dim), tiling.tiles[dim]),)
    return Side(tiling.tiles[dim], stride, line.extent, -line.before, terms)


def bits(value: float, dtype: str) -> float:
    """The integer of the same width that has the bits of a number."""
    element = ELEMENTS[dtype]
    if not element.is_float:
        return value
    found = np.array([value]).astype(element.numpy).view(f"int{element.bits}")
    return float(found[0])


def backward(tiling: Tiling, dim: int, line: Line) -> bool:
    """Whether a tile can be read from its end: all of it exists."""
    return line.extent is None and not tiling.ragged(dim)


def reverse(tiling: Tiling, dim: int, stride: int) -> Side:
    """The part of a dim with a negative stride that a tile has, from its end to its start."""
    tile = tiling.tiles[dim]
    terms: tuple[Term, ...] = ()
    if dim in tiling.spreads:
        terms = ((name_of(dim), -tile),)
    return Side(tile, -stride, None, 1 - tile, terms)
