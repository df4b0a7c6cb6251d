"""The quantised model of the zoo, node by node: each on what onnxruntime computed before it.

End to end, results that lie on a boundary go to one side here and to the other there, and later
layers add that up; a node by itself has to be right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper, shape_inference

from maiacc.onnx_backend import IRBackend
from zoo.zoo import build, inputs

#: How far off a float may be, as part of the largest: sums of up to 4,608 products in fp32.
BOUND = 4608 * 2.0**-24


def tensors(model: onnx.ModelProto, feed: dict[str, Any]) -> dict[str, Any]:
    """Every value of a model, by onnxruntime without optimisation."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    known = {info.name for info in whole.graph.output}
    names = [name for node in whole.graph.node for name in node.output]
    whole.graph.output.extend(
        helper.make_empty_tensor_value_info(name) for name in names if name not in known
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        whole.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))
    weights = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    return {**weights, **feed, **found}


def alone(node: onnx.NodeProto, model: onnx.ModelProto, values: dict[str, Any]) -> list[Any]:
    """What the IR computes for a node whose inputs are given."""
    names = [name for name in dict.fromkeys(node.input) if name]
    constants = {w.name for w in model.graph.initializer}
    graph = helper.make_graph(
        [node],
        "one",
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape
            )
            for name in names
            if name not in constants
        ],
        [helper.make_empty_tensor_value_info(name) for name in node.output],
        [numpy_helper.from_array(values[name], name) for name in names if name in constants],
    )
    one = helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )
    one = shape_inference.infer_shapes(one)
    given = {name: values[name] for name in names if name not in constants}
    return list(IRBackend.run_model(one, given))


@pytest.mark.nightly
def test_quantised_values_are_equal_and_floats_within_the_rounding_of_sums() -> None:
    model = build("resnet18_qdq")
    values = tensors(model, inputs("resnet18_qdq", seed=1))
    wrong = []
    for node in model.graph.node:
        for name, found in zip(node.output, alone(node, model, values), strict=True):
            expected = values[name]
            away = np.abs(found.astype(np.float64) - expected.astype(np.float64))
            whole = expected.dtype.kind in "iu"
            most = 0.0 if whole else BOUND * float(np.abs(expected).max())
            if found.shape != expected.shape or away.max() > most:
                wrong.append(f"{node.op_type} {node.name}: off by {away.max()}, not {most}")
    assert not wrong, "\n".join(wrong)
