"""A group of ops being lowered: its space, where its inputs and outputs are, its expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from maiacc_isa.machine import Machine
from maiacc_passes.ir.graph import Location, Op, Value
from maiacc_passes.ir.table import Kind
from maiacc_passes.kernel.model import Buffer, Kernel, Loop, Node, Word
from maiacc_passes.lowering.access import VIEWS, Access, viewed, whole
from maiacc_passes.lowering.expr import Expr, Tile, constant, leaf
from maiacc_passes.lowering.recipes import RECIPES, Maker, unsupported
from maiacc_passes.lowering.space import ELEMENTWISE, Space, joined, reduced_axes
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.lowering.writer import Writer


class Constants(Protocol):
    """Gives a constant of the module its buffer, with its axes in another order if asked to."""

    def __call__(self, value: Value, order: tuple[int, ...] = ()) -> Buffer:
        """The buffer."""
        ...


@dataclass
class Group:
    """``ops`` without the one that hands out; ``inputs`` are accesses of the region's parameters,
    ``outputs`` buffers of what it hands out."""

    name: str
    op: Op
    machine: Machine
    inputs: Mapping[Value, Access]
    outputs: Mapping[Value, Buffer]
    constants: Constants
    #: Where outputs go that are no whole buffers.
    parts: Mapping[Value, Access] = field(default_factory=dict)
    #: How groups that are alike were cut.
    memo: dict[object, tuple[Tiling, ...]] = field(default_factory=dict, repr=False)
    ops: list[Op] = field(init=False)
    space: Space = field(init=False)
    access: dict[Value, Access] = field(init=False)

    def __post_init__(self) -> None:
        self.ops = list(self.op.regions[0])[:-1]
        self.access = dict(self.inputs)
        for op in self.ops:
            if op.name in VIEWS:
                self._view(op)
        self.space = Space()
        mine = [op for op in self.ops if op.results[0] not in self.access]
        joined(self.space, mine)
        # Dims are numbered in the order of the largest value, outer ones first.
        rows = [op for op in mine if op.row.kind in (*ELEMENTWISE, Kind.REDUCE)]
        values = [*self.outputs, *(v for op in mine for v in op.results)]
        values += [v for op in rows for v in op.operands if v is not None]
        for value in sorted(values, key=lambda v: -v.type.size):
            self.space.of(value)

    def _view(self, op: Op) -> None:
        source = op.operands[0]
        assert source is not None
        if source.weight is not None:
            self.access.setdefault(source, self.constant(source))
        if source in self.access:
            found = viewed(op, self.access[source])
            if found is not None:
                self.access[op.result] = found

    def constant(self, value: Value) -> Access:
        """A constant of the module in its own buffer."""
        return whole(self.constants(value), value.type.shape)

    def relaid(self, value: Value, order: tuple[int, ...]) -> Access:
        """A constant of the module whose axes lie in another order in memory."""
        found = whole(self.constants(value, order), [value.type.shape[axis] for axis in order])
        back = [order.index(axis) for axis in range(len(order))]
        return Access(found.buffer, value.type.shape, tuple(found.strides[place] for place in back))

    def located(self, value: Value) -> Access | None:
        """Where a value lies in memory, if it comes from outside of the group."""
        if value.weight is not None and value not in self.access:
            self.access[value] = self.constant(value)
        return self.access.get(value)

    # ---- expressions --------------------------------------------------------------------------
    def number(self, value: Value) -> float | None:
        """The number that a constant is, if all its elements are the same and stages can say it."""
        if value.weight is None or value.type.size != 1:
            return None
        found = np.asarray(value.weight.source.array(value.type)).reshape(-1)[0]
        element = value.type.element
        if element.is_float:
            number = float(found)
            exact = np.float32(number)
            same = number == exact or number != number
            return number if same else None
        number = int(found)
        return float(number) if -(1 << 31) <= number < 1 << 31 else None

    def express(
        self,
        writer: Writer,
        exprs: dict[Value, Expr],
        queue: str = "LD0",
        ops: Sequence[Op] | None = None,
    ) -> None:
        """Makes the expressions of all ops, or of some, whose results are not there yet."""
        for op in self.ops if ops is None else ops:
            if op.results[0] in exprs or op.results[0] in self.access:
                continue
            if op.name in VIEWS:
                source = op.operands[0]
                assert source is not None
                exprs[op.result] = exprs[source]
                continue
            self._expression(op, writer, exprs, queue)

    def operand(
        self, value: Value, writer: Writer, exprs: dict[Value, Expr], queue: str
    ) -> Expr | float:
        """An operand: computed before, a number, or loaded."""
        if value in exprs:
            return exprs[value]
        number = self.number(value)
        if number is not None:
            return number
        access = self.located(value)
        assert access is not None
        constant = value.weight is not None
        tile = writer.load(
            access, self.space.dims(value), "LD1" if constant else queue, weights=constant
        )
        return leaf(tile)

    def _expression(self, op: Op, writer: Writer, exprs: dict[Value, Expr], queue: str) -> None:
        writer.location = op.location
        if op.name == "iota":
            axis = op.attrs["axis"]
            assert isinstance(axis, int)
            dim = self.space.dim((op.result, axis))
            dtype = "int32"
            exprs[op.result] = (
                constant(0.0, dtype) if dim is None else writer.coordinates(dim, dtype)
            )
            return
        inputs = [self.operand(v, writer, exprs, queue) for v in op.operands if v is not None]
        if op.row.kind is Kind.REDUCE:
            exprs[op.result] = self._reduction(op, inputs[0], writer)
            return
        recipe = RECIPES.get(op.name)
        if recipe is None:
            raise unsupported(op, "there are no words for it yet")
        first = op.operands[1 if op.name == "select" else 0]
        assert first is not None
        maker = Maker(self.space.of(op.result), op.result.type.dtype, first.type.dtype)
        found = maker.last(recipe(maker, op, inputs))
        exprs[op.result] = found if isinstance(found, Expr) else maker("mov", found)

    def _reduction(self, op: Op, x: Expr | float, writer: Writer) -> Expr:
        source = op.operands[0]
        assert source is not None
        dims = self.space.dims(source)
        gone = [d for a in reduced_axes(op) if (d := dims[a]) is not None]
        element = op.result.type.element
        if not isinstance(x, Expr):
            x = constant(x, "fp32" if source.type.element.is_float else "int32")
        store = "fp32" if element.is_float else element.name
        kept = tuple(d for d in self.space.of(op.result))
        fields: dict[str, object] = {"op": op.name, "gone": tuple(gone)}
        if not op.attrs.get("last"):
            return Expr("reduce", (x,), kept, "", store, fields)
        # The last of equals is the first one from the end.
        found = Expr("reduce", (x,), kept, "", store, {**fields, "last": True})
        size = source.type.shape[reduced_axes(op)[0]]
        return Expr("sub", (float(size - 1), found), kept, store, store)

    # ---- kernels ------------------------------------------------------------------------------
    def finish(self, writer: Writer, exprs: dict[Value, Expr]) -> None:
        """Computes what the group hands out, and stores it."""
        for value in self.outputs:
            if value not in exprs:
                found = self.operand(value, writer, exprs, "LD0")
                assert isinstance(found, Expr), "views have accesses"
                exprs[value] = found
        roots = [exprs[value] for value in self.outputs]
        writer.count(roots)
        # Tiles lie as what they are stored to.
        largest = max(self.outputs, key=lambda value: value.type.size)
        writer.stored = self._stored(largest)
        for value in self.outputs:
            expr = exprs[value]
            dims, target, layout = self.space.dims(value), self._target(value), self._stored(value)
            writer.location = self._maker(value)
            tile = self.kept(writer, expr, layout, value)
            writer.store(tile, target, dims)

    def kept(self, writer: Writer, expr: Expr, layout: tuple[int, ...], value: Value) -> Tile:
        """The tile of an expression in the tile's memory, in the type of a value."""
        dtype = value.type.dtype
        alone = expr.tile is None and expr.uses == 1
        if alone and (expr.store == dtype or (expr.stage and not expr.forced)):
            return writer.get(expr, layout if expr.stage else None, dtype)
        tile = writer.get(expr)
        if tile.type == dtype and tile.buffer.space == "tsram":
            return tile
        compute = "fp32" if value.type.element.is_float else "int64"
        return writer.get(Expr("mov", (expr,), layout, compute, dtype), layout, dtype)

    def _target(self, value: Value) -> Access:
        return self.parts.get(value) or whole(self.outputs[value], value.type.shape)

    def _stored(self, value: Value) -> tuple[int, ...]:
        """The dims of what is handed out, in the order in which they lie in memory."""
        steps = sorted((-abs(step), axis) for axis, step in enumerate(self._target(value).strides))
        dims = self.space.dims(value)
        return tuple(d for _, axis in steps if (d := dims[axis]) is not None)

    def _maker(self, value: Value) -> Location:
        return self.op.location if value.op is None else value.op.location

    def kernel(
        self,
        tiling: Tiling,
        writer: Writer,
        core: Sequence[Node] = (),
        accumulators: Sequence[Buffer] = (),
    ) -> Kernel:
        """The loops of a tiling around ``core`` and the words of a writer; loads stand in the
        outermost loop that gives them all their variables."""
        loops = tiling.loops()
        kernel = Kernel(self.name, location=self.op.location)
        bodies: list[tuple[list[Node], list[Buffer]]] = [(kernel.body, kernel.buffers)]
        for loop in loops:
            bodies.append((loop.body, loop.buffers))
        places = {loop.variable: number for number, loop in enumerate(loops, 1)}
        for node, word, buffer in (*writer.panels, *((w, w, b) for w, b in writer.loads)):
            known = [places[v] for v in word.views["a"].variables() if v in places]
            body, buffers = bodies[max(known, default=0)]
            body.append(node)
            buffers.append(buffer)
        inner, buffers = bodies[-1]
        inner += core
        inner += writer.words
        buffers += [*accumulators, *writer.buffers]
        for number, loop in enumerate(loops):
            bodies[number][0].append(loop)
        kernel.title = ", ".join(dict.fromkeys(op.name for op in self.ops if op.name not in VIEWS))
        return kernel


def nest(loops: Sequence[Loop], body: Sequence[Node]) -> Node | None:
    """Loops in each other around a body."""
    for inner in reversed(loops):
        inner.body = list(body)
        body = [inner]
    return body[0] if body else None


__all__ = ["Group", "Word", "nest"]
