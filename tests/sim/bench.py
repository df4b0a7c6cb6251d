"""Single words on a bench: a block of the machine mini with buffers that a test fills and reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.asm import assemble
from maiacc_isa.program import Buffer
from maiacc_sim.arith.convert import container
from maiacc_sim.memory import Owner, Watcher
from maiacc_sim.system import Instance
from maiacc_sim.tensors import pack, unpack
from sim.drive import Run

Array = NDArray[Any]


class Bench:
    """Executes the words of ``text``, the inside of a block, on tile 0 or all instances."""

    def __init__(self, text: str, target: str = "mini", watcher: Watcher | None = None) -> None:
        program = assemble(f"mist 1.0\ntarget {target}\nblock main {{\n{text}\n}}\n")
        self.run = Run(program, {}, watcher)
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
