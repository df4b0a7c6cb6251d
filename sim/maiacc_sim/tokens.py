"""Semaphores of a block on a system: which counters a word's waits and posts touch.

Every instance of a semaphore's waiter has one counter for every instance of its poster in scope.
Counters are numbered; what is kept in each is the business of whoever runs the program.
"""

from __future__ import annotations

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.system import Instance, QueueOf, System
from maiacc_sim.traps import Trap

#: Largest value of a semaphore counter.
TOKEN_MAX = load().limit("token_max")

#: Waits or posts of a word: tokens, and the counters they are taken from or given to.
Touched = list[tuple[int, list[int]]]


class Wiring:
    """The counters of a block. ``counters[n]`` is (semaphore, waiter queue, poster queue)."""

    def __init__(self, system: System, block: Block) -> None:
        self.system, self.block = system, block
        self.counters: list[tuple[int, QueueOf, QueueOf]] = []
        self._of_waiter: dict[tuple[int, int], list[int]] = {}
        self._of_poster: dict[tuple[int, int], list[int]] = {}
        self._waits: dict[tuple[int, int], Touched] = {}
        self._posts: dict[tuple[int, int, tuple[int, ...] | None], Touched] = {}
        for number, sem in enumerate(block.semaphores):
            role = load().queues[sem.poster].role
            for poster in system.instances:
                if poster.role == role:
                    for waiter in self._reached(number, poster):
                        self._add(number, waiter, poster)

    def _add(self, sem: int, waiter: Instance, poster: Instance) -> None:
        row = self.block.semaphores[sem]
        ends = (self.system.queue(waiter, row.waiter), self.system.queue(poster, row.poster))
        number = len(self.counters)
        self.counters.append((sem, *ends))
        self._of_waiter.setdefault((sem, waiter.number), []).append(number)
        self._of_poster.setdefault((sem, poster.number), []).append(number)

    def _reached(self, number: int, poster: Instance) -> list[Instance]:
        sem = self.block.semaphores[number]
        role = load().queues[sem.waiter].role
        if sem.scope != "remote":
            return self.system.reach(poster, role, sem.scope)
        table = self.block.tables[sem.origin]
        hears = {chip for chip, source in enumerate(table) if source == poster.chip}
        return [i for i in self.system.instances if i.role == role and i.chip in hears]

    def waits(self, index: int, waiter: Instance) -> Touched:
        """For each wait of a word: tokens, and the counters they are taken from."""
        known = self._waits.get((index, waiter.number))
        if known is not None:
            return known
        word = self.block.words[index]
        members = mask_members(self.block, word)
        result = self._waits[index, waiter.number] = []
        for sem, count in word.waits:
            found = self._of_waiter.get((sem, waiter.number), [])
            found = [n for n in found if self._named(members, waiter, self.counters[n][2])]
            result.append((count, found))
        return result

    def posts(self, index: int, poster: Instance, peers: tuple[int, ...] | None = None) -> Touched:
        """For each post of a word: tokens, and the counters they are given to. ``peers`` are the
        chips a network word goes to: remote semaphores post there only."""
        known = self._posts.get((index, poster.number, peers))
        if known is not None:
            return known
        word = self.block.words[index]
        members = mask_members(self.block, word)
        result = self._posts[index, poster.number, peers] = []
        for sem, count in word.posts:
            found = self._of_poster.get((sem, poster.number), [])
            found = [n for n in found if self._named(members, poster, self.counters[n][1])]
            if peers is not None and self.block.semaphores[sem].scope == "remote":
                found = [n for n in found if self.counters[n][1].instance.chip in peers]
            result.append((count, found))
        return result

    def _named(self, members: frozenset[int] | None, word: Instance, other: QueueOf) -> bool:
        """Whether a word's mask names an instance; it speaks of narrower roles only."""
        roles = load().roles
        instance = other.instance
        if members is None or roles[instance.role].code >= roles[word.role].code:
            return True
        return member_number(word, instance) in members


class Counters:
    """How many tokens each counter of a block holds."""

    def __init__(self, block: Block, wiring: Wiring) -> None:
        self._wiring = wiring
        self._held = [block.semaphores[sem].init for sem, _, _ in wiring.counters]

    def held(self, counter: int) -> int:
        """Tokens of a counter, by its number."""
        return self._held[counter]

    def all(self) -> list[int]:
        """Tokens of every counter, for ``put_back``."""
        return list(self._held)

    def put_back(self, held: list[int]) -> None:
        """Every counter as it was when ``all`` was asked."""
        self._held = list(held)

    def met(self, index: int, waiter: Instance) -> bool:
        """Whether all tokens a word waits for are there."""
        waits = self._wiring.waits(index, waiter)
        return all(self._held[n] >= count for count, found in waits for n in found)

    def take(self, index: int, waiter: Instance) -> Touched:
        """Takes the tokens a word waits for; returns them with their counters."""
        waits = self._wiring.waits(index, waiter)
        for count, found in waits:
            for n in found:
                self._held[n] -= count
        return waits

    def post(self, index: int, poster: Instance, peers: tuple[int, ...] | None) -> Touched:
        """Gives the tokens of a word; returns them. Raises ``Trap`` token_overflow."""
        posts = self._wiring.posts(index, poster, peers)
        for count, found in posts:
            for n in found:
                self._held[n] += count
                if self._held[n] > TOKEN_MAX:
                    raise Trap("token_overflow", f"a counter passes {TOKEN_MAX:,}")
        return posts


def member_number(word: Instance, other: Instance) -> int:
    """The number by which masks of one instance's words mean another instance."""
    if other.role == "tile":
        return other.gtile if word.role == "chip" else other.tile
    return other.cluster if other.role == "cluster" else other.chip


def mask_members(block: Block, word: Word, field: str = "mask") -> frozenset[int] | None:
    """The instances a mask field of a word names, None for all."""
    number = word.fields.get(field, 0)
    return block.masks[number - 1].members if number else None
