"""Rows that no tile holds: sorted in segments, or thinned out until a tile holds what is left.

Sorting: blocks of a row lie in memory with the places that their elements had. Pairs of neighbours
are sorted together, first (0, 1), (2, 3) ..., then (1, 2), (3, 4) ..., in turns, as many times as
there are blocks. Sorting neighbours keeps equal elements in order, so the whole is stable.

The k first: of each chunk the k first are kept, with their places, until there is one chunk.
"""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.types import Element, tensor
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.chunked_alone import grouped, kept
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.orders_rows import ALONG, BEHIND, Lines
from maiacc_passes.lowering.orders_segment import Part, segment_kernel
from maiacc_passes.lowering.orders_words import key_type
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.vector import lower_vector

#: Blocks of a row: as many kernels sort it.
BLOCKS = 64

#: Bytes of a tile's memory, and of a transfer, for each element that is sorted.
SHARE = 40


@dataclass(frozen=True)
class Rows:
    """Keys and the places they had, row by row; of rows of the model no places."""

    keys: Access
    places: Buffer | None
    rows: int
    size: int
    behind: int = 1


def lower_long(
    group: Group, op: Op, element: Element, lines: Lines, count: int, problem: IRError
) -> list[Kernel]:
    """The kernels. Raises ``IRError`` E1505 for rows of more blocks than are sorted."""
    machine = group.machine
    most = min(machine.space_bytes("tsram") // SHARE, DMA_BYTES * 8 // max(32, element.bits))
    size = lines.sizes[ALONG]
    rows = lines.sizes[0] * lines.sizes[BEHIND]
    if op.name == "topk" and 2 * count <= most:
        kernels, keys, places = _thinned(group, op, element, lines, count, most)
    else:
        half = most // 2
        blocks = -(-size // half)
        if blocks > BLOCKS:
            raise unsupported(op, f"rows of more than {BLOCKS * half:,} elements")
        kernels, keys, places = _sorted(group, op, element, lines, blocks)
    for number, buffer in enumerate((keys, places)):
        result = op.results[number]
        if result in group.outputs:
            kernels += _result(group, op, number, buffer, lines.sizes[BEHIND])
    assert rows == keys.shape[0]
    return kernels


def _sorted(
    group: Group, op: Op, element: Element, lines: Lines, blocks: int
) -> tuple[list[Kernel], Buffer, Buffer]:
    """Rows in order."""
    rows = lines.sizes[0] * lines.sizes[BEHIND]
    block = -(-lines.sizes[ALONG] // blocks)
    shape = (rows, blocks * block)
    keys = Buffer(f"{group.name}.keys", key_type(op, element), shape, "hbm")
    places = Buffer(f"{group.name}.places", "int32", shape, "hbm")
    kernels: list[Kernel] = []
    for turn in range(blocks):
        first = turn % 2
        pairs = (blocks - first) // 2 if turn else -(-blocks // 2)
        if not pairs:
            continue
        part = Part(
            source=lines if not turn else None,
            keys=keys,
            places=places,
            to_keys=keys,
            to_places=places,
            start=first * block,
            segments=pairs,
            length=2 * block,
            kept=2 * block,
        )
        kernels.append(segment_kernel(group, op, part, f"{group.name}.s{turn}"))
    return kernels, keys, places


def _thinned(
    group: Group, op: Op, element: Element, lines: Lines, count: int, most: int
) -> tuple[list[Kernel], Buffer, Buffer]:
    """The first of rows."""
    rows = lines.sizes[0] * lines.sizes[BEHIND]
    size = lines.sizes[ALONG]
    kernels: list[Kernel] = []
    keys = places = Buffer("", "int32", (rows, size), "hbm")
    while not kernels or size > count:
        chunks = -(-size // most)
        length = -(-size // chunks)
        shape = (rows, chunks * count)
        number = len(kernels)
        to_keys = Buffer(f"{group.name}.keys{number}", key_type(op, element), shape, "hbm")
        to_places = Buffer(f"{group.name}.places{number}", "int32", shape, "hbm")
        part = Part(
            source=None if kernels else lines,
            keys=keys,
            places=places,
            to_keys=to_keys,
            to_places=to_places,
            start=0,
            segments=chunks,
            length=length,
            kept=count,
        )
        kernels.append(segment_kernel(group, op, part, f"{group.name}.t{number}"))
        keys, places = to_keys, to_places
        size = chunks * count
    return kernels, keys, places


def _result(group: Group, op: Op, number: int, found: Buffer, behind: int) -> list[Kernel]:
    """Kernels that bring rows into the shape and the type of a result."""
    result = op.results[number]
    axis = op.integer("axis") % result.type.rank
    shape = result.type.shape
    length = found.shape[1]
    steps = [0] * len(shape)
    step = length
    for d in reversed(range(len(shape))):
        if d == axis:
            steps[d] = 1
        else:
            steps[d] = step
            step *= shape[d]
    source = Access(found, shape, tuple(steps))
    target = whole(group.outputs[result], shape)
    name = f"{group.name}.r{number}"
    if found.dtype == result.type.dtype:
        return kept(group, op, source, target, name)
    row = OPS["cvt"]
    kind = tensor(found.dtype, shape)
    proto = Op(row, [op.operands[0]], row.full_attrs({"to": result.type.dtype}), [result.type])
    assert kind.size == result.type.size
    made, _ = grouped(group, name, proto, [source], [target.buffer])
    return [lower_vector(made)]
