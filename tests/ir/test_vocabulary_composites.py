"""Softmax, normalisations and activations against formulas in float64 and onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from ir.reference import onnx_op
from ir.rows import many, one, raw, refused, same, types
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.expand import finish, inline
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import ELEMENTS, element_of, tensor
from maiacc_passes.ir.weights import Array


def softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def normal(x: Array, axes: Sequence[int], eps: float, centre: bool = True) -> Array:
    x = x - x.mean(tuple(axes), keepdims=True) if centre else x
    return np.asarray(x / np.sqrt((x * x).mean(tuple(axes), keepdims=True) + eps))


def grouped(x: Array, scale: Array, bias: Array, groups: int, eps: float) -> Array:
    y = normal(x.reshape(x.shape[0], groups, -1), (2,), eps).reshape(x.shape)
    planes = (-1, *[1] * (x.ndim - 2))
    return np.asarray(y * scale.reshape(planes) + bias.reshape(planes))


def affine(x: Array, scale: Array, bias: Array, axis: int) -> Array:
    behind = (-1, *[1] * (x.ndim - axis - 1))
    return np.asarray(x * scale.reshape(behind) + bias.reshape(behind))


def gelu(x: Array, tanh: bool) -> Array:
    if tanh:
        return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))
    return np.asarray(0.5 * x * np.vectorize(math.erfc)(-x / math.sqrt(2)))


#: Composite, shapes of operands, attributes, its formula.
CASES: list[tuple[str, list[tuple[int, ...]], dict[str, Any], Callable[..., Any]]] = [
    ("softmax", [(2, 5)], {"axis": 1}, lambda x: softmax(x, 1)),
    ("softmax", [(2, 5, 3)], {"axis": 1, "masked_zero": True}, lambda x: softmax(x, 1)),
    ("log_softmax", [(4, 6)], {"axis": 0}, lambda x: np.log(softmax(x, 0))),
    ("layer_norm", [(3, 4, 5), (5,)], {"axis": 2, "eps": 1e-5}, lambda x, s: normal(x, (2,), 1e-5) * s),
    ("layer_norm", [(3, 4, 5), (4, 5), (4, 1)], {"axis": 1, "eps": 1e-3}, lambda x, s, b: normal(x, (1, 2), 1e-3) * s + b),
    ("layer_norm", [(3, 4), (), ()], {"axis": 0, "eps": 0.0}, lambda x, s, b: normal(x, (0, 1), 0) * s + b),
    ("rms_norm", [(3, 8), (8,)], {"axis": 1, "eps": 1e-6}, lambda x, s: normal(x, (1,), 1e-6, False) * s),
    ("rms_norm", [(2, 3, 4), (3, 4)], {"axis": 1, "eps": 1e-6}, lambda x, s: normal(x, (1, 2), 1e-6, False) * s),
    ("group_norm", [(2, 6, 3, 2), (6,), (6,)], {"groups": 3, "eps": 1e-5}, lambda x, s, b: grouped(x, s, b, 3, 1e-5)),
    ("group_norm", [(2, 4, 5), (4,), (4,)], {"groups": 4, "eps": 1e-5}, lambda x, s, b: grouped(x, s, b, 4, 1e-5)),
    ("affine", [(2, 3, 4), (3,), (3,)], {"axis": 1}, lambda x, s, b: affine(x, s, b, 1)),
    ("affine", [(2, 3), (3,), (3,)], {"axis": 1}, lambda x, s, b: affine(x, s, b, 1)),
    ("gelu", [(7, 9)], {}, lambda x: gelu(x, False)),
    ("gelu", [(7, 9)], {"tanh": True}, lambda x: gelu(x, True)),
    ("silu", [(7, 9)], {}, lambda x: x / (1 + np.exp(-x))),
    ("softplus", [(7, 9)], {}, lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)),
]  # fmt: skip

IDS = [f"{name}-{number}" for number, (name, *_) in enumerate(CASES)]

#: The relative error that is allowed: half a unit in the last place where there is one rounding.
ERROR = {"fp64": 1e-14, "fp32": 2e-6, "fp16": 0.52 * 2.0**-10, "bf16": 0.51 * 2.0**-7}


def made(shapes: Sequence[tuple[int, ...]], dtype: str, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=shape) * 2).astype(ELEMENTS[dtype].numpy) for shape in shapes]


@pytest.mark.parametrize(("name", "shapes", "attrs", "formula"), CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ERROR)
def test_composites_are_their_formulas(
    name: str, shapes: Any, attrs: Any, formula: Any, dtype: str
) -> None:
    arrays = made(shapes, dtype)
    exact = formula(*(x.astype(np.float64) for x in arrays))
    found = one(name, *arrays, **attrs)
    assert found.dtype == ELEMENTS[dtype].numpy
    error = ERROR[dtype]
    np.testing.assert_allclose(
        found.astype(np.float64), exact, error, 1e-6 if error < 1e-4 else 1e-5
    )
    (lifted,) = many(name, *arrays, lift=True, **attrs)
    np.testing.assert_allclose(lifted, exact, 1e-6, 1e-8)


@pytest.mark.parametrize(("name", "shapes", "attrs", "formula"), CASES, ids=IDS)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_an_inlined_composite_gives_the_same_bits(
    name: str, shapes: Any, attrs: Any, formula: Any, dtype: str
) -> None:
    arrays = made(shapes, dtype, 1)
    module = Module()
    b = Builder(module)
    inputs = [
        module.add_input(f"i{n}", tensor(element_of(x.dtype).name, x.shape))
        for n, x in enumerate(arrays)
    ]
    op = b.op(name, *inputs, **attrs)
    finish(b, op.results)
    inline(op, module)
    assert name not in [other.name for other in module.main.walk()]
    module.outputs = ["y"]
    found = evaluate(module, {f"i{n}": x for n, x in enumerate(arrays)})["y"]
    expected = one(name, *arrays, **attrs)
    if name == "gelu":
        np.testing.assert_allclose(found.astype("f"), expected.astype("f"), 1e-2, 1e-6)
    else:
        assert raw(found) == raw(expected)


def test_parameters_may_be_of_fp32() -> None:
    for name, shapes, attrs, formula in CASES:
        if len(shapes) > 1:
            (x,), others = made(shapes[:1], "bf16"), made(shapes[1:], "fp32", 1)
            exact = formula(*(y.astype(np.float64) for y in (x, *others)))
            found = one(name, x, *others, **attrs).astype(np.float64)
            np.testing.assert_allclose(found, exact, ERROR["bf16"], 1e-5)


# ---- hard values ----------------------------------------------------------------------------
def test_softmax_of_masked_rows() -> None:
    inf, nan = np.inf, np.nan
    x = np.array([[-inf, -inf], [-inf, 3], [inf, 1], [nan, -inf], [1e30, -1e30]], "f")
    same(
        one("softmax", x, axis=1),
        np.array([[nan, nan], [0, 1], [nan, nan], [nan, nan], [1, 0]], "f"),
    )
    found = one("softmax", x, axis=1, masked_zero=True)
    same(found, np.array([[0, 0], [0, 1], [nan, nan], [nan, nan], [1, 0]], "f"))
    found = one("log_softmax", x, axis=1)
    same(found, np.array([[nan, nan], [-inf, 0], [nan, nan], [nan, nan], [0, -2e30]], "f"))
    for name in ("softmax", "log_softmax"):
        same(one(name, np.zeros((2, 0), "f"), axis=1), np.zeros((2, 0), "f"))
        same(one(name, np.zeros((0, 2), "f"), axis=1), np.zeros((0, 2), "f"))


def test_norms_do_not_cancel() -> None:
    x = (1e4 + np.arange(8)).astype("f").reshape(1, 8)
    exact = normal(x.astype(np.float64), (1,), 1e-5)
    found = one("layer_norm", x, np.ones(8, "f"), axis=1, eps=1e-5)
    np.testing.assert_allclose(found, exact, 1e-6)
    x = np.full((2, 4), 3, np.float16)
    same(
        one("layer_norm", x, np.ones(4, np.float16), axis=1, eps=1e-5), np.zeros((2, 4), np.float16)
    )
    large = np.full((1, 4), 3e4, np.float16)
    same(
        one("rms_norm", large, np.ones(4, np.float16), axis=1, eps=1e-6),
        np.ones((1, 4), np.float16),
    )


def test_activations_far_from_zero() -> None:
    x = np.array([-200, -88, -20, -10, -5, -1e-30, 0, 1e-30, 5, 88, 200, 1e30], "f")
    wide = x.astype(np.float64)
    with np.errstate(over="ignore"):
        silu = wide / (1 + np.exp(-wide))
    soft = np.maximum(wide, 0) + np.log1p(np.exp(-np.abs(wide)))
    np.testing.assert_allclose(one("silu", x), silu, 2e-6, 1e-36)
    np.testing.assert_allclose(one("softplus", x), soft, 1e-6, 1e-43)
    exact = 0.5 * wide * np.vectorize(math.erfc)(-wide / math.sqrt(2))
    np.testing.assert_allclose(one("gelu", x), exact, 2e-7, 1e-38)
    with np.errstate(over="ignore"):
        cubic = np.minimum(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3), 1e300)
        exact = wide / (1 + np.exp(-2 * cubic))
    np.testing.assert_allclose(one("gelu", x, tanh=True), exact, 2e-7, 1e-38)
    for name in ("silu", "softplus", "gelu"):
        assert np.isnan(one(name, np.array([np.nan], "f"))).all()
        assert one(name, np.array([np.inf], "f")) == np.inf


# ---- onnxruntime ----------------------------------------------------------------------------
def test_onnxruntime_agrees() -> None:
    x, s, b = made([(2, 6, 5), (5,), (5,)], "fp32", 2)
    close: Any = np.testing.assert_allclose
    for axis in range(3):
        close(one("softmax", x, axis=axis), onnx_op("Softmax", [x], axis=axis)[0], 1e-5)
        close(one("log_softmax", x, axis=axis), onnx_op("LogSoftmax", [x], axis=axis)[0], 1e-5)
    given: dict[str, Any] = {"axis": 2, "epsilon": 1e-4}
    expected = onnx_op("LayerNormalization", [x, s, b], **given)[0]
    close(one("layer_norm", x, s, b, axis=2, eps=1e-4), expected, 1e-4, 1e-6)
    expected = onnx_op("RMSNormalization", [x, s], opset=23, **given)[0]
    close(one("rms_norm", x, s, axis=2, eps=1e-4), expected, 1e-5)
    s, b = made([(6,), (6,)], "fp32", 3)
    expected = onnx_op("GroupNormalization", [x, s, b], opset=21, num_groups=3, epsilon=1e-4)[0]
    close(one("group_norm", x, s, b, groups=3, eps=1e-4), expected, 1e-4, 1e-6)
    for tanh, approximate in ((False, "none"), (True, "tanh")):
        expected = onnx_op("Gelu", [x], opset=20, approximate=approximate)[0]
        close(one("gelu", x, tanh=tanh), expected, 1e-4, 1e-6)
    close(one("softplus", x), onnx_op("Softplus", [x])[0], 1e-5)


# ---- types ----------------------------------------------------------------------------------
def test_bounded_axes_stay_or_are_refused() -> None:
    x, one_each = tensor("fp32", (8, 4, 6), ("n0", None, None)), tensor("fp32", (4,))
    s = tensor("fp32", (6,))
    for name, others, attrs in (
        ("softmax", (), {"axis": 2}),
        ("layer_norm", (s,), {"axis": 2, "eps": 1.0}),
        ("group_norm", (one_each, one_each), {"groups": 2, "eps": 1.0}),
        ("affine", (one_each, one_each), {"axis": 1}),
        ("gelu", (), {}),
    ):
        assert types(name, x, *others, **attrs) == ["fp32[8~n0, 4, 6]"]
    y = tensor("fp32", (8, 4, 6), (None, "n0", None))
    refused("E1403", "softmax", y, axis=1)
    refused("E1403", "layer_norm", y, s, axis=1, eps=1.0)
    refused("E1403", "group_norm", y, one_each, one_each, groups=2, eps=1.0)
    refused("E1403", "affine", y, one_each, one_each, axis=1)


def test_what_does_not_fit_is_refused() -> None:
    x, whole, s = tensor("fp32", (3, 4)), tensor("int32", (3, 4)), tensor("fp32", (4,))
    for name in ("gelu", "silu", "softplus"):
        refused("E1403", name, whole)
    for axis in (-1, 2):
        refused("E1403", "softmax", x, axis=axis)
        refused("E1403", "log_softmax", x, axis=axis)
        refused("E1403", "layer_norm", x, s, axis=axis, eps=1.0)
        refused("E1403", "affine", x, s, s, axis=axis)
    refused("E1403", "softmax", whole, axis=1)
    for bad in (
        tensor("fp32", (3, 4)),
        tensor("fp32", (3,)),
        tensor("fp16", (4,)),
        tensor("int32", (4,)),
    ):
        refused("E1403", "rms_norm", x, bad, axis=1, eps=1.0)
        refused("E1403", "layer_norm", x, s, bad, axis=1, eps=1.0)
        refused("E1403", "affine", x, s, bad, axis=1)
        refused("E1403", "group_norm", x, s, bad, groups=2, eps=1.0)
    for groups in (0, 3, -2):
        refused("E1401", "group_norm", x, s, s, groups=groups, eps=1.0)
