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
from typing import ClassVar

from maiacc_passes.attending import Room, attention
from maiacc_passes.fusing_fits import access_of, fits, inner_view, is_alias
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.lowering.access import VIEWS
from maiacc_passes.lowering.space import ELEMENTWISE
from maiacc_passes.outlining import Group, Outline

#: Ops that start a group which elementwise ops may follow.
ROOTS = frozenset({"contract", "conv", "contract_sparse", "conv_sparse", "contract_scaled"})

#: A dim that has to be whole in a tile may have so many elements, all of them together.
WHOLE = 1 << 15

#: Values of a group.
MOST = 64


@dataclass(frozen=True)
class Fuse:
    """Makes groups. ``tiles`` is over how many tiles work is to be dealt; ``whole`` how many
    elements a tile holds for each row; ``room`` what a tile has for attention, which stays three
    groups without it. With ``alone`` every op has a group of its own."""

    name: ClassVar[str] = "fuse"
    keeps: ClassVar[str] = "bit"
    tiles: int = 36
    whole: int = WHOLE
    room: Room | None = None
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
        room = None if self.options.alone else self.options.room
        attended: dict[Op, Group] = {}
        for members in [] if room is None else attention(self.region, room):
            if not any(op in attended for op in members):
                attended |= dict.fromkeys(members, Group(members[0]))
        for op in ops[:-1]:
            if op in attended:
                self._attend(op, attended[op])
            elif op.row.kind is Kind.CONTROL:
                self._start(op)
            elif op.name not in VIEWS:
                self._place(op)
        self._copies(ops)
        return Outline(self.module, self.region, self.groups, self.group).run()

    def _attend(self, op: Op, group: Group) -> None:
        """Enters an op of attention into its group, which is there from its first op on."""
        if group not in self.groups:
            self.groups.append(group)
        if op is not group.root:
            group.ops.append(op)
        group.needs |= self._needed(op) - {group}
        self.group[op] = group

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
            apart = any(g.depends(group) or g.depends(other) for g in around)
            if apart or not all(map(inner_view, views)):
                continue
            ops = sorted({*group.ops, *other.ops, *views}, key=lambda x: self.places[x])
            if not self._fits(ops, contraction=False):
                continue
            self._unite((other, group), ops)

    def _unite(self, parts: Sequence[Group], ops: Sequence[Op]) -> None:
        """Makes one group of some, the last of them."""
        *others, group = parts
        group.needs = {g for part in parts for g in part.needs} - set(parts)
        group.ops = sorted(ops, key=lambda op: self.places[op])
        self.group |= dict.fromkeys(ops, group)
        self.groups = [g for g in self.groups if g not in others]
        for user in self.groups:
            if user is not group and not user.needs.isdisjoint(others):
                user.needs = (user.needs - set(others)) | {group}

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
                if not all(inner_view(view) for view in path):
                    return False
                views += path
            elif maker is not None and maker.depends(group):
                return False
        return self._fits([*group.ops, *views, op], contraction)

    def _fits(self, ops: list[Op], contraction: bool) -> bool:
        return fits(ops, contraction, self.options.whole, self.options.tiles)

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
            if access_of(op.result, self.group) is None:
                source = op.operands[0]
                assert source is not None
                assert source.op is not None
                if not self._takes(source):
                    self._start(source.op)
            if dense and not is_alias(op.result, self.group):
                self._start(op)
        self.groups.sort(key=lambda g: min(ops.index(x) for x in g.ops[:1]))
        for group in self.groups:
            group.needs = set()
            for member in group.ops:
                group.needs |= self._needed(member) - {group}

    def _takes(self, value: Value) -> bool:
        """Lets the group that makes what a value is a view of hand out the value instead, if it can
        store in any order and nobody wants it otherwise."""
        group, path = self._maker(value), self._path(value)
        if group is None or not path or not all(map(inner_view, path)):
            return False
        kinds = (*ELEMENTWISE, Kind.REDUCE, Kind.MAKE, Kind.VIEW)
        plain = all(op.row.kind in kinds or op.name == "contract" for op in group.ops)
        sources = [op.operands[0] for op in path]
        if not plain or any(v is None or len(v.uses) > 1 for v in sources):
            return False
        group.ops += path
        self.group |= dict.fromkeys(path, group)
        return True

    def _as_it_is(self, user: Op) -> bool:
        """Whether an op wants its operands in memory as they are."""
        return user.region is not self.region or user.row.kind is Kind.CONTROL
