"""The largest element of each window, and where it is.

    TVP reduce max %m1, argmax %p1 <- %x[rows | taps of the last axis]
    TVP map %i1 <- place of the window + dilation * %p1           index among the cells
    TVP reduce max %m0, argmax %p0 <- %m1[rows | taps of the first axis]
    TVP pick %i0 <- %i1 at the row that %p0 names

Cells outside read as the lowest number. Where that is the largest element, the first cell that
exists is the one; where none does, -1.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.reductions import lowest
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Axis, Buffer, Dim, Kernel, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.chunked_fit import Nest, fitting_tiles, stored
from maiacc_passes.lowering.chunked_words import (
    FAR,
    Span,
    chain_type,
    checked_type,
    fits_number,
    grown,
    mapped,
    masked,
    moved,
    started,
)
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.pools_shape import Window
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling, name_of

#: Axes with boxes that a view has, but the one for planes.
MOST = 3


def lower_argmax(group: Group, op: Op, source: Access, windows: Sequence[Window]) -> list[Kernel]:
    """The kernel. ``windows`` are the planes, as one axis, and the axes of windows. Raises
    ``IRError`` E1502, E1505."""
    if len(windows) - 1 > MOST:
        raise unsupported(op, f"windows over more than {MOST} axes")
    machine = group.machine
    if prod(w.extent for w in windows[1:]) >= FAR:
        raise unsupported(op, "planes of 2^31 cells or more")

    def make(tiling: Tiling) -> Kernel:
        return _Maker(group, op, source, windows, tiling).kernel()

    room = machine.space_bytes("tsram") // 64
    return [fitting_tiles(machine, [w.outs for w in windows], room, make)]


class _Maker(Nest):
    def __init__(
        self, group: Group, op: Op, source: Access, windows: Sequence[Window], tiling: Tiling
    ) -> None:
        super().__init__(op, tiling)
        value = op.operands[0]
        assert value is not None
        self.group = group
        self.source = source
        self.windows = windows
        self.element = checked_type(op, value)
        self.low = float(lowest(self.element))

    def kernel(self) -> Kernel:
        """The kernel. Raises ``IRError`` E1501, E1502."""
        values, index = self._reduced(self._load())
        if any(w.side(a, self.tiling).extent is not None for a, w in enumerate(self.windows)):
            self._replace(values, index)
        dtype = self.op.results[0].type.dtype
        if values.buffer.dtype != dtype:
            values = self._moved(values, dtype, "fp32")
        for result, found in zip(self.op.results, (values, index), strict=True):
            if result in self.group.outputs:
                self._store(found, self.group.outputs[result])
        return self.around(self.group.name)

    def _moved(self, found: Span, dtype: str, compute: str) -> Span:
        made = self.span("y", dtype, found.sizes)
        self.words.append(moved(self.location, made.view(), found.view(), compute))
        return made

    def _load(self) -> Span:
        sides = [w.side(axis, self.tiling) for axis, w in enumerate(self.windows)]
        made = self.span("x", self.element.name, [side.size for side in sides])
        if made.buffer.bytes > DMA_BYTES:
            raise IRError("E1502", "a window is larger than a transfer", nodes=self.location.nodes)
        source, plain = self.source, fits_number(self.element, self.low)
        fill = self.low if plain else 0.0
        view = strided(source.buffer, sides, offset=source.offset, fill=fill, dtype=source.dtype)
        self.words.append(
            Word("copy", "LD0", {"d": made.view(), "a": view}, location=self.location)
        )
        if not plain and any(side.extent is not None for side in sides):
            self.words.append(masked(self.location, made, sides, self._lowest()))
        return made

    def _lowest(self) -> Buffer:
        low = self.span("low", self.element.name, ())
        self.words.append(started(self.location, low.view(), self.low, self.element))
        return low.buffer

    # ---- the largest, and where ---------------------------------------------------------------
    def _reduced(self, found: Span) -> tuple[Span, Span]:
        index: Span | None = None
        for axis in reversed(range(1, len(self.windows))):
            window = self.windows[axis]
            sizes = list(found.sizes)
            sizes[axis] = self.tiling.tiles[axis]
            steps = found.strides()
            sides = [Side(n, step) for n, step in zip(sizes, steps, strict=True)]
            sides[axis] = Side(sizes[axis], steps[axis] * window.step)
            taps = Side(window.taps, steps[axis] * window.dilation)
            rows = strided(found.buffer, [*sides, taps], len(sides))
            kind = "fp32" if self.element.is_float else self.element.name
            values = self.span(f"m{axis}", kind, sizes)
            where = self.span(f"p{axis}", "int32", sizes)
            for made, name in ((values, "max"), (where, "argmax")):
                fields: dict[str, object] = {"op": name}
                views = {"d": made.view(), "a": rows}
                self.words.append(Word("reduce", "TVP", views, None, fields, self.location))
            if index is None:
                index = self._first(sizes, where, axis)
            else:
                index = self._picked(index, where, axis)
            found = values
        if index is None:
            index = self.span("i0", "int32", found.sizes)
            self.words.append(started(self.location, index.view(), 0.0, index.buffer.element))
        return found, index

    def _place(self, axis: int, sizes: Sequence[int], reduced: bool) -> View:
        """The coordinate of each cell, or where each window starts."""
        window = self.windows[axis]
        tile = self.tiling.tiles[axis] * window.step
        terms = ((name_of(axis), tile),) if axis in self.tiling.spreads else ()
        step = window.step if reduced else 1
        dims = tuple(Dim(n, 0, step if d == axis else 0) for d, n in enumerate(sizes))
        buffer = Buffer("iota", "int32", (1,), "iota")
        return View(buffer, (Axis(FAR, 0, 0, terms),), dims, len(dims))

    def _first(self, sizes: Sequence[int], where: Span, last: int) -> Span:
        """Indices among the cells of a plane, once the last axis is reduced."""
        made = self.span("i", "int32", sizes)
        self._linear(made, [self._place(a, sizes, a == last) for a in range(1, last + 1)])
        dilation = float(self.windows[last].dilation)
        shift = -float(
            sum(
                w.before * prod(v.extent for v in self.windows[a + 1 :])
                for a, w in enumerate(self.windows)
            )
        )
        stages: list[tuple[str, tuple[str | float, ...]]] = [
            ("mul", ("b", dilation)),
            ("add", ("a", "r0")),
            ("add", ("r1", shift)),
        ]
        operands = {"a": made.view(), "b": where.view()}
        self.words.append(mapped(self.location, made.view(), "int32", stages, **operands))
        return made

    def _linear(self, made: Span, places: Sequence[View]) -> None:
        """The row-major index of coordinates."""
        stages: list[tuple[str, tuple[str | float, ...]]] = [("mov", ("a",))]
        self.words.append(mapped(self.location, made.view(), "int32", stages, a=places[0]))
        for axis, other in enumerate(places[1:], 2):
            stages = [("mul", ("a", float(self.windows[axis].extent))), ("add", ("r0", "b"))]
            operands = {"a": made.view(), "b": other}
            self.words.append(mapped(self.location, made.view(), "int32", stages, **operands))

    def _picked(self, index: Span, where: Span, axis: int) -> Span:
        """The indices of the rows that won."""
        window, sizes = self.windows[axis], where.sizes
        steps = index.strides()
        row = steps[axis]
        # Numbers of elements in the tile before: those of the first tap, and of the one that won.
        at = self.span(f"a{axis}", "int32", sizes)
        base = [
            (n, s * (window.step if d == axis else 1))
            for d, (n, s) in enumerate(zip(sizes, steps, strict=True))
        ]
        self.words += grown(self.location, at, base)
        stages: list[tuple[str, tuple[str | float, ...]]] = [
            ("mul", ("b", float(row * window.dilation))),
            ("add", ("a", "r0")),
        ]
        operands = {"a": at.view(), "b": where.view()}
        self.words.append(mapped(self.location, at.view(), "int32", stages, **operands))
        made = self.span(f"i{axis}", "int32", sizes)
        table = View(index.buffer, (Axis(index.buffer.size, 1),), (Dim(1, 0, 0),), 0)
        views = {"d": made.view(), "a": table, "b": at.view()}
        self.words.append(Word("pick", "TVP", views, None, {"oob": "clamp"}, self.location))
        return made

    # ---- the lowest number --------------------------------------------------------------------
    def _replace(self, values: Span, index: Span) -> None:
        """Where the largest element is the lowest number, the first cell that exists."""
        strips = [self._strip(axis) for axis in range(1, len(self.windows))]
        first = self.span("f", "int32", index.sizes)
        self._linear(first, [self._along(strip, axis) for axis, (strip, _) in enumerate(strips, 1)])
        there = self.span("ok", "int32", index.sizes)
        for axis, (_, good) in enumerate(strips, 1):
            stages: list[tuple[str, tuple[str | float, ...]]] = [("mov", ("a",))]
            operands = {"a": self._along(good, axis)}
            if axis > 1:
                stages = [("and", ("a", "b"))]
                operands = {"a": there.view(), "b": operands["a"]}
            self.words.append(mapped(self.location, there.view(), "int32", stages, **operands))
        low = self.span("lowest", "bool", index.sizes)
        kind = chain_type(self.element)
        operands = {"a": values.view()}
        other: str | float = self.low
        if not fits_number(self.element, self.low):
            operands["b"] = strided(self._lowest(), [Side(n, 0) for n in index.sizes])
            other = "b"
        stages = [("eq", ("a", other))]
        self.words.append(mapped(self.location, low.view(), kind, stages, **operands))
        stages = [("select", ("a", "b", -1.0))]
        operands = {"a": there.view(), "b": first.view()}
        self.words.append(mapped(self.location, first.view(), "int32", stages, **operands))
        stages = [("select", ("c", "b", "a"))]
        operands = {"a": index.view(), "b": first.view(), "c": low.view()}
        self.words.append(mapped(self.location, index.view(), "int32", stages, **operands))

    def _strip(self, axis: int) -> tuple[Span, Span]:
        """For each window along an axis the first cell that exists, and whether it does."""
        window, tile = self.windows[axis], self.tiling.tiles[axis]
        start = self._place(axis, [tile if d == axis else 1 for d in range(axis + 1)], True)
        found = self.span(f"f{axis}", "int32", (tile,))
        good = self.span(f"g{axis}", "int32", (tile,))
        tap = self.span(f"t{axis}", "int32", (tile,))
        step, before = float(window.dilation), float(window.before)

        def say(d: Span, *stages: tuple[str, tuple[str | float, ...]], **operands: View) -> None:
            self.words.append(mapped(self.location, d.view(), "int32", list(stages), **operands))

        say(
            tap,
            ("sub", (before + step - 1, "a")),
            ("divf", ("r0", step)),
            ("max", ("r1", 0.0)),
            a=start,
        )
        say(
            found,
            ("mul", ("b", step)),
            ("add", ("a", "r0")),
            ("sub", ("r1", before)),
            a=start,
            b=tap.view(),
        )
        say(
            good,
            ("lt", ("a", float(window.extent))),
            ("lt", ("b", float(window.taps))),
            ("and", ("r0", "r1")),
            a=found.view(),
            b=tap.view(),
        )
        return found, good

    def _along(self, strip: Span, axis: int) -> View:
        sizes = [self.tiling.tiles[d] for d in range(len(self.windows))]
        return strided(strip.buffer, [Side(n, int(d == axis)) for d, n in enumerate(sizes)])

    def _store(self, found: Span, target: Buffer) -> None:
        if found.buffer.dtype != target.dtype:
            kind = "int64" if target.dtype == "int64" else chain_type(target.element)
            found = self._moved(found, target.dtype, kind)
        self.words.append(stored(self.tiling, found, target, self.location))
