"""What recurrent layers share: one direction, its activations, and steps over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maiacc_passes.ir.graph import Op, Region, Value
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.vocabulary.composites import operands
from maiacc_passes.ir.vocabulary.formulas import cast, number, wide_name

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder

#: Activations by name, with the alpha and the beta that they have if none are given.
DEFAULTS = {
    "sigmoid": (0.0, 0.0),
    "tanh": (0.0, 0.0),
    "relu": (0.0, 0.0),
    "affine": (1.0, 0.0),
    "leakyrelu": (0.01, 0.0),
    "thresholdedrelu": (1.0, 0.0),
    "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5),
    "elu": (1.0, 0.0),
    "softsign": (0.0, 0.0),
    "softplus": (0.0, 0.0),
}


def activated(b: Builder, name: str, x: Value, alpha: float, beta: float) -> Value:
    """An activation of that name."""
    first, second, zero, one = (number(b, value, x) for value in (alpha, beta, 0, 1))
    match name:
        case "affine":
            return b("add", b("mul", x, first), second)
        case "leakyrelu":
            return b("select", b("lt", x, zero), b("mul", x, first), x)
        case "thresholdedrelu":
            return b("select", b("lt", x, first), zero, x)
        case "scaledtanh":
            return b("mul", b("tanh", b("mul", x, second)), first)
        case "hardsigmoid":
            return b("clamp", b("add", b("mul", x, first), second), zero, one)
        case "elu":
            return b("select", b("lt", x, zero), b("mul", b("expm1", x), first), x)
        case "softsign":
            return b("div", x, b("add", b("abs", x), one))
        case _:
            return b(name, x)


@dataclass(frozen=True)
class Layer:
    """What differs between layers: how many gates there are, and the activations."""

    name: str
    gates: int
    activations: tuple[str, ...]


class Direction:
    """The operands and activations of one direction, and how its steps are built."""

    def __init__(self, b: Builder, op: Op, layer: Layer, index: int) -> None:
        self.b, self.op, self.layer, self.index = b, op, layer, index
        self.x, self.w, self.r = operands(op, 3)
        self.wide = wide_name(self.x.type.element)
        self.hidden = self.r.type.shape[2]
        self.backwards = op.attrs["direction"] == "reverse" or index == 1
        self.recurrent = self.own(self.r)

    def own(self, value: Value) -> Value:
        """What a value has for this direction, without the axis of directions."""
        shape = value.type.shape
        if shape[0] > 1:
            starts = (self.index, *(0 for _ in shape[1:]))
            sizes, steps = (1, *shape[1:]), (1,) * len(shape)
            value = self.b("slice", value, starts=starts, sizes=sizes, steps=steps)
        return self.b("reshape", value, shape=shape[1:])

    def part(self, value: Value, number: int, count: int = 1) -> Value:
        """The elements of gates, ``count`` from a number on, along the last axis."""
        shape = value.type.shape
        starts = (*(0 for _ in shape[1:]), number * self.hidden)
        sizes = (*shape[:-1], count * self.hidden)
        if sizes == shape:
            return value
        return self.b("slice", value, starts=starts, sizes=sizes, steps=(1,) * len(shape))

    def rows(self, weights: Value, number: int, count: int = 1) -> Value:
        """The rows of weights that are for gates, ``count`` from a number on."""
        starts, sizes = (number * self.hidden, 0), (count * self.hidden, weights.type.shape[1])
        return self.b("slice", weights, starts=starts, sizes=sizes, steps=(1, 1))

    def start(self, number: int) -> Value:
        """The state at the beginning, zeros unless an operand says it."""
        given = self.op.operand(number)
        if given is not None:
            return self.own(given)
        kind = tensor(self.x.type.dtype, (self.x.type.shape[1], self.hidden))
        return self.b.splat(0, kind)

    def biases(self) -> tuple[Value, Value] | None:
        """The biases of w and of r in the type in which gates are computed."""
        given = self.op.operand(3)
        if given is None:
            return None
        both = cast(self.b, self.own(given), self.wide)
        gates = self.layer.gates
        return self.part(both, 0, gates), self.part(both, gates, gates)

    def projected(self, bias: Value | None) -> Value:
        """What all steps add to their gates: x w + bias."""
        kernel = self.own(self.w)
        return self.b("contract", self.x, kernel, bias, spec="tbi,gi->tbg", to=self.wide)

    def times(self, state: Value, weights: Value, bias: Value | None = None) -> Value:
        """The product of a state with weights."""
        state = cast(self.b, state, self.x.type.dtype)
        return self.b("contract", state, weights, bias, spec="bh,gh->bg", to=self.wide)

    def activate(self, x: Value, which: int) -> Value:
        """An activation of this direction."""
        attrs, count = self.op.attrs, len(self.layer.activations)
        at = self.index * count + which
        name = attrs["activations"][at] if attrs["activations"] else self.layer.activations[which]
        alpha, beta = (
            attrs[key][at] if attrs[key] else default
            for key, default in zip(("alpha", "beta"), DEFAULTS[name], strict=True)
        )
        # The state of lstm, which goes into its third activation, is not that of a gate.
        if attrs["clip"] and which < 2:
            low, high = (number(self.b, sign * attrs["clip"], x) for sign in (-1, 1))
            x = self.b("clamp", x, low, high)
        return activated(self.b, name, x, alpha, beta)

    def scanned(
        self,
        states: list[Value],
        slices: Value,
        step: Callable[[list[Value], Value], list[Value]],
    ) -> list[Value]:
        """y[t, b, h] and the last states: the step for each slice along the first axis. Beyond the
        length of a sequence states stay, and y is 0."""
        b, lengths = self.b, self.op.operand(4)
        inputs = [slices]
        if lengths is not None:
            steps, batch = slices.type.shape[:2]
            time = b("iota", to=lengths.type.dtype, shape=(steps, 1), axis=0)
            alive = b("lt", time, lengths)
            inputs.append(b("reshape", alive, shape=(steps, batch, 1)))
        kinds = [x.type for x in states]
        kinds += [tensor(x.type.dtype, x.type.shape[1:]) for x in inputs]
        body = Region(kinds)
        with b.inside(body):
            before, (gates, *alive_now) = body.params[: len(states)], body.params[len(states) :]
            after = step(before, gates)
            out = after[0]
            if alive_now:
                keep = alive_now[0]
                after = [b("select", keep, x, y) for x, y in zip(after, before, strict=True)]
                out = b("select", keep, out, number(b, 0, out))
            b.op("yield", *after, out)
        flags = (int(self.backwards),)
        *last, y = b.many(
            "scan",
            *states,
            *inputs,
            carried=len(states),
            axes=(0,) * len(inputs),
            reverse=flags * len(inputs),
            out_axes=(0,),
            out_reverse=flags,
            regions=(body,),
        )
        return [y, *last]
