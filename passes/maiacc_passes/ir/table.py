"""What a row of the op table is, and the table.

A row says everything about an op that is not in the graph: operands, attributes, types of
results, meaning in numpy, documentation. Text, verifier, evaluator, builder and passes ask the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, cast

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Attribute, Op, Region, Value
from maiacc_passes.ir.types import ELEMENTS, Type
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder
    from maiacc_passes.ir.evaluate import Run

Attrs = Mapping[str, Any]
Types = Sequence[Type | None]

#: Types of results from attributes and the types of operands. Raises ``IRError`` E1402 or E1403.
TypeRule = Callable[[Attrs, Types], Sequence[Type]]

#: The same for an op with regions.
RegionRule = Callable[[Attrs, Types, Sequence[Region]], Sequence[Type]]

#: Results of an op from its operands' arrays; None for an operand that is left out.
Meaning = Callable[["Run", Op, Sequence[Any]], Array | Sequence[Array]]

#: A composite in terms of other ops.
Expansion = Callable[["Builder", Op], Sequence[Value]]


class Kind(Enum):
    """How an op works, which is how it is lowered: one way for each kind."""

    MAP = "map"
    REDUCE = "reduce"
    CONTRACT = "contract"
    WINDOW = "window"
    VIEW = "view"
    MOVE = "move"
    GATHER = "gather"
    SCATTER = "scatter"
    SCAN = "scan"
    SORT = "sort"
    BLOCK = "block"
    MAKE = "make"
    CONTROL = "control"
    COMPOSITE = "composite"


#: Types of results that a row remembers.
_KNOWN = 4096

#: Marks an attribute that has to be given.
REQUIRED = object()


@dataclass(frozen=True)
class Attr:
    """An attribute: its kind (int, float, bool, str, dtype, ints, floats, strs), the value it has
    when it is not given, and for strings the values there are."""

    kind: str
    default: Any = REQUIRED
    choices: tuple[str, ...] = ()

    def check(self, name: str, value: Attribute) -> None:
        """Raises ``IRError`` E1401 for a value of another kind."""
        good = _KINDS[self.kind](value) and (not self.choices or value in self.choices)
        if not good:
            expected = " | ".join(self.choices) or self.kind
            raise IRError("E1401", f"attribute {name}", expected=expected, found=repr(value))


def _is_int(value: object) -> bool:
    return type(value) is int


def _is_float(value: object) -> bool:
    return type(value) is float


def _is_str(value: object) -> bool:
    return type(value) is str


_KINDS: dict[str, Callable[[Any], bool]] = {
    "int": _is_int,
    "float": _is_float,
    "bool": lambda v: type(v) is bool,
    "str": _is_str,
    "dtype": lambda v: v in ELEMENTS,
    "ints": lambda v: type(v) is tuple and all(map(_is_int, v)),
    "floats": lambda v: type(v) is tuple and all(map(_is_float, v)),
    "strs": lambda v: type(v) is tuple and all(map(_is_str, v)),
}


@dataclass(frozen=True, eq=False)
class Row:
    """An op. ``operands`` are names, optional ones with ``?`` behind them and a last one with ``*``
    if any number may follow. ``pure`` ops may be dropped, merged and folded. ``compute`` is what
    the meaning wants of narrow floats: ``wide`` as fp32 (results are rounded to their types),
    ``raw`` as they are. ``regions`` is how many regions it has, ``macs`` how many multiply-adds an
    op has that sums products."""

    name: str
    kind: Kind
    operands: tuple[str, ...]
    attrs: Mapping[str, Attr]
    rule: TypeRule | RegionRule
    doc: str
    meaning: Meaning | None = None
    expand: Expansion | None = None
    compute: str = "wide"
    pure: bool = True
    commutes: bool = False
    regions: int = 0
    macs: Callable[[Op], int] | None = None
    least: int = field(init=False, default=0)
    most: int | None = field(init=False, default=0)
    _known: dict[tuple[object, ...], tuple[Type, ...]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        required = [n for n in self.operands if n[-1] not in "?*"]
        many = bool(self.operands) and self.operands[-1].endswith("*")
        object.__setattr__(self, "least", len(required))
        object.__setattr__(self, "most", None if many else len(self.operands))

    def full_attrs(self, given: Attrs) -> dict[str, Attribute]:
        """Attributes in the order of the row, with defaults. Raises ``IRError`` E1401."""
        found: dict[str, Attribute] = {}
        if not self.attrs and not given:
            return found
        for name, attr in self.attrs.items():
            value = given.get(name, attr.default)
            if value is REQUIRED:
                raise IRError("E1401", f"{self.name} needs the attribute {name}")
            attr.check(name, value)
            found[name] = value
        if len(found) < len(given.keys() | found.keys()):
            extra = ", ".join(sorted(given.keys() - found.keys()))
            raise IRError("E1401", f"{self.name} has no attribute {extra}")
        return found

    def check_operands(self, types: Types) -> None:
        """Raises ``IRError`` E1402 unless there are as many operands as the row wants."""
        count = len(types)
        enough = count >= self.least and (self.most is None or count <= self.most)
        if enough and None in types:
            enough = all(
                kind is not None or (i < len(self.operands) and self.operands[i].endswith("?"))
                for i, kind in enumerate(types)
            )
        if not enough:
            wanted = ", ".join(self.operands) or "none"
            found = ", ".join("_" if t is None else str(t) for t in types) or "none"
            raise IRError("E1402", f"operands of {self.name}", expected=wanted, found=found)

    def result_types(
        self, attrs: Attrs, types: Types, regions: Sequence[Region] = ()
    ) -> Sequence[Type]:
        """Types of the results. Raises ``IRError`` E1402, E1403."""
        if self.regions or regions:
            return self._ruled(attrs, types, regions)
        # Models have the same layers many times, and are built, verified and read. Attributes may
        # come in any order.
        key = (*types, *[attrs[name] for name in self.attrs])
        found = self._known.get(key)
        if found is None:
            found = tuple(self._ruled(attrs, types, ()))
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[key] = found
        return found

    def _ruled(self, attrs: Attrs, types: Types, regions: Sequence[Region]) -> Sequence[Type]:
        self.check_operands(types)
        if len(regions) != self.regions:
            raise IRError("E1402", f"regions of {self.name}", expected=str(self.regions))
        if self.regions:
            return cast(RegionRule, self.rule)(attrs, types, regions)
        return cast(TypeRule, self.rule)(attrs, types)


#: Every op by name. Filled by ``maiacc_passes.ir.ops``.
OPS: dict[str, Row] = {}


def add_rows(rows: Sequence[Row]) -> None:
    """Adds rows to the table."""
    for row in rows:
        assert row.name not in OPS, f"two ops are called {row.name}"
        OPS[row.name] = row


def operand_types(op: Op) -> list[Type | None]:
    """The types of an op's operands."""
    return [None if value is None else value.type for value in op.operands]


def region_types(region: Region) -> list[Type]:
    """The types of what a region hands out."""
    return [value.type for value in region.outputs if value is not None]
