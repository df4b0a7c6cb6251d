"""Groups as ops: what one kernel executes becomes a ``group`` with a region of its own.

Views of what comes from outside of a group are copied into it; others stand in front of the first
op that wants them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Location, Module, Op, Region, Value
from maiacc_passes.ir.ops import OPS
from maiacc_passes.ir.table import Kind
from maiacc_passes.lowering.access import VIEWS


class Group:
    """A group while it grows. ``needs`` are the groups it depends on."""

    def __init__(self, op: Op) -> None:
        self.ops = [op]
        self.needs: set[Group] = set()

    @property
    def root(self) -> Op:
        """The op that it began with."""
        return self.ops[0]

    def depends(self, other: Group) -> bool:
        """Whether it needs another one, however far away."""
        seen: set[Group] = set()
        stack = [self]
        while stack:
            at = stack.pop()
            if at is other:
                return True
            if at not in seen:
                seen.add(at)
                stack += at.needs
        return False


class Outline:
    """Puts groups into ops."""

    def __init__(
        self, module: Module, region: Region, groups: list[Group], group: dict[Op, Group]
    ) -> None:
        self.module = module
        self.region = region
        self.groups = groups
        self.group = group
        self.brought: set[Op] = set()

    def run(self) -> int:
        """How many groups there are."""
        order = list(self._sorted())
        last = self.region.last
        assert last is not None
        for group in order:
            if group.root.row.kind is Kind.CONTROL:
                self._move(group.root, last)
            else:
                self._outline(group, last)
        for value in last.operands:
            if value is not None:
                self._bring(value, last)
        for op in reversed(list(self.region)):
            if op is not last and op.name in VIEWS and not op.result.uses:
                op.erase()
        return len(order)

    def _sorted(self) -> Iterator[Group]:
        """Groups behind those they need."""
        done: set[Group] = set()
        for start in self.groups:
            stack = [start]
            while stack:
                group = stack[-1]
                waiting = [g for g in self._stable(group.needs) if g not in done]
                if group in done or not waiting:
                    stack.pop()
                    if group not in done:
                        done.add(group)
                        yield group
                else:
                    stack += reversed(waiting)

    def _stable(self, needs: Iterable[Group]) -> list[Group]:
        places = {group: number for number, group in enumerate(self.groups)}
        return sorted(needs, key=lambda g: places[g])

    def _bring(self, value: Value, before: Op) -> None:
        """Moves the views that a value is made by to where it is wanted."""
        chain: list[Op] = []
        while value.op is not None and value.op.region is self.region and value.op.name in VIEWS:
            chain.append(value.op)
            source = value.op.operands[0]
            assert source is not None
            value = source
        for op in reversed(chain):
            # What is wanted by several stays where the first one has it.
            if op not in self.brought:
                self.brought.add(op)
                self._move(op, before)

    def _move(self, op: Op, before: Op) -> None:
        inner = [x for part in op.regions for x in part.walk()]
        for user in (op, *inner):
            for value in user.operands:
                if value is not None and op.name not in VIEWS:
                    self._bring(value, before)
        self.region.unlink(op)
        self.region.insert(op, before)

    def _outline(self, group: Group, before: Op) -> None:
        members = set(group.ops)
        body = Region()
        b = Builder(self.module, body)
        inside: dict[Value, Value] = {}
        operands: list[Value] = []

        def given(value: Value | None) -> Value | None:
            if value is None or value.weight is not None or value in inside:
                return value if value is None or value.weight is not None else inside[value]
            op = value.op
            if op is not None and op.region is self.region and op.name in VIEWS:
                source = given(op.operands[0])
                b.location = op.location
                inside[value] = b.again(op, [source])[0]
                return inside[value]
            operands.append(value)
            inside[value] = body.add_param(value.type)
            return inside[value]

        location = Location()
        for op in group.ops:
            mapped = [given(value) for value in op.operands]
            b.location = op.location
            location = location.merged(op.location)
            results = b.again(op, mapped)
            inside.update(zip(op.results, results, strict=True))
        handed = [
            v for op in group.ops for v in op.results if any(u not in members for u in v.uses)
        ]
        body.append(Op(OPS["yield"], [inside[v] for v in handed], {}, ()))
        made = Op(OPS["group"], operands, {}, [v.type for v in handed], [body], location)
        self.region.insert(made, before)
        for old, new in zip(handed, made.results, strict=True):
            old.replace(new)
        for op in reversed(group.ops):
            op.erase()
