"""Kernels that move values around control flow: copies, zeros, and scalars that become elements.

    LD0 copy %l0[512] <- @h[512*i0]
    ST  copy @next[512*i0] <- %l0           each item has loops of its own, in one kernel

What a kernel writes, no other tile may read in it: items of one kernel do not depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Location
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Node, Word
from maiacc_passes.kernel.plan import Scalar
from maiacc_passes.kernel.views import strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.cutting import cuts
from maiacc_passes.lowering.expr import Expr, Tile, leaf
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.lowering.writer import Writer

#: Items of one kernel.
MOST = 12


@dataclass(frozen=True)
class Move:
    """Where elements go, and where they are: an access of as many elements, the number that a
    scalar is, or None for zeros."""

    target: Access
    source: Access | Scalar | None


def moving(name: str, moves: Sequence[Move], machine: Machine, location: Location) -> list[Kernel]:
    """Kernels for moves that do not depend on each other."""
    moves = [move for move in moves if move.target.buffer.size]
    found = []
    for start in range(0, len(moves), MOST):
        kernel = Kernel(f"{name}.{start}" if start else name, location=location)
        for number, move in enumerate(moves[start : start + MOST]):
            _item(kernel, f"m{number}.", move, machine)
        kernel.title = "moves"
        found.append(kernel)
    return found


def _item(kernel: Kernel, prefix: str, move: Move, machine: Machine) -> None:
    """Adds the loops and words of a move to a kernel."""
    sizes, target, source = _dims(move)
    tiling = _tiling(machine, sizes, target)
    writer = Writer(tiling)
    writer.location = kernel.location
    dims = tuple(range(len(sizes)))
    if isinstance(source, Access):
        writer.store(writer.load(source, dims, "LD0"), target, dims)
    elif source is None:
        _zeros(writer, target, dims)
    else:
        _number(writer, target, source)
    body: list[Node] = [*(word for word, _ in writer.loads), *writer.words]
    buffers = [*(buffer for _, buffer in writer.loads), *writer.buffers]
    for loop in reversed(tiling.loops()):
        loop.body, loop.buffers = body, buffers
        body, buffers = [loop], []
    kernel.body += body
    kernel.buffers += buffers


def _dims(move: Move) -> tuple[tuple[int, ...], Access, Access | Scalar | None]:
    """The dims of a move: one where all elements lie in the same order on both sides."""
    target, source = move.target, move.source
    if not isinstance(source, Access):
        return (target.buffer.size,), _flat(target), source
    if target.dense and source.dense and not source.dtype and not target.dtype:
        return (target.buffer.size,), _flat(target), _flat(source)
    kept = [axis for axis, size in enumerate(source.sizes) if size > 1]
    return (
        tuple(source.sizes[axis] for axis in kept),
        _axes(target, kept),
        _axes(source, kept),
    )


def _flat(access: Access) -> Access:
    return Access(access.buffer, (access.buffer.size,), (1,))


def _axes(access: Access, kept: Sequence[int]) -> Access:
    sizes = tuple(access.sizes[axis] for axis in kept)
    strides = tuple(access.strides[axis] for axis in kept)
    return Access(access.buffer, sizes, strides, access.offset, access.dtype)


def _tiling(machine: Machine, sizes: Sequence[int], target: Access) -> Tiling:
    """The cheapest tiling; a tile's elements fit twice, and one DMA word."""
    width = max(1, target.buffer.element.bits // 8)
    room = min(machine.space_bytes("tsram") // (4 * MOST), DMA_BYTES) // width
    return next(cuts(machine, sizes, set(), room))


def _zeros(writer: Writer, target: Access, dims: tuple[int, ...]) -> None:
    tiling = writer.tiling
    sides = [tiling.side(d, target.strides[d]) for d in dims if target.sizes[d] > 1]
    view = strided(target.buffer, [*tiling.guards(dims), *sides], drop=True)
    word = Word("fill", "ST", {"d": view}, None, {"value": 0}, writer.location)
    writer.words.append(word)


def _number(writer: Writer, target: Access, scalar: Scalar) -> None:
    """A scalar as the coordinate of an element."""
    buffer = Buffer("iota", "int32", (1,), "iota")
    place = leaf(Tile(buffer, (), {}, terms=((scalar.name, 1),)))
    dtype = target.buffer.dtype
    number = Expr("mov", (place,), (), dtype, dtype)
    writer.count([number])
    writer.store(writer.get(number, (), dtype), target, (None,))
