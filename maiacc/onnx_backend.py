"""Backends for ONNX's own test suite, and for whoever runs models through ``onnx.backend``.

``IRBackend`` imports a model, simplifies it and executes the IR's numpy meaning. ``MaiaBackend``
compiles it for a machine, proves the program and simulates it. Inputs that decide shapes, axes or
trip counts are only known when a model is run, so models that need them are imported again for
their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from maiacc.compiler import compile_module
from maiacc.frontend.dtypes import DTYPES
from maiacc.frontend.model import Settings, imported
from maiacc.frontend.node import NeedsValue
from maiacc_isa.errors import ErrorList, InternalError, MaiaccError
from maiacc_isa.lint.known import is_proven
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array
from maiacc_passes.pipeline import PIPELINE, run
from maiacc_sim.simulate import Options, simulate

#: How often a model is imported again because it needs to know more.
ROUNDS = 8


class IRRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        constants = {proto.name for proto in model.graph.initializer}
        self.names = [info.name for info in model.graph.input if info.name not in constants]

    def run(
        self, inputs: Sequence[Any] | Mapping[str, Any], lift: bool = False, **_: Any
    ) -> tuple[Array, ...]:
        """The outputs, in the order of the model; ``lift`` computes them in float64. Raises
        ``MaiaccError``."""
        named = isinstance(inputs, Mapping)
        given = dict(inputs if named else zip(self.names, inputs, strict=False))
        types = {info.name: info.type.tensor_type.elem_type for info in self.model.graph.input}
        arrays = {name: array_for(value, types[name]) for name, value in given.items()}
        module, bound = self._module(arrays)
        left = {name: array for name, array in arrays.items() if name not in bound}
        names = list(module.outputs)
        found = evaluate(module, left, lift, trim=True) if lift else self.results(module, left)
        return tuple(found[name] for name in names)

    def results(self, module: Module, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """The outputs of a module by name, bounded ones cut to what exists."""
        return evaluate(module, inputs, trim=True)

    def _module(self, arrays: Mapping[str, Array]) -> tuple[Module, set[str]]:
        """The module for some inputs, and the inputs that are part of it."""
        shapes = {name: array.shape for name, array in arrays.items()}
        bound: set[str] = set()
        for _ in range(ROUNDS):
            settings = Settings(shapes=shapes, values={name: arrays[name] for name in bound})
            module, problems = imported(self.model, settings)
            needed = {
                name
                for problem in problems
                if isinstance(problem, NeedsValue)
                for name in problem.inputs
            }
            if not problems:
                run(module, [step.made for step in PIPELINE])
                return module, bound
            if needed <= bound or len(needed) == 0:
                raise ErrorList(problems)
            bound |= needed
        raise ErrorList(problems)


class IRBackend(Backend):
    """The IR as an ONNX backend: import, simplify, evaluate."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> IRRep:
        """A model that is ready to run. What it needs to know of its inputs shows when it runs."""
        return IRRep(model)

    @classmethod
    def run_model(
        cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **_: Any
    ) -> tuple[Array, ...]:
        """Prepares and runs."""
        return cls.prepare(model, device).run(inputs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether there is such a device: the CPU."""
        return device.split(":")[0] == "CPU"


class MaiaRep(IRRep):
    """A model that a machine runs."""

    def __init__(self, model: onnx.ModelProto, target: str, engine: str) -> None:
        super().__init__(model)
        self.target = target
        self.engine = engine

    def results(self, module: Module, inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        """What the program hands out. Raises ``MaiaccError`` for what is not compiled."""
        outputs = [value for value in module.main.outputs if value is not None]
        kinds = {n: v.type for n, v in zip(module.outputs, outputs, strict=True)}
        symbols = {s for kind in kinds.values() for s in kind.counts if s is not None}
        counts = {symbol: _counted(module, symbol) for symbol in symbols}
        try:
            program = compile_module(module, load_machine(self.target)).program
        except IRError as problem:
            raise refused(problem) from problem
        if not is_proven(program):
            raise InternalError("E0706", "a compiled program is not proven")
        wanted = {t.name for t in program.tensors if t.kind == "input"}
        given = {name: array for name, array in inputs.items() if name in wanted}
        found = simulate(program, given, options=Options(engine=self.engine)).outputs
        sizes = {symbol: int(found[name]) for symbol, name in counts.items()}
        results = {}
        for name, kind in kinds.items():
            array = found[name]
            if array.dtype != kind.element.numpy:
                array = array.view(kind.element.numpy)
            ends = [slice(None if s is None else sizes[s]) for s in kind.counts]
            results[name] = array[tuple(ends)] if ends else array
        return results


class MaiaBackend(IRBackend):
    """The compiler and the simulator as an ONNX backend: import, compile, prove, simulate."""

    target: ClassVar[str] = "mini"
    engine: ClassVar[str] = "native"

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **_: Any) -> MaiaRep:
        """A model that is compiled when it runs, for the shapes that its inputs then have."""
        return MaiaRep(model, cls.target, cls.engine)


def refused(problem: IRError) -> MaiaccError:
    """What the compiler refuses, as a problem of the model."""
    return MaiaccError(
        problem.code,
        problem.message,
        node=", ".join(problem.nodes) or None,
        expected=problem.expected,
        found=problem.found,
        hint=problem.hint,
    )


def _counted(module: Module, symbol: str) -> str:
    """Hands out the number of elements that exist in bounded dimensions, and says under which
    name. Raises ``MaiaccError`` E1505 where no op of the main region counts them."""
    for op in module.main:
        if op.attrs.get("symbol") == symbol and op.results[-1].type.shape == ():
            last = module.main.last
            assert last is not None
            name = f"count {symbol}"
            while name in module.outputs:
                name += "'"
            last.set_operands([*last.operands, op.results[-1]])
            module.outputs.append(name)
            return name
    raise MaiaccError("E1505", f"nothing says how many of {symbol} there are")


def array_for(value: Any, number: int) -> Array:
    """An input as an array of its element type. ONNX's tests give some of them as TensorProtos.
    Raises ``MaiaccError`` E1305 for a type that there is not."""
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    if number not in DTYPES:
        raise MaiaccError("E1305", "an input has an element type that there is not")
    element = ELEMENTS[DTYPES[number]]
    array = np.asarray(value)
    if array.dtype == element.numpy:
        return array
    if array.dtype.itemsize == element.numpy.itemsize and array.dtype.kind in "uV":
        return array.view(element.numpy)
    return array.astype(element.numpy)


prepare = IRBackend.prepare
run_model = IRBackend.run_model
supports_device = IRBackend.supports_device
