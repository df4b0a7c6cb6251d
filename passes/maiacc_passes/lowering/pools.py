"""Pools: windows of planes, reduced one axis after another within a tile.

    for i0 over gtile {                                   planes, or rows of windows
      LD0 copy %x <- @x[...]                              a box; what is outside reads as 0 or -inf
      TVP reduce %p1[rows] <- %x[rows | taps of the last axis]
      TVP reduce %p0[rows] <- %p1[rows | taps of the first axis]
      TVP map %y <- %p0, counts                           means only: counts depend on the place
      ST copy @y[...] <- %y
    }

Planes whose windows no tile holds are reduced along one axis in a kernel, and along the others in
the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Location, Op
from maiacc_passes.ir.types import Element
from maiacc_passes.ir.vocabulary.reductions import lowest
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering import pools_index
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.chunked_alone import copied, dense_input
from maiacc_passes.lowering.chunked_fit import Nest, around, fitting_tiles, stored
from maiacc_passes.lowering.chunked_words import (
    Span,
    checked_type,
    fits_number,
    masked,
    moved,
    started,
)
from maiacc_passes.lowering.fitting import RETRIED
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.pools_counts import divided
from maiacc_passes.lowering.pools_shape import Window, merged, planes, windows_of
from maiacc_passes.lowering.tiling import Tiling

#: Axes with boxes that a view has, and windows that are reduced in one kernel.
BOXES, TOGETHER = 4, 3


@dataclass(frozen=True)
class Pool:
    """One kernel: what is reduced how, of windows along axes; ``mean`` divides by what counts."""

    op: Op
    source: Access
    element: Element
    result: Element
    target: Buffer
    windows: tuple[Window, ...]
    function: str
    mean: bool = False
    count_pad: bool = False

    @property
    def start(self) -> float:
        """What is read outside of the planes."""
        return float(lowest(self.element)) if self.function == "max" else 0.0


def lower_pool(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a pool. Raises ``IRError`` E1502 where no tile holds a window, E1505."""
    value = op.operands[0]
    assert value is not None
    element = checked_type(op, value)
    if op.results[0].type.size == 0:
        return []
    access = dense_input(group, op)
    kernels: list[Kernel] = []
    windows = merged(windows_of(op, access))
    if windows is None:
        access, kernels = copied(group, op, access, f"{group.name}.x")
        windows = merged(windows_of(op, access))
    assert windows is not None
    if op.name == "pool_argmax" and op.results[1] in group.outputs:
        return [*kernels, *pools_index.lower_argmax(group, op, access, planes(op, access))]
    target = group.outputs[op.results[0]]
    pool = Pool(
        op,
        access,
        element,
        op.results[0].type.element,
        target,
        windows,
        "max" if op.name in ("pool_max", "pool_argmax") else "sum",
        op.name == "pool_avg",
        bool(op.attrs.get("count_pad")),
    )
    return [*kernels, *_lowered(pool, group)]


def _lowered(pool: Pool, group: Group) -> list[Kernel]:
    """One kernel, or one for the last window and others for what is left."""
    real = [axis for axis, w in enumerate(pool.windows) if not w.plain]
    problem: IRError | None = None
    if len(pool.windows) <= BOXES and len(real) <= TOGETHER:
        try:
            return [_kernel(pool, group)]
        except IRError as refusal:
            if refusal.code not in RETRIED or len(real) < 2:
                raise
            problem = refusal
    last = real[-1]
    if len(real) < 2 or pool.mean:
        return _means(pool, group, problem)
    dtype = "fp32" if pool.element.is_float else pool.element.name
    first = [w if axis == last else w.still() for axis, w in enumerate(pool.windows)]
    sizes = [w.outs for w in first]
    between = Buffer(f"{group.name}.p{last}", dtype, tuple(sizes), "hbm")
    kind = Buffer("", dtype, (1,), "hbm").element
    one = Pool(pool.op, pool.source, pool.element, kind, between, _joined(first), pool.function)
    rest = _after(pool.windows, last)
    source = Access(between, tuple(w.extent for w in rest), tuple(w.stride for w in rest))
    two = Pool(pool.op, source, kind, pool.result, pool.target, _joined(rest), pool.function)
    return [*_lowered(one, group), *_lowered(two, group)]


def _means(pool: Pool, group: Group, problem: IRError | None) -> list[Kernel]:
    """Sums first, then their means: windows of one cell that are divided by counts."""
    if not pool.mean:
        raise problem or IRError("E1502", "a window that no tile holds")
    outs = tuple(w.outs for w in pool.windows)
    between = Buffer(f"{group.name}.sum", "fp32", outs, "hbm")
    kind = between.element
    sums = Pool(pool.op, pool.source, pool.element, kind, between, pool.windows, "sum")
    steps = [prod(outs[axis + 1 :]) for axis in range(len(outs))]
    seen = [w.seen(step) for w, step in zip(pool.windows, steps, strict=True)]
    kernels = _lowered(sums, group)
    for axes in _shares(seen):
        counted = [w if axis in axes else w.still() for axis, w in enumerate(seen)]
        last = axes[-1] == max(a for a, w in enumerate(seen) if not w.plain)
        target = pool.target if last else Buffer(f"{group.name}.m{axes[-1]}", "fp32", outs, "hbm")
        result = pool.result if last else kind
        source = Access(between, outs, tuple(steps))
        step = Pool(
            pool.op, source, kind, result, target, _joined(counted), "sum", True, pool.count_pad
        )
        kernels += [_kernel(step, group)]
        between = target
    return kernels


def _shares(windows: Sequence[Window]) -> list[list[int]]:
    """The axes with windows, as many at a time as one kernel divides by."""
    real = [axis for axis, w in enumerate(windows) if not w.plain]
    return [real[at : at + 2] for at in range(0, len(real), 2)]


def _after(windows: Sequence[Window], done: int) -> list[Window]:
    """Windows of a dense plane of which one axis is reduced."""
    sizes = [w.outs if axis == done else w.extent for axis, w in enumerate(windows)]
    return [
        (w.still(w.outs) if axis == done else w).at(prod(sizes[axis + 1 :]))
        for axis, w in enumerate(windows)
    ]


def _joined(windows: Sequence[Window]) -> tuple[Window, ...]:
    found = merged(windows)
    assert found is not None
    return found


# ---- a kernel -------------------------------------------------------------------------------
def _kernel(pool: Pool, group: Group) -> Kernel:
    def make(tiling: Tiling) -> Kernel:
        return _Maker(pool, tiling).kernel(group.name, group.op.location)

    room = group.machine.space_bytes("tsram") // 16
    return fitting_tiles(group.machine, [w.outs for w in pool.windows], room, make)


class _Maker(Nest):
    def __init__(self, pool: Pool, tiling: Tiling) -> None:
        super().__init__(pool.op, tiling)
        self.pool = pool

    def kernel(self, name: str, location: Location) -> Kernel:
        """The kernel. Raises ``IRError`` E1501, E1502."""
        pool = self.pool
        found = self._reduced(self._load())
        if pool.mean:
            counted = [w if not w.plain else None for w in pool.windows]
            words, buffers = divided(
                found, counted, self.tiling, pool.count_pad, pool.result.name, self.location
            )
            self.words += words
            self.buffers += buffers
            found = Span(buffers[-1], found.sizes) if buffers else found
        if found.buffer.dtype != pool.result.name:
            out = self.span("y", pool.result.name, found.sizes)
            dtype = "fp32" if pool.result.is_float else pool.result.name
            self.words.append(moved(self.location, out.view(), found.view(), dtype))
            found = out
        self.words.append(stored(self.tiling, found, pool.target, self.location))
        return around(self.tiling, name, pool.op.name, location, self.words, self.buffers)

    def _load(self) -> Span:
        pool, tiling = self.pool, self.tiling
        sides = [w.side(axis, tiling) for axis, w in enumerate(pool.windows)]
        made = self.span("x", pool.element.name, [side.size for side in sides])
        if made.buffer.bytes > DMA_BYTES:
            raise IRError("E1502", "a window is larger than a transfer", nodes=self.location.nodes)
        source = pool.source
        plain = fits_number(pool.element, pool.start)
        view = strided(
            source.buffer,
            sides,
            offset=source.offset,
            fill=pool.start if plain else 0.0,
            dtype=source.dtype,
        )
        self.words.append(
            Word("copy", "LD0", {"d": made.view(), "a": view}, location=self.location)
        )
        if not plain and any(side.extent is not None for side in sides):
            low = self.span("low", pool.element.name, ())
            self.words.append(started(self.location, low.view(), pool.start, pool.element))
            self.words.append(masked(self.location, made, sides, low.buffer))
        return made

    def _reduced(self, found: Span) -> Span:
        """One axis after another, the last one first."""
        pool = self.pool
        left = [axis for axis, w in enumerate(pool.windows) if w.reduces]
        for axis in reversed(left):
            window = pool.windows[axis]
            sizes = list(found.sizes)
            sizes[axis] = self.tiling.tiles[axis]
            steps = found.strides()
            sides = [Side(n, step) for n, step in zip(sizes, steps, strict=True)]
            sides[axis] = Side(sizes[axis], steps[axis] * window.step)
            taps = Side(window.taps, steps[axis] * window.dilation)
            rows = strided(found.buffer, [*sides, taps], len(sides))
            made = self.span(f"p{axis}", self._kept(axis == left[0]), sizes)
            fields: dict[str, object] = {"op": pool.function}
            views = {"d": made.view(), "a": rows}
            self.words.append(Word("reduce", "TVP", views, None, fields, self.location))
            found = made
        return found

    def _kept(self, last: bool) -> str:
        """The type of what one axis makes: fp32, or at last that of the result."""
        pool = self.pool
        if not pool.element.is_float:
            return pool.element.name
        whole = last and not pool.mean and pool.result.bits in (16, 32)
        return pool.result.name if whole else "fp32"
