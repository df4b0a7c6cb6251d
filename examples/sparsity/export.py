"""The language model in ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from examples.sparsity.network import EPSILON, Array, Shape, Weights


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def __call__(self, kind: str, inputs: list[str], name: str, **attrs: Any) -> str:
        """A node with one output, which has its name."""
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attrs))
        return name

    def constant(self, array: Array, name: str) -> str:
        """A constant."""
        self.constants.append(numpy_helper.from_array(array, name))
        return name


def model(shape: Shape, w: Weights) -> onnx.ModelProto:
    """Tokens, int64 [batch, places], to logits, fp32 [batch, places, vocabulary]."""
    g = _Graph()
    for name, array in w.items():
        g.constant(array, f"w.{name}")
    size = shape.width // shape.heads
    g.constant(np.array([0, 0, 3, shape.heads, size]), "parts")
    g.constant(np.array([0, 0, shape.width]), "rows")
    g.constant(np.array(1 / np.sqrt(size), np.float32), "scale")
    g.constant(np.triu(np.full((shape.places,) * 2, -1e9, np.float32), 1), "mask")
    for n in range(3):
        g.constant(np.array(n), f"part{n}")
    h = g("Add", [g("Gather", ["w.tokens", "tokens"], "/tokens"), "w.places"], "/places")
    for n in range(shape.layers):
        h = _layer(g, f"/layer{n}", f"w.{n}.", h)
    last = g("LayerNormalization", [h, "w.gain", "w.shift"], "/norm", epsilon=EPSILON)
    g("MatMul", [last, "w.head"], "logits")
    ends = [
        helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", shape.places]),
        helper.make_tensor_value_info(
            "logits", TensorProto.FLOAT, ["batch", shape.places, shape.vocabulary]
        ),
    ]
    graph = helper.make_graph(g.nodes, "characters", ends[:1], ends[1:], g.constants)
    opsets = [helper.make_opsetid("", 20)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made


def _layer(g: _Graph, at: str, w: str, h: str) -> str:
    a = g("LayerNormalization", [h, f"{w}gain1", f"{w}shift1"], f"{at}/norm1", epsilon=EPSILON)
    qkv = g("Reshape", [g("MatMul", [a, f"{w}qkv"], f"{at}/qkv"), "parts"], f"{at}/parts")
    q, k, v = (g("Gather", [qkv, f"part{n}"], f"{at}/{'qkv'[n]}", axis=2) for n in range(3))
    q = g("Transpose", [q], f"{at}/q.heads", perm=[0, 2, 1, 3])
    k = g("Transpose", [k], f"{at}/k.heads", perm=[0, 2, 3, 1])
    v = g("Transpose", [v], f"{at}/v.heads", perm=[0, 2, 1, 3])
    scores = g("Mul", [g("MatMul", [q, k], f"{at}/scores"), "scale"], f"{at}/scaled")
    shares = g("Softmax", [g("Add", [scores, "mask"], f"{at}/masked")], f"{at}/shares", axis=-1)
    mixed = g("Transpose", [g("MatMul", [shares, v], f"{at}/mix")], f"{at}/back", perm=[0, 2, 1, 3])
    out = g("MatMul", [g("Reshape", [mixed, "rows"], f"{at}/mixed"), f"{w}out"], f"{at}/out")
    h = g("Add", [h, out], f"{at}/add1")
    b = g("LayerNormalization", [h, f"{w}gain2", f"{w}shift2"], f"{at}/norm2", epsilon=EPSILON)
    up = g("Relu", [g("MatMul", [b, f"{w}up"], f"{at}/up")], f"{at}/relu")
    return g("Add", [h, g("MatMul", [up, f"{w}down"], f"{at}/down")], f"{at}/add2")
