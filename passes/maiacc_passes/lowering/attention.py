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

Assumes what ``attending`` finds: two products of which the second multiplies what becomes of the
first, sums of keys in one go. Promises the bits of the three kernels that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.model import Buffer, Kernel, View, Word
from maiacc_passes.lowering.accumulators import Accumulators
from maiacc_passes.lowering.expr import Expr, leaf
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.operands import Operand
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.shapes import product_of
from maiacc_passes.lowering.tiling import Tiling, instances, spreads
from maiacc_passes.lowering.writer import Writer

#: Cycles that the first block of rows takes beside its elements, those of another one, and passes
#: over each score.
FIRST, TURN, PASSES = 800, 100, 9

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
        """Ways to deal batches and blocks of rows, the cheapest first."""
        shape, extents = self.scores.shape, self.scores.extents
        block = self.machine.int("ttu.block")
        found: dict[Tiling, float] = {}
        for rows in BLOCKS:
            tiles = list(extents)
            left = rows * block
            for d in reversed(shape.m):
                tiles[d] = min(extents[d], max(1, left))
                left //= tiles[d]
            for d in shape.batch:
                tiles[d] = 1
            cut = [d for d in (*shape.batch, *shape.m) if tiles[d] < extents[d]]
            for way in spreads(cut) or [()]:
                dealt = dict(way)
                order = tuple((d, dealt.get(d, "")) for d in cut)
                tiling = Tiling(self.machine, extents, tuple(tiles), order)
                found.setdefault(tiling, self.cost(tiling))
        yield from sorted(found, key=lambda t: (found[t], t.order, t.tiles))

    def cost(self, tiling: Tiling) -> float:
        """Cycles, roughly: turns, each with its scores on the vector unit."""
        shape = self.scores.shape
        size = prod(tiling.tiles[d] for d in (*shape.m, *shape.n))
        return FIRST + tiling.turns * (TURN + PASSES * size / self.machine.int("tvp.lanes32"))

    # ---- words ----------------------------------------------------------------------------------
    def kernel(self, tiling: Tiling) -> Kernel:
        """The kernel of one way."""
        group, shape = self.group, self.scores.shape
        writer = Writer(tiling)
        exprs: dict[Value, Expr] = {}
        rows = Accumulators("s", tiling, shape.batch, shape.m, shape.n)
        exprs[self.scores.op.result] = self._scores(writer, rows)
        at = group.ops.index(self.mixed)
        group.express(writer, exprs, ops=group.ops[:at])
        made = Accumulators("o", tiling, shape.batch, shape.m, self._columns())
        exprs[self.mixed.result] = self._mixed(writer, made, exprs)
        group.express(writer, exprs)
        group.finish(writer, exprs)
        kernel = group.kernel(tiling, writer, (), [rows.buffer, made.buffer])
        kernel.macs = self.scores.macs + self._macs(made.columns)
        turns = prod(tiling.trips(d) * instances(self.machine, s) for d, s in tiling.order)
        tiles = prod(tiling.tiles[d] for d in (*shape.m, *shape.n))
        sums = (*shape.k, *made.columns)
        kernel.padded = turns * tiles * sum(self.scores.extents[d] for d in sums)
        return kernel

    def _macs(self, columns: tuple[int, ...]) -> int:
        shape = self.scores.shape
        return prod(self.scores.extents[d] for d in (*shape.batch, *shape.m, *shape.n, *columns))

    def _scores(self, writer: Writer, sums: Accumulators) -> Expr:
        shape, product = self.scores.shape, self.scores
        left = self._load(writer, product.a, shape.m, shape.k)
        right = self._load(writer, product.b, shape.n, shape.k)
        return self._multiply(writer, product.op, sums, left, right)

    def _mixed(self, writer: Writer, sums: Accumulators, exprs: dict[Value, Expr]) -> Expr:
        shape, weights = self.scores.shape, self.mixed.operands[0]
        assert weights is not None
        right = self._load(writer, self._values(), sums.columns, shape.n)
        writer.count([exprs[weights]])
        layout = (*shape.batch, *shape.m, *shape.n)
        tile = self.group.kept(writer, exprs[weights], layout, weights)
        left = writer.view(tile, (*shape.m, *shape.n), len(shape.m))
        return self._multiply(writer, self.mixed, sums, left, right)

    def _load(
        self,
        writer: Writer,
        operand: Operand,
        rows: tuple[int, ...],
        columns: tuple[int, ...],
    ) -> View:
        """Fetches an operand; how the tensor unit sees it."""
        tiling, location = writer.tiling, self.scores.op.location
        buffer = Buffer(operand.name, operand.dtype, operand.shape(tiling), "tsram")
        constant = operand.access.buffer.kind == "weight"
        word = operand.load(tiling, buffer, "LD0", constant, location)
        writer.loads.append((word, buffer))
        return operand.view(tiling, buffer, rows, columns)

    @staticmethod
    def _multiply(writer: Writer, op: Op, sums: Accumulators, left: View, right: View) -> Expr:
        views = {"d": sums.view(), "a": left, "b": right}
        fields: dict[str, object] = {"over": (), "mode": "over"}
        writer.words.append(Word("multiply", "TTU", views, fields=fields, location=op.location))
        return leaf(sums.tile())

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
