"""Which instances of tiles, clusters and chips a proof follows.

Where a program treats all tiles alike, a few stand for all: two tiles of each of two clusters
show every relation that two instances can have, and the ids become unknowns in addresses. As
soon as control or a table depends on an id, every instance is followed by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.load import load
from maiacc_isa.program import Block, Program
from maiacc_isa.word import Word

#: Chips of a system that one proof follows.
CHIP_LIMIT = 16


class NeedInstances(Exception):  # noqa: N818
    """What a word touches depends on ids in a way that one instance cannot stand for."""


@dataclass(frozen=True)
class Instance:
    """A tile, cluster or chip. ``cluster`` and ``tile`` are -1 where they do not apply."""

    number: int
    role: str
    chip: int
    cluster: int = -1
    tile: int = -1

    def __str__(self) -> str:
        parts = [f"chip {self.chip}"]
        if self.cluster >= 0:
            parts.append(f"cluster {self.cluster}")
        if self.tile >= 0:
            parts.append(f"tile {self.tile}")
        return " ".join(parts)


@dataclass(frozen=True)
class Team:
    """Instances of one role and chip that execute in step, with the values of their ids."""

    role: str
    chip: int
    members: tuple[Instance, ...]
    ids: dict[int, Val]


class Cast:
    """The instances of a proof. ``alike`` says whether some stand for others; ``tile`` and
    ``cluster`` are then the unknowns that stand for the ids."""

    def __init__(self, block: Block, program: Program, every: bool = False) -> None:
        machine = self.machine = program.machine
        self.alike = not every and not _depends_on_ids(block)
        self.tile_sym = Sym("tile", 0, machine.tiles - 1)
        self.cluster_sym = Sym("cluster", 0, machine.clusters - 1)
        chips = followed_chips(program)
        tiles, clusters = machine.tiles, machine.clusters
        if self.alike:
            tiles, clusters = min(tiles, 2), min(clusters, 2)
        self.chips = tuple(chips)
        self.instances: list[Instance] = []
        self.teams: list[Team] = []
        for chip in chips:
            groups: dict[str, list[Instance]] = {"tile": [], "cluster": [], "chip": []}
            for cluster in range(clusters):
                for tile in range(tiles):
                    groups["tile"].append(self._new("tile", chip, cluster, tile))
                groups["cluster"].append(self._new("cluster", chip, cluster))
            groups["chip"].append(self._new("chip", chip))
            for role, members in groups.items():
                self._teams(role, chip, members)

    def _new(self, role: str, chip: int, cluster: int = -1, tile: int = -1) -> Instance:
        instance = Instance(len(self.instances), role, chip, cluster, tile)
        self.instances.append(instance)
        return instance

    def _teams(self, role: str, chip: int, members: list[Instance]) -> None:
        sources = load().sources
        common = {sources["chip"].code: Val(chip), sources["one"].code: Val(1)}
        if self.alike:
            tile, cluster = Val(0, {self.tile_sym: 1}), Val(0, {self.cluster_sym: 1})
            if self.machine.tiles == 1:
                tile = Val(0)
            if self.machine.clusters == 1:
                cluster = Val(0)
            ids = {**common, **self._ids(role, cluster, tile)}
            self.teams.append(Team(role, chip, tuple(members), ids))
            return
        for member in members:
            ids = {**common, **self._ids(role, Val(member.cluster), Val(member.tile))}
            self.teams.append(Team(role, chip, (member,), ids))

    def _ids(self, role: str, cluster: Val, tile: Val) -> dict[int, Val]:
        sources = load().sources
        ids = {}
        if role in ("tile", "cluster"):
            ids[sources["cluster"].code] = cluster
        if role == "tile":
            ids[sources["tile"].code] = tile
            ids[sources["gtile"].code] = cluster.scaled(self.machine.tiles) + tile
        return ids

    def weight(self, role: str) -> int:
        """How many instances of a chip one team's event stands for."""
        return self.machine.instances(role) if self.alike else 1


def followed_chips(program: Program) -> range:
    """The chips that a proof follows: one for all, if no block tells them apart."""
    apart = any(_uses_chips(block) for block in program.blocks)
    return range(program.machine.chips if apart else 1)


def _uses_chips(block: Block) -> bool:
    chip = load().sources["chip"].code
    for word in block.words:
        if word.queue is not None and load().queues[word.queue].engine == "net":
            return True
        if word.name == "SET" and chip in _read_sources(word):
            return True
    terms = [t for d in block.descriptors for t in d.terms]
    remote = any(s.scope == "remote" for s in block.semaphores)
    return remote or any(t.source == chip for t in terms)


def _read_sources(word: Word) -> set[int]:
    return {word[f"x{i}"] for i in (1, 2) if word[f"c{i}"]}


def _depends_on_ids(block: Block) -> bool:
    """Whether anything but addresses that are multiples of ids depends on them."""
    sources = load().sources
    tainted = {sources[name].code for name in ("tile", "cluster", "gtile")}
    registers = sources["s"].code
    sets = [word for word in block.words if word.name == "SET"]
    growing = True
    while growing:
        growing = False
        for word in sets:
            code = registers + word["dest"]
            if code not in tainted and _read_sources(word) & tainted:
                if word["fn"] != "none":
                    return True
                tainted.add(code)
                growing = True
    trips = [w for w in block.words if w.name == "LOOP" and w["kind"] == "scalar"]
    if any(registers + word["reg"] in tainted for word in trips):
        return True
    if any(d.home == "at" for d in block.descriptors) or _uses_masks(block.words):
        return True
    return any(registers + s.reg in tainted for d in block.descriptors for s in d.sized)


def _uses_masks(words: Iterable[Word]) -> bool:
    return any(word.fields.get("mask") or word.fields.get("group") for word in words)
