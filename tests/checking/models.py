"""Small models for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]


def tensor(name: str, shape: Shape) -> onnx.ValueInfoProto:
    """An input or output of fp32."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def weight(name: str, *shape: int) -> onnx.TensorProto:
    """A constant."""
    return numpy_helper.from_array(np.full(shape, 0.5, np.float32), name)


def node(op: str, inputs: Sequence[str], output: str, **attributes: Any) -> onnx.NodeProto:
    """A node that is named like its output."""
    return helper.make_node(op, inputs, [output], name=f"/{output}", **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Shape],
    outputs: dict[str, Shape],
    weights: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """A model of opset 20."""
    graph = helper.make_graph(
        list(nodes),
        "net",
        [tensor(name, shape) for name, shape in inputs.items()],
        [tensor(name, shape) for name, shape in outputs.items()],
        list(weights),
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def saved(made: onnx.ModelProto, folder: Path) -> str:
    """The path of a model that is saved."""
    path = folder / "net.onnx"
    onnx.save(made, str(path))
    return str(path)


def mlp(batch: int | str = 8) -> onnx.ModelProto:
    """x W + b, silu, and another product."""
    nodes = [
        node("MatMul", ["x", "w"], "m"),
        node("Add", ["m", "b"], "a"),
        node("Sigmoid", ["a"], "s"),
        node("Mul", ["a", "s"], "g"),
        node("MatMul", ["g", "v"], "y"),
    ]
    weights = [weight("w", 16, 32), weight("b", 32), weight("v", 32, 4)]
    return model(nodes, {"x": (batch, 16)}, {"y": (batch, 4)}, weights)


def chain(length: int) -> onnx.ModelProto:
    """Many nodes one after the other."""
    nodes = []
    for number in range(length):
        inputs = [f"v{number}", "b"] if number % 2 else [f"v{number}"]
        nodes.append(node("Add" if number % 2 else "Tanh", inputs, f"v{number + 1}"))
    return model(nodes, {"v0": (4, 8)}, {f"v{length}": (4, 8)}, [weight("b", 8)])
