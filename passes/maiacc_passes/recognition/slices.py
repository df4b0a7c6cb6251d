"""Slices compared by what they show of the value that was first sliced.

Canonical form makes one slice of slices, so that parts of a part are parts of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Value
from maiacc_passes.matching import made_by

Ints = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Which elements of ``root`` a value shows. The step along an axis of one element is 1."""

    root: Value
    starts: Ints
    sizes: Ints
    steps: Ints

    def part(self, start: int, size: int, step: int = 1) -> Place:
        """Some elements of the last axis."""
        starts = (*self.starts[:-1], self.starts[-1] + start * self.steps[-1])
        steps = (*self.steps[:-1], self.steps[-1] * step if size != 1 else 1)
        return replace(self, starts=starts, sizes=(*self.sizes[:-1], size), steps=steps)

    def made(self, b: Builder) -> Value:
        """The value that shows this."""
        shape = self.root.type.shape
        if self.sizes == shape and not any(self.starts) and set(self.steps) == {1}:
            return self.root
        return b("slice", self.root, starts=self.starts, sizes=self.sizes, steps=self.steps)


def place(value: Value) -> Place:
    """What a value shows of what it is a slice of."""
    op = made_by(value, "slice")
    if op is None:
        shape = value.type.shape
        return Place(value, (0,) * len(shape), shape, (1,) * len(shape))
    inner = op.operands[0]
    assert inner is not None
    outer = place(inner)
    sizes = value.type.shape
    own = zip(op.attrs["starts"], op.attrs["steps"], strict=True)
    both = list(zip(outer.starts, outer.steps, own, strict=True))
    starts = tuple(start + a * step for start, step, (a, _) in both)
    steps = tuple(
        step * t if n != 1 else 1 for (_, step, (_, t)), n in zip(both, sizes, strict=True)
    )
    return Place(outer.root, starts, sizes, steps)


def is_part(value: Value | None, base: Value, start: int, size: int, step: int = 1) -> bool:
    """Whether a value is some elements of the last axis of another."""
    if value is None or not base.type.shape or value.type.shape[-1:] != (size,):
        return False
    return place(value) == place(base).part(start, size, step)


def beside(first: Value | None, second: Value | None, b: Builder) -> Value | None:
    """The value of which two are neighbouring parts along the last axis."""
    if first is None or second is None or not first.type.shape:
        return None
    one, two = place(first), place(second)
    size = one.sizes[-1] + two.sizes[-1]
    step = _step(one, two, size)
    whole = replace(one, sizes=(*one.sizes[:-1], size), steps=(*one.steps[:-1], step))
    parts = (whole.part(0, one.sizes[-1]), whole.part(one.sizes[-1], two.sizes[-1]))
    return whole.made(b) if step and parts == (one, two) else None


def _step(one: Place, two: Place, size: int) -> int:
    """The step of two neighbouring parts together; either may be a single element."""
    if size == 2:
        return two.starts[-1] - one.starts[-1]
    return one.steps[-1] if one.sizes[-1] > 1 else two.steps[-1]


def by_turns(first: Value | None, second: Value | None, b: Builder) -> Value | None:
    """The value of which two show every other element along the last axis."""
    if first is None or second is None or not first.type.shape:
        return None
    one, two = place(first), place(second)
    size, step = one.sizes[-1], two.starts[-1] - one.starts[-1]
    whole = replace(one, sizes=(*one.sizes[:-1], 2 * size), steps=(*one.steps[:-1], step))
    parts = (whole.part(0, size, 2), whole.part(1, size, 2))
    return whole.made(b) if step and parts == (one, two) else None
