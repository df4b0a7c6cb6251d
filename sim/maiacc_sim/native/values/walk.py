"""Walking over the elements of a view, run by run.

A run is a row of elements at equal distances, or of elements outside the box, which have no place
and read as the fill value. ``start_walk`` begins at any element; ``run_of`` says how long the run
is that begins there; ``step_on`` goes on behind some of it.
"""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import Array, Fixed, i64
from maiacc_sim.native.lang.operations import largest, smallest, udiv
from maiacc_sim.native.values.views import Dims, View


@record
class Walk:
    """A place in some dims of a view. ``at`` is where the element lies, in units; ``coord`` are
    its coordinates, kept for boxed views only. Of the run: ``data`` (it lies in the box),
    and the distance ``step`` of its elements."""

    at: i64
    data: i64
    step: i64
    index: Fixed[Array[i64], 6]
    coord: Fixed[Array[i64], 4]


@native(inline=True)
def at_origin(walk: Walk, view: View) -> None:
    """The place of all indices 0."""
    walk.at = view.first
    if view.boxed != 0:
        for x in range(view.axes):
            walk.coord[x] = view.origin[x]
            walk.at += view.origin[x] * view.stride[x]


@native(inline=True)
def at_row(walk: Walk, row: Walk, view: View) -> None:
    """The place that another walk has come to."""
    walk.at = row.at
    if view.boxed != 0:
        for x in range(view.axes):
            walk.coord[x] = row.coord[x]


@native()
def start_walk(walk: Walk, view: View, dims: Dims, shift: i64, number: i64) -> None:
    """Goes from the place the walk has, all indices 0, to element ``number`` of some dims, the
    first of which is dim ``shift`` of the view."""
    rest = number
    i = dims.count - 1
    while i >= 0:
        index = 0
        if rest != 0:
            size = dims.size[i]
            quotient = udiv(rest, size)
            index = rest - quotient * size
            rest = quotient
        walk.index[i] = index
        if index != 0:
            walk.at += index * dims.step[i]
            if view.boxed != 0:
                walk.coord[view.axis[shift + i]] += index * view.along[shift + i]
        i -= 1


@native(inline=True)
def run_of(walk: Walk, view: View, dims: Dims, shift: i64) -> i64:
    """How many elements the run has that begins here."""
    inner = dims.count - 1
    if view.boxed != 0:
        return boxed_run(walk, view, dims, shift)
    walk.data = 1
    if inner < 0:
        walk.step = 0
        return 1
    walk.step = dims.step[inner]
    return dims.size[inner] - walk.index[inner]


@native()
def boxed_run(walk: Walk, view: View, dims: Dims, shift: i64) -> i64:
    """As ``run_of`` for a view that may leave its box."""
    inner = dims.count - 1
    left = 1
    moved = -1
    along = 0
    walk.step = 0
    if inner >= 0:
        left = dims.size[inner] - walk.index[inner]
        moved = view.axis[shift + inner]
        along = view.along[shift + inner]
        walk.step = dims.step[inner]
    low = 0
    high = left
    for x in range(view.axes):
        here = walk.coord[x]
        extent = view.extent[x]
        if x == moved and along != 0:
            # here + along * j lies in 0 .. extent - 1 for j from the first to behind the last
            if along > 0:
                low = largest(low, -(here // along))
                high = smallest(high, (extent - 1 - here) // along + 1)
            else:
                low = largest(low, -((extent - 1 - here) // -along))
                high = smallest(high, here // -along + 1)
        elif here < 0 or here >= extent:
            high = 0
    if high <= low:
        walk.data = 0
        return left
    if low > 0:
        walk.data = 0
        return low
    walk.data = 1
    return high


@native(inline=True)
def step_on(walk: Walk, view: View, dims: Dims, shift: i64, count: i64) -> None:
    """Goes on by some elements of the run."""
    inner = dims.count - 1
    if inner < 0:
        return
    walk.index[inner] += count
    walk.at += count * dims.step[inner]
    if view.boxed != 0:
        walk.coord[view.axis[shift + inner]] += count * view.along[shift + inner]
    if walk.index[inner] == dims.size[inner]:
        carry(walk, view, dims, shift)


@native()
def carry(walk: Walk, view: View, dims: Dims, shift: i64) -> None:
    """The innermost index is at its end: the next ones move."""
    i = dims.count - 1
    while i > 0 and walk.index[i] == dims.size[i]:
        size = dims.size[i]
        walk.index[i] = 0
        walk.at += dims.step[i - 1] - size * dims.step[i]
        walk.index[i - 1] += 1
        if view.boxed != 0:
            walk.coord[view.axis[shift + i]] -= size * view.along[shift + i]
            walk.coord[view.axis[shift + i - 1]] += view.along[shift + i - 1]
        i -= 1
