"""Sorting, and the k first: rows that a tile holds.

    for i0 over gtile {
      LD0 copy %x <- @x[rows]
      TVP sort %y, %p <- %x                 or topk, for at most 64
      TVP map %i <- %p                      positions become int64
      ST copy @y[...] <- %y
      ST copy @i[...] <- %i
    }

Longer rows: see ``orders_long``.
"""

from __future__ import annotations

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import Element
from maiacc_passes.kernel.model import Kernel, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import whole
from maiacc_passes.lowering.chunked_fit import Nest
from maiacc_passes.lowering.chunked_words import Span, chain_type, checked_type, moved
from maiacc_passes.lowering.fitting import RETRIED, fitting, halved
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.orders_long import lower_long
from maiacc_passes.lowering.orders_rows import (
    ALONG,
    BEFORE,
    BEHIND,
    Lines,
    dense_lines,
    lines_of,
    row_tiling,
)
from maiacc_passes.lowering.orders_words import best, key_type
from maiacc_passes.lowering.tiling import Tiling

#: Rows of a view.
ROWS = (BEFORE, BEHIND, ALONG)


def lower_order(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a sort, or of the k first. Raises ``IRError`` E1502, E1505."""
    value = op.operands[0]
    assert value is not None
    element = checked_type(op, value)
    lines, kernels = lines_of(group, op)
    count = op.results[0].type.shape[op.integer("axis") % value.type.rank]
    rooms = halved(group.machine.space_bytes("tsram") // 32, 4)
    found = (row_tiling(group.machine, lines.sizes, room, True) for room in rooms)

    def make(tiling: Tiling) -> Kernel:
        return _Maker(group, op, element, lines, count, tiling).kernel()

    try:
        return [*kernels, fitting(group.machine, found, make)]
    except IRError as problem:
        if problem.code not in RETRIED:
            raise
        return [*kernels, *lower_long(group, op, element, lines, count, problem)]


class _Maker(Nest):
    def __init__(
        self,
        group: Group,
        op: Op,
        element: Element,
        lines: Lines,
        count: int,
        tiling: Tiling,
    ) -> None:
        super().__init__(op, tiling)
        self.group = group
        self.element = element
        self.lines = lines
        self.count = count

    def _span(self, name: str, dtype: str, along: int) -> Span:
        tiles = self.tiling.tiles
        return self.span(name, dtype, (tiles[BEFORE], along, tiles[BEHIND]))

    def kernel(self) -> Kernel:
        """The kernel. Raises ``IRError`` E1501, E1502."""
        size = self.lines.sizes[ALONG]
        keys = self._keys(size)
        words, values, places = best(self.op, keys, self.count, self._span)
        self.words += words
        for result, found in zip(self.op.results, (values, places), strict=True):
            if result in self.group.outputs:
                self._store(result, found)
        return self.around(self.group.name)

    def _keys(self, size: int) -> Span:
        """The rows, in a type that is sorted."""
        access = self.lines.access
        x = self._span("x", self.element.name, size)
        sides = [self.tiling.side(d, step) for d, step in enumerate(self.lines.strides)]
        source = strided(access.buffer, sides, offset=access.offset, dtype=access.dtype)
        views = {"d": x.view(), "a": source}
        self.words.append(Word("copy", "LD0", views, location=self.location))
        kind = key_type(self.op, self.element)
        if kind == self.element.name:
            return x
        made = self._span("keys", kind, size)
        compute = chain_type(made.buffer.element)
        self.words.append(moved(self.location, made.view(), x.view(), compute))
        return made

    def _store(self, result: Value, found: Span) -> None:
        target = self.group.outputs[result]
        tiles = self.tiling.tiles
        if found.buffer.dtype != target.dtype:
            made = self._span("y", target.dtype, self.count)
            kind = chain_type(found.buffer.element)
            if target.dtype == "int64":
                kind = "int64"
            self.words.append(moved(self.location, made.view(), _first(found, self.count), kind))
            found = made
        axis = self.op.integer("axis") % result.type.rank
        lines = dense_lines(whole(target, result.type.shape), axis)
        sides = [self.tiling.side(d, step) for d, step in enumerate(lines.strides)]
        sides[ALONG] = Side(self.count, lines.strides[ALONG])
        guards = self.tiling.guards(range(len(tiles)))
        view = strided(target, [*guards, *sides], drop=True)
        views = {"d": view, "a": _first(found, self.count)}
        self.words.append(Word("copy", "ST", views, location=self.location))


def _first(found: Span, count: int) -> View:
    """The first elements of all rows."""
    steps = found.strides()
    sizes = (found.sizes[BEFORE], count, found.sizes[BEHIND])
    return strided(found.buffer, [Side(n, s) for n, s in zip(sizes, steps, strict=True)])
