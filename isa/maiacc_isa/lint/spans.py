"""Windows of operands on an axis, and how they lie to their boxes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maiacc_isa.lint.values import Val

#: More moves than any loop makes.
FOREVER = 1 << 62


@dataclass(slots=True, eq=False)
class Span:
    """The coordinates of a window on one axis: from ``origin + low`` to ``origin + high``, of which
    those in 0 .. extent-1 exist."""

    origin: Val
    low: int
    high: int
    extent: Val

    @property
    def inside(self) -> bool:
        """Whether the window lies in the box whatever the unknowns are."""
        return self.origin.low + self.low >= 0 and self.origin.high + self.high < self.extent.low

    def out(self, step: int) -> int:
        """For how many moves by ``step`` it surely stays outside the box, 0 if it is not."""
        below = -1 - (self.origin.high + self.high)
        above = self.origin.low + self.low - self.extent.high
        if below >= 0:
            return below // step if step > 0 else FOREVER
        if above >= 0:
            return above // -step if step < 0 else FOREVER
        return 0

    def moved(self, step: int) -> Span:
        """The span with its origin moved."""
        return replace(self, origin=self.origin.plus(step))

    def swept(self, step: int, times: int) -> Span:
        """A span that contains it and what it becomes in so many moves."""
        far = step * times
        return replace(self, low=self.low + min(0, far), high=self.high + max(0, far))
