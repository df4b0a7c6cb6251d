"""An operand of a word that executes: its elements read from, and written to, memories.

Elements are codes: the bits of each in an unsigned integer (see ``arith``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeAlias

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.arith.convert import container, convert
from maiacc_sim.issue import Located
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.pages import Array, Ints
from maiacc_sim.traps import Trap
from maiacc_sim.views import Bools, Elements, coordinates, describe, elements, rows_at

#: Old and new codes to the codes that replace the old ones.
Meet: TypeAlias = Callable[[Array, Array], Array]


class Operand:
    """A located view in one or, where it is written, several memories.

    ``rows`` and ``columns`` are the numbers of elements before and behind the split.
    """

    def __init__(
        self, memories: Memories, name: str, located: Located, owners: tuple[Owner, ...]
    ) -> None:
        d = located.descriptor
        self.name = name
        self.located = located
        self.dtype = d.dtype
        self._bits = load().dtypes[d.dtype].bits
        self._packed = load().dtypes[d.dtype].packed
        self._memories = memories
        self.owners = owners

    @cached_property
    def places(self) -> Elements:
        """Where the elements lie."""
        return elements(self.located)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.places.shape

    @cached_property
    def scale(self) -> Operand | None:
        """The scales of the elements; they lie in the same memory."""
        return self._beside(self.located.scale, "a scale of")

    @cached_property
    def meta(self) -> Operand | None:
        """The 2:4 positions of the elements; they lie in the same memory."""
        return self._beside(self.located.meta, "a 2:4 position of")

    def _beside(self, located: Located | None, what: str) -> Operand | None:
        if located is None:
            return None
        return Operand(self._memories, f"{what} {self.name}", located, self.owners)

    @property
    def fill(self) -> int:
        """The code of elements outside the box."""
        return constant(self.located.descriptor.fill, self.dtype)

    # ---- all elements -------------------------------------------------------------------
    def read(self) -> Array:
        """The codes of all elements, [rows, columns]; those outside the box are the fill value.

        Raises ``Trap`` bounds or uninitialised.
        """
        if self.located.descriptor.space == "iota":
            return self._positions()
        return self.read_at(self.places)

    def write(self, codes: Array) -> None:
        """Writes all elements, codes in their order, to every memory of the operand.

        Raises ``Trap`` bounds, also for an element outside the box unless the view drops it.
        """
        inside = self._writable(self.places)
        for owner in self.owners:
            self._save(owner, self.places.address[inside], codes.reshape(-1)[inside])

    def inside(self) -> Bools:
        """Which elements lie in the box, [rows, columns]."""
        return self.places.inside.reshape(self.shape)

    def _positions(self) -> Array:
        """Elements of the space iota: their own coordinates on axis 0, or whether they exist."""
        if self.dtype == "bool":
            return self.inside().astype(np.uint8)
        codes = convert(coordinates(self.located, 0).view(np.uint64), "int64", self.dtype)
        return np.where(self.places.inside, codes, codes.dtype.type(self.fill)).reshape(self.shape)

    # ---- some elements ------------------------------------------------------------------
    def rows_at(self, rows: Ints) -> Elements:
        """The view once for each of ``rows``, as its coordinate on axis 0."""
        return rows_at(self.located, rows)

    def read_at(self, places: Elements) -> Array:
        """The codes of elements; those outside the box are the fill value."""
        (owner,) = self.owners
        codes = np.full(len(places), self.fill, container(self.dtype))
        codes[places.inside] = self._fetch(owner, places.address[places.inside])
        return codes.reshape(places.shape)

    def meet(self, places: Elements, codes: Array, join: Meet | None) -> None:
        """Lets codes meet what is there, one element after the other: ``join`` combines the old
        with the new, None replaces it. Elements outside the box as in ``write``."""
        inside = self._writable(places)
        cells, cell = np.unique(places.address[inside], return_inverse=True)
        new = codes.reshape(-1)[inside]
        for owner in self.owners:
            if join is None:
                held = np.zeros(len(cells), new.dtype)
            else:
                held = self._fetch(owner, cells)
            for turn in _turns(cell):
                held[cell[turn]] = new[turn] if join is None else join(held[cell[turn]], new[turn])
            self._save(owner, cells, held)

    def _writable(self, places: Elements) -> Bools:
        """Which elements are written. Raises ``Trap`` bounds where one must not be left out."""
        if not places.inside.all() and not self.located.descriptor.drop:
            position = int(np.flatnonzero(~places.inside)[0])
            message = f"{self.name} is written outside the box of its tensor"
            if places is not self.places:
                raise Trap("bounds", message)
            where, box, found = describe(self.located, position)
            raise Trap("bounds", f"{message}, at window index {where}", expected=box, found=found)
        return places.inside

    # ---- memory -------------------------------------------------------------------------
    def _fetch(self, owner: Owner, address: Ints) -> Array:
        if not self._packed:
            return self._memories.read(owner, address, self._bits // 8, self.name)
        # An element of 6 bits may lie in two bytes; of one in a single byte both are the same.
        low = self._memories.read(owner, address >> 3, 1, self.name).astype(np.uint16)
        high = self._memories.read(owner, address + self._bits - 1 >> 3, 1, self.name)
        both = low | high.astype(np.uint16) << 8
        mask = (1 << self._bits) - 1
        return ((both >> (address & 7).astype(np.uint16)) & mask).astype(np.uint8)

    def _save(self, owner: Owner, address: Ints, codes: Array) -> None:
        if not self._packed:
            self._memories.write(owner, address, codes, self._bits // 8, self.name)
            return
        first, last = address >> 3, address + self._bits - 1 >> 3
        shift = (address & 7).astype(np.uint16)
        mask = np.uint16((1 << self._bits) - 1) << shift
        value = codes.astype(np.uint16) << shift
        two = first != last
        cells, at = _cells(np.concatenate([first, last[two]]))
        cleared, bits = np.zeros((2, len(cells)), np.uint8)
        for target, source in ((cleared, mask), (bits, value)):
            np.bitwise_or.at(
                target, at, np.concatenate([source, source[two] >> 8]).astype(np.uint8)
            )
        # A byte that no element lies in keeps all of its bits, and counts as not accessed.
        used = cleared != 0
        cells, bits = cells[used], bits[used]
        kept = self._memories.peek(owner, cells) & ~cleared[used]
        self._memories.write(owner, cells, kept | bits, 1, self.name)


def _cells(places: Ints) -> tuple[Ints, Ints]:
    """Bytes among which all places are, rising, and the position of each place in them."""
    low = int(places.min()) if len(places) else 0
    if len(places) and (span := int(places.max()) - low + 1) <= 8 * len(places):
        return np.arange(low, low + span), places - low
    cells, at = np.unique(places, return_inverse=True)
    return cells, at


def constant(bits: int, dtype: str) -> int:
    """The code of a 32-bit constant: its low bits, or sign-extended for 64-bit types."""
    size = load().dtypes[dtype].bits
    value = bits - (1 << 32) if size == 64 and bits >> 31 else bits
    return value & (1 << size) - 1


def _turns(cell: Ints) -> Iterator[Ints]:
    """Positions in turns, so that no turn has one cell twice and each cell's positions rise."""
    order = np.argsort(cell, kind="stable")
    ranked = cell[order]
    starts = np.flatnonzero(np.diff(ranked, prepend=-1))
    counts = np.diff(starts, append=len(ranked))
    rank = np.arange(len(ranked)) - np.repeat(starts, counts)
    by_rank = order[np.argsort(rank, kind="stable")]
    yield from np.split(by_rank, np.cumsum(np.bincount(rank))[:-1])
