"""Which scalars decide how long a word takes and which ports it passes, and their values."""

from __future__ import annotations

from maiacc_isa.load import load
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from maiacc_isa.word import Word
from maiacc_sim.relevant import homes_of, sizes_of
from maiacc_sim.scalars import REGISTER, Sources, read
from maiacc_sim.system import System
from maiacc_sim.tokens import mask_members
from maiacc_sim.traps import Trap

#: The values that decide: sizes by (operand, dim), homes by operand, the peer.
Key = tuple[int, ...]


class Recipe:
    """Which scalars decide the variant of a word."""

    def __init__(self, word: Word, block: Block) -> None:
        self.sizes: list[tuple[str, int, int, int]] = []
        self.homes: list[tuple[str, list[tuple[int, int]]]] = []
        self.shapes: dict[str, list[int]] = {}
        self.peer: int | None = None
        if word.row.control:
            self.dynamic = False
            return
        for op in present_operands(word, block.chains):
            d = block.descriptors[word[op.name]]
            for dim, reg in sizes_of(d):
                self.sizes.append((op.name, dim, REGISTER + reg, d.dims[dim].size))
                self.shapes[op.name] = [dim.size for dim in d.dims]
            if d.home == "at":
                self.homes.append((op.name, homes_of(d)))
        if "peer" in word.fields:
            self.peer = REGISTER + word["peer"]
        self.dynamic = bool(self.sizes or self.homes or self.peer is not None)

    def key(self, block: Block, sources: Sources) -> Key:
        if not self.dynamic:
            return ()
        values = []
        for name, dim, code, most in self.sizes:
            value = read(block, sources, code)
            if not 0 <= value <= most:
                message = f"the size of dim {dim} of {name} comes from a scalar"
                raise Trap("bounds", message, expected=f"0 .. {most}", found=str(value))
            values.append(value)
        for _, terms in self.homes:
            values.append(sum(coef * read(block, sources, code) for code, coef in terms))
        if self.peer is not None:
            values.append(read(block, sources, self.peer))
        return tuple(values)

    def split(self, key: Key) -> tuple[dict[str, tuple[int, ...]], dict[str, int], int]:
        """Sizes and homes by operand, and the peer (-1 without one)."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        for (name, dim, _, _), value in zip(self.sizes, key, strict=False):
            shapes[name][dim] = value
        homes = dict(zip((name for name, _ in self.homes), key[len(self.sizes) :], strict=False))
        peer = key[-1] if self.peer is not None else -1
        return {name: tuple(shape) for name, shape in shapes.items()}, homes, peer


def peers_of(
    system: System, block: Block, word: Word, chip: int, peer: int
) -> tuple[int, ...] | None:
    """The chips a network word of a chip writes to or posts at, None for other words.

    Raises ``Trap`` peer for one that the link does not reach, and for a member of a group that a
    word of it does not reach.
    """
    if "peer" in word.fields:
        peers: tuple[int, ...] = (peer,)
    elif "group" in word.fields:
        group = mask_members(block, word, "group")
        chips = range(system.machine.chips) if group is None else sorted(group)
        peers = tuple(c for c in chips if c != chip)
    else:
        return None
    queues = load().queues
    link = queues[str(word.queue)].code - queues["NET0"].code
    for other in peers:
        if not system.machine.reaches(link, chip, other):
            message = f"link {link} of chip {chip} does not lead to that chip"
            raise Trap("peer", message, found=f"chip {other}")
    # A word without operands that names a group meets it; its posts stay here.
    return peers if word.row.operands or "peer" in word.fields else None
