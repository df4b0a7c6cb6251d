"""Pieces of memories: bytes, and which of them have been written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]

#: Bytes of a page; a multiple of every element. The host gives memory to what is touched only.
PAGE = 1 << 20


@dataclass(slots=True)
class Page:
    """A piece of a memory. ``written`` holds 1 for bytes that hold something, 0 for others;
    None if all do. What is mapped from a file is not writable."""

    data: Bytes
    written: Bytes | None

    def own(self) -> tuple[Bytes, Bytes]:
        """Data and written map, writable."""
        if not self.data.flags.writeable:
            self.data = self.data.copy()
        if self.written is None:
            self.written = np.ones(len(self.data), np.uint8)
        return self.data, self.written

    def copy(self) -> Page:
        """A page that does not change with this one."""
        data = self.data.copy() if self.data.flags.writeable else self.data
        return Page(data, None if self.written is None else self.written.copy())

    def offsets(self) -> Ints:
        """The bytes that hold something."""
        if self.written is None:
            return np.arange(len(self.data))
        return np.flatnonzero(self.written)

    def holds(self, index: Array | slice, width: int) -> NDArray[np.bool_] | None:
        """Which elements hold something in all of their bytes; None if all do."""
        if self.written is None:
            return None
        good: NDArray[np.bool_] = self.written.view(f"<u{width}")[index] == written_mark(width)
        return None if good.all() else good


def written_mark(width: int) -> int:
    """What the written map shows for an element of ``width`` bytes, all of them written."""
    return int.from_bytes(b"\1" * width, "little")


def by_page(offsets: Ints, width: int) -> Iterator[tuple[int, Array | slice, Array | slice]]:
    """For each page: its number, which elements lie in it, and their positions in the page in
    elements. Elements are aligned, so none lies in two."""
    if not len(offsets):
        return
    pages = offsets // PAGE
    if pages[0] == pages[-1] and (pages == pages[0]).all():
        yield int(pages[0]), slice(None), _index(offsets % PAGE // width)
        return
    order = np.argsort(pages, kind="stable")
    for chosen in np.split(order, np.flatnonzero(np.diff(pages[order])) + 1):
        yield int(pages[chosen[0]]), chosen, _index(offsets[chosen] % PAGE // width)


def _index(index: Ints) -> Array | slice:
    """The positions as a slice if they follow each other, which is much faster."""
    first, last = int(index[0]), int(index[-1])
    if last - first == len(index) - 1 and (np.diff(index) == 1).all():
        return slice(first, last + 1)
    return index


def pieces(start: int, size: int) -> Iterator[tuple[int, int, range]]:
    """A range of bytes cut at the pages: page number, offset in it, which bytes of the range."""
    at = 0
    while at < size:
        number, inside = divmod(start + at, PAGE)
        count = min(size - at, PAGE - inside)
        yield number, inside, range(at, at + count)
        at += count
