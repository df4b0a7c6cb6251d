"""One execution of an engine word: its operands, whose memory they lie in, and its meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maiacc_isa.program import Block, Program
from maiacc_isa.tables import Chain
from maiacc_isa.word import Word
from sim.plain_memory import Memories, Place, Window
from sim.plain_numbers import PlainTrap


@dataclass
class Execution:
    """A word with its operands filled in, at the instance that executes it."""

    program: Program
    block: Block
    memories: Memories
    instance: Place
    word: Word
    views: dict[str, Window]
    fresh: bool
    peers: tuple[int, ...]

    @property
    def chain(self) -> Chain:
        number: int = self.word["chain"]
        return self.block.chains[number]

    @property
    def members(self) -> frozenset[int] | None:
        """What the word's mask names; None is everything."""
        mask = self.word.fields.get("mask", 0)
        return self.block.masks[mask - 1].members if mask else None

    # ---- whose memory -------------------------------------------------------------------
    def places(self, window: Window, chip: int) -> list[Place]:
        """The memories a view means on a chip."""
        m, d, own = self.program.machine, window.d, self.instance
        if d.space == "hbm":
            return [Place("hbm", chip)]
        if d.space in ("acc", "iota"):
            return [Place(d.space, own.chip, own.cluster, own.tile)]
        count = m.clusters if d.space == "csram" else m.tiles
        numbers = [own.cluster if d.space == "csram" else own.tile]
        if d.home == "at":
            numbers = [window.home]
        elif d.home == "all":
            numbers = [n for n in range(count) if self.members is None or n in self.members]
        if any(not 0 <= n < count for n in numbers):
            raise PlainTrap("bounds", f"no {d.space} {numbers}")
        if d.space == "csram":
            return [Place("csram", chip, n) for n in numbers]
        return [Place("tsram", chip, own.cluster, n) for n in numbers]

    def place(self, window: Window) -> Place:
        """The one memory that is read."""
        return self.places(window, self.instance.chip)[0]

    # ---- elements -----------------------------------------------------------------------
    def read(self, name: str) -> list[int]:
        """The codes of an operand."""
        window = self.views[name]
        return self.memories.elements(window, self.place(window))

    def aux(self, window: Window) -> list[int]:
        """The codes of a view of scales or metadata."""
        return self.memories.elements(window, self.place(window))

    def write(self, name: str, codes: list[int]) -> None:
        """Writes an operand here, or wherever its home and the peers say."""
        window = self.views[name]
        for place in self.targets(name):
            self.memories.store(window, place, codes)

    def targets(self, name: str) -> list[Place]:
        """Every memory that an operand is written to."""
        chips = self.peers if name == "d" and self.word.name.startswith("PUT") else None
        window = self.views[name]
        own = (self.instance.chip,)
        return [p for chip in (own if chips is None else chips) for p in self.places(window, chip)]

    def dtype(self, name: str) -> str:
        return self.views[name].d.dtype

    def rows(self, name: str) -> Iterator[list[int]]:
        """The codes of an operand, row by row."""
        window, codes = self.views[name], self.read(name)
        for r in range(window.rows):
            yield codes[r * window.columns : (r + 1) * window.columns]

    def matrix(self, name: str) -> list[list[int]]:
        """All rows of an operand."""
        return list(self.rows(name))
