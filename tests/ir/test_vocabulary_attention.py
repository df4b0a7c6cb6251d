"""Attention and what goes with it, against formulas in float64 and onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ir.reference import onnx_op
from ir.rows import many, one, refused, same, types
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.vocabulary import attention
from maiacc_passes.ir.weights import Array

#: The relative and the absolute error that is allowed.
ERROR = {"fp64": (1e-12, 1e-14), "fp32": (1e-5, 1e-6), "fp16": (2e-3, 2e-3), "bf16": (1e-2, 2e-2)}


def attended(arrays: Sequence[Array], mask: Array | None, attrs: dict[str, Any]) -> Array:
    """The definition, one query at a time."""
    options = {"causal": False, "offset": 0, "softcap": 0.0, "groups": 1, "window": -1, **attrs}
    q, k, v = (x.astype(np.float64) for x in arrays)
    batch, heads, rows, _ = q.shape
    found = np.zeros((batch, heads, rows, v.shape[3]))
    if mask is not None:
        mask = np.broadcast_to(mask, (batch, heads, rows, k.shape[2]))
    for n, h, i in np.ndindex(batch, heads, rows):
        scores = options["scale"] * (k[n, h // options["groups"]] @ q[n, h, i])
        if options["softcap"]:
            scores = options["softcap"] * np.tanh(scores / options["softcap"])
        at, key = i + options["offset"], np.arange(k.shape[2])
        seen = np.ones(k.shape[2], bool)
        if mask is not None:
            seen = mask[n, h, i] if mask.dtype == bool else seen
            scores = scores if mask.dtype == bool else scores + mask[n, h, i].astype(np.float64)
        seen = seen & (key <= at) if options["causal"] else seen
        seen = seen & (key >= at - options["window"]) if options["window"] >= 0 else seen
        scores = np.where(seen, scores, -np.inf)
        if (scores == -np.inf).all():
            found[n, h, i] = 0 if options.get("masked_zero") else np.nan
            continue
        e = np.exp(scores - scores.max())
        found[n, h, i] = (e / e.sum()) @ v[n, h // options["groups"]]
    return found


def qkv(dtype: str, groups: int = 1, rows: int = 4, keys: int = 6) -> list[Array]:
    rng = np.random.default_rng(groups)
    shapes = (2, 2 * groups, rows, 4), (2, 2, keys, 4), (2, 2, keys, 3)
    return [rng.normal(size=shape).astype(ELEMENTS[dtype].numpy) for shape in shapes]


OPTIONS: list[dict[str, Any]] = [
    {},
    {"causal": True},
    {"causal": True, "offset": 2},
    {"causal": True, "offset": -2},
    {"causal": True, "offset": -2, "masked_zero": True},
    {"softcap": 1.5},
    {"window": 1},
    {"window": 0, "offset": 3},
    {"causal": True, "window": 2, "offset": 1},
    {"causal": True, "window": 1 << 62, "offset": 1 << 62},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("dtype", ERROR)
def test_attention_is_its_definition(options: dict[str, Any], groups: int, dtype: str) -> None:
    arrays, attrs = qkv(dtype, groups), {"scale": 0.5, "groups": groups, **options}
    exact = attended(arrays, None, attrs)
    found = one("attention", *arrays, **attrs)
    assert found.dtype == ELEMENTS[dtype].numpy
    np.testing.assert_allclose(found.astype(np.float64), exact, *ERROR[dtype])
    (lifted,) = many("attention", *arrays, lift=True, **attrs)
    np.testing.assert_allclose(lifted, exact, 1e-12, 1e-14)


@pytest.mark.parametrize("shape", [(6,), (4, 6), (4, 1), (6, 4, 6), (2, 1, 1, 6), (2, 6, 4, 6)])
@pytest.mark.parametrize("dtype", ["bool", "fp32", "bf16"])
def test_masks(shape: tuple[int, ...], dtype: str) -> None:
    arrays, rng = qkv("bf16", 3), np.random.default_rng(7)
    seen = rng.random(shape) < 0.7
    mask = seen if dtype == "bool" else np.where(seen, rng.normal(size=shape), -np.inf)
    mask = mask.astype(ELEMENTS[dtype].numpy)
    attrs = {"scale": 0.5, "groups": 3, "masked_zero": True, "causal": True, "offset": 3}
    exact = attended(arrays, mask, attrs)
    found = one("attention", *arrays, mask, **attrs)
    np.testing.assert_allclose(found.astype(np.float64), exact, *ERROR["bf16"])


@pytest.mark.parametrize("mask", [None, (4, 6), (2, 1, 4, 6), (1, 6, 1, 6)])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_heads_by_themselves_give_the_same_bits(
    mask: tuple[int, ...] | None, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays: list[Any] = qkv(dtype, 3)
    if mask is not None:
        arrays.append(np.random.default_rng(8).random(mask) < 0.7)
    attrs: dict[str, Any] = {"scale": 0.5, "groups": 3, "causal": True, "offset": 1}
    whole = one("attention", *arrays, **attrs)
    (lifted,) = many("attention", *arrays, lift=True, **attrs)
    monkeypatch.setattr(attention, "SCORES", 0)
    same(one("attention", *arrays, **attrs), whole)
    same(many("attention", *arrays, lift=True, **attrs)[0], lifted)


def test_keys_that_are_masked_may_hold_anything() -> None:
    q, k, v = qkv("fp32", rows=2)
    expected = one("attention", q, k[:, :, :5], v[:, :, :5], scale=0.5)
    k[:, :, 5] = np.nan
    found = one("attention", q, k, v, np.arange(6) < 5, scale=0.5)
    np.testing.assert_allclose(found, expected, 1e-6)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("groups", [1, 3])
def test_onnxruntime_agrees_on_attention(causal: bool, groups: int) -> None:
    q, k, v = qkv("fp32", groups)
    bias = np.random.default_rng(9).normal(size=(4, 6)).astype("f")
    for mask in (bias, bias > 0):
        mask[:, 0] = 1
        (expected,) = onnx_op(
            "Attention", [q, k, v, mask], opset=23, is_causal=int(causal), softcap=2.0
        )
        attrs = {"causal": causal, "groups": groups, "softcap": 2.0, "scale": 0.5}
        np.testing.assert_allclose(one("attention", q, k, v, mask, **attrs), expected, 1e-5, 1e-6)


def test_attention_that_is_refused() -> None:
    q, k, v = (
        tensor("fp32", (2, 6, 4, 8)),
        tensor("fp32", (2, 2, 5, 8)),
        tensor("fp32", (2, 2, 5, 3)),
    )
    attrs: dict[str, Any] = {"scale": 1.0, "groups": 3}
    assert types("attention", q, k, v, **attrs) == ["fp32[2, 6, 4, 3]"]
    for groups in (0, 1, 2, -3):
        refused("E1403", "attention", q, k, v, scale=1.0, groups=groups)
    empty = tensor("fp32", (1, 0, 2, 3))
    refused("E1403", "attention", empty, empty, empty, scale=1.0, groups=1 << 40)
    for change in ({"softcap": -1.0}, {"window": -2}):
        refused("E1401", "attention", q, k, v, **{**attrs, **change})
    bad = tensor("fp32", (2, 2, 6, 8)), tensor("fp16", (2, 2, 5, 8)), tensor("fp32", (2, 5, 8))
    for other in (*bad, tensor("fp32", (2, 2, 5, 8), (None, None, "n0", None))):
        refused("E1403", "attention", q, k, other, **attrs)
    refused("E1403", "attention", q, tensor("fp32", (2, 2, 5, 7)), v, **attrs)
    for mask in (
        tensor("int32", (5,)),
        tensor("fp16", (5,)),
        tensor("bool", (6,)),
        tensor("bool", (1,) * 5),
    ):
        refused("E1403", "attention", q, k, v, mask, **attrs)


# ---- rope -----------------------------------------------------------------------------------
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("dims", [0, 4])
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_rope_turns_pairs(interleaved: bool, dims: int, dtype: str) -> None:
    rng, element = np.random.default_rng(10), ELEMENTS[dtype]
    x = rng.normal(size=(2, 3, 5, 8)).astype(element.numpy)
    half = (dims or 8) // 2
    angles = rng.normal(size=(5, half))
    cos, sin = np.cos(angles).astype("f"), np.sin(angles).astype("f")
    exact = x.astype(np.float64)
    for i in range(half):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + half)
        point = (x[..., a].astype(np.float64) + 1j * x[..., b].astype(np.float64)) * (
            cos[:, i].astype(np.float64) + 1j * sin[:, i]
        )
        exact[..., a], exact[..., b] = point.real, point.imag
    attrs = {"interleaved": interleaved, "dims": dims}
    found = one("rope", x, cos, sin, **attrs)
    error = 0.51 * 2.0**-7 if dtype == "bf16" else 1e-6
    np.testing.assert_allclose(found.astype(np.float64), exact, error, 1e-6)
    if dims:
        same(found[..., dims:], x[..., dims:])
    if dtype == "fp32":
        given: dict[str, Any] = {"interleaved": int(interleaved), "rotary_embedding_dim": dims}
        tables = (np.broadcast_to(y, (2, 5, half)) for y in (cos, sin))
        (expected,) = onnx_op("RotaryEmbedding", [x, *tables], opset=23, **given)
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_rope_that_is_refused() -> None:
    x, half = tensor("fp32", (2, 3, 5, 8)), tensor("fp32", (5, 4))
    assert types("rope", x, half, half) == ["fp32[2, 3, 5, 8]"]
    nothing = np.zeros((3, 0), "f")
    same(one("rope", nothing, nothing, nothing, interleaved=True), nothing)
    for dims in (3, 10, -2):
        refused("E1401", "rope", x, half, half, dims=dims)
    for other in (
        tensor("fp32", (5, 8)),
        tensor("fp32", (4, 4)),
        tensor("fp16", (5, 4)),
        tensor("fp32", (1, 2, 3, 5, 4)),
    ):
        refused("E1403", "rope", x, half, other)
    refused("E1403", "rope", tensor("int32", (5, 8)), half, half)


# ---- the rest -------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_swiglu(dtype: str) -> None:
    gate, up = np.random.default_rng(11).normal(size=(2, 4, 5)).astype(ELEMENTS[dtype].numpy)
    wide, other = gate.astype(np.float64), up.astype(np.float64)
    exact = wide / (1 + np.exp(-wide)) * other
    error = 0.51 * 2.0**-7 if dtype == "bf16" else 1e-6
    np.testing.assert_allclose(one("swiglu", gate, up).astype(np.float64), exact, error)
    refused("E1403", "swiglu", tensor(dtype, (2, 3)), tensor(dtype, (3,)))


def test_a_cache_grows() -> None:
    cache, new = np.arange(12, dtype=np.int8).reshape(2, 3, 2), np.full((2, 1, 2), 9, np.int8)
    same(one("cache_append", cache, new, axis=1), np.concatenate([cache, new], 1))
    kind = tensor("fp32", (2, 3, 2))
    for other in (tensor("fp32", (2, 3)), tensor("fp32", (2, 3, 3)), tensor("fp16", (2, 3, 2))):
        refused("E1403", "cache_append", kind, other, axis=1)
    refused("E1403", "cache_append", kind, kind, axis=3)
    refused(
        "E1403",
        "cache_append",
        tensor("fp32", (2, 3), (None, "n0")),
        tensor("fp32", (2, 1)),
        axis=1,
    )


@pytest.mark.parametrize("normalize", [False, True])
def test_routing(normalize: bool) -> None:
    scores = np.array([[1, 3, 2, 3], [0, 0, 0, 0], [-5, 4, -5, 5]], np.float32)
    weights, indices = many("moe_route", scores, k=2, normalize=normalize)
    same(indices, np.array([[1, 3], [0, 1], [3, 1]]))
    e = np.exp(scores.astype(np.float64))
    exact = np.take_along_axis(e / e.sum(1, keepdims=True), indices, 1)
    exact = exact / exact.sum(1, keepdims=True) if normalize else exact
    np.testing.assert_allclose(weights, exact, 1e-6)
    for k in (0, 5):
        refused("E1403", "moe_route", tensor("fp32", (3, 4)), k=k)


def test_dynamic_quantisation() -> None:
    rng = np.random.default_rng(12)
    for x in (rng.normal(size=(4, 30)), rng.random(50) + 1, -rng.random(50), np.zeros(3)):
        array = x.astype("f")
        found = many("dynamic_quantize", array)
        for value, expected in zip(
            found, onnx_op("DynamicQuantizeLinear", [array], 3), strict=True
        ):
            same(value, expected)
        y, step, zero = many("dynamic_quantize", array, to="int8")
        assert y.dtype == zero.dtype == np.int8
        back = (y.astype("f") - zero) * step
        assert np.abs(back - array).max() <= 0.51 * step
    kinds = types("dynamic_quantize", tensor("bf16", (3,)))
    assert kinds == ["uint8[3]", "fp32[]", "uint8[]"]
    empty = many("dynamic_quantize", np.zeros((0, 2), "f"))
    assert empty[1] == 1
    assert not math.isnan(float(empty[2]))
