"""What choices and repetitions share: where they are lowered, and where values go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op, Region, Value
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.kernel.plan import Load, Plan, Scalar, Step
from maiacc_passes.kernel.views import strided
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.control_moves import Move, moving
from maiacc_passes.lowering.control_targets import apart, doubled, may_replace, replaced

#: What the control graph asks for: not 0 is yes.
GO = Scalar("go", 31, 0, 1)


class Around(Protocol):
    """What lowers regions: the plan, and where values are. ``made`` are buffers in HBM that were
    made so far; ``loops`` and ``depth`` say how deep control flow nests."""

    machine: Machine
    plan: Plan
    access: dict[Value, Access]
    made: list[Buffer]
    loops: int
    depth: int

    def located(self, value: Value) -> Access:
        """Where a value lies."""
        ...

    def lowered(self, region: Region) -> list[Step]:
        """The steps of a region."""
        ...

    def emit(self, steps: Sequence[Step]) -> None:
        """Adds steps to those of the region that is being lowered."""
        ...

    def buffer(self, kind_of: Value) -> Buffer:
        """A new buffer for a value."""
        ...

    def name(self) -> str:
        """A new name of a kernel."""
        ...


class Control:
    """What choices and repetitions share."""

    def __init__(self, around: Around, op: Op) -> None:
        self.around = around
        self.op = op

    def scalar(self, scalar: Scalar) -> Scalar:
        """A scalar that the plan knows."""
        return self.around.plan.scalars.setdefault(scalar.name, scalar)

    def load(self, dest: Scalar, access: Access) -> Load:
        """The loading of an element."""
        view = strided(access.buffer, [], offset=access.offset, dtype=access.dtype)
        return Load(self.scalar(dest), view)

    def move(self, moves: Sequence[Move]) -> list[Step]:
        """Steps for moves that do not depend on each other."""
        around = self.around
        return [*moving(around.name(), moves, around.machine, self.op.location)]

    def hand_out(
        self, region: Region, values: Sequence[Value], targets: Sequence[Buffer]
    ) -> list[Step]:
        """The steps of a region whose values end up in targets."""
        around, before = self.around, len(self.around.made)
        steps = around.lowered(region)
        mine = set(around.made[before:])
        taken: set[Buffer] = set()
        for value, target in zip(values, targets, strict=True):
            access = around.located(value)
            made = access.buffer
            others = [v for v, t in zip(values, targets, strict=True) if t is not target]
            wanted = any(around.located(v).buffer.root is target.root for v in others)
            plain = access.dense and not access.dtype and made.element.bits >= 8
            if plain and made in mine and not wanted and may_replace(steps, made, target):
                self._renamed(steps, made, target)
                taken.add(target)
        moves = []
        for value, target in zip(values, targets, strict=True):
            access = around.located(value)
            twice = access.dense and not access.dtype and access.buffer in taken
            if target in taken and access.buffer is target:
                continue
            if twice and target.of is not None and doubled(steps, access.buffer, target):
                continue
            moves.append(Move(whole(target, access.sizes), access))
        for turn in apart(moves, self._fresh):
            steps += self.move(turn)
        return steps

    def _renamed(self, steps: Sequence[Step], made: Buffer, target: Buffer) -> None:
        renamed = replaced(steps, made, target)
        for value, access in self.around.access.items():
            if access.buffer.root is made:
                moved = renamed(access.buffer)
                self.around.access[value] = Access(
                    moved, access.sizes, access.strides, access.offset, access.dtype
                )

    def _fresh(self, access: Access) -> Access:
        around = self.around
        dtype = access.dtype or access.buffer.dtype
        buffer = Buffer(f"{around.name()}.kept", dtype, access.sizes, "hbm")
        around.made.append(buffer)
        return whole(buffer, access.sizes)

    def results(self) -> list[Buffer]:
        """Buffers for the results, which are where these values are from now on."""
        found = []
        for result in self.op.results:
            buffer = self.around.buffer(result)
            self.around.access[result] = whole(buffer, result.type.shape)
            found.append(buffer)
        return found
