"""The axes of a pool: windows along some of them, and plain ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.views import Side
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.tiling import Tiling, name_of


@dataclass(frozen=True)
class Window:
    """``outs`` windows of ``taps`` cells, ``dilation`` apart, along an axis of ``extent`` cells
    that lie ``stride`` elements apart; one starts ``step`` cells behind the one before, the first
    one ``before`` cells in front of the axis. ``after`` is the padding behind it.

    ``reduced`` says that there is one cell for each window already, which is only counted.
    """

    extent: int
    stride: int
    outs: int
    taps: int = 1
    step: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    reduced: bool = False

    @property
    def plain(self) -> bool:
        """Whether each window is the cell with its number."""
        same = (self.taps, self.step, self.before) == (1, 1, 0) and self.outs == self.extent
        return same and not self.reduced

    @property
    def reduces(self) -> bool:
        """Whether a word has to go over its windows."""
        return not self.plain and not self.reduced

    def still(self, extent: int | None = None) -> Window:
        """A plain axis of as many cells."""
        size = self.extent if extent is None else extent
        if self.reduced:
            size = self.outs
        return Window(size, self.stride, size)

    def at(self, stride: int) -> Window:
        """The same with cells so far apart."""
        return replace(self, stride=stride)

    def seen(self, stride: int) -> Window:
        """The same axis once its windows are reduced, for counting."""
        return replace(self, stride=stride, reduced=not self.plain)

    def reach(self, tile: int) -> int:
        """Cells that so many windows touch."""
        return (tile - 1) * self.step + (self.taps - 1) * self.dilation + 1

    def side(self, axis: int, tiling: Tiling) -> Side:
        """The cells of a tile's windows, in a box where some of them do not exist."""
        if self.plain or self.reduced:
            return tiling.side(axis, self.stride)
        tile = tiling.tiles[axis]
        looped = axis in tiling.spreads
        terms = ((name_of(axis), tile * self.step),) if looped else ()
        reach = self.reach(tile)
        last = self.reach(self.outs) - self.before
        inside = not self.before and last <= self.extent and not tiling.ragged(axis)
        extent = None if inside else self.extent
        return Side(reach, self.stride, extent, -self.before, terms)

    def counts(self, count_pad: bool) -> list[int]:
        """How many cells count in each window."""
        least, most = (-self.before, self.extent + self.after) if count_pad else (0, self.extent)
        starts = [number * self.step - self.before for number in range(self.outs)]
        return [
            sum(least <= start + tap * self.dilation < most for tap in range(self.taps))
            if start < 0 or start + self.taps * self.dilation > self.extent
            else self.taps
            for start in starts
        ]


def windows_of(op: Op, access: Access) -> list[Window]:
    """The axes of a pool of an access."""
    found = [Window(n, s, n) for n, s in zip(access.sizes[:2], access.strides[:2], strict=True)]
    kernel, strides, pads, dilations, sizes = (
        op.ints(name) for name in ("kernel", "strides", "pads", "dilations", "sizes")
    )
    rank = len(kernel)
    for axis in range(rank):
        found.append(
            Window(
                access.sizes[2 + axis],
                access.strides[2 + axis],
                sizes[axis],
                kernel[axis],
                strides[axis],
                dilations[axis],
                pads[axis],
                pads[rank + axis],
            )
        )
    return found


def merged(windows: Sequence[Window]) -> tuple[Window, ...] | None:
    """Plain neighbours as one axis; None where elements in front lie too irregularly for that."""
    found: list[Window] = []
    for window in windows:
        last = found[-1] if found else None
        if window.plain and window.extent == 1:
            continue
        if last is not None and last.plain and window.plain:
            if last.stride != window.extent * window.stride:
                return None
            size = last.extent * window.extent
            found[-1] = Window(size, window.stride, size)
        else:
            found.append(window)
    return tuple(found) or (Window(1, 1, 1),)


def planes(op: Op, access: Access) -> list[Window]:
    """The planes of a pool as one axis, and the axes of its windows. The first two axes of the
    access lie one behind the other."""
    first, second, *windows = windows_of(op, access)
    size = first.extent * second.extent
    stride = second.stride if second.extent > 1 else first.stride
    return [Window(size, stride, size), *windows]
