"""Models that are compiled for the tables: those of the zoo, and one of the shape of Llama 7B.

The weights of the large one are holes in a file: it takes no room on the disk, and its values say
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from zoo import zoo

#: The file of the weights.
FILE = "weights.bin"


def of_the_zoo(name: str, folder: Path) -> Path:
    """A model of the zoo with its weights, in a file."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        onnx.save(zoo.build(name), str(path))
    return path


@dataclass
class Llama:
    """A decoder in the style of Llama: one token after ``past`` others, with caches of keys and
    values. The sizes are those of the model with 7 billion parameters."""

    layers: int = 32
    width: int = 4096
    heads: int = 32
    inner: int = 11008
    words: int = 32000
    past: int = 512
    _nodes: list[NodeProto] = field(default_factory=list)
    _weights: list[TensorProto] = field(default_factory=list)
    _inputs: list[ValueInfoProto] = field(default_factory=list)
    _outputs: list[ValueInfoProto] = field(default_factory=list)
    _bytes: int = 0

    def saved(self, folder: Path) -> Path:
        """The model in a folder of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        model = self._model()
        with open(folder / FILE, "wb") as file:
            file.truncate(self._bytes)
        path = folder / "llama.onnx"
        onnx.save(model, str(path))
        return path

    def _model(self) -> onnx.ModelProto:
        half = self.width // self.heads // 2
        angles = np.outer(np.arange(self.past + 1), 10000.0 ** (-np.arange(half) / half))
        self._constant("cos", np.cos(angles).astype(np.float16))
        self._constant("sin", np.sin(angles).astype(np.float16))
        self._constant("split", np.array([1, 1, self.heads, -1], np.int64))
        self._constant("join", np.array([1, 1, self.width], np.int64))
        self._input("token", [1, 1], TensorProto.INT64)
        self._input("position", [1, 1], TensorProto.INT64)
        self._weight("embedding", self.words, self.width)
        x = self._node("Gather", ["embedding", "token"], "x")
        for layer in range(self.layers):
            x = self._layer(x, f"layer.{layer}")
        x = self._normed(x, "norm")
        self._output(self._product(x, "head", self.width, self.words), [1, 1, self.words])
        graph = helper.make_graph(self._nodes, "llama", self._inputs, self._outputs, self._weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)

    def _layer(self, x: str, name: str) -> str:
        width, size = self.width, self.width // self.heads
        normed = self._normed(x, f"{name}/norm1")
        parts = {}
        for part in "qkv":
            whole = self._product(normed, f"{name}/{part}", width, width)
            split = self._node("Reshape", [whole, "split"], f"{name}/{part}/split")
            parts[part] = self._node(
                "Transpose", [split], f"{name}/{part}/heads", perm=[0, 2, 1, 3]
            )
        for part in "qk":
            turned = [parts[part], "cos", "sin", "position"]
            parts[part] = self._node("RotaryEmbedding", turned, f"{name}/{part}/turned")
        pasts = [f"{name}/past_{part}" for part in "kv"]
        for past in pasts:
            self._input(past, [1, self.heads, self.past, size])
        mixed, *presents = (f"{name}/{part}" for part in ("mixed", "present_k", "present_v"))
        given = [parts["q"], parts["k"], parts["v"], "", *pasts]
        self._nodes.append(
            helper.make_node("Attention", given, [mixed, *presents], name=f"{name}/Attention")
        )
        for present in presents:
            self._output(present, [1, self.heads, self.past + 1, size])
        turned_back = self._node("Transpose", [mixed], f"{name}/rows", perm=[0, 2, 1, 3])
        joined = self._node("Reshape", [turned_back, "join"], f"{name}/joined")
        x = self._node("Add", [x, self._product(joined, f"{name}/o", width, width)], f"{name}/x1")
        normed = self._normed(x, f"{name}/norm2")
        gate = self._product(normed, f"{name}/gate", width, self.inner)
        up = self._product(normed, f"{name}/up", width, self.inner)
        bent = self._node("Sigmoid", [gate], f"{name}/sigmoid")
        silu = self._node("Mul", [gate, bent], f"{name}/silu")
        both = self._node("Mul", [silu, up], f"{name}/gated")
        down = self._product(both, f"{name}/down", self.inner, width)
        return self._node("Add", [x, down], f"{name}/x2")

    def _normed(self, x: str, name: str) -> str:
        self._constant(f"{name}.weight", np.ones(self.width, np.float16))
        return self._node("RMSNormalization", [x, f"{name}.weight"], name, epsilon=1e-5)

    def _product(self, x: str, name: str, rows: int, columns: int) -> str:
        self._weight(f"{name}.weight", rows, columns)
        return self._node("MatMul", [x, f"{name}.weight"], name)

    def _node(self, op: str, inputs: list[str], output: str, **attributes: Any) -> str:
        node = helper.make_node(op, inputs, [output], name=f"{output}/{op}", **attributes)
        self._nodes.append(node)
        return output

    def _input(self, name: str, shape: list[int], kind: int = TensorProto.FLOAT16) -> None:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))

    def _output(self, name: str, shape: list[int]) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT16, shape))

    def _constant(self, name: str, array: NDArray[np.generic]) -> None:
        self._weights.append(numpy_helper.from_array(array, name))

    def _weight(self, name: str, rows: int, columns: int) -> None:
        """A matrix in the file."""
        proto = TensorProto(name=name, data_type=TensorProto.FLOAT16, dims=[rows, columns])
        proto.data_location = TensorProto.EXTERNAL
        size = 2 * rows * columns
        for key, value in (("location", FILE), ("offset", self._bytes), ("length", size)):
            proto.external_data.add(key=key, value=str(value))
        self._bytes += size
        self._weights.append(proto)
