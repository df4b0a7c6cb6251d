"""What the event model needs to know of an engine word: one ``Variant`` for each instance that
executes it, and for each set of sizes, homes and peers that scalars give it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from maiacc_isa.measure import WordMeasure
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.places import semaphore_name
from maiacc_sim.ports import Homes, Pass, Ports
from maiacc_sim.recipe import Key, Recipe, peers_of
from maiacc_sim.scalars import Sources
from maiacc_sim.system import QueueOf, System
from maiacc_sim.tokens import Wiring, mask_members

#: Positions in ``Variant.acc``: executions, cycles for which the queue was free before, cycles
#: waited for the first and second semaphore, for a barrier, and for the port of each hop.
COUNT, CONTROL, SEMAPHORE, BARRIER, PORT = 0, 1, 2, 4, 5


@dataclass(slots=True, eq=False)
class Variant:
    """An engine word as one instance executes it.

    ``waits`` gives tokens and counters; ``posts`` tokens, the cycles they travel, and counters
    with whoever waits there. ``passes`` are the hops of its transfer, ``homes`` the instances its
    operands with home `at` lie in, ``acc`` its tallies.
    """

    number: int
    queue: QueueOf
    block: int
    index: int
    occupancy: int
    latency: int
    passes: tuple[Pass, ...]
    waits: tuple[tuple[int, tuple[deque[int], ...]], ...]
    posts: tuple[tuple[int, int, tuple[tuple[deque[int], Any], ...]], ...]
    barrier: frozenset[int] | None
    measure: WordMeasure
    homes: Homes
    acc: list[int] = field(default_factory=list)
    wait_counters: tuple[tuple[int, ...], ...] = ()
    post_counters: tuple[tuple[int, ...], ...] = ()


class Variants:
    """Makes the variants of one block. ``all`` has every variant made, in order."""

    def __init__(
        self,
        system: System,
        block: Block,
        block_number: int,
        ports: Ports,
        counters: list[deque[int]],
        waiters: Callable[[QueueOf], Any],
        made: list[Variant],
    ) -> None:
        self.system, self.block, self.block_number = system, block, block_number
        self.ports = ports
        self.wiring = Wiring(system, block)
        self.counters, self.waiters, self.all = counters, waiters, made
        counters.clear()
        for sem, _, _ in self.wiring.counters:
            counters.append(deque([0] * block.semaphores[sem].init))
        self.names = [semaphore_name(block, sem) for sem in range(len(block.semaphores))]
        self._known: dict[tuple[int, int, Key], Variant] = {}
        self._measures: dict[tuple[int, tuple[tuple[str, tuple[int, ...]], ...]], WordMeasure] = {}
        self._recipes = [Recipe(word, block) for word in block.words]

    def static(self, index: int) -> bool:
        """Whether all executions of a word on one instance are the same variant."""
        return not self._recipes[index].dynamic

    def of(self, queue: QueueOf, index: int, sources: Sources) -> Variant:
        """The variant of a word, with what its queue's control processor reads now.

        Raises ``Trap`` bounds for a size outside its descriptor's, peer for a chip that the link
        does not reach.
        """
        recipe = self._recipes[index]
        key = recipe.key(self.block, sources)
        found = self._known.get((queue.number, index, key))
        if found is None:
            found = self._make(queue, index, recipe, key)
            self._known[queue.number, index, key] = found
        return found

    def _make(self, queue: QueueOf, index: int, recipe: Recipe, key: Key) -> Variant:
        word, who = self.block.words[index], queue.instance
        sizes, homes, peer = recipe.split(key)
        shape = tuple(sorted(sizes.items()))
        if (index, shape) not in self._measures:
            measure = WordMeasure(word, self.block, self.system.machine, sizes=sizes)
            self._measures[index, shape] = measure
        measure = self._measures[index, shape]
        peers = peers_of(self.system, self.block, word, queue.instance.chip, peer)
        tokens = self.wiring.waits(index, who), self.wiring.posts(index, who, peers)
        machine = self.system.machine
        travel = {s: machine.int(f"sem.{s}") for s in ("tile", "cluster", "chip")}
        travel["remote"] = travel["chip"]
        posts = []
        for (sem, _), (count, counters) in zip(word.posts, tokens[1], strict=True):
            ends = tuple((self.counters[n], self._waiter(n)) for n in counters)
            posts.append((count, travel[self.block.semaphores[sem].scope], ends))
        passes = self.ports.passes(measure, who, homes, peers or ())
        variant = Variant(
            len(self.all),
            queue,
            self.block_number,
            index,
            measure.occupancy,
            measure.latency,
            passes,
            tuple((n, tuple(self.counters[c] for c in found)) for n, found in tokens[0]),
            tuple(posts),
            self._group(word),
            measure,
            homes,
            [0] * (PORT + len(passes)),
            tuple(tuple(found) for _, found in tokens[0]),
            tuple(tuple(found) for _, found in tokens[1]),
        )
        self.all.append(variant)
        return variant

    def _waiter(self, counter: int) -> Any:
        return self.waiters(self.wiring.counters[counter][1])

    def _group(self, word: Word) -> frozenset[int] | None:
        if word.name != "BAR":
            return None
        members = mask_members(self.block, word, "group")
        return frozenset(range(self.system.machine.chips)) if members is None else members
