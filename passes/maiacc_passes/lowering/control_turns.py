"""Loops and scans: turns of a region, counted by a register.

The body of a scan is told how many turns there are; that of a loop also by what it loads, since
trip counts and conditions may be values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.kernel.model import Buffer
from maiacc_passes.kernel.plan import Assign, Load, Repeat, Scalar, Scalars
from maiacc_passes.lowering.access import Access, whole
from maiacc_passes.lowering.control_base import GO, Around, Control
from maiacc_passes.lowering.control_form import TURNS
from maiacc_passes.lowering.control_moves import Move
from maiacc_passes.lowering.recipes import unsupported

#: A condition that was loaded, before it is one of two that have to hold.
CONDITION = Scalar("condition", 30, 0, 1)

#: Registers of the outermost loop: the turn and the trip count. Inner ones lie below.
TURN, TRIP = 29, 28


@dataclass
class _Limit:
    """How many turns there are: a number, a scalar, or None while a condition holds."""

    number: int | None = None
    scalar: Scalar | None = None


class _Repetition(Control):
    """Turns of a region, at most ``most``."""

    def __init__(self, around: Around, op: Op, most: int) -> None:
        super().__init__(around, op)
        self.most = min(most, TURNS)
        level = around.loops
        number = sum(name.startswith("turn") for name in around.plan.scalars)
        last = max(self.most - 1, 0)
        self.turn = self.scalar(Scalar(f"turn{number}", TURN - 2 * level, 0, last))
        self.trip = Scalar(f"trip{number}", TRIP - 2 * level, 0, self.most + 1)
        self.after = Scalar(f"after{number}", self.turn.register, 0, self.most)

    def part(self, access: Access, axis: int, backwards: bool) -> Access:
        """What an access has along an axis at the number of the turn."""
        root, stride, size = access.buffer, access.strides[axis], access.sizes[axis]
        sizes = access.sizes[:axis] + access.sizes[axis + 1 :]
        strides = access.strides[:axis] + access.strides[axis + 1 :]
        if root.element.bits < 8:
            raise unsupported(self.op, "rows of elements of less than a byte")
        start = root.offset + access.offset + (size - 1) * stride * backwards
        terms = (*root.terms, (self.turn.name, -stride if backwards else stride))
        shape = sizes if whole(root, sizes).strides == strides else root.shape
        kind = root.kind if root.kind == "weight" else "temp"
        buffer = Buffer(
            f"{root.name}.turn", root.dtype, shape, "hbm", kind, False, root.root, start, terms
        )
        return Access(buffer, sizes, strides, 0, access.dtype)

    def row(self, stack: Buffer, backwards: bool) -> Buffer:
        """The part of a buffer where this turn's row goes."""
        return self.part(whole(stack, stack.shape), 0, backwards).buffer

    def going(self, limit: _Limit, condition: Access | bool) -> list[Load | Assign]:
        """The words that say whether there is another turn."""
        words: list[Load | Assign] = []
        loaded = isinstance(condition, Access)
        if isinstance(condition, Access):
            alone = limit.number is None and limit.scalar is None
            words.append(self.load(GO if alone else CONDITION, condition))
        elif not condition:
            return [Assign(self.scalar(GO))]
        turn = (self.turn, -1)
        if limit.scalar is not None:
            terms = (turn, (limit.scalar, 1))
            words.append(Assign(self.scalar(GO), 0, terms, "max"))
            if loaded:
                terms = ((GO, 1), (CONDITION, 1))
                words.append(Assign(GO, 0, terms, "min2"))
        elif limit.number is not None and loaded:
            terms = (turn, (CONDITION, 1))
            words.append(Assign(self.scalar(GO), limit.number, terms, "min2"))
        elif limit.number is not None:
            words.append(Assign(self.scalar(GO), limit.number, (turn,)))
        elif not loaded:
            words.append(Assign(self.scalar(GO), 1))
        return words

    def begin(
        self, initial: Sequence[Value], targets: Sequence[Buffer], stacks: Sequence[Buffer]
    ) -> None:
        """Steps that put initial values into targets, and zeros into what is stacked."""
        around = self.around
        moves = [
            Move(whole(target, value.type.shape), around.located(value))
            for value, target in zip(initial, targets, strict=True)
        ]
        moves += [Move(whole(buffer, buffer.shape), None) for buffer in stacks]
        around.emit(self.move(moves))

    def repeat(
        self,
        values: Sequence[Value],
        targets: Sequence[Buffer],
        limit: _Limit,
        start: Sequence[Load | Assign],
        conditions: tuple[Access | bool, Access | bool],
        head: Sequence[Move] = (),
    ) -> None:
        """The turns. What the body hands out goes into targets; ``conditions`` say whether there
        is a first turn, and a next one; each begins with the moves of ``head``."""
        around, op = self.around, self.op
        if not self.most:
            return
        first, following = conditions
        words = [*start, Assign(self.turn, everywhere=True), *self.going(limit, first)]
        around.emit([Scalars(words, location=op.location)])
        around.loops += 1
        steps = self.move(head) if head else []
        steps += self.hand_out(op.regions[0], values, targets)
        around.loops -= 1
        next_turn = Assign(self.turn, 1, ((self.turn, 1),), everywhere=True)
        words = [next_turn, *self.going(limit, following)]
        steps.append(Scalars(words, location=op.location))
        around.emit([Repeat(GO, self.most, steps)])


class Scan(_Repetition):
    """A turn for each index of what is scanned; how many there are is known."""

    def __init__(self, around: Around, op: Op) -> None:
        self.carried = op.integer("carried")
        values = [value for value in op.operands if value is not None]
        self.initial, self.scanned = values[: self.carried], values[self.carried :]
        axes = op.ints("axes")
        self.length = self.scanned[0].type.shape[axes[0]]
        super().__init__(around, op, self.length)

    def run(self) -> None:
        """Adds its steps."""
        around, op, count = self.around, self.op, self.carried
        results = self.results()
        params = op.regions[0].params
        for param, value, axis, back in zip(
            params[count:], self.scanned, op.ints("axes"), op.ints("reverse"), strict=True
        ):
            access = around.located(value)
            around.access[param] = self.part(access, axis % len(access.sizes), bool(back))
        for param, buffer in zip(params[:count], results[:count], strict=True):
            around.access[param] = whole(buffer, param.type.shape)
        assert not any(op.ints("out_axes")), "what is stacked along other axes is turned later"
        backwards = op.ints("out_reverse")
        rows = [self.row(x, bool(y)) for x, y in zip(results[count:], backwards, strict=True)]
        body = [value for value in op.regions[0].outputs if value is not None]
        self.begin(self.initial, results[:count], results[count:])
        self.repeat(body, [*results[:count], *rows], _Limit(self.length), (), (True, True))


class Loop(_Repetition):
    """Turns as long as a condition holds, and as many as a trip count says."""

    def __init__(self, around: Around, op: Op) -> None:
        super().__init__(around, op, op.integer("most"))

    def run(self) -> None:
        """Adds its steps."""
        around, op = self.around, self.op
        symbol = bool(op.attrs["symbol"])
        initial = [value for value in op.operands[2:] if value is not None]
        count = len(initial)
        results = self.results()
        end = len(results) - symbol
        turn, _, *params = op.regions[0].params
        for param, buffer in zip(params, results[:count], strict=True):
            around.access[param] = whole(buffer, param.type.shape)
        head = []
        if turn.uses:
            buffer = around.buffer(turn)
            around.access[turn] = whole(buffer, ())
            head.append(Move(around.access[turn], self.turn))
        targets = [*results[:count], *(self.row(x, False) for x in results[count:end])]
        limit, start = self._limit(op.operand(0))
        condition, *body = (value for value in op.regions[0].outputs if value is not None)
        following: Access | bool = self._known(condition)
        if not isinstance(following, bool):
            # Where it is may hold something else when the turn ends.
            body.append(condition)
            targets.append(around.buffer(condition))
            following = whole(targets[-1], ())
        first = op.operand(1)
        conditions = True if first is None else self._known(first), following
        self.begin(initial, results[:count], results[count:end])
        self.repeat(body, targets, limit, start, conditions, head)
        self._behind(results[end:], end > count and not symbol)

    def _limit(self, trip: Value | None) -> tuple[_Limit, list[Load | Assign]]:
        """How many turns there are, and the words that load it."""
        if trip is None:
            return _Limit(), []
        if trip.weight is not None:
            number = int(trip.weight.source.array(trip.type))
            return _Limit(min(max(number, 0), TURNS + 1)), []
        load = self.load(self.trip, self.around.located(trip))
        return _Limit(scalar=self.scalar(self.trip)), [load]

    def _known(self, condition: Value) -> Access | bool:
        """A condition, or what it is if it is known."""
        if condition.weight is None:
            # A condition that a body hands out is made when its steps are.
            return self.around.access.get(condition) or whole(Buffer("", "bool", (), "hbm"), ())
        return bool(np.asarray(condition.weight.source.array(condition.type)).all())

    def _behind(self, counts: Sequence[Buffer], always: bool) -> None:
        """The number of turns as a result; a trap where it has to be the largest and is not."""
        around = self.around
        if counts and self.most:
            self.scalar(self.after)
            around.emit(self.move([Move(whole(counts[0], ()), self.after)]))
        elif counts:
            around.emit(self.move([Move(whole(counts[0], ()), None)]))
        if always and self.most:
            exact = Scalar(f"all.{self.after.name}", self.after.register, self.most, self.most)
            around.emit([Scalars([], (self.scalar(exact),), self.op.location)])
