"""Backends for ONNX's own test suite, and for whoever runs models through ``onnx.backend``.

``IRBackend`` imports a model, simplifies it and executes the IR's numpy meaning. Inputs that decide
shapes, axes or trip counts are only known when a model is run, so models that need them are
imported again for their values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep

from maiacc.frontend.dtypes import DTYPES
from maiacc.frontend.model import Settings, imported
from maiacc.frontend.node import NeedsValue
from maiacc_isa.errors import ErrorList, MaiaccError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array
from maiacc_passes.pipeline import PIPELINE, run

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
        found = evaluate(module, left, lift, trim=True)
        return tuple(found[name] for name in module.outputs)

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
