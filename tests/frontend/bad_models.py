"""Bad inputs, one row each: how to make it, and what has to be said of it.

The numbers are those of the list in reliability.md, section 4.4; letters tell variants apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from maiacc.frontend.model import NOTHING, Settings
from maiacc_passes.ir.graph import Module


@dataclass(frozen=True)
class Memory:
    """A model that is handed over in memory."""

    proto: Any


@dataclass(frozen=True)
class Many:
    """Files of which each may be refused or not, as long as nothing else happens."""

    files: Iterable[bytes]


#: What a row makes: the path of a file, the bytes of one, or a model that is written into one.
Source = str | Path | bytes | onnx.ModelProto | Memory | Many


Make = Callable[[Path], Source]


@dataclass(frozen=True)
class Case:
    """A row. ``codes`` are those of which one is expected, none if the model is good; ``words``
    have to be in the message. ``after`` is called with the module of a good one."""

    number: str
    title: str
    make: Make
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    settings: Settings = NOTHING
    after: Callable[[Module, Path], None] | None = None
    seconds: float = 2
    megabytes: float = 300

    def __str__(self) -> str:
        return f"{self.number} {self.title}"


def rows(*cases: Case) -> tuple[Case, ...]:
    """Rows, whose numbers are all different."""
    numbers = [case.number for case in cases]
    assert len(set(numbers)) == len(numbers), "two rows have the same number"
    return cases


def good(number: str, title: str, make: Make, **more: Any) -> Case:
    """A row of what has to be accepted."""
    return Case(number, title, make, **more)


def bad(number: str, title: str, codes: str, words: str, make: Make, **more: Any) -> Case:
    """A row of what has to be refused; codes and words are separated by spaces."""
    return Case(number, title, make, tuple(codes.split()), tuple(words.split()), **more)


# ---- small models -----------------------------------------------------------------------------
OPSET = 21


def value(
    name: str, shape: Sequence[int | str] | None = (4,), dtype: int = TensorProto.FLOAT
) -> Any:
    """A typed name."""
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op: str, inputs: str, outputs: str, domain: str = "", **attrs: Any) -> onnx.NodeProto:
    """A node called ``the_node``; names are separated by spaces, and a dash is none."""
    left, right = (["" if x == "-" else x for x in text.split()] for text in (inputs, outputs))
    return helper.make_node(op, left, right, name="the_node", domain=domain, **attrs)


def model(
    *nodes: onnx.NodeProto,
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    weights: Sequence[TensorProto] = (),
    opset: int = OPSET,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model: of x[4] to y unless said otherwise."""
    graph = helper.make_graph(
        nodes,
        "g",
        list(inputs) or [value("x")],
        list(outputs) or [onnx.ValueInfoProto(name="y")],
        list(weights),
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=list(functions))


def weight(name: str, array: Any, dtype: str = "float32") -> TensorProto:
    """An initializer."""
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def ints(name: str, *numbers: int) -> TensorProto:
    """An initializer of integers in one axis."""
    return weight(name, np.array(numbers, np.int64), "int64")


def relu(name: str = "y") -> onnx.NodeProto:
    """The most harmless node."""
    return node("Relu", "x", name)


def simple() -> onnx.ModelProto:
    """A good model with a weight."""
    return model(
        node("MatMul", "x w", "a"),
        node("Relu", "a", "y"),
        inputs=[value("x", (2, 4))],
        weights=[weight("w", np.arange(12).reshape(4, 3))],
    )


def single(
    op: str,
    shapes: Sequence[Sequence[int]],
    *weights: TensorProto,
    dtype: int = TensorProto.FLOAT,
    outputs: str = "y",
    opset: int = OPSET,
    **attrs: Any,
) -> Callable[[Path], onnx.ModelProto]:
    """What makes a model of one node: its inputs are of some shapes, and then weights."""
    names = [f"x{number}" for number in range(len(shapes))]

    def make(folder: Path) -> onnx.ModelProto:
        given = " ".join([*names, *(proto.name or "-" for proto in weights)])
        return model(
            node(op, given, outputs, **attrs),
            inputs=[value(n, s, dtype) for n, s in zip(names, shapes, strict=True)] or [value("x")],
            outputs=[onnx.ValueInfoProto(name=name) for name in outputs.split()],
            weights=[proto for proto in weights if proto.name],
            opset=opset,
        )

    return make
