"""Many words in one block, and what the memories hold from which they are executed.

Words are built into batches until memory is full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.load import load
from maiacc_isa.machine import builtin_machine
from maiacc_isa.program import Block, Buffer, Call, Program
from maiacc_isa.tables import Chain, Descriptor, Mask
from maiacc_isa.word import Word, complete
from maiacc_sim.memory import Owner
from maiacc_sim.system import System
from native.contents import data
from native.layouts import Want, lay

#: Bytes of HBM that words use.
HBM = 1 << 18

#: Bytes from which on a view does not waste any.
LARGE = 9_000

#: Words of a batch, at most.
MOST = 500


class FullError(Exception):
    """There is no more room in a batch's memories."""


@dataclass(frozen=True)
class Setting:
    """Who executes the words of a batch: the first instance of a role, as if in loops at some
    iteration. ``allowed`` are findings that words may have and be executed all the same."""

    target: str = "mini"
    role: str = "tile"
    iteration: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """Something to be tried: it builds words into a batch."""

    name: str
    build: Callable[[Batch, np.random.Generator], None]
    setting: Setting = Setting()

    def rng(self) -> np.random.Generator:
        """Its own random numbers, the same in every run."""
        return np.random.default_rng(crc32(self.name.encode()))


@cache
def system_of(target: str) -> System:
    """A machine's instances."""
    return System(builtin_machine(target))


@cache
def noise(size: int) -> NDArray[np.uint8]:
    """Random bytes, always the same."""
    return np.random.default_rng(size).integers(0, 256, size, np.uint8)


class Batch:
    """Words for one instance, and what its memories hold when they begin."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.system = setting, system_of(setting.target)
        self.instance = next(i for i in self.system.instances if i.role == setting.role)
        self.words: list[Word] = []
        self.cases: list[str] = []
        self.descriptors: list[Descriptor] = []
        self.chains: list[Chain] = []
        self.masks: list[Mask] = []
        self.images = {owner: noise(size).copy() for owner, size in self._owners()}
        self.free = dict.fromkeys(load().spaces, 64)
        self.rng = np.random.default_rng(0)
        self.mood = "wild"
        self.case = ""

    def _owners(self) -> Iterator[tuple[Owner, int]]:
        for instance in self.system.instances:
            for space in load().spaces.values():
                size = self.system.machine.space_bytes(space.name)
                if space.role == instance.role and size:
                    yield Owner(space.name, instance.number), min(size, HBM)

    # ---- building -----------------------------------------------------------------------
    def add(self, case: Case) -> None:
        """Builds a case. Raises ``FullError``, and then nothing of it is left."""
        lists = (self.words, self.cases, self.descriptors, self.chains, self.masks)
        before, free = [len(items) for items in lists], dict(self.free)
        self.case, self.rng, self.mood = case.name, case.rng(), "wild"
        try:
            case.build(self, self.rng)
        except FullError:
            for items, count in zip(lists, before, strict=True):
                del items[count:]  # type: ignore[attr-defined]
            self.free = free
            raise
        if len(self.words) > MOST or len(self.descriptors) > 4000 or len(self.chains) > 250:
            raise AssertionError("a batch has outgrown its tables")

    @property
    def full(self) -> bool:
        """Whether the next case should begin another batch."""
        return len(self.words) > MOST - 60 or len(self.descriptors) > 3700 or len(self.chains) > 200

    def owner(self, space: str) -> Owner:
        """The instance's own memory of a space, or the one it lies in."""
        holder = load().spaces[space].role
        found = self.system.inside(self.instance, holder)
        return Owner(space, found[0].number)

    def take(self, space: str, size: int, dtype: str, mood: str) -> int:
        """Room in a memory, filled with elements of a type; its first byte."""
        image = self.images[self.owner(space)]
        if space == "acc":
            return 4 * int(self.rng.integers((len(image) - size) // 4 + 1))
        base = self.free[space] + -self.free[space] % 8
        if base + size > len(image):
            raise FullError
        self.free[space] = base + size + int(self.rng.integers(0, 24))
        image[base : base + size] = data(self.rng, dtype, size, mood)
        return base

    def view(self, want: Want, mood: str | None = None) -> int:
        """A view with memory of its own; its number. A large one is plain, or lies in TSRAM if it
        is too large for accumulators."""
        placed = lay(self.rng, want)
        if placed.size > LARGE:
            placed = lay(self.rng, replace(want, layout="plain"))
        if placed.size > len(self.images[self.owner(want.space)]):
            return self.view(replace(want, space="tsram"), mood)
        base = self.take(want.space, max(placed.size, 1), want.dtype, mood or self.mood)
        return self.put(replace(placed.descriptor, base=placed.descriptor.base + base))

    def put(self, descriptor: Descriptor) -> int:
        """A descriptor; its number."""
        self.descriptors.append(descriptor)
        return len(self.descriptors) - 1

    def chain(self, chain: Chain) -> int:
        """A chain; its number."""
        if chain not in self.chains:
            self.chains.append(chain)
        return self.chains.index(chain)

    def mask(self, members: Iterable[int]) -> int:
        """A mask; its number."""
        mask = Mask(frozenset(members))
        if mask not in self.masks:
            self.masks.append(mask)
        return self.masks.index(mask) + 1

    def word(self, name: str, queue: str, **fields: object) -> None:
        """A word."""
        self.words.append(complete(Word(name, queue, (), dict(fields))))
        self.cases.append(self.case)

    def scalar(self, register: int, value: int) -> None:
        """A word that sets a register."""
        fields = {"dest": register, "imm": value}
        self.words.append(complete(Word("SET", None, (self.instance.role,), fields)))
        self.cases.append(self.case)

    # ---- running ------------------------------------------------------------------------
    @property
    def block(self) -> Block:
        """The batch as a block."""
        return Block(
            "main",
            tuple(self.words),
            tuple(self.descriptors),
            tuple(self.chains),
            (),
            tuple(self.masks),
            buffers=(Buffer("room", "uint8", (HBM,), "hbm", 0),),
        )

    def program(self) -> Program:
        """The batch as a program."""
        return Program(self.system.machine, (), (), (self.block,), (Call("main"),))


def batches(cases: Iterable[Case]) -> Iterator[Batch]:
    """Cases built into as few batches as possible."""
    open_: dict[Setting, Batch] = {}
    for case in cases:
        batch = open_.get(case.setting)
        if batch is None or batch.full:
            if batch is not None:
                yield batch
            batch = open_[case.setting] = Batch(case.setting)
        try:
            batch.add(case)
        except FullError:
            yield batch
            batch = open_[case.setting] = Batch(case.setting)
            batch.add(case)
    yield from open_.values()
