"""Makes the record of a compiled model: its kernels, what else was weighed, where tensors lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, isfinite
from typing import Any

from maiacc.backend.emit import Spans
from maiacc.compiler import Compiled
from maiacc.explaining.record import (
    SCHEMA,
    KernelRow,
    LocalRow,
    LoopRow,
    Record,
    TensorRow,
    WayRow,
)
from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Module
from maiacc_passes.kernel.cut import Cut
from maiacc_passes.kernel.model import Buffer, Kernel, View, loops_of, words_of
from maiacc_passes.kernel.plan import Scalars, walk
from maiacc_passes.lowering.access import VIEWS
from maiacc_passes.lowering.tiling import instances
from maiacc_passes.schedule.lives import Lives
from maiacc_passes.schedule.places import Places, acc_bytes
from maiacc_passes.schedule.schedule import Placed

#: Ways to cut that are kept of each kernel, the cheapest ones.
TOP = 8

#: Why no kernel executes a node.
VIEW, CONTROL, FOLDED = "view", "control", "folded"


def recorded(compiled: Compiled, nodes: Iterable[str], everything: bool = False) -> Record:
    """The record of a compiled model with these nodes; of ``everything`` that was weighed, or of
    the cheapest ways only."""
    placed = compiled.placed
    tensors = _Tensors(placed)
    most = None if everything else TOP
    kernels = [
        _kernel(kernel, places, placed.machine, compiled.spans, tensors, most)
        for block in placed.blocks
        for kernel, places in zip(block.kernels, block.places, strict=True)
    ]
    absent = _absent(compiled.module, placed, kernels, nodes)
    return Record(SCHEMA, kernels, tensors.rows, absent)


def _kernel(
    kernel: Kernel,
    places: Places,
    machine: Machine,
    spans: Spans,
    tensors: _Tensors,
    most: int | None,
) -> KernelRow:
    block, first, end = spans[kernel.name]
    layers = kernel.layers or [kernel.location.nodes]
    row = KernelRow(
        kernel.name,
        kernel.title,
        [list(nodes) for nodes in layers],
        block,
        (first, end),
        [LoopRow(loop.variable, loop.trips, loop.spread) for loop in loops_of(kernel.body)],
        kernel.macs,
        kernel.padded,
    )
    if kernel.cut is not None:
        _cut(row, kernel.cut, kernel.dims, machine, most)
    words = list(words_of(kernel.body))
    row.reads = tensors.numbers(view for word in words for view in word.reads())
    row.writes = tensors.numbers(view for word in words for view in word.writes())
    block_size = machine.int("ttu.block")
    row.locals = [
        LocalRow(
            buffer.name,
            buffer.dtype,
            list(buffer.shape),
            buffer.space,
            acc_bytes(buffer, block_size) if buffer.space == "acc" else buffer.bytes,
            slots,
            buffer.shared,
        )
        for buffer, slots in places.slots.items()
    ]
    return row


# ---- how the space was cut ------------------------------------------------------------------
def _cut(
    row: KernelRow, cut: Cut, names: dict[int, str], machine: Machine, most: int | None
) -> None:
    row.extents = [cut.size(dim) for dim in range(len(cut.tiles))]
    row.dims = [names.get(dim, f"dim {dim}") for dim in range(len(cut.tiles))]
    row.chosen = _way(cut, machine, cut.costs.get(cut))
    ranked = sorted(cut.costs, key=lambda way: (cut.costs[way], way.order, way.tiles))
    row.weighed = len(ranked)
    row.rank = ranked.index(cut) if cut in cut.costs else len(ranked)
    row.ways = [_way(way, machine, cut.costs[way]) for way in ranked[:most]]


def _way(cut: Cut, machine: Machine, cost: float | None) -> WayRow:
    turns, busy = 1, 1
    for dim, spread in cut.order:
        pieces, count = ceil(cut.size(dim) / cut.tiles[dim]), instances(machine, spread)
        turns *= ceil(pieces / count)
        busy *= min(pieces, count) if spread else 1
    known = None if cost is None or not isfinite(cost) else round(cost)
    return WayRow(list(cut.tiles), list(cut.order), turns, busy, known, cut.panel)


# ---- where tensors lie ----------------------------------------------------------------------
class _Tensors:
    """The tensors between kernels, numbered as kernels touch them."""

    def __init__(self, placed: Placed) -> None:
        self.placed = placed
        self.rows: list[TensorRow] = []
        self._numbers: dict[Buffer, int] = {}
        self._lives = Lives(placed.plan.steps)
        self._steps = [
            step.name if isinstance(step, Kernel) else "scalars"
            for step in walk(placed.plan.steps)
            if isinstance(step, Kernel | Scalars)
        ]
        self._copies = {stack[0]: len(stack) for stack in placed.plan.stacks}
        plan = placed.plan

        self._out = {output.buffer: name for name, output in plan.outputs.items()}

    def numbers(self, views: Iterable[View]) -> list[int]:
        """The numbers of those of some views that are between kernels."""
        roots = [view.buffer.root for view in views if view.buffer.space == "hbm"]
        return [self._number(buffer) for buffer in dict.fromkeys(roots)]

    def _number(self, buffer: Buffer) -> int:
        if buffer not in self._numbers:
            self._numbers[buffer] = len(self.rows)
            self.rows.append(self._row(buffer))
        return self._numbers[buffer]

    def _row(self, buffer: Buffer) -> TensorRow:
        name, kind = buffer.name, buffer.kind
        if buffer in self._out:
            name, kind = self._out[buffer], "output"
        return TensorRow(
            name,
            kind,
            buffer.dtype,
            list(buffer.shape),
            buffer.bytes,
            "csram" if buffer in self.placed.near else "hbm",
            self.placed.bases[buffer],
            self._steps[self._lives.first[buffer]],
            self._steps[self._lives.last[buffer]],
            kind != "temp",
            self._copies.get(buffer, 1),
        )


# ---- nodes without a kernel -----------------------------------------------------------------
def _absent(
    module: Module, placed: Placed, kernels: Sequence[KernelRow], nodes: Iterable[str]
) -> dict[str, list[str]]:
    """Nodes that no kernel executes: views of what is there, what control processors do, and what
    passes have computed or found to be of no use."""
    executed = {node for row in kernels for layer in row.layers for node in layer}
    found: dict[str, dict[str, Any]] = {VIEW: {}, CONTROL: {}, FOLDED: {}}
    views = {
        node
        for region in module.regions()
        for op in region
        if op.name in VIEWS
        for node in op.location.nodes
    }
    control = set(_control(placed))
    for node in nodes:
        if node not in executed:
            why = CONTROL if node in control else VIEW if node in views else FOLDED
            found[why][node] = None
    return {why: list(some) for why, some in found.items() if some}


def _control(placed: Placed) -> Iterator[str]:
    for step in walk(placed.plan.steps):
        if isinstance(step, Scalars):
            yield from step.location.nodes
