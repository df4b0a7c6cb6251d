"""Contractions on the tensor unit, with the elementwise ops that follow them.

    for i0 over cluster, i1 over tile:      tiles of the result
      for k:  load a, load b; multiply      accumulators
      drain or map; store
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.model import Axis, Buffer, Dim, Kernel, Loop, Term, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import VIEWS, Access
from maiacc_passes.lowering.expr import Expr, Tile, leaf
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling, instances, name_of, spreads
from maiacc_passes.lowering.vector import DMA_BYTES, RETRIED
from maiacc_passes.lowering.writer import Writer
from maiacc_passes.schedule.places import place


@dataclass(frozen=True)
class Shape:
    """The dims of a contraction: batch, rows of the result, its columns, and what is summed, each
    outer ones first. Sums have numbers behind those of the group's space."""

    batch: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    k: tuple[int, ...]


class Operand:
    """A or B of a contraction: the tile of it in memory, and how words see it.

    ``axes`` are, for each axis of the tensor, how dims move its coordinate, and where it starts:
    ``{dim: step}``.
    """

    def __init__(
        self, name: str, access: Access, axes: Sequence[tuple[dict[int, int], int]]
    ) -> None:
        self.name = name
        self.access = access
        self.axes = [
            (moves, start, size, stride)
            for (moves, start), size, stride in zip(
                axes, access.sizes, access.strides, strict=True
            )
            if moves
        ]
        self.order = sorted(range(len(self.axes)), key=lambda i: (-abs(self.axes[i][3]), i))

    @property
    def dtype(self) -> str:
        """The element type."""
        return self.access.dtype or self.access.buffer.dtype

    def dims(self) -> set[int]:
        """The dims that it has."""
        return {dim for moves, *_ in self.axes for dim in moves}

    def reach(self, axis: int, tiling: Tiling) -> int:
        """Coordinates of an axis that a tile touches."""
        moves = self.axes[axis][0]
        return 1 + sum(step * (tiling.tiles[d] - 1) for d, step in moves.items())

    def shape(self, tiling: Tiling) -> tuple[int, ...]:
        """The tile in memory, in the order of strides."""
        return tuple(self.reach(axis, tiling) for axis in self.order) or (1,)

    def load(self, tiling: Tiling, buffer: Buffer, queue: str, weights: bool, location: object) -> Word:
        """The word that fetches a tile."""
        sides = []
        for axis in self.order:
            moves, start, size, stride = self.axes[axis]
            terms: tuple[Term, ...] = tuple(
                (name_of(d), step * tiling.tiles[d])
                for d, step in moves.items()
                if d in tiling.spreads
            )
            reach = self.reach(axis, tiling)
            plain = len(moves) == 1 and not start and not tiling.ragged(next(iter(moves)))
            inside = plain or (not terms and start == 0 and reach <= size)
            sides.append(Side(reach, stride, None if inside else size, start, terms))
        source = strided(
            self.access.buffer, sides, offset=self.access.offset, dtype=self.access.dtype
        )
        shape = self.shape(tiling)
        target = strided(
            buffer, [Side(n, s) for n, s in zip(shape, _steps(shape), strict=True)]
        )
        views = {"d": target, "a": source}
        return Word("copy", queue, views, weights=weights, location=location)  # type: ignore[arg-type]

    def view(
        self, tiling: Tiling, buffer: Buffer, rows: Sequence[int], columns: Sequence[int]
    ) -> View:
        """The tile as rows and columns of the product."""
        steps: dict[int, int] = {}
        for axis, step in zip(self.order, _steps(self.shape(tiling)), strict=False):
            for dim, move in self.axes[axis][0].items():
                steps[dim] = move * step
        sides = [Side(tiling.tiles[d], steps.get(d, 0)) for d in (*rows, *columns)]
        return strided(buffer, sides, len(rows))


def _steps(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


class Contraction:
    """One contraction of a group, as loops of products."""

    def __init__(self, group: Group, op: Op) -> None:
        self.group = group
        self.op = op
        self.machine: Machine = group.machine
        self.extents = list(group.space.sizes)
        self.a, self.b, self.shape = self._operands()
        first, second = self.a.dtype, self.b.dtype
        self.rate = self.machine.kchunk(first, second)
        if not self.rate:
            raise unsupported(op, f"the tensor unit does not multiply {first} and {second}")

    # ---- operands ---------------------------------------------------------------------------
    def _operands(self) -> tuple[Operand, Operand, Shape]:
        if self.op.name == "conv":
            return self._convolved()
        left, right, out = split_spec(str(self.op.attrs["spec"]))
        numbers: dict[str, int | None] = {}
        result = self.op.result
        for axis, letter in enumerate(out):
            numbers[letter] = self.group.space.dim((result, axis))
        kinds = [v.type for v in self.op.operands[:2] if v is not None]
        for letters, kind in zip((left, right), kinds, strict=True):
            for letter, size in zip(letters, kind.shape, strict=True):
                if letter not in numbers:
                    numbers[letter] = self._sum(size)
        batch = [x for x in out if x in left and x in right]
        m = [x for x in out if x not in right]
        n = [x for x in out if x not in left]
        k = [x for x in left if x not in out] + [x for x in right if x not in out + left]

        def dims(letters: Sequence[str]) -> tuple[int, ...]:
            return tuple(d for x in letters if (d := numbers[x]) is not None)

        shape = Shape(dims(batch), dims(m), dims(n), dims(k))
        a = self._operand(0, [numbers[x] for x in left])
        b = self._operand(1, [numbers[x] for x in right])
        return a, b, shape

    def _sum(self, size: int) -> int | None:
        if size == 1:
            return None
        self.extents.append(size)
        return len(self.extents) - 1

    def _operand(self, number: int, dims: Sequence[int | None]) -> Operand:
        axes = [({} if d is None else {d: 1}, 0) for d in dims]
        return Operand("ab"[number], self._located(number), axes)

    def _located(self, number: int) -> Access:
        value = self.op.operands[number]
        assert value is not None
        access = self.group.located(value)
        assert access is not None, "operands of contractions come from outside"
        return access

    def _convolved(self) -> tuple[Operand, Operand, Shape]:
        """x[n, g c, s o + d k - p], w[g o, c, k ...]."""
        x, w = (v.type for v in self.op.operands[:2] if v is not None)
        groups = _int(self.op, "groups")
        strides, dilations, pads = (
            _ints(self.op, name) for name in ("strides", "dilations", "pads")
        )
        space, result = self.group.space, self.op.result
        n = space.dim((result, 0))
        outs = [space.dim((result, axis)) for axis in range(2, result.type.rank)]
        kernel = [self._sum(size) for size in w.shape[2:]]
        channels = self._sum(w.shape[1])
        spatial = []
        for axis, (o, k) in enumerate(zip(outs, kernel, strict=True)):
            moves = {}
            if o is not None:
                moves[o] = strides[axis]
            if k is not None:
                moves[k] = dilations[axis]
            spatial.append((moves, -pads[axis]))
        sum_dims = tuple(d for d in (*kernel, channels) if d is not None)
        rows = tuple(d for d in (n, *outs) if d is not None)
        xa, wa = self._located(0), self._located(1)
        if groups == 1:
            columns = space.dim((result, 1))
            mine = () if columns is None else (columns,)
            a = Operand("a", xa, [_move(n), _move(channels), *spatial])
            b = Operand("b", wa, [_move(columns), _move(channels), *map(_move, kernel)])
            return a, b, Shape((), rows, mine, sum_dims)
        raise unsupported(self.op, "groups of channels")

    # ---- tilings ----------------------------------------------------------------------------
    def tilings(self) -> Iterator[Tiling]:
        """Ways to cut it, the cheapest first."""
        found: dict[Tiling, float] = {}
        block = self.machine.int("ttu.block")
        blocks = self.machine.int("ttu.acc_blocks")
        for rows in (1, 2, 4, 8, 16):
            for columns in (1, 2, 4, 8, 16):
                if rows * columns > blocks:
                    continue
                for depth in (32, 128, 512, 2048, 1 << 16):
                    self._ways(found, rows * block, columns * block, depth)
        yield from sorted(found, key=lambda t: (found[t], t.order, t.tiles))[:24]
        yield from self._least()

    def _ways(self, found: dict[Tiling, float], rows: int, columns: int, depth: int) -> None:
        tiles = list(self.extents)
        for d in self.shape.batch:
            tiles[d] = 1
        for dims, room in ((self.shape.m, rows), (self.shape.n, columns), (self.shape.k, depth)):
            for d in reversed(dims):
                tiles[d] = _even(self.extents[d], max(1, room))
                room //= tiles[d]
        cut = [d for d in range(len(tiles)) if tiles[d] < self.extents[d]]
        sums = [d for d in self.shape.k if d in cut]
        outer = [d for d in (*self.shape.batch, *self.shape.m, *self.shape.n) if d in cut]
        for way in spreads(outer) or [()]:
            dealt = dict(way)
            order = (*((d, dealt.get(d, "")) for d in outer), *((d, "") for d in sums))
            tiling = Tiling(self.machine, tuple(self.extents), tuple(tiles), order)
            if tiling not in found and self._holds(tiling):
                found[tiling] = self._cost(tiling)

    def _least(self) -> Iterator[Tiling]:
        """The smallest tiles there are, if nothing else fits."""
        outer = (*self.shape.batch, *self.shape.m, *self.shape.n)
        tiles = [1] * len(self.extents)
        order = tuple((d, "gtile" if d == outer[0] else "") for d in outer)
        order += tuple((d, "") for d in self.shape.k)
        yield Tiling(self.machine, tuple(self.extents), tuple(tiles), order)

    def bytes(self, operand: Operand, tiling: Tiling) -> int:
        """Bytes of an operand's tile."""
        bits = Buffer("", operand.dtype, operand.shape(tiling), "tsram")
        return bits.bytes

    def _holds(self, tiling: Tiling) -> bool:
        m, n, _ = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        acc = -(-m // block) * -(-n // block)
        loads = [self.bytes(x, tiling) for x in (self.a, self.b)]
        side = 4 * m * n * (2 + len(self.group.ops))
        room = self.machine.space_bytes("tsram")
        return (
            acc <= self.machine.int("ttu.acc_blocks")
            and max(loads) <= DMA_BYTES
            and 2 * sum(loads) + side <= room
        )

    def sizes(self, tiling: Tiling) -> tuple[int, int, int]:
        """Rows, columns and sums of a tile."""
        m, n, k = (
            prod(tiling.tiles[d] for d in dims)
            for dims in (self.shape.m, self.shape.n, self.shape.k)
        )
        return m, n, k

    def _cost(self, tiling: Tiling) -> float:
        """Cycles: the most of what the tensor unit, memory and a tile's port need, and turns."""
        machine = self.machine
        m, n, k = self.sizes(tiling)
        block = machine.int("ttu.block")
        turns = tiling.turns
        cycles = -(-m // block) * -(-n // block) * -(-k // self.rate)
        tiles = machine.tiles * machine.clusters
        hbm = port = 0.0
        for operand in (self.a, self.b):
            size = self.bytes(operand, tiling)
            loads = self._loads(operand, tiling)
            port += size * loads
            hbm += size * loads * (machine.clusters if self.shared(operand, tiling) else tiles)
        out = m * n * 4 * self._outer(tiling)
        port += out
        hbm += out * tiles
        width = float(machine["hbm.bytes_per_cycle"])
        memory = hbm / width
        own = port / machine.int("tile.bytes_per_cycle")
        small = 1 + 200.0 / max(200, cycles)
        return max(turns * cycles * small, memory, own) + 400 * self._outer(tiling) + 60 * turns

    def _outer(self, tiling: Tiling) -> int:
        return prod(tiling.trips(d) for d, _ in tiling.order if d not in self.shape.k)

    def _loads(self, operand: Operand, tiling: Tiling) -> int:
        """How often a tile loads an operand: for each turn of the innermost loop it depends on."""
        mine = operand.dims()
        found, times = 1, 1
        for dim, _ in tiling.order:
            times *= tiling.trips(dim)
            if dim in mine:
                found = times
        return found

    def shared(self, operand: Operand, tiling: Tiling) -> bool:
        """Whether all tiles of a cluster need the same elements."""
        mine = operand.dims()
        dealt = [d for d, spread in tiling.order if spread in ("tile", "gtile")]
        return bool(dealt) and not any(d in mine for d in dealt)

    # ---- kernels ----------------------------------------------------------------------------
    def kernel(self, tiling: Tiling) -> Kernel:
        """The kernel of a tiling."""
        group = self.group
        writer = Writer(tiling)
        m, n, _ = self.sizes(tiling)
        block = self.machine.int("ttu.block")
        pitch = -(-n // block) * block
        kind = "int32" if self.a.dtype in ("int8", "uint8") else "fp32"
        acc = Buffer("acc", kind, (-(-m // block) * block, pitch), "acc")
        sums = [d for d in self.shape.k if d in tiling.spreads]
        buffers: dict[str, Buffer] = {}
        loads: list[tuple[Word, Buffer, Operand]] = []
        for number, operand in enumerate((self.a, self.b)):
            value = self.op.operands[number]
            assert value is not None
            shared = self.shared(operand, tiling)
            weights = self._constant(value)
            buffer = Buffer(operand.name, operand.dtype, operand.shape(tiling), "tsram", shared=shared)
            queue = "CLD" if shared else "LD1" if weights else "LD0"
            word = operand.load(tiling, buffer, queue, weights, self.op.location)
            buffers[operand.name] = buffer
            loads.append((word, buffer, operand))
        rows = self.shape.m
        product = {
            "d": self._accumulators(acc, tiling, pitch),
            "a": self.a.view(tiling, buffers["a"], rows, self.shape.k),
            "b": self.b.view(tiling, buffers["b"], self.shape.n, self.shape.k),
        }
        over = tuple(name_of(d) for d in sums)
        multiply = Word(
            "multiply",
            "TTU",
            product,
            fields={"over": over, "mode": "first" if over else "over"},
            location=self.op.location,
        )
        core: list[Word | Loop] = []
        inner: list[Word | Loop] = core
        for d in sums:
            loop = Loop(name_of(d), tiling.trips(d))
            inner.append(loop)
            inner = loop.body
        outer = Tiling(
            tiling.machine,
            tiling.extents,
            tiling.tiles,
            tuple((d, s) for d, s in tiling.order if d not in sums),
        )
        for word, buffer, operand in loads:
            if any(d in sums for d in operand.dims()):
                self._into(core, sums, operand, word, buffer)
            else:
                writer.loads.append((word, buffer))
        inner.append(multiply)
        exprs: dict[Value, Expr] = {self.op.result: self._sum_expr(acc, pitch, tiling, writer)}
        group.express(writer, exprs)
        group.finish(writer, exprs)
        writer.tiling = outer
        kernel = group.kernel(outer, writer, core, [acc])
        kernel.macs = prod(self.extents[d] for dims in vars(self.shape).values() for d in dims)
        every = prod(tiling.trips(d) * instances(self.machine, s) for d, s in tiling.order)
        idle = 1 if any(s for _, s in tiling.order) else instances(self.machine, "gtile")
        kernel.padded = every * prod(tiling.tiles[d] for dims in vars(self.shape).values() for d in dims) * idle
        return kernel

    def _into(
        self,
        core: list[Word | Loop],
        sums: Sequence[int],
        operand: Operand,
        word: Word,
        buffer: Buffer,
    ) -> None:
        """Puts a load into the innermost loop over sums that it depends on."""
        body, loop = core, None
        mine = operand.dims()
        last = max(i for i, d in enumerate(sums) if d in mine)
        for _ in range(last + 1):
            loop = next(x for x in body if isinstance(x, Loop))
            body = loop.body
        assert loop is not None
        place_at = next((i for i, x in enumerate(body) if isinstance(x, Loop)), len(body))
        body.insert(place_at, word)
        loop.buffers.append(buffer)

    def _constant(self, value: Value) -> bool:
        while value.weight is None and value.op is not None and value.op.name in VIEWS:
            source = value.op.operands[0]
            assert source is not None
            value = source
        return value.weight is not None

    def _accumulators(self, acc: Buffer, tiling: Tiling, pitch: int) -> View:
        sides = []
        for dims, unit in ((self.shape.m, pitch), (self.shape.n, 1)):
            sizes = [tiling.tiles[d] for d in dims]
            sides += [Side(n, s * unit) for n, s in zip(sizes, _steps(sizes), strict=True)]
        return strided(acc, sides, len(self.shape.m))

    def _sum_expr(self, acc: Buffer, pitch: int, tiling: Tiling, writer: Writer) -> Expr:
        """The sums, with the bias if there is one, as the first expression of the group."""
        strides: dict[int, int] = {d: 0 for d in self.shape.batch}
        for dims, unit in ((self.shape.m, pitch), (self.shape.n, 1)):
            sizes = [tiling.tiles[d] for d in dims]
            for d, step in zip(dims, _steps(sizes), strict=True):
                strides[d] = step * unit
        found = leaf(Tile(acc, (*self.shape.batch, *self.shape.m, *self.shape.n), strides))
        bias = self.op.operand(2)
        if bias is None:
            return found
        writer.location = self.op.location
        layout = self.group.space.of(self.op.result)
        dtype = self.op.result.type.element
        compute = "fp32" if dtype.is_float else "int32"
        if self.op.name == "conv":
            access = self.group.located(bias)
            assert access is not None
            dims = (self.group.space.dim((self.op.result, 1)),)
            number = self.group.number(bias)
            other: Expr | float = (
                leaf(writer.load(access, dims, "LD1")) if number is None else number
            )
        else:
            other = self._meets(bias, writer)
        return Expr("add", (found, other), layout, compute, compute)

    def _meets(self, bias: Value, writer: Writer) -> Expr | float:
        number = self.group.number(bias)
        if number is not None:
            return number
        access = self.group.located(bias)
        assert access is not None
        rank, wide = bias.type.rank, self.op.result.type.rank
        dims = [
            self.group.space.dim((self.op.result, wide - rank + axis))
            if bias.type.shape[axis] > 1
            else None
            for axis in range(rank)
        ]
        return leaf(writer.load(access, dims, "LD1"))


def _move(dim: int | None) -> tuple[dict[int, int], int]:
    return ({} if dim is None else {dim: 1}), 0


def _even(extent: int, most: int) -> int:
    """A size of at most so much that cuts an extent into equal pieces, if there is a near one."""
    if extent <= most:
        return extent
    for size in range(most, most // 2, -1):
        if extent % size == 0:
            return size
    return most


def _int(op: Op, name: str) -> int:
    value = op.attrs[name]
    assert isinstance(value, int)
    return value


def _ints(op: Op, name: str) -> tuple[int, ...]:
    value = op.attrs[name]
    assert isinstance(value, tuple)
    return value


def lower_contraction(group: Group, op: Op) -> Kernel:
    """A kernel for a contraction and what follows it. Raises ``IRError``."""
    made = Contraction(group, op)
    problem: IRError | None = None
    for tiling in made.tilings():
        try:
            kernel = made.kernel(tiling)
            place(kernel, group.machine, False)
            return kernel
        except IRError as refusal:
            if refusal.code not in RETRIED:
                raise
            problem = refusal
    assert problem is not None
    raise problem


__all__ = ["Axis", "Dim", "Type", "lower_contraction"]
