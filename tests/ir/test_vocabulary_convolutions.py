"""Convolutions against plain loops and onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from ir.reference import onnx_op
from ir.rows import many, one, refused, same, types
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.vocabulary import products
from maiacc_passes.ir.weights import Array

Ints = Sequence[int]


def indices(extents: Ints) -> list[tuple[int, ...]]:
    return list(product(*(range(extent) for extent in extents)))


def convolution(x: Array, w: Array, attrs: dict[str, Any], transposed: bool = False) -> Array:
    """The definition, element by element. A transposed one adds where the other one reads."""
    rank, groups = x.ndim - 2, attrs["groups"]
    strides, dilations, pads = attrs["strides"], attrs["dilations"], attrs["pads"]
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    both = [pads[i] + pads[rank + i] for i in range(rank)]
    if transposed:
        extras = attrs["out_pads"]
        extents = [
            (x.shape[2 + i] - 1) * strides[i] + spans[i] + extras[i] - both[i] for i in range(rank)
        ]
        outputs = w.shape[1] * groups
    else:
        extents = [(x.shape[2 + i] + both[i] - spans[i]) // strides[i] + 1 for i in range(rank)]
        outputs = w.shape[0]
    found = np.zeros((x.shape[0], outputs, *extents), np.float64)
    each_in, each_out = x.shape[1] // groups, outputs // groups
    large, small = (found.shape[2:], x.shape[2:]) if transposed else (x.shape[2:], extents)
    for cell, tap in product(indices(small), indices(w.shape[2:])):
        at = tuple(cell[i] * strides[i] + tap[i] * dilations[i] - pads[i] for i in range(rank))
        if not all(0 <= a < n for a, n in zip(at, large, strict=True)):
            continue
        for n, g, c, o in indices((x.shape[0], groups, each_in, each_out)):
            into, out_of = g * each_out + o, g * each_in + c
            if transposed:
                found[(n, into, *at)] += float(x[(n, out_of, *cell)]) * float(w[(out_of, o, *tap)])
            else:
                found[(n, into, *cell)] += float(x[(n, out_of, *at)]) * float(w[(into, c, *tap)])
    return found


def case(shape: Ints, kernel: Ints, groups: int = 1, **attrs: Any) -> Any:
    rank = len(shape) - 2
    full = {"strides": (1,) * rank, "pads": (0,) * 2 * rank, "dilations": (1,) * rank}
    return tuple(shape), tuple(kernel), {**full, **attrs, "groups": groups}


CASES = [
    case((1, 2, 5), (3, 2, 3)),
    case((2, 2, 9), (3, 2, 3), strides=(2,), pads=(2, 1), dilations=(2,)),
    case((1, 3, 5, 6), (4, 3, 3, 2)),
    case((2, 3, 5, 6), (4, 3, 1, 1)),
    case((2, 3, 5, 6), (4, 3, 1, 1), strides=(2, 3), pads=(1, 0, 2, 1)),
    case((2, 2, 6, 5), (2, 2, 3, 3), strides=(2, 1), pads=(1, 2, 0, 1)),
    case((1, 2, 7, 8), (2, 2, 2, 3), dilations=(3, 2), pads=(1, 1, 1, 1)),
    case((2, 4, 5, 5), (6, 2, 3, 3), 2, pads=(1, 1, 1, 1)),
    case((1, 6, 4, 4), (6, 2, 2, 2), 3),
    case((2, 3, 6, 6), (3, 1, 3, 3), 3, strides=(2, 2), pads=(1, 1, 1, 1)),
    case((1, 2, 6, 7), (2, 1, 2, 2), 2, dilations=(2, 3)),
    case((1, 2, 5, 5), (6, 1, 3, 3), 2),
    case((1, 2, 3, 4, 3), (2, 2, 2, 2, 2), pads=(0, 1, 0, 1, 0, 1), strides=(1, 2, 1)),
    case((1, 2, 3, 3), (2, 2, 5, 5), pads=(1, 1, 1, 1)),
    case((0, 2, 3, 3), (2, 2, 2, 2)),
    case((1, 0, 3, 3), (2, 0, 2, 2)),
]


def numbers(shape: Ints, dtype: str, seed: int) -> Array:
    low = 0 if ELEMENTS[dtype].kind == "uint" else -3
    return np.random.default_rng(seed).integers(low, 4, shape).astype(ELEMENTS[dtype].numpy)


@pytest.mark.parametrize(("shape", "kernel", "attrs"), CASES)
@pytest.mark.parametrize("dtype", ["fp32", "fp64", "int32", "int8"])
def test_a_convolution_is_its_definition(shape: Ints, kernel: Ints, attrs: Any, dtype: str) -> None:
    x, w = numbers(shape, dtype, 0), numbers(kernel, dtype, 1)
    bias = numbers(kernel[:1], dtype, 2)
    exact = convolution(x, w, attrs)
    exact = exact + bias.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2))
    same(one("conv", x, w, bias, **attrs), exact.astype(np.int64).astype(x.dtype))


@pytest.mark.parametrize(("shape", "kernel", "attrs"), CASES)
@pytest.mark.parametrize("scratch", [1, 400])
def test_pieces_give_the_whole(
    shape: Ints, kernel: Ints, attrs: Any, scratch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, w = numbers(shape, "fp32", 3), numbers(kernel, "fp32", 4)
    expected = one("conv", x, w, **attrs)
    monkeypatch.setattr(products, "SCRATCH", scratch)
    monkeypatch.setattr(products, "PLANES", 1)
    same(one("conv", x, w, **attrs), expected)


@pytest.mark.parametrize(
    ("left", "right"), [("uint8", "int8"), ("int8", "uint8"), ("uint8", "uint8")]
)
def test_bytes_are_convolved_in_int32(left: str, right: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 256, (1, 40, 5, 5)).astype(left)
    for groups, w in ((1, (3, 40, 3, 3)), (40, (40, 1, 3, 3))):
        kernel = rng.integers(0, 256, w).astype(right)
        attrs = case(x.shape, w, groups, pads=(1, 1, 1, 1))[2]
        exact = convolution(x, kernel, attrs)
        same(one("conv", x, kernel, to="int32", **attrs), exact.astype(np.int32))


TRANSPOSED = [
    case((1, 2, 4), (2, 3, 3), strides=(2,), out_pads=(1,)),
    case((2, 3, 4, 3), (3, 2, 3, 3), out_pads=(0, 0)),
    case((1, 3, 4, 3), (3, 2, 3, 2), strides=(2, 3), pads=(1, 0, 2, 1), out_pads=(1, 2)),
    case((1, 4, 3, 3), (4, 3, 2, 2), 2, dilations=(2, 3), out_pads=(0, 0)),
    case((1, 3, 3, 3), (3, 1, 3, 3), 3, strides=(2, 2), pads=(1, 1, 1, 1), out_pads=(1, 1)),
    case((1, 2, 3, 3), (2, 2, 1, 1), strides=(3, 3), out_pads=(0, 0)),
    case((1, 2, 2, 3, 2), (2, 1, 2, 2, 2), strides=(1, 2, 1), out_pads=(0, 0, 0)),
    case((0, 2, 3), (2, 1, 2), out_pads=(0,)),
    case((1, 0, 3), (0, 2, 2), out_pads=(0,)),
]


@pytest.mark.parametrize(("shape", "kernel", "attrs"), TRANSPOSED)
@pytest.mark.parametrize("dtype", ["fp32", "int32", "int8"])
def test_a_transposed_convolution_is_its_definition(
    shape: Ints, kernel: Ints, attrs: Any, dtype: str
) -> None:
    x, w = numbers(shape, dtype, 6), numbers(kernel, dtype, 7)
    bias = numbers((kernel[1] * attrs["groups"],), dtype, 8)
    exact = convolution(x, w, attrs, transposed=True)
    exact = exact + bias.astype(np.float64).reshape(-1, *[1] * (x.ndim - 2))
    same(one("conv_transpose", x, w, bias, **attrs), exact.astype(np.int64).astype(x.dtype))


@pytest.mark.parametrize("name", ["conv", "conv_transpose"])
def test_onnxruntime_agrees(name: str) -> None:
    rng = np.random.default_rng(9)
    for shape, kernel, attrs in CASES if name == "conv" else TRANSPOSED:
        if 0 in shape:
            continue
        x, w = rng.normal(size=shape).astype("f"), rng.normal(size=kernel).astype("f")
        outputs = kernel[0] if name == "conv" else kernel[1] * attrs["groups"]
        bias = rng.normal(size=outputs).astype("f")
        given = {k: v for k, v in attrs.items() if k not in ("groups", "out_pads")}
        given |= {"output_padding": attrs["out_pads"]} if "out_pads" in attrs else {}
        operator = "Conv" if name == "conv" else "ConvTranspose"
        (expected,) = onnx_op(operator, [x, w, bias], group=attrs["groups"], **given)
        np.testing.assert_allclose(one(name, x, w, bias, **attrs), expected, 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
@pytest.mark.parametrize("groups", [1, 4])
def test_narrow_floats_are_rounded_once(dtype: str, groups: int) -> None:
    rng, element = np.random.default_rng(10), ELEMENTS[dtype]
    x = rng.normal(size=(1, 4, 6, 6)).astype(element.numpy)
    w = rng.normal(size=(4, 4 // groups, 3, 3)).astype(element.numpy)
    bias = rng.normal(size=4).astype("f")
    attrs = case(x.shape, w.shape, groups)[2]
    (lifted,) = many("conv", x, w, bias, lift=True, **attrs)
    exact = convolution(x, w, attrs) + bias.astype(np.float64).reshape(-1, 1, 1)
    np.testing.assert_allclose(lifted, exact, 1e-12)
    found = one("conv", x, w, bias, **attrs).astype(np.float64)
    np.testing.assert_allclose(found, exact, 0.51 * 2.0 ** (-7 if dtype == "bf16" else -10))
    wide = one("conv", x, w, bias, to="fp32", **attrs)
    np.testing.assert_allclose(wide, exact, 1e-5, 1e-5)


def test_a_bounded_batch_stays() -> None:
    attrs = case((1, 1, 1, 1), (), out_pads=(0, 0))[2]
    x, w = tensor("fp32", (9, 2, 4, 4), ("n1", None, None, None)), tensor("fp32", (2, 2, 3, 3))
    plain = {k: v for k, v in attrs.items() if k != "out_pads"}
    assert types("conv", x, w, **plain) == ["fp32[9~n1, 2, 2, 2]"]
    assert types("conv_transpose", x, w, **attrs) == ["fp32[9~n1, 2, 6, 6]"]
    x = tensor("fp32", (9, 2, 4, 4), (None, None, None, "n1"))
    refused("E1403", "conv", x, w, **plain)
    refused("E1403", "conv_transpose", x, w, **attrs)


def test_what_does_not_fit_is_refused() -> None:
    x, w = tensor("fp32", (1, 4, 5, 5)), tensor("fp32", (6, 4, 3, 3))
    good = case(x.shape, w.shape)[2]
    for name, value in (
        ("strides", (0, 1)),
        ("strides", (1,)),
        ("pads", (1, 1)),
        ("dilations", (1, 0)),
    ):
        refused("E1401", "conv", x, w, **{**good, name: value})
    refused("E1401", "conv", x, w, **{**good, "pads": (-1, 0, 0, 0)})
    for groups in (0, 3, -1):
        refused("E1401", "conv", x, w, **{**good, "groups": groups})
    refused("E1403", "conv", x, w, **{**good, "groups": 2})
    refused("E1403", "conv", x, tensor("fp32", (6, 4, 7, 3)), **good)
    refused("E1403", "conv", x, tensor("fp32", (6, 4, 0, 3)), **good)
    refused("E1403", "conv", x, tensor("fp32", (6, 4, 3)), **good)
    refused("E1403", "conv", x, tensor("fp16", (6, 4, 3, 3)), **good)
    refused("E1403", "conv", x, w, tensor("fp32", (4,)), **good)
    refused("E1403", "conv", tensor("fp32", (1, 4)), tensor("fp32", (6, 4)), **case((1, 4), ())[2])
    back = {**good, "out_pads": (0, 0)}
    refused("E1403", "conv_transpose", x, w, **back)
    refused(
        "E1401", "conv_transpose", x, tensor("fp32", (4, 6, 3, 3)), **{**back, "out_pads": (0, -1)}
    )
    refused(
        "E1403", "conv_transpose", x, tensor("fp32", (4, 6, 3, 3)), **{**back, "pads": (4, 0, 4, 0)}
    )
