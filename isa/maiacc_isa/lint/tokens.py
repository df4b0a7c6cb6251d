"""Semaphores of a proof: one counter per waiter and poster instance, with what each token knows.

A token carries the clock of the post it came from; a wait joins the clocks of the tokens it
takes. Counters are first in, first out, since each has one poster and one waiter.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.lint.instances import Cast, Instance
from maiacc_isa.load import load
from maiacc_isa.program import Block

Clock = NDArray[np.int64]

#: Semaphores and counts of a word's waits.
Tokens = Iterable[tuple[int, int]]

#: The instances that a word's mask names, None for all.
Members = frozenset[int] | None


class Counters:
    """All counters of a block. Keys are (semaphore, waiter number, poster number)."""

    def __init__(self, block: Block, cast: Cast) -> None:
        self._block = block
        self._cast = cast
        self.queues: dict[tuple[int, int, int], deque[Clock | None]] = {}
        self._posters: dict[tuple[int, int], list[int]] = {}
        self._waiters: dict[tuple[int, int], list[Instance]] = {}
        for number, sem in enumerate(block.semaphores):
            queues = load().queues
            posters = [i for i in cast.instances if i.role == queues[sem.poster].role]
            waiters = [i for i in cast.instances if i.role == queues[sem.waiter].role]
            for waiter in waiters:
                for poster in posters:
                    if self._connected(number, poster, waiter):
                        key = (number, waiter.number, poster.number)
                        self.queues[key] = deque([None] * sem.init)
                        self._posters.setdefault((number, waiter.number), []).append(poster.number)
                        self._waiters.setdefault((number, poster.number), []).append(waiter)

    def _connected(self, number: int, poster: Instance, waiter: Instance) -> bool:
        sem = self._block.semaphores[number]
        if sem.scope == "remote":
            table = self._block.tables[sem.origin]
            return waiter.chip < len(table) and table[waiter.chip] == poster.chip
        if poster.chip != waiter.chip:
            return False
        if sem.scope == "chip":
            return True
        if poster.cluster != waiter.cluster:
            return False
        return sem.scope == "cluster" or poster.tile == waiter.tile

    def posters(self, sem: int, waiter: Instance, members: Members = None) -> list[int]:
        """Numbers of the instances whose posts the waiter counts; of a narrower role only those
        that the word's mask names."""
        posters = self._posters.get((sem, waiter.number), [])
        if members is None or not posters:
            return posters
        instances, roles = self._cast.instances, load().roles
        if roles[instances[posters[0]].role].code >= roles[waiter.role].code:
            return posters
        return [p for p in posters if self.member_number(waiter, instances[p]) in members]

    def missing(self, sem: int, count: int, waiter: Instance, members: Members = None) -> list[int]:
        """Posters whose counter holds fewer than ``count`` tokens."""
        queues, number = self.queues, waiter.number
        posters = self.posters(sem, waiter, members)
        return [p for p in posters if len(queues[sem, number, p]) < count]

    def ready(self, tokens: Tokens, waiter: Instance, members: Members = None) -> bool:
        """Whether all waits of a word are met."""
        return not any(self.missing(sem, count, waiter, members) for sem, count in tokens)

    def take(self, tokens: Tokens, waiter: Instance, clock: Clock, members: Members = None) -> None:
        """Takes the tokens and joins what they know into ``clock``."""
        for sem, count in tokens:
            for poster in self.posters(sem, waiter, members):
                counter = self.queues[sem, waiter.number, poster]
                for _ in range(count):
                    known = counter.popleft()
                    if known is not None:
                        np.maximum(clock[: len(known)], known, out=clock[: len(known)])

    def learn(self, tokens: Tokens, waiter: Instance, clock: Clock, members: Members) -> None:
        """Joins what the tokens know that a word would take, and leaves them."""
        for sem, count in tokens:
            for poster in self.posters(sem, waiter, members):
                for known in islice(self.queues[sem, waiter.number, poster], count):
                    if known is not None:
                        np.maximum(clock[: len(known)], known, out=clock[: len(known)])

    def post(
        self, sem: int, count: int, poster: Instance, clock: Clock, members: Members
    ) -> list[Instance]:
        """Gives ``count`` tokens to the waiters in reach; returns those waiters."""
        reached = []
        roles = load().roles
        for waiter in self._waiters.get((sem, poster.number), []):
            # A mask names instances of a narrower role; others are reached whatever it says.
            named = members is None or roles[waiter.role].code >= roles[poster.role].code
            if named or self.member_number(poster, waiter) in (members or ()):
                self.queues[sem, waiter.number, poster.number].extend([clock] * count)
                reached.append(waiter)
        return reached

    def member_number(self, word: Instance, other: Instance) -> int:
        """The number by which a mask of one instance's words means another instance."""
        if other.role == "tile" and word.role == "chip":
            return other.cluster * self._cast.machine.tiles + other.tile
        if other.role == "tile":
            return other.tile
        return other.cluster if other.role == "cluster" else other.chip

    def levels(self) -> tuple[int, ...]:
        """Tokens of every counter, in a fixed order."""
        return tuple(map(len, self.queues.values()))

    def clocks(self) -> list[Any]:
        """What the tokens of every counter know, in the order of ``levels``."""
        return [tuple(counter) for counter in self.queues.values()]
