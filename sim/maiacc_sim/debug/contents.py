"""What memories hold while the debugger stands: buffers and tensors by name, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.program import Block, Buffer, Program
from maiacc_sim.arith.convert import decode
from maiacc_sim.memory import Memories, Owner
from maiacc_sim.pages import Array
from maiacc_sim.system import Instance
from maiacc_sim.tensors import unpack

#: Bytes of one array at most.
LARGEST = 1 << 28


@dataclass(frozen=True)
class Contents:
    """A buffer or tensor as it is: ``values`` decoded from its type, ``codes`` the bits of its
    elements, and which elements something has ``written``. What is not written is 0."""

    buffer: Buffer
    slot: int
    instance: Instance
    codes: Array
    values: Array
    written: NDArray[np.bool_]

    @property
    def title(self) -> str:
        """Name and slot, type, and where it is."""
        b = self.buffer
        slot = f"({self.slot})" if b.slots > 1 else ""
        shape = ", ".join(map(str, self.values.shape))
        return f"{quote(b.name)}{slot} : {b.dtype}[{shape}] in {b.space} of {self.instance}"


def buffers(program: Program, block: Block) -> dict[str, Buffer]:
    """Everything in memory that has a name in a block, in the order of declarations.

    Tensors are buffers in HBM, under their own names and those they are handed back under; of
    one that is split each chip holds a part.
    """
    found = {b.name: b for b in block.buffers}
    chips = program.machine.chips
    for t in program.tensors:
        shape = t.shape
        if t.split and shape:
            shape = (shape[0] // chips, *shape[1:])
        for name in (t.name, t.result or t.name):
            found.setdefault(name, Buffer(name, t.dtype, shape, "hbm", t.base))
    return found


def find(program: Program, block: Block, name: str) -> Buffer:
    """A buffer by name. Raises ``MaiaccError`` E0004."""
    known = buffers(program, block)
    if name not in known:
        raise MaiaccError(
            "E0004",
            f"block {quote(block.name)} has no buffer {quote(name)}, and the program no tensor",
            expected=", ".join(map(quote, known)) or "none",
        )
    return known[name]


def look(memories: Memories, buffer: Buffer, instance: Instance, slot: int) -> Contents:
    """A slot of a buffer in the memory of an instance.

    Raises ``MaiaccError`` E0004 for a slot there is not, E1206 for a buffer that is too large.
    """
    slots = max(1, buffer.slots)
    if not 0 <= slot < slots:
        raise MaiaccError(
            "E0004",
            f"buffer {quote(buffer.name)} has no slot {slot}",
            expected=f"0 .. {slots - 1}",
        )
    size = buffer.slot_bytes
    if size > LARGEST:
        raise MaiaccError(
            "E1206",
            f"{quote(buffer.name)} is too large to be looked at",
            expected=f"at most {LARGEST} bytes",
            found=str(size),
        )
    owner = Owner(buffer.space, instance.number)
    data, written = memories.look(owner, buffer.base + slot * buffer.pitch, size)
    codes = unpack(data, buffer.dtype, buffer.shape)
    # An element is written if every byte with a bit of it is.
    full = unpack(written * np.uint8(0xFF), buffer.dtype, buffer.shape)
    every = (1 << load().dtypes[buffer.dtype].bits) - 1
    return Contents(buffer, slot, instance, codes, decode(codes, buffer.dtype), full == every)


#: A slot of a buffer and the indices of an element in it.
Element = tuple[int, tuple[int, ...]]


def touched(buffer: Buffer, offsets: NDArray[np.int64]) -> tuple[int, Element, Element] | None:
    """How many elements of a buffer lie in bytes of its memory, the first and the last of them;
    None if none does."""
    inside = np.unique(offsets[(offsets >= buffer.base) & (offsets < buffer.end)]) - buffer.base
    pitch = buffer.pitch or max(buffer.end - buffer.base, 1)
    slot, at = inside // pitch, inside % pitch
    fits = at < buffer.slot_bytes
    slot, at = slot[fits], at[fits]
    if not len(at):
        return None
    bits = load().dtypes[buffer.dtype].bits
    columns = buffer.shape[-1] if buffer.shape else 1
    row_bytes = max(1, -(-columns * bits // 8))
    row, place = at // row_bytes, at % row_bytes * 8
    start = (slot * (buffer.slot_bytes // row_bytes) + row) * columns
    ends = [start + np.minimum(bit // bits, columns - 1) for bit in (place, place + 7)]
    found = np.unique(np.concatenate(ends))
    first, last = (_element(buffer, int(number)) for number in (found[0], found[-1]))
    return len(found), first, last


def _element(buffer: Buffer, number: int) -> Element:
    slot, inside = divmod(number, max(1, prod(buffer.shape)))
    return slot, tuple(int(i) for i in np.unravel_index(inside, buffer.shape))
