"""Attention as one group: scores, what is done to rows of them, and the product with values.

Ops become one group where nobody else reads what lies between the two products, and where a tile
holds a block of rows with all of their keys: the scores never leave the tile then. Assumes
composites expanded. Promises all bits; ops are only moved.

    %3 = contract(%q, %k) {spec="hqd,hkd->hqk", to=fp32} : fp32[8, 512, 512]
    ...                                                     elementwise, or over the last axis
    %9 = cvt(%8) {to=bf16} : bf16[8, 512, 512]
    %10 = contract(%9, %v) {spec="hqk,hkd->hqd"} : bf16[8, 512, 64]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from maiacc_passes.ir.graph import Op, Region
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.lowering.space import ELEMENTWISE, reduced_axes
from maiacc_passes.pieces import sizes_of

#: The fp32 values of a row that are there at once while it is normalised, roughly; at the least,
#: where rows are long.
HELD, LONG = 6, 3

#: Keys that a tile loads at a time where there are more of them, or more than fit.
CHUNK = 512

#: Ops from one product to the other.
FAR = 32


@dataclass(frozen=True)
class Room:
    """What a tile has: bytes of its memory, blocks of accumulators, rows and columns of one."""

    bytes: int
    blocks: int
    block: int


def attention(region: Region, room: Room) -> Iterator[list[Op]]:
    """The ops of each attention, in their order; the first one makes the scores, and the last one
    multiplies values."""
    places = {op: number for number, op in enumerate(region)}
    for mixed in region:
        scores, between = _between(mixed)
        if scores is None or scores.region is not region:
            continue
        ops = sorted((scores, *between, mixed), key=places.__getitem__)
        if (
            _closed(ops, mixed)
            and _along_keys(scores, between, mixed)
            and _fits(scores, mixed, room)
        ):
            yield ops


def _between(mixed: Op) -> tuple[Op | None, set[Op]]:
    """The product that another one's left operand is made of, and the ops between."""
    none: set[Op] = set()
    first = mixed.operands[0] if mixed.name == "contract" and _of_activations(mixed) else None
    if first is None or first.op is None:
        return None, none
    found: set[Op] = set()
    scores: Op | None = None
    stack = [first.op]
    while stack:
        op = stack.pop()
        if op in found or op is scores:
            continue
        if op.name == "contract":
            if scores is not None or not _of_activations(op):
                return None, none
            scores = op
        elif op.row.kind in (*ELEMENTWISE, Kind.REDUCE) and op.region is mixed.region:
            found.add(op)
            stack += [v.op for v in op.operands if v is not None and v.op and _inside(v.op)]
        elif op.row.kind is Kind.MAKE:
            found.add(op)
        if len(found) > FAR:
            return None, none
    return (None, none) if scores is None else (scores, _own(scores, found, mixed))


def _own(scores: Op, found: set[Op], mixed: Op) -> set[Op]:
    """The ops that need the scores, and those that nobody else needs."""
    mine: set[Op] = set()
    stack = [scores]
    while stack:
        for user in (u for v in stack.pop().results for u in v.uses):
            if user in found and user not in mine:
                mine.add(user)
                stack.append(user)
    grown = True
    while grown:
        around = {*mine, mixed}
        more = {
            op
            for op in found - mine
            if op.row.kind is not Kind.REDUCE
            and all(u in around for v in op.results for u in v.uses)
        }
        mine |= more
        grown = bool(more)
    return mine


def _inside(op: Op) -> bool:
    """Whether an op may be done in a tile with the scores."""
    kinds = (*ELEMENTWISE, Kind.REDUCE, Kind.MAKE)
    return op.name == "contract" or (op.row.kind in kinds and not op.regions)


def _of_activations(product: Op) -> bool:
    """Whether a product has two operands and none is a constant, of which every tile would load
    all."""
    right = product.operands[1]
    return len(product.operands) == 2 and right is not None and right.weight is None


def _closed(ops: list[Op], mixed: Op) -> bool:
    """Whether nobody else reads what is made between, and nothing else that is read needs it."""
    members = set(ops)
    for op in ops[:-1]:
        if any(user not in members for v in op.results for user in v.uses):
            return False
    values = mixed.operands[1]
    # Values of a product of the scores themselves would have to be there before they are.
    return values is not None and values.op not in members


def _along_keys(scores: Op, between: set[Op], mixed: Op) -> bool:
    """Whether scores have their keys last, what is reduced are keys, and they are what the last
    product sums, of values in the order keys, columns or columns, keys."""
    left, right, out = split_spec(str(scores.attrs["spec"]))
    keys = [x for x in out if x not in left]
    if keys != [out[-1]] or len([x for x in right if x not in out]) != 1:
        return False
    size = scores.result.type.shape[-1]
    for op in between:
        if op.row.kind is Kind.REDUCE:
            source = op.operands[0]
            assert source is not None
            last = source.type.rank - 1
            if reduced_axes(op) != (last,) or source.type.shape[-1] != size:
                return False
    left, right, out = split_spec(str(mixed.attrs["spec"]))
    gone = [x for x in left if x not in out]
    columns = [x for x in out if x not in left]
    first = mixed.operands[0]
    same = first is not None and first.type.shape == scores.result.type.shape
    return same and size > 1 and gone == [left[-1]] and left[-1] in right and columns == [out[-1]]


def _fits(scores: Op, mixed: Op, room: Room) -> bool:
    """Whether a tile holds a block of rows with all their keys, and some keys and values."""
    first, second = sizes_of(scores), sizes_of(mixed)
    _, right, out = split_spec(str(scores.attrs["spec"]))
    keys = first[out[-1]]
    columns = second[split_spec(str(mixed.attrs["spec"]))[2][-1]]
    depth = first[next(x for x in right if x not in out)]
    operand = mixed.operands[1]
    assert operand is not None
    width = -(-operand.type.element.bits // 8)
    rows, chunk = room.block, min(keys, CHUNK)
    loads = [chunk * depth * width, chunk * columns * width, rows * depth * width]
    blocks = -(-chunk // room.block) + -(-columns // room.block)
    held = 4 * rows * keys * (HELD if keys == chunk else LONG)
    return (
        keys % chunk == 0
        and max(loads) <= DMA_BYTES
        and blocks <= room.blocks
        and 2 * sum(loads) + held <= room.bytes
    )
