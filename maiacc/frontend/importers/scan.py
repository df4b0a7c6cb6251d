"""Scan: of opset 8 with a batch axis, and since then without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from maiacc.frontend.bodies import HINT, TURNS, Trial, body_of, changing, joined, taken, without
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Region, Value
from maiacc_passes.ir.table import region_types
from maiacc_passes.ir.types import tensor


@dataclass
class _Scan:
    """A scan: ``states`` are carried from turn to turn, ``inputs`` are taken apart along ``axes``,
    backwards where ``reverse`` says so."""

    node: Node
    states: list[Value]
    inputs: list[Value]
    axes: tuple[int, ...]
    reverse: tuple[bool, ...]

    @property
    def length(self) -> int:
        """How many turns there are."""
        return self.inputs[0].type.shape[self.axes[0]]


def _flags(node: Node, name: str, count: int) -> tuple[bool, ...]:
    values = node.get_ints(name, [0] * count)
    if len(values) != count or any(value not in (0, 1) for value in values):
        node.fail("E1304", f"attribute {name}", f"{count} times 0 or 1", str(list(values)))
    return tuple(bool(value) for value in values)


def _scan_inputs(node: Node, first: int) -> int:
    """How many of the inputs from ``first`` on are taken apart."""
    count = node.get_int("num_scan_inputs")
    if not 1 <= count <= len(node.inputs) - first:
        node.fail("E1304", "attribute num_scan_inputs", found=str(count))
    return count


@importer("Scan", since=9)
def scan(node: Node) -> Sequence[Value | None]:
    count = _scan_inputs(node, 0)
    values = [node.input(i) for i in range(len(node.inputs))]
    states, inputs = values[:-count], values[-count:]
    given = node.get_ints("scan_input_axes", [0] * count)
    if len(given) != count:
        node.fail("E1304", "attribute scan_input_axes", str(count), str(list(given)))
    axes = tuple(node.axis(a, x.type.rank) for a, x in zip(given, inputs, strict=True))
    known = _Scan(node, states, inputs, axes, _flags(node, "scan_input_directions", count))
    if len({x.type.shape[axis] for axis, x in zip(axes, inputs, strict=True)}) > 1:
        node.fail(
            "E1304", "inputs have different lengths", found=", ".join(str(x.type) for x in inputs)
        )
    slices = [without(x.type, axis) for axis, x in zip(axes, inputs, strict=True)]
    types = [*(x.type for x in states), *slices]
    trial = body_of(node, types)
    names = [info.name for info in node.get_graph("body").input]
    why = changing(names, types[: len(states)], region_types(trial.region))
    if why or trial.problems:
        return _unrolled(known, trial, why)
    outs = region_types(trial.region)[len(states) :]
    out_axes, out_reverse = _outputs(node, [kind.rank for kind in outs])
    return node.b.many(
        "scan",
        *values,
        carried=len(states),
        axes=axes,
        reverse=tuple(map(int, known.reverse)),
        out_axes=out_axes,
        out_reverse=tuple(map(int, out_reverse)),
        regions=(trial.region,),
    )


def _outputs(node: Node, ranks: Sequence[int]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Axes and directions of what the turns hand out."""
    given = node.get_ints("scan_output_axes", [0] * len(ranks))
    if len(given) != len(ranks):
        node.fail("E1304", "attribute scan_output_axes", str(len(ranks)), str(list(given)))
    axes = tuple(node.axis(a, rank + 1) for a, rank in zip(given, ranks, strict=True))
    return axes, _flags(node, "scan_output_directions", len(ranks))


def _unrolled(known: _Scan, first: Trial, why: str) -> list[Value]:
    """The outputs turn by turn."""
    node, length = known.node, known.length
    if not 0 < length <= TURNS:
        first.report()
        node.unsupported(f"{why}, and there are {length} turns; at most {TURNS} are unrolled", HINT)
    trial, states = Trial(node, Region()), known.states
    outs: list[list[Value]] = []
    for turn in range(length):
        with node.b.inside(trial.region):
            slices = [
                taken(node, x, axis, length - 1 - turn if back else turn)
                for x, axis, back in zip(known.inputs, known.axes, known.reverse, strict=True)
            ]
        found = trial.inline(node.get_graph("body"), [*states, *slices])
        if found is None:
            trial.report()
            node.unsupported(why, HINT)
        states = found[: len(states)]
        outs.append(found[len(states) :])
    first.drop()
    trial.keep()
    axes, back = _outputs(node, [value.type.rank for value in outs[0]])
    for column, axis, backwards in zip(zip(*outs, strict=True), axes, back, strict=True):
        states.append(joined(node, column[::-1] if backwards else column, axis))
    return states


# ---- opset 8 --------------------------------------------------------------------------------
@importer("Scan")
def batched(node: Node) -> Sequence[Value | None]:
    """A scan over the batch whose body is a scan over the sequence; beyond ``sequence_lens`` states
    stay and outputs are 0."""
    count = _scan_inputs(node, 1)
    lens = node.optional(0)
    values = [node.input(i) for i in range(1, len(node.inputs))]
    backwards = _flags(node, "directions", count)
    if lens is not None and any(backwards):
        node.unsupported("sequence_lens with a backward direction", "reverse the input before it")
    if any(x.type.rank < 1 + (i >= len(values) - count) for i, x in enumerate(values)):
        node.fail("E1304", "an input has no batch axis, or no sequence axis")
    everything = values if lens is None else [lens, *values]
    outer = Region([without(x.type, 0) for x in everything])
    with node.b.inside(outer):
        finish(node.b, _sequence(node, outer.params, lens is not None, count, backwards), "yield")
    outputs = len(outer.outputs)
    return node.b.many(
        "scan",
        *everything,
        carried=0,
        axes=(0,) * len(everything),
        reverse=(0,) * len(everything),
        out_axes=(0,) * outputs,
        out_reverse=(0,) * outputs,
        regions=(outer,),
    )


def _sequence(
    node: Node, params: Sequence[Value], masked: bool, count: int, backwards: Sequence[bool]
) -> list[Value]:
    """The scan over the sequence of one batch element."""
    b = node.b
    length, values = (params[0], params[1:]) if masked else (None, params)
    states, inputs = list(values[:-count]), list(values[-count:])
    types = [*(x.type for x in states), *(without(x.type, 0) for x in inputs)]
    size = inputs[0].type.shape[0]
    inner = Region([*types, *([tensor("int64")] if masked else [])])
    with b.inside(inner):
        arguments = inner.params[: len(types)]
        found = [
            x for x in node.importing.inline(node.get_graph("body"), node.scope, arguments) if x
        ]
        if length is not None:
            inside = b("lt", inner.params[-1], b("cvt", length, to="int64"))
            other = [*arguments[: len(states)]]
            other += [b.splat(0, x.type) for x in found[len(states) :]]
            found = [b("select", inside, x, y) for x, y in zip(found, other, strict=True)]
        why = changing(
            [f"{i}" for i in range(len(states))], types, [x.type for x in found[: len(states)]]
        )
        if why:
            node.unsupported(why, HINT)
        finish(b, found, "yield")
    reverse = [int(back) for back in backwards]
    if masked:
        inputs.append(b("iota", to="int64", shape=(size,), axis=0))
        reverse.append(0)
    outs = len(inner.outputs) - len(states)
    return b.many(
        "scan",
        *states,
        *inputs,
        carried=len(states),
        axes=(0,) * len(inputs),
        reverse=tuple(reverse),
        out_axes=(0,) * outs,
        out_reverse=(0,) * outs,
        regions=(inner,),
    )
