"""Which values between kernels live near the tiles: in the memory of every cluster, not in HBM.

A store to all clusters and a load from the own one wait a seventh of what HBM makes them wait,
which for small tensors is most of what lies between two kernels. Every cluster has a copy, so the
tensors must be small, and all that is done to them must be plain stores and loads.
"""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.kernel.model import Buffer, Kernel, words_of
from maiacc_passes.kernel.plan import Load, Plan, Scalars, walk
from maiacc_passes.schedule.arena import Life, arrange
from maiacc_passes.schedule.lives import Lives

#: Larger tensors are sooner written to HBM once than to all clusters.
LARGEST = 4 << 20

#: Queues and kinds of words that may read and write there.
READS = frozenset({"copy", "turn", "gather"})
LOADS = frozenset({"LD0", "LD1", "CLD"})


def near(plan: Plan, lives: Lives, machine: Machine) -> dict[Buffer, int]:
    """Addresses in the clusters' memories of the buffers that live there."""
    found = sorted(_eligible(plan), key=lambda b: (b.bytes, lives.first[b], b.name))
    capacity = machine.space_bytes("csram")
    while found:
        spans = [Life(b.name, b.bytes, lives.first[b], lives.last[b]) for b in found]
        try:
            arena = arrange(spans, 0, capacity)
        except IRError:
            # The largest ones go first: they win least.
            found = found[: len(found) * 7 // 8]
            continue
        return dict(zip(found, arena.bases, strict=True))
    return {}


def _eligible(plan: Plan) -> list[Buffer]:
    fixed = {*plan.inputs.values(), *plan.constants, *(o.buffer for o in plan.outputs.values())}
    found: dict[Buffer, bool] = {}
    for step in walk(plan.steps):
        if isinstance(step, Scalars):
            for word in step.words:
                if isinstance(word, Load):
                    found[word.view.buffer.root] = False
        elif isinstance(step, Kernel):
            _look(step, found)
    return [b for b, good in found.items() if good and b not in fixed and 0 < b.bytes <= LARGEST]


def _look(kernel: Kernel, found: dict[Buffer, bool]) -> None:
    """Enters the buffers of a kernel, and whether all that is done to them may be done there."""
    for word in words_of(kernel.body):
        written = _hbm([v.buffer for v in word.writes()])
        read = _hbm([v.buffer for v in word.reads()])
        stored = word.kind == "copy" and word.queue == "ST"
        loaded = word.kind in READS and word.queue in LOADS
        for buffer in written:
            found[buffer.root] = found.get(buffer.root, True) and stored and buffer is buffer.root
        for buffer in read:
            found[buffer.root] = found.get(buffer.root, True) and loaded and buffer is buffer.root


def _hbm(buffers: Sequence[Buffer]) -> list[Buffer]:
    return [buffer for buffer in buffers if buffer.space == "hbm"]
