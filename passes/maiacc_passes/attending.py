"""Attention as one group: scores, their softmax, and the product with values.

Three groups, a product, ops over whole rows of it and a product with these, become one where nobody
else reads what lies between, and where a tile holds a block of rows with all of their keys: the
scores never leave the tile then. Assumes groups as ``fuse`` grows them. Promises all bits; ops are
only moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.lowering.space import ELEMENTWISE, reduced_axes
from maiacc_passes.outlining import Group
from maiacc_passes.pieces import sizes_of

#: The fp32 values of a row that are there at once while it is normalised, roughly.
HELD = 6


@dataclass(frozen=True)
class Room:
    """What a tile has: bytes of its memory, blocks of accumulators, rows and columns of one."""

    bytes: int
    blocks: int
    block: int


@dataclass(frozen=True)
class Triple:
    """Groups that become one, and the value that the last one multiplies."""

    scores: Group
    rows: Group
    mixed: Group


class Attend:
    """Finds attention in groups. ``maker`` gives the group that makes a value."""

    def __init__(
        self,
        groups: Sequence[Group],
        maker: Callable[[Value], Group | None],
        room: Room,
    ) -> None:
        self.groups = groups
        self.maker = maker
        self.room = room

    def found(self) -> Iterator[Triple]:
        """Attention, in the order of the last product."""
        for group in self.groups:
            triple = self._triple(group)
            if triple is not None and self._apart(triple) and self._fits(triple):
                yield triple

    def _triple(self, mixed: Group) -> Triple | None:
        product = mixed.root
        weights = product.operands[0] if product.name == "contract" else None
        rows = _own(weights, self.maker)
        if weights is None or rows is None or len(product.operands) > 2:
            return None
        kinds = (*ELEMENTWISE, Kind.REDUCE)
        if not all(op.row.kind in kinds or op.name in ("transpose", "reshape") for op in rows.ops):
            return None
        if not _only(rows, {weights}, {product}):
            return None
        makers = {self.maker(v) for op in rows.ops for v in op.operands if v is not None}
        found = [g for g in makers if g is not None and g.root.name == "contract" and g is not rows]
        scores = found[0] if len(found) == 1 else None
        if scores is None or len(scores.root.operands) > 2:
            return None
        handed = {v for op in scores.ops for v in op.results if any(u in rows.ops for u in v.uses)}
        if not _only(scores, handed, set(rows.ops)):
            return None
        return Triple(scores, rows, mixed) if _along_keys(scores.root, rows, product) else None

    def _apart(self, triple: Triple) -> bool:
        """Whether nothing that one of the groups needs lies between them."""
        mine = (triple.scores, triple.rows, triple.mixed)
        around = {g for group in mine for g in group.needs} - set(mine)
        return not any(g.depends(group) for g in around for group in mine)

    def _fits(self, triple: Triple) -> bool:
        """Whether a tile holds a block of rows with all their keys, and the keys and values."""
        room = self.room
        product, mixed = triple.scores.root, triple.mixed.root
        first, second = sizes_of(product), sizes_of(mixed)
        left, right, out = split_spec(str(product.attrs["spec"]))
        keys = first[next(x for x in out if x not in left)]
        columns = second[split_spec(str(mixed.attrs["spec"]))[2][-1]]
        depth = first[next(x for x in right if x not in out)]
        operand = mixed.operands[1]
        assert operand is not None
        width = -(-operand.type.element.bits // 8)
        loads = [keys * depth * width, keys * columns * width, room.block * depth * width]
        blocks = -(-keys // room.block) + -(-columns // room.block)
        held = 4 * room.block * keys * HELD
        return (
            max(loads) <= DMA_BYTES
            and blocks <= room.blocks
            and 2 * sum(loads) + held <= (room.bytes)
        )


def _own(value: Value | None, maker: Callable[[Value], Group | None]) -> Group | None:
    """The group with the op that makes a value, no view being between them."""
    group = None if value is None else maker(value)
    return group if group is not None and value is not None and value.op in group.ops else None


def _only(group: Group, values: set[Value], users: set[Op]) -> bool:
    """Whether some values are all that a group hands out, and some ops all that read them."""
    members = set(group.ops)
    for op in group.ops:
        for value in op.results:
            outside = {user for user in value.uses if user not in members}
            if outside and (value not in values or not outside <= users):
                return False
    return True


def _along_keys(scores: Op, rows: Group, mixed: Op) -> bool:
    """Whether scores have their keys last, what is reduced are keys, and they are what the last
    product sums, of values in the order keys, columns or columns, keys."""
    left, right, out = split_spec(str(scores.attrs["spec"]))
    keys = [x for x in out if x not in left]
    if keys != [out[-1]] or len([x for x in right if x not in out]) != 1:
        return False
    size = scores.result.type.shape[-1]
    for op in rows.ops:
        source = op.operands[0]
        if op.row.kind is Kind.REDUCE:
            assert source is not None
            last = source.type.rank - 1
            if reduced_axes(op) != (last,) or source.type.shape[-1] != size:
                return False
    left, right, out = split_spec(str(mixed.attrs["spec"]))
    gone = [x for x in left if x not in out]
    columns = [x for x in out if x not in left]
    return gone == [left[-1]] and left[-1] in right and columns == [out[-1]] and size > 1
