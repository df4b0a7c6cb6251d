"""The node tests of ONNX that are in reach: tensors of the element types that there are, operators
of the default domain, no optionals."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx
from onnx.backend.test.loader import load_model_tests

T = onnx.TensorProto

#: Element types at the boundary of a test that is in reach.
REACH = {
    T.FLOAT, T.FLOAT16, T.BFLOAT16, T.FLOAT8E4M3FN, T.FLOAT8E5M2,
    T.INT8, T.UINT8, T.INT32, T.INT64, T.BOOL,
}  # fmt: skip

OPTIONAL = {"Optional", "OptionalGetElement", "OptionalHasElement"}


@dataclass(frozen=True)
class Case:
    """A test: a model, what goes in, what has to come out, and how far off it may be."""

    name: str
    model: onnx.ModelProto
    data: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    rtol: float
    atol: float

    @property
    def operator(self) -> str:
        """The operator of its first node."""
        return str(self.model.graph.node[0].op_type)


@cache
def node_cases() -> tuple[Case, ...]:
    """All node tests in reach, in the order of their names. Takes half a minute the first time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tests = load_model_tests(kind="node")
    return tuple(
        Case(test.name, test.model, test.data_sets, test.rtol, test.atol)
        for test in sorted(tests, key=lambda test: test.name)
        if test.model is not None and test.data_sets is not None and in_reach(test.model)
    )


def in_reach(model: onnx.ModelProto) -> bool:
    """Whether a test is one that the project wants to pass or to refuse by name."""
    values = [*model.graph.input, *model.graph.output]
    if not all(value.type.HasField("tensor_type") for value in values):
        return False
    if not {value.type.tensor_type.elem_type for value in values} <= REACH:
        return False
    nodes = list(_nodes(model.graph))
    nodes += [node for function in model.functions for node in function.node]
    return all(node.domain == "" and node.op_type not in OPTIONAL for node in nodes)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from _nodes(attribute.g)
