"""Small models in ONNX, and how commands are called with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from house.run_programs import Said, call

Info = ValueInfoProto


def info(name: str, shape: Sequence[int | str], kind: int = TensorProto.FLOAT) -> Info:
    """An input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[Info],
    outputs: Sequence[Info],
    weights: dict[str, NDArray[np.generic]] | None = None,
) -> onnx.ModelProto:
    """A model of opset 20."""
    constants = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def network(seed: int = 0, width: int = 48) -> onnx.ModelProto:
    """Two layers with a relu between them, nodes named by paths, and a batch without a size."""
    rng = np.random.default_rng(seed)
    weights: dict[str, NDArray[np.generic]] = {
        "w1": rng.integers(-3, 4, (32, width)).astype(np.float32),
        "b1": rng.integers(-3, 4, width).astype(np.float32),
        "w2": rng.integers(-3, 4, (width, 10)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["a"], name="/up/Gemm"),
        helper.make_node("Relu", ["a"], ["r"], name="/up/Relu"),
        helper.make_node("MatMul", ["r", "w2"], ["y"], name="/down/MatMul"),
    ]
    return model(nodes, [info("x", ["batch", 32])], [info("y", ["batch", 10])], weights)


def meaning(proto: onnx.ModelProto, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What numpy makes of the network."""
    w1, b1, w2 = (numpy_helper.to_array(w) for w in proto.graph.initializer)
    found: NDArray[np.float32] = np.maximum(x @ w1 + b1, 0) @ w2
    return found


def images(batch: int = 5, seed: int = 1) -> NDArray[np.float32]:
    """Whole numbers, so that every sum is exact."""
    return np.random.default_rng(seed).integers(-3, 4, (batch, 32)).astype(np.float32)


def doubles() -> onnx.ModelProto:
    """Numbers that the machine does not have."""
    node = helper.make_node("Add", ["x", "x"], ["y"], name="twice")
    ends = [info(name, [4], TensorProto.DOUBLE) for name in "xy"]
    return model([node], ends[:1], ends[1:])


def noise() -> onnx.ModelProto:
    """An operator that nobody imports."""
    node = helper.make_node("Bernoulli", ["x"], ["y"], name="noise")
    return model([node], [info("x", [4])], [info("y", [4])])


def large() -> onnx.ModelProto:
    """Weights of 24 MiB."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="wide")
    weights: dict[str, NDArray[np.generic]] = {"w": np.zeros((2048, 3072), np.float32)}
    return model([node], [info("x", [4, 2048])], [info("y", [4, 3072])], weights)


def layers(count: int = 5, rows: int = 4) -> onnx.ModelProto:
    """Layers that are alike: a product, a function, a sum over rows."""
    rng = np.random.default_rng(0)
    weights: dict[str, NDArray[np.generic]] = {}
    nodes, x = [], "x"
    for n in range(count):
        weights[f"w{n}"] = (rng.standard_normal((16, 16)) / 4).astype(np.float32)
        nodes += [
            helper.make_node("MatMul", [x, f"w{n}"], [f"a{n}"], name=f"/layer.{n}/MatMul"),
            helper.make_node("Tanh", [f"a{n}"], [f"b{n}"], name=f"/layer.{n}/Tanh"),
            helper.make_node("ReduceSum", [f"b{n}"], [f"c{n}"], name=f"/layer.{n}/Sum"),
            helper.make_node("Add", [f"b{n}", f"c{n}"], [f"d{n}"], name=f"/layer.{n}/Add"),
        ]
        x = f"d{n}"
    ends = [info(name, [rows, 16]) for name in ("x", x)]
    return model(nodes, ends[:1], ends[1:], weights)


def kinds() -> onnx.ModelProto:
    """An op of each kind of kernel, and nodes that need none."""
    weights: dict[str, NDArray[np.generic]] = {
        "table": np.arange(80, dtype=np.float32).reshape(10, 8),
        "flat": np.array([2, 32], np.int64),
        "three": np.array([3], np.int64),
        "one": np.array([1], np.int64),
        "axis": np.array(1, np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["table", "i"], ["g"], name="gathered"),
        helper.make_node("Softmax", ["g"], ["s"], name="softened", axis=-1),
        helper.make_node("Reshape", ["s", "flat"], ["v"], name="viewed"),
        helper.make_node("TopK", ["v", "three"], ["t", "places"], name="best"),
        helper.make_node("CumSum", ["v", "axis"], ["sums"], name="running"),
        helper.make_node("ReduceMax", ["sums", "one"], ["m"], name="largest"),
        helper.make_node("Concat", ["m", "t"], ["both"], name="joined", axis=1),
        helper.make_node("Mul", ["both", "both"], ["y"], name="squared"),
        helper.make_node("Identity", ["y"], ["z"], name="nothing"),
    ]
    given = [info("i", [8], TensorProto.INT64)]
    results = [info("z", [2, 4]), info("places", [2, 3], TensorProto.INT64)]
    return model(nodes, given, results, weights)


#: The network on the smallest machine.
NET = ("net.onnx", "--shape", "batch=5", "--target", "mini")


def compiled(folder: Path, *more: str) -> Said:
    """Compiles the network to n.maia."""
    return call(folder, "compile", *NET, "-o", "n.maia", *more)


def document(said: Said) -> dict[str, Any]:
    """What was printed as JSON."""
    found: dict[str, Any] = json.loads(said.out)
    return found
