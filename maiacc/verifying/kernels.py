"""Kernel by kernel: each is judged on the inputs that the simulator gave it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

# Rules of the families.
import maiacc.verifying.bounds_moves
import maiacc.verifying.bounds_pairs  # noqa: F401
from maiacc.compiler import Compiled
from maiacc.verifying.bounds import Bounds
from maiacc.verifying.judging import Judged, Line, in_type, judge
from maiacc.verifying.known import EXACT, Known
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.weights import Array
from maiacc_passes.lowering.access import VIEWS


@dataclass
class Kept:
    """What the simulator computed: every tensor between kernels by value of the module."""

    compiled: Compiled
    arrays: Mapping[str, Array]
    values: dict[Value, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        main, module = self.compiled.module.main, self.compiled.module
        for name, value in zip(module.inputs, main.params, strict=True):
            self.values[value] = in_type(self.arrays[name], value.type.dtype, value.type.shape)

    def name_of(self, value: Value) -> str:
        """The name under which a result of a kernel is handed out."""
        plan = self.compiled.placed.plan
        buffer = plan.results[value]
        for name, output in plan.outputs.items():
            if output.buffer is buffer:
                return name
        return buffer.name

    def take(self, value: Value) -> Array:
        """What a kernel made."""
        found = self.arrays[self.name_of(value)]
        self.values[value] = in_type(found, value.type.dtype, value.type.shape)
        return self.values[value]

    def view(self, op: Op) -> None:
        """A view of what is there."""
        arrays = [None if v is None else self.read(v) for v in op.operands]
        (found,) = EXACT.meant(op, arrays)
        self.values[op.result] = found

    def read(self, value: Value) -> Array:
        """The elements of a value."""
        if value.weight is not None:
            return value.weight.source.array(value.type)
        return self.values[value]


def ops_of(op: Op) -> tuple[str, ...]:
    """The ops that a kernel executes, by name; views are strides."""
    if not op.regions:
        return (op.name,)
    return tuple(
        inner.name
        for region in op.regions
        for inner in region.walk()
        if inner.name not in (*VIEWS, "yield")
    )


def kernels(kept: Kept) -> Iterator[tuple[Op, Line]]:
    """Each op of the module that kernels execute, and what there is to say of it."""
    main = kept.compiled.module.main
    last_use = _last_uses(kept.compiled)
    for op in list(main)[:-1]:
        if op.name in VIEWS:
            kept.view(op)
        else:
            yield op, _judged(kept, op)
        for value in last_use.get(op, ()):
            kept.values.pop(value, None)


def _last_uses(compiled: Compiled) -> dict[Op, list[Value]]:
    """The values that nobody needs after an op."""
    last: dict[Value, Op] = {}
    for op in compiled.module.main:
        for user in (op, *(inner for region in op.regions for inner in region.walk())):
            last |= dict.fromkeys((v for v in user.operands if v is not None), op)
    found: dict[Op, list[Value]] = {}
    for value, op in last.items():
        found.setdefault(op, []).append(value)
    return found


def _judged(kept: Kept, op: Op) -> Line:
    name = _kernel_name(kept, op)
    apart = any(k.name.startswith(f"{name}.") for k in kept.compiled.placed.plan.kernels)
    bounds = Bounds(between=apart)
    known = analysed(bounds, kept, op)
    tensors = [
        judge(kept.name_of(value), kept.take(value), x)
        for value, x in zip(op.results, known, strict=True)
        if value in kept.compiled.placed.plan.results
    ]
    note = ", ".join(f"no bound for {name}" for name in sorted(bounds.unbounded))
    undecided = sum(bounds.undecided.values())
    return Line(name, ops_of(op), op.location.nodes, tensors, note, bounds.decisions, undecided)


def _kernel_name(kept: Kept, op: Op) -> str:
    buffer = kept.compiled.placed.plan.results.get(op.results[0]) if op.results else None
    return buffer.name.split(".")[0] if buffer is not None else op.name


def analysed(bounds: Bounds, kept: Kept, op: Op) -> list[Known]:
    """What is known of the results of a kernel whose inputs are what the simulator gave it."""
    for value in kept.values:
        bounds.known[value] = Known(kept.values[value])
    with np.errstate(all="ignore"):
        return bounds.results(op)


__all__ = ["Judged", "Kept", "analysed", "kernels", "ops_of"]
