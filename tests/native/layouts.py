"""Views of every kind: how the elements of an operand lie in its memory.

A layout is a set of features, each of which some dims of the view get: ``turned`` (not row-major),
``gaps`` (neighbours are apart), ``skips`` (steps of more than one coordinate), ``back`` (negative
steps or strides), ``repeats`` (steps or strides of 0), ``box`` (elements outside of it), ``moved``
(an origin that terms give), ``windows`` (two dims on one axis, overlapping), ``joined`` (all dims on
one axis).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from maiacc_isa.load import load
from maiacc_isa.tables import Axis, Descriptor, Dim, Term

#: Layouts by name; those that only operands that are read may have, and all others.
READ = {
    "repeats": {"repeats"},
    "repeats in a box": {"repeats", "box", "gaps"},
    "windows": {"windows"},
}
BOTH = {
    "plain": set[str](),
    "joined": {"joined"},
    "gaps": {"gaps"},
    "turned": {"turned", "gaps"},
    "skips": {"skips"},
    "back": {"back"},
    "box": {"box"},
    "moved": {"moved", "gaps"},
    "box, back and turned": {"box", "back", "turned", "skips"},
}
LAYOUTS = READ | BOTH

ONE = load().sources["one"].code


@dataclass(frozen=True)
class Want:
    """An operand that is wanted: its elements before and behind the split, as dims."""

    space: str
    dtype: str
    kept: tuple[int, ...]
    red: tuple[int, ...] = ()
    layout: str = "plain"
    writes: bool = False
    home: str = "own"
    terms: tuple[Term, ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        return self.kept + self.red


@dataclass
class Placed:
    """A view that needs ``size`` bytes of memory; its descriptor's base is relative to them."""

    descriptor: Descriptor
    size: int


@dataclass
class _Line:
    """A dim and its axis while a view is made. ``low`` coordinates of the window lie before the
    box, which has ``extent``."""

    size: int
    step: int = 1
    start: int = 0
    extent: int = 0
    stride: int = 0
    terms: int = 0
    packed: bool = False
    axis: int = field(default=0)


def lay(rng: np.random.Generator, want: Want) -> Placed:
    """A view of the layout that is wanted, as far as its type allows."""
    kind = load().dtypes[want.dtype]
    features = LAYOUTS[want.layout]
    group = 1 if not kind.packed else 2 if kind.bits == 4 else 4
    lines = [_Line(size) for size in want.sizes]
    if not kind.packed and features & {"joined", "windows"} and len(lines) > 1:
        return _one_axis(rng, want, "windows" in features)
    order = list(range(len(lines)))
    if "turned" in features:
        rng.shuffle(order)
    fitting = [n for n in order if lines[n].size % group == 0]
    if kind.packed and fitting:
        # The dim whose elements share bytes lies innermost; its numbers are multiples.
        order.remove(fitting[-1])
        order.append(fitting[-1])
        lines[order[-1]].packed = True
    elif kind.packed and order:
        lines[order[-1]].step, lines[order[-1]].packed = group, True
    for line in lines:
        _shape(rng, line, features, want.writes, group)
    return _descriptor(rng, want, lines, order, features)


def _shape(
    rng: np.random.Generator, line: _Line, features: set[str], writes: bool, group: int
) -> None:
    """Which coordinates a dim goes over, and which of them exist."""
    unit = group if line.packed else 1
    some = bool(rng.random() < 0.6)
    if "skips" in features and some:
        line.step = int(rng.integers(2, 4)) * unit
    if "repeats" in features and some and not writes:
        line.step, line.extent = 0, unit
        return
    reach = max(line.size - 1, 0) * line.step
    line.extent = reach + 1
    if line.packed:
        line.extent += -line.extent % unit
    if "back" in features and some and not line.packed:
        line.start, line.step = reach, -line.step
    if "box" in features and rng.random() < 0.7:
        before = int(rng.integers(0, 3)) * unit
        behind = int(rng.integers(0, 3)) * unit
        line.start -= before
        line.extent = max(line.extent - before - behind, 0)
    if "moved" in features:
        more = int(rng.integers(0, 3)) * unit
        line.terms = int(rng.integers(-2, 3)) * unit
        line.start += more - line.terms
        line.extent += more


def _descriptor(
    rng: np.random.Generator, want: Want, lines: list[_Line], order: list[int], features: set[str]
) -> Placed:
    """Puts the axes into memory, the last of the order innermost."""
    kind = load().dtypes[want.dtype]
    unit = kind.bits if kind.packed else kind.bits // 8
    run, low = unit, 0
    for number in reversed(order):
        line = lines[number]
        gap = int(rng.integers(1, 3)) if "gaps" in features and not line.packed else 0
        line.stride = run + gap * (8 if kind.packed and run != unit else unit)
        if kind.packed and not line.packed:
            line.stride += -line.stride % 8
        reach = line.stride * max(line.extent - 1, 0)
        run += reach if reach else 0
        if not kind.packed or not line.packed:
            run = max(run, line.stride * max(line.extent, 1))
        if "back" in features and not line.packed and rng.random() < 0.4:
            line.stride, low = -line.stride, low + reach
    size = -(-run // 8) if kind.packed else run
    axes = tuple(Axis(line.extent, line.stride, line.start) for line in lines)
    dims = tuple(Dim(line.size, n, line.step) for n, line in enumerate(lines))
    terms = [Term(ONE, f"axis{n}", line.terms) for n, line in enumerate(lines) if line.terms]
    base = low // 8 if kind.packed else low
    if "moved" in features:
        element = max(kind.bits // 8, 1)
        terms.append(Term(ONE, "bytes", 2 * element))
        base -= 2 * element
    outside = "box" in features
    d = Descriptor(
        want.space,
        want.dtype,
        base,
        axes or (Axis(1, unit),),
        dims,
        len(want.kept) if want.red or not lines else len(lines),
        (*terms, *want.terms),
        home=want.home,
        drop=outside and want.writes,
        fill=int(rng.integers(0, 1 << 32)) if outside else 0,
    )
    return Placed(d, size)


def _one_axis(rng: np.random.Generator, want: Want, overlapping: bool) -> Placed:
    """All dims on one axis: row-major, or overlapping windows."""
    width = load().dtypes[want.dtype].bits // 8
    sizes = want.sizes
    if overlapping and not want.writes:
        steps = [int(rng.integers(1, 3)) for _ in sizes]
    else:
        steps = [prod(max(size, 1) for size in sizes[n + 1 :]) for n in range(len(sizes))]
    extent = 1 + sum(max(size - 1, 0) * step for size, step in zip(sizes, steps, strict=True))
    dims = tuple(Dim(size, 0, step) for size, step in zip(sizes, steps, strict=True))
    split = len(want.kept) if want.red else len(sizes)
    axes = (Axis(extent, width),)
    d = Descriptor(want.space, want.dtype, 0, axes, dims, split, want.terms, home=want.home)
    return Placed(d, extent * width)


def coordinates(
    rng: np.random.Generator, dtype: str, kept: tuple[int, ...], red: tuple[int, ...] = ()
) -> Descriptor:
    """A view of the space iota, some of whose elements lie outside its box; now and then numbers are
    so large that types round or wrap."""
    sizes = kept + red
    count = int(rng.integers(1, 3))
    far = rng.random() < 0.4
    step = 300 if far else 3
    reach = 1 + max(sizes, default=1) * (step if far else 1)
    start = min(reach, 1 << 15)
    dims = tuple(
        Dim(size, int(rng.integers(count)), int(rng.integers(-step, step + 1))) for size in sizes
    )
    axes = tuple(
        Axis(int(rng.integers(1, 2 * reach)), 0, int(rng.integers(-start, start)))
        for _ in range(count)
    )
    fill = int(rng.integers(0, 1 << 32))
    split = len(kept) if red else len(sizes)
    return Descriptor("iota", dtype, 0, axes, dims, split, fill=fill)


def factors(rng: np.random.Generator, number: int, most: int = 2) -> tuple[int, ...]:
    """A number as a product of one or two."""
    found = [n for n in range(2, number) if number % n == 0]
    if most < 2 or not found or rng.random() < 0.5:
        return (number,)
    first = int(rng.choice(found))
    return (first, number // first)
