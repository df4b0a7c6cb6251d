"""The numpy meaning of a module: in the element types it has, or lifted to float64.

Floats narrower than 32 bits are computed in fp32 and rounded once per op, to nearest even; that is
what IEEE says for the basic operations. Lifted, every float is a float64, and conversions between
floats change nothing: the result of exact arithmetic, to compare others with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.expand import expansion
from maiacc_passes.ir.graph import Module, Op, Region, Value
from maiacc_passes.ir.table import operand_types
from maiacc_passes.ir.types import Element, Type
from maiacc_passes.ir.weights import Array

Watch = Callable[[Op, Sequence[Array]], None]


class Run:
    """An evaluation: the arrays of the values that are still needed.

    ``watch`` is called with every op and its results. ``turns`` is how many more turns loops may
    take altogether. ``counts`` has the sizes of bounded dimensions by symbol.
    """

    def __init__(
        self, lift: bool = False, watch: Watch | None = None, turns: int = 1 << 20
    ) -> None:
        self.lift = lift
        self.watch = watch
        self.turns = turns
        self.counts: dict[str, int] = {}
        self.values: dict[Value, Array] = {}
        self._expansions: dict[tuple[object, ...], Region] = {}

    # ---- element types --------------------------------------------------------------------
    def numpy(self, element: Element) -> np.dtype[Any]:
        """The type of arrays that hold elements of a type in this run."""
        return np.dtype(np.float64) if self.lift and element.is_float else element.numpy

    def wide(self, element: Element) -> np.dtype[Any]:
        """The type in which values of a type are computed."""
        if element.is_float:
            return np.dtype(np.float64 if self.lift or element.bits == 64 else np.float32)
        if element.bits == 4:
            return np.dtype(np.int8 if element.kind == "int" else np.uint8)
        return element.numpy

    def read(self, value: Value) -> Array:
        """The elements of a value."""
        if value.weight is not None:
            array = value.weight.source.array(value.type)
            return array.astype(self.numpy(value.type.element), copy=False)
        return self.values[value]

    def spend_turn(self) -> None:
        """A loop takes one more turn. Raises ``IRError`` E1408 when it has had enough."""
        self.turns -= 1
        if self.turns < 0:
            raise IRError("E1408", "loops take too many turns", hint="raise the limit of turns")

    # ---- regions and ops ------------------------------------------------------------------
    def region(self, region: Region, arguments: Sequence[Array]) -> list[Array]:
        """What a region hands out for some arguments."""
        frame = Frame(self, region, arguments)
        for op in region:
            if op.next is None:
                break
            frame.step(op)
        return frame.finish()

    def results(self, op: Op) -> list[Array]:
        """The results of an op. Raises ``IRError`` with the op's nodes."""
        arrays = [None if value is None else self.read(value) for value in op.operands]
        try:
            found = self.meant(op, arrays)
        except IRError as problem:
            problem.nodes = problem.nodes or op.location.nodes
            raise
        symbol = op.attrs.get("symbol")
        if symbol and op.results[-1].type.shape == ():
            self.counts[str(symbol)] = int(found[-1])
        if self.watch is not None:
            self.watch(op, found)
        return found

    def meant(self, op: Op, arrays: list[Any]) -> list[Array]:
        """The results of an op of these operands, in the types it has."""
        row = op.row
        if row.meaning is None:
            return self.expanded(op, arrays)
        if row.compute == "wide":
            for number, value in enumerate(op.operands):
                if value is not None:
                    arrays[number] = arrays[number].astype(
                        self.wide(value.type.element), copy=False
                    )
        with np.errstate(all="ignore"):
            result = row.meaning(self, op, arrays)
            results = [result] if isinstance(result, np.ndarray | np.generic) else list(result)
            return [
                self._fit(op, value.type, x) for value, x in zip(op.results, results, strict=True)
            ]

    def _fit(self, op: Op, kind: Type, array: Array) -> Array:
        if array.shape != kind.shape:
            raise IRError(
                "E1407",
                f"{op.name} gave another shape than its type says",
                expected=str(kind),
                found=str(array.shape),
                nodes=op.location.nodes,
            )
        return np.asarray(array).astype(self.numpy(kind.element), copy=False)

    def expanded(self, op: Op, arrays: Sequence[Any]) -> list[Array]:
        """The results of a composite by its expansion."""
        key = (op.name, tuple(operand_types(op)), tuple(op.attrs.items()))
        found = self._expansions.get(key)
        if found is None:
            found = self._expansions[key] = expansion(op)
        return self.region(found, [x for x in arrays if x is not None])


class Frame:
    """A region whose ops are evaluated one by one, in their order, by ``step``: all but the last,
    which hands values out. Values that no later op needs are forgotten."""

    def __init__(self, run: Run, region: Region, arguments: Sequence[Array]) -> None:
        run.values.update(zip(region.params, arguments, strict=True))
        self.run = run
        self.region = region
        self.own: list[Value] = list(region.params)
        self.left: dict[Value, int] = {}

    def step(self, op: Op) -> None:
        """Evaluates an op of the region. Raises ``IRError`` with the op's nodes."""
        values, left = self.run.values, self.left
        for value, array in zip(op.results, self.run.results(op), strict=True):
            values[value] = array
            left[value] = _uses_in(value, self.region)
            self.own.append(value)
        for operand in op.operands:
            if operand in left:
                left[operand] -= 1
                if not left[operand]:
                    del values[operand], left[operand]

    def finish(self) -> list[Array]:
        """What the region hands out; all else is forgotten."""
        outputs = self.region.outputs
        found = [self.run.read(value) for value in outputs if value is not None]
        for value in self.own:
            self.run.values.pop(value, None)
        return found


def _uses_in(value: Value, region: Region) -> int:
    """How often ops right in a region use a value; one more if others do, or it is handed out."""
    count = sum(n for op, n in value.uses.items() if op.region is region)
    kept = any(op.region is not region or op.next is None for op in value.uses)
    return count + kept


def evaluate(
    module: Module,
    inputs: Mapping[str, Array],
    lift: bool = False,
    watch: Watch | None = None,
    trim: bool = False,
) -> dict[str, Array]:
    """The outputs of a model by name; ``trim`` cuts bounded dimensions to what exists. Raises
    ``IRError`` E1409 for inputs that do not fit."""
    run = Run(lift, watch)
    results = run.region(module.main, arguments_of(run, module, inputs))
    if trim:
        kinds = [value.type for value in module.main.outputs if value is not None]
        results = [_trimmed(run, kind, x) for kind, x in zip(kinds, results, strict=True)]
    return dict(zip(module.outputs, results, strict=True))


def arguments_of(run: Run, module: Module, inputs: Mapping[str, Array]) -> list[Array]:
    """What the main region is evaluated on. Raises ``IRError`` E1409 for inputs that do not fit."""
    arguments = []
    for name, param in zip(module.inputs, module.main.params, strict=True):
        if name not in inputs:
            raise IRError("E1409", f"input {name} has no value", expected=str(param.type))
        array = np.asarray(inputs[name])
        if array.shape != param.type.shape or array.dtype != param.type.element.numpy:
            found = f"{array.dtype}{list(array.shape)}"
            raise IRError("E1409", f"input {name}", expected=str(param.type), found=found)
        arguments.append(array.astype(run.numpy(param.type.element), copy=False))
    return arguments


def _trimmed(run: Run, kind: Type, array: Array) -> Array:
    sizes = [
        slice(extent if symbol is None else run.counts[symbol])
        for extent, symbol in zip(kind.shape, kind.counts or [None] * kind.rank, strict=True)
    ]
    return array[tuple(sizes)]
