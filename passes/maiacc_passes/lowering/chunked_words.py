"""Words and views of kernels that are not made from expressions: reductions in chunks, windows,
scans, sorts.

A *span* is a tile's memory as rows of some sizes; ``view`` shows it in any order of its dims.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from maiacc_passes.ir.graph import Location, Op, Value
from maiacc_passes.ir.types import ELEMENTS, Element
from maiacc_passes.ir.vocabulary.reductions import highest, lowest
from maiacc_passes.kernel.model import Axis, Buffer, Chain, Dim, Stage, Term, View, Word
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.recipes import unsupported

#: A coordinate that no axis has.
FAR = 1 << 31


@dataclass(frozen=True)
class Span:
    """A buffer of a tile, dense, and the sizes of its dims."""

    buffer: Buffer
    sizes: tuple[int, ...]

    def strides(self) -> tuple[int, ...]:
        """Elements between neighbours along each dim."""
        return tuple(prod(self.sizes[d + 1 :]) for d in range(len(self.sizes)))

    def view(self, split: int | None = None, order: Sequence[int] | None = None) -> View:
        """All elements, with the dims in an order, so many of them rows."""
        steps = self.strides()
        dims = range(len(self.sizes)) if order is None else order
        return strided(self.buffer, [Side(self.sizes[d], steps[d]) for d in dims], split)


def span(name: str, dtype: str, sizes: Sequence[int]) -> Span:
    """A new buffer of a tile."""
    buffer = Buffer(name, dtype, tuple(sizes) or (1,), "tsram")
    return Span(buffer, tuple(sizes))


def number(count: int, dtype: str, value: float = 0.0, rows: int = 0) -> View:
    """A number as an operand, repeated: a coordinate outside of its box."""
    dims = (Dim(rows, 0, 0), Dim(count, 0, 0)) if rows else (Dim(count, 0, 0),)
    kind = dtype if dtype in ("fp32", "int64") else "int32"
    return View(Buffer("number", kind, (1,), "iota"), (Axis(1, 0, -1),), dims, 1, fill=value)


def coordinates(
    dims: Sequence[tuple[int, int]],
    terms: Sequence[Term] = (),
    start: int = 0,
    dtype: str = "int32",
) -> View:
    """Numbers that grow by a step along each dim, given as sizes and steps."""
    axis = Axis(FAR, 0, start, tuple(terms))
    made = tuple(Dim(size, 0, step) for size, step in dims) or (Dim(1, 0, 0),)
    return View(Buffer("iota", dtype, (1,), "iota"), (axis,), made, len(made))


def mapped(
    location: Location,
    d: View,
    dtype: str,
    stages: Sequence[tuple[str, tuple[str | float, ...]]],
    **operands: View,
) -> Word:
    """A word of the vector unit for a chain."""
    views = {"d": d, "a": operands.pop("a", number(d.size, dtype)), **operands}
    chain = Chain(dtype, tuple(Stage(*stage) for stage in stages))
    return Word("map", "TVP", views, chain, location=location)


def moved(location: Location, d: View, a: View, dtype: str) -> Word:
    """A word that converts elements to the type of where they go."""
    return mapped(location, d, dtype, [("mov", ("a",))], a=a)


def started(location: Location, d: View, value: float, element: Element) -> Word:
    """A word that sets elements to a number, or to an end of a type's range."""
    dtype = chain_type(element)
    stages: list[tuple[str, tuple[str | float, ...]]] = [("mov", (float(value),))]
    if element.bits == 64 and element.is_int:
        # Immediates have 32 bits: 1 << 63 is the lowest, its complement the highest number.
        if value == float(lowest(element)) and element.kind == "int":
            stages = [("mov", (1.0,)), ("shl", ("r0", 63.0))]
        elif value == float(highest(element)):
            stages = [("mov", (0.0,)), ("not", ("r0",))]
            if element.kind == "int":
                stages = [("mov", (1.0,)), ("shl", ("r0", 63.0)), ("not", ("r1",))]
    return mapped(location, d, dtype, stages)


def copied(location: Location, d: View, a: View, queue: str = "LD0", weights: bool = False) -> Word:
    """A word that moves elements by DMA."""
    return Word("copy", queue, {"d": d, "a": a}, location=location, weights=weights)


def masked(location: Location, span: Span, sides: Sequence[Side], other: Buffer) -> Word:
    """A word that sets what lies outside of the boxes of a load to a number in memory."""
    axes: list[Axis] = []
    dims: list[Dim] = []
    for side in sides:
        if side.extent is None:
            dims.append(Dim(side.size, 0, 0))
        else:
            dims.append(Dim(side.size, len(axes), 1))
            axes.append(Axis(side.extent, 0, side.start, side.terms))
    box = View(Buffer("box", "bool", (1,), "iota"), tuple(axes), tuple(dims), len(dims))
    fill = strided(other, [Side(size, 0) for size in span.sizes])
    views = {"d": span.view(), "a": span.view(), "b": fill, "c": box}
    return Word("choose", "TVP", views, None, {"other": True}, location)


def grown(location: Location, made: Span, dims: Sequence[tuple[int, int]]) -> list[Word]:
    """Words that write numbers that grow by any step along each dim, given as sizes and steps;
    steps of a view have 16 bits."""
    words: list[Word] = []
    for axis, (_, step) in enumerate(dims):
        place = coordinates([(n, int(d == axis)) for d, (n, _) in enumerate(dims)])
        stages: list[tuple[str, tuple[str | float, ...]]] = [("mul", ("a", float(step)))]
        operands = {"a": place}
        if axis:
            stages = [("mul", ("b", float(step))), ("add", ("a", "r0"))]
            operands = {"a": made.view(), "b": place}
        words.append(mapped(location, made.view(), "int32", stages, **operands))
    return words


def chain_type(element: Element) -> str:
    """The type in which a chain computes elements: fp32 or integers."""
    if element.is_float:
        return "fp32"
    return "int8" if element.kind == "bool" else element.name


def fits_number(element: Element, value: float) -> bool:
    """Whether a view can have a number as its fill value: they have 32 bits."""
    return not (element.is_int and element.bits == 64) or -(1 << 31) <= value < 1 << 31


def checked_type(op: Op, value: Value) -> Element:
    """The element type of a value, if words of the vector unit read it. Raises ``IRError``."""
    element = ELEMENTS[value.type.dtype]
    if element.name in ("fp64", "e8m0") or element.bits < 8:
        raise unsupported(op, f"{element.name} is no type of the vector unit")
    return element
