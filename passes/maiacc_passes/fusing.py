"""Groups of ops that one kernel executes.

Assumes: no composites but those that are one function of the machine. Promises: all bits; ops are
only moved. In:

    %1 = contract(%0, @w) {spec="ab,bc->ac"} : fp32[4, 8]
    %2 = add(%1, @b) : fp32[4, 8]
    %3 = relu(%2) : fp32[4, 8]
    return(%3)

Out: ``group`` with the three ops. An op joins the group of one of its operands where

- their axes are dims of one iteration space, none twice in a value;
- no other group lies between the two;
- a contraction is followed by elementwise ops on its own dims only;
- what is reduced or scanned, which a tile has to hold whole, leaves enough to deal over tiles.

Views of what comes from outside of a group are strides of its loads, and each group has its own
copy of them. What strides cannot say gets a group that copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.lowering.access import VIEWS, Access, viewed, whole
from maiacc_passes.lowering.space import ELEMENTWISE, Space, joined, reduced_axes, unit_reshape
from maiacc_passes.outlining import Group, Outline

#: Ops that start a group which elementwise ops may follow.
ROOTS = frozenset({"contract", "conv", "contract_sparse", "conv_sparse", "contract_scaled"})

#: Views that keep the axes of a group's space.
INNER = frozenset({"transpose", "broadcast", "reshape"})

#: A dim that has to be whole in a tile may have so many elements, all of them together.
WHOLE = 1 << 15

#: Values of a group.
MOST = 64


@dataclass(frozen=True)
class Fuse:
    """Makes groups. ``tiles`` is over how many tiles work is to be dealt; ``whole`` how many
    elements a tile holds for each row. With ``alone`` every op has a group of its own."""

    name: ClassVar[str] = "fuse"
    keeps: ClassVar[str] = "bit"
    tiles: int = 36
    whole: int = WHOLE
    alone: bool = False

    def run(self, module: Module) -> int:
        """How many groups there are."""
        return sum(_Region(module, region, self).run() for region in module.regions())


class _Region:
    def __init__(self, module: Module, region: Region, options: Fuse) -> None:
        self.module = module
        self.region = region
        self.options = options
        self.group: dict[Op, Group] = {}
        self.groups: list[Group] = []
        self.places = {op: number for number, op in enumerate(region)}

    def run(self) -> int:
        ops = list(self.region)
        for op in ops[:-1]:
            if op.row.kind is Kind.CONTROL:
                self._start(op)
            elif op.name not in VIEWS:
                self._place(op)
        self._copies(ops)
        return Outline(self.module, self.region, self.groups, self.group).run()

    # ---- growing ----------------------------------------------------------------------------
    def _place(self, op: Op) -> None:
        if not self.options.alone and op.row.kind in (*ELEMENTWISE, Kind.REDUCE):
            for value in op.operands:
                group = None if value is None else self._maker(value)
                if group is not None and self._joins(op, group):
                    self._views(op, group)
                    group.ops.append(op)
                    self.group[op] = group
                    group.needs |= self._needed(op) - {group}
                    self._merge(op, group)
                    return
        self._start(op)

    def _merge(self, op: Op, group: Group) -> None:
        """Takes other groups that make operands of an op into its own: gates, each a part of one
        product, that meet again."""
        for value in op.operands:
            other = None if value is None else self._maker(value)
            if other is None or other is group or not self._plain(other, group):
                continue
            views = self._between([*group.ops, *other.ops], (group, other))
            around = (group.needs | other.needs) - {group, other}
            apart = any(self._depends(g, group) or self._depends(g, other) for g in around)
            if apart or not all(map(_inner, views)):
                continue
            ops = sorted({*group.ops, *other.ops, *views}, key=lambda x: self.places[x])
            if not self._fits(ops, contraction=False):
                continue
            group.ops = ops
            group.needs = around
            self.group |= dict.fromkeys(ops, group)
            self.groups.remove(other)
            for user in self.groups:
                if other in user.needs:
                    user.needs = (user.needs - {other}) | ({group} - {user})

    def _between(self, ops: Sequence[Op], groups: tuple[Group, Group]) -> set[Op]:
        """The views through which ops see what two groups make."""
        values = {v for op in ops for v in op.operands if v is not None}
        return {view for v in values if self._maker(v) in groups for view in self._path(v)}

    def _plain(self, one: Group, two: Group) -> bool:
        """Whether two groups of elementwise ops are few enough to be one."""
        ops = [*one.ops, *two.ops]
        kinds = (*ELEMENTWISE, Kind.VIEW)
        return len(ops) < MOST and all(op.row.kind in kinds for op in ops)

    def _start(self, op: Op) -> None:
        group = Group(op)
        group.needs = self._needed(op)
        self.group[op] = group
        self.groups.append(group)

    def _needed(self, op: Op) -> set[Group]:
        inner = [x for part in op.regions for x in part.walk()]
        found = set()
        for user in (op, *inner):
            for value in user.operands:
                group = None if value is None else self._maker(value)
                if group is not None:
                    found.add(group)
        return found

    def _maker(self, value: Value) -> Group | None:
        """The group that makes a value, or what it is a view of."""
        while value.op is not None and value.op.region is self.region:
            if value.op in self.group:
                return self.group[value.op]
            if value.op.name not in VIEWS:
                return None
            source = value.op.operands[0]
            assert source is not None
            value = source
        return None

    def _path(self, value: Value) -> list[Op]:
        """The views between a value and what a group makes, the first one first."""
        found: list[Op] = []
        while value.op is not None and value.op not in self.group and value.op.name in VIEWS:
            found.append(value.op)
            source = value.op.operands[0]
            assert source is not None
            value = source
        return found[::-1]

    def _joins(self, op: Op, group: Group) -> bool:
        if len(group.ops) >= MOST or group.root.row.kind is Kind.CONTROL:
            return False
        contraction = group.root.name in ROOTS
        if contraction and op.row.kind not in ELEMENTWISE:
            return False
        if not contraction and group.root.row.kind not in (*ELEMENTWISE, Kind.REDUCE, Kind.MAKE):
            return False
        views: list[Op] = []
        for value in op.operands:
            if value is None:
                continue
            maker = self._maker(value)
            if maker is group:
                path = self._path(value)
                if not all(_inner(view) for view in path):
                    return False
                views += path
            elif maker is not None and self._depends(maker, group):
                return False
        return self._fits([*group.ops, *views, op], contraction)

    def _depends(self, group: Group, other: Group) -> bool:
        """Whether a group needs another one, however far away."""
        seen: set[Group] = set()
        stack = [group]
        while stack:
            at = stack.pop()
            if at is other:
                return True
            if at not in seen:
                seen.add(at)
                stack += at.needs
        return False

    def _fits(self, ops: list[Op], contraction: bool) -> bool:
        space = Space()
        joined(space, ops)
        full: set[int] = set()
        values = {v for op in ops for v in (*op.operands, *op.results) if v is not None}
        for value in values:
            dims = space.of(value)
            if len(set(dims)) != len(dims):
                return False
        root = space.of(ops[0].result) if contraction else ()
        for op in ops:
            if contraction and not set(space.of(op.results[0])) <= set(root):
                return False
            if op.row.kind is Kind.REDUCE:
                source = op.operands[0]
                assert source is not None
                dims_of = space.dims(source)
                full |= {d for a in reduced_axes(op) if (d := dims_of[a]) is not None}
        if contraction:
            return True
        held = prod(space.sizes[d] for d in full)
        rest = prod(n for d, n in enumerate(space.sizes) if d not in full)
        small = held * rest <= 4096
        return not full or small or (held <= self.options.whole and rest >= self.options.tiles)

    def _views(self, op: Op, group: Group) -> None:
        """Takes the views between a group and an op that joins it into the group."""
        for value in op.operands:
            if value is not None and self._maker(value) is group:
                for view in self._path(value):
                    group.ops.append(view)
                    self.group[view] = group

    # ---- copies -----------------------------------------------------------------------------
    def _copies(self, ops: list[Op]) -> None:
        """Groups for views that strides cannot say, or that somebody wants as they are."""
        wanted = {op: False for op in ops if op.name in VIEWS and op not in self.group}
        for op in wanted:
            dense = any(self._as_it_is(user) for user in op.result.uses)
            if self._access(op.result) is None:
                source = op.operands[0]
                assert source is not None
                assert source.op is not None
                self._start(source.op)
            if dense and not self._alias(op.result):
                self._start(op)
        self.groups.sort(key=lambda g: min(ops.index(x) for x in g.ops[:1]))
        for group in self.groups:
            group.needs = set()
            for member in group.ops:
                group.needs |= self._needed(member) - {group}

    def _as_it_is(self, user: Op) -> bool:
        """Whether an op wants its operands in memory as they are."""
        return user.region is not self.region or user.row.kind is Kind.CONTROL

    def _access(self, value: Value) -> Access | None:
        views: list[Op] = []
        while value.op is not None and value.op.name in VIEWS and value.op not in self.group:
            views.append(value.op)
            source = value.op.operands[0]
            assert source is not None
            value = source
        shape = value.type.shape or (1,)
        found: Access | None = whole(Buffer("", value.type.dtype, shape, "hbm"), value.type.shape)
        for view in reversed(views):
            found = None if found is None else viewed(view, found)
        return found

    def _alias(self, value: Value) -> bool:
        """Whether a view has all elements of something in their order."""
        found = self._access(value)
        return found is not None and found.dense and not found.dtype


def _inner(op: Op) -> bool:
    """Whether a view keeps the axes of a space."""
    return op.name in INNER and (op.name != "reshape" or unit_reshape(op))
