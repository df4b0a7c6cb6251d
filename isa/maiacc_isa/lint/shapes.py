"""From descriptors to footprints: the window of each axis, cut off by its box, as lattice boxes.

A window inside its box is one box. One that the box cuts is taken apart into boxes if its origin
is known; if only unknowns say where it is cut, it is one box that contains all possibilities,
marked by a guard. If the unknowns are ids, it also says what each instance touches
(``maiacc_isa.lint.cuts``).
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import product
from math import gcd

from maiacc_isa.lint.cuts import Cut, CutAxis, clipped, hull, upwards, windows
from maiacc_isa.lint.regions import Region, Steps, normal
from maiacc_isa.lint.spans import Span
from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.load import load
from maiacc_isa.tables import Descriptor

Guard = tuple[object, ...]


@dataclass(frozen=True)
class Axis:
    """An axis of a descriptor, prepared: its origin, and its window dims as (step, size, register
    of the size). ``reach`` is the window's first and last coordinate from its origin, None if
    registers size it."""

    extent: int
    extent_reg: int | None
    stride: int
    start: int
    terms: tuple[tuple[int, int], ...]
    dims: tuple[tuple[int, int, int | None], ...]
    reach: tuple[int, int] | None


@dataclass
class Piece:
    """What an axis contributes to a box: ``origin + first`` coordinates, then steps. With a guard
    only ``sure`` steps are sure to be touched all. ``top`` is where it may be anchored instead;
    ``cut`` is how ids cut it, ``uncut`` the whole window."""

    origin: Val
    first: int
    steps: Steps
    guard: Guard = ()
    sure: Steps = ()
    top: Val | None = None
    cut: CutAxis | None = None
    uncut: Piece | None = None


@dataclass(frozen=True)
class Footprint:
    """The boxes of a view. ``spans`` are the windows by axis; ``outside`` says what lies outside
    the box, if anything can. It is ``unclear`` if ids cut it in a way that cannot be listed."""

    regions: tuple[Region, ...]
    spans: tuple[Span, ...]
    outside: str | None = None
    unclear: bool = False


class Shape:
    """A descriptor prepared for footprints; distances are in bits."""

    def __init__(self, d: Descriptor) -> None:
        self.descriptor = d
        dtype = load().dtypes[d.dtype]
        self.bits = dtype.bits
        self.base = d.base
        self._unit = 1 if dtype.packed else 8
        self.byte_terms = tuple((t.source, t.coef) for t in d.terms if t.target == "bytes")
        self.home_terms = tuple((t.source, t.coef) for t in d.terms if t.target == "home")
        self.axes = tuple(self._axis(number) for number in range(len(d.axes)))
        self.sources = tuple(code for axis in self.axes for code, _ in axis.terms)
        self._static = self._fixed_box()

    def _fixed_box(self) -> Region | None:
        """The box at origin 0 of a window that is always the same; None if registers size it."""
        dims = [dim for axis in self.axes for dim in axis.dims]
        if any(size <= 0 or reg is not None for _, size, reg in dims):
            return None
        pieces = tuple(
            Piece(Val(0), 0, tuple((step, size) for step, size, _ in axis.dims))
            for axis in self.axes
        )
        return self._box(Val(0), pieces)

    def _axis(self, number: int) -> Axis:
        d = self.descriptor
        axis = d.axes[number]
        dims = [
            (dim.step, dim.size, d.size_reg(i))
            for i, dim in enumerate(d.dims)
            if dim.axis == number
        ]
        terms = [(t.source, t.coef) for t in d.terms if t.target == f"axis{number}"]
        stride = axis.stride * self._unit
        fixed = all(reg is None for _, _, reg in dims)
        reach = _reach([(step, size) for step, size, _ in dims]) if fixed else None
        return Axis(
            axis.extent, d.extent_reg(number), stride, axis.start, tuple(terms), tuple(dims), reach
        )

    def everything(self) -> Region | None:
        """All of the box, in which every window lies; None if scalars set it or move it, or if it
        is empty."""
        if self.byte_terms or self.descriptor.sized or any(a.extent < 1 for a in self.axes):
            return None
        pieces = tuple(Piece(Val(0), 0, ((1, axis.extent),)) for axis in self.axes)
        return self._box(Val(self.base), pieces)

    def footprint(
        self,
        base: Val,
        origins: list[Val],
        extents: list[Val],
        sizes: list[list[Val]],
        whole: bool,
        ids: AbstractSet[Sym],
    ) -> Footprint:
        """The bits touched, and what is wrong if elements lie outside the box.

        ``base`` is the byte address of coordinate 0, ``origins`` the coordinates of the window,
        ``extents`` the box, ``sizes`` those of the window dims by axis. ``whole`` takes all of
        axis 0. ``ids`` are unknowns that differ from instance to instance.
        """
        if self._static is not None and not whole:
            quick = tuple(map(_span, self.axes, origins, extents, sizes))
            if all(span.inside for span in quick):
                return Footprint((self._moved(base, origins),), quick)
        pieces: list[list[Piece]] = []
        spans: list[Span] = []
        outside = None
        empty = False
        for number, axis in enumerate(self.axes):
            if whole and number == 0:
                pieces.append(_everything(extents[0]))
                continue
            if any(size.high <= 0 for size in sizes[number]):
                empty = True
                continue
            span = _span(axis, origins[number], extents[number], sizes[number])
            spans.append(span)
            if not span.inside and outside is None:
                first, last = span.origin.low + span.low, span.origin.high + span.high
                box = span.extent.low - 1
                outside = f"axis {number}: coordinates {first} to {last}, box 0 to {box}"
            pieces.append(_pieces(axis, span, sizes[number], ids))
        if empty:
            return Footprint((), ())
        unclear = bool(ids) and _unclear(spans, pieces, ids)
        regions = tuple(self._join(base, parts) for parts in product(*pieces))
        return Footprint(regions, tuple(spans), outside, unclear)

    def _moved(self, base: Val, origins: list[Val]) -> Region:
        """The box that is always the same, at its place."""
        assert self._static is not None
        address = self._static.base + base.scaled(8)
        for axis, origin in zip(self.axes, origins, strict=True):
            address = address + origin.scaled(axis.stride)
        return Region(address, self._static.steps, self._static.run)

    def _join(self, base: Val, pieces: tuple[Piece, ...]) -> Region:
        region = self._box(base, pieces)
        if any(piece.top is not None for piece in pieces):
            far = tuple(
                piece if piece.top is None else replace(piece, origin=piece.top, first=0)
                for piece in pieces
            )
            region = replace(region, others=(self._box(base, far),))
        if any(piece.cut is not None for piece in pieces):
            uncut = tuple(piece if piece.uncut is None else piece.uncut for piece in pieces)
            others = (*region.others, self._box(base, uncut))
            region = replace(region, others=others, cut=self._cut(base, pieces))
        return region

    def _box(self, base: Val, pieces: tuple[Piece, ...]) -> Region:
        address = base.scaled(8)
        steps: list[tuple[int, int]] = []
        guard: Guard = ()
        for axis, piece in zip(self.axes, pieces, strict=True):
            address = address + piece.origin.plus(piece.first).scaled(axis.stride)
            steps += [(step * axis.stride, count) for step, count in piece.steps]
            if piece.guard:
                guard += ((axis.stride, *piece.guard),)
        if guard:
            guard = (*self._sure(pieces), *guard)
        return normal(address, steps, self.bits, guard)

    def _sure(self, pieces: tuple[Piece, ...]) -> Guard:
        """What is touched whatever the guards say, from any base: boxes with one guard touch the
        same, so a guard holds all that tells what they consist of."""
        steps: list[tuple[int, int]] = []
        for axis, piece in zip(self.axes, pieces, strict=True):
            dims = piece.sure if piece.guard else piece.steps
            steps += [(step * axis.stride, count) for step, count in dims]
        box = normal(Val(0), steps, self.bits)
        return (box.steps, box.run)

    def _cut(self, base: Val, pieces: tuple[Piece, ...]) -> Cut:
        address = base.scaled(8)
        steps: list[tuple[int, int]] = []
        for axis, piece in zip(self.axes, pieces, strict=True):
            if piece.cut is None:
                address = address + piece.origin.plus(piece.first).scaled(axis.stride)
                steps += [(step * axis.stride, count) for step, count in piece.steps]
        cuts = tuple(piece.cut for piece in pieces if piece.cut is not None)
        return Cut(address, tuple(steps), self.bits, cuts)


def _everything(extent: Val) -> list[Piece]:
    guard: Guard = () if extent.known else (extent.key,)
    most = extent.high
    return [Piece(Val(0), 0, ((1, most),), guard)] if most > 0 else []


def _span(axis: Axis, origin: Val, extent: Val, sizes: list[Val]) -> Span:
    reach = axis.reach
    if reach is None:
        dims = [(step, size.high) for (step, _, _), size in zip(axis.dims, sizes, strict=True)]
        reach = _reach(dims)
    return Span(origin, *reach, extent)


def _reach(dims: list[tuple[int, int]]) -> tuple[int, int]:
    """The first and last of the coordinates of a window that starts at 0."""
    low = sum(min(0, step * (count - 1)) for step, count in dims)
    high = sum(max(0, step * (count - 1)) for step, count in dims)
    return low, high


def _pieces(axis: Axis, span: Span, sizes: list[Val], ids: AbstractSet[Sym]) -> list[Piece]:
    """The coordinates of a window that lie in its box; sizes are positive."""
    dims = tuple((step, size.high) for (step, _, _), size in zip(axis.dims, sizes, strict=True))
    unsure = [size.key for size in sizes if not size.known]
    guard: Guard = ()
    if unsure:
        both = list(zip(dims, sizes, strict=True))
        sure = tuple(dim for dim, size in both if size.known)
        guard = tuple((step, size.key) for (step, _), size in both if not size.known)
    if span.inside:
        return [Piece(span.origin, 0, dims, guard, sure if guard else ())]
    origin, extent = span.origin, span.extent
    first, last = origin.low + span.low, origin.high + span.high
    if last < 0 or first >= extent.high:
        return []
    if extent.known and not guard:
        if origin.known:
            boxes = clipped(origin.const + span.low, upwards(dims), extent.const)
            if boxes is not None:
                return [Piece(Val(0), at, steps) for at, steps in boxes]
        elif origin.terms.keys() <= ids and (found := _cut_by_ids(axis, span, dims)) is not None:
            return found
    moving = [step for step, count in dims if step and count > 1]
    step = gcd(*moving) if origin.known and moving else 1
    first = max(first, first % step)
    last = min(last, extent.high - 1)
    guard = (*guard, dims, origin.key, extent.key)
    piece = Piece(Val(0), first, ((step, (last - first) // step + 1),), guard)
    if not extent.known and step == 1:
        piece.top = extent.plus(first - last - 1)
    return [piece]


def _cut_by_ids(axis: Axis, span: Span, dims: Steps) -> list[Piece] | None:
    """A window that ids cut; None if there are too many of them."""
    origin = span.origin
    terms = tuple(sorted(origin.terms.items(), key=lambda term: term[0].number))
    start = origin.const + span.low
    cut = CutAxis(axis.stride, start, terms, upwards(dims), span.extent.const)
    if windows(cut) is None:
        return None
    ends = hull(cut)
    if ends is None:
        return []
    steps = ((1, ends[1] - ends[0] + 1),)
    uncut = Piece(origin, 0, dims)
    return [Piece(Val(0), ends[0], steps, (cut,), cut=cut, uncut=uncut)]


def _unclear(spans: list[Span], pieces: list[list[Piece]], ids: AbstractSet[Sym]) -> bool:
    """Whether what ids cut is not known for every instance: a window cannot be listed, or
    something else decides, too, what is touched."""
    cut = [piece for parts in pieces for piece in parts if piece.cut is not None]
    axes = sum(bool(span.origin.terms.keys() & ids) and not span.inside for span in spans)
    others = any(piece.guard and piece.cut is None for parts in pieces for piece in parts)
    return (len(cut) < axes and all(pieces)) or (bool(cut) and others)
