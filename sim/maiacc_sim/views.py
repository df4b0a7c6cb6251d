"""Descriptors at work: from sources to a located view, from a located view to its elements.

Everything about origins is done in Python integers. Elements are computed in int64; where a
hostile descriptor could leave it, addresses that do are found and become -1, which no memory has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.tables import Descriptor
from maiacc_sim.issue import Located
from maiacc_sim.traps import Trap

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

#: Elements that one view may have; no word of a proven program comes near.
ELEMENT_LIMIT = 1 << 26

#: Origins beyond this lie outside every box, however far the window reaches back.
_FAR = 1 << 40

#: Sums below this are exact in int64.
_EXACT = 1 << 62


# ---- locating -----------------------------------------------------------------------------


def locate(block: Block, number: int, read: Callable[[int], int]) -> Located:
    """A descriptor of a block with everything filled in that scalars, counters and ids decide;
    ``read`` gives the value of a source by its code.

    Raises ``Trap`` bounds for a size or extent outside 0 .. its static value and for a number
    behind the table, and what ``read`` raises.
    """
    d = _descriptor(block, number)
    scale = None if d.scale is None else _locate(_descriptor(block, d.scale), read)
    meta = None if d.meta is None else _locate(_descriptor(block, d.meta), read)
    return _locate(d, read, scale, meta)


def _descriptor(block: Block, number: int) -> Descriptor:
    if not 0 <= number < len(block.descriptors):
        raise Trap("bounds", f"descriptor {number} lies behind the table of block {block.name}")
    return block.descriptors[number]


def _locate(
    d: Descriptor,
    read: Callable[[int], int],
    scale: Located | None = None,
    meta: Located | None = None,
) -> Located:
    sums = dict.fromkeys((label.name for label in load().enums["target"].labels), 0)
    for term in d.terms:
        sums[term.target] += term.coef * _read(read, term.source)
    sizes = [_sized(read, d.size_reg(i), dim.size, f"size{i}") for i, dim in enumerate(d.dims)]
    extents = [
        _sized(read, d.extent_reg(x), axis.extent, f"extent{x}") for x, axis in enumerate(d.axes)
    ]
    return Located(
        descriptor=d,
        sizes=tuple(sizes),
        extents=tuple(extents),
        origin=tuple(axis.start + sums[f"axis{x}"] for x, axis in enumerate(d.axes)),
        offset=sums["bytes"],
        home=sums["home"] if d.home == "at" else -1,
        scale=scale,
        meta=meta,
    )


def _read(read: Callable[[int], int], code: int) -> int:
    if not any(row.code <= code < row.code + row.count for row in load().sources.values()):
        raise Trap("bounds", "a descriptor's term names no source", found=f"code {code}")
    return read(code)


def _sized(read: Callable[[int], int], reg: int | None, static: int, what: str) -> int:
    """A size or extent: the static one, or a register's value within it."""
    if reg is None:
        return static
    value = read(load().sources["s"].code + reg)
    if not 0 <= value <= static:
        raise Trap(
            "bounds",
            f"{what} of a view, from a register, is out of range",
            expected=f"0 .. {static}",
            found=str(value),
        )
    return value


# ---- elements -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of a view in row-major order of its window dims.

    ``inside`` says which lie in the box. ``address`` is where those lie: in bytes, in bits for
    types below 8 bits; it means nothing for the others. ``shape`` is rows and columns: the
    numbers of elements before and behind the split.
    """

    shape: tuple[int, int]
    inside: Bools
    address: Ints

    def __len__(self) -> int:
        return len(self.inside)


def shape_of(located: Located) -> tuple[int, int]:
    """Rows and columns of a view. Raises ``Trap`` bounds where they are too many."""
    split = located.descriptor.split
    shape = prod(located.sizes[:split]), prod(located.sizes[split:])
    _limit(shape[0] * shape[1])
    return shape


def elements(located: Located) -> Elements:
    """The elements of a view. Raises ``Trap`` bounds for more than ``ELEMENT_LIMIT``."""
    shape = shape_of(located)
    places = [_coordinates(located, x) for x in range(len(located.origin))]
    return _elements(located, shape, located.sizes, places)


def coordinates(located: Located, axis: int) -> Ints:
    """The coordinate on an axis of every element in the box, in row-major order of the window
    dims; far outside the box it is only somewhere outside."""
    shape_of(located)
    return np.broadcast_to(_coordinates(located, axis), located.sizes).reshape(-1)


def rows_at(located: Located, rows: Ints) -> Elements:
    """For each of ``rows`` the elements of a view, with their coordinate on axis 0 replaced."""
    count = prod(located.sizes)
    _limit(len(rows) * count)
    places = [_coordinates(located, x)[np.newaxis] for x in range(len(located.origin))]
    places[0] = rows.reshape(-1, *[1] * len(located.sizes))
    return _elements(located, (len(rows), count), (len(rows), *located.sizes), places)


def _limit(count: int) -> None:
    if count > ELEMENT_LIMIT:
        raise Trap(
            "bounds",
            "a view has more elements than any word may touch",
            expected=f"at most {ELEMENT_LIMIT}",
            found=str(count),
        )


def _coordinates(located: Located, axis: int) -> Ints:
    """Coordinates on an axis, of shape 1 along the dims that do not move it."""
    dims = located.descriptor.dims
    start = max(-_FAR, min(_FAR, located.origin[axis]))
    result = np.full([1] * len(dims), start, np.int64)
    for number, dim in enumerate(dims):
        if dim.axis == axis:
            along = [1] * len(dims)
            along[number] = located.sizes[number]
            result = result + dim.step * np.arange(located.sizes[number]).reshape(along)
    return result


def _elements(
    located: Located, shape: tuple[int, int], sizes: Sequence[int], places: Sequence[Ints]
) -> Elements:
    inside: Bools = np.ones([1] * len(sizes), np.bool_)
    held = []
    for place, extent in zip(places, located.extents, strict=True):
        fits = (place >= 0) & (place < extent)
        inside = inside & fits
        held.append(np.where(fits, place, 0))
    address = _addresses(located, held)
    return Elements(
        shape,
        np.broadcast_to(inside, sizes).reshape(-1),
        np.broadcast_to(address, sizes).reshape(-1),
    )


def _addresses(located: Located, places: Sequence[Ints]) -> Ints:
    """Addresses of coordinates that lie in the box; -1 for those beyond all memories."""
    d = located.descriptor
    start = (d.base + located.offset) * (8 if load().dtypes[d.dtype].packed else 1)
    strides = [axis.stride for axis in d.axes]
    reach = sum(abs(s) * extent for s, extent in zip(strides, located.extents, strict=True))
    # int64 arithmetic is exact modulo 2^64, so it is exact wherever the sum itself is small.
    wrapped = (start + _EXACT * 2) % (_EXACT * 4) - _EXACT * 2
    result = np.full([1] * places[0].ndim, wrapped, np.int64)
    with np.errstate(over="ignore"):
        for place, stride in zip(places, strides, strict=True):
            result = result + place * stride
    if abs(start) + reach < _EXACT:
        return result
    # Each float64 product is off by far less than the distance of _EXACT / 2 from _EXACT.
    about = np.full([1] * places[0].ndim, float(start))
    for place, stride in zip(places, strides, strict=True):
        about = about + place.astype(np.float64) * float(stride)
    return np.where(np.abs(about) < _EXACT / 2, result, -1)


def describe(located: Located, position: int) -> tuple[str, str, str]:
    """Where an element is that lies outside its box: its window indices, the box and its
    coordinates there, as text."""
    sizes = located.sizes
    indices = [int(i) for i in np.unravel_index(position, sizes)] if sizes else []
    found = list(located.origin)
    for index, dim in zip(indices, located.descriptor.dims, strict=True):
        found[dim.axis] += dim.step * index
    box = ", ".join(f"0 .. {extent - 1}" for extent in located.extents)
    return f"({', '.join(map(str, indices))})", box, ", ".join(map(str, found))
