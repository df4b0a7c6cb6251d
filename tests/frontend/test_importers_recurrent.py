"""LSTM, GRU and RNN, compared with onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import floats, model_of, names, node, run, same
from maiacc.frontend.model import import_model
from maiacc_isa.errors import ErrorList

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 6
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
DIRECTIONS = ("forward", "reverse", "bidirectional")
SLOTS = ("x", "w", "r", "b", "n", "h", "c", "p")


def _weights(op: str, directions: int = 1) -> dict[str, Any]:
    rows = GATES[op] * HIDDEN
    found = {
        "w": floats(directions, rows, INPUTS),
        "r": floats(directions, rows, HIDDEN),
        "b": floats(directions, 2 * rows),
        "h": floats(directions, BATCH, HIDDEN),
        "c": floats(directions, BATCH, HIDDEN, seed=1),
        "p": floats(directions, 3 * HIDDEN),
        "n": np.array([5, 2, 3], np.int32),
    }
    return {
        name: array * 0.7 if array.dtype.kind == "f" else array for name, array in found.items()
    }


def _model(op: str, given: str, direction: str = "forward", opset: int = 14, **attrs: Any) -> Any:
    """A model and its input; ``given`` are the optional inputs by letter."""
    weights = _weights(op, 2 if direction == "bidirectional" else 1)
    slots = SLOTS if op == "LSTM" else SLOTS[:6]
    inputs = " ".join(name if name in "xwr" + given else "-" for name in slots)
    outputs = ["y", "yh", "yc"][: 3 if op == "LSTM" else 2]
    if direction != "forward":
        attrs["direction"] = direction
    feeds = {"x": floats(STEPS, BATCH, INPUTS)}
    nodes = [node(op, inputs, " ".join(outputs), hidden_size=HIDDEN, **attrs)]
    used = {name: array for name, array in weights.items() if name in inputs.split()}
    return model_of(nodes, feeds, outputs, used, opset=opset), feeds


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("given", ["", "b", "bh", "bn", "bnh"])
@pytest.mark.parametrize("op", GATES)
def test_inputs(op: str, given: str, direction: str) -> None:
    model, feeds = _model(op, given + "c" * (op == "LSTM" and "h" in given), direction)
    assert op.lower() in names(same(model, feeds))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("attrs", [{}, {"input_forget": 1}, {"clip": 0.3}])
def test_lstm(attrs: Any, direction: str) -> None:
    same(*_model("LSTM", "bhcp", direction, **attrs))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("attrs", [{"linear_before_reset": 1}, {"clip": 0.3}])
@pytest.mark.parametrize("given", ["", "bn"])
def test_gru(given: str, attrs: Any, direction: str) -> None:
    same(*_model("GRU", given, direction, **attrs))


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("RNN", {"activations": ["Relu"]}),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.2]}),
        ("RNN", {"activations": ["Affine"], "activation_alpha": [0.2], "activation_beta": [0.1]}),
        ("RNN", {"activations": ["Softsign"]}),
        ("GRU", {"activations": ["HardSigmoid", "Tanh"]}),
        (
            "GRU",
            {
                "activations": ["Sigmoid", "ScaledTanh"],
                "activation_alpha": [0.8],
                "activation_beta": [0.6],
            },
        ),
        (
            "LSTM",
            {
                "activations": ["HardSigmoid", "Tanh", "LeakyRelu"],
                "activation_alpha": [0.3, 0.1],
                "activation_beta": [0.4],
            },
        ),
    ],
)
def test_activations(op: str, attrs: Any) -> None:
    model, feeds = _model(op, "b", **attrs)
    same(model, feeds, rtol=1e-3)


def test_activations_of_both_directions() -> None:
    attrs: Any = {"activations": ["Relu", "LeakyRelu"], "activation_alpha": [0.25]}
    same(*_model("RNN", "b", "bidirectional", **attrs))


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("op", GATES)
def test_layout(op: str, direction: str) -> None:
    """The batch in front changes nothing else. onnxruntime does not have it."""
    given = "bnh" + "c" * (op == "LSTM")
    model, feeds = _model(op, given, direction)
    expected = run(model, feeds)
    other, _ = _model(op, given, direction, layout=1)
    swapped = {"x": feeds["x"].transpose(1, 0, 2)}
    other.graph.input[0].CopyFrom(
        model_of([], {"x": swapped["x"]}, []).graph.input[0],
    )
    for tensor in other.graph.initializer:
        if tensor.name in ("h", "c"):
            array = _weights(op, 2 if direction == "bidirectional" else 1)[tensor.name]
            tensor.dims[:] = [array.shape[1], array.shape[0], array.shape[2]]
            tensor.raw_data = np.ascontiguousarray(array.transpose(1, 0, 2)).tobytes()
    found = run(other, swapped)
    np.testing.assert_array_equal(found[0], expected[0].transpose(2, 0, 1, 3))
    for a, b in zip(found[1:], expected[1:], strict=True):
        np.testing.assert_array_equal(a, b.transpose(1, 0, 2))


@pytest.mark.parametrize("opset", [7, 14, 22])
def test_opsets(opset: int) -> None:
    for op in GATES:
        same(*_model(op, "b", opset=opset))


@pytest.mark.parametrize(
    ("attrs", "match"),
    [
        ({"activations": ["Nonsense"]}, "E1304.*activations"),
        ({"activations": ["Tanh", "Tanh"]}, "E1304.*activations"),
        ({"direction": "sideways"}, "E1304.*direction"),
        ({"layout": 2}, "E1304.*layout"),
        ({"clip": -1.0}, "E1304.*clip"),
    ],
)
def test_attributes_that_there_are_not(attrs: Any, match: str) -> None:
    model, _ = _model("RNN", "b", **attrs)
    with pytest.raises(ErrorList, match=match):
        import_model(model)


def test_weights_that_do_not_fit() -> None:
    model, _ = _model("RNN", "b")
    model.graph.initializer[0].dims[:] = [1, INPUTS, HIDDEN]
    with pytest.raises(ErrorList, match="E1304"):
        import_model(model)
    model, _ = _model("RNN", "b")
    model.graph.node[0].attribute[0].i = HIDDEN + 1
    with pytest.raises(ErrorList, match=r"E1304.*hidden_size"):
        import_model(model)
