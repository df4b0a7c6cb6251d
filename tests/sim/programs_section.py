"""A section of a random program: values in TSRAM, where they come from and where they go.

All tiles do the same to their own part of the tensors, in a loop or once.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from maiacc_isa.load import load
from sim.programs_text import Buf, Item, Line, Loop, Op, Writer
from sim.programs_views import group, whole, window

#: Types a load can bring; sp24 and e8m0 come where something needs them, and now and then.
DTYPES = tuple(load().dtypes)

#: Number of columns that all types allow.
PACKED_COLUMNS = (4, 8, 16, 32)


@dataclass
class Section:
    """Words in the making, at one place of the block's tree of loops."""

    writer: Writer
    loop: str
    trips: int
    body: list[Item] = field(default_factory=list)
    values: list[Buf] = field(default_factory=list)
    outer: list[Buf] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)

    @property
    def rng(self) -> random.Random:
        return self.writer.rng

    @property
    def tiles(self) -> int:
        return self.writer.host.machine.instances("tile")

    def op(self, op: Op) -> None:
        """Adds a word."""
        self.body.append(op)

    def slots(self) -> int:
        """A number of slots for a buffer of this place."""
        return self.rng.choice((1, 2, 2, 3)) if self.loop and self.writer.rings else 1

    def shape(self, packed: bool = False) -> tuple[int, int]:
        """A small shape."""
        rows = self.rng.choice((1, 2, 3, 4, 5, 8))
        if packed or self.rng.random() < 0.4:
            return rows, self.rng.choice(PACKED_COLUMNS)
        return rows, self.rng.choice((1, 2, 3, 5, 7, 9, 16, 33))

    def tile_buffer(
        self, dtype: str, shape: tuple[int, ...], scope: str = "tile", kind: str = "any"
    ) -> Buf:
        """A buffer in TSRAM."""
        return self.writer.buffer(dtype, shape, "tsram", self.slots(), scope, kind)

    # ---- coming and going ---------------------------------------------------------------
    def part(self) -> tuple[int, str]:
        """How many parts a tensor has, and the sum that names this tile's at this turn."""
        if not self.loop:
            return self.tiles, "gtile"
        if self.rng.random() < 0.5:
            return self.tiles * self.trips, f"{self.tiles}*{self.loop} + gtile"
        return self.tiles * self.trips, f"{self.trips}*gtile + {self.loop}"

    def load(self, dtype: str, shape: tuple[int, int] | None = None, kind: str = "any") -> Buf:
        """A new value of a type from an input, by one of the ways there are."""
        packed = load().dtypes[dtype].packed
        shape = shape or self.shape(packed)
        ways = [self._direct, self._direct, self._broadcast, self._staged, self._weight]
        if not packed:
            ways.append(self._turned)
        buf = self.rng.choice(ways)(dtype, shape, kind)
        self.values.append(buf)
        return buf

    def queue(self) -> str:
        return self.rng.choice(("LD0", "LD0", "LD1"))

    def _direct(self, dtype: str, shape: tuple[int, int], kind: str) -> Buf:
        count, part = self.part()
        tensor = self.writer.host.tensor(
            self.rng.choice(("input", "input", "state")), dtype, (count, *shape), kind
        )
        buf = self.tile_buffer(dtype, shape, kind=kind)
        source = whole(self.rng, tensor, False, lead=f"{part}, ")
        self.op(Op(self.queue(), f"copy {whole(self.rng, buf, False)}, {source}", (), (buf,)))
        return buf

    def _turned(self, dtype: str, shape: tuple[int, int], kind: str) -> Buf:
        """Transposed on the way."""
        count, part = self.part()
        rows, columns = shape
        tensor = self.writer.host.tensor("input", dtype, (count, columns, rows), kind)
        buf = self.tile_buffer(dtype, shape, kind=kind)
        source = f"{tensor.name}{{j:{columns}, i:{rows}}}[{part}, j, i]"
        target = f"{buf.place}{{i:{rows}, j:{columns}}}[i, j]"
        self.op(Op(self.queue(), f"copyt {target}, {source}", (), (buf,)))
        return buf

    def _weight(self, dtype: str, shape: tuple[int, int], kind: str) -> Buf:
        """The same for all tiles, from a tensor without parts."""
        tensor = self.writer.host.tensor("weight", dtype, shape, kind)
        buf = self.tile_buffer(dtype, shape, kind=kind)
        rows, columns = shape
        source = window(self.rng, tensor, rows, columns, bar=False, plain=kind != "any")
        self.op(Op(self.queue(), f"copy {whole(self.rng, buf, False)}, {source}", (), (buf,)))
        return buf

    def _broadcast(self, dtype: str, shape: tuple[int, int], kind: str) -> Buf:
        """One load for all tiles of a cluster, or one for each set of them."""
        host = self.writer.host
        parts = host.machine.clusters * self.trips
        tensor = host.tensor("input", dtype, (parts, *shape), kind)
        buf = self.tile_buffer(dtype, shape, "cluster", kind)
        where = f"{self.trips}*cluster + {self.loop}" if self.loop else "cluster"
        source = whole(self.rng, tensor, False, lead=f"{where}, ")
        target = whole(self.rng, buf, False, place=buf.place + "@[all]")
        name = self.rng.choice(("bcast", "bcast", "copy"))
        if self.rng.random() < 0.3:
            for tile in range(host.machine.tiles):
                mask = self.writer.declare("mask", f"= {{{tile}}}", "m")
                self.op(Op("CLD", f"{name} {target}, {source}", (), (buf,), mask))
        else:
            self.op(Op("CLD", f"{name} {target}, {source}", (), (buf,)))
        return buf

    def _staged(self, dtype: str, shape: tuple[int, int], kind: str) -> Buf:
        """Through the cluster's memory, or that of another cluster."""
        host = self.writer.host
        remote = self.rng.random() < 0.3
        scope = "chip" if remote else "cluster"
        parts = host.machine.clusters * self.trips
        tensor = host.tensor("input", dtype, (parts, *shape), kind)
        stage = self.writer.buffer(dtype, shape, "csram", self.slots(), scope, kind)
        where = f"{self.trips}*cluster + {self.loop}" if self.loop else "cluster"
        source = whole(self.rng, tensor, False, lead=f"{where}, ")
        self.op(Op("CLD", f"copy {whole(self.rng, stage, False)}, {source}", (), (stage,)))
        buf = self.tile_buffer(dtype, shape, kind=kind)
        home = f"{stage.place}@[{self.rng.choice(('-cluster + 1', '0', '1'))}]"
        view = whole(self.rng, stage, False, plain=kind != "any", place=home if remote else None)
        target = whole(self.rng, buf, False, plain=kind != "any")
        self.op(Op(self.queue(), f"copy {target}, {view}", (stage,), (buf,)))
        return buf

    def value(self, dtypes: tuple[str, ...], kind: str = "any") -> Buf:
        """A value of one of some types: one that is there, or a new one."""
        known = [v for v in (*self.values, *self.outer) if v.dtype in dtypes]
        known = [v for v in known if kind in ("any", v.kind)]
        if known and self.rng.random() < 0.65:
            return self.rng.choice(known)
        return self.load(self.rng.choice(dtypes), kind=kind)

    def result(self, dtype: str, shape: tuple[int, int], kind: str = "any") -> Buf:
        """A buffer for a result."""
        buf = self.tile_buffer(dtype, shape, kind=kind)
        self.values.append(buf)
        return buf

    def store(self, buf: Buf) -> None:
        """Brings a value out, completely."""
        if buf.name in self.stored:
            return
        self.stored.add(buf.name)
        count, part = self.part()
        kind = "output" if self.rng.random() < 0.8 else "state"
        tensor = self.writer.host.tensor(kind, buf.dtype, (count, *buf.shape))
        target = whole(self.rng, tensor, False, lead=f"{part}, ")
        rows, columns = buf.shape
        source = window(self.rng, buf, rows, columns, bar=False)
        self.op(Op("ST", f"copy {target}, {source}", (buf,)))

    def finish(self) -> None:
        """Stores what nothing has read, and goes on to the next slots."""
        read = {buf for item in self.body if isinstance(item, Op) for buf in item.reads}
        for buf in list(self.values):
            if buf not in read or self.rng.random() < 0.15:
                self.store(buf)
        if not self.loop:
            self.writer.items += self.body
            return
        roles = ("tile", "cluster")
        for slots, ring in self.writer.rings.items():
            self.body.append(Line(f"{ring} = ({ring} + 1) mod {slots}", roles))
        self.writer.items.append(Loop(self.loop, str(self.trips), self.body))


def columns_of(section: Section, buf: Buf) -> int:
    """A number of columns that a window of a buffer can have."""
    return section.shape(group(buf) > 1)[1]
