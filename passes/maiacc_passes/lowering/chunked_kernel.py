"""The kernel of a reduction in chunks: accumulators outside of the loops over what is reduced."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import Element
from maiacc_passes.ir.vocabulary.reductions import highest, lowest
from maiacc_passes.kernel.limits import DMA_BYTES
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.chunked_fit import Nest
from maiacc_passes.lowering.chunked_words import (
    Span,
    chain_type,
    coordinates,
    fits_number,
    mapped,
    masked,
    moved,
    started,
)
from maiacc_passes.lowering.specials import REDUCTIONS
from maiacc_passes.lowering.tiling import Tiling, name_of

#: The variable of the loop that deals parts over tiles.
PART = "part"

Stages = list[tuple[str, tuple[str | float, ...]]]


@dataclass(frozen=True)
class Job:
    """What is reduced: kept axes and others, as sizes and strides. A ``partial`` one has a result
    for each tile; what is done ``again`` adds up sums of squares, and does not square."""

    op: Op
    access: Access
    element: Element
    target: Buffer
    kept: tuple[tuple[int, int], ...]
    gone: tuple[tuple[int, int], ...]
    partial: bool = False
    again: bool = False

    @property
    def function(self) -> str:
        """What a word computes."""
        name = REDUCTIONS[self.op.name]
        return "sum" if name == "sumsq" and self.again else name

    @property
    def position(self) -> bool:
        """Whether the result is where something is."""
        return self.function.startswith("arg")

    @property
    def identity(self) -> float:
        """What changes nothing."""
        name = self.function
        if name in ("max", "argmax"):
            return float(lowest(self.element))
        if name in ("min", "argmin"):
            return float(highest(self.element))
        return 1.0 if name == "prod" else 0.0

    @property
    def kind(self) -> str:
        """The type of accumulators."""
        return "fp32" if self.element.is_float else self.element.name


def reduction_kernel(job: Job, tiling: Tiling, name: str) -> Kernel:
    """The kernel. Raises ``IRError`` E1501, E1502."""
    return _Maker(job, tiling).kernel(name)


class _Maker(Nest):
    def __init__(self, job: Job, tiling: Tiling) -> None:
        super().__init__(job.op, tiling)
        self.job = job
        self.kept = range(len(job.kept))
        self.gone = range(len(job.kept), len(tiling.extents))
        outer = tuple((d, s) for d, s in tiling.order if d in self.kept)
        self.outer = Tiling(tiling.machine, tiling.extents, tiling.tiles, outer)
        self.sizes = [tiling.tiles[d] for d in self.kept]

    def kernel(self, name: str) -> Kernel:
        """The kernel."""
        job = self.job
        acc = self.span("acc", job.kind, self.sizes)
        where = self.span("at", "int32", self.sizes) if job.position else None
        self.words.append(started(self.location, acc.view(), job.identity, acc.buffer.element))
        if where is not None:
            self.words.append(started(self.location, where.view(), 0.0, where.buffer.element))
        outer, declared = self.words, self.buffers
        self.words, self.buffers = [], []
        self._chunk(acc, where)
        outer += self._loops()
        self.words, self.buffers = outer, declared
        self._store(acc if where is None else where)
        kernel = Kernel(name, location=self.location, title=job.op.name)
        body, buffers = kernel.body, kernel.buffers
        loops = [Loop(PART, 1, "gtile")] if job.partial else self.outer.loops()
        if job.partial:
            loops += [loop for loop in self.outer.loops() if loop.variable != "alone"]
        for loop in loops:
            body.append(loop)
            body, buffers = loop.body, loop.buffers
        body += self.words
        buffers += self.buffers
        return kernel

    def _loops(self) -> list[Node]:
        """The loops over what is reduced, around what is there."""
        body, buffers = self.words, self.buffers
        for d, spread in reversed([x for x in self.tiling.order if x[0] in self.gone]):
            body = [Loop(name_of(d), self.tiling.trips(d), spread, body, buffers)]
            buffers = []
        if buffers:
            body = [Loop("once", 1, "", body, buffers)]
        return body

    # ---- a chunk --------------------------------------------------------------------------------
    def _chunk(self, acc: Span, where: Span | None) -> None:
        job = self.job
        if not prod(self.tiling.tiles):
            return
        rows = self._load()
        split = len(self.kept)
        part = self.span("p", job.kind, self.sizes)
        self._reduce(part, rows.view(split), job.function.removeprefix("arg"))
        kind = chain_type(acc.buffer.element)
        if where is None:
            name = {"sum": "add", "sumsq": "add", "prod": "mul"}.get(job.function, job.function)
            self._map(acc.view(), kind, [(name, ("a", "b"))], a=acc.view(), b=part.view())
            return
        place = self.span("i", "int32", self.sizes)
        self._reduce(place, rows.view(split), job.function)
        self._better(acc, where, part, place)

    def _load(self) -> Span:
        job, tiling = self.job, self.tiling
        steps = [stride for _, stride in (*job.kept, *job.gone)]
        sides = [tiling.side(d, step) for d, step in enumerate(steps)]
        made = self.span("x", job.element.name, [side.size for side in sides])
        if made.buffer.bytes > DMA_BYTES:
            raise IRError("E1502", "a chunk is larger than a transfer", nodes=self.location.nodes)
        plain = fits_number(job.element, job.identity)
        order = sorted(range(len(sides)), key=lambda d: (-abs(steps[d]), d))
        source = strided(
            job.access.buffer,
            [sides[d] for d in order],
            offset=job.access.offset,
            fill=job.identity if plain else 0.0,
            dtype=job.access.dtype,
        )
        target = made.view(None, order)
        self.words.append(Word("copy", "LD0", {"d": target, "a": source}, location=self.location))
        if not plain and any(tiling.ragged(d) for d in self.gone):
            end = self.span("end", job.element.name, ())
            self.words.append(started(self.location, end.view(), job.identity, job.element))
            self.words.append(masked(self.location, made, sides, end.buffer))
        return made

    def _reduce(self, d: Span, a: View, name: str) -> None:
        fields: dict[str, object] = {"op": name}
        views = {"d": d.view(), "a": a}
        self.words.append(Word("reduce", "TVP", views, None, fields, self.location))

    def _map(self, d: View, kind: str, stages: Stages, **operands: View) -> None:
        self.words.append(mapped(self.location, d, kind, stages, **operands))

    def _better(self, acc: Span, where: Span, part: Span, place: Span) -> None:
        """Takes what a chunk has if it is better, or the first NaN."""
        kind = chain_type(acc.buffer.element)
        new = self.span("new", "bool", self.sizes)
        views = {"a": acc.view(), "b": part.view()}
        order: tuple[str | float, ...] = ("a", "b") if self.job.function == "argmax" else ("b", "a")
        self._map(
            new.view(), kind, [("lt", order), ("ne", ("b", "b")), ("max", ("r0", "r1"))], **views
        )
        kept: Stages = [("eq", ("a", "a")), ("mul", ("r0", "b"))]
        self._map(new.view(), kind, kept, a=acc.view(), b=new.view())
        chosen: Stages = [("select", ("c", "b", "a"))]
        self._map(acc.view(), kind, chosen, **views, c=new.view())
        ((d, spread),) = [x for x in self.tiling.order if x[0] in self.gone] or [(-1, "")]
        assert not spread, "positions are found one chunk after the other"
        terms = ((name_of(d), self.tiling.tiles[d]),) if d >= 0 else ()
        start = coordinates([(n, 0) for n in self.sizes], terms)
        self._map(place.view(), "int32", [("add", ("a", "b"))], a=place.view(), b=start)
        views = {"a": where.view(), "b": place.view(), "c": new.view()}
        self._map(where.view(), "int32", chosen, **views)

    # ---- results --------------------------------------------------------------------------------
    def _store(self, found: Span) -> None:
        job, target = self.job, self.job.target
        if job.position and job.op.attrs["last"]:
            last = float(job.gone[0][0] - 1) if job.gone else 0.0
            self._map(found.view(), "int32", [("sub", (last, "a"))], a=found.view())
        if found.buffer.dtype != target.dtype:
            made = self.span("y", target.dtype, found.sizes)
            kind = "int64" if job.position else chain_type(target.element)
            self.words.append(moved(self.location, made.view(), found.view(), kind))
            found = made
        sizes = [n for n, _ in job.kept]
        steps = [prod(sizes[d + 1 :]) for d in self.kept]
        sides = [self.outer.side(d, step) for d, step in zip(self.kept, steps, strict=True)]
        if job.partial:
            sides.insert(0, Side(1, prod(sizes), target.shape[0], 0, ((PART, 1),)))
        else:
            sides = [*self.outer.guards(self.kept), *sides]
        views = {"d": strided(target, sides, drop=True), "a": found.view()}
        self.words.append(Word("copy", "ST", views, location=self.location))
