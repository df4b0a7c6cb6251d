"""What kernels consist of: buffers, views of them, words, loops.

A kernel is a tree of loops around words. A word does one thing to views of buffers, and becomes one
word of the machine. Buffers of a tile are declared in a loop's body and are fresh in every
iteration of it: how many of them exist at once, where they lie, and who waits for whom are decided
later, by placement and schedule. Executing words one by one in the order of the text is always a
legal execution, and the result is what that gives.

A view is affine: window dims move coordinates on axes; values of loop variables move the origin. A
coordinate outside an axis reads as the fill value; writing it is dropped where the view says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import prod

from maiacc_passes.ir.graph import NOWHERE, Location
from maiacc_passes.ir.types import ELEMENTS, Element
from maiacc_passes.kernel.cut import Cut

#: ``coef`` times the value of a loop variable.
Term = tuple[str, int]

#: Instances that a loop can be dealt over; "" is one after the other, in every tile.
SPREADS = ("", "tile", "cluster", "gtile")


@dataclass(frozen=True, eq=False)
class Buffer:
    """A piece of memory that holds elements of a type in row-major order.

    ``space`` is hbm, tsram, acc or iota. ``kind`` is input, output, weight or temp for HBM; buffers
    of a tile are temp. ``shared`` buffers of a tile are written for all tiles of a cluster at once.
    A buffer may be a part of another one in HBM, ``of``, which begins ``offset`` elements behind
    its start, moved by ``terms`` of scalars that outlive kernels: a row for each turn of a loop.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    space: str
    kind: str = "temp"
    shared: bool = False
    of: Buffer | None = None
    offset: int = 0
    terms: tuple[Term, ...] = ()

    @property
    def root(self) -> Buffer:
        """What it is a part of, or itself."""
        return self if self.of is None else self.of

    @property
    def element(self) -> Element:
        """The element type."""
        return ELEMENTS[self.dtype]

    @property
    def size(self) -> int:
        """How many elements there are."""
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        """What the elements take; rows of types below 8 bits are padded to whole bytes."""
        columns = self.shape[-1] if self.shape else 1
        return prod(self.shape[:-1]) * -(-columns * self.element.bits // 8)


@dataclass(frozen=True)
class Axis:
    """Coordinates 0 to extent - 1, ``stride`` elements apart. The window's origin lies at
    ``start`` plus the terms."""

    extent: int
    stride: int
    start: int = 0
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Dim:
    """``size`` indices, each moving the coordinate of axis number ``axis`` by ``step``."""

    size: int
    axis: int
    step: int = 1


@dataclass(frozen=True)
class View:
    """Elements of a buffer. The dims before ``split`` are rows, those from it on columns.

    ``offset`` and ``terms`` move the address itself, in elements. ``dtype``, if given, reads the
    bytes as another type of the same width. ``meta`` are the positions of 2:4 values, ``scale``
    the scales of groups.
    """

    buffer: Buffer
    axes: tuple[Axis, ...]
    dims: tuple[Dim, ...]
    split: int
    offset: int = 0
    terms: tuple[Term, ...] = ()
    fill: float = 0.0
    drop: bool = False
    dtype: str = ""
    meta: View | None = None
    scale: View | None = None

    def beside(self) -> Iterator[View]:
        """Views that belong to this one: positions, scales."""
        if self.meta is not None:
            yield self.meta
        if self.scale is not None:
            yield self.scale

    def with_scale(self, scale: View) -> View:
        """The elements with the scales of their groups."""
        return replace(self, scale=scale)

    def with_meta(self, meta: View) -> View:
        """The values of a 2:4 matrix, with their positions."""
        return replace(self, meta=replace(meta, dtype="sp24"))

    @property
    def rows(self) -> int:
        """Elements before the split."""
        return prod(dim.size for dim in self.dims[: self.split])

    @property
    def columns(self) -> int:
        """Elements from the split on."""
        return prod(dim.size for dim in self.dims[self.split :])

    @property
    def size(self) -> int:
        """How many elements the window has."""
        return self.rows * self.columns

    @property
    def type(self) -> str:
        """The element type it is read as."""
        return self.dtype or self.buffer.dtype

    def variables(self) -> set[str]:
        """The loop variables it depends on."""
        return {name for axis in self.axes for name, _ in axis.terms} | {n for n, _ in self.terms}


@dataclass(frozen=True)
class Stage:
    """A function of a chain. Inputs are ``a``, ``b``, ``c``, ``r0``, ``r1`` or a number."""

    op: str
    inputs: tuple[str | float, ...]


@dataclass(frozen=True)
class Chain:
    """At most three stages, computed in fp32 or an integer type, and how the result leaves."""

    dtype: str
    stages: tuple[Stage, ...]
    stat: str = "none"
    saturate: bool = False
    round: str = "rne"
    zero_div: bool = False

    @property
    def inputs(self) -> int:
        """How many of a, b, c it reads."""
        used = {name for stage in self.stages for name in stage.inputs}
        return max((i + 1 for i, name in enumerate("abc") if name in used), default=0)


#: What words do. Operands: ``d`` and ``e`` are written, ``a``, ``b`` and ``c`` are read.
KINDS: dict[str, str] = {
    "copy": "d = a, by DMA",
    "turn": "d = a with the last two dims exchanged, by DMA",
    "gather": "rows of a at indices b, by DMA",
    "scatter": "rows a into d at indices b, by DMA",
    "fill": "d = a constant, by DMA",
    "multiply": "d[m, n] (+)= a[m, k] b[n, k], by the tensor unit",
    "multiply_sparse": "the same with b in 2:4 form",
    "preset": "accumulators d = a",
    "drain": "d = chain(accumulators a, b, c)",
    "map": "d = chain(a, b, c)",
    "map_reduce": "d = chain(a, b, c), e = its statistic over columns",
    "reduce": "d[rows] = op over columns of a; b is what a carried reduction starts from",
    "convert": "d = a in another type",
    "choose": "d = a where c lies in its box, else b or the fill value of c",
    "iota": "d = coordinates on axis 0 of a",
    "topk": "d, e = the k best of each row of a, and where they are",
    "scan": "d = running op along the rows of a; b is what it starts from",
    "sort": "d, e = rows of a in order, and where they were; or the payload b",
    "pick": "elements of a at indices b",
    "put": "elements a into d at indices b",
    "quantise": "d = a in an MX format, with scales",
    "dequantise": "d = a times its scales",
    "sync": "waits and posts, and does nothing",
}

WRITTEN = ("d", "e")
READ = ("a", "b", "c")


@dataclass(eq=False)
class Word:
    """One thing done to views. ``fields`` are options of the kind; ``queue`` is where it is
    executed: LD0, LD1, CLD, ST, TTU, DRN or TVP. ``weights`` marks loads of constants, which need
    not wait for the kernel before. ``waits`` and ``posts`` name semaphores, once scheduled."""

    kind: str
    queue: str
    views: dict[str, View]
    chain: Chain | None = None
    fields: dict[str, object] = field(default_factory=dict)
    location: Location = NOWHERE
    weights: bool = False
    waits: list[str] = field(default_factory=list)
    posts: list[str] = field(default_factory=list)

    def reads(self) -> Iterator[View]:
        """The views it reads, what accumulates included."""
        for name in READ:
            if name in self.views:
                yield self.views[name]
                yield from self.views[name].beside()
        if self.kind in ("multiply", "multiply_sparse") and self.fields.get("mode") != "over":
            yield self.views["d"]
        if self.kind in ("put", "scatter"):
            yield self.views["d"]

    def writes(self) -> Iterator[View]:
        """The views it writes."""
        for name in WRITTEN:
            if name in self.views:
                yield self.views[name]
                yield from self.views[name].beside()


@dataclass(eq=False)
class Loop:
    """``trips`` iterations. Dealt over instances, the variable is the instance's number plus their
    count times the counter; otherwise it is the counter. ``buffers`` are fresh in each
    iteration. With ``pieces``, values from there on have nothing to do, and an instance need not
    come to them."""

    variable: str
    trips: int
    spread: str = ""
    body: list[Node] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    pieces: int = 0


Node = Word | Loop


@dataclass(eq=False)
class Kernel:
    """A phase of the program: everything in it happens after everything in the kernel before,
    but loads of weights.

    ``macs`` are the multiply-adds of the model that it does, ``padded`` those that its words do.
    ``cut`` is how its space was cut, if that was a choice, and ``dims`` what dims of it are called;
    ``layers`` are the nodes of each layer, if it stands for the kernels of several.
    """

    name: str
    body: list[Node] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    location: Location = NOWHERE
    macs: int = 0
    padded: int = 0
    title: str = ""
    cut: Cut | None = None
    dims: dict[int, str] = field(default_factory=dict)
    layers: list[tuple[str, ...]] = field(default_factory=list)


def words_of(nodes: Sequence[Node]) -> Iterator[Word]:
    """All words of a tree, in order."""
    for node in nodes:
        if isinstance(node, Word):
            yield node
        else:
            yield from words_of(node.body)


def loops_of(nodes: Sequence[Node]) -> Iterator[Loop]:
    """All loops of a tree, outer ones first."""
    for node in nodes:
        if isinstance(node, Loop):
            yield node
            yield from loops_of(node.body)
