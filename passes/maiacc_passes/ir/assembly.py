"""Makes a module from what a reader of text finds, and refuses what is no legal IR.

The line parser and the grammar read in their own ways and share this. Every refusal is an
``IRError`` with the line in ``Assembly.line``.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from maiacc_passes.ir.elements import source_of
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Location, Module, Op, Region, Value, Weight
from maiacc_passes.ir.limits import DEPTH, ENDS, RETURN, STAGES, VERSION, YIELD, ill_sized
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.table import Row
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.weights import Array
from maiacc_passes.ir.words import integer_of, shown, string_of, value_of

#: Names longer than this are no misspellings.
_LONGEST = 40

#: A name and its type.
Param = tuple[str, Type]


@dataclass
class Head:
    """An op as the text states it, before its regions."""

    line: int
    names: Sequence[str]
    row: Row
    operands: list[Value | None]
    attrs: dict[str, Any]
    types: Sequence[Type]
    location: str


@dataclass
class _Frame:
    """An op whose regions are being read, and where it stands."""

    head: Head
    outside: Region
    outer: list[str]
    regions: list[Region] = field(default_factory=list)


class Assembly:
    """A module being made. ``data`` has the elements of weights by digest or label."""

    def __init__(self, data: Mapping[str, Array]) -> None:
        self.module = Module()
        self.line = 0
        self.values: dict[str, Value] = {}
        self.region = self.module.main
        self._data = data
        self._frames: list[_Frame] = []
        self._names: list[str] = []
        #: Names that are taken and cannot be used: of ended regions, and of ops around.
        self._hidden: set[str] = set()
        self._locations: dict[str, Location] = {}
        self._located: list[tuple[Op, int, str]] = []

    def fail(
        self,
        message: str,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> NoReturn:
        """Refuses the line at hand with E1404."""
        raise IRError(
            "E1404",
            message,
            expected=expected,
            found=None if found is None else shown(found),
            hint=hint,
            line=self.line,
        )

    # ---- before the graph -------------------------------------------------------------------
    def header(self, version: str, stage: str) -> None:
        """``ir 1 graph``."""
        if integer_of(version) != VERSION:
            self.fail("another version of the text", expected=str(VERSION), found=version)
        if stage not in STAGES:
            self.fail("no stage of a module", expected=" | ".join(STAGES), found=stage)
        self.module.stage = stage

    def type(self, dtype: str, dims: Sequence[tuple[str, str]]) -> Type:
        """A type: sizes as words, each with its symbol (``~n0``) or nothing."""
        if dtype not in ELEMENTS:
            self.fail("no element type", " | ".join(ELEMENTS), dtype, _nearest(dtype, ELEMENTS))
        shape = tuple(integer_of(extent) for extent, _ in dims)
        kind = tensor(dtype, shape, tuple(symbol[1:] or None for _, symbol in dims))
        problem = ill_sized(kind, self.module.bounds)
        if problem:
            self.fail(problem, found=str(kind))
        return kind

    def weight(self, name: str, kind: Type, form: str, words: Sequence[str]) -> None:
        """A constant: its name with an ``@``, its type, and where its elements are."""
        if name in self.values:
            self.fail("a weight is defined twice", found=name)
        source = source_of(form, words, kind, self._data)
        weight = self.module.weights[name[1:]] = Weight(name[1:], kind, source)
        self.values[name] = weight.value

    def bound(self, symbol: str, most: str) -> None:
        """How large a symbol, with its ``~``, can be."""
        if symbol[1:] in self.module.bounds:
            self.fail("a bound is defined twice", found=symbol)
        value = integer_of(most)
        if value < 0:
            self.fail("a bound is negative", found=most)
        self.module.bounds[symbol[1:]] = value

    def graph(self, params: Sequence[tuple[str, Type, str]], outputs: Sequence[str]) -> None:
        """Inputs, with their names in the model in quotes, and names of outputs in quotes."""
        self._params(self.region, [(name, kind) for name, kind, _ in params])
        self.module.inputs = [string_of(text) for _, _, text in params]
        self.module.outputs = [string_of(text) for text in outputs]
        for names in (self.module.inputs, self.module.outputs):
            if len(set(names)) < len(names):
                self.fail("two inputs or two outputs have one name")

    # ---- ops --------------------------------------------------------------------------------
    def row(self, name: str) -> Row:
        """The row of an op."""
        row = OPS.get(name)
        if row is None:
            self.fail("no op has this name", found=name, hint=_nearest(name, OPS))
        return row

    def attributes(self, row: Row, given: Sequence[tuple[str, str | list[str]]]) -> dict[str, Any]:
        """All attributes of an op from those that are given, as words or lists of words."""
        found: dict[str, Any] = {}
        for name, words in given:
            if name in found:
                self.fail("an attribute is given twice", found=name)
            found[name] = value_of(words) if isinstance(words, str) else tuple(map(value_of, words))
        return row.full_attrs(found)

    def operand(self, name: str) -> Value | None:
        """What an operand means here."""
        found = self.values.get(name)
        if found is None and name != "_":
            self.undefined(name)
        return found

    def undefined(self, name: str) -> NoReturn:
        """Refuses an operand that means nothing here."""
        if name in self._hidden:
            self.fail(
                "a value is used where it does not exist",
                expected="a value of this region, or of one around it",
                found=name,
            )
        if not name or name[0] not in "%@":
            self.fail("no operand", expected="%value, @weight or _", found=name)
        what = "weight" if name[0] == "@" else "value"
        self.fail(f"a {what} is used that is not defined before", found=name)

    def add(self, head: Head, regions: Sequence[Region] = ()) -> None:
        """An op that is complete."""
        row, types, operands = head.row, head.types, head.operands
        while operands and operands[-1] is None:
            operands.pop()
        before = self.region.last
        if before is not None and before.row.name in ENDS:
            self.fail(f"an op behind {before.row.name}", expected="}", found=row.name)
        kinds = [None if value is None else value.type for value in operands]
        expected = row.result_types(head.attrs, kinds, regions)
        if tuple(expected) != tuple(types):
            self.fail(
                f"{row.name} gives other types than the text says",
                expected=", ".join(map(str, expected)) or "none",
                found=", ".join(map(str, types)) or "none",
            )
        op = Op(row, operands, head.attrs, types, regions)
        if row.name in ENDS:
            self._check_end(row, len(operands))
        self.region.append(op)
        if len(head.names) != len(op.results):
            self.fail(
                f"{row.name} has another number of results",
                expected=str(len(op.results)),
                found=str(len(head.names)),
            )
        for name, value in zip(head.names, op.results, strict=True):
            self._define(name, value)
        if head.location:
            self._located.append((op, head.line, head.location))

    def _check_end(self, row: Row, count: int) -> None:
        inner = bool(self._frames)
        if (row.name == YIELD) != inner:
            self.fail("another op ends this region", YIELD if inner else RETURN, row.name)
        if not inner and count != len(self.module.outputs):
            self.fail(
                "the graph returns another number of values than it has outputs",
                expected=str(len(self.module.outputs)),
                found=str(count),
            )

    def _define(self, name: str, value: Value) -> None:
        if name in self.values or name in self._hidden:
            self.fail("a value is defined twice", found=name)
        self.values[name] = value
        self._names.append(name)

    def _params(self, region: Region, params: Sequence[Param]) -> None:
        for name, kind in params:
            self._define(name, region.add_param(kind))

    # ---- regions ----------------------------------------------------------------------------
    def open(self, head: Head, params: Sequence[Param]) -> None:
        """An op's first region begins."""
        if len(self._frames) >= DEPTH:
            self.fail("regions are nested too deeply", expected=f"at most {DEPTH}")
        for name in head.names:
            if name in self.values or name in self._hidden:
                self.fail("a value is defined twice", found=name)
            self._hidden.add(name)
        self._frames.append(_Frame(head, self.region, self._names))
        self._enter(params)

    def following(self, params: Sequence[Param]) -> None:
        """The region at hand ends, and the next one of the same op begins."""
        if not self._frames:
            self.fail("a region that belongs to no op", found="(")
        self._leave()
        self._enter(params)

    def close(self) -> bool:
        """The region at hand ends, and the op with it. Whether it was the graph."""
        self._leave()
        if not self._frames:
            return True
        frame = self._frames.pop()
        self.region, self._names = frame.outside, frame.outer
        self._hidden.difference_update(frame.head.names)
        here, self.line = self.line, frame.head.line
        self.add(frame.head, frame.regions)
        self.line = here
        return False

    def _enter(self, params: Sequence[Param]) -> None:
        self.region, self._names = Region(), []
        self._frames[-1].regions.append(self.region)
        self._params(self.region, params)

    def _leave(self) -> None:
        last = self.region.last
        end = YIELD if self._frames else RETURN
        if last is None or last.row.name != end:
            self.fail("a region has no end", expected=end, found="}")
        if self._frames:
            for name in self._names:
                del self.values[name]
            self._hidden.update(self._names)

    # ---- behind the graph -------------------------------------------------------------------
    def location(self, name: str, nodes: Sequence[str], rest: Sequence[str]) -> None:
        """Where ops come from: nodes, module scope and source line, in quotes."""
        if name in self._locations:
            self.fail("a location is defined twice", found=name)
        words = [string_of(text) for text in rest]
        self._locations[name] = Location(tuple(map(string_of, nodes)), *words)

    def finish(self) -> Module:
        """The module, when all has been read."""
        for op, line, name in self._located:
            found = self._locations.get(name)
            if found is None:
                self.line = line
                self.fail("a location is not defined", found=name)
            op.location = found
        return self.module


def _nearest(name: str, names: Mapping[str, object]) -> str | None:
    # Comparing takes time that grows with the square of the length.
    if len(name) > _LONGEST:
        return None
    close = difflib.get_close_matches(name, names, 1)
    return f"did you mean {close[0]}?" if close else None
