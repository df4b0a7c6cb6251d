"""Words of the vector unit over lines of elements, for kernels that compute with indices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from maiacc_passes.ir.graph import NOWHERE, Location
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.kernel.model import (
    Axis,
    Buffer,
    Chain,
    Dim,
    Kernel,
    Loop,
    Node,
    Stage,
    Term,
    View,
    Word,
)
from maiacc_passes.kernel.views import Side, strided
from maiacc_passes.lowering.moves_places import FAR
from maiacc_passes.lowering.tiling import ALONE

#: A line of elements, or a view of something like it.
Line = Buffer | View


@dataclass
class Lines:
    """Collects words over lines, and the buffers that they make."""

    location: Location = NOWHERE
    words: list[Node] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)

    def new(self, dtype: str, size: int) -> Buffer:
        """A buffer for a line."""
        buffer = Buffer(f"v{len(self.buffers)}", dtype, (size,), "tsram")
        self.buffers.append(buffer)
        return buffer

    def add(self, kind: str, views: dict[str, View], **fields: object) -> None:
        """A word of the vector unit."""
        self.words.append(Word(kind, "TVP", views, None, fields, self.location))

    # ---- elementwise ------------------------------------------------------------------------
    def map(
        self,
        dtype: str,
        stages: Sequence[tuple[str | float, ...]],
        *inputs: Line,
        to: str = "",
        result: Line | None = None,
    ) -> Buffer:
        """A chain over lines; ``stages`` are names of functions and their inputs. Gives the buffer
        of the result, a new one of type ``to`` if none is given."""
        views = [line(x) for x in inputs]
        if result is None:
            result = self.new(to, views[0].size)
        made = tuple(Stage(str(name), tuple(xs)) for name, *xs in stages)
        word = Word("map", "TVP", {"d": line(result)}, Chain(dtype, made), {}, self.location)
        word.views.update(zip("abc", views, strict=False))
        self.words.append(word)
        return word.views["d"].buffer

    def number(self, value: float, size: int, dtype: str = "int32") -> View:
        """A line of one number."""
        buffer = Buffer("number", dtype, (1,), "iota")
        return View(buffer, (Axis(1, 0, -1),), (Dim(size, 0, 0),), 1, fill=value)

    def count(self, size: int, terms: tuple[Term, ...] = ()) -> View:
        """A line of numbers that rise by one."""
        buffer = Buffer("count", "int32", (1,), "iota")
        return View(buffer, (Axis(FAR, 0, 0, terms),), (Dim(size, 0, 1),), 1)

    def inside(self, size: int, extent: int, terms: tuple[Term, ...] = ()) -> View:
        """A line of truth values: whether such a number lies below an extent."""
        buffer = Buffer("inside", "bool", (1,), "iota")
        return View(buffer, (Axis(extent, 0, 0, terms),), (Dim(size, 0, 1),), 1)

    def clear(self, value: float, size: int, dtype: str = "int32") -> Buffer:
        """A new line of one number."""
        return self.map("int64", [("mov", "a")], self.number(value, size), to=dtype)

    # ---- places -------------------------------------------------------------------------------
    def pick(self, table: Line, at: Line, dtype: str = "") -> Buffer:
        """Elements of a table at places, 0 where there are none."""
        source = table_of(table)
        result = self.new(dtype or source.type, line(at).size)
        self.add("pick", {"d": line(result), "a": source, "b": line(at)}, oob="fill")
        return result

    def put(self, table: Line, at: Line, values: Line, op: str = "set") -> None:
        """Puts values into a table at places, and drops those without."""
        views = {"d": table_of(table), "a": line(values), "b": line(at)}
        self.add("put", views, oob="fill", op=op)

    # ---- along a line ---------------------------------------------------------------------------
    def scan(self, x: Line, start: Line | None = None, rows: int = 1) -> Buffer:
        """Running sums along a line cut into so many rows, of which each starts from a number."""
        size = line(x).size
        result = self.new("int32", size)
        views = {"d": in_rows(result, rows), "a": in_rows(x, rows)}
        if start is not None:
            views["b"] = line(start)
        self.add("scan", views, op="add", carry=start is not None)
        return result

    def best(self, op: str, x: Line, to: str = "int32") -> Buffer:
        """A reduction of a line."""
        result = self.new(to, 1)
        self.add("reduce", {"d": line(result), "a": in_rows(x, 1)}, op=op)
        return result


def line(x: Line, size: int | None = None, offset: int = 0, step: int = 1) -> View:
    """A view of a buffer as a line, or of a part of it; views are what they are."""
    if isinstance(x, View):
        return x
    return strided(x, [Side(x.size if size is None else size, step)], offset=offset)


def same(x: Buffer, size: int, offset: int = 0) -> View:
    """A line of one and the same element."""
    return strided(x, [Side(size, 0)], offset=offset)


def in_rows(x: Line, rows: int) -> View:
    """A line in rows of equal length."""
    if isinstance(x, View):
        assert rows == 1, "views are in one row"
        return View(**{**vars(x), "split": 0})
    columns = x.size // rows
    return strided(x, [Side(rows, columns), Side(columns, 1)][rows == 1 :], int(rows > 1))


def table_of(x: Line) -> View:
    """A line as a table whose elements have places."""
    if isinstance(x, View):
        return x
    return View(x, (Axis(x.size, 1),), (), 0)


def column_of(x: Buffer, columns: int, number: int) -> View:
    """A column of a table of rows; places are numbers of rows."""
    return View(x, (Axis(x.size // columns, columns),), (), 0, offset=number)


def alone(buffer: Buffer, sides: Sequence[Side], offset: int = 0, split: int | None = None) -> View:
    """A view through which one tile only writes."""
    guard = Side(1, 1, 1, 0, ((ALONE, 1),))
    return strided(buffer, [guard, *sides], split, offset=offset, drop=True)


def one_tile(kernel: Kernel, nodes: Sequence[Node], buffers: Sequence[Buffer]) -> Kernel:
    """A kernel that every tile executes, for views that let one of them write."""
    kernel.body.append(Loop(ALONE, 1, "gtile", list(nodes), list(buffers)))
    return kernel


def store(buffer: Buffer, x: Line, location: Location) -> Word:
    """The word of one tile that stores a line at the start of a tensor."""
    a = line(x)
    views = {"d": alone(buffer, [Side(a.size, 1)]), "a": a}
    return Word("copy", "ST", views, location=location)


def arithmetic(dtype: str) -> str:
    """The type in which elements of a type are compared."""
    element = ELEMENTS[dtype]
    if element.is_float:
        return "fp32"
    return "uint64" if dtype == "uint64" else "int64"


#: Types that words sort, and what others are sorted as.
SORTED = {"bool": "uint8", "e4m3": "fp32", "e5m2": "fp32"}
