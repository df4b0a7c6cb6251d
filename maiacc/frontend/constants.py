"""Constants of a model that is imported: initializers and tensors of attributes, each made once."""

from __future__ import annotations

from pathlib import Path

import onnx

from maiacc.frontend.sparse import sparse_weight
from maiacc.frontend.tensors import array_of, weight_of
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.weights import Array


class Constants:
    """What tensors of a model are in a module. A body that is imported again for each turn of its
    loop, or a function that is called often, has the same constants each time."""

    def __init__(self, module: Module, folder: Path | None) -> None:
        self.module = module
        self.folder = folder
        # The protos are kept so that no other one gets the id of one of them.
        self._weights: dict[int, tuple[onnx.TensorProto, Value]] = {}
        self._arrays: dict[int, tuple[onnx.TensorProto, Array]] = {}

    def of_graph(self, graph: onnx.GraphProto) -> tuple[dict[str, Value | None], list[MaiaccError]]:
        """The initializers of a graph by name, None for those with problems, and the problems."""
        found: dict[str, Value | None] = {}
        problems: list[MaiaccError] = []
        for proto in graph.initializer:
            try:
                found[proto.name] = self._weight(proto)
            except MaiaccError as problem:
                problems.append(problem)
                found[proto.name] = None
        for sparse in graph.sparse_initializer:
            try:
                found[sparse.values.name] = sparse_weight(self.module, sparse, self.folder)
            except MaiaccError as problem:
                problems.append(problem)
                found[sparse.values.name] = None
        return found, problems

    def _weight(self, proto: onnx.TensorProto) -> Value:
        if id(proto) not in self._weights:
            self._weights[id(proto)] = proto, weight_of(self.module, proto, self.folder)
        return self._weights[id(proto)][1]

    def array(self, proto: onnx.TensorProto) -> Array:
        """The elements of a tensor of an attribute. Raises ``MaiaccError`` E1305, E1307, E1308."""
        if id(proto) not in self._arrays:
            self._arrays[id(proto)] = proto, array_of(proto, self.folder)
        return self._arrays[id(proto)][1]
