"""The dims of contractions and convolutions, and how each operand's axes move with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.limits import GROUP, SPARSE_STEP
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.operands import Operand

#: Ops with a right operand in 2:4 form: values, and their positions behind them.
SPARSE = frozenset({"contract_sparse", "conv_sparse"})

#: The op whose operands are in blocks that share scales.
SCALED = "contract_scaled"


@dataclass(frozen=True)
class Shape:
    """Dims: batch, rows of the result, its columns, and what is summed, each outer ones first.
    Sums have numbers behind those of the group's space."""

    batch: tuple[int, ...]
    m: tuple[int, ...]
    n: tuple[int, ...]
    k: tuple[int, ...]

    def dims(self) -> tuple[int, ...]:
        """All of them."""
        return (*self.batch, *self.m, *self.n, *self.k)

    def names(self) -> dict[int, str]:
        """What each of them is, for people."""
        kinds = {"batch": self.batch, "rows": self.m, "columns": self.n, "sums": self.k}
        return {d: name for name, dims in kinds.items() for d in dims}


@dataclass(frozen=True)
class Product:
    """A contraction: operands, dims, and the extents of all dims of the group and the sums.
    ``meta`` are the positions of a sparse right operand, ``scales`` those of operands in blocks. Of
    dims in ``starts`` it has only the elements from there to the extent.
    """

    op: Op
    a: Operand
    b: Operand
    meta: Operand | None
    shape: Shape
    extents: tuple[int, ...]
    scales: tuple[Operand, ...] = ()
    #: Tile sizes that dims must have.
    fixed: tuple[tuple[int, int], ...] = ()
    starts: tuple[tuple[int, int], ...] = ()

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of all dims."""
        starts = dict(self.starts)
        return tuple(n - starts.get(d, 0) for d, n in enumerate(self.extents))

    def part(self, dim: int, start: int, end: int) -> Product:
        """The part of it that has some elements of a dim."""
        extents = tuple(end if d == dim else n for d, n in enumerate(self.extents))
        return replace(self, extents=extents, starts=((dim, start),))

    @property
    def operands(self) -> tuple[Operand, ...]:
        """What is loaded."""
        meta = () if self.meta is None else (self.meta,)
        return (self.a, self.b, *meta, *self.scales)

    @property
    def macs(self) -> int:
        """Multiply-adds of the dense product."""
        return prod(self.sizes[d] for d in self.shape.dims())

    @property
    def bias(self) -> Value | None:
        """What is added to the sums."""
        return self.op.operand(4 if self.scales else 3 if self.meta is not None else 2)


def product_of(group: Group, op: Op) -> Product:
    """The product that an op is. Raises ``IRError`` E1505."""
    reader = _Reader(group, op)
    return reader.convolution() if op.name.startswith("conv") else reader.contraction()


class _Reader:
    """Reads the dims of one op."""

    def __init__(self, group: Group, op: Op) -> None:
        self.group = group
        self.op = op
        self.sparse = op.name in SPARSE
        self.extents = list(group.space.sizes)

    def _sum(self, size: int) -> int | None:
        if size == 1:
            return None
        self.extents.append(size)
        return len(self.extents) - 1

    def _located(self, number: int) -> Access:
        value = self.op.operands[number]
        assert value is not None
        access = self.group.located(value)
        assert access is not None, "operands of contractions come from outside"
        return access

    def _kernel(self, number: int) -> Access:
        """The kernel of a convolution: a constant lies channels last, as they are summed."""
        value = self.op.operands[number]
        assert value is not None
        if value.weight is None or value.type.element.bits < 8:
            return self._located(number)
        rank = value.type.rank
        return self.group.relaid(value, (0, *range(2, rank), 1))

    def contraction(self) -> Product:
        """The dims of a contraction: its letters."""
        left, right, out = split_spec(str(self.op.attrs["spec"]))
        numbers: dict[str, int | None] = {}
        for axis, letter in enumerate(out):
            numbers[letter] = self.group.space.dim((self.op.result, axis))
        second = 2 if self.op.name == SCALED else 1
        kinds = [self._operand(number).type for number in (0, second)]
        for letters, kind in zip((left, right), kinds, strict=True):
            for letter, size in zip(letters, kind.shape, strict=True):
                if letter not in numbers:
                    numbers[letter] = self._sum(self._whole(size))

        def dims(letters: Sequence[str]) -> tuple[int, ...]:
            return tuple(d for x in letters if (d := numbers[x]) is not None)

        k = [x for x in left if x not in out] + [x for x in right if x not in out + left]
        shape = Shape(
            dims([x for x in out if x in left and x in right]),
            dims([x for x in out if x not in right]),
            dims([x for x in out if x not in left]),
            dims(k),
        )
        a = Operand("a", self._located(0), [_move(numbers[x]) for x in left])
        columns = [_move(numbers[x]) for x in right]
        if self.op.name == SCALED:
            return self._scaled(a, columns, shape)
        return self._product(a, columns, shape)

    def _scaled(
        self, a: Operand, columns: Sequence[tuple[dict[int, int], int]], shape: Shape
    ) -> Product:
        """Operands in blocks have a scale for so many elements of what is summed."""
        shared = {shape.k[-1]: GROUP}
        rows = [(moves, 0) for moves in a.moves]
        b = Operand("b", self._located(2), columns)
        scales = (
            Operand("a_scales", self._located(1), rows, shared),
            Operand("b_scales", self._located(3), columns, shared),
        )
        return Product(self.op, a, b, None, shape, tuple(self.extents), scales)

    def _operand(self, number: int) -> Value:
        value = self.op.operands[number]
        assert value is not None
        return value

    def _whole(self, size: int) -> int:
        """What is summed of a sparse operand goes on to a multiple of the step."""
        return -(-size // SPARSE_STEP) * SPARSE_STEP if self.sparse else size

    def _product(
        self, a: Operand, columns: Sequence[tuple[dict[int, int], int]], shape: Shape
    ) -> Product:
        meta = None
        shared: dict[int, int] = {}
        if self.sparse:
            last = shape.k[-1]
            shared = {last: 2}
            # Positions lie with what is summed last.
            moved = [x for x in columns if last not in x[0]]
            moved += [x for x in columns if last in x[0]]
            meta = Operand("meta", self._located(2), moved, {last: 4})
        right = self._kernel(1) if self.op.name.startswith("conv") else self._located(1)
        b = Operand("b", right, columns, shared)
        return Product(self.op, a, b, meta, shape, tuple(self.extents))

    def convolution(self) -> Product:
        """x[n, c, s o + d k - p], w[o, c, k ...]; groups of one channel are a batch."""
        w = self.op.operands[1]
        assert w is not None
        strides, dilations, pads = (self.op.ints(name) for name in ("strides", "dilations", "pads"))
        groups = self.op.attrs["groups"]
        space, result = self.group.space, self.op.result
        n, columns = space.dim((result, 0)), space.dim((result, 1))
        outs = [space.dim((result, axis)) for axis in range(2, result.type.rank)]
        sizes = w.type.shape
        kernel = [self._sum(size) for size in sizes[2:]]
        x = self.op.operands[0]
        assert x is not None
        depth = x.type.shape[1] if self.sparse else sizes[1]
        channels = self._sum(self._whole(depth))
        spatial = []
        for axis, (o, k) in enumerate(zip(outs, kernel, strict=True)):
            moves = {} if o is None else {o: strides[axis]}
            if k is not None:
                moves[k] = dilations[axis]
            spatial.append((moves, -pads[axis]))
        sums = tuple(d for d in (*kernel, channels) if d is not None)
        rows = tuple(d for d in (n, *outs) if d is not None)
        mine = () if columns is None else (columns,)
        axes = [_move(columns), _move(channels), *map(_move, kernel)]
        if groups == 1:
            a = Operand("a", self._located(0), [_move(n), _move(channels), *spatial])
            return self._product(a, axes, Shape((), rows, mine, sums))
        assert isinstance(groups, int)
        assert columns is not None
        return self._grouped(groups, columns, (n, channels), spatial, (rows, sums), axes)

    def _grouped(
        self,
        groups: int,
        columns: int,
        outer: tuple[int | None, int | None],
        spatial: Sequence[tuple[dict[int, int], int]],
        shape: tuple[tuple[int, ...], tuple[int, ...]],
        axes: Sequence[tuple[dict[int, int], int]],
    ) -> Product:
        """Groups with one result channel are a batch. Others have a turn of the loop over channels
        each: the tile is what belongs to one, and moves on by the channels that it reads."""
        (n, channels), (rows, sums) = outer, shape
        depth = self._operand(0).type.shape[1] // groups
        mine = self.op.result.type.shape[1] // groups
        moves = {columns: depth}
        if channels is not None:
            moves[channels] = 1
        axis = [_move(n), (moves, 0), *spatial]
        if mine == 1:
            a = Operand("a", self._located(0), axis)
            return self._product(a, axes, Shape((columns,), rows, (), sums))
        a = Operand("a", self._located(0), axis, {columns: mine})
        found = Shape((), rows, (columns,), sums)
        return replace(self._product(a, axes, found), fixed=((columns, mine),))


def _move(dim: int | None) -> tuple[dict[int, int], int]:
    return ({} if dim is None else {dim: 1}), 0
