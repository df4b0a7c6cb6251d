"""The different elements, or slices along an axis, of a tensor that a tile can sort.

    TVP sort %keys, %order <- %x                   by columns, the last one first, for slices
    TVP map %new <- %keys, %keys one before        where another one begins
    TVP scan %group <- %new
    TVP put %first at %group where %new <- %order
    TVP put %inverse at %order <- %group
    TVP put %counts at %inverse += 1

In the order of appearance: those that are the first of their group are counted along the tensor
instead. Every tile computes, one stores; then all tiles gather the values.
"""

from __future__ import annotations

from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Axis, Buffer, Kernel, Loop, View, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.bounded import along, flat, no_count
from maiacc_passes.lowering.bounded_words import (
    SORTED,
    Lines,
    alone,
    arithmetic,
    in_rows,
    line,
    one_tile,
)
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import movable
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.schedule.places import place


def lower_unique(group: Group, op: Op) -> list[Kernel]:
    """Kernels of the different elements or slices. Raises ``IRError`` E1502 for more than a tile
    can sort, E1505."""
    x = op.operands[0]
    assert x is not None
    movable(op, x)
    if x.type.dtype == "e8m0":
        raise unsupported(op, "elements of e8m0 have no order")
    axis = op.integer("axis")
    shape = x.type.shape if axis >= 0 else (x.type.size,)
    axis = max(axis, 0)
    if not shape[axis]:
        return no_count(group, op, 4)
    kernels, source, offset = flat(group, x, "dense")
    first = Buffer(f"{group.name}.first", "int32", (shape[axis],), "hbm")
    access = Access(source, shape, strides(shape), offset)
    sorts = _Unique(group, op, access, axis)
    kernels.append(sorts.kernel(first))
    result = group.outputs.get(op.results[0])
    if result is not None and result.size:
        kernels.append(along(group, access, axis, first, shape[axis], result))
    return kernels


class _Unique:
    """The kernel that sorts and counts."""

    def __init__(self, group: Group, op: Op, x: Access, axis: int) -> None:
        self.group = group
        self.op = op
        self.x = x
        self.axis = axis
        self.count = x.sizes[axis]
        self.width = prod(n for d, n in enumerate(x.sizes) if d != axis)
        self.v = Lines(op.location)
        self.dtype = x.buffer.dtype

    def kernel(self, first: Buffer) -> Kernel:
        """The kernel; ``first`` is where each of them is first, -1 behind the last."""
        v, n = self.v, self.count
        order = v.map("int32", [("mov", "a")], v.count(n), to="int32")
        new = v.clear(0.0, n)
        if self.width:
            table = self._table()
            self._sort(table, order)
            self._differ(table, order, new)
        v.map("int32", [("max", "a", "b")], new, v.inside(n, 1), result=new)
        sums = v.scan(new)
        total = line(sums, 1, n - 1)
        numbers = v.map("int32", [("sub", "a", 1.0)], sums, to="int32")
        at = v.map("int32", [("select", "b", "a", -1.0)], numbers, new, to="int32")
        firsts = v.clear(-1.0, n)
        v.put(firsts, at, order)
        inverse = v.clear(0.0, n)
        v.put(inverse, order, numbers)
        if not self.op.attrs["sorted"]:
            firsts, inverse = self._appearing(firsts, inverse)
        counts = v.clear(0.0, n)
        v.put(counts, inverse, v.clear(1.0, n), "add")
        self._store(first, firsts, n)
        for number, found in ((1, firsts), (2, inverse), (3, counts), (4, total)):
            self._out(number, found)
        kernel = Kernel(self.group.name, location=self.op.location, title="unique")
        one_tile(kernel, v.words, v.buffers)
        place(kernel, self.group.machine, False)
        return kernel

    # ---- order ----------------------------------------------------------------------------------
    def _table(self) -> Buffer:
        """The slices as rows of keys that can be sorted."""
        v, x = self.v, self.x
        key = SORTED.get(self.dtype, self.dtype)
        same = ELEMENTS[key].bits == ELEMENTS[self.dtype].bits
        loaded = v.new(key if same else self.dtype, self.count * self.width)
        dtype = "" if loaded.dtype == self.dtype else loaded.dtype
        bytes_ = ELEMENTS[loaded.dtype].bits // 8
        rest = [Side(n, x.strides[d]) for d, n in enumerate(x.sizes) if d != self.axis]
        most = max(1, DMA_BYTES // (bytes_ * self.width))
        if self.width * bytes_ > DMA_BYTES:
            raise unsupported(self.op, "slices that no word moves")
        for start in range(0, self.count, most):
            rows = min(most, self.count - start)
            step = x.strides[self.axis]
            far = strided(
                x.buffer, [Side(rows, step), *rest], offset=x.offset + start * step, dtype=dtype
            )
            near = line(loaded, rows * self.width, start * self.width)
            word = Word("copy", "LD0", {"d": near, "a": far}, location=self.op.location)
            v.words.append(word)
        return loaded if same else v.map("fp32", [("mov", "a")], loaded, to="fp32")

    def _column(self, table: Buffer, offset: int, step: int) -> View:
        """A key of each row, by the number of the row; the loop over columns moves it."""
        terms = (("c", step),) if self.width > 1 else ()
        return View(table, (Axis(self.count, self.width),), (), 0, offset, terms)

    def _loop(self, words: Lines) -> None:
        """Adds words for every column."""
        if self.width > 1:
            self.v.words.append(Loop("c", self.width, "", words.words, words.buffers))
        else:
            self.v.words += words.words
            self.v.buffers += words.buffers

    def _sort(self, table: Buffer, order: Buffer) -> None:
        """The order of rows: stable sorts by columns, the last one first."""
        v = Lines(self.op.location)
        keys = v.pick(self._column(table, self.width - 1, -1), order)
        views = {"d": in_rows(keys, 1), "e": in_rows(order, 1)}
        v.add("sort", {**views, "a": views["d"], "b": views["e"]}, payload=True)
        self._loop(v)

    def _differ(self, table: Buffer, order: Buffer, new: Buffer) -> None:
        """Where a row differs from the one before in some column; all NaNs are the same."""
        v, n = Lines(self.op.location), self.count
        keys = v.pick(self._column(table, 0, 1), order)
        before = strided(keys, [Side(n, 1, n, -1)])
        compute = arithmetic(keys.dtype)
        differs = v.map(compute, [("ne", "a", "b")], keys, before, to="int32")
        if compute == "fp32":
            stages = [("ne", "a", "a"), ("ne", "b", "b"), ("mul", "r0", "r1")]
            both = v.map(compute, stages, keys, before, to="int32")
            v.map("int32", [("sub", "a", "b")], differs, both, result=differs)
        v.map("int32", [("max", "a", "b")], new, differs, result=new)
        self._loop(v)

    def _appearing(self, firsts: Buffer, inverse: Buffer) -> tuple[Buffer, Buffer]:
        """Groups numbered as they first come."""
        v, n = self.v, self.count
        mine = v.pick(firsts, inverse)
        opens = v.map("int32", [("eq", "a", "b")], mine, v.count(n), to="int32")
        sums = v.scan(opens)
        stages = [("sub", "a", 1.0), ("select", "b", "r0", -1.0)]
        at = v.map("int32", stages, sums, opens, to="int32")
        found = v.clear(-1.0, n)
        v.put(found, at, v.map("int32", [("mov", "a")], v.count(n), to="int32"))
        groups = v.pick(sums, mine)
        v.map("int32", [("sub", "a", 1.0)], groups, result=groups)
        return found, groups

    # ---- results --------------------------------------------------------------------------------
    def _out(self, number: int, found: Buffer | View) -> None:
        """Stores numbers as a result, 0 for none."""
        result = self.group.outputs.get(self.op.results[number])
        if result is None:
            return
        view = line(found)
        long = self.v.map("int64", [("max", "a", 0.0)], view, to="int64")
        self._store(result, long, view.size)

    def _store(self, result: Buffer, x: Buffer, size: int) -> None:
        most = DMA_BYTES // 8
        for start in range(0, size, most):
            count = min(most, size - start)
            views = {"d": alone(result, [Side(count, 1)], start), "a": line(x, count, start)}
            self.v.words.append(Word("copy", "ST", views, location=self.op.location))
