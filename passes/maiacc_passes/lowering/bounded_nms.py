"""Boxes that overlap little: nms.

    for image, class over gtile {
      LD0 copy %s <- @scores[...]
      TVP sort %s, %order <- %s                best first
      TVP pick %x0 <- %boxes at %order         each side of the boxes, in that order
      for k < most {
        TVP reduce %best <- %open              the first one that is left
        TVP map %open <- ...                   and what shares too much with it is not
        TVP map %chosen[k] <- ...
      }
      ST copy @chosen[...] <- %chosen
    }

Then those that were chosen are listed, and all tiles make rows of image, class and box.
"""

from __future__ import annotations

from math import inf

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Axis, Buffer, Kernel, Loop, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.bounded import Wanted, listed, no_count, spread
from maiacc_passes.lowering.bounded_words import Lines, column_of, in_rows, line, same
from maiacc_passes.lowering.gathers import indexed, located
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.moves import nested
from maiacc_passes.lowering.tiling import Tiling, spreads
from maiacc_passes.schedule.places import place

#: Stages of a chain.
Stages = list[tuple[str | float, ...]]

#: Corners of boxes: low and high along both axes.
Corners = tuple[Buffer, Buffer, Buffer, Buffer]


def lower_nms(group: Group, op: Op) -> list[Kernel]:
    """Kernels of the boxes that are kept. Raises ``IRError`` E1502 for more boxes than a tile can
    sort."""
    scores = op.operands[1]
    assert scores is not None
    images, classes, count = scores.type.shape
    most = min(op.integer("most"), count)
    bound = images * classes * most
    if not bound:
        return no_count(group, op, 1)
    chosen = Buffer(f"{group.name}.chosen", "int32", (images, classes, most), "hbm")
    kernels = [_Choice(group, op, most).kernel(chosen)]
    wanted = Wanted(chosen, 0, bound, ("le", 0.0, "a"))
    more, found = listed(group, wanted, -1, group.outputs.get(op.results[1]))
    kernels += more
    result = group.outputs.get(op.results[0])
    if result is not None:
        kernels.append(_rows(group, found, chosen, result))
    return kernels


class _Choice:
    """The kernel that chooses boxes of each class of each image."""

    def __init__(self, group: Group, op: Op, most: int) -> None:
        self.group = group
        self.op = op
        self.most = most
        self.boxes = located(group, op.operands[0])
        self.scores = located(group, op.operands[1])
        self.images, self.classes, self.count = self.scores.sizes
        self.v = Lines(op.location)

    def kernel(self, chosen: Buffer) -> Kernel:
        """The kernel; ``chosen`` gets the numbers of boxes, -1 where there are no more."""
        v, n = self.v, self.count
        tiling = self._tiling()
        keys = self._load(self.scores, (0, 1), [], tiling)
        order = v.new("int32", n)
        row = in_rows(keys, 1)
        v.add("sort", {"d": row, "e": in_rows(order, 1), "a": row}, descending=True)
        least = float(str(self.op.attrs["score"]))
        stage = ("eq", "a", "a") if least == -inf else ("lt", least, "a")
        left = v.map("fp32", [stage], keys, to="int32")
        corners = self._corners(order, tiling)
        area = self._area(*corners)
        result = v.clear(-1.0, self.most)
        loop = Lines(self.op.location)
        self._step(loop, left, order, corners, area, result)
        v.words.append(Loop("k", self.most, "", loop.words, loop.buffers))
        sizes = (self.classes * self.most, self.most)
        sides = [tiling.side(0, sizes[0]), tiling.side(1, sizes[1]), Side(self.most, 1)]
        far = strided(chosen, [*tiling.guards((0, 1)), *sides], drop=True)
        store = Word("copy", "ST", {"d": far, "a": line(result)}, location=self.op.location)
        kernel = Kernel(self.group.name, location=self.op.location, title="nms")
        nested(tiling, [*v.words, store], v.buffers, kernel)
        place(kernel, self.group.machine, False)
        return kernel

    def _tiling(self) -> Tiling:
        """Images and classes, one of each at a time, dealt so that tiles take the fewest turns."""
        sizes = (self.images, self.classes)
        wide = [d for d in (0, 1) if sizes[d] > 1]
        found = []
        for way in spreads(wide) or [()]:
            dealt = dict(way)
            order = tuple((d, dealt.get(d, "")) for d in wide)
            found.append(Tiling(self.group.machine, sizes, (1, 1), order))
        return min(found, key=lambda t: t.turns)

    def _load(
        self, access: Access, dims: tuple[int, ...], more: list[Side], tiling: Tiling
    ) -> Buffer:
        """A line of numbers for one image, or class of it, in fp32."""
        v = self.v
        near = [Side(n, s) for n, s in ((self.count, 4), (4, 1))] if more else []
        loaded = v.new(access.dtype or access.buffer.dtype, self.count * (4 if more else 1))
        sides = [tiling.side(d, access.strides[d]) for d in dims]
        sides.append(Side(self.count, access.strides[len(dims)]))
        far = strided(access.buffer, [*sides, *more], offset=access.offset, dtype=access.dtype)
        d = strided(loaded, near) if more else line(loaded)
        word = Word("copy", "LD0", {"d": d, "a": far}, location=self.op.location)
        v.words.append(word)
        if loaded.dtype == "fp32":
            return loaded
        return v.map("fp32", [("mov", "a")], loaded, to="fp32")

    def _corners(self, order: Buffer, tiling: Tiling) -> Corners:
        """The corners of boxes in an order."""
        v = self.v
        table = self._load(self.boxes, (0,), [Side(4, self.boxes.strides[2])], tiling)
        x = [v.pick(column_of(table, 4, j), order) for j in range(4)]
        found: list[Buffer] = []
        for axis in (0, 1):
            one, other = x[axis], x[axis + 2]
            if self.op.attrs["center"]:
                half = ("mul", "b", 0.5)
                found.append(v.map("fp32", [half, ("sub", "a", "r0")], one, other, to="fp32"))
                found.append(v.map("fp32", [half, ("add", "a", "r0")], one, other, to="fp32"))
            else:
                found.append(v.map("fp32", [("min", "a", "b")], one, other, to="fp32"))
                found.append(v.map("fp32", [("max", "a", "b")], one, other, to="fp32"))
        return found[0], found[1], found[2], found[3]

    def _area(self, low: Buffer, high: Buffer, left: Buffer, right: Buffer) -> Buffer:
        v = self.v
        width = v.map("fp32", [("sub", "a", "b")], high, low, to="fp32")
        return v.map("fp32", [("sub", "a", "b"), ("mul", "r0", "c")], right, left, width, to="fp32")

    def _step(
        self,
        v: Lines,
        left: Buffer,
        order: Buffer,
        corners: Corners,
        area: Buffer,
        result: Buffer,
    ) -> None:
        """Chooses the first box that is left."""
        n = self.count
        best = v.best("argmax", left)
        some = v.best("max", left)
        number = v.pick(order, best)
        last = View(**{**vars(line(result, 1)), "terms": (("k", 1),)})
        v.map("int32", [("select", "a", "b", -1.0)], some, number, result=last)
        stages: Stages
        sides = []
        for low, high in (corners[:2], corners[2:]):
            near, far = same(v.pick(low, best), n), same(v.pick(high, best), n)
            start = v.map("fp32", [("max", "a", "b")], low, near, to="fp32")
            stages = [("min", "a", "b"), ("sub", "r0", "c"), ("max", "r1", 0.0)]
            sides.append(v.map("fp32", stages, high, far, start, to="fp32"))
        shared = v.map("fp32", [("mul", "a", "b")], *sides, to="fp32")
        mine = same(v.pick(area, best), n)
        union = v.map(
            "fp32", [("add", "a", "b"), ("sub", "r0", "c")], area, mine, shared, to="fp32"
        )
        solid: Stages = [("lt", 0.0, "a"), ("lt", 0.0, "b"), ("mul", "r0", "r1")]
        one = v.map("fp32", solid, shared, area, to="fp32")
        other = v.map("fp32", solid, mine, union, to="fp32")
        v.map("fp32", [("mul", "a", "b")], one, other, result=one)
        share = float(str(self.op.attrs["iou"]))
        stages = [("select", "a", "b", 1.0), ("div", "c", "r0"), ("lt", share, "r1")]
        over = v.map("fp32", stages, one, union, shared, to="fp32")
        over = v.map("fp32", [("mul", "a", "b")], over, one, to="int32")
        v.map("int32", [("select", "a", 0.0, "b")], over, left, result=left)
        stages = [("ne", "b", "c"), ("mul", "a", "r0")]
        v.map("int32", stages, left, v.count(n), same(best, n), result=left)


def _rows(group: Group, found: Buffer, chosen: Buffer, result: Buffer) -> Kernel:
    """Image, class and box of each number in a list."""
    _, classes, most = chosen.shape
    tiling = spread(group, chosen.size, 64)
    (tile,) = tiling.tiles
    location = group.op.location
    v = Lines(location)
    numbers, boxes = v.new("int32", tile), v.new("int32", tile)
    load = {"d": line(numbers), "a": strided(found, [tiling.side(0, 1)])}
    v.words.append(Word("copy", "LD0", load, location=location))
    gather = {
        "d": strided(boxes, [Side(tile, 1)], 1 if tile > 1 else 0),
        "a": indexed(strided(chosen, [], 0), Axis(chosen.size, 1)),
        "b": line(numbers),
    }
    fields: dict[str, object] = {"oob": "fill"}
    v.words.append(Word("gather", "LD0", gather, fields=fields, location=location))
    v.map("int32", [("max", "a", 0.0)], numbers, result=numbers)
    rows = v.new("int64", 3 * tile)
    columns: tuple[tuple[Buffer, Stages], ...] = (
        (numbers, [("divf", "a", float(classes * most))]),
        (numbers, [("divf", "a", float(most)), ("modf", "r0", float(classes))]),
        (boxes, [("mov", "a")]),
    )
    for j, (source, stages) in enumerate(columns):
        v.map("int64", stages, source, result=line(rows, tile, j, 3))
    far = strided(result, [tiling.side(0, 3), Side(3, 1)], drop=True)
    store = {"d": far, "a": line(rows)}
    v.words.append(Word("copy", "ST", store, location=location))
    kernel = Kernel(group.name, location=location, title="nms")
    return nested(tiling, v.words, v.buffers, kernel)
