"""Importing bodies of loops: into regions that may be given up, or turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx

from maiacc.frontend.importers.common import reshaped, sliced
from maiacc.frontend.node import Given, Node
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Region, Value
from maiacc_passes.ir.types import Type, tensor

#: A body is imported again for each turn at most so often.
TURNS = 64

#: What to do about bodies that are refused.
HINT = "pad what changes to one size, or export the model with the loop unrolled"


@dataclass
class Trial:
    """Ops that are built aside. ``region`` holds them, ``problems`` says why it did not work."""

    node: Node
    region: Region
    problems: list[MaiaccError] = field(default_factory=list)

    def inline(self, graph: onnx.GraphProto, arguments: Sequence[Value]) -> list[Value] | None:
        """The outputs of a graph for some inputs; None if there are problems, and then the
        region is empty again."""
        importing = self.node.importing
        before = len(importing.problems)
        try:
            with importing.builder.inside(self.region):
                outputs = importing.inline(graph, self.node.scope, arguments)
            return [value for value in outputs if value is not None]
        except Given:
            pass
        except ErrorList as problem:
            self.problems += problem.errors
        except MaiaccError as problem:
            problem.node = problem.node or self.node.name
            self.problems.append(problem)
        self.problems += importing.problems[before:]
        del importing.problems[before:]
        self.drop()
        if not self.problems:
            # It needs a value that was refused outside of it.
            raise Given
        return None

    def drop(self) -> None:
        """Gives the ops up."""
        for op in reversed(list(self.region)):
            op.erase()

    def keep(self) -> None:
        """Moves the ops to where the node is."""
        b = self.node.b
        for op in list(self.region):
            self.region.unlink(op)
            b.region.insert(op, b.before)

    def report(self) -> None:
        """Notes the problems. Raises ``Given`` if there are any."""
        self.node.importing.problems += self.problems
        if self.problems:
            raise Given


def body_of(node: Node, types: Sequence[Type], name: str = "body") -> Trial:
    """A graph attribute as a region with parameters of some types, ended by ``yield``; it may
    have problems."""
    trial = Trial(node, Region(types))
    outputs = trial.inline(node.get_graph(name), trial.region.params)
    if outputs is not None:
        with node.b.inside(trial.region):
            finish(node.b, outputs, "yield")
    return trial


def without(kind: Type, axis: int) -> Type:
    """A type without one of its axes."""
    counts = kind.counts[:axis] + kind.counts[axis + 1 :]
    return tensor(kind.dtype, kind.shape[:axis] + kind.shape[axis + 1 :], counts)


def taken(node: Node, value: Value, axis: int, index: int) -> Value:
    """What a value has at an index of an axis, without that axis."""
    part = sliced(node, value, axis, index, 1)
    return reshaped(node, part, without(value.type, axis).shape)


def joined(node: Node, values: Sequence[Value], axis: int) -> Value:
    """What turns hand out, side by side along a new axis. Refuses with E1303 where the shape is
    another each turn."""
    kind = values[0].type
    if any(value.type is not kind for value in values):
        node.unsupported("what a turn hands out has another shape each turn", HINT)
    shape = (*kind.shape[:axis], 1, *kind.shape[axis:])
    return node.b("concat", *(reshaped(node, value, shape) for value in values), axis=axis)


def changing(names: Sequence[str], before: Sequence[Type], after: Sequence[Type]) -> str:
    """Which carried value has another type after a turn, in words; empty if none has."""
    for name, old, new in zip(names, before, after, strict=False):
        if old is not new:
            return f"the carried value {name!r} changes from {old} to {new} in a turn"
    return ""
