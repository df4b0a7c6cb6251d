"""How many tiles of the chip a product has work for, before it is known how it will be cut."""

from __future__ import annotations

from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.contractions import split_spec

#: Blocks of rows that a tile takes at a time; of columns it takes one.
ROWS = 4


def sizes_of(op: Op) -> dict[str, int]:
    """The sizes of a contraction's dims, by letter."""
    left, right, _ = split_spec(str(op.attrs["spec"]))
    found: dict[str, int] = {}
    for value, letters in zip(op.operands[:2], (left, right), strict=True):
        assert value is not None
        found |= dict(zip(letters, value.type.shape, strict=True))
    return found


def rows_and_columns(op: Op) -> tuple[int, int]:
    """The sizes of a contraction's result: what it has of the left operand, and the rest."""
    left, _, out = split_spec(str(op.attrs["spec"]))
    sizes = sizes_of(op)
    rows = prod(sizes[letter] for letter in out if letter in left)
    return rows, prod(sizes[letter] for letter in out if letter not in left)


def pieces(op: Op, block: int) -> int:
    """Pieces of a contraction's result that are worth a tile's while, of blocks of the tensor
    unit."""
    rows, columns = rows_and_columns(op)
    return -(-rows // (ROWS * block)) * -(-columns // block)
