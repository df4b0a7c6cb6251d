"""Single words on a bench: a block of the machine mini with buffers that a test fills and reads.

Both simulators execute every word, from the same memories, and must do the same. Words that are
refused before anything runs are executed by the reference alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.asm import assemble
from maiacc_isa.lint import check_words
from maiacc_isa.load import load
from maiacc_isa.program import Block, Buffer, Program
from maiacc_isa.word import Word
from maiacc_sim.arith.convert import container
from maiacc_sim.memory import Owner, Watcher
from maiacc_sim.scalars import COUNTER
from maiacc_sim.system import Instance
from maiacc_sim.tensors import pack, unpack
from maiacc_sim.traps import Trap
from native.twin import Twin, same_trap
from sim.drive import Run

Array = NDArray[Any]

#: Traps that only the reference knows: natively nothing notes what has been written.
CHECKED = ("uninitialised",)


class Bench:
    """Executes the words of ``text``, the inside of a block, on tile 0 or all instances."""

    def __init__(self, text: str, target: str = "mini", watcher: Watcher | None = None) -> None:
        program = assemble(f"mist 1.0\ntarget {target}\nblock main {{\n{text}\n}}\n")
        self.run = Both(program, {}, watcher)
        self.block = program.blocks[0]
        self.system = self.run.system
        self.tile = self.system.instance("tile", 0, 0, 0)

    def put(self, name: str, codes: Any, instance: Instance | None = None) -> None:
        """Fills a buffer with codes."""
        buffer = self._buffer(name)
        array = np.array(codes).astype(container(buffer.dtype)).reshape(buffer.shape)
        self.run.memories.store(
            self._owner(buffer, instance), buffer.base, pack(array, buffer.dtype)
        )

    def get(self, name: str, instance: Instance | None = None) -> Array:
        """The codes in a buffer; 0xEE.. where nothing has been written."""
        buffer = self._buffer(name)
        memories = self.run.memories
        size = buffer.slot_bytes
        data = np.full(size, 0xEE, np.uint8)
        for owner, offsets, values in memories.image():
            if owner == self._owner(buffer, instance):
                chosen = (offsets >= buffer.base) & (offsets < buffer.base + size)
                data[offsets[chosen] - buffer.base] = values[chosen]
        return unpack(data, buffer.dtype, buffer.shape)

    def go(self, iteration: tuple[int, ...] = (), everywhere: bool = False) -> None:
        """Executes the block's words on tile 0, or on all instances of their roles."""
        self.run.begin()
        if everywhere:
            self.run.block(self.block)
            return
        for index, word in enumerate(self.block.words):
            if not word.row.control or self.tile.role in word.roles:
                self.run.word(self.block, index, self.tile, iteration)

    def _buffer(self, name: str) -> Buffer:
        return next(b for b in self.block.buffers if b.name == name)

    def _owner(self, buffer: Buffer, instance: Instance | None) -> Owner:
        role = {"hbm": "chip", "csram": "cluster"}.get(buffer.space, "tile")
        place = {"tile": (0, 0, 0), "cluster": (0, 0), "chip": (0,)}[role]
        return Owner(buffer.space, (instance or self.system.instance(role, *place)).number)


class Both(Run):
    """A run whose words are executed natively, too."""

    def __init__(
        self, program: Program, values: dict[str, Array], watcher: Watcher | None = None
    ) -> None:
        super().__init__(program, values, watcher)
        self.twin = None if check_words(program).findings else Twin(program)

    def begin(self) -> None:
        """The native machine gets what a test has put into memories."""
        if self.twin is not None:
            self.twin.copy(self.memories)

    def word(
        self, block: Block, index: int, instance: Instance, iteration: tuple[int, ...] = ()
    ) -> None:
        """Executes a word by both simulators. Raises the trap that both of them raise."""
        wanted: Trap | None = None
        try:
            super().word(block, index, instance, iteration)
        except Trap as trap:
            wanted = trap
        if wanted is None or wanted.name not in CHECKED:
            self._natively(block, index, instance, iteration, wanted)
        if wanted is not None:
            raise wanted

    def _natively(
        self,
        block: Block,
        index: int,
        instance: Instance,
        iteration: tuple[int, ...],
        wanted: Trap | None,
    ) -> None:
        """Executes a word natively: it has to trap as it did, or to leave what it left."""
        twin, word = self.twin, block.words[index]
        if twin is None or not _alone(word, instance):
            return
        twin.asked.clear()
        try:
            twin.words(block, [index], [instance], iteration)
        except Trap as found:
            if wanted is None:
                raise
            assert not same_trap(wanted, found)
        else:
            assert wanted is None, f"natively there is no trap: {wanted}"
            assert not twin.asked
        assert not twin.differences(self.memories)
        held = twin.machine.state.sources(instance.number)
        assert held[:COUNTER] == self.sources[instance.number][:COUNTER]


def _alone(word: Word, instance: Instance) -> bool:
    """Whether an instance executes a word, and needs no other one for it."""
    if word.row.control:
        return word.name in ("SET", "SLD")
    return word.name != "BAR" and load().queues[str(word.queue)].role == instance.role
