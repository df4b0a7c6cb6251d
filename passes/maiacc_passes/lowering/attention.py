"""Attention: a block of rows with all their keys, whose scores stay in the tile.

    for i0 over tile < 2 {                    heads
      for i1 over cluster < 1 {               blocks of rows
        LD0 copy %q <- @q[...]
        LD0 copy %k <- @k[...]
        LD0 copy %v <- @v[...]
        TTU multiply %s <- %q, %k             the scores of the block
        DRN drain %t <- %s
        TVP ...                               what is done to rows: a softmax
        TTU multiply %o <- %p, %v
        DRN drain %y <- %o
        ST copy @y[...] <- %y
      }
    }

Where keys are too many for one transfer, or for the accumulators, there is a loop over chunks of
them around each product; what is done element by element before rows are read whole is done in the
first one, and what it leaves is kept for all keys.

Assumes what ``attending`` finds: two products of which the second multiplies what becomes of the
first, sums of keys in one go. Promises the bits of the three kernels that it stands for
where scores are fp32; narrower ones are not rounded in between, as nothing is inside a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import prod

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, View
from maiacc_passes.lowering.accumulators import Accumulators
from maiacc_passes.lowering.attention_words import end_early, multiply, placed, redirect
from maiacc_passes.lowering.expr import Expr, leaf, stored
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.shapes import product_of
from maiacc_passes.lowering.space import ELEMENTWISE
from maiacc_passes.lowering.tiling import Tiling, instances, name_of, ranked, spreads
from maiacc_passes.lowering.writer import Writer

#: Cycles that the first block of rows takes beside its elements, those of another one, and passes
#: over each score.
FIRST, TURN, PASSES = 800, 100, 9

#: Keys of a chunk, 0 for all of them, and cycles that one costs beside.
CHUNKS, STEP = (0, 128, 256, 512, 1024), 20

#: Rows of a block, in blocks of the tensor unit.
BLOCKS = (1, 2, 4)


def lower_attention(group: Group, scores: Op, mixed: Op) -> Kernel:
    """The kernel. Raises ``IRError`` E1502 where a block of rows does not fit, E1505 for types that
    the machine does not multiply."""
    found = _Attention(group, scores, mixed)
    return fitting(group.machine, found.tilings(), found.kernel)


class _Attention:
    def __init__(self, group: Group, scores: Op, mixed: Op) -> None:
        self.group = group
        self.machine = group.machine
        self.scores = product_of(group, scores)
        self.mixed = mixed
        for pair in ((self.scores.a.dtype, self.scores.b.dtype), self._second_types()):
            if not self.machine.kchunk(*pair):
                raise unsupported(mixed, f"the tensor unit does not multiply {pair[0]}, {pair[1]}")

    def _second_types(self) -> tuple[str, str]:
        first, second = self.mixed.operands[:2]
        assert first is not None
        assert second is not None
        return first.type.dtype, second.type.dtype

    # ---- ways to cut it -------------------------------------------------------------------------
    def tilings(self) -> Iterator[Tiling]:
        """Ways to deal batches and blocks of rows, the cheapest first; loops over chunks of keys
        are the last ones."""
        shape, extents = self.scores.shape, self.scores.extents
        block = self.machine.int("ttu.block")
        (keys,) = shape.n
        found: dict[Tiling, float] = {}
        for rows, chunk in product(BLOCKS, CHUNKS):
            tiles = list(extents)
            left = rows * block
            for d in reversed(shape.m):
                tiles[d] = min(extents[d], max(1, left))
                left //= tiles[d]
            for d in shape.batch:
                tiles[d] = 1
            tiles[keys] = chunk if chunk and extents[keys] % chunk == 0 else extents[keys]
            cut = [d for d in (*shape.batch, *shape.m) if tiles[d] < extents[d]]
            inner = ((keys, ""),) if tiles[keys] < extents[keys] else ()
            for way in spreads(cut) or [()]:
                dealt = dict(way)
                order = (*((d, dealt.get(d, "")) for d in cut), *inner)
                tiling = Tiling(self.machine, extents, tuple(tiles), order)
                found.setdefault(tiling, self.cost(tiling))
        yield from ranked(found)

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly: turns, each with its scores on the vector unit, or its loads."""
        shape, machine = self.scores.shape, self.machine
        (keys,) = shape.n
        size = prod(tiling.tiles[d] for d in shape.m) * tiling.extents[keys]
        turns = tiling.turns // tiling.trips(keys)
        load = hbm = 0.0
        for operand in (self.scores.b, self._values()):
            moved = operand.bytes(tiling) * tiling.trips(keys)
            load += moved / machine.int("tile.bytes_per_cycle")
            copies = machine.clusters * (1 if operand.common(tiling) else machine.tiles)
            hbm += moved * copies / machine.int("hbm.bytes_per_cycle")
        load = max(load, hbm)
        vector = PASSES * size / machine.int("tvp.lanes32")
        return FIRST + turns * (TURN + STEP * tiling.trips(keys) + max(vector, load))

    # ---- words ----------------------------------------------------------------------------------
    def kernel(self, tiling: Tiling) -> Kernel:
        """The kernel of one way."""
        group, shape = self.group, self.scores.shape
        (keys,) = shape.n
        whole = tuple(n if d != keys else tiling.extents[d] for d, n in enumerate(tiling.tiles))
        order = tuple(x for x in tiling.order if x[0] != keys)
        outer = replace(tiling, tiles=whole, order=order)
        writer = Writer(outer)
        exprs: dict[Value, Expr] = {}
        rows = Accumulators("s", tiling, shape.batch, shape.m, shape.n)
        made = Accumulators("o", outer, shape.batch, shape.m, self._columns())
        query = self._load(writer, self.scores.a, shape.m, shape.k)
        if outer.order == tiling.order:
            exprs[self.scores.op.result] = self._scores(writer, rows, query)
            sums, done = [rows.buffer, made.buffer], set()
        else:
            done = self._chunks(writer, tiling, rows, query, exprs)
            sums = [made.buffer]
        at = group.ops.index(self.mixed)
        group.express(writer, exprs, ops=[op for op in group.ops[:at] if op not in done])
        exprs[self.mixed.result] = self._mixed(writer, tiling, made, exprs)
        group.express(writer, exprs, ops=group.ops[at + 1 :])
        group.finish(writer, exprs)
        kernel = group.kernel(outer, writer, (), sums)
        if outer.order != tiling.order:
            end_early(kernel, outer)
        kernel.macs = self.scores.macs + self._macs(made.columns)
        turns = prod(outer.trips(d) * instances(self.machine, s) for d, s in outer.order)
        tiles = prod(outer.tiles[d] for d in (*shape.m, *shape.n))
        sizes = (*shape.k, *made.columns)
        kernel.padded = turns * tiles * sum(self.scores.extents[d] for d in sizes)
        return kernel

    def _macs(self, columns: tuple[int, ...]) -> int:
        shape = self.scores.shape
        return prod(self.scores.extents[d] for d in (*shape.batch, *shape.m, *shape.n, *columns))

    def _scores(self, writer: Writer, sums: Accumulators, query: View) -> Expr:
        shape, product = self.scores.shape, self.scores
        right = self._load(writer, product.b, shape.n, shape.k)
        views = {"d": sums.view(), "a": query, "b": right}
        writer.words.append(multiply(product.op, views))
        return leaf(sums.tile())

    def _chunks(
        self,
        writer: Writer,
        tiling: Tiling,
        sums: Accumulators,
        query: View,
        exprs: dict[Value, Expr],
    ) -> set[Op]:
        """A loop over chunks of keys, which leaves what is read from there on for all of them; the
        ops that are done."""
        group, shape = self.group, self.scores.shape
        (keys,) = shape.n
        inner = Writer(tiling)
        mine: dict[Value, Expr] = {self.scores.op.result: self._scores(inner, sums, query)}
        early = self._early()
        group.express(inner, mine, ops=early)
        later = [v for v in mine if any(user not in early for user in v.uses)]
        kept = [v for v in later if v.type.element.is_float]
        inner.count([mine[v] for v in kept])
        loop = Loop(name_of(keys), tiling.trips(keys))
        for value in kept:
            dims = group.space.of(value)
            tile = writer.tile(stored(value.type.dtype), dims, "s")
            moved = Expr("mov", (mine[value],), dims, "fp32", tile.type)
            redirect(inner, inner.get(moved, dims, tile.type), tile, keys)
            # Not a leaf, since others may have its place when it is read for the last time.
            exprs[value] = Expr("kept", (), dims, "", tile.type, tile=tile)
        loop.body = [*(word for word, _ in inner.loads), *inner.words]
        loop.buffers = [sums.buffer, *(buffer for _, buffer in inner.loads), *inner.buffers]
        writer.words.append(loop)
        # What is true or false is made again for all keys.
        return {v.op for v in mine if v.op is not None and (v in kept or v not in later)}

    def _early(self) -> list[Op]:
        """Ops that are done chunk by chunk: elementwise, up to the first that reads whole rows."""
        found: list[Op] = []
        there = {self.scores.op.result}
        for op in self.group.ops:
            if op is self.mixed or op.row.kind is Kind.REDUCE:
                break
            made = [v for v in op.operands if v is not None and v.op in self.group.ops]
            inside = all(v in there or v in self.group.access for v in made)
            if op.row.kind in (*ELEMENTWISE, Kind.MAKE) and inside:
                found.append(op)
                there.add(op.result)
        return found

    def _mixed(
        self, writer: Writer, tiling: Tiling, sums: Accumulators, exprs: dict[Value, Expr]
    ) -> Expr:
        shape, weights = self.scores.shape, self.mixed.operands[0]
        (keys,) = shape.n
        assert weights is not None
        writer.count([exprs[weights]])
        layout = (*shape.batch, *shape.m, *shape.n)
        tile = self.group.kept(writer, exprs[weights], layout, weights)
        dims = (*shape.m, *shape.n)
        if writer.tiling.order == tiling.order:
            right = self._load(writer, self._values(), sums.columns, shape.n)
            left = writer.view(tile, dims, len(shape.m))
            writer.words.append(multiply(self.mixed, {"d": sums.view(), "a": left, "b": right}))
            return leaf(sums.tile())
        inner = Writer(tiling)
        right = self._load(inner, self._values(), sums.columns, shape.n)
        left = placed(inner.view(tile, dims, len(shape.m)), tile, keys, tiling)
        loop = Loop(name_of(keys), tiling.trips(keys))
        views = {"d": sums.view(), "a": left, "b": right}
        word = multiply(self.mixed, views, over=(name_of(keys),))
        loop.body = [*(load for load, _ in inner.loads), word]
        loop.buffers = [buffer for _, buffer in inner.loads]
        writer.words.append(loop)
        return leaf(sums.tile())

    def _load(
        self,
        writer: Writer,
        operand: Operand,
        rows: tuple[int, ...],
        columns: tuple[int, ...],
    ) -> View:
        """Fetches an operand; how the tensor unit sees it."""
        tiling, location = writer.tiling, self.scores.op.location
        shared = operand.common(tiling)
        shape = operand.shape(tiling)
        buffer = Buffer(operand.name, operand.dtype, shape, "tsram", shared=shared)
        constant = operand.access.buffer.kind == "weight"
        queue = "CLD" if shared else "LD0"
        word = operand.load(tiling, buffer, queue, constant, location)
        writer.loads.append((word, buffer))
        return operand.view(tiling, buffer, rows, columns)

    # ---- the second product ---------------------------------------------------------------------
    def _dims(self, number: int) -> list[int | None]:
        """The dims of the axes of an operand of the second product."""
        left, right, out = split_spec(str(self.mixed.attrs["spec"]))
        weights, space = self.mixed.operands[0], self.group.space
        assert weights is not None
        dims = {x: space.dim((self.mixed.result, axis)) for axis, x in enumerate(out)}
        dims |= {left[-1]: space.dim((weights, len(left) - 1))}
        return [dims[letter] for letter in (left, right)[number]]

    def _columns(self) -> tuple[int, ...]:
        last = self.mixed.result.type.rank - 1
        dim = self.group.space.dim((self.mixed.result, last))
        return () if dim is None else (dim,)

    def _values(self) -> Operand:
        value = self.mixed.operands[1]
        assert value is not None
        access = self.group.located(value)
        assert access is not None, "values come from outside"
        moves: list[dict[int, int]] = [{} if d is None else {d: 1} for d in self._dims(1)]
        return Operand("v", access, [(move, 0) for move in moves])
