"""Running error analysis: what a region means, and how far off a kernel may be that computes it.

Every op has a rule that gives its exact results and bounds from those of its operands. Inside of
a kernel floats are fp32; they are rounded to a narrower type where they are stored, and where an
op asks for it. A decision whose operands are not known well enough is *undecided*: either outcome
is allowed, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from maiacc.verifying.known import EXACT, Known, all_exact, stored, ulp
from maiacc_passes.ir.expand import expansion
from maiacc_passes.ir.graph import Op, Region, Value
from maiacc_passes.ir.table import Kind, operand_types
from maiacc_passes.ir.types import Element
from maiacc_passes.ir.weights import Array

#: What an op makes of what is known of its operands; None for one that is left out.
Rule = Callable[["Bounds", Op, "list[Known | None]"], "Known | Sequence[Known]"]

#: The rules of ops; filled by the modules of the families.
RULES: dict[str, Rule] = {}


class Bounds:
    """An analysis. ``undecided`` counts elements of decisions by op, ``unbounded`` are ops that no
    rule is known for: their results may be anything. ``lifted`` results are those of exact
    arithmetic throughout; else roundings of what is exact are known. ``factors`` is what operands
    of products may be rounded by, as part of their size; with ``narrowed``, constants of narrow
    types are roundings of what is meant; with ``between``, every op may keep its results in
    memory, in their type."""

    def __init__(
        self,
        lifted: bool = False,
        factors: float = 0.0,
        narrowed: bool = False,
        between: bool = False,
    ) -> None:
        self.lifted = lifted
        self.narrowed = narrowed
        self.between = between
        self.undecided: dict[Op, int] = {}
        self.decisions = 0
        self.unbounded: set[str] = set()
        self.factors = factors
        self.known: dict[Value, Known] = {}
        self._expansions: dict[tuple[object, ...], Region] = {}

    # ---- regions ----------------------------------------------------------------------------
    def region(self, region: Region, arguments: Sequence[Known]) -> list[Known]:
        """What a region hands out, of what is known of its arguments."""
        self.known.update(zip(region.params, arguments, strict=True))
        left: dict[Value, int] = {}
        own: list[Value] = list(region.params)
        for op in region:
            if op.next is None:
                break
            for value, known in zip(op.results, self.results(op), strict=True):
                self.known[value] = known
                own.append(value)
                inside = all(user.region is region and user.next for user in value.uses)
                left[value] = sum(value.uses.values()) if inside else -1
            for operand in op.operands:
                if operand in left:
                    left[operand] -= 1
                    if not left[operand]:
                        self.known.pop(operand, None)
        found = [self.read(value) for value in region.outputs if value is not None]
        for value in own:
            self.known.pop(value, None)
        return found

    def read(self, value: Value) -> Known:
        """What is known of a value; a constant is read when it is needed."""
        if value.weight is not None:
            array = value.weight.source.array(value.type)
            return self._narrow(array, value.type.element) if self.narrowed else Known(array)
        return self.known[value]

    @staticmethod
    def _narrow(array: Array, element: Element) -> Known:
        if not element.is_float:
            short = element.is_int and element.bits <= 8
            return Known(array, np.full(array.shape, 0.5)) if short else Known(array)
        if element.bits >= 32 or element.name == "e8m0":
            return Known(array)
        wide = np.abs(array.astype(np.float64))
        return Known(array, 0.5 * ulp(wide, element.name))

    def results(self, op: Op) -> list[Known]:
        """What is known of the results of an op."""
        operands = [None if value is None else self.read(value) for value in op.operands]
        rule = RULES.get(op.name)
        with np.errstate(all="ignore"):
            if rule is not None:
                made = rule(self, op, operands)
                found = [made] if isinstance(made, Known) else list(made)
                return self._kept(op, found) if self.between else found
            if op.row.expand is not None:
                return self.expanded(op, operands)
            return self._unknown(op, operands)

    @staticmethod
    def _kept(op: Op, found: list[Known]) -> list[Known]:
        return [
            stored(x, value.type.element, lifted=x.bound is not None)
            for x, value in zip(found, op.results, strict=True)
        ]

    def expanded(self, op: Op, operands: Sequence[Known | None]) -> list[Known]:
        """A composite by what it stands for."""
        key = (op.name, tuple(operand_types(op)), tuple(op.attrs.items()))
        region = self._expansions.get(key)
        if region is None:
            region = self._expansions[key] = expansion(op)
        return self.region(region, [x for x in operands if x is not None])

    def _unknown(self, op: Op, operands: list[Known | None]) -> list[Known]:
        """An op without a rule: of exact operands exact for integers and choices, else anything."""
        found = meant(op, operands)
        kinds = [value.type.element for value in (*op.operands, *op.results) if value is not None]
        discrete = op.row.kind is Kind.SORT or not any(kind.is_float for kind in kinds)
        if all_exact(operands) and discrete:
            return [Known(x) for x in found]
        self.unbounded.add(op.name)
        return [Known(x, np.full(x.shape, np.inf)) for x in found]

    # ---- decisions --------------------------------------------------------------------------
    def decided(self, op: Op, exact: Array, open_: Array) -> Known:
        """The outcome of a decision: exact, but where it is open. Numbers that may be anything
        have an infinite bound, truth values 1."""
        self.decisions += exact.size
        count = int(np.count_nonzero(open_))
        if not count:
            return Known(exact)
        self.undecided[op] = self.undecided.get(op, 0) + count
        most = 1.0 if exact.dtype == np.bool_ else np.inf
        return Known(exact, np.where(np.broadcast_to(open_, exact.shape), most, 0.0))


def meant(op: Op, operands: Sequence[Known | None]) -> list[Array]:
    """The results of an op on exact operands, by its own meaning, in the types it has."""
    arrays = [
        None if x is None or value is None else x.exact.astype(value.type.element.numpy, copy=False)
        for x, value in zip(operands, op.operands, strict=True)
    ]
    found = EXACT.meant(op, arrays)
    return list(found)
