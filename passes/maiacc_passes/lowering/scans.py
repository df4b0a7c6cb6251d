"""Running sums and products along an axis, in chunks that carry on.

    for i0 over gtile {                                rows
      TVP map %carry <- identity
      for i1 < 20 {
        LD0 copy %x <- @x[chunk]                       one cell behind, if exclusive
        TVP scan %y <- %x, from %carry
        TVP map %carry <- last column of %y
        ST copy @y[chunk] <- %y
      }
    }

A scan from the end goes along views with a negative stride.
"""

from __future__ import annotations

from dataclasses import replace

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import whole
from maiacc_passes.lowering.chunked_words import (
    Span,
    chain_type,
    checked_type,
    moved,
    span,
    started,
)
from maiacc_passes.lowering.fitting import fitting, halved
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.orders_rows import (
    ALONG,
    BEFORE,
    BEHIND,
    Lines,
    dense_lines,
    lines_of,
    row_tiling,
)
from maiacc_passes.lowering.tiling import Tiling, name_of

#: What a word accumulates, and what it starts from.
SCANS = {"cumsum": ("add", 0.0), "cumprod": ("mul", 1.0)}

#: Types that are scanned as they are.
READ = frozenset({"fp32", "bf16", "fp16", "int8", "uint8", "int16", "int32", "int64", "uint32"})

#: Dims of a view of rows: they are reduced along the last one.
ROWS = (BEFORE, BEHIND, ALONG)


def lower_scan(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a scan. Raises ``IRError`` E1505."""
    value = op.operands[0]
    assert value is not None
    checked_type(op, value)
    (target,) = group.outputs.values()
    axis = op.attrs["axis"]
    assert isinstance(axis, int)
    lines, kernels = lines_of(group, op)
    result = dense_lines(whole(target, value.type.shape), axis % value.type.rank)
    if op.attrs["reverse"]:
        lines, result = lines.reversed(), result.reversed()
    rooms = halved(group.machine.space_bytes("tsram") // 32)
    found = (row_tiling(group.machine, lines.sizes, room, False) for room in rooms)

    def make(tiling: Tiling) -> Kernel:
        return _Maker(group, op, lines, result, tiling).kernel()

    return [*kernels, fitting(group.machine, found, make)]


class _Maker:
    def __init__(self, group: Group, op: Op, lines: Lines, result: Lines, tiling: Tiling) -> None:
        self.name = group.name
        self.op = op
        self.lines = lines
        self.result = result
        self.tiling = tiling
        self.location = op.location
        element = op.result.type.element
        self.dtype = lines.access.dtype or lines.access.buffer.dtype
        small = element.is_int and element.bits < 32
        self.kind = "fp32" if element.is_float else "int32" if small else element.name
        self.function, self.identity = SCANS[op.name]

    def kernel(self) -> Kernel:
        """The kernel. Raises ``IRError`` E1501, E1502."""
        tiles = self.tiling.tiles
        carry = span("carry", self.kind, (tiles[BEFORE], tiles[BEHIND]))
        first = started(self.location, carry.view(), self.identity, ELEMENTS[self.kind])
        words, buffers = self._chunk(carry)
        outer = tuple(x for x in self.tiling.order if x[0] != ALONG)
        rows = replace(self.tiling, order=outer)
        kernel = Kernel(self.name, location=self.location, title=self.op.name)
        body, declared = kernel.body, kernel.buffers
        for loop in rows.loops():
            body.append(loop)
            body, declared = loop.body, loop.buffers
        declared.append(carry.buffer)
        trips = self.tiling.trips(ALONG)
        body += [first, Loop(name_of(ALONG), trips, "", words, buffers)]
        return kernel

    def _chunk(self, carry: Span) -> tuple[list[Node], list[Buffer]]:
        tiles = self.tiling.tiles
        x = span("x", self.dtype, tiles)
        buffers = [x.buffer]
        words: list[Node] = [self._load(x)]
        if self.dtype not in READ:
            wide = span("w", self.kind, tiles)
            kind = chain_type(ELEMENTS[self.kind])
            words.append(moved(self.location, wide.view(), x.view(), kind))
            buffers.append(wide.buffer)
            x = wide
        made = span("s", self.kind, tiles)
        buffers.append(made.buffer)
        views = {"d": made.view(2, ROWS), "a": x.view(2, ROWS), "b": carry.view()}
        fields: dict[str, object] = {"op": self.function, "carry": True}
        words.append(Word("scan", "TVP", views, None, fields, self.location))
        words.append(self._carried(made, carry))
        dtype = self.op.result.type.dtype
        if dtype != self.kind:
            found = span("y", dtype, tiles)
            kind = chain_type(ELEMENTS[self.kind])
            words.append(moved(self.location, found.view(), made.view(), kind))
            buffers.append(found.buffer)
            made = found
        words.append(self._store(made))
        return words, buffers

    def _carried(self, made: Span, carry: Span) -> Word:
        """The last column is what the next chunk starts from."""
        steps = made.strides()
        sides = [Side(made.sizes[d], steps[d]) for d in (BEFORE, BEHIND)]
        offset = (made.sizes[ALONG] - 1) * steps[ALONG]
        last = strided(made.buffer, sides, offset=offset)
        return moved(self.location, carry.view(), last, chain_type(ELEMENTS[self.kind]))

    def _load(self, x: Span) -> Word:
        sides = [self.tiling.side(d, step) for d, step in enumerate(self.lines.strides)]
        if self.op.attrs["exclusive"]:
            side = sides[ALONG]
            sides[ALONG] = Side(side.size, side.stride, self.lines.sizes[ALONG], -1, side.terms)
        access = self.lines.access
        source = strided(
            access.buffer, sides, offset=access.offset, fill=self.identity, dtype=access.dtype
        )
        return Word("copy", "LD0", {"d": x.view(), "a": source}, location=self.location)

    def _store(self, found: Span) -> Word:
        result = self.result
        sides = [self.tiling.side(d, step) for d, step in enumerate(result.strides)]
        guards = replace(
            self.tiling, order=tuple(x for x in self.tiling.order if x[0] != ALONG)
        ).guards(range(len(sides)))
        offset = result.access.offset
        target = strided(result.access.buffer, [*guards, *sides], offset=offset, drop=True)
        return Word("copy", "ST", {"d": target, "a": found.view()}, location=self.location)
