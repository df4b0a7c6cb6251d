"""Semaphores: a counter for each waiter and poster instance in reach."""

from __future__ import annotations

from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.program import Block
from maiacc_isa.tables import Semaphore
from sim.plain_memory import Place
from sim.plain_numbers import PlainTrap

Members = frozenset[int] | None

_WIDTH = {"tile": 0, "cluster": 1, "chip": 2}


class Tokens:
    """All counters of a block."""

    def __init__(self, block: Block, machine: Machine, places: list[Place]) -> None:
        self._block = block
        self._machine = machine
        self.counters: dict[tuple[int, Place, Place], int] = {}
        self._posters: dict[tuple[int, Place], list[Place]] = {}
        self._waiters: dict[tuple[int, Place], list[Place]] = {}
        for number, sem in enumerate(block.semaphores):
            poster_role = load().queues[sem.poster].role
            waiter_role = load().queues[sem.waiter].role
            for poster in (p for p in places if p.kind == poster_role):
                for waiter in (p for p in places if p.kind == waiter_role):
                    if self._reaches(sem, poster, waiter):
                        self.counters[number, waiter, poster] = sem.init
                        self._posters.setdefault((number, waiter), []).append(poster)
                        self._waiters.setdefault((number, poster), []).append(waiter)

    def _reaches(self, sem: Semaphore, poster: Place, waiter: Place) -> bool:
        if sem.scope == "remote":
            return self._block.tables[sem.origin][waiter.chip] == poster.chip
        if poster.chip != waiter.chip:
            return False
        if sem.scope == "chip":
            return True
        same = poster.cluster == waiter.cluster
        return same and (sem.scope == "cluster" or poster.tile == waiter.tile)

    def _named(self, word: Place, other: Place, members: Members) -> bool:
        """Whether a word's mask leaves another instance in."""
        if members is None or _WIDTH[other.kind] >= _WIDTH[word.kind]:
            # A mask names instances of a narrower role; a chip's word, those at its peers too.
            return True
        number = other.cluster if other.kind == "cluster" else other.tile
        if word.kind == "chip" and other.kind == "tile":
            number += other.cluster * self._machine.tiles
        return number in members

    def ready(self, waits: tuple[tuple[int, int], ...], waiter: Place, members: Members) -> bool:
        """Whether every counter of every wait holds enough."""
        return all(
            self.counters[number, waiter, poster] >= count
            for number, count in waits
            for poster in self._counted(number, waiter, members)
        )

    def _counted(self, number: int, waiter: Place, members: Members) -> list[Place]:
        posters = self._posters.get((number, waiter), [])
        return [p for p in posters if self._named(waiter, p, members)]

    def take(self, waits: tuple[tuple[int, int], ...], waiter: Place, members: Members) -> None:
        """Takes the tokens of all waits."""
        for number, count in waits:
            for poster in self._counted(number, waiter, members):
                self.counters[number, waiter, poster] -= count

    def post(
        self,
        posts: tuple[tuple[int, int], ...],
        poster: Place,
        members: Members,
        peers: tuple[int, ...] | None,
    ) -> None:
        """Gives tokens to every waiter in reach; ``peers`` are the chips a network word means."""
        for number, count in posts:
            remote = self._block.semaphores[number].scope == "remote"
            for waiter in self._waiters.get((number, poster), []):
                if remote and peers is not None and waiter.chip not in peers:
                    continue
                if self._named(poster, waiter, members):
                    self.counters[number, waiter, poster] += count
                    if self.counters[number, waiter, poster] > load().limit("token_max"):
                        raise PlainTrap("token_overflow")

    def balanced(self) -> bool:
        """Whether every counter holds what it started with."""
        inits = [sem.init for sem in self._block.semaphores]
        return all(count == inits[number] for (number, _, _), count in self.counters.items())
