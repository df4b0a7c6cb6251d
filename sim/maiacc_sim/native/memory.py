"""The memories of a native machine: arrays of the host, and the view that Python has of them."""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.program import Program
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.native import records
from maiacc_sim.native.arrays import Records, blank
from maiacc_sim.native.shared import ALIASES
from maiacc_sim.native.spans import check_budget, cut, own_spans, spans_of
from maiacc_sim.pages import Array, Bytes, Ints
from maiacc_sim.system import System

#: Pieces begin at multiples of this, so that vectors lie in one line of the cache.
LINE = 64

#: Memories into which native code may put off copies, of that many bytes or more: to look for what
#: was put off takes time, too.
LAZY = ("tsram", "csram")
LEAST = 1024

#: Pieces from here on get pages of their own, large ones where the host has them.
LARGE = 1 << 21


@dataclass
class Piece:
    """Bytes ``start`` to ``end`` - 1 of a memory, held in ``data``."""

    start: int
    end: int
    data: NDArray[np.uint8]


@dataclass
class Place:
    """A piece for which arrays of the host may stand, and what native code knows of it: the address
    of byte 0, and whether it must not be written to."""

    piece: Piece
    known: NDArray[np.int64]

    def exchange(self, array: Array, fixed: bool) -> None:
        """Lets an array stand for the piece, which is as long."""
        data = array.reshape(-1).view(np.uint8)
        if fixed:
            data.flags.writeable = False
        self.piece.data = data
        self.known[0] = address(array) - self.piece.start
        self.known[1] = fixed


def address(array: Array) -> int:
    """Where the elements of an array begin; numpy's own way takes three times as long."""
    if array.flags.writeable and array.size:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]  # arrays are buffers
    return array.ctypes.data


def zeros(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes of the host, which gives them only when they are touched."""
    if size < LARGE:
        room = np.zeros(size + LINE, np.uint8)
        start = -room.ctypes.data % LINE
        return room[start : start + size]
    mapped = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        mapped.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(mapped, np.uint8)


class NativeMemories(Memories):
    """The memories of a system as native code has them, with the interface that the reference
    simulator uses. What lies in no piece is kept in pages, as there.

    A tensor is a piece of its own where no other overlaps it: arrays of the host stand for inputs
    and weights as they are, and outputs are handed over as they are. ``records`` are those of all
    memories, by space and instance.
    """

    def __init__(self, program: Program, system: System, limit: int | None = None) -> None:
        super().__init__(system, check=False, limit=limit)
        self.pieces: dict[Owner, list[Piece]] = {}
        check_budget(program, system, limit)
        spans = spans_of(program, "hbm")
        self.records = _memory_records(system)
        self._aliases: dict[Owner, Records] = {}
        self._guards = np.zeros(8 * len(self.records), np.int64)
        self._segments: dict[Owner, Records] = {}
        self._tensors = own_spans(program)
        for instance in system.instances:
            for space in load().spaces.values():
                if space.role != instance.role or not self._sizes[space.name]:
                    continue
                owner = Owner(space.name, instance.number)
                wanted = spans if space.name == "hbm" else [(0, self._sizes[space.name])]
                if space.name == "hbm":
                    wanted = cut(spans, list(self._tensors))
                self.pieces[owner] = [Piece(a, b, zeros(b - a)) for a, b in wanted]
                self._seal(owner)
                if space.name in LAZY:
                    self._loosen(owner)
        self._hbm = [owner for owner in self.pieces if owner.space == "hbm"]
        self._put_off = self.records["aliased"]

    def _loosen(self, owner: Owner) -> None:
        """Lets native code put off copies into a memory."""
        entry = self._record(owner)
        aliases = self._aliases[owner] = blank(records.Alias, ALIASES)
        entry["lazy"], entry["aliases"] = LEAST, aliases.ctypes.data
        place = load().spaces[owner.space].code * len(self.system.instances) + owner.instance
        entry["guard"] = self._guards[8 * place :].ctypes.data

    def share(self) -> None:
        """Several threads will use the memories."""
        self.records["shared"] = 1

    def forget(self) -> None:
        """Ends all copies that were put off; what they would have written is not there."""
        self._put_off.fill(0)

    def settle(self, owner: Owner) -> None:
        """Makes the copies into a memory that were put off."""
        if owner not in self._aliases:
            return
        entry = self._record(owner)
        for alias in self._aliases[owner][: int(entry["aliased"])]:
            start, end = int(alias["start"]), int(alias["end"])
            (piece,) = (p for p in self.pieces[owner] if p.start <= start and end <= p.end)
            place = piece.data.ctypes.data + start - piece.start
            ctypes.memmove(place, int(alias["origin"]) + start, end - start)
        entry["aliased"] = 0

    def _record(self, owner: Owner) -> Any:
        count = len(self.system.instances)
        return self.records[load().spaces[owner.space].code * count + owner.instance]

    def _seal(self, owner: Owner) -> None:
        """Tells native code the pieces of a memory."""
        pieces = self.pieces[owner]
        found = self._segments[owner] = blank(records.Segment, len(pieces))
        entry = self._record(owner)
        entry["count"], entry["segments"] = len(pieces), found.ctypes.data
        for number in range(len(pieces)):
            self._show(owner, number)

    def _show(self, owner: Owner, number: int) -> None:
        """Tells native code where a piece lies."""
        piece = self.pieces[owner][number]
        origin = address(piece.data) - piece.start
        fixed = not piece.data.flags.writeable
        self._segments[owner][number] = piece.start, piece.end, origin, fixed

    def place(self, owner: Owner, start: int, size: int) -> Place | None:
        """The piece that begins there and is as long; None if there is none."""
        pieces = self.pieces.get(owner, [])
        number = bisect_left(pieces, start, key=lambda piece: piece.start)
        if number == len(pieces):
            return None
        piece = pieces[number]
        if (piece.start, piece.end) != (start, start + size):
            return None
        rows = self._segments[owner].view(np.int64).reshape(len(pieces), -1)
        return Place(piece, rows[number, 2:])

    def _exchange(self, owner: Owner, start: int, data: NDArray[np.uint8]) -> bool:
        """Lets other bytes of the host stand for the piece that is as long and begins there;
        whether there is one."""
        place = self.place(owner, start, len(data))
        if place is not None:
            place.exchange(data, fixed=not data.flags.writeable)
        return place is not None

    def renew(self) -> None:
        """Gives outputs and states bytes that nobody else has."""
        for (start, end), kind in self._tensors.items():
            if kind in ("output", "state"):
                for owner in self._hbm:
                    self._exchange(owner, start, np.empty(end - start, np.uint8))

    # ---- what the host gives and takes -------------------------------------------------------
    def lend(self, owner: Owner, start: int, data: Bytes) -> None:
        self._fits(owner, start, len(data))
        source = data.view()
        source.flags.writeable = False
        if len(data) and not self._exchange(owner, start, source):
            self.store(owner, start, data)

    def map(self, owner: Owner, start: int, data: memoryview) -> None:
        source = np.frombuffer(data, np.uint8)
        self.lend(owner, start, source)

    def store(self, owner: Owner, start: int, data: Bytes) -> None:
        self.settle(owner)
        self._fits(owner, start, len(data))
        for piece in self.pieces[owner]:
            if piece.start <= start and start + len(data) <= piece.end:
                self.unshare(owner, start, start + len(data) - 1)
                piece.data[start - piece.start :][: len(data)] = data
                return
        self.write(owner, start + np.arange(len(data)), data, 1)

    def fetch(self, owner: Owner, start: int, size: int, name: str = "the host") -> Bytes:
        self.settle(owner)
        self._fits(owner, start, size)
        for piece in self.pieces[owner]:
            if piece.start <= start and start + size <= piece.end:
                data = piece.data[start - piece.start : start - piece.start + size]
                return data if (start, start + size) in self._tensors else data.copy()
        return self.read(owner, start + np.arange(size), 1)

    # ---- the reference simulator's view ------------------------------------------------------
    def unshare(self, owner: Owner, first: int, last: int) -> bool:
        """Makes mapped bytes among ``first`` to ``last`` the machine's own; says if there are."""
        found = False
        for number, piece in enumerate(self.pieces.get(owner, ())):
            if not piece.data.flags.writeable and piece.start <= last and first < piece.end:
                piece.data = piece.data.copy()
                self._show(owner, number)
                found = True
        return found

    def read(self, owner: Owner, offsets: Ints, width: int, name: str = "a word") -> Array:
        self.settle(owner)
        self._place(owner, offsets, width, name)
        result = np.zeros(len(offsets), f"<u{width}")
        for piece, chosen in self._shares(owner, offsets, width):
            if piece is None:
                result[chosen] = super().read(owner, offsets[chosen], width, name)
            else:
                result[chosen] = _gathered(piece.data, offsets[chosen] - piece.start, width)
        return result

    def write(
        self, owner: Owner, offsets: Ints, codes: Array, width: int, name: str = "a word"
    ) -> None:
        self.settle(owner)
        self._place(owner, offsets, width, name)
        for piece, chosen in self._shares(owner, offsets, width):
            if piece is None:
                super().write(owner, offsets[chosen], codes[chosen], width, name)
                continue
            if not piece.data.flags.writeable:
                self.unshare(owner, piece.start, piece.start)
            at = (offsets[chosen] - piece.start)[:, np.newaxis] + np.arange(width)
            piece.data[at] = codes[chosen].astype(f"<u{width}").view(np.uint8).reshape(-1, width)

    def peek(self, owner: Owner, offsets: Ints) -> Bytes:
        return self.read(owner, offsets, 1)

    def _shares(
        self, owner: Owner, offsets: Ints, width: int
    ) -> Iterator[tuple[Piece | None, NDArray[np.bool_] | slice]]:
        """The pieces that elements lie in, and which; None for what lies in no piece."""
        left = np.ones(len(offsets), np.bool_)
        for piece in self.pieces.get(owner, ()):
            inside = (offsets >= piece.start) & (offsets + width <= piece.end)
            if inside.all():
                yield piece, slice(None)
                return
            if inside.any():
                yield piece, inside
                left &= ~inside
        if left.any():
            yield None, left

    def contents(self) -> Iterator[tuple[Owner, int, NDArray[np.uint8]]]:
        """Every piece: its memory, its first byte and its bytes."""
        for owner, pieces in self.pieces.items():
            self.settle(owner)
            for piece in pieces:
                yield owner, piece.start, piece.data


def _gathered(data: NDArray[np.uint8], at: Ints, width: int) -> Array:
    """Elements at any offsets."""
    rows = data[at[:, np.newaxis] + np.arange(width)]
    return np.ascontiguousarray(rows).view(f"<u{width}").reshape(-1)


def _memory_records(system: System) -> Records:
    """A record for every memory that the system could have."""
    spaces = 1 + max(space.code for space in load().spaces.values())
    return blank(records.Memory, spaces * len(system.instances))
