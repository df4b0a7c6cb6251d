"""Whether a module is legal IR: its links, who may use what, operands, attributes and types."""

from __future__ import annotations

from collections import Counter
from typing import NoReturn

from maiacc_passes.ir.elements import fits
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module, Op, Region, Value, Weight
from maiacc_passes.ir.limits import (
    DEPTH,
    ENDS,
    HIGHEST,
    LOWEST,
    RETURN,
    STAGES,
    SYMBOL_NAME,
    WEIGHT_NAME,
    YIELD,
    ill_sized,
)
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.printer import excerpt
from maiacc_passes.ir.table import Row
from maiacc_passes.ir.types import Type, tensor

#: Operands of an op up to which counting one is quicker than counting all.
_FEW = 8


def verify(module: Module) -> None:
    """Raises ``IRError`` for a module that is not legal: E1401, E1402 or E1403 where the row of an
    op refuses it, E1414 where the module itself is broken. The op is shown with its neighbours."""
    _Verifier(module).run()


class _Verifier:
    """What is known of a module on the way through it."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.kinds = STAGES.get(module.stage)
        #: Values that an op at this place may use.
        self.visible: set[Value] = set()
        #: Types that were found good.
        self.types: set[Type] = set()
        #: Entries in the use counts of all values, and those that ops account for.
        self.entries = 0
        self.accounted = 0
        self.defined: list[Value] = []

    def run(self) -> None:
        """All checks, in the order of the text."""
        module = self.module
        if self.kinds is None:
            _broken("no stage of a module", " | ".join(STAGES), module.stage)
        for symbol, most in module.bounds.items():
            if not SYMBOL_NAME.fullmatch(symbol) or not 0 <= most <= HIGHEST:
                _broken("no bound of a symbol", found=f"{symbol}: {most}")
        for name, weight in module.weights.items():
            self._weight(name, weight)
        self._names("inputs", module.inputs, len(module.main.params))
        self._region(module.main, None, 0)
        self._names("outputs", module.outputs, len(module.main.outputs))
        if self.entries != self.accounted:
            self._stale()

    # ---- the module -------------------------------------------------------------------------
    def _weight(self, name: str, weight: Weight) -> None:
        value = weight.value
        if name != weight.name or not WEIGHT_NAME.fullmatch(name):
            _broken("no name of a weight", expected=weight.name, found=name)
        if value.weight is not weight or value.op is not None or value.region is not None:
            _broken(f"the value of weight @{name} is not its own")
        self._type(value.type, None)
        if not fits(weight.source, value.type):
            _broken(f"the elements of weight @{name} are of another type", str(value.type))
        self._define(value, None)

    def _names(self, what: str, names: list[str], count: int) -> None:
        if len(names) != count:
            _broken(f"{what} and their names differ in number", str(count), str(len(names)))
        if len(set(names)) < count:
            twice = next(name for name, times in Counter(names).items() if times > 1)
            _broken(f"two {what} have one name", found=twice)

    def _stale(self) -> NoReturn:
        """Names a value that lists a use that there is not."""
        ops = set(self.module.main.walk())
        for value in self.defined:
            for op in value.uses:
                if op not in ops or value not in op.operands:
                    where = excerpt(value.op) if value.op is not None else str(value.type)
                    _broken(f"a value lists a use by {op.name} that there is not\n{where}")
        _broken("values list uses that there are not")

    # ---- regions ----------------------------------------------------------------------------
    def _region(self, region: Region, owner: Op | None, depth: int) -> None:
        if region.owner is not owner:
            _broken("a region belongs to another op", op=owner)
        if depth > DEPTH:
            _broken(f"regions are nested more than {DEPTH} deep", op=owner)
        start = len(self.defined)
        for index, value in enumerate(region.params):
            if value.region is not region or value.index != index or value.op or value.weight:
                _broken("a parameter is not of its region", op=owner)
            self._type(value.type, owner)
            self._define(value, owner)
        before, op = None, region.first
        while op is not None:
            if op.previous is not before or op.region is not region:
                _broken("an op is not linked to its neighbours and its region", op=op)
            self._op(op, depth)
            before, op = op, op.next
        if region.last is not before:
            _broken("the last op of a region is another one", op=before or owner)
        end = YIELD if depth else RETURN
        if before is None or before.row.name != end:
            _broken("a region has no end", expected=end, op=before or owner)
        if depth:
            self.visible.difference_update(self.defined[start:])

    def _define(self, value: Value, op: Op | None) -> None:
        if value in self.visible:
            _broken("a value is defined twice", op=op)
        self.visible.add(value)
        self.defined.append(value)
        self.entries += len(value.uses)

    def _type(self, kind: Type, op: Op | None) -> None:
        if kind in self.types:
            return
        if tensor(kind.dtype, kind.shape, kind.counts) is not kind:
            _broken("a type that was not made by tensor()", found=str(kind), op=op)
        problem = ill_sized(kind, self.module.bounds)
        if problem:
            _broken(problem, found=str(kind), op=op)
        self.types.add(kind)

    # ---- ops --------------------------------------------------------------------------------
    def _op(self, op: Op, depth: int) -> None:
        row = op.row
        if OPS.get(row.name) is not row or self.kinds is None or row.kind not in self.kinds:
            _broken(f"no op of the stage {self.module.stage}: {row.name}", op=op)
        if row.name in ENDS and (op.next is not None or (row.name == YIELD) != (depth > 0)):
            _broken(f"{row.name} is not at the end of a region that it ends", op=op)
        kinds = self._operands(op)
        if len(set(op.regions)) < len(op.regions):
            _broken("an op has a region twice", op=op)
        for region in op.regions:
            self._region(region, op, depth + 1)
        attrs = op.attrs
        if attrs or row.attrs:
            self._attributes(op, row)
        try:
            expected = row.result_types(attrs, kinds, op.regions)
        except IRError as problem:
            raise _at(problem, op) from problem
        results = op.results
        if len(results) != len(expected):
            _broken("another number of results", str(len(expected)), str(len(results)), op)
        for index, value in enumerate(results):
            kind = value.type
            if value.op is not op or value.index != index or value.region or value.weight:
                _broken("a result is not of its op", op=op)
            if kind is not expected[index]:
                found, wanted = str(kind), str(expected[index])
                raise _at(IRError("E1403", "a result's type", expected=wanted, found=found), op)
            if kind not in self.types:
                self._type(kind, op)
            self._define(value, op)

    def _operands(self, op: Op) -> list[Type | None]:
        """The types of the operands."""
        operands = op.operands
        visible = self.visible
        kinds: list[Type | None] = []
        counts = Counter(operands) if len(operands) > _FEW else None
        for value in operands:
            if value is None:
                kinds.append(None)
                continue
            if value not in visible:
                self._unknown(op, value)
            times = value.uses.get(op)
            if times != (operands.count(value) if counts is None else counts[value]):
                _broken("an operand does not count this use", op=op)
            kinds.append(value.type)
        users = set(operands)
        self.accounted += len(users) - (None in users)
        if kinds and kinds[-1] is None:
            _broken("an operand that is left out is the last one", op=op)
        return kinds

    def _unknown(self, op: Op, value: Value) -> NoReturn:
        if value.weight is not None:
            _broken(f"weight @{value.weight.name} is not of this module", op=op)
        _broken("an operand is not defined before, or not here", op=op)

    def _attributes(self, op: Op, row: Row) -> None:
        attrs = op.attrs
        try:
            if attrs.keys() != row.attrs.keys():
                row.full_attrs(attrs)
                missing = ", ".join(sorted(row.attrs.keys() - attrs.keys()))
                raise IRError("E1401", f"{row.name} lacks the attribute {missing}")
            for name, attr in row.attrs.items():
                attr.check(name, attrs[name])
                _check_size(name, attrs[name])
        except IRError as problem:
            raise _at(problem, op) from problem


def _check_size(name: str, value: object) -> None:
    items = value if isinstance(value, tuple) else (value,)
    for item in items:
        if type(item) is int and not LOWEST <= item <= HIGHEST:
            raise IRError("E1401", f"attribute {name}", expected="64 bits", found=str(item))


def _at(problem: IRError, op: Op) -> IRError:
    """The same refusal with the op and its neighbours."""
    return IRError(
        problem.code,
        f"{problem.message}\n{excerpt(op)}\n",
        expected=problem.expected,
        found=problem.found,
        hint=problem.hint,
        nodes=problem.nodes or op.location.nodes,
    )


def _broken(
    message: str, expected: str | None = None, found: str | None = None, op: Op | None = None
) -> NoReturn:
    problem = IRError("E1414", message, expected=expected, found=found)
    raise problem if op is None else _at(problem, op)
