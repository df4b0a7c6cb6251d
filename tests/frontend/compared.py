"""Small models, and what the IR and onnxruntime make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from maiacc.frontend.model import NOTHING, Settings, import_model
from maiacc_isa.errors import ErrorList
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.graph import Module

Arrays = Mapping[str, Any]

MICROSOFT = "com.microsoft"


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Arrays,
    outputs: Sequence[str],
    constants: Arrays | None = None,
    opset: int = 21,
) -> onnx.ModelProto:
    """A model of some nodes; inputs have the types of arrays, outputs have none."""
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
            )
            for name, array in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def node(op: str, inputs: str, outputs: str, domain: str = "", **attrs: Any) -> onnx.NodeProto:
    """A node; names are separated by spaces, and a name that is left out is a dash."""
    left, right = (["" if x == "-" else x for x in text.split()] for text in (inputs, outputs))
    return helper.make_node(op, left, right, domain=domain, **attrs)


def body(
    nodes: Sequence[onnx.NodeProto], inputs: str, outputs: str, **constants: Any
) -> onnx.GraphProto:
    """The body of a loop or a branch; its inputs are named and typed as in ``i:i x:f``. Integers
    and truth values are scalars."""
    types = {"f": onnx.TensorProto.FLOAT, "i": onnx.TensorProto.INT64, "b": onnx.TensorProto.BOOL}
    given = [text.partition(":")[::2] for text in inputs.split()]
    return helper.make_graph(
        nodes,
        "body",
        [
            helper.make_tensor_value_info(name, types[kind], None if kind == "f" else ())
            for name, kind in given
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs.split()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )


def refused(model: onnx.ModelProto, match: str, settings: Settings = NOTHING) -> ErrorList:
    """A model is refused with a message that matches; all errors."""
    with pytest.raises(ErrorList, match=match) as caught:
        import_model(model, settings)
    return caught.value


def run(model: onnx.ModelProto, inputs: Arrays, settings: Settings = NOTHING) -> list[Any]:
    """The outputs by the IR."""
    module = import_model(model, settings)
    found = evaluate(module, {name: inputs[name] for name in module.inputs}, trim=True)
    return [found[name] for name in module.outputs]


def ort(model: onnx.ModelProto, inputs: Arrays) -> list[Any]:
    """The outputs by onnxruntime, without its optimisations."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(None, dict(inputs)))


def same(
    model: onnx.ModelProto, inputs: Arrays, settings: Settings = NOTHING, rtol: float = 1e-4
) -> Module:
    """Both agree; the module."""
    module = import_model(model, settings)
    found = evaluate(module, {name: inputs[name] for name in module.inputs}, trim=True)
    for name, expected in zip(module.outputs, ort(model, inputs), strict=True):
        assert found[name].dtype == expected.dtype
        np.testing.assert_allclose(
            found[name].astype(np.float64),
            expected.astype(np.float64),
            rtol=rtol,
            atol=rtol / 10,
            err_msg=name,
        )
    return module


def names(module: Module) -> list[str]:
    """The names of the ops of a module, those of inner regions, too."""
    return [op.name for op in module.main.walk()]


def rng(seed: int = 0) -> np.random.Generator:
    """Random numbers that are always the same."""
    return np.random.default_rng(seed)


def floats(*shape: int, seed: int = 0, dtype: Any = np.float32) -> Any:
    """Random floats around 0."""
    return rng(seed + sum(shape)).standard_normal(shape).astype(dtype)
