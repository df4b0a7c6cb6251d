"""Operands ready to be walked over: where their elements lie, and whether they may.

``place`` turns a located descriptor into a ``View``: it checks every address the view can form
against its memory, in 64 bits that cannot overflow. What it declines, Python executes or traps; no
kernel touches memory but through a view that was placed.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DIMS, DONE, DTYPE, SPACE
from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import Array, Fixed, i64, u8
from maiacc_sim.native.lang.operations import at_address, choose, largest, smallest
from maiacc_sim.native.records import Desc, Format, Located, Memory, Segment
from maiacc_sim.native.values.aliases import look_read, look_write

#: Coordinates beyond this are left to Python, so that sums of a few of them fit 62 bits.
FAR = 1 << 40

#: Says that a view has no element in its box.
NOTHING = 4

#: Elements that a view may have; no word of a proven program comes near.
MOST_ELEMENTS = 1 << 26


@record
class Dims:
    """Dims that are walked over together: sizes, and the distance of neighbours in units (bytes;
    bits for types below 8 bits). Adjacent dims that form one run are one."""

    count: i64
    total: i64
    size: Fixed[Array[i64], 6]
    step: Fixed[Array[i64], 6]


@record
class View:
    """An operand. ``memory`` is byte 0 of its memory; the element of all indices 0 lies ``first``
    units behind. ``rows`` and ``columns`` are the dims before and behind the split, ``flat``
    both.

    It forms addresses of units ``low`` to ``high``, or none if it is ``empty``. ``boxed`` says that
    some elements may lie outside the box; then dims are not joined, and ``axis`` and ``along`` say
    which coordinate a dim of ``flat`` moves by how much.
    """

    memory: Array[u8]
    first: i64
    count: i64
    dtype: i64
    bits: i64
    width: i64
    packed: i64
    boxed: i64
    drop: i64
    fill: i64
    iota: i64
    rank: i64
    split: i64
    empty: i64
    low: i64
    high: i64
    constant: i64
    axes: i64
    rows: Dims
    columns: Dims
    flat: Dims
    axis: Fixed[Array[i64], 6]
    along: Fixed[Array[i64], 6]
    origin: Fixed[Array[i64], 4]
    extent: Fixed[Array[i64], 4]
    stride: Fixed[Array[i64], 4]


@native()
def find_segment(memory: Memory, low: i64, high: i64) -> i64:
    """The piece of a memory that holds bytes ``low`` to ``high``, -1 if none does."""
    first = 0
    behind = memory.count
    while first < behind:
        middle = (first + behind) // 2
        if memory.segments[middle].end <= low:
            first = middle + 1
        else:
            behind = middle
    if first == memory.count:
        return -1
    segment = memory.segments[first]
    if low < segment.start or high >= segment.end:
        return -1
    return first


@native()
def join_dims(dims: Dims, first: i64, behind: i64, size: Array[i64], step: Array[i64]) -> None:
    """The dims ``first`` to ``behind`` - 1, those of one index left out, runs joined."""
    n = 0
    total = 1
    for i in range(first, behind):
        total *= size[i]
        if size[i] != 1:
            if n > 0 and dims.step[n - 1] == step[i] * size[i]:
                dims.size[n - 1] *= size[i]
                dims.step[n - 1] = step[i]
            else:
                dims.size[n] = size[i]
                dims.step[n] = step[i]
                n += 1
    dims.count = n
    dims.total = total


@native()
def keep_dims(dims: Dims, first: i64, behind: i64, size: Array[i64], step: Array[i64]) -> None:
    """The dims ``first`` to ``behind`` - 1 as they are."""
    total = 1
    for i in range(first, behind):
        total *= size[i]
        dims.size[i - first] = size[i]
        dims.step[i - first] = step[i]
    dims.count = behind - first
    dims.total = total


@native()
def reach_axis(view: View, located: Located, desc: Desc, x: i64, whole: i64) -> i64:
    """How far an axis takes the addresses that a view forms: DONE, or NOTHING if no coordinate on
    it lies in the box; declines coordinates that are too large."""
    least = located.origin[x]
    if least > FAR or least < -FAR:
        return DECLINED
    most = least
    for i in range(desc.rank):
        if desc.dim[i].axis == x:
            reach = desc.dim[i].step * (located.size[i] - 1)
            least += smallest(reach, 0)
            most += largest(reach, 0)
    extent = located.extent[x]
    stride = desc.axis[x].stride
    if whole != 0 and x == 0:
        least = 0
        most = extent - 1
    view.origin[x] = located.origin[x]
    view.extent[x] = extent
    view.stride[x] = stride
    if least < 0 or most >= extent:
        view.boxed = 1
        least = largest(least, 0)
        most = smallest(most, extent - 1)
    view.low += smallest(least * stride, most * stride)
    view.high += largest(least * stride, most * stride)
    return NOTHING if most < least else DONE


@native()
def place(
    view: View,
    located: Located,
    desc: Desc,
    formats: Array[Format],
    memory: Memory,
    write: i64,
    overwrites: i64,
    whole: i64,
) -> i64:
    """Makes a view. Declines one that is too large, may leave its memory, is not aligned, or is
    written outside its box without leave. ``whole``: its coordinate on axis 0 will be replaced by
    any in the axis."""
    if desc.wild != 0:
        return DECLINED
    form = formats[desc.dtype]
    view.dtype = desc.dtype
    view.bits = form.bits
    view.packed = form.packed
    view.width = (form.bits + 7) // 8
    view.fill = desc.fill
    view.drop = desc.drop
    view.rank = desc.rank
    view.split = desc.split
    view.axes = desc.axes
    view.iota = choose(desc.space == SPACE.iota, 1, 0)
    count = 1
    for i in range(DIMS):
        view.flat.size[i] = located.size[i]
        view.axis[i] = desc.dim[i].axis
        view.along[i] = desc.dim[i].step
    for i in range(desc.rank):
        count *= located.size[i]
        if count > MOST_ELEMENTS:
            return DECLINED
    view.count = count
    view.boxed = 0
    unit = choose(form.packed != 0, 8, 1)
    at = (desc.base + located.offset) * unit
    view.low = at
    view.high = at
    empty = count == 0
    for x in range(desc.axes):
        reached = reach_axis(view, located, desc, x, whole)
        if reached == DECLINED:
            return DECLINED
        if reached == NOTHING:
            empty = True
    if view.iota != 0:
        view.boxed = 1  # coordinates are its elements
        view.fill = choose(desc.dtype == DTYPE.bool, 0, desc.fill)
    elif count == 0:
        view.boxed = 0
    if write != 0 and view.boxed != 0 and view.drop == 0:
        return DECLINED
    lay_out(view, desc, at)
    view.empty = choose(view.iota != 0 or empty, 1, 0)
    if view.empty != 0:
        return DONE
    return bound(view, memory, write, overwrites)


@native()
def lay_out(view: View, desc: Desc, at: i64) -> None:
    """The dims of a view whose coordinate 0 lies at ``at``."""
    view.first = at
    for i in range(view.rank):
        view.flat.step[i] = desc.dim[i].step * desc.axis[desc.dim[i].axis].stride
    if view.boxed != 0:
        keep_dims(view.rows, 0, view.split, view.flat.size, view.flat.step)
        keep_dims(view.columns, view.split, view.rank, view.flat.size, view.flat.step)
        view.flat.count = view.rank
        view.flat.total = view.count
        return
    for x in range(view.axes):
        view.first += view.origin[x] * view.stride[x]
    join_dims(view.rows, 0, view.split, view.flat.size, view.flat.step)
    join_dims(view.columns, view.split, view.rank, view.flat.size, view.flat.step)
    _join_flat(view)


@native()
def bound(view: View, memory: Memory, write: i64, overwrites: i64) -> i64:
    """Lets a view lie in a memory, if it lies in one piece of it, aligned. ``overwrites``: every
    element of it is written."""
    low = view.low
    high = view.high + view.width - 1
    if view.packed == 0:
        strides = low
        for x in range(view.axes):
            strides |= view.stride[x]
        if (strides & (view.width - 1)) != 0:
            return DECLINED
    else:
        high = (view.high + view.bits - 1) >> 3
        low = low >> 3
    found = find_segment(memory, low, high)
    if found < 0:
        return DECLINED
    segment: Segment = memory.segments[found]
    if write != 0 and segment.fixed != 0:
        return DECLINED
    view.memory = at_address(u8, segment.origin)
    view.constant = segment.fixed
    if memory.aliased != 0:
        if write != 0:
            look_write(memory, low, high, overwrites != 0 and is_run(view))
        else:
            origin = look_read(memory, low, high)
            if origin != 0:
                view.memory = at_address(u8, origin)
                view.constant = 1
    return DONE


@native(inline=True)
def is_run(view: View) -> bool:
    """Whether the elements lie side by side in their order, all of them in the box."""
    if view.boxed != 0 or view.packed != 0 or view.flat.count > 1:
        return False
    return view.flat.count == 0 or view.flat.step[0] == view.width


@native()
def _join_flat(view: View) -> None:
    """``flat`` with its runs joined, in place: what is read lies at or behind what is written."""
    n = 0
    dims = view.flat
    for i in range(view.rank):
        size = dims.size[i]
        step = dims.step[i]
        if size != 1:
            if n > 0 and dims.step[n - 1] == step * size:
                dims.size[n - 1] *= size
                dims.step[n - 1] = step
            else:
                dims.size[n] = size
                dims.step[n] = step
                n += 1
    dims.count = n
    dims.total = view.count
