"""A word with what its fields name: operands as views, chains, routes, ports.

The predicates and measures of the rows' formulas (``legal.py``, ``measure.py``) stand on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

from maiacc_isa import expr as ex
from maiacc_isa.load import load
from maiacc_isa.machine import Machine
from maiacc_isa.operands import present_operands
from maiacc_isa.program import Block
from maiacc_isa.spec import DType, Hop, Route
from maiacc_isa.tables import Chain, Descriptor
from maiacc_isa.word import Word

#: Port times are multiples of this fraction of a cycle.
TICKS = 16


def cdiv(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)


class View:
    """A descriptor as an operand: shape, type and how it lies in memory."""

    def __init__(self, d: Descriptor, sizes: tuple[int, ...] | None = None) -> None:
        self.descriptor = d
        self.sizes = tuple(dim.size for dim in d.dims) if sizes is None else sizes
        self.dtype = d.dtype
        self.space = d.space
        self.home = d.home
        self.rank = len(d.dims)
        self.kept = math.prod(self.sizes[: d.split])
        self.red = math.prod(self.sizes[d.split :])
        self.n = self.kept * self.red

    @property
    def type(self) -> DType:
        return load().dtypes[self.dtype]

    @property
    def bits(self) -> int:
        return self.type.bits

    def bit_step(self, dim: int) -> int:
        """Distance in bits between neighbours along a window dim."""
        d = self.descriptor
        unit = 1 if self.type.packed else 8
        return d.dims[dim].step * d.axes[d.dims[dim].axis].stride * unit

    @cached_property
    def broadcast(self) -> bool:
        """Whether some window dim of more than one index moves no address."""
        return any(n > 1 and self.bit_step(i) == 0 for i, n in enumerate(self.sizes))

    def payload(self) -> int:
        """Bytes of the elements."""
        return cdiv(self.n * self.bits, 8)

    def burst(self, granule: int) -> int:
        """Bytes moved when every contiguous run, in the order of the dims, is rounded up to
        whole granules."""
        run = self.bits
        outer = 1
        for i in reversed(range(self.rank)):
            if outer == 1 and self.bit_step(i) == run:
                run *= self.sizes[i]
            else:
                outer *= self.sizes[i]
        return outer * cdiv(cdiv(run, 8), granule) * granule if self.n else 0

    def touched(self, granule: int) -> int:
        """Bytes of all granules the view touches, each counted once."""
        steps = sorted(
            (abs(self.bit_step(i)), n)
            for i, n in enumerate(self.sizes)
            if self.bit_step(i) and n > 1
        )
        span, pieces = self.bits, 1
        for step, count in steps:
            # A step within the piece so far, or within a granule of it, widens the piece.
            if step <= max(span, granule * 8):
                span += step * (count - 1)
            else:
                pieces *= count
        return pieces * cdiv(cdiv(span, 8), granule) * granule if self.n else 0


class Operation:
    """One word of a block on a machine.

    ``sizes`` gives operands' sizes where scalars decide them; without, the largest counts.
    """

    def __init__(
        self,
        word: Word,
        block: Block,
        machine: Machine,
        sizes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.word = word
        self.block = block
        self.machine = machine
        given = sizes or {}
        self.views: dict[str, View | None] = {op.name: None for op in word.row.operands}
        for op in present_operands(word, block.chains):
            number = word.fields[op.name]
            if number < len(block.descriptors):
                self.views[op.name] = View(block.descriptors[number], given.get(op.name))
        self.letters: dict[str, int] = {}
        for op in word.row.operands:
            view = self.views[op.name]
            if view is not None:
                pairs = [(op.kept, view.n if op.reduced is None else view.kept)]
                if op.reduced is not None:
                    pairs.append((op.reduced, view.red))
                for shape, value in pairs:
                    if isinstance(shape, ex.Name) and shape.name.isupper():
                        self.letters.setdefault(shape.name, value)

    @property
    def link(self) -> int:
        """The link a network queue drives."""
        queue = load().queues.get(self.word.queue or "")
        return queue.code - load().queues["NET0"].code if queue and queue.engine == "net" else 0

    def chain(self, number: int) -> Chain:
        """A chain of the block."""
        return self.block.chains[number]

    def route(self, a: View, d: View) -> Route | None:
        """The route between two views for this word's queue, if there is one."""
        engine = load().queues[str(self.word.queue)].engine
        home = d.home if d.home != "own" else a.home
        for route in load().routes:
            ends = (route.source, route.destination, route.home)
            if ends == (a.space, d.space, home) and engine in route.engines:
                return route
        return None

    def hop_ticks(self, hop: Hop, a: View, d: View, factor: int) -> int:
        """Sixteenths of a cycle a transfer occupies a port of its route.

        The row that a gather or scatter describes counts once for each index.
        """
        side = {"source": a, "destination": d}.get(hop.bytes)
        if side is None:
            moved = max(a.payload(), d.payload())
        else:
            rows = max(a.n, d.n) // side.n if side.n else 0
            moved = side.burst(self.machine.space_granule(side.space)) * rows
        return self.port_ticks(hop.port, moved * factor)

    def port_ticks(self, port: str, moved: int) -> int:
        """Sixteenths of a cycle that so many bytes occupy a port."""
        width = self.machine.evaluate(load().ports[port].width, self.link)
        ticks: int = math.ceil(moved * TICKS / width)
        return ticks
