"""What a group computes, as expressions over tiles, before it is cut into words.

An expression is a function of a chain (a *stage*), a tile that is there already (a *leaf*), or
something that takes a word of its own (a *special*: reduction, conversion, sort ...).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.model import Buffer


@dataclass(eq=False)
class Tile:
    """Elements in a tile's memory: the stride of each dim that they have, in elements; a tile of
    coordinates has the steps of the coordinate instead. With ``fill`` all elements are that
    number."""

    buffer: Buffer
    dims: tuple[int, ...]
    strides: dict[int, int]
    dtype: str = ""
    terms: tuple[tuple[str, int], ...] = ()
    fill: float | None = None

    @property
    def type(self) -> str:
        """The element type it is read as."""
        return self.dtype or self.buffer.dtype


@dataclass(eq=False)
class Expr:
    """``op`` is a stage, ``leaf``, or the kind of a word. ``compute`` is the type that a chain
    computes in, ``store`` that of the elements where they are kept; ``dims`` in the order of the
    layout. ``forced`` results are always kept, since keeping them rounds. ``uses`` counts who
    reads it."""

    op: str
    inputs: tuple[Expr | float, ...]
    dims: tuple[int, ...]
    compute: str
    store: str
    fields: dict[str, object] = field(default_factory=dict)
    forced: bool = False
    uses: int = 0
    tile: Tile | None = None
    more: tuple[Tile, ...] = ()

    @property
    def stage(self) -> bool:
        """Whether a chain can compute it."""
        return bool(self.compute) and self.tile is None and self.op != "leaf"

    def reads(self) -> list[Expr]:
        """The expressions among the inputs."""
        return [x for x in self.inputs if isinstance(x, Expr)]


def leaf(tile: Tile) -> Expr:
    """An expression for elements that are there."""
    return Expr("leaf", (), tile.dims, "", tile.type, tile=tile)


def constant(value: float, compute: str) -> Expr:
    """A number as an operand: a coordinate outside of a box, which reads as the fill value."""
    dtype = compute if compute in ("fp32", "int64") else "int32"
    return leaf(Tile(Buffer("number", dtype, (1,), "iota"), (), {}, fill=value))


def compute_type(dtype: str) -> str:
    """The type in which a chain computes elements of a type: fp32, or integers."""
    element = ELEMENTS[dtype]
    if element.is_float:
        return "fp32"
    if element.kind == "bool":
        return "int8"
    return {"int4": "int8", "uint4": "uint8"}.get(dtype, dtype)


def stored(dtype: str) -> str:
    """The type in which results of a chain are kept inside a kernel: floats in fp32."""
    return "fp32" if ELEMENTS[dtype].is_float else dtype
