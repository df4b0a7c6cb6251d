"""Results that are as long as the data say: nonzero, compact.

One tile walks all elements, a chunk after the other, and puts the numbers of those that are wanted
into a list; how many there were before is where a chunk's part of the list begins:

    for c < 12 {
      LD0 copy %x <- @x[...]
      TVP map %m <- %x                       which are wanted
      TVP scan %s <- %m                      row by row, then over the ends of rows
      TVP put %list at %s <- numbers
      ST scatter @list at %begin <- %list    one row, as long as a chunk
    }

What is behind the list in its last chunk is a number that stands for none. Then all tiles make
results of the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.kernel.model import Axis, Buffer, Kernel, Loop, Node, View, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.bounded_words import (
    Lines,
    alone,
    arithmetic,
    in_rows,
    line,
    one_tile,
    same,
    store,
)
from maiacc_passes.lowering.copies import mover
from maiacc_passes.lowering.gathers import gathered, indexed, located
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import Copy, dense_copies, movable, nested
from maiacc_passes.lowering.moves_lines import Line
from maiacc_passes.lowering.moves_places import Part, Places, Spot, joined
from maiacc_passes.lowering.tiling import Tiling

#: Bytes of a tile for each element of a chunk.
WIDTH = 48


@dataclass(frozen=True)
class Wanted:
    """The elements of a line that are wanted: those for which a stage gives a number that is not
    0, where ``a`` is the element."""

    source: Buffer
    offset: int
    size: int
    stage: tuple[str | float, ...] = ("ne", "a", 0.0)


def listed(
    group: Group, wanted: Wanted, blank: int, count: Buffer | None
) -> tuple[list[Kernel], Buffer]:
    """Kernels that make a list of the numbers of wanted elements, and ``blank`` behind them, and
    store how many there are. The list is longer than the line by a chunk."""
    rows = 1
    memory = group.machine.space_bytes("tsram")
    while rows < 256 and rows * rows < wanted.size and 16 * rows * rows * WIDTH <= memory:
        rows *= 2
    chunk = rows * rows
    buffer = Buffer(f"{group.name}.list", "int32", (wanted.size + chunk,), "hbm")
    lines = (Line(1, 0, 0, 0), Line(buffer.size, 0, 1))
    kernels = mover(group, "list").kernels([Copy(buffer, buffer, lines, fill=float(blank))])
    return [*kernels, _walk(group, wanted, blank, count, buffer, rows)], buffer


def _walk(
    group: Group, wanted: Wanted, blank: int, count: Buffer | None, result: Buffer, rows: int
) -> Kernel:
    chunk = rows * rows
    location = group.op.location
    outer = Lines(location)
    total = outer.clear(0.0, 1)
    v = Lines(location)
    x = v.new(wanted.source.dtype, chunk)
    side = Side(chunk, 1, wanted.size, 0, (("c", chunk),))
    far = strided(wanted.source, [side], offset=wanted.offset)
    v.words.append(Word("copy", "LD0", {"d": line(x), "a": far}, location=location))
    found = v.map(arithmetic(x.dtype), [wanted.stage], x, to="int32")
    if wanted.stage[0] != "ne":
        here = v.inside(chunk, wanted.size, (("c", chunk),))
        v.map("int32", [("mul", "a", "b")], found, here, result=found)
    begin = v.map("int32", [("mov", "a")], total, to="int32")
    sums = v.scan(found, rows=rows)
    ends = strided(sums, [Side(rows, rows)], offset=rows - 1)
    over = v.scan(ends, total)
    v.map("int32", [("mov", "a")], line(over, 1, rows - 1), result=total)
    before = v.map(
        "int32", [("sub", "a", "b"), ("sub", "r0", "c")], over, ends, same(begin, rows), to="int32"
    )
    wide = strided(before, [Side(rows, 1), Side(rows, 0)])
    at = v.map(
        "int32",
        [("add", "a", "b"), ("sub", "r0", 1.0), ("select", "c", "r1", -1.0)],
        sums,
        wide,
        found,
        to="int32",
    )
    numbers = v.map("int32", [("mov", "a")], v.count(chunk, (("c", chunk),)), to="int32")
    part = v.clear(float(blank), chunk)
    v.put(part, at, numbers)
    row = alone(result, [Side(chunk, 1)], split=0)
    views = {
        "d": indexed(row, Axis(wanted.size + 1, 1)),
        "a": in_rows(part, 1),
        "b": line(begin),
    }
    fields: dict[str, object] = {"oob": "fill", "op": "set"}
    v.words.append(Word("scatter", "ST", views, fields=fields, location=location))
    walk = Loop("c", -(-wanted.size // chunk), "", v.words, v.buffers)
    nodes: list[Node] = [*outer.words, walk]
    if count is not None:
        long = outer.new("int64", 1)
        last = Lines(location)
        last.map("int64", [("mov", "a")], total, result=long)
        nodes += [*last.words, store(count, long, location)]
    kernel = Kernel(group.name, location=location, title="list")
    return one_tile(kernel, nodes, outer.buffers)


def flat(group: Group, value: Value | None, name: str) -> tuple[list[Kernel], Buffer, int]:
    """Where a value's elements lie one behind the other; kernels that put them there if they do
    not."""
    access = located(group, value)
    if access.strides == strides(access.sizes) and not access.dtype:
        return [], access.buffer, access.offset
    [(dense, copy)] = dense_copies([(access, f"{group.name}.{name}")])
    return mover(group).kernels([copy]), dense.buffer, 0


def no_count(group: Group, op: Op, number: int) -> list[Kernel]:
    """Kernels that say that there is nothing."""
    count = group.outputs.get(op.results[number])
    if count is None:
        return []
    v = Lines(op.location)
    zero = v.clear(0.0, 1, "int64")
    kernel = Kernel(f"{group.name}.count", location=op.location, title=op.name)
    return [one_tile(kernel, [*v.words, store(count, zero, op.location)], v.buffers)]


# ---- nonzero ------------------------------------------------------------------------------------
def lower_nonzero(group: Group, op: Op) -> list[Kernel]:
    """Kernels of a list of the places of elements that are not 0."""
    x = op.operands[0]
    assert x is not None
    movable(op, x)
    if not x.type.size:
        return no_count(group, op, 1)
    kernels, source, offset = flat(group, x, "dense")
    count = group.outputs.get(op.results[1])
    wanted = Wanted(source, offset, x.type.size)
    more, found = listed(group, wanted, 0, count)
    result = group.outputs.get(op.results[0])
    if result is None or not x.type.rank:
        return [*kernels, *more]
    return [*kernels, *more, _coordinates(group, found, x.type.shape, result)]


def spread(group: Group, size: int, width: int) -> Tiling:
    """A line dealt over all tiles, of which each element takes so many bytes in a tile."""
    machine = group.machine
    tiles = machine.tiles * machine.clusters
    most = max(1, machine.space_bytes("tsram") // (2 * width))
    tile = min(-(-size // tiles), most)
    return Tiling(machine, (size,), (max(1, tile),), ((0, "gtile"),))


def _coordinates(group: Group, found: Buffer, shape: Sequence[int], result: Buffer) -> Kernel:
    """The places of elements as one coordinate for each axis."""
    size = prod(shape)
    tiling = spread(group, size, 8 + 8 * len(shape))
    (tile,) = tiling.tiles
    v = Lines(group.op.location)
    numbers = v.new("int32", tile)
    load = Word("copy", "LD0", {"d": line(numbers), "a": strided(found, [tiling.side(0, 1)])})
    v.words.append(load)
    for axis, (extent, step) in enumerate(zip(shape, strides(shape), strict=True)):
        stages = [("divf", "a", float(step)), ("modf", "r0", float(extent))]
        mine = v.map("int64", stages, numbers, to="int64")
        far = strided(result, [tiling.side(0, 1)], offset=axis * size, drop=True)
        views: dict[str, View] = {"d": far, "a": line(mine)}
        v.words.append(Word("copy", "ST", views, location=group.op.location))
    kernel = Kernel(group.name, location=group.op.location, title="nonzero")
    return nested(tiling, v.words, v.buffers, kernel)


# ---- compact ------------------------------------------------------------------------------------
def lower_compact(group: Group, op: Op) -> list[Kernel]:
    """Kernels of the slices that are kept."""
    x, keep = op.operands[0], op.operands[1]
    assert x is not None
    assert keep is not None
    movable(op, x)
    if not keep.type.size:
        return no_count(group, op, 1)
    kernels, source, offset = flat(group, keep, "keep")
    size = keep.type.size
    wanted = Wanted(source, offset, size)
    more, found = listed(group, wanted, -1, group.outputs.get(op.results[1]))
    result = group.outputs.get(op.results[0])
    if result is None or not result.size:
        return [*kernels, *more]
    axis = op.integer("axis") % x.type.rank
    return [*kernels, *more, along(group, located(group, x), axis, found, size, result)]


def along(group: Group, x: Access, axis: int, found: Buffer, size: int, result: Buffer) -> Kernel:
    """The kernel that gathers slices along an axis at numbers of a list, 0 where there are
    none."""
    sizes = [size if d == axis else n for d, n in enumerate(x.sizes)]
    to = strides(sizes)
    spots = [
        Spot(n, 1 if d == axis else 0, to[d], 0 if d == axis else x.strides[d])
        for d, n in enumerate(sizes)
    ]
    parts = (Part(x.sizes[axis], x.strides[axis]),)
    index = Access(found, (size,), (1,))
    places = Places(index, joined(spots), parts, 0, "fill", group.op.location)
    return gathered(group, x, places, result)
