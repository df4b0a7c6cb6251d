"""Scan, with and without a batch axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from frontend.compared import body, floats, model_of, names, node, refused, run, same


# ---- Scan -----------------------------------------------------------------------------------
def _scan_body() -> onnx.GraphProto:
    nodes = [node("Add", "a u", "b"), node("Mul", "b v", "o"), node("Neg", "v", "m")]
    return body(nodes, "a:f u:f v:f", "b o m")


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"scan_input_directions": [1, 0], "scan_output_directions": [0, 1]},
        {"scan_input_axes": [1, -1], "scan_output_axes": [1, -1]},
        {"scan_input_axes": [-2, 0], "scan_input_directions": [0, 1], "scan_output_axes": [-1, 0]},
    ],
)
def test_scan(attrs: Any) -> None:
    shapes = {"u": [4, 3], "v": [4, 3]}
    for name, axis in zip(shapes, attrs.get("scan_input_axes", [0, 0]), strict=True):
        shapes[name] = [3, 4] if axis in (1, -1) else [4, 3]
    feeds = {"a": floats(3)} | {name: floats(*shape) for name, shape in shapes.items()}
    nodes = [node("Scan", "a u v", "y o m", body=_scan_body(), num_scan_inputs=2, **attrs)]
    module = same(model_of(nodes, feeds, ["y", "o", "m"]), feeds)
    assert names(module).count("scan") == 1


def test_scan_whose_shapes_change_is_unrolled() -> None:
    nodes = [node("Concat", "a u", "b", axis=0), node("ReduceSum", "b", "o", keepdims=0)]
    graph = body(nodes, "a:f u:f", "b o")
    feeds = {"a": floats(2), "u": floats(3, 4)}
    nodes = [
        node(
            "Scan",
            "a u",
            "y o",
            body=graph,
            num_scan_inputs=1,
            scan_input_directions=[1],
            scan_output_directions=[1],
        )
    ]
    y, o = run(model_of(nodes, feeds, ["y", "o"]), feeds)
    np.testing.assert_array_equal(y, np.concatenate([feeds["a"], *feeds["u"][::-1]]))
    sums = [feeds["a"].sum() + feeds["u"][k:].sum() for k in range(3)]
    np.testing.assert_allclose(o, sums, rtol=1e-5)
    feeds["u"] = floats(100, 4)
    refused(model_of(nodes, feeds, ["y", "o"]), "E1303.*100 turns")


@pytest.mark.parametrize("lens", [None, [4, 2]])
@pytest.mark.parametrize("directions", [[0, 0], [1, 0]])
def test_scan_of_opset_8(lens: Any, directions: list[int]) -> None:
    feeds = {"a": floats(2, 3), "u": floats(2, 4, 3), "v": floats(2, 4, 3, seed=1)}
    if lens is not None:
        feeds["n"] = np.array(lens)
    inputs = "- a u v" if lens is None else "n a u v"
    graph = _scan_body()
    nodes = [node("Scan", inputs, "y o m", body=graph, num_scan_inputs=2, directions=directions)]
    model = model_of(nodes, feeds, ["y", "o", "m"], opset=8)
    if lens is not None and any(directions):
        refused(model, "E1303.*backward")
    else:
        same(model, feeds)


def test_scans_that_do_not_fit() -> None:
    feeds = {"a": floats(3), "u": floats(4, 3), "v": floats(5, 3)}

    def scan(**attrs: Any) -> onnx.ModelProto:
        nodes = [node("Scan", "a u v", "y o m", body=_scan_body(), **attrs)]
        return model_of(nodes, feeds, ["y"])

    refused(scan(num_scan_inputs=2), "E1304.*lengths")
    refused(scan(num_scan_inputs=4), "E1304.*num_scan_inputs")
    refused(scan(num_scan_inputs=2, scan_input_axes=[0]), "E1304.*scan_input_axes")
    refused(scan(num_scan_inputs=2, scan_input_directions=[0, 2]), "E1304.*directions")
