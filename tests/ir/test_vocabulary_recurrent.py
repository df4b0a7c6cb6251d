"""Recurrent layers against onnxruntime and a plain loop in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ir.reference import onnx_op
from ir.rows import many, refused, same, types
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.weights import Array

STEPS, BATCH, INPUTS, HIDDEN = 5, 3, 4, 2
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}

#: Names of activations in ONNX; whether they have alpha and beta there.
ACTIVATIONS = {
    "sigmoid": ("Sigmoid", False, False),
    "tanh": ("Tanh", False, False),
    "relu": ("Relu", False, False),
    "affine": ("Affine", True, True),
    "leakyrelu": ("LeakyRelu", True, False),
    "thresholdedrelu": ("ThresholdedRelu", True, False),
    "scaledtanh": ("ScaledTanh", True, True),
    "hardsigmoid": ("HardSigmoid", True, True),
    "elu": ("Elu", True, False),
    "softsign": ("Softsign", False, False),
    "softplus": ("Softplus", False, False),
}


def operands(name: str, dirs: int, seed: int = 0) -> list[Any]:
    """All operands of a layer; lengths are 5, 2 and 3 steps."""
    rng, gates = np.random.default_rng(seed), GATES[name]

    def drawn(*shape: int) -> Array:
        return (rng.normal(size=shape) * 0.8).astype("f")

    found: list[Any] = [
        drawn(STEPS, BATCH, INPUTS),
        drawn(dirs, gates * HIDDEN, INPUTS),
        drawn(dirs, gates * HIDDEN, HIDDEN),
        drawn(dirs, 2 * gates * HIDDEN),
        np.array([5, 2, 3], np.int32),
        drawn(dirs, BATCH, HIDDEN),
    ]
    if name == "lstm":
        found += [drawn(dirs, BATCH, HIDDEN), drawn(dirs, 3 * HIDDEN)]
    return found


def compare(name: str, arrays: Sequence[Any], given: dict[str, Any], **attrs: Any) -> list[Array]:
    """The results of a layer, which are those of onnxruntime with the attributes of ONNX."""
    outputs = 3 if name == "lstm" else 2
    direction = attrs.get("direction", "forward")
    options = {"hidden_size": HIDDEN, "direction": direction, **given}
    expected = onnx_op(name.upper(), arrays, outputs, opset=14, **options)
    found = many(name, *arrays, **attrs)
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, 1e-5, 1e-6)
    return found


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_all_sets_of_operands(name: str, direction: str, clip: float) -> None:
    arrays = operands(name, DIRECTIONS[direction])
    given = {"clip": clip} if clip else {}
    compare(name, arrays, given, direction=direction, clip=clip)
    compare(name, arrays[:3], given, direction=direction, clip=clip)
    for left_out in range(3, len(arrays)):
        some = [None if n == left_out else x for n, x in enumerate(arrays)]
        compare(name, some, given, direction=direction, clip=clip)
        only = [x if n < 3 or n == left_out else None for n, x in enumerate(arrays)]
        compare(name, only[: left_out + 1], given, direction=direction, clip=clip)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("clip", [0.0, 0.3])
def test_variants(direction: str, clip: float) -> None:
    dirs, given = DIRECTIONS[direction], {"clip": clip} if clip else {}
    for name, attr in (("lstm", "input_forget"), ("gru", "linear_before_reset")):
        arrays = operands(name, dirs, 1)
        for count in range(3, len(arrays) + 1):
            options: dict[str, Any] = {"direction": direction, "clip": clip, attr: True}
            compare(name, arrays[:count], {**given, attr: 1}, **options)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    official, alpha, beta = ACTIVATIONS[name]
    for layer, count in (("rnn", 1), ("gru", 2), ("lstm", 3)):
        # Small numbers, as some activations let states grow from step to step.
        arrays = [x if x.dtype == np.int32 else x * np.float32(0.3) for x in operands(layer, 1, 2)]
        given: dict[str, Any] = {"activations": [official] * count}
        given |= {"activation_alpha": [0.7] * count} if alpha else {}
        given |= {"activation_beta": [0.4] * count} if beta else {}
        attrs = {"alpha": (0.7,) * count, "beta": (0.4,) * count}
        compare(layer, arrays, given, activations=(name,) * count, **attrs)


@pytest.mark.parametrize("name", ["leakyrelu", "hardsigmoid", "elu", "softsign"])
def test_what_activations_have_if_nothing_is_given(name: str) -> None:
    official = ACTIVATIONS[name][0]
    compare("rnn", operands("rnn", 1, 3), {"activations": [official]}, activations=(name,))


def test_each_direction_has_its_activations() -> None:
    names = ["Sigmoid", "Tanh", "Relu", "HardSigmoid", "Softsign", "Tanh"]
    given = {"activations": names, "activation_alpha": [0.3], "activation_beta": [0.6]}
    attrs: dict[str, Any] = {"activations": tuple(name.lower() for name in names)}
    attrs |= {"alpha": (0.0, 0.0, 0.0, 0.3, 0.0, 0.0), "beta": (0.0, 0.0, 0.0, 0.6, 0.0, 0.0)}
    compare("lstm", operands("lstm", 2, 4), given, direction="bidirectional", **attrs)


def test_beyond_its_length_a_sequence_gives_zeros() -> None:
    for name in GATES:
        arrays = operands(name, 2, 5)
        arrays[4] = np.array([0, 5, 1], np.int64)
        y, last, *_ = many(name, *arrays, direction="bidirectional")
        assert not y[:, :, 0].any()
        assert not y[1:, :, 2].any()
        same(last[:, 0], arrays[5][:, 0])
        same(last[0, 1], y[4, 0, 1])
        same(last[1, 1], y[0, 1, 1])
        same(last[:, 2], y[0, :, 2])


# ---- element types --------------------------------------------------------------------------
def plain_lstm(x: Array, w: Array, r: Array, bias: Array, rounded: np.dtype[Any]) -> list[Array]:
    """One direction in float64, with the state h rounded."""
    h, c = np.zeros((BATCH, HIDDEN)), np.zeros((BATCH, HIDDEN))
    both, rows = bias[0, : 4 * HIDDEN] + bias[0, 4 * HIDDEN :], []
    for step in range(STEPS):
        gates = x[step] @ w[0].T + h @ r[0].T + both
        i, o, f = (1 / (1 + np.exp(-gates[:, n * HIDDEN : (n + 1) * HIDDEN])) for n in range(3))
        c = f * c + i * np.tanh(gates[:, 3 * HIDDEN :])
        h = (o * np.tanh(c)).astype(rounded).astype(np.float64)
        rows.append(h[None])
    return [np.stack(rows), h[None], c[None]]


@pytest.mark.parametrize("dtype", ["fp64", "fp32", "fp16", "bf16"])
@pytest.mark.parametrize("lift", [False, True])
def test_element_types(dtype: str, lift: bool) -> None:
    element = ELEMENTS[dtype].numpy
    arrays = [x.astype(element) for x in operands("lstm", 1, 6)[:4]]
    found = many("lstm", *arrays, lift=lift)
    wide = [x.astype(np.float64) for x in arrays]
    x, w, r, bias = wide
    exact = plain_lstm(x, w, r, bias, np.dtype(np.float64) if lift else element)
    # A state between two numbers may be rounded to the other one, and so on from there.
    error = {"fp16": 2e-3, "bf16": 1.5e-2}.get(dtype, 1e-6) if not lift else 1e-12
    for value, wanted in zip(found, exact, strict=True):
        assert value.dtype == (np.float64 if lift else element)
        np.testing.assert_allclose(value.astype(np.float64), wanted, error, error)


def test_no_step_leaves_the_state() -> None:
    for name in GATES:
        arrays = operands(name, 1, 7)
        arrays[0] = arrays[0][:0]
        y, *last = many(name, *arrays)
        assert y.shape == (0, 1, BATCH, HIDDEN)
        for state, start in zip(last, arrays[5:7], strict=False):
            same(state, start)


# ---- types ----------------------------------------------------------------------------------
def kinds(name: str, dirs: int = 1) -> list[Type | None]:
    dtypes = {np.dtype("f"): "fp32", np.dtype(np.int32): "int32"}
    return [tensor(dtypes[x.dtype], x.shape) for x in operands(name, dirs)]


def test_results() -> None:
    assert types("lstm", *kinds("lstm")) == ["fp32[5, 1, 3, 2]", *["fp32[1, 3, 2]"] * 2]
    both = types("gru", *kinds("gru", 2), direction="bidirectional")
    assert both == ["fp32[5, 2, 3, 2]", "fp32[2, 3, 2]"]
    assert types("rnn", *kinds("rnn")[:3]) == ["fp32[5, 1, 3, 2]", "fp32[1, 3, 2]"]


@pytest.mark.parametrize("name", GATES)
def test_what_does_not_fit_is_refused(name: str) -> None:
    good = kinds(name)
    for number, kind in enumerate(good):
        assert kind is not None
        longer = kind.with_shape((*kind.shape[:-1], kind.shape[-1] + 1))
        flat, other = kind.with_shape((kind.size,)), kind.with_dtype("fp16")
        bounded = tensor(kind.dtype, kind.shape, ("n0", *[None] * (kind.rank - 1)))
        for bad in (longer, other, bounded, *([flat] if kind.rank > 1 else [])):
            if number == 0 and bad is longer:
                continue
            refused("E1403", name, *good[:number], bad, *good[number + 1 :])
    one = tensor("fp32", (1, 1, 1))
    refused("E1403", name, one, one, one, None, one)
    refused("E1403", name, *good, direction="bidirectional")
    refused("E1401", name, *good, direction="backward")
    refused("E1401", name, *good, activations=("tanh",) * 4)
    refused("E1401", name, *good, activations=("Tanh",) * {"lstm": 3, "gru": 2, "rnn": 1}[name])
    refused("E1401", name, *good, alpha=(1.0,) * 4)
    for clip in (-1.0, float("nan")):
        refused("E1401", name, *good, clip=clip)
