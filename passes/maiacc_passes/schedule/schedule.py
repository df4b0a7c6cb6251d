"""From kernels to the placed stage: slots, addresses, semaphores, blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_isa.machine import Machine
from maiacc_passes.kernel.model import Buffer, Kernel, View, words_of
from maiacc_passes.kernel.plan import Plan
from maiacc_passes.schedule.arena import UNIT, Arena, Life, arrange
from maiacc_passes.schedule.edges import Edges, Semaphore
from maiacc_passes.schedule.joins import join
from maiacc_passes.schedule.places import Places, buffers_of, place

#: What a block has room for, with some to spare.
DESCRIPTORS, CHAINS, SEMAPHORES = 3800, 240, 230


@dataclass
class Block:
    """Kernels that one block of the program executes."""

    kernels: list[Kernel] = field(default_factory=list)
    places: list[Places] = field(default_factory=list)
    semaphores: dict[str, Semaphore] = field(default_factory=dict)


@dataclass
class Placed:
    """A plan with addresses: ``bases`` of buffers in HBM."""

    plan: Plan
    machine: Machine
    blocks: list[Block]
    bases: dict[Buffer, int]
    arena: Arena


def schedule(plan: Plan, machine: Machine, keep: bool = False) -> Placed:
    """Places and schedules; kernels are changed. ``keep`` gives every tensor its own place, so that
    all of them can be read afterwards. Raises ``IRError`` E1502, E1503."""
    blocks = _blocks(plan)
    for block in blocks:
        for number, kernel in enumerate(block.kernels):
            places = place(kernel, machine, number % 2 == 1)
            edges = Edges(places.slots)
            edges.kernel(kernel)
            block.places.append(places)
            block.semaphores |= edges.semaphores
        block.semaphores |= join(block.kernels, block.places, machine)
    bases, arena = _arena(plan, machine, keep)
    return Placed(plan, machine, blocks, bases, arena)


def _blocks(plan: Plan) -> list[Block]:
    """Kernels dealt to blocks that have room for their tables."""
    blocks = [Block()]
    views: set[View] = set()
    chains: set[object] = set()
    for kernel in plan.kernels:
        words = list(words_of(kernel.body))
        more = {view for word in words for view in word.views.values()}
        more_chains = {word.chain for word in words if word.chain is not None}
        full = len(views | more) > DESCRIPTORS or len(chains | more_chains) > CHAINS
        if full and blocks[-1].kernels:
            blocks.append(Block())
            views, chains = set(), set()
        views |= more
        chains |= more_chains
        blocks[-1].kernels.append(kernel)
    return blocks


def _arena(plan: Plan, machine: Machine, keep: bool) -> tuple[dict[Buffer, int], Arena]:
    last = len(plan.kernels)
    first: dict[Buffer, int] = {}
    until: dict[Buffer, int] = {}
    for number, kernel in enumerate(plan.kernels):
        local = {buffer for buffer, _ in buffers_of(kernel)}
        for word in words_of(kernel.body):
            for view in word.views.values():
                if view.buffer.space == "hbm" and view.buffer not in local:
                    first.setdefault(view.buffer, number)
                    until[view.buffer] = number
    fixed = [*plan.inputs.values(), *(o.buffer for o in plan.outputs.values()), *plan.constants]
    bases: dict[Buffer, int] = {}
    at = 0
    for buffer in dict.fromkeys(fixed):
        bases[buffer] = at
        at += -(-buffer.bytes // UNIT) * UNIT
    temps = [b for b in first if b not in bases]
    lives = [
        Life(b.name, b.bytes, 0, last) if keep else Life(b.name, b.bytes, first[b], until[b])
        for b in temps
    ]
    arena = arrange(lives, at, machine.space_bytes("hbm"))
    bases |= zip(temps, arena.bases, strict=True)
    return bases, arena
