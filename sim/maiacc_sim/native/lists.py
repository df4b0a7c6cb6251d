"""Which counters the waits and posts of words touch, for every instance."""

from __future__ import annotations

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.system import Instance, System
from maiacc_sim.tokens import Wiring


class Lists:
    """Which counters the waits and posts of words touch, for every instance: lists that words with
    the same semaphore and mask share."""

    def __init__(self, block: Block, system: System) -> None:
        self.block, self.system = block, system
        self.wiring = Wiring(system, block)
        self.known: dict[tuple[str, int, int], int] = {}
        self.starts: list[int] = []
        self.entries: list[int] = []

    def number(self, kind: str, index: int, position: int) -> int:
        """The number of the list for a wait or post of a word."""
        word = self.block.words[index]
        tokens = word.waits if kind == "wait" else word.posts
        key = (kind, tokens[position][0], word.fields.get("mask", 0))
        if key not in self.known:
            self.known[key] = len(self.known)
            role = self._role(word)
            for instance in self.system.instances:
                self.starts.append(len(self.entries))
                if instance.role == role:
                    self.entries += self._touched(kind, index, instance)[position][1]
            self.starts.append(len(self.entries))
        return self.known[key]

    def _role(self, word: Word) -> str:
        return word.roles[0] if word.row.control else load().queues[str(word.queue)].role

    def _touched(self, kind: str, index: int, who: Instance) -> list[tuple[int, list[int]]]:
        wiring = self.wiring
        return wiring.waits(index, who) if kind == "wait" else wiring.posts(index, who)
