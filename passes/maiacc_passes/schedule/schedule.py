"""From kernels to the placed stage: slots, addresses, semaphores, blocks."""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_isa.machine import Machine
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.kernel.plan import Plan
from maiacc_passes.schedule.arena import UNIT, Arena, Life, arrange
from maiacc_passes.schedule.edges import Edges
from maiacc_passes.schedule.flow import Block, Flow, blocks_of, flow_of
from maiacc_passes.schedule.homes import near
from maiacc_passes.schedule.joins import join
from maiacc_passes.schedule.lives import Lives
from maiacc_passes.schedule.places import place
from maiacc_passes.schedule.refusing import Full
from maiacc_passes.schedule.rolling import roll


@dataclass
class Placed:
    """A plan with addresses: ``bases`` of buffers in HBM. ``flow`` are its blocks, and the ways
    between them; ``always`` the buffers that are written whatever way is taken, ``near`` those that
    lie in the memory of every cluster instead."""

    plan: Plan
    machine: Machine
    flow: list[Flow]
    bases: dict[Buffer, int]
    arena: Arena
    always: set[Buffer] = field(default_factory=set)
    near: set[Buffer] = field(default_factory=set)

    @property
    def blocks(self) -> list[Block]:
        """All blocks, in the order of the plan."""
        return list(blocks_of(self.flow))


def schedule(plan: Plan, machine: Machine, keep: bool = False) -> Placed:
    """Places and schedules; kernels are changed. ``keep`` gives every tensor its own place, so that
    all of them can be read afterwards. Raises ``IRError`` E1502, E1503."""
    if not keep:
        roll(plan)
    lives = Lives(plan.steps)
    flow = flow_of(plan.steps) or [Block()]
    for block in blocks_of(flow):
        for number, kernel in enumerate(block.kernels):
            places = place(kernel, machine, number % 2 == 1)
            edges = Edges(places.slots)
            edges.kernel(kernel)
            block.places.append(places)
            block.semaphores |= edges.semaphores
        block.semaphores |= join(block, machine)
    close = {} if keep else near(plan, lives, machine)
    bases, arena = _arena(plan, lives, machine, keep, set(close))
    return Placed(plan, machine, flow, bases | close, arena, lives.always, set(close))


def _arena(
    plan: Plan, lives: Lives, machine: Machine, keep: bool, close: set[Buffer]
) -> tuple[dict[Buffer, int], Arena]:
    fixed = [*plan.inputs.values(), *(o.buffer for o in plan.outputs.values()), *plan.constants]
    bases: dict[Buffer, int] = {}
    at = 0
    stacked = [buffer for stack in plan.stacks for buffer in stack]
    for buffer in dict.fromkeys([*stacked, *fixed]):
        bases[buffer] = at
        at += -(-buffer.bytes // UNIT) * UNIT
    temps = [b for b in lives.first if b not in bases and b not in close]
    spans = [
        Life(b.name, b.bytes, 0, lives.end)
        if keep
        else Life(b.name, b.bytes, lives.first[b], lives.last[b])
        for b in temps
    ]
    always = {b: Life(b.name, b.bytes, 0, lives.end) for b in bases}
    refusal = Full(plan, always | dict(zip(temps, spans, strict=True)), lives, machine)
    arena = arrange(spans, at, machine.space_bytes("hbm"), refusal)
    bases |= zip(temps, arena.bases, strict=True)
    return bases, arena
