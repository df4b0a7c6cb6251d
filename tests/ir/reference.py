"""Independent references for tests: single ONNX operators by onnxruntime, roundings by numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import ValueInfoProto, helper, numpy_helper

from maiacc_passes.ir.weights import Array


def onnx_op(
    name: str,
    inputs: Sequence[Array | None],
    outputs: int = 1,
    opset: int = 17,
    domain: str = "",
    **attrs: Any,
) -> list[Array]:
    """What onnxruntime gives for an operator, without its optimisations."""
    names = ["" if x is None else f"i{number}" for number, x in enumerate(inputs)]
    feeds = {n: x for n, x in zip(names, inputs, strict=True) if x is not None}
    wanted = [f"o{number}" for number in range(outputs)]
    node = helper.make_node(name, names, wanted, domain=domain, **attrs)
    infos = [
        helper.make_tensor_value_info(n, numpy_helper.from_array(x).data_type, x.shape)
        for n, x in feeds.items()
    ]
    results = [ValueInfoProto(name=n) for n in wanted]
    graph = helper.make_graph([node], "one", infos, results)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: list[Array] = session.run(None, feeds)
    return found


def sums(spec: str, a: Array, b: Array) -> dict[tuple[int, ...], Any]:
    """A contraction by plain loops over Python numbers: each element of the result by its index."""
    operands, out = spec.split("->")
    left, right = operands.split(",")
    sizes: Mapping[str, int] = dict(zip(left + right, a.shape + b.shape, strict=True))
    letters = sorted(sizes)
    found: dict[tuple[int, ...], Any] = dict.fromkeys(np.ndindex(*(sizes[c] for c in out)), 0)
    for index in np.ndindex(*(sizes[c] for c in letters)):
        at = dict(zip(letters, index, strict=True))
        factors = a[tuple(at[c] for c in left)].item(), b[tuple(at[c] for c in right)].item()
        found[tuple(at[c] for c in out)] += factors[0] * factors[1]
    return found


def wrapped(values: Mapping[tuple[int, ...], Any], shape: Sequence[int], dtype: Any) -> Array:
    """Python numbers as an array; integers wrap."""
    dtype = np.dtype(dtype)
    found = np.zeros(tuple(shape), dtype)
    for index, value in values.items():
        if dtype.kind in "iu":
            bits = dtype.itemsize * 8
            value = int(value) & ((1 << bits) - 1)
            if dtype.kind == "i" and value >> (bits - 1):
                value -= 1 << bits
        found[index] = value
    return found
