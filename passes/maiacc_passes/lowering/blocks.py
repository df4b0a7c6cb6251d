"""Quantising to MX formats: rows in blocks of 32 elements that share a scale.

for i0 over gtile < 3 {
  LD0 copy %x <- @x[...]                   columns beyond the row's end are 0
  TVP quantise %values, %scales <- %x
  ST copy @values[...] <- %values
  ST copy @scales[...] <- %scales
}
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import prod

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.blocks import GROUP
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.fitting import fitting
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.tiling import ALONE, instances

#: The variables of the loops over rows and columns.
ROW, COLUMN = "i0", "i1"


def lower_blocks(group: Group, op: Op) -> Kernel:
    """A kernel for ``block_quantize``. Raises ``IRError`` E1502."""
    ways = _tiles(group, op)
    return fitting(group.machine, ways, lambda way: _kernel(group, op, *way))


def _sizes(op: Op) -> tuple[int, int]:
    """Rows and padded columns."""
    shape = op.results[0].type.shape
    return prod(shape[:-1]), shape[-1]


def _tiles(group: Group, op: Op) -> Iterator[tuple[int, int]]:
    """Rows and columns of a tile, large ones first. The rows of the last but one axis are cut."""
    shape = op.results[0].type.shape
    rows = shape[-2] if len(shape) > 1 else 1
    tiles = instances(group.machine, "gtile")
    most = max(1, -(-rows // tiles))
    room = min(DMA_BYTES, group.machine.space_bytes("tsram") // 4) // 4
    for columns in (shape[-1], 2048, 512, 128, GROUP):
        if columns <= shape[-1]:
            for height in (most, 64, 16, 4, 1):
                if height <= most and height * columns <= room:
                    yield height, columns


def _kernel(group: Group, op: Op, rows: int, columns: int) -> Kernel:
    x = op.operands[0]
    assert x is not None
    access = group.located(x)
    assert access is not None
    tile = Buffer("x", access.dtype or access.buffer.dtype, (rows, columns), "tsram")
    to = str(op.attrs["to"])
    values = Buffer("values", to, (rows, columns), "tsram")
    scales = Buffer("scales", "e8m0", (rows, columns // GROUP), "tsram")
    outer = len(x.type.shape) - 2
    names = [f"o{axis}" for axis in range(max(0, outer))]

    def sides(sizes: tuple[int, ...], steps: tuple[int, ...], group_: int) -> list[Side]:
        """The window of a tensor of rows: a tile of the last two axes, the others one by one."""
        found = [Side(1, steps[axis], None, 0, ((name, 1),)) for axis, name in enumerate(names)]
        if outer >= 0:
            found.append(Side(rows, steps[-2], sizes[-2], 0, ((ROW, rows),)))
        else:
            found.append(Side(1, 1, 1, 0, ((ALONE, 1),)))
        width = columns // group_
        found.append(Side(width, steps[-1], sizes[-1], 0, ((COLUMN, width),)))
        return found

    quantised = _dense(values, 1).with_scale(_dense(scales, 1))
    load = strided(access.buffer, sides(access.sizes, access.strides, 1), offset=access.offset)
    words: list[Node] = [
        Word("copy", "LD0", {"d": _dense(tile), "a": load}),
        Word("quantise", "TVP", {"d": quantised, "a": _dense(tile, 1)}, fields={"rule": "floor"}),
    ]
    for result, buffer, part in zip(op.results, (values, scales), (1, GROUP), strict=True):
        target = group.outputs.get(result)
        if target is not None:
            shape = result.type.shape
            view = strided(target, sides(shape, strides(shape), part), drop=True)
            words.append(Word("copy", "ST", {"d": view, "a": _dense(buffer)}))
    for word in words:
        assert isinstance(word, Word)
        word.location = op.location
    return _looped(group, op, words, [tile, values, scales], names, (rows, columns))


def _dense(buffer: Buffer, split: int = 2) -> View:
    height, width = buffer.shape
    return strided(buffer, [Side(height, width), Side(width, 1)], split)


def _looped(
    group: Group,
    op: Op,
    words: list[Node],
    buffers: list[Buffer],
    names: list[str],
    tile: tuple[int, int],
) -> Kernel:
    shape = op.results[0].type.shape
    tiles = instances(group.machine, "gtile")
    loops = [Loop(name, shape[axis]) for axis, name in enumerate(names)]
    if len(shape) > 1:
        loops.append(Loop(ROW, -(-shape[-2] // (tile[0] * tiles)), "gtile"))
    else:
        loops.append(Loop(ALONE, 1, "gtile"))
    loops.append(Loop(COLUMN, -(-shape[-1] // tile[1])))
    loops[-1].body, loops[-1].buffers = words, buffers
    for around, inner in pairwise(loops):
        around.body = [inner]
    return Kernel(group.name, [loops[0]], location=op.location, title="block_quantize")
