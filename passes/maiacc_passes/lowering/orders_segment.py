"""Segments of rows, sorted each in a tile, with the places that elements had.

for i0 < rows { for i1 over gtile {                    rows, segments
  LD0 copy %k <- @keys[segment]                        beyond the row: a key behind all others
  LD0 copy %p <- @places[segment]                      or its own places plus where it starts
  TVP sort %k, %p
  ST copy @keys[...] <- %k
  ST copy @places[...] <- %p
} }
"""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.limits import DMA_BYTES, TOPK
from maiacc_passes.kernel.model import Buffer, Kernel, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.chunked_fit import Nest
from maiacc_passes.lowering.chunked_words import (
    Span,
    chain_type,
    coordinates,
    fits_number,
    mapped,
    masked,
    moved,
    started,
)
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.orders_rows import ALONG, BEHIND, Lines
from maiacc_passes.lowering.orders_words import PICKED, descending, last_key
from maiacc_passes.lowering.tiling import Tiling, name_of
from maiacc_passes.schedule.places import place

#: Dims of the loops: rows before the axis, behind it, segments of a row.
BEFORE_ROWS, BEHIND_ROWS, SEGMENTS = 0, 1, 2


@dataclass(frozen=True)
class Part:
    """Segments of ``length`` elements from ``start`` on, of which the first ``kept`` are written;
    read from rows of the model where ``source`` is given, else from keys and places."""

    source: Lines | None
    keys: Buffer
    places: Buffer
    to_keys: Buffer
    to_places: Buffer
    start: int
    segments: int
    length: int
    kept: int


def segment_kernel(group: Group, op: Op, part: Part, name: str) -> Kernel:
    """The kernel. Raises ``IRError`` E1502 where a segment does not fit."""
    found = _Maker(group, op, part).kernel(name)
    place(found, group.machine, False)
    return found


class _Maker(Nest):
    def __init__(self, group: Group, op: Op, part: Part) -> None:
        source = part.source
        sizes = (part.keys.shape[0], 1) if source is None else (source.sizes[0], source.sizes[2])
        extents = (*sizes, part.segments)
        dealt = max(range(3), key=lambda d: extents[d])
        order = tuple((d, "gtile" if d == dealt else "") for d in range(3) if extents[d] > 1)
        super().__init__(op, Tiling(group.machine, extents, (1, 1, 1), order))
        self.part = part

    def _span(self, name: str, dtype: str, size: int) -> Span:
        return self.span(name, dtype, (size,))

    def kernel(self, name: str) -> Kernel:
        """The kernel."""
        part = self.part
        places = None
        if part.source is not None:
            keys = self._rows(part.source)
        else:
            keys = self._load(part.keys, True)
            places = self._load(part.places, False)
        keys, places = self._sorted(keys, places)
        self._store(keys, part.to_keys)
        self._store(places, part.to_places)
        return self.around(name)

    # ---- loads ----------------------------------------------------------------------------------
    def _segment(self, size: int, stride: int, length: int, extent: int) -> Side:
        """A segment of a row; what is beyond the row is outside of the box."""
        terms = ((name_of(SEGMENTS), length),) if SEGMENTS in self.tiling.spreads else ()
        return Side(size, stride, extent, 0, terms)

    def _filled(self, found: Span, source: Buffer, sides: list[Side], offset: int) -> None:
        """Loads keys; beyond their row they read as one that is behind all others."""
        element = found.buffer.element
        last = last_key(self.op, element)
        plain = last != last or fits_number(element, last)
        view = strided(source, sides, offset=offset, fill=last if plain else 0.0)
        self.words.append(
            Word("copy", "LD0", {"d": found.view(), "a": view}, location=self.location)
        )
        if not plain:
            end = self._span("end", element.name, 1)
            self.words.append(started(self.location, end.view(), last, element))
            shown = Span(found.buffer, tuple(side.size for side in sides))
            self.words.append(masked(self.location, shown, sides, end.buffer))

    def _rows(self, lines: Lines) -> Span:
        """A segment of the model's rows, in the type of keys."""
        part, access = self.part, lines.access
        dtype = access.dtype or access.buffer.dtype
        x = self._span("x", dtype, part.length)
        segment = self._segment(part.length, lines.strides[ALONG], part.length, lines.sizes[ALONG])
        sides = [
            self.tiling.side(BEFORE_ROWS, lines.strides[0]),
            self.tiling.side(BEHIND_ROWS, lines.strides[BEHIND]),
            segment,
        ]
        self._filled(x, access.buffer, sides, access.offset)
        if dtype == part.to_keys.dtype:
            return x
        keys = self._span("keys", part.to_keys.dtype, part.length)
        kind = chain_type(keys.buffer.element)
        self.words.append(moved(self.location, keys.view(), x.view(), kind))
        return keys

    def _load(self, source: Buffer, keys: bool) -> Span:
        part = self.part
        x = self._span("keys" if keys else "places", source.dtype, part.length)
        size = source.shape[1]
        segment = self._segment(part.length, 1, part.length, size)
        segment = Side(segment.size, 1, size, part.start, segment.terms)
        sides = [self.tiling.side(BEFORE_ROWS, size), segment]
        if keys:
            self._filled(x, source, sides, 0)
            return x
        view = strided(source, sides)
        self.words.append(Word("copy", "LD0", {"d": x.view(), "a": view}, location=self.location))
        return x

    # ---- order ----------------------------------------------------------------------------------
    def _sorted(self, keys: Span, places: Span | None) -> tuple[Span, Span]:
        """Keys in order, and where in their rows they were."""
        part, dtype = self.part, keys.buffer.dtype
        down = descending(self.op)
        few = places is None and part.kept < part.length and part.kept <= TOPK and dtype in PICKED
        size = part.kept if few else part.length
        values, found = self._span("v", dtype, size), self._span("p", "int32", size)
        fields: dict[str, object] = {"k": size, "least": not down} if few else {"descending": down}
        views = {"d": values.view(0), "e": found.view(0), "a": keys.view(0)}
        if places is not None:
            fields["payload"] = True
            views["b"] = places.view(0)
        kind = "topk" if few else "sort"
        self.words.append(Word(kind, "TVP", views, None, fields, self.location))
        if places is None and SEGMENTS in self.tiling.spreads:
            terms = ((name_of(SEGMENTS), part.length),)
            start = coordinates([(size, 0)], terms)
            word = mapped(
                self.location,
                found.view(),
                "int32",
                [("add", ("a", "b"))],
                a=found.view(),
                b=start,
            )
            self.words.append(word)
        return values, found

    # ---- stores ---------------------------------------------------------------------------------
    def _store(self, found: Span, target: Buffer) -> None:
        part = self.part
        if found.buffer.bytes > DMA_BYTES:
            raise IRError("E1502", "a segment is larger than a transfer")
        size = target.shape[1]
        behind = self.tiling.extents[BEHIND_ROWS]
        segment = self._segment(part.kept, 1, part.kept, size)
        segment = Side(part.kept, 1, size, part.start, segment.terms)
        sides = [
            self.tiling.side(BEFORE_ROWS, size * behind),
            self.tiling.side(BEHIND_ROWS, size),
            segment,
        ]
        guards = self.tiling.guards(range(3))
        view = strided(target, [*guards, *sides], drop=True)
        source = strided(found.buffer, [Side(part.kept, 1)])
        self.words.append(Word("copy", "ST", {"d": view, "a": source}, location=self.location))
