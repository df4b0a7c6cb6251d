"""The memories of a system: bytes, and which of them have been written.

Memories come into being page by page as they are written, so that HBM may be as large as it
likes. A weight is mapped: its pages are views of the file until something writes to them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.pages import PAGE, Array, Bytes, Ints, Page, by_page, pieces, written_mark
from maiacc_sim.system import System
from maiacc_sim.traps import Stopped, Trap


class Owner(NamedTuple):
    """One instance of a memory: its space, and the number of the tile, cluster or chip."""

    space: str
    instance: int


class Watcher(Protocol):
    """Sees every byte that a word accesses."""

    def touch(self, owner: Owner, offsets: Ints, write: bool) -> None:
        """Bytes of one access; some may occur more than once."""


#: The pages of all memories at one moment.
Snapshot: TypeAlias = "dict[Owner, dict[int, Page]]"


class Memories:
    """All memories of a system.

    ``check`` False does not look for reads of what nothing has written; bounds are always
    checked. ``limit`` is how many bytes of pages may come into being; more stops the run.
    """

    def __init__(
        self,
        system: System,
        watcher: Watcher | None = None,
        check: bool = True,
        limit: int | None = None,
    ) -> None:
        self.system = system
        self.watcher = watcher
        self.check = check
        self._limit = limit
        self._held = 0
        spaces = load().spaces
        self._sizes = {name: system.machine.space_bytes(name) for name in spaces}
        self._roles = {name: space.role for name, space in spaces.items()}
        self._pages: dict[Owner, dict[int, Page]] = {}

    def size(self, owner: Owner) -> int:
        """Bytes of a memory."""
        return self._sizes[owner.space]

    # ---- elements of words --------------------------------------------------------------
    def read(self, owner: Owner, offsets: Ints, width: int, name: str = "a word") -> Array:
        """Elements of ``width`` bytes at byte offsets, as unsigned integers. ``name`` is who
        reads, for messages. Raises ``Trap`` bounds or uninitialised."""
        self._place(owner, offsets, width, name)
        result = np.zeros(len(offsets), f"<u{width}")
        for number, chosen, index in by_page(offsets, width):
            page = self._pages.get(owner, {}).get(number)
            if page is not None:
                result[chosen] = page.data.view(result.dtype)[index]
            if self.check:
                self._written(owner, page, index, offsets[chosen], width, name)
        self._touch(owner, offsets, width, False)
        return result

    def write(
        self, owner: Owner, offsets: Ints, codes: Array, width: int, name: str = "a word"
    ) -> None:
        """Writes elements; of two at one place the later stays. Raises ``Trap`` bounds."""
        self._place(owner, offsets, width, name)
        for number, chosen, index in by_page(offsets, width):
            data, written = self._page(owner, number).own()
            data.view(f"<u{width}")[index] = codes[chosen]
            written.view(f"<u{width}")[index] = written_mark(width)
        self._touch(owner, offsets, width, True)

    def peek(self, owner: Owner, offsets: Ints) -> Bytes:
        """Single bytes as they are, without checks but bounds, and unseen by the watcher."""
        self._place(owner, offsets, 1, "a word")
        result = np.zeros(len(offsets), np.uint8)
        for number, chosen, index in by_page(offsets, 1):
            page = self._pages.get(owner, {}).get(number)
            if page is not None:
                result[chosen] = page.data[index]
        return result

    def _place(self, owner: Owner, offsets: Ints, width: int, name: str) -> None:
        """Whether elements lie in their memory, aligned."""
        if not len(offsets):
            return
        most = self._sizes[owner.space] - width
        if offsets.min() < 0 or offsets.max() > most:
            wrong = offsets[(offsets < 0) | (offsets > most)][0]
            found = f"byte 0x{wrong:x}" if wrong >= 0 else f"byte {wrong}"
            raise Trap(
                "bounds",
                f"{name} lies outside {self.title(owner)}",
                expected=f"bytes 0x0 .. 0x{most + width - 1:x}",
                found=found,
            )
        if width > 1 and np.bitwise_or.reduce(offsets) & (width - 1):
            wrong = offsets[offsets & (width - 1) != 0][0]
            raise Trap(
                "bounds",
                f"{name} is not aligned in {self.title(owner)}",
                expected=f"a multiple of {width}",
                found=f"byte 0x{wrong:x}",
            )

    def _written(
        self,
        owner: Owner,
        page: Page | None,
        index: Array | slice,
        offsets: Ints,
        width: int,
        name: str,
    ) -> None:
        good = np.zeros(len(offsets), np.bool_) if page is None else page.holds(index, width)
        if good is not None:
            message = f"{name} reads what nothing has written"
            found = f"byte 0x{offsets[~good][0]:x} of {self.title(owner)}"
            raise Trap("uninitialised", message, found=found)

    def _touch(self, owner: Owner, offsets: Ints, width: int, write: bool) -> None:
        if self.watcher is not None and len(offsets):
            every = (offsets[:, np.newaxis] + np.arange(width)).reshape(-1)
            self.watcher.touch(owner, every, write)

    def _page(self, owner: Owner, number: int) -> Page:
        """A page, made if there is none."""
        pages = self._pages.setdefault(owner, {})
        if number not in pages:
            size = min(PAGE, self._sizes[owner.space] - number * PAGE)
            size += -size % 8  # a whole number of the widest elements
            self._held += 2 * size
            if self._limit is not None and self._held > self._limit:
                raise Stopped(
                    "E1206",
                    "the program needs more memory than it was allowed",
                    expected=f"at most {self._limit} bytes",
                )
            pages[number] = Page(np.zeros(size, np.uint8), np.zeros(size, np.uint8))
        return pages[number]

    # ---- bytes of the host --------------------------------------------------------------
    def store(self, owner: Owner, start: int, data: Bytes) -> None:
        """Writes bytes side by side, unseen by the watcher. Raises ``Trap`` bounds."""
        self._fits(owner, start, len(data))
        for number, at, part in pieces(start, len(data)):
            page, written = self._page(owner, number).own()
            page[at : at + len(part)] = data[part.start : part.stop]
            written[at : at + len(part)] = 1

    def lend(self, owner: Owner, start: int, data: Bytes) -> None:
        """As ``store`` for bytes that stay as they are; they need not be copied."""
        self.store(owner, start, data)

    def fetch(self, owner: Owner, start: int, size: int, name: str = "the host") -> Bytes:
        """Bytes side by side, unseen by the watcher. Raises ``Trap`` bounds, uninitialised."""
        self._fits(owner, start, size)
        pages = self._pages.get(owner, {})
        if self.check:
            for number, at, part in pieces(start, size):
                index = slice(at, at + len(part))
                where = start + np.arange(part.start, part.stop)
                self._written(owner, pages.get(number), index, where, 1, name)
        result = np.zeros(size, np.uint8)
        for number, at, part in pieces(start, size):
            if number in pages:
                result[part.start : part.stop] = pages[number].data[at : at + len(part)]
        return result

    def look(self, owner: Owner, start: int, size: int) -> tuple[Bytes, Bytes]:
        """Bytes side by side as they are, and 1 for each that has been written; for people who
        look at a stopped machine. Raises ``Trap`` bounds."""
        self._fits(owner, start, size)
        data, written = np.zeros((2, size), np.uint8)
        pages = self._pages.get(owner, {})
        for number, at, part in pieces(start, size):
            if number in pages:
                page, inside = pages[number], slice(at, at + len(part))
                data[part.start : part.stop] = page.data[inside]
                known = 1 if page.written is None else page.written[inside]
                written[part.start : part.stop] = known
        return data, written

    def map(self, owner: Owner, start: int, data: memoryview) -> None:
        """Makes bytes of the host part of a memory, without copying whole pages of them."""
        self._fits(owner, start, len(data))
        source = np.frombuffer(data, np.uint8)
        source.flags.writeable = False
        for number, at, part in pieces(start, len(source)):
            piece = source[part.start : part.stop]
            if at == 0 and len(piece) == PAGE:
                self._pages.setdefault(owner, {})[number] = Page(piece, None)
            else:
                self.store(owner, number * PAGE + at, piece)

    def _fits(self, owner: Owner, start: int, size: int) -> None:
        if start < 0 or size < 0 or start + size > self._sizes[owner.space]:
            raise Trap(
                "bounds",
                f"a tensor lies outside {self.title(owner)}",
                expected=f"bytes 0x0 .. 0x{self._sizes[owner.space] - 1:x}",
                found=f"bytes 0x{start:x} .. 0x{start + size - 1:x}",
            )

    # ---- looking at all of it -----------------------------------------------------------
    def title(self, owner: Owner) -> str:
        """What people call a memory: ``tsram of chip 0 cluster 1 tile 0``."""
        return f"{owner.space} of {self.system.instances[owner.instance]}"

    def image(self) -> Iterator[tuple[Owner, Ints, Bytes]]:
        """Every memory that holds anything: offsets of the written bytes, and these bytes."""
        for owner in sorted(self._pages):
            offsets, values = [], []
            for number, page in sorted(self._pages[owner].items()):
                offsets.append(page.offsets() + number * PAGE)
                values.append(page.data[page.offsets()])
            if any(len(part) for part in offsets):
                yield owner, np.concatenate(offsets), np.concatenate(values)

    def digest(self) -> str:
        """SHA-256 over everything written: equal for equal contents, however they came there."""
        result = hashlib.sha256()
        for owner, offsets, values in self.image():
            result.update(f"{owner.space} {owner.instance} {len(values)}\n".encode())
            result.update(offsets.astype("<i8").tobytes())
            result.update(values.tobytes())
        return result.hexdigest()

    @property
    def held(self) -> int:
        """Bytes of the host that pages take which something was written to."""
        return self._held

    def snapshot(self) -> Snapshot:
        """A copy of everything, for ``restore``."""
        return _copied(self._pages)

    def restore(self, snapshot: Snapshot) -> None:
        """Everything as it was when the copy was made."""
        self._pages = _copied(snapshot)
        pages = (page for held in self._pages.values() for page in held.values())
        self._held = sum(2 * len(p.data) for p in pages if p.data.flags.writeable)


def _copied(pages: Snapshot) -> Snapshot:
    return {
        owner: {number: page.copy() for number, page in held.items()}
        for owner, held in pages.items()
    }
