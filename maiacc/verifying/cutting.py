"""Nodes cut out of an ONNX model, with the tensors that they had for inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx

from maiacc.frontend.model import Settings, import_model
from maiacc.frontend.node import node_name
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.weights import Array

#: Integers of at most so many elements are constants of what is cut out: they may be shapes.
SHAPE = 64

#: The most elements of an initializer that is written into the file.
LARGEST = 1 << 28


@dataclass(frozen=True)
class Cut:
    """A model of a few nodes, and its inputs."""

    model: onnx.ModelProto
    inputs: Mapping[str, Array]


@dataclass
class Cutter:
    """Cuts nodes out of a model that had these inputs."""

    model: onnx.ModelProto
    settings: Settings
    folder: Path | None
    inputs: Mapping[str, Array]
    _tensors: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        graph = self.model.graph
        self.nodes = list(graph.node)
        self.made = {name: node for node in self.nodes for name in node.output if name}
        self.constants = {proto.name: proto for proto in graph.initializer}
        self._tensors.update(self.inputs)

    def named(self, names: Iterable[str]) -> list[onnx.NodeProto]:
        """The nodes of these names, in the order of the model."""
        wanted = set(names)
        return [node for node in self.nodes if node_name(node) in wanted]

    def wider(self, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
        """These nodes, and those that make their inputs."""
        some = {id(node) for node in nodes}
        more = {id(self.made[name]) for node in nodes for name in node.input if name in self.made}
        return [node for node in self.nodes if id(node) in some | more]

    def cut(self, nodes: list[onnx.NodeProto]) -> Cut:
        """Nodes as a model. Raises ``MaiaccError`` if what they need cannot be computed."""
        made = {name for node in nodes for name in node.output if name}
        needed = dict.fromkeys(name for node in nodes for name in _inputs(node) if name)
        free = [name for name in needed if name not in made and name not in self.constants]
        self._evaluate([name for name in free if name not in self._tensors])
        initializers = [self.constants[name] for name in needed if name in self.constants]
        inputs: dict[str, Array] = {}
        for name in free:
            array = self._tensors[name]
            if array.dtype.kind == "i" and array.size <= SHAPE and name not in self.inputs:
                initializers.append(onnx.numpy_helper.from_array(array, name))
            else:
                inputs[name] = array
        graph = onnx.helper.make_graph(
            nodes,
            "cut",
            [_info(name, array) for name, array in inputs.items()],
            [onnx.ValueInfoProto(name=name) for name in self._outputs(nodes, made)],
            initializers,
        )
        model = onnx.helper.make_model(graph, opset_imports=list(self.model.opset_import))
        model.ir_version = self.model.ir_version
        model.functions.extend(self.model.functions)
        return Cut(self._typed(model, inputs), inputs)

    def _outputs(self, nodes: list[onnx.NodeProto], made: set[str]) -> list[str]:
        inner = {id(node) for node in nodes}
        used = {info.name for info in self.model.graph.output}
        used |= {name for n in self.nodes if id(n) not in inner for name in _inputs(n)}
        found = [name for node in nodes for name in node.output if name in used]
        return found or sorted(made)

    def _evaluate(self, names: list[str]) -> None:
        """What tensors of the model hold, by its own meaning."""
        if not names:
            return
        arrays = _values(self.model, names, self.inputs, self.settings, self.folder)
        self._tensors.update(arrays)

    def _typed(self, model: onnx.ModelProto, inputs: Mapping[str, Array]) -> onnx.ModelProto:
        """Outputs with the types that they turn out to have."""
        names = [info.name for info in model.graph.output]
        arrays = _values(model, names, inputs, Settings(), self.folder)
        del model.graph.output[:]
        model.graph.output.extend(_info(name, arrays[name]) for name in names)
        return model


def _values(
    model: onnx.ModelProto,
    names: list[str],
    inputs: Mapping[str, Array],
    settings: Settings,
    folder: Path | None,
) -> dict[str, Array]:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    module = import_model(copy, settings, folder)
    given = {name: inputs[name] for name in module.inputs}
    return evaluate(module, given)


def _inputs(node: onnx.NodeProto) -> list[str]:
    """What a node reads, its bodies included."""
    found = list(node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {info.name for info in graph.input} | {x.name for x in graph.initializer}
            own |= {name for inner in graph.node for name in inner.output}
            found += [name for inner in graph.node for name in _inputs(inner) if name not in own]
    return found


def _info(name: str, array: Array) -> onnx.ValueInfoProto:
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(array.dtype))
    return onnx.helper.make_tensor_value_info(name, kind, array.shape)


__all__ = ["LARGEST", "Cut", "Cutter", "MaiaccError"]
