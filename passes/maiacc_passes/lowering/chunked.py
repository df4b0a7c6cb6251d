"""Reductions of rows that no tile holds, and of rows too few to deal over tiles.

for part over gtile < 36 {                       or rows over tiles, where there are enough
  TVP map %acc <- identity
  for i1 < 40 {
    LD0 copy %x <- @x[chunk]                     what is outside reads as the identity
    TVP reduce %p <- %x
    TVP map %acc <- %acc op %p
  }
  ST copy @parts[part] <- %acc                   then one more kernel reduces the parts
}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.chunked_alone import copied, dense_input
from maiacc_passes.lowering.chunked_kernel import Job, reduction_kernel
from maiacc_passes.lowering.chunked_words import checked_type
from maiacc_passes.lowering.fitting import RETRIED, fitting, halved
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.space import reduced_axes
from maiacc_passes.lowering.tiling import Tiling, instances
from maiacc_passes.lowering.vector import lower_vector

#: Axes that a view can have boxes on, but one for what tells tiles apart.
MOST = 3

#: Elements of a row that are worth a second kernel.
LONG = 1 << 14


@dataclass(frozen=True)
class Rows:
    """An access as kept axes and axes that are reduced: sizes and strides of each."""

    access: Access
    kept: tuple[tuple[int, int], ...]
    gone: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> int:
        """Results."""
        return prod(n for n, _ in self.kept)

    @property
    def columns(self) -> int:
        """Elements of each."""
        return prod(n for n, _ in self.gone)


def lower_reduction(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a reduction that is alone in its group. Raises ``IRError`` E1502, E1505."""
    value = op.operands[0]
    assert value is not None
    element = checked_type(op, value)
    access = dense_input(group, op)
    rows = rows_of(access, reduced_axes(op))
    tiles = group.machine.tiles * group.machine.clusters
    few = 2 * rows.rows <= tiles and rows.columns >= LONG and not op.name.startswith("arg")
    if not few:
        try:
            return [lower_vector(group)]
        except IRError as refusal:
            if refusal.code not in RETRIED:
                raise
    kernels: list[Kernel] = []
    if len(rows.kept) + len(rows.gone) > MOST:
        order = _turned(access, reduced_axes(op))
        access, kernels = copied(group, op, order, f"{group.name}.x")
        rank = len(access.sizes) - len(reduced_axes(op))
        rows = rows_of(access, range(rank, len(access.sizes)))
    if op.attrs.get("last"):
        access = backwards(access, reduced_axes(op))
        rows = rows_of(access, reduced_axes(op))
    (target,) = group.outputs.values()
    if not few:
        job = Job(op, access, element, target, rows.kept, rows.gone)
        return [*kernels, _kernel(job, group, group.name, 0)]
    kind = "fp32" if element.is_float else op.result.type.dtype
    parts = Buffer(f"{group.name}.parts", kind, (tiles, rows.rows), "hbm")
    first = Job(op, access, element, parts, rows.kept, rows.gone, partial=True)
    kernels.append(_kernel(first, group, f"{group.name}.parts", tiles))
    second = rows_of(whole(parts, parts.shape), (0,))
    again = Job(op, second.access, parts.element, target, second.kept, second.gone, again=True)
    return [*kernels, _kernel(again, group, group.name, 0)]


def backwards(access: Access, axes: Sequence[int]) -> Access:
    """An access that goes along some axes from the end."""
    steps = list(access.strides)
    offset = access.offset
    for axis in axes:
        offset += (access.sizes[axis] - 1) * steps[axis]
        steps[axis] = -steps[axis]
    return Access(access.buffer, access.sizes, tuple(steps), offset, access.dtype)


def _turned(access: Access, gone: Sequence[int]) -> Access:
    """An access with the axes that are reduced behind the others."""
    order = [a for a in range(len(access.sizes)) if a not in gone] + list(gone)
    return Access(
        access.buffer,
        tuple(access.sizes[a] for a in order),
        tuple(access.strides[a] for a in order),
        access.offset,
        access.dtype,
    )


def rows_of(access: Access, gone: Sequence[int]) -> Rows:
    """An access as rows, with axes that lie one behind the other merged."""
    axes = list(zip(access.sizes, access.strides, strict=True))
    kept = [axis for number, axis in enumerate(axes) if number not in gone]
    away = [axis for number, axis in enumerate(axes) if number in gone]
    # The order of what is reduced means nothing, but for the one axis of a position.
    away.sort(key=lambda axis: -abs(axis[1]))
    return Rows(access, _merged(kept), _merged(away))


def _merged(axes: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for size, stride in axes:
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return tuple(found)


# ---- cutting --------------------------------------------------------------------------------
def _kernel(job: Job, group: Group, name: str, parts: int) -> Kernel:
    machine = group.machine
    rooms = halved(machine.space_bytes("tsram") // 16)
    found = (tiling for room in rooms for tiling in _tilings(job, machine, room, parts))
    return fitting(machine, found, lambda tiling: reduction_kernel(job, tiling, name))


def _tilings(job: Job, machine: Machine, room: int, parts: int) -> list[Tiling]:
    """Ways to cut rows and columns into tiles of at most so many elements. With ``parts`` the
    columns are dealt over tiles, else the rows."""
    axes = (*job.kept, *job.gone)
    kept = range(len(job.kept))
    gone = range(len(job.kept), len(axes))
    found: list[Tiling] = []
    for dealt in (gone if parts else kept) or (None,):
        tiles = [1] * len(axes)
        # What lies one behind the other comes first, so that transfers have long runs.
        order = sorted(range(len(axes)), key=lambda d: (abs(axes[d][1]), -d))
        left = room
        for number, d in enumerate(order):
            size = axes[d][0]
            count = instances(machine, "gtile") if d == dealt else 1
            most = min(left, RUN if number == 0 and d in kept else left)
            tiles[d] = max(1, min(-(-size // count), most))
            left //= tiles[d]
        looped = [d for d in range(len(axes)) if tiles[d] < axes[d][0] or d == dealt]
        loops = tuple((d, "gtile" if d == dealt else "") for d in looped)
        extents = tuple(n for n, _ in axes)
        found.append(Tiling(machine, extents, tuple(tiles), loops))
    return sorted(found, key=lambda t: t.turns)


#: Elements next to each other in a tile of rows whose columns lie apart.
RUN = 256
