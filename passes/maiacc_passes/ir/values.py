"""Values, ops and regions, and the only verbs that change them; to be had from ``graph``.

A region is a list of ops with parameters; its last op hands values out. Ops of an inner region may
use values of the regions around it. Every use is known to the value used, so that a value can be
replaced everywhere in time proportional to its uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maiacc_passes.ir.types import Type

if TYPE_CHECKING:
    from maiacc_passes.ir.graph import Weight
    from maiacc_passes.ir.table import Row

#: An attribute: its kind is that of the op's row. Sequences are tuples.
Attribute = int | float | str | bool | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """Where an op comes from: ONNX nodes, and what the exporter wrote about them."""

    nodes: tuple[str, ...] = ()
    scope: str = ""
    source: str = ""

    def merged(self, other: Location) -> Location:
        """Of an op that does what two did."""
        if other is self or other == NOWHERE:
            return self
        nodes = dict.fromkeys((*self.nodes, *other.nodes))
        return Location(tuple(nodes), self.scope or other.scope, self.source or other.source)


#: The location of what comes from nowhere.
NOWHERE = Location()


class Value:
    """A tensor: the result of an op, a parameter of a region, or a weight of the module.

    ``op`` is None for parameters and weights, ``weight`` is None for all but weights. ``uses``
    counts, for each op that has the value as operand, how often it does.
    """

    __slots__ = ("index", "op", "region", "type", "uses", "weight")

    def __init__(self, kind: Type) -> None:
        self.type = kind
        self.op: Op | None = None
        self.region: Region | None = None
        self.weight: Weight | None = None
        self.index = 0
        self.uses: dict[Op, int] = {}

    def replace(self, other: Value) -> None:
        """Lets all ops that use this value use another instead."""
        if other is self:
            return
        for op, count in self.uses.items():
            op.operands = tuple(other if x is self else x for x in op.operands)
            other.uses[op] = other.uses.get(op, 0) + count
        self.uses = {}

    def _used(self, op: Op) -> None:
        self.uses[op] = self.uses.get(op, 0) + 1

    def _unused(self, op: Op) -> None:
        left = self.uses[op] - 1
        if left:
            self.uses[op] = left
        else:
            del self.uses[op]


def _given(operands: Iterable[Value | None]) -> tuple[Value | None, ...]:
    """Operands up to the last one that is not left out."""
    found = tuple(operands)
    count = len(found)
    while count and found[count - 1] is None:
        count -= 1
    return found[:count]


class Op:
    """An op: a row of the table, operands (None where an optional one is left out that others
    follow), attributes.

    Operands are changed by ``set_operands`` only.
    """

    __slots__ = (
        "attrs",
        "location",
        "next",
        "operands",
        "previous",
        "region",
        "regions",
        "results",
        "row",
    )

    def __init__(
        self,
        row: Row,
        operands: Iterable[Value | None],
        attrs: dict[str, Any],
        types: Iterable[Type],
        regions: Sequence[Region] = (),
        location: Location = NOWHERE,
    ) -> None:
        self.row = row
        self.operands = _given(operands)
        self.attrs = attrs
        self.location = location
        self.region: Region | None = None
        self.previous: Op | None = None
        self.next: Op | None = None
        self.regions = list(regions)
        self.results: list[Value] = []
        for number, kind in enumerate(types):
            value = Value(kind)
            value.op, value.index = self, number
            self.results.append(value)
        for operand in self.operands:
            if operand is not None:
                operand._used(self)
        for region in self.regions:
            region.owner = self

    @property
    def name(self) -> str:
        """The name of the row."""
        return self.row.name

    @property
    def result(self) -> Value:
        """The only result."""
        (value,) = self.results
        return value

    def operand(self, index: int) -> Value | None:
        """An operand; None if it is left out, also at the end."""
        return self.operands[index] if index < len(self.operands) else None

    def ints(self, name: str) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self.attrs[name]
        assert isinstance(value, tuple)
        return value

    def integer(self, name: str) -> int:
        """An attribute that is an integer."""
        value = self.attrs[name]
        assert isinstance(value, int)
        return value

    def set_operands(self, operands: Iterable[Value | None]) -> None:
        """Other operands."""
        for old in self.operands:
            if old is not None:
                old._unused(self)
        self.operands = _given(operands)
        for new in self.operands:
            if new is not None:
                new._used(self)

    def erase(self) -> None:
        """Takes an op whose results nobody uses out of its region, with its own regions."""
        assert not any(value.uses for value in self.results), f"{self.name} is used"
        self._drop()
        if self.region is not None:
            self.region.unlink(self)

    def _drop(self) -> None:
        self.set_operands(())
        for region in self.regions:
            # The last first, so that nobody uses what is dropped.
            for op in reversed(region):
                op._drop()
                op.region = None

    def replace(self, values: Sequence[Value]) -> None:
        """Lets other values take the places of the results, and erases the op."""
        for old, new in zip(self.results, values, strict=True):
            old.replace(new)
        self.erase()


class Region:
    """Ops in order, with parameters. The last op, ``return`` or ``yield``, hands values out."""

    __slots__ = ("first", "last", "owner", "params")

    def __init__(self, types: Iterable[Type] = ()) -> None:
        self.params: list[Value] = []
        self.first: Op | None = None
        self.last: Op | None = None
        self.owner: Op | None = None
        for kind in types:
            self.add_param(kind)

    def add_param(self, kind: Type) -> Value:
        """One more parameter."""
        value = Value(kind)
        value.region, value.index = self, len(self.params)
        self.params.append(value)
        return value

    def __iter__(self) -> Iterator[Op]:
        """The ops in order. The op at hand may be erased, and others put before or behind it."""
        op = self.first
        while op is not None:
            following = op.next
            yield op
            op = op.next if op.region is self else following

    def __reversed__(self) -> Iterator[Op]:
        op = self.last
        while op is not None:
            before = op.previous
            yield op
            op = before

    def append(self, op: Op) -> Op:
        """Puts an op at the end."""
        return self.insert(op, None)

    def insert(self, op: Op, before: Op | None) -> Op:
        """Puts an op that is in no region in front of another, or at the end."""
        assert op.region is None, f"{op.name} is in a region already"
        op.region = self
        op.next = before
        op.previous = self.last if before is None else before.previous
        if op.previous is None:
            self.first = op
        else:
            op.previous.next = op
        if before is None:
            self.last = op
        else:
            before.previous = op
        return op

    def unlink(self, op: Op) -> None:
        """Takes an op out; it may be put in elsewhere."""
        assert op.region is self
        if op.previous is None:
            self.first = op.next
        else:
            op.previous.next = op.next
        if op.next is None:
            self.last = op.previous
        else:
            op.next.previous = op.previous
        op.region = op.previous = op.next = None

    @property
    def outputs(self) -> tuple[Value | None, ...]:
        """What the last op hands out."""
        return () if self.last is None else self.last.operands

    def walk(self) -> Iterator[Op]:
        """All ops, those of inner regions right after the op that has them."""
        stack = [iter(self)]
        while stack:
            op = next(stack[-1], None)
            if op is None:
                stack.pop()
                continue
            yield op
            stack += [iter(region) for region in reversed(op.regions)]
