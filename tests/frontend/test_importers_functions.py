"""Trigonometric, hyperbolic and activation functions: their accuracy, and hard values."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf

#: Small, ordinary and large arguments of both signs.
POINTS = np.concatenate([
    np.array([0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 88.5, 89.2, 1e-38, 1e-42, 3e38]),
    np.geomspace(1e-30, 1e30, 121),
    np.linspace(-90, 90, 361),
    1 + np.array([1e-6, -1e-6, 1e-3, -1e-3]),
]).astype(np.float32)  # fmt: skip
POINTS = np.concatenate([POINTS, -POINTS])

TRIGONOMETRIC: dict[str, Callable[[Any], Any]] = {
    "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan,
    "Sinh": np.sinh, "Cosh": np.cosh, "Asinh": np.arcsinh, "Acosh": np.arccosh,
    "Atanh": np.arctanh,
}  # fmt: skip


def exact(function: Callable[[Any], Any], x: Any, dtype: Any = np.float32) -> Any:
    """A function in float64, rounded."""
    with np.errstate(all="ignore"):
        return np.asarray(function(x.astype(np.float64))).astype(dtype)


@pytest.mark.parametrize("op", TRIGONOMETRIC)
def test_functions_are_accurate_everywhere(op: str) -> None:
    found = Single(op, [POINTS], opset=22).run()[0]
    agree(found, exact(TRIGONOMETRIC[op], POINTS), rtol=6e-7, atol=1e-45)


def test_tangent() -> None:
    x = np.concatenate([POINTS[np.abs(POINTS) < 1000], np.array([math.pi / 2], np.float32)])
    agree(Single("Tan", [x]).run()[0], exact(np.tan, x), rtol=6e-7)


@pytest.mark.parametrize("op", ["Tan", *TRIGONOMETRIC])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_narrow_floats_are_rounded_once(op: str, dtype: Any) -> None:
    x = np.linspace(-3, 3, 241).astype(dtype)
    function: Callable[[Any], Any] = np.tan if op == "Tan" else TRIGONOMETRIC[op]
    found = Single(op, [x], opset=22).run()[0].astype(np.float64)
    expected = exact(function, x, dtype).astype(np.float64)
    close = np.isclose(found, expected, rtol=2e-3 if dtype == np.float16 else 8e-3, equal_nan=True)
    assert close.all()
    same = (found == expected) | np.isnan(expected)
    assert same.mean() > 0.99


# ---- activations --------------------------------------------------------------------------------
def below_zero(below: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: np.where(x < 0, below(np.minimum(x, 0)), x)


def f32(value: float) -> float:
    """A number as an attribute holds it."""
    return float(np.float32(value))


ALPHA, GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def mish(x: Any) -> Any:
    e = np.exp(np.minimum(x, 50))
    return x * (e * (e + 2) / (e * (e + 2) + 2))


ACTIVATIONS: list[tuple[str, dict[str, float], int, Callable[[Any], Any]]] = [
    ("LeakyRelu", {}, 6, below_zero(lambda x: f32(0.01) * x)),
    ("LeakyRelu", {"alpha": 2.0}, 16, below_zero(lambda x: 2 * x)),
    ("LeakyRelu", {"alpha": -1.0}, 16, below_zero(lambda x: -x)),
    ("Elu", {}, 6, below_zero(np.expm1)),
    ("Elu", {"alpha": 2.0}, 22, below_zero(lambda x: 2 * np.expm1(x))),
    ("Selu", {}, 6, lambda x: GAMMA * below_zero(lambda x: ALPHA * np.expm1(x))(x)),
    ("Celu", {"alpha": 2.0}, 12, below_zero(lambda x: 2 * np.expm1(x / 2))),
    ("HardSigmoid", {}, 6, lambda x: np.clip(f32(0.2) * x + 0.5, 0, 1)),
    ("HardSwish", {}, 14, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("Softplus", {}, 1, softplus),
    ("Softsign", {}, 1, lambda x: x / (1 + np.abs(x))),
    ("ThresholdedRelu", {"alpha": 1.5}, 10, lambda x: np.where(x > 1.5, x, 0)),
    ("Swish", {}, 24, lambda x: x / (1 + np.exp(-x))),
    ("Swish", {"alpha": 0.5}, 24, lambda x: x / (1 + np.exp(-x / 2))),
    ("Mish", {}, 18, mish),
    ("Shrink", {"lambd": 1.5, "bias": 0.5}, 9,
     lambda x: np.where(x < -1.5, x + 0.5, np.where(x > 1.5, x - 0.5, 0))),
]  # fmt: skip


@pytest.mark.parametrize("case", ACTIVATIONS, ids=lambda case: f"{case[0]}{case[2]}{case[1]}")
def test_activations_are_accurate(case: tuple[str, dict[str, float], int, Any]) -> None:
    op, attrs, opset, function = case
    x = POINTS[np.isfinite(POINTS) & (np.abs(POINTS) < 87)]
    found = Single(op, [x], attrs, max(opset, 6)).run()[0]
    # Straight lines cross zero where the two terms cancel.
    atol = 2e-7 if "Hard" in op else 3e-45
    np.testing.assert_allclose(found, exact(function, x), rtol=2e-6, atol=atol)
    narrow = x.astype(np.float16)
    found = Single(op, [narrow], attrs, 28).run()[0]
    expected = exact(function, narrow, np.float16)
    assert found.dtype == np.float16
    np.testing.assert_allclose(
        found.astype(np.float64), expected.astype(np.float64), rtol=1.1e-3, atol=1e-6
    )


@pytest.mark.parametrize(
    ("op", "x", "expected"),
    [
        ("LeakyRelu", [NAN, INF, -INF], [NAN, INF, -INF]),
        ("Elu", [NAN, INF, -INF, -1e-7], [NAN, INF, -1.0, -1e-7]),
        ("Celu", [NAN, INF, -INF], [NAN, INF, -1.0]),
        ("HardSigmoid", [NAN, INF, -INF], [NAN, 1.0, 0.0]),
        ("Softplus", [NAN, INF, -INF, 1e4, -90.0], [NAN, INF, 0.0, 1e4, math.exp(-90)]),
        ("Softsign", [INF, 0.0], [NAN, 0.0]),
        ("ThresholdedRelu", [NAN, 1.0, INF], [0.0, 0.0, INF]),
        ("Shrink", [NAN, 0.5, -0.5, INF], [0.0, 0.0, 0.0, INF]),
        ("Mish", [NAN, INF, 3e38], [NAN, INF, 3e38]),
    ],
)
def test_hard_values_of_activations(op: str, x: list[float], expected: list[float]) -> None:
    case = Single(op, [np.array(x, np.float32)], opset=18)
    agree(case.run()[0], np.array(expected, np.float32))


@pytest.mark.parametrize(
    ("op", "attrs", "opset"),
    [
        ("LeakyRelu", {"alpha": 0.2}, 6),
        ("Elu", {"alpha": 1.5}, 6),
        ("Selu", {"alpha": 1.5, "gamma": 2.0}, 6),
        ("HardSigmoid", {"alpha": 0.5, "beta": 0.1}, 6),
        ("Softplus", {}, 7),
        ("Softsign", {}, 7),
        ("ThresholdedRelu", {"alpha": 0.3}, 10),
        ("Shrink", {"lambd": 0.4, "bias": 0.2}, 9),
        ("Celu", {"alpha": 1.5}, 12),
        ("HardSwish", {}, 14),
        ("Mish", {}, 18),
        ("Gelu", {}, 20),
        ("Gelu", {"approximate": "tanh"}, 20),
    ],
)
def test_activations_are_those_of_onnxruntime(op: str, attrs: dict[str, Any], opset: int) -> None:
    like_ort(Single(op, [floats(4, 50)], attrs, opset))


def test_gelu_refuses_another_form() -> None:
    Single("Gelu", [floats(2)], {"approximate": "erf"}, 20).refused("E1304")


# ---- slopes, integers ---------------------------------------------------------------------------
def test_slopes_of_channels_before_7() -> None:
    x, slope = floats(2, 3, 4), floats(3, seed=1)
    expected = np.where(x < 0, slope.reshape(3, 1) * x, x)
    agree(Single("PRelu", [x, slope], opset=6).run()[0], expected)
    agree(Single("PRelu", [x, slope[:1]], opset=6).run()[0], np.where(x < 0, slope[0] * x, x))


def test_slopes_broadcast_from_7_on() -> None:
    x, slope = floats(2, 3, 4), floats(3, 1, seed=1)
    for opset in (7, 9, 16):
        like_ort(Single("PRelu", [x, slope], opset=opset))
    whole = np.array([[-3, 4]], np.int32)
    agree(Single("PRelu", [whole, np.int32(2)], opset=9).run()[0], np.array([[-6, 4]], np.int32))
    Single("PRelu", [floats(3), floats(2, 3)], opset=16).refused("E1304")


def test_shrink_of_integers() -> None:
    x = np.array([-3, -1, 0, 1, 3], np.int32)
    attrs = {"lambd": 1.5, "bias": 1.0}
    agree(Single("Shrink", [x], attrs, 9).run()[0], np.array([-2, 0, 0, 0, 2], np.int32))
    byte = np.array([0, 1, 200], np.uint8)
    agree(Single("Shrink", [byte], attrs, 9).run()[0], np.array([0, 0, 199], np.uint8))
