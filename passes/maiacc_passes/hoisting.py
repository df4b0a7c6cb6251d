"""What does not depend on the turn is computed once, in front of a loop.

Assumes: scans along first axes. Promises: all bits, but that sums of products may be rounded in
another order. In:

    %3 = scan(%0, %1) {carried=1, ...} (%4: fp32[2, 8], %5: fp32[2, 4]) {
      %6 = contract(%5, @w) {spec="bi,ij->bj"} : fp32[2, 8]
      %7 = exp(@s) : fp32[8]
      %8 = add(%4, mul(%6, %7))
      yield(%8)
    }

Out: ``exp`` stands in front of the scan, and so does the product, for all turns at once:

    %2 = exp(@s) : fp32[8]
    %3 = contract(%1, @w) {spec="tbi,ij->tbj"} : fp32[5, 2, 8]
    %4 = scan(%0, %3) {carried=1, ...} (%5: fp32[2, 8], %6: fp32[2, 8]) { ... }
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from maiacc_passes.cleaning import DeadCode
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.ir.vocabulary.contractions import split_spec

#: Kinds of ops that are worth computing once, and never go wrong.
ONCE = frozenset({Kind.MAP, Kind.REDUCE, Kind.CONTRACT, Kind.COMPOSITE})


@dataclass(frozen=True)
class Hoist:
    """Moves ops out of loops and scans, inner ones first."""

    name: ClassVar[str] = "hoist"
    keeps: ClassVar[str] = "bound"

    def run(self, module: Module) -> int:
        """How many ops went out of a region."""
        count = _inside(module, module.main)
        if count:
            DeadCode().run(module)
        return count


def _inside(module: Module, region: Region) -> int:
    count = 0
    for op in list(region):
        count += sum(_inside(module, inner) for inner in op.regions)
        if op.name in ("loop", "scan"):
            count += _fixed(op)
        if op.name == "scan":
            count += _Rows(module, op).run()
    return count


# ---- the same in all turns --------------------------------------------------------------------
def _fixed(op: Op) -> int:
    """Moves what is the same in all turns in front of an op."""
    (body,) = op.regions
    same: set[Op] = set()
    for inner in body:
        made = [v.op for v in inner.operands if v is not None and _here(v, body)]
        if inner.row.kind in (*ONCE, Kind.VIEW) and all(x is not None and x in same for x in made):
            same.add(inner)
    moved: set[Op] = set()
    for inner in reversed(body):
        wanted = any(user in moved for value in inner.results for user in value.uses)
        if inner in same and (wanted or inner.row.kind in ONCE):
            moved.add(inner)
    for inner in [x for x in body if x in moved]:
        assert op.region is not None
        body.unlink(inner)
        op.region.insert(inner, op)
    return sum(x.row.kind in ONCE for x in moved)


def _here(value: Value, body: Region) -> bool:
    """Whether a value is a parameter of a region, or made in it."""
    return value.region is body if value.op is None else value.op.region is body


# ---- rows ---------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _All:
    """A value for all turns at once, along a new first axis, which turns go along or back."""

    value: Value
    backwards: int


class _Rows:
    """Contractions of what a scan goes over, and what they are made from."""

    def __init__(self, module: Module, op: Op) -> None:
        self.op = op
        (self.body,) = op.regions
        self.b = Builder(module, op.region, op, op.location)
        self.known: dict[Value, _All] = {}
        self.wide: set[Op] = set()

    def run(self) -> int:
        """How many contractions are done for all turns at once."""
        op, count = self.op, self.op.integer("carried")
        axes, reverse = op.ints("axes"), op.ints("reverse")
        if any(axes):
            return 0
        params = self.body.params[count:]
        for param, value, back in zip(params, op.operands[count:], reverse, strict=True):
            assert value is not None
            self.known[param] = _All(value, back)
        chosen = self._chosen(params)
        if not chosen:
            return 0
        for inner in [x for x in self.body if x in self._needed(chosen)]:
            self._widen(inner)
        more = [(inner.result, self.known[inner.result]) for inner in chosen]
        self._scan([*op.operands, *(x.value for _, x in more)], [x.backwards for _, x in more])
        for result, _ in more:
            result.replace(self.body.add_param(result.type))
        return len(chosen)

    def _chosen(self, params: Sequence[Value]) -> list[Op]:
        """Contractions that depend on slices and on what is the same in all turns only."""
        backwards = {param: self.known[param].backwards for param in params}
        chosen: list[Op] = []
        for inner in self.body:
            mine = [v for v in inner.operands if v is not None and _here(v, self.body)]
            ways = {backwards.get(v, -1) for v in mine}
            if len(ways) == 1 and -1 not in ways and self._can(inner, set(mine)):
                backwards[inner.result] = ways.pop()
                self.wide.add(inner)
                if inner.name == "contract":
                    chosen.append(inner)
        return chosen

    def _can(self, inner: Op, mine: set[Value]) -> bool:
        if inner.name == "contract":
            letters = set("".join(split_spec(str(inner.attrs["spec"]))))
            return inner.operand(2) not in mine and len(letters) < len(string.ascii_letters)
        if inner.row.kind is Kind.MAP:
            return len(inner.results) == 1 and not {"axis", "axes"} & set(inner.attrs)
        return inner.name in ("transpose", "reshape", "slice")

    def _needed(self, chosen: Sequence[Op]) -> set[Op]:
        found: set[Op] = set()
        stack = list(chosen)
        while stack:
            inner = stack.pop()
            if inner in self.wide and inner not in found:
                found.add(inner)
                stack += [v.op for v in inner.operands if v is not None and v.op is not None]
        return found

    def _widen(self, inner: Op) -> None:
        """Builds an op for all turns."""
        b, turns = self.b, self._turns()
        b.location = inner.location
        attrs = dict(inner.attrs)
        rank = inner.result.type.rank
        operands: list[Value | None] = []
        backwards = 0
        for value in inner.operands:
            known = None if value is None else self.known.get(value)
            if value is None or known is None:
                operands.append(value)
                continue
            backwards, full = known.backwards, known.value
            if inner.row.kind is Kind.MAP and value.type.rank < rank:
                ones = (1,) * (rank - value.type.rank)
                full = b("reshape", full, shape=(turns, *ones, *value.type.shape))
            operands.append(full)
        if inner.name == "contract":
            attrs["spec"] = self._spec(inner)
        elif inner.name == "transpose":
            attrs["perm"] = (0, *(axis + 1 for axis in inner.ints("perm")))
        elif inner.name == "reshape":
            attrs["shape"] = (turns, *inner.result.type.shape)
        elif inner.name == "slice":
            attrs["starts"] = (0, *inner.ints("starts"))
            attrs["sizes"] = (turns, *inner.ints("sizes"))
            attrs["steps"] = (1, *inner.ints("steps"))
        self.known[inner.result] = _All(b(inner.name, *operands, **attrs), backwards)

    def _spec(self, inner: Op) -> str:
        """The spec with a letter for turns."""
        left, right, out = split_spec(str(inner.attrs["spec"]))
        new = next(x for x in string.ascii_letters if x not in left + right)
        first, second = (value in self.known for value in inner.operands[:2])
        return f"{new * first}{left},{new * second}{right}->{new}{out}"

    def _turns(self) -> int:
        first = self.op.operands[self.op.integer("carried")]
        assert first is not None
        return first.type.shape[0]

    def _scan(self, operands: Sequence[Value | None], backwards: Sequence[int]) -> None:
        """The scan again, over more; it gets the parameters for that later."""
        op, more = self.op, len(backwards)
        attrs = {
            **op.attrs,
            "axes": (*op.ints("axes"), *(0,) * more),
            "reverse": (*op.ints("reverse"), *backwards),
        }
        kinds = [result.type for result in op.results]
        made = Op(op.row, operands, attrs, kinds, op.regions, op.location)
        assert op.region is not None
        op.region.insert(made, op)
        op.regions = []
        op.replace(made.results)
