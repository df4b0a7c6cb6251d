"""Making views of strided elements that fit the machine's limits of axes and dims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.kernel.limits import AXES, DIMS, SIZE, STEP, TERMS
from maiacc_passes.kernel.model import Axis, Buffer, Dim, Term, View


@dataclass(frozen=True)
class Side:
    """One dim of a strided view: ``size`` elements of the window, ``stride`` elements apart.

    ``extent`` and ``start``, where given, make it an axis of its own with a box: coordinates start
    to start + size - 1, moved by ``terms``, of which those in 0 .. extent - 1 exist. Without an
    extent every element exists, and the terms move the address.
    """

    size: int
    stride: int
    extent: int | None = None
    start: int = 0
    terms: tuple[Term, ...] = ()


def strided(
    buffer: Buffer,
    sides: Sequence[Side],
    split: int | None = None,
    offset: int = 0,
    fill: float = 0.0,
    drop: bool = False,
    dtype: str = "",
) -> View:
    """A view with these dims. Raises ``IRError`` E1501 for more than a view can have."""
    split = len(sides) if split is None else split
    terms: dict[str, int] = {}
    for side in sides:
        if side.extent is None:
            offset += side.start * side.stride
            for name, coef in side.terms:
                terms[name] = terms.get(name, 0) + coef * side.stride
    head = _merged(sides[:split])
    tail = _merged(sides[split:])
    axes, dims = _axes(head + tail)
    moves = tuple(sorted((n, c) for n, c in terms.items() if c))
    if len(moves) + sum(len(axis.terms) for axis in axes) > TERMS:
        raise too_many(sides)
    return View(
        buffer,
        axes,
        dims,
        len(head),
        offset,
        moves,
        fill,
        drop,
        dtype,
    )


def _merged(sides: Sequence[Side]) -> list[Side]:
    """Neighbours without boxes that together are one dim, as one."""
    found: list[Side] = []
    for side in sides:
        if side.extent is None and side.size == 1:
            continue
        last = found[-1] if found else None
        if (
            last is not None
            and last.extent is None
            and side.extent is None
            and last.stride == side.stride * side.size
            and last.size * side.size < SIZE
        ):
            found[-1] = Side(last.size * side.size, side.stride)
        else:
            found.append(Side(side.size, side.stride, side.extent, side.start, side.terms))
    return found


def _axes(sides: Sequence[Side]) -> tuple[tuple[Axis, ...], tuple[Dim, ...]]:
    """Axes and dims: an axis for each dim with a box, and few for the others."""
    free = [side for side in sides if side.extent is None]
    boxed = len(sides) - len(free)
    if len(sides) > DIMS or boxed > AXES:
        raise too_many(sides)
    shared = _shared(free, AXES - boxed)
    axes: list[Axis] = []
    places: dict[int, int] = {}
    for number, stride in enumerate(shared):
        reach = sum(
            (s.size - 1) * abs(s.stride) // stride for s in free if _on(s, shared) == stride
        )
        places[number] = len(axes)
        axes.append(Axis(reach + 1, stride))
    dims: list[Dim] = []
    for side in sides:
        if side.extent is None:
            stride = _on(side, shared)
            axis = shared.index(stride)
            dims.append(Dim(side.size, axis, side.stride // stride))
        else:
            dims.append(Dim(side.size, len(axes), 1))
            axes.append(Axis(side.extent, side.stride, side.start, side.terms))
    # An axis that dims walk backwards only is one with a negative stride.
    for number in range(len(shared)):
        mine = [d for d in dims if d.axis == number]
        if any(d.step < 0 for d in mine):
            if any(d.step > 0 for d in mine):
                raise too_many(sides)
            axes[number] = Axis(axes[number].extent, -axes[number].stride)
            dims = [Dim(d.size, d.axis, -d.step) if d.axis == number else d for d in dims]
    if not axes:
        axes, dims = [Axis(1, 1)], dims or [Dim(1, 0)]
    return tuple(axes), tuple(dims)


def _on(side: Side, shared: Sequence[int]) -> int:
    """The stride of the axis that a dim without a box moves on."""
    size = abs(side.stride)
    for stride in shared:
        if size % stride == 0 and size // stride < STEP:
            return stride
    raise AssertionError("every dim has an axis")


def _shared(free: Sequence[Side], axes: int) -> list[int]:
    """Strides of axes, so that every dim without a box is a multiple of one, largest first."""
    strides = sorted({max(1, abs(side.stride)) for side in free}, reverse=True)
    while len(strides) > axes:
        # The axis goes whose dims another one can carry.
        for stride in strides:
            others = [s for s in strides if s != stride]
            if any(stride % s == 0 and stride // s < STEP for s in others):
                strides = others
                break
        else:
            raise too_many(free)
    return strides


def distinct(view: View) -> bool:
    """Whether no two elements lie in one place, as far as strides show: each axis steps over all
    that those with smaller strides reach. Words write only what is distinct in this way."""
    axes: list[tuple[int, int]] = []
    for number, axis in enumerate(view.axes):
        moving = sorted((abs(d.step), d.size) for d in view.dims if d.axis == number and d.size > 1)
        reach = 1
        for step, size in moving:
            if step < reach:
                return False
            reach = min(axis.extent, reach + step * (size - 1))
        axes.append((abs(axis.stride), reach))
    run = 1
    for stride, reach in sorted(axes):
        if reach > 1:
            if stride < run:
                return False
            run += stride * (reach - 1)
    return True


def too_many(sides: Sequence[Side]) -> IRError:
    """An error that says that a view has too many dims."""
    shape = "x".join(str(side.size) for side in sides)
    return IRError("E1501", "elements that lie too irregularly for one transfer", found=shape)


def dense(
    buffer: Buffer, split: int | None = None, terms: Sequence[Term] = (), drop: bool = False
) -> View:
    """All of a buffer, row by row."""
    sides = [Side(n, s) for n, s in zip(buffer.shape, strides(buffer.shape), strict=True)]
    view = strided(buffer, sides, split, drop=drop)
    return View(**{**vars(view), "terms": tuple(terms)}) if terms else view


def strides(shape: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides, in elements."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
