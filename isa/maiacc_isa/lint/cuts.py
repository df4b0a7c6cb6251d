"""Windows that boxes cut: which coordinates are left, also where only ids say where the cut is.

Where a few instances stand for all, ids are unknowns, and each instance is cut in its own way. A
``Cut`` knows what is left for every value of the ids. Everything follows from that list:

- Two instances meet if their lists do for some ids that the two may have (``meeting``). Boxes with
  ids as unknowns, whole windows and hulls over all ids, only sort out most pairs beforehand.
- Reads must be covered for all ids. Writes are entered for all ids when the first instance writes:
  all instances execute the same words in the same order, and one that reads before another has
  written races with it, which is found for some of the instances that stand for all.
- That holds for memories that all of these instances write. Into one that each has for itself,
  nothing may be written that depends on its id; then what one has written all have.
- Bits are counted over the whole list, once for all instances.
- Copies in skipped iterations are cut alike: no window moves along an axis on which it is cut
  (``stays``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import prod

from maiacc_isa.lint.instances import NeedInstances
from maiacc_isa.lint.regions import Region, Steps, normal
from maiacc_isa.lint.values import Sym, Val

#: Boxes that one cut window is taken apart into; with more it becomes one that contains them.
PIECE_LIMIT = 32

#: Values of ids that one cut is listed for, and boxes that it is listed as.
IDS_LIMIT = 4096
BOX_LIMIT = 4096

#: First coordinates and steps.
Boxes = tuple[tuple[int, Steps], ...]


def upwards(dims: Steps) -> Steps:
    """The moving dims with positive steps, largest first."""
    return tuple(sorted(((abs(s), n) for s, n in dims if s and n > 1), reverse=True))


def clipped(origin: int, dims: Steps, extent: int) -> Boxes | None:
    """The boxes of a window of positive steps from ``origin`` that lie in 0 .. extent-1; None if
    they are too many."""
    boxes: list[tuple[int, Steps]] = []
    return tuple(boxes) if _clip(origin, dims, extent, boxes) else None


def _clip(origin: int, dims: Steps, extent: int, boxes: list[tuple[int, Steps]]) -> bool:
    rest = sum(step * (count - 1) for step, count in dims[1:])
    if not dims:
        if 0 <= origin < extent:
            boxes.append((origin, ()))
        return len(boxes) <= PIECE_LIMIT
    step, count = dims[0]
    room = extent - 1 - origin
    inner = range(max(0, -(origin // step)), min(count - 1, (room - rest) // step) + 1)
    if inner:
        boxes.append((origin + step * inner[0], ((step, len(inner)), *dims[1:])))
    touching = range(max(0, -((origin + rest) // step)), min(count - 1, room // step) + 1)
    for x in touching:
        if x not in inner and (
            len(boxes) > PIECE_LIMIT or not _clip(origin + step * x, dims[1:], extent, boxes)
        ):
            return False
    return len(boxes) <= PIECE_LIMIT


@dataclass(frozen=True)
class CutAxis:
    """A window on an axis, from coordinate ``start`` plus multiples of ids, cut to 0 .. extent-1.
    ``dims`` are as from ``upwards``."""

    stride: int
    start: int
    terms: tuple[tuple[Sym, int], ...]
    dims: Steps
    extent: int


#: Ids in an order, and what is left of a window for their values.
Windows = dict[tuple[int, ...], Boxes]


@lru_cache(maxsize=1 << 12)
def windows(axis: CutAxis) -> Windows | None:
    """What is left of the window for all ids; None if that is too much to list."""
    ranges = [range(sym.low, sym.high + 1) for sym, _ in axis.terms]
    if prod(map(len, ranges)) > IDS_LIMIT:
        return None
    found: Windows = {}
    for values in product(*ranges):
        origin = axis.start + sum(c * v for (_, c), v in zip(axis.terms, values, strict=True))
        boxes = clipped(origin, axis.dims, axis.extent)
        if boxes is None:
            return None
        found[values] = boxes
    return found


@lru_cache(maxsize=1 << 12)
def hull(axis: CutAxis) -> tuple[int, int] | None:
    """The first and the last coordinate that any ids leave; None if they leave nothing."""
    boxes = [box for left in (windows(axis) or {}).values() for box in left]
    if not boxes:
        return None
    ends = (first + sum(step * (count - 1) for step, count in dims) for first, dims in boxes)
    return min(first for first, _ in boxes), max(ends)


@lru_cache(maxsize=1 << 12)
def _union(axis: CutAxis) -> Boxes:
    """What all ids together leave."""
    boxes = {box for left in (windows(axis) or {}).values() for box in left}
    runs: list[list[int]] = []
    for box in sorted(boxes):
        line = normal(Val(box[0]), list(box[1]), 1)
        if line.steps:
            return tuple(sorted(boxes))
        low, high = line.base.const, line.base.const + line.run
        if runs and low <= runs[-1][1]:
            runs[-1][1] = max(high, runs[-1][1])
        else:
            runs.append([low, high])
    return tuple((low, ((1, high - low),)) for low, high in runs)


@dataclass(frozen=True)
class Cut:
    """What instances touch of a region that ids cut: runs at ``base`` and ``steps``, and a window
    on each of the cut axes."""

    base: Val
    steps: Steps
    run: int
    axes: tuple[CutAxis, ...]

    @property
    def syms(self) -> tuple[Sym, ...]:
        """The ids that cut."""
        return _syms(self.axes)

    def moved(self, offset: int) -> Cut:
        """The cut shifted by bits."""
        return replace(self, base=self.base.plus(offset))

    def repeated(self, step: int, count: int) -> Cut:
        """The union of the cut and its copies at multiples of ``step``."""
        return replace(self, steps=(*self.steps, (step, count)))

    def touched(self, ids: Mapping[Sym, int]) -> list[Region]:
        """What the instance with these ids touches."""
        base = self.base.filled(ids)
        boxes = _placed(self.steps, self.run, self.axes)[tuple(ids[sym] for sym in self.syms)]
        return [Region(base + at, steps, run) for at, steps, run in boxes]

    def everything(self) -> Iterator[Region]:
        """What all instances touch that differ in ids that cut; other ids stay unknowns."""
        parts = [_union(axis) for axis in self.axes]
        if prod(map(len, parts)) > BOX_LIMIT:
            raise NeedInstances
        syms = [sym for axis in self.axes for sym, _ in axis.terms]
        if len(set(syms)) == len(syms) and not any(sym in self.base.terms for sym in syms):
            for at, steps, run in _joined(self.steps, self.run, self.axes, tuple(parts)):
                yield Region(self.base + at, steps, run)
            return
        for values, boxes in _placed(self.steps, self.run, self.axes).items():
            base = self.base.filled(dict(zip(self.syms, values, strict=True)))
            for at, steps, run in boxes:
                yield Region(base + at, steps, run)

    def bits(self, instances: int) -> int:
        """The bits that so many instances touch, equally many for all values of the ids."""
        placed = _placed(self.steps, self.run, self.axes)
        total = sum(
            run * prod(n for _, n in steps) for box in placed.values() for _, steps, run in box
        )
        return total * instances // len(placed)


#: Offsets, steps and runs, in bits.
_Bits = tuple[tuple[Val, Steps, int], ...]


@lru_cache(maxsize=1 << 12)
def _syms(axes: tuple[CutAxis, ...]) -> tuple[Sym, ...]:
    """The ids that cut."""
    return tuple(dict.fromkeys(sym for axis in axes for sym, _ in axis.terms))


@lru_cache(maxsize=1 << 12)
def _placed(steps: Steps, run: int, axes: tuple[CutAxis, ...]) -> dict[tuple[int, ...], _Bits]:
    """The boxes of every instance, from the base on."""
    syms = _syms(axes)
    ranges = [range(sym.low, sym.high + 1) for sym in syms]
    if prod(map(len, ranges)) > IDS_LIMIT:
        raise NeedInstances
    found: dict[tuple[int, ...], _Bits] = {}
    for values in product(*ranges):
        ids = dict(zip(syms, values, strict=True))
        parts = [(windows(a) or {})[tuple(ids[sym] for sym, _ in a.terms)] for a in axes]
        found[values] = _joined(steps, run, axes, tuple(parts))
    return found


@lru_cache(maxsize=1 << 14)
def _joined(steps: Steps, run: int, axes: tuple[CutAxis, ...], parts: tuple[Boxes, ...]) -> _Bits:
    """All combinations of boxes of the axes."""
    found = []
    for chosen in product(*parts):
        at, more = 0, list(steps)
        for axis, (first, dims) in zip(axes, chosen, strict=True):
            at += first * axis.stride
            more += [(step * axis.stride, count) for step, count in dims]
        box = normal(Val(at), more, run)
        found.append((box.base, box.steps, box.run))
    return tuple(found)
