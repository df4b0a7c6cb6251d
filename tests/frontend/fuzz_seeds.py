"""Small models that together have most of what a model can have."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from frontend import bad_operators
from frontend.bad_calls import call, function
from frontend.bad_external import branch
from frontend.bad_graphs import body, named
from frontend.bad_models import ints, model, node, simple, value, weight


@cache
def seeds() -> tuple[onnx.ModelProto, ...]:
    """Good models."""
    return (*_plain(), *_nested())


def _plain() -> tuple[onnx.ModelProto, ...]:
    """Graphs without graphs in them."""
    return (
        simple(),
        model(
            named("conv", "Conv", "x w b", "c", pads=[1, 1, 1, 1], strides=[2, 2], auto_pad="NOTSET"),
            named("pool", "MaxPool", "c", "p", kernel_shape=[2, 2], ceil_mode=1),
            named("norm", "BatchNormalization", "p s s s s", "n", epsilon=1e-5),
            named("flat", "Flatten", "n", "f"),
            named("gemm", "Gemm", "f g", "y", alpha=2.0, transB=1),
            inputs=[value("x", (1, 2, 8, 8))],
            weights=[
                weight("w", np.ones((3, 2, 3, 3))), weight("b", np.ones(3)),
                weight("s", np.ones(3)), weight("g", np.ones((5, 27))),
            ],
        ),
        model(
            named("shape", "Shape", "x", "s"),
            named("gather", "Gather", "s zero", "n", axis=0),
            named("concat", "Concat", "n minus", "t", axis=0),
            named("reshape", "Reshape", "x t", "r"),
            named("slice", "Slice", "r zero one", "l"),
            named("transpose", "Transpose", "l", "p", perm=[1, 0]),
            named("split", "Split", "p", "q1 q2", axis=0, num_outputs=2),
            named("softmax", "Softmax", "q1", "y", axis=-1),
            inputs=[value("x", (2, 3, 4))],
            weights=[ints("zero", 0), ints("one", 1), ints("minus", -1)],
        ),
        model(
            named("lstm", "LSTM", "x w r", "h", hidden_size=2, direction="forward"),
            named("einsum", "Einsum", "h h", "e", equation="sdbh,sdbk->bhk"),
            named("resize", "Resize", "x - f", "z", mode="linear"),
            named("topk", "TopK", "e one", "v i", axis=-1),
            named("pad", "Pad", "v p", "y", mode="constant"),
            inputs=[value("x", (3, 1, 4))],
            weights=[
                weight("w", np.ones((1, 8, 4))), weight("r", np.ones((1, 8, 2))), ints("one", 1),
                weight("f", [1, 1, 2]), ints("p", 0, 0, 1, 0, 0, 1),
            ],
        ),
    )  # fmt: skip


def _nested() -> tuple[onnx.ModelProto, ...]:
    """Control flow and functions."""
    bools = value("c", (), TensorProto.BOOL)
    loop = body(
        [node("Mul", "a k", "b"), node("Identity", "c", "d")], ["i", "c", "a"], ["d", "b", "b"]
    )
    loop.initializer.append(weight("k", 2))
    scan = body([node("Add", "s e", "t")], ["s", "e"], ["t", "t"])
    elu = node("Elu", "a", "b")
    elu.attribute.add(name="alpha", type=onnx.AttributeProto.FLOAT, ref_attr_name="beta")
    return (
        model(
            node("If", "c", "a", then_branch=branch(node("Relu", "x", "b")),
                 else_branch=branch(node("Abs", "x", "b"))),
            named("loop", "Loop", "m on a", "l k", body=loop),
            named("scan", "Scan", "a l", "y z", body=scan, num_scan_inputs=1),
            inputs=[bools, value("x")],
            weights=[weight("m", 3, "int64"), weight("on", True, "bool")],
        ),
        model(
            call("F", "x", "a", beta=0.5), named("c", "Constant", "", "k", value=weight("", 2.0)),
            named("q", "QuantizeLinear", "a k z", "q"), named("d", "DequantizeLinear", "q k z", "y"),
            weights=[weight("z", 3, "uint8")], functions=[function("F", elu, attributes="beta")],
            domains=["f"],
        ),
    )  # fmt: skip


@cache
def operators() -> tuple[onnx.ModelProto, ...]:
    """Models of one node, some of which are wrong already."""
    made = (case.make(Path()) for case in bad_operators.CASES)
    return tuple(source for source in made if isinstance(source, onnx.ModelProto))
