"""Rows of a manifest as parts of a program; those that mean nothing are refused."""

from __future__ import annotations

import struct
from math import prod

from maiacc_isa import program as pr
from maiacc_isa.errors import MaiaccError, quote
from maiacc_isa.load import load
from maiacc_isa.manifest import BlockRow, BufferRow, ParameterRow, TensorRow
from maiacc_isa.names import ADDRESS_LIMIT, RANK_LIMIT, SCALAR_LIMIT


def damaged(message: str, code: str = "E0606") -> MaiaccError:
    """The refusal of a manifest that describes no program."""
    return MaiaccError(code, message)


def _sizes_are_valid(shape: list[int], *others: int) -> bool:
    return len(shape) <= RANK_LIMIT and all(0 <= n < ADDRESS_LIMIT for n in (*shape, *others))


def tensor(row: TensorRow) -> pr.Tensor:
    """A tensor of the host. Raises ``MaiaccError`` E0605 or E0606 for none."""
    good = row.kind in pr.TENSOR_KINDS and row.dtype in load().dtypes
    if not good or not _sizes_are_valid(row.shape, row.base):
        raise damaged(f"tensor {quote(row.name)} is not valid")
    # A weight without an offset has no values: such a program can be timed.
    if row.kind != "weight" and row.offset is not None:
        raise damaged(f"tensor {quote(row.name)}: only a weight has an offset")
    if (row.kind == "state") != (row.result is not None):
        raise damaged(f"tensor {quote(row.name)}: a state, and nothing else, has a result")
    if prod(row.shape) >= ADDRESS_LIMIT:
        raise damaged(f"tensor {quote(row.name)} is larger than any memory")
    shape = tuple(row.shape)
    return pr.Tensor(row.name, row.kind, row.dtype, shape, row.base, row.split, row.result)


def live_in(row: BlockRow) -> tuple[pr.LiveIn, ...]:
    """Registers that a block finds set. Raises ``MaiaccError`` E0605 or E0606 for none."""
    live_in = tuple(pr.LiveIn(*item) for item in row.live_in)
    scalars = load().limit("scalars")
    for x in live_in:
        if not (0 <= x.reg < scalars and -SCALAR_LIMIT <= x.low <= x.high < SCALAR_LIMIT):
            raise damaged("a block's live-in register is not valid")
    if len({x.reg for x in live_in}) < len(live_in):
        raise damaged("a block's live-in register is given twice")
    return live_in


def parameter(row: ParameterRow) -> pr.Parameter:
    """A runtime parameter. Raises ``MaiaccError`` E0605 or E0606 for none."""
    good = -SCALAR_LIMIT <= row.low <= row.high < SCALAR_LIMIT and 1 <= row.step < SCALAR_LIMIT
    if not good:
        raise damaged(f"parameter {quote(row.name)} has an empty interval")
    return pr.Parameter(row.name, row.low, row.high, row.step)


def buffer(row: BufferRow) -> pr.Buffer:
    """A named piece of memory. Raises ``MaiaccError`` E0605 or E0606 for none."""
    if row.dtype not in load().dtypes or row.space not in load().spaces:
        raise damaged(f"buffer {quote(row.name)} has no type or memory")
    if not _sizes_are_valid(row.shape, row.base, row.slots, row.pitch) or row.slots < 1:
        raise damaged(f"buffer {quote(row.name)} has a size out of range")
    shape = tuple(row.shape)
    return pr.Buffer(row.name, row.dtype, shape, row.space, row.base, row.slots, row.pitch)


def constant_tables(data: bytes) -> tuple[tuple[int, ...], ...]:
    """The constant tables of a block. Raises ``MaiaccError`` E0605 or E0606 for none."""
    tables: list[tuple[int, ...]] = []
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        end = at + 4 + 4 * length
        if not 1 <= length <= load().limit("table_entries") or end > len(data):
            raise damaged("a constant table is damaged", "E0605")
        if len(tables) >= load().limit("tables"):
            raise damaged("a block has too many constant tables", "E0605")
        tables.append(struct.unpack(f"<{length}i", data[at + 4 : end]))
        at = end
    return tuple(tables)
