"""Indices in words: what an op reads or writes at computed places, and the arithmetic of places.

A *spot* is a dim of what is read or written at computed places: how far apart its elements are
among the indices, in the result (or the updates), and in the tensor that is indexed. A *part* of a
tuple of indices goes along an axis of that tensor. The place of an element is

    sum of index * stride, parts  +  sum of coordinate * base, spots

and -1 where an index lies outside of its axis:

    TVP map %p <- %i, iota       lt(a, 7); madd(a, 12, b); select(r0, r1, -1)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from maiacc_passes.kernel.limits import DIMS, STEP
from maiacc_passes.kernel.model import Axis, Buffer, Chain, Dim, Stage, Term, View, Word
from maiacc_passes.kernel.views import Side, strided, strides, too_many
from maiacc_passes.lowering.moves_places import FAR, Part, Places
from maiacc_passes.lowering.tiling import Tiling, name_of


@dataclass
class Indices:
    """Words that load the indices of a tile and compute places, for spots ``dims`` in order."""

    places: Places
    tiling: Tiling
    dims: Sequence[int]
    words: list[Word] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    loads: list[tuple[Word, Buffer]] = field(default_factory=list)

    def __post_init__(self) -> None:
        places, tiles = self.places, self.tiling.tiles
        self._own = [d for d in self.dims if places.spots[d].index]
        count = len(places.parts)
        shape = (*(tiles[d] for d in self._own), count)
        self._loaded = Buffer("i", places.dtype, shape, "tsram")
        far = [self.side(d, places.spots[d].index) for d in self._own]
        far.append(Side(count, places.step))
        source = strided(
            places.index.buffer, far, offset=places.index.offset, dtype=places.index.dtype
        )
        near = [Side(n, s) for n, s in zip(shape, strides(shape), strict=True)]
        views = {"d": strided(self._loaded, near), "a": source}
        word = Word("copy", "LD1", views, location=places.location)
        self.loads.append((word, self._loaded))

    def loose(self, dim: int) -> bool:
        """Whether a tile may have elements along a dim for which there are no indices."""
        most = self.places.spots[dim].size
        return self.tiling.ragged(dim) or self.tiling.extents[dim] > most

    def side(self, dim: int, stride: int) -> Side:
        """The part of a dim that a tile has of something with as many elements as indices."""
        tile = self.tiling.tiles[dim]
        terms: tuple[Term, ...] = ()
        if dim in self.tiling.spreads:
            terms = ((name_of(dim), tile),)
        extent = self.places.spots[dim].size if self.loose(dim) else None
        return Side(tile, stride, extent, 0, terms)

    @property
    def count(self) -> int:
        """How many places a tile has."""
        return prod(self.tiling.tiles[d] for d in self.dims)

    def view(self, part: int = 0) -> View:
        """A part of the indices, as they are."""
        steps = dict(zip(self._own, strides(self._loaded.shape), strict=False))
        sides = [Side(self.tiling.tiles[d], steps.get(d, 0)) for d in self.dims]
        return strided(self._loaded, sides, offset=part)

    def line(self, buffer: Buffer) -> View:
        """A buffer with a number for each place."""
        return strided(buffer, [Side(self.count, 1)])

    def map(self, dtype: str, stages: Sequence[Stage], inputs: Sequence[View], to: str) -> View:
        """A word over all places; its result."""
        result = Buffer(f"p{len(self.buffers)}", to, (self.count,), "tsram")
        self.buffers.append(result)
        views = {"d": self.line(result), **dict(zip("abc", inputs, strict=False))}
        chain = Chain(dtype, tuple(stages))
        self.words.append(Word("map", "TVP", views, chain, location=self.places.location))
        return self.line(result)

    # ---- coordinates ------------------------------------------------------------------------
    def coordinates(
        self, factors: Sequence[tuple[int, int]], local: bool
    ) -> tuple[View | None, list[tuple[View, int]]]:
        """The sum of coordinates of dims times factors: what one view of coordinates can say, and
        views with the factors that remain. ``local`` ones count from the start of a tile; others
        are 0 outside of the dim."""
        together: dict[int, int] = {}
        apart: list[tuple[View, int]] = []
        for dim, factor in factors:
            if not factor:
                continue
            if factor < STEP and (local or not self.loose(dim)):
                together[dim] = factor
            else:
                apart.append((self._coordinate({dim: 1}, local), factor))
        return (self._coordinate(together, local) if together else None), apart

    def _coordinate(self, factors: dict[int, int], local: bool) -> View:
        tiles = self.tiling.tiles
        sizes: list[tuple[int, int]] = []
        for dim in self.dims:
            step = factors.get(dim, 0)
            if sizes and sizes[-1][1] == step * tiles[dim]:
                sizes[-1] = (sizes[-1][0] * tiles[dim], step)
            elif tiles[dim] > 1:
                sizes.append((tiles[dim], step))
        if len(sizes) > DIMS:
            raise too_many([Side(n, s) for n, s in sizes])
        terms: tuple[Term, ...] = ()
        extent = FAR
        if not local:
            own = [d for d in factors if d in self.tiling.spreads]
            terms = tuple((name_of(d), tiles[d] * factors[d]) for d in own)
            loose = [d for d in factors if self.loose(d)]
            extent = self.places.spots[loose[0]].size if loose else FAR
        made = tuple(Dim(n, 0, step) for n, step in sizes) or (Dim(1, 0, 0),)
        buffer = Buffer("coordinates", "int32", (1,), "iota")
        return View(buffer, (Axis(extent, 0, 0, terms),), made, len(made))

    def inside(self) -> View | None:
        """Whether a place is one of the op's and not past the end of a dim; None if all are."""
        if not any(self.loose(d) for d in self.dims):
            return None
        sides = [
            self.side(d, 0) if self.loose(d) else Side(self.tiling.tiles[d], 0) for d in self.dims
        ]
        return strided(Buffer("inside", "bool", (1,), "iota"), sides)

    # ---- places -------------------------------------------------------------------------------
    def flat(
        self,
        steps: Sequence[int],
        factors: Sequence[tuple[int, int]],
        local: bool,
        outside: int = -1,
    ) -> View:
        """Places: parts times steps, and coordinates times factors; ``outside`` stands for those
        that do not exist."""
        total, apart = self.coordinates(factors, local)
        for view, factor in apart:
            total = self._sum(view, factor, total)
        clamp, parts = self.places.oob == "clamp", self.places.parts
        if clamp:
            for number, part in enumerate(parts):
                total = self._near(number, part, steps[number], total)
            assert total is not None
            return total
        if len(parts) == 1:
            stages, inputs = self._product(self.view(), steps[0], total)
            found = [
                Stage("lt", ("a", float(parts[0].extent))),
                *stages,
                Stage("select", ("r0", "r1" if stages else "a", float(outside))),
            ]
            return self.map("uint64", found, inputs, "int32")
        valid: View | None = None
        for number, part in enumerate(parts):
            mine = self.view(number)
            less = Stage("lt", ("a", float(part.extent)))
            if valid is None:
                valid = self.map("uint64", [less], [mine], "int8")
            else:
                both = [less, Stage("and", ("r0", "b"))]
                valid = self.map("uint64", both, [mine, valid], "int8")
            total = self._sum(mine, steps[number], total)
        assert valid is not None
        assert total is not None
        last = Stage("select", ("a", "b", float(outside)))
        return self.map("int32", [last], [valid, total], "int32")

    def _sum(self, x: View, factor: int, total: View | None) -> View:
        stages, inputs = self._product(x, factor, total)
        return self.map("int64", stages or [Stage("mov", ("a",))], inputs, "int32")

    def _product(self, x: View, factor: int, total: View | None) -> tuple[list[Stage], list[View]]:
        """a * factor + b as at most one stage."""
        if total is None:
            return [Stage("mul", ("a", float(factor)))] if factor != 1 else [], [x]
        if factor == 1:
            return [Stage("add", ("a", "b"))], [x, total]
        return [Stage("madd", ("a", float(factor), "b"))], [x, total]

    def _near(self, number: int, part: Part, step: int, total: View | None) -> View:
        """The nearest index of a part, times its step, plus a sum."""
        unsigned = self.places.dtype == "uint64"
        stages = [] if unsigned else [Stage("max", ("a", 0.0))]
        stages.append(Stage("min", ("a" if unsigned else "r0", float(part.extent - 1))))
        last = f"r{len(stages) - 1}"
        more, inputs = self._product(self.view(number), step, total)
        stages += [Stage(s.op, (last, *s.inputs[1:])) for s in more]
        return self.map("uint64" if unsigned else "int64", stages, inputs, "int32")
