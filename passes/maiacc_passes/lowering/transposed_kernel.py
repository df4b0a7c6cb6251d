"""The kernel of a transposed convolution whose residues are computed in one tile."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from maiacc_passes.kernel.model import Buffer, Chain, Kernel, Loop, Node, Stage, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.chunked_words import Span, moved, span, started
from maiacc_passes.lowering.operands import Operand, steps_of
from maiacc_passes.lowering.tiling import Tiling, name_of
from maiacc_passes.lowering.transposed_joined import (
    BATCH,
    CELLS,
    OUT,
    Joined,
    dtype_of,
    operands_of,
    sizes_of,
)
from maiacc_passes.lowering.transposed_residues import Residue

ADDED = Chain("fp32", (Stage("add", ("a", "b")),))
MOVED = Chain("fp32", (Stage("mov", ("a",)),))


class JoinedMaker:
    """Makes the kernel of one tiling."""

    def __init__(self, job: Joined, tiling: Tiling) -> None:
        self.job = job
        self.tiling = tiling
        self.location = job.op.location
        self.x, self.w = operands_of(job)
        self.channel = CELLS + job.rank
        self.sums = self.channel in tiling.spreads
        outer = tuple(x for x in tiling.order if x[0] != self.channel)
        self.outer = Tiling(tiling.machine, tiling.extents, tiling.tiles, outer)
        self.cells = [tiling.tiles[CELLS + axis] for axis in range(job.rank)]

    def kernel(self, name: str) -> Kernel:
        """The kernel. Raises ``IRError`` E1501."""
        job, tiling = self.job, self.tiling
        x = Buffer("x", self.x.dtype, self.x.shape(tiling), "tsram")
        w = Buffer("w", self.w.dtype, self.w.shape(tiling), "tsram")
        load_x = self.x.load(tiling, x, "LD0", False, self.location)
        constant = job.w.buffer.kind == "weight"
        load_w = self.w.load(tiling, w, "LD1", constant, self.location)
        products, accs = self._products(x, w)
        words: list[Node] = [load_w, load_x, *products]
        buffers = [x, w]
        if self.sums:
            loop = Loop(name_of(self.channel), tiling.trips(self.channel), "", words, buffers)
            words, buffers = [loop], []
        more, made = self._results(accs)
        words += more
        buffers += [*accs.values(), *made]
        kernel = Kernel(name, location=self.location, title=job.op.name)
        body, declared = kernel.body, kernel.buffers
        for loop in self.outer.loops():
            body.append(loop)
            body, declared = loop.body, loop.buffers
        body += words
        declared += buffers
        if not self.sums:
            self._hoist(kernel, load_w, w)
        kernel.macs = job.op.row.macs(job.op) if job.op.row.macs is not None else 0
        return kernel

    def _hoist(self, kernel: Kernel, load: Word, buffer: Buffer) -> None:
        """Puts the load of the kernel into the loop over result channels, or in front of all."""
        loops = [node for node in kernel.body if isinstance(node, Loop)]
        inner = loops[0]
        while deeper := [n for n in inner.body if isinstance(n, Loop)]:
            inner = deeper[0]
        inner.body.remove(load)
        inner.buffers.remove(buffer)
        first = loops[0]
        if first.variable == name_of(OUT):
            first.body.insert(0, load)
            first.buffers.append(buffer)
        else:
            kernel.body.insert(0, load)
            kernel.buffers.append(buffer)

    def _products(
        self, x: Buffer, w: Buffer
    ) -> tuple[list[Word], dict[tuple[Residue, ...], Buffer]]:
        """A product for each residue that taps meet."""
        block = self.tiling.machine.int("ttu.block")
        rows, columns = sizes_of(self.job, self.tiling)
        shape = (-(-rows // block) * block, -(-columns // block) * block)
        over = (name_of(self.channel),) if self.sums else ()
        words: list[Word] = []
        accs: dict[tuple[Residue, ...], Buffer] = {}
        for number, cells in enumerate(product(*self.job.ways)):
            if not all(cell.taps for cell in cells):
                continue
            acc = accs[cells] = Buffer(f"acc{number}", "fp32", shape, "acc")
            views = {
                "d": self._accumulators(acc),
                "a": self._kernel(w, cells),
                "b": self._window(x, cells),
            }
            fields: dict[str, object] = {"over": over, "mode": "first" if over else "over"}
            words.append(Word("multiply", "TTU", views, fields=fields, location=self.location))
        return words, accs

    def _accumulators(self, acc: Buffer) -> View:
        sides = [Side(n, s) for n, s in zip(self.cells, steps_of(self.cells), strict=True)]
        return strided(acc, [Side(self.tiling.tiles[OUT], acc.shape[1]), *sides], 1)

    def _steps(self, operand: Operand) -> dict[int, int]:
        steps: dict[int, int] = {}
        shape = operand.shape(self.tiling)
        for axis, step in zip(operand.order, steps_of(shape), strict=True):
            for dim in operand.axes[axis][0]:
                steps[dim] = step
        return steps

    def _kernel(self, w: Buffer, cells: Sequence[Residue]) -> View:
        """The taps of a residue, backwards: rows are result channels."""
        steps = self._steps(self.w)
        taps = [steps[self.channel + 1 + axis] for axis in range(len(cells))]
        offset = sum(cell.tap * step for cell, step in zip(cells, taps, strict=True))
        sums = [Side(self.tiling.tiles[self.channel], steps[self.channel])]
        sums += [
            Side(cell.taps, -cell.apart * step) for cell, step in zip(cells, taps, strict=True)
        ]
        row = Side(self.tiling.tiles[OUT], steps[OUT])
        return strided(w, [row, *sums], 1, offset=offset)

    def _window(self, x: Buffer, cells: Sequence[Residue]) -> View:
        """The cells that a residue's taps meet: rows are cells of the result."""
        steps = self._steps(self.x)
        along = [steps[CELLS + axis] for axis in range(len(cells))]
        first = [self.job.starts(axis)[0] for axis in range(len(cells))]
        offset = sum(
            (cell.start - low) * step for cell, low, step in zip(cells, first, along, strict=True)
        )
        rows = [Side(n, step) for n, step in zip(self.cells, along, strict=True)]
        sums = [Side(self.tiling.tiles[self.channel], steps[self.channel])]
        sums += [
            Side(cell.taps, cell.dilation * step) for cell, step in zip(cells, along, strict=True)
        ]
        return strided(x, [*rows, *sums], len(rows), offset=offset)

    # ---- results --------------------------------------------------------------------------------
    def _results(self, accs: dict[tuple[Residue, ...], Buffer]) -> tuple[list[Node], list[Buffer]]:
        """Accumulators drain into the cells of their residues; then these are stored."""
        job, tiling = self.job, self.tiling
        result = job.op.result.type.element
        sizes = [n * s for n, s in zip(self.cells, job.strides, strict=True)]
        y = span("y", result.name, (tiling.tiles[OUT], *sizes))
        words: list[Node] = []
        buffers = [y.buffer]
        bias: View | None = None
        if job.bias is not None:
            line = span("bias", dtype_of(job.bias), (tiling.tiles[OUT],))
            side = tiling.side(OUT, job.bias.strides[0])
            source = strided(job.bias.buffer, [side], offset=job.bias.offset)
            views = {"d": line.view(), "a": source}
            words.append(Word("copy", "LD1", views, location=self.location))
            buffers.append(line.buffer)
            wide = [Side(tiling.tiles[OUT], 1), *[Side(n, 0) for n in self.cells]]
            bias = strided(line.buffer, wide, 1)
        for cells in product(*job.ways):
            part = self._part(y, cells)
            if cells in accs:
                words.append(self._drain(part, self._accumulators(accs[cells]), bias))
            elif bias is not None:
                words.append(moved(self.location, part, bias, "fp32"))
            else:
                words.append(started(self.location, part, 0.0, result))
        words.append(self._store(y))
        return words, buffers

    def _drain(self, d: View, a: View, bias: View | None) -> Word:
        views = {"d": d, "a": a} if bias is None else {"d": d, "a": a, "b": bias}
        chain = MOVED if bias is None else ADDED
        return Word("drain", "DRN", views, chain, location=self.location)

    def _part(self, y: Span, cells: Sequence[Residue]) -> View:
        """The cells of a residue in a tile of the result."""
        steps = y.strides()
        firsts = zip(cells, steps[1:], strict=True)
        offset = sum(cell.first * step for cell, step in firsts)
        sides = [Side(y.sizes[0], steps[0])]
        sides += [
            Side(n, stride * step)
            for n, stride, step in zip(self.cells, self.job.strides, steps[1:], strict=True)
        ]
        return strided(y.buffer, sides, 1, offset=offset)

    def _store(self, y: Span) -> Word:
        job, tiling = self.job, self.outer
        result = job.result
        sides = [tiling.side(BATCH, result.strides[0]), tiling.side(OUT, result.strides[1])]
        for axis, stride in enumerate(job.strides):
            d = CELLS + axis
            size = tiling.tiles[d] * stride
            terms = ((name_of(d), size),) if d in tiling.spreads else ()
            extent = result.sizes[2 + axis]
            ends = tiling.ragged(d) or tiling.extents[d] * stride != extent
            step = result.strides[2 + axis]
            sides.append(Side(size, step, extent if ends else None, 0, terms))
        guards = tiling.guards(range(CELLS + job.rank))
        target = strided(
            result.buffer, [*guards, *sides], offset=result.offset, drop=True, dtype=result.dtype
        )
        views = {"d": target, "a": y.view()}
        return Word("copy", "ST", views, location=self.location)
