"""Small models, verified while something is broken on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from maiacc.frontend.model import Settings, import_model
from maiacc.verifying.cutting import Cutter
from maiacc.verifying.made_inputs import made_inputs
from maiacc.verifying.reproducing import reproducer
from maiacc.verifying.verify import Asked, Verified, verify
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.weights import Array

MINI = load_machine("mini")
RNG = np.random.default_rng(7)


def weight(name: str, *shape: int) -> onnx.TensorProto:
    """A constant; that of a name is always the same."""
    values = np.random.default_rng(sum(name.encode())).standard_normal(shape).astype(np.float32)
    return onnx.numpy_helper.from_array(values, name)


def model(
    nodes: Sequence[onnx.NodeProto], shape: Sequence[int], *weights: onnx.TensorProto
) -> onnx.ModelProto:
    """A model with the input x and the output y."""
    graph = helper.make_graph(
        nodes,
        "broken",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name="y")],
        weights,
    )
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    found.ir_version = 10
    return found


def node(kind: str, inputs: str, output: str, **attrs: Any) -> onnx.NodeProto:
    return helper.make_node(kind, inputs.split(), [output], name=f"the_{output}", **attrs)


def verified(proto: onnx.ModelProto, scale: float = 1.0, **more: Any) -> tuple[Asked, Verified]:
    """What verify says on mini."""
    inputs = {n: x * np.float32(scale) for n, x in made_inputs(import_model(proto), 3).items()}
    asked = Asked(lambda: import_model(proto), MINI, inputs, **more)
    return asked, verify(asked)


def conv_model() -> onnx.ModelProto:
    nodes = [
        node("Relu", "x", "a"),
        node("Conv", "a w b", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "d"),
        node("MaxPool", "d", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    ]
    return model(nodes, (1, 3, 9, 9), weight("w", 5, 3, 3, 3), weight("b", 5))


def dense_model() -> onnx.ModelProto:
    nodes = [
        node("Gemm", "x w b", "h"),
        node("Relu", "h", "r"),
        node("Gemm", "r v c", "y"),
    ]
    w, b = weight("w", 70, 33), weight("b", 33)
    return model(nodes, (5, 70), w, b, weight("v", 33, 7), weight("c", 7))


def blamed(found: Verified) -> str:
    """The first wrong kernel's ops, and what is said of it."""
    assert found.wrong
    assert found.first_kernel is not None
    return ", ".join(found.first_kernel.ops)


def reproduced(
    proto: onnx.ModelProto, asked: Asked, found: Verified, path: Path
) -> onnx.ModelProto:
    """The reproducer, read back; it still goes wrong."""
    cutter = Cutter(proto, Settings(), None, asked.inputs)
    made = reproducer(asked, found, cutter, found.piece)
    assert made is not None
    assert made.model is not None
    files = made.write(str(path / "part"))
    part = onnx.load(files[0])
    inputs: dict[str, Array] = dict(np.load(files[1]))
    again = verify(Asked(lambda: import_model(part), asked.machine, inputs))
    assert again.wrong
    return part
