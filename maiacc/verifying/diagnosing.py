"""What is wrong with a kernel: the op, if one is wrong alone, or what the values look like."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds
from maiacc.verifying.judging import WRONG, judge
from maiacc.verifying.kernels import Kept
from maiacc.verifying.known import Known
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module, Op, Value
from maiacc_passes.ir.weights import Array

#: Ops that a kernel may have lost: they change what is already there.
_LOSABLE = frozenset(
    {"relu", "neg", "abs", "clamp", "min", "max", "add", "sub", "mul", "div", "sigmoid", "tanh"}
    | {"gelu", "silu", "exp", "sqrt", "round", "floor", "select"}
)


@dataclass(frozen=True)
class Piece:
    """A kernel as a module of its own, and the inputs that it had."""

    module: Module
    inputs: Mapping[str, Array]


def piece(op: Op, given: Mapping[Value, Array]) -> Piece:
    """The region of a group as a module: its parameters are inputs."""
    module = Module()
    region = op.regions[0]
    inside: dict[Value, Value] = {}
    inputs: dict[str, Array] = {}
    for number, (param, operand) in enumerate(zip(region.params, op.operands, strict=True)):
        assert operand is not None
        inside[param] = module.add_input(f"i{number}", param.type)
        inputs[f"i{number}"] = given[operand]
    b = Builder(module)

    def brought(value: Value | None) -> Value | None:
        if value is None:
            return None
        if value not in inside and value.weight is not None:
            old = value.weight
            inside[value] = module.add_weight(old.name, value.type, old.source)
        return inside[value]

    for inner in list(region)[:-1]:
        b.location = inner.location
        results = b.again(inner, [brought(v) for v in inner.operands])
        inside.update(zip(inner.results, results, strict=True))
    handed = [brought(v) for v in region.outputs]
    finish(b, [v for v in handed if v is not None])
    module.outputs = [f"o{number}" for number in range(len(handed))]
    return Piece(module, inputs)


def movable(op: Op) -> bool:
    """Whether a kernel can stand alone: it is a group without regions inside."""
    return op.name == "group" and not any(inner.regions for inner in op.regions[0])


def given_to(kept: Kept, op: Op) -> dict[Value, Array]:
    """The operands of a kernel as the simulator had them."""
    return {value: kept.read(value) for value in op.operands if value is not None}


# ---- what it looks like -------------------------------------------------------------------------
def likeness(op: Op, given: Mapping[Value, Array], found: list[Array]) -> str:
    """What the values of a wrong kernel look like: as if an op were left out or done twice; else
    nothing is said."""
    if not movable(op):
        return ""
    for what, changed in _changes(op):
        bounds = _Other(changed)
        for value, array in given.items():
            bounds.known[value] = Known(array)
        with np.errstate(all="ignore"):
            known = bounds.results(op)
        shapes = all(x.exact.shape == array.shape for x, array in zip(known, found, strict=True))
        if shapes and all(
            judge("", array, x).verdict != WRONG for x, array in zip(known, found, strict=True)
        ):
            return what
    return ""


class _Other(Bounds):
    """An analysis of a region in which an op does something else."""

    def __init__(self, changed: Mapping[Op, str]) -> None:
        super().__init__()
        self.changed = changed

    def results(self, op: Op) -> list[Known]:
        """The results of an op, or what it had before it, or itself applied twice."""
        how = self.changed.get(op)
        if how is None:
            return super().results(op)
        operands = [None if value is None else self.read(value) for value in op.operands]
        if how == "bias left out":
            place = 3 if op.name.endswith("_sparse") else 2
            operands[place] = None
            found = RULES[op.name](self, op, operands)
            return [found] if isinstance(found, Known) else list(found)
        first = operands[1 if op.name == "select" else 0]
        if how == "left out":
            assert first is not None
            return [first]
        once = super().results(op)
        place = 3 if op.name.endswith("_sparse") else 2
        if how == "bias added twice":
            bias = operands[place]
            assert bias is not None
            wide = np.asarray(bias.wide)
            if op.name.startswith("conv"):
                wide = wide.reshape(-1, *(1,) * (once[0].exact.ndim - 2))
            slack = once[0].slack + np.abs(wide) * 2.0**-20
            return [Known(once[0].exact + wide, slack)]
        operands[0] = once[0]
        found = RULES[op.name](self, op, operands)
        return [found] if isinstance(found, Known) else list(found)


def _changes(op: Op) -> Iterator[tuple[str, dict[Op, str]]]:
    for inner in list(op.regions[0])[:-1]:
        same = (
            bool(inner.operands)
            and inner.operands[0] is not None
            and (inner.operands[0].type.shape == inner.results[0].type.shape)
        )
        if inner.name in _LOSABLE and same:
            yield f"as if {inner.name} were left out", {inner: "left out"}
            if inner.name in ("add", "sub", "mul", "div"):
                yield f"as if {inner.name} were done twice", {inner: "twice"}
        place = 3 if inner.name.endswith("_sparse") else 2
        if inner.name.startswith(("contract", "conv")) and inner.operand(place) is not None:
            yield f"as if the bias of {inner.name} were left out", {inner: "bias left out"}
            yield f"as if the bias of {inner.name} were added twice", {inner: "bias added twice"}
