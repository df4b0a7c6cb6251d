"""Transposed convolutions, as one plain convolution for each residue of places modulo the stride.

Along an axis with stride s and dilation d, the result's cell f, pads counted, is met by tap k of
the cell i of x where f = s i + d k. Cells with one residue f mod s are met by every so many-th tap:

    s = 2, d = 1, three taps     even cells: taps 0 and 2        odd cells: tap 1
    y[2 q]     = x[q] w[0] + x[q - 1] w[2]
    y[2 q + 1] = x[q] w[1]

So each residue is a convolution with stride 1 of some taps, backwards, whose results lie s apart.
Where no tap meets the cells of a residue, they are the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.ops import OPS
from maiacc_passes.kernel.model import Kernel, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access, reshaped, whole
from maiacc_passes.lowering.chunked_alone import copied, dense_input, grouped
from maiacc_passes.lowering.chunked_fit import around, fitting_tiles
from maiacc_passes.lowering.chunked_words import chain_type, moved, span, started
from maiacc_passes.lowering.convolutions import MOST, lower_convolution
from maiacc_passes.lowering.fitting import fitting, unless_too_large
from maiacc_passes.lowering.group import Group
from maiacc_passes.lowering.recipes import unsupported
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.lowering.transposed_joined import Joined, dtype_of, tilings_of
from maiacc_passes.lowering.transposed_kernel import JoinedMaker
from maiacc_passes.lowering.transposed_residues import Residue, residues

#: Types that a drain writes, and residues that are computed in one tile.
WRITTEN, FEW = frozenset({"fp32", "bf16", "fp16"}), 16


def joined_kernel(job: Joined, machine: Machine, name: str) -> Kernel | None:
    """The kernel; None where there is none that fits, or residues are too many."""
    dtype = job.op.result.type.dtype
    whole = all(len(way) == s for way, s in zip(job.ways, job.strides, strict=True))
    few = prod(job.strides) <= FEW
    met = all(any(cell.taps for cell in way) for way in job.ways)
    rate = machine.kchunk(dtype_of(job.w), dtype_of(job.x))
    if dtype not in WRITTEN or not (whole and few and met) or not rate:
        return None

    def make(tiling: Tiling) -> Kernel:
        return JoinedMaker(job, tiling).kernel(name)

    return unless_too_large(lambda: fitting(machine, tilings_of(job, machine, rate), make))


def lower_transposed(group: Group, op: Op) -> list[Kernel]:
    """The kernels of a transposed convolution. Raises ``IRError`` E1502, E1505."""
    value = op.operands[0]
    assert value is not None
    rank = value.type.rank - 2
    if rank > MOST:
        raise unsupported(op, f"windows over more than {MOST} axes")
    (target,) = group.outputs.values()
    result = whole(target, op.result.type.shape)
    x = dense_input(group, op)
    w, kernels = _kernel(group, op)
    bias = None if op.operand(2) is None else dense_input(group, op, 2)
    axes = zip(
        op.result.type.shape[2:],
        w.sizes[2:],
        op.ints("strides"),
        op.ints("dilations"),
        op.ints("pads"),
        strict=False,
    )
    ways = [list(residues(*axis)) for axis in axes]
    if op.attrs["groups"] == 1 and value.type.size and w.sizes[1]:
        rows = tuple(map(tuple, ways))
        job = Joined(op, x, w, bias, result, rows, op.ints("strides"))
        found = joined_kernel(job, group.machine, group.name)
        if found is not None:
            return [*kernels, found]
    for number, cells in enumerate(product(*ways)):
        part = _part(result, cells, op.ints("strides"))
        name = f"{group.name}.{number}"
        if not all(cell.taps for cell in cells) or not value.type.size or not w.sizes[1]:
            kernels.append(_untouched(group, op, part, bias, name))
            continue
        plain = _convolution(op, cells)
        given = [x, _taps(w, cells)]
        if bias is not None:
            given.append(bias)
        made, inner = grouped(group, name, plain, given, [target], part)
        kernels += lower_convolution(made, inner)
    return kernels


def _convolution(op: Op, cells: Sequence[Residue]) -> Op:
    """The plain convolution of one residue for each axis: where x starts is a pad."""
    rank = len(cells)
    attrs = {
        "strides": (1,) * rank,
        "dilations": tuple(cell.dilation for cell in cells),
        "pads": (*(-cell.start for cell in cells), *(0,) * rank),
        "groups": op.attrs["groups"],
        "to": "",
    }
    return Op(OPS["conv"], op.operands, attrs, [op.result.type], (), op.location)


def _kernel(group: Group, op: Op) -> tuple[Access, list[Kernel]]:
    """The kernel as [O, C/groups, ...], and kernels that copy it if strides cannot say that."""
    value = op.operands[1]
    assert value is not None
    groups = op.attrs["groups"]
    assert isinstance(groups, int)
    rank = value.type.rank
    w = dense_input(group, op, 1)
    if groups == 1 and value.weight is not None and value.type.element.bits >= 8:
        # A constant lies as it is summed, channels last.
        w = group.relaid(value, (1, *range(2, rank), 0))
    deep, each = value.type.shape[0] // groups, value.type.shape[1]
    spatial = value.type.shape[2:]
    split = Access(
        w.buffer,
        (groups, each, deep, *spatial),
        (w.strides[0] * deep, w.strides[1], w.strides[0], *w.strides[2:]),
        w.offset,
        w.dtype,
    )
    shape = (groups * each, deep, *spatial)
    steps = reshaped(split.sizes, split.strides, shape)
    if steps is not None:
        return replace(split, sizes=shape, strides=steps), []
    dense, kernels = copied(group, op, split, f"{group.name}.w")
    return whole(dense.buffer, shape), kernels


def _taps(w: Access, cells: Sequence[Residue]) -> Access:
    """The taps of residues, backwards."""
    sizes, steps, offset = list(w.sizes), list(w.strides), w.offset
    for axis, cell in enumerate(cells, 2):
        sizes[axis] = cell.taps
        offset += cell.tap * w.strides[axis]
        steps[axis] = -cell.apart * w.strides[axis]
    return replace(w, sizes=tuple(sizes), strides=tuple(steps), offset=offset)


def _part(result: Access, cells: Sequence[Residue], strides: Sequence[int]) -> Access:
    """The cells of residues."""
    sizes, steps, offset = list(result.sizes), list(result.strides), result.offset
    for axis, (cell, stride) in enumerate(zip(cells, strides, strict=True), 2):
        sizes[axis] = cell.size
        offset += cell.first * result.strides[axis]
        steps[axis] = stride * result.strides[axis]
    return replace(result, sizes=tuple(sizes), strides=tuple(steps), offset=offset)


def _untouched(group: Group, op: Op, part: Access, bias: Access | None, name: str) -> Kernel:
    """A kernel that writes the bias, or zeros, to cells that no tap meets."""
    element = op.result.type.element
    location = op.location

    def make(tiling: Tiling) -> Kernel:
        made = span("y", element.name, tiling.tiles)
        words, buffers = [], [made.buffer]
        if bias is None:
            words.append(started(location, made.view(), 0.0, element))
        else:
            line = span("bias", bias.buffer.dtype, (tiling.tiles[1],))
            buffers.append(line.buffer)
            source = strided(bias.buffer, [tiling.side(1, bias.strides[0])], offset=bias.offset)
            words.append(Word("copy", "LD0", {"d": line.view(), "a": source}, location=location))
            along = [Side(n, int(axis == 1)) for axis, n in enumerate(tiling.tiles)]
            shown = strided(line.buffer, along)
            words.append(moved(location, made.view(), shown, chain_type(element)))
        sides = [tiling.side(axis, step) for axis, step in enumerate(part.strides)]
        guards = tiling.guards(range(len(sides)))
        target = strided(part.buffer, [*guards, *sides], offset=part.offset, drop=True)
        words.append(Word("copy", "ST", {"d": target, "a": made.view()}, location=location))
        return around(tiling, name, op.name, location, words, buffers)

    return fitting_tiles(group.machine, part.sizes, group.machine.space_bytes("tsram") // 16, make)
