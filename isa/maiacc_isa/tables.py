"""What words refer to: descriptors, chains, semaphores and masks."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.load import load


@dataclass(frozen=True)
class Axis:
    """Coordinates 0 to extent-1, `stride` apart (bytes; bits for types below 8 bits); the
    window's origin lies at `start`."""

    extent: int
    stride: int
    start: int = 0


@dataclass(frozen=True)
class Dim:
    """`size` indices, each moving the coordinate of `axis` by `step`."""

    size: int
    axis: int
    step: int = 1


@dataclass(frozen=True)
class Term:
    """`coef` times the value of source `source` (a code), added to `target` (a label)."""

    source: int
    target: str
    coef: int


@dataclass(frozen=True)
class Sized:
    """The value of scalar register `reg` replaces `what` (a label of the enum `sized`)."""

    reg: int
    what: str


@dataclass(frozen=True)
class Descriptor:
    """An immutable affine view of a tensor; see the manual's chapter on descriptors.

    `scale` and `meta` are numbers of descriptors of the same block.
    """

    space: str
    dtype: str
    base: int
    axes: tuple[Axis, ...]
    dims: tuple[Dim, ...]
    split: int
    terms: tuple[Term, ...] = ()
    sized: tuple[Sized, ...] = ()
    home: str = "own"
    drop: bool = False
    scale: int | None = None
    meta: int | None = None
    fill: int = 0

    def size_reg(self, dim: int) -> int | None:
        """The scalar register that gives a window dim its size, if one does."""
        return next((s.reg for s in self.sized if s.what == f"size{dim}"), None)

    def extent_reg(self, axis: int) -> int | None:
        """The scalar register that gives an axis its extent, if one does."""
        return next((s.reg for s in self.sized if s.what == f"extent{axis}"), None)


@dataclass(frozen=True)
class Step:
    """A stage of a chain: function, inputs (labels of the enum `operand`), immediate bits."""

    op: str
    inputs: tuple[str, ...]
    imm: int = 0


@dataclass(frozen=True)
class Chain:
    """One to three stages, a type to compute in, and how results leave."""

    dtype: str
    steps: tuple[Step, ...]
    stat: str = "none"
    saturate: bool = False
    zero_div: bool = False
    round: str = "rne"

    @property
    def inputs(self) -> int:
        """How many of the operands a, b, c the chain reads, counted from a."""
        used = {name for step in self.steps for name in step.inputs}
        return max((i + 1 for i, name in enumerate("abc") if name in used), default=0)

    @property
    def cost(self) -> int:
        """Stages the vector unit performs for one element."""
        return sum(load().stages[step.op].cost for step in self.steps)


@dataclass(frozen=True)
class Semaphore:
    """A semaphore of a block: who posts, who waits, how far, and the tokens at the start."""

    poster: str
    waiter: str
    scope: str
    init: int = 0
    origin: int = 0


@dataclass(frozen=True)
class Mask:
    """A set of instances, by number."""

    members: frozenset[int]
