"""Windows over planes against plain loops and onnxruntime."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest

from ir.reference import onnx_op
from ir.rows import many, one, refused, same, types
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.weights import Array

Ints = Sequence[int]


def case(shape: Ints, kernel: Ints, **attrs: Any) -> Any:
    rank = len(kernel)
    full = {"strides": (1,) * rank, "pads": (0,) * 2 * rank, "dilations": (1,) * rank, **attrs}
    if "sizes" not in full:
        full["sizes"] = tuple(
            (n + full["pads"][i] + full["pads"][rank + i] - (k - 1) * full["dilations"][i] - 1)
            // full["strides"][i]
            + 1
            for i, (n, k) in enumerate(zip(shape[2:], kernel, strict=True))
        )
    return tuple(shape), {"kernel": tuple(kernel), **full}


CASES = [
    case((1, 2, 6), (3,)),
    case((2, 1, 9), (2,), strides=(3,), pads=(1, 0), dilations=(2,)),
    case((2, 2, 5, 6), (2, 3)),
    case((1, 2, 7, 6), (3, 2), strides=(2, 1), pads=(1, 1, 0, 1)),
    case((1, 1, 6, 7), (2, 3), dilations=(3, 2), pads=(1, 2, 1, 0)),
    case((1, 1, 5, 5), (2, 2), strides=(2, 2), sizes=(3, 3)),
    case((1, 1, 5, 5), (3, 3), strides=(2, 2), pads=(1, 1, 0, 0), sizes=(4, 3)),
    case((1, 2, 4, 5), (4, 5)),
    case((1, 1, 3, 4, 3), (2, 2, 2), strides=(1, 2, 1), pads=(0, 0, 1, 1, 0, 0)),
    case((0, 2, 4, 4), (2, 2)),
    case((1, 2, 4, 4), (2, 2), sizes=(0, 2)),
]


def windows(
    shape: Ints, attrs: Any
) -> Iterator[tuple[tuple[int, ...], list[tuple[int, ...]], int]]:
    """For each window its place, the cells in it, and how many cells it has with the padding."""
    rank, pads = len(attrs["kernel"]), attrs["pads"]
    for place in product(*map(range, attrs["sizes"])):
        cells, padded = [], 0
        for tap in product(*map(range, attrs["kernel"])):
            at = tuple(
                place[i] * attrs["strides"][i] + tap[i] * attrs["dilations"][i] - pads[i]
                for i in range(rank)
            )
            if all(0 <= a < n for a, n in zip(at, shape[2:], strict=True)):
                cells.append(at)
            padded += all(-pads[i] <= a < shape[2 + i] + pads[rank + i] for i, a in enumerate(at))
        yield place, cells, padded


def pooled(x: Array, attrs: Any, count_pad: bool = False) -> dict[str, Array]:
    """The definitions of all pools, element by element."""
    shape = (*x.shape[:2], *attrs["sizes"])
    found = {n: np.zeros(shape) for n in ("max", "sum", "avg")}
    found["where"] = np.full(shape, -1, np.int64)
    for place, cells, padded in windows(x.shape, attrs):
        for n, c in product(*map(range, x.shape[:2])):
            values = [float(x[(n, c, *cell)]) for cell in cells]
            keys = [(math.inf, 1) if math.isnan(v) else (v, 0) for v in values]
            at, divisor = (n, c, *place), padded if count_pad else len(cells)
            found["max"][at] = values[keys.index(max(keys))] if keys else -math.inf
            found["sum"][at] = sum(values)
            found["avg"][at] = sum(values) / divisor if divisor else math.nan
            if keys:
                best = cells[keys.index(max(keys))]
                found["where"][at] = np.ravel_multi_index(best, x.shape[2:])
    return found


def floats(shape: Ints, seed: int) -> Array:
    """Small integers with many ties, NaN and infinities."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, shape).astype("f")
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.1] = -np.inf
    x[rng.random(x.shape) < 0.05] = np.inf
    return x


@pytest.mark.parametrize(("shape", "attrs"), CASES)
def test_pools_of_floats_are_their_definitions(shape: Ints, attrs: Any) -> None:
    for x in (floats(shape, 0), np.full(shape, -np.inf, "f"), np.full(shape, np.nan, "f")):
        expected = pooled(x, attrs)
        same(one("pool_max", x, **attrs), expected["max"].astype("f"))
        values, where = many("pool_argmax", x, **attrs)
        same(values, expected["max"].astype("f"))
        same(where, expected["where"])
        same(one("pool_sum", x, **attrs), expected["sum"].astype("f"))
        for count_pad in (False, True):
            expected = pooled(x, attrs, count_pad)
            found = one("pool_avg", x, count_pad=count_pad, **attrs)
            same(found, expected["avg"].astype("f"))


@pytest.mark.parametrize("dtype", [n for n in ELEMENTS if n not in ("bool", "e8m0")])
def test_each_element_type_is_pooled(dtype: str) -> None:
    shape, attrs = CASES[3]
    element, rng = ELEMENTS[dtype], np.random.default_rng(1)
    low = 0 if element.kind == "uint" else -1
    x = rng.integers(low, 2, shape).astype(element.numpy)
    expected = pooled(x.astype(np.float64), attrs)
    same(one("pool_max", x, **attrs), expected["max"].astype(element.numpy))
    values, where = many("pool_argmax", x, **attrs)
    same(values, expected["max"].astype(element.numpy))
    same(where, expected["where"])
    same(one("pool_sum", x, **attrs), expected["sum"].astype(element.numpy))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int64", "uint64"])
def test_sums_of_integers_wrap(dtype: str) -> None:
    limits = np.iinfo(dtype)
    x = np.full((1, 1, 4), limits.max, dtype)
    attrs = case(x.shape, (3,))[1]
    same(one("pool_sum", x, **attrs), np.stack([x[..., :2] * np.array(3, dtype)])[0])
    x[...] = limits.min
    same(one("pool_max", x, **attrs), x[..., :2])
    same(many("pool_argmax", x, **attrs)[1], np.array([[[0, 1]]]))


def test_windows_of_no_cell() -> None:
    x = np.ones((1, 1, 2), np.int8)
    attrs = case(x.shape, (2,), pads=(2, 2), strides=(2,))[1]
    same(one("pool_max", x, **attrs), np.array([[[-128, 1, -128]]], np.int8))
    values, where = many("pool_argmax", x, **attrs)
    same(values, np.array([[[-128, 1, -128]]], np.int8))
    same(where, np.array([[[-1, 0, -1]]]))
    same(one("pool_sum", x, **attrs), np.array([[[0, 2, 0]]], np.int8))
    y = x.astype(np.float32)
    same(one("pool_avg", y, **attrs), np.array([[[np.nan, 1, np.nan]]], np.float32))
    same(one("pool_avg", y, count_pad=True, **attrs), np.array([[[0, 1, 0]]], np.float32))


@pytest.mark.parametrize(("dtype", "value"), [("e4m3", -448), ("int4", -8), ("uint4", 0)])
def test_the_lowest_value_of_odd_types(dtype: str, value: int) -> None:
    x = np.ones((1, 1, 2), ELEMENTS[dtype].numpy)
    attrs = case(x.shape, (2,), pads=(2, 2), strides=(2,))[1]
    expected = np.array([[[value, 1, value]]]).astype(x.dtype)
    same(one("pool_max", x, **attrs), expected)
    same(many("pool_argmax", x, **attrs)[0], expected)


def test_means_of_narrow_floats_are_rounded_once() -> None:
    x = np.full((1, 1, 4096), 1, np.float16)
    x[0, 0, 0] = 3
    attrs = case(x.shape, (4096,))[1]
    exact = 4098 / 4096
    same(one("pool_avg", x, **attrs), np.array([[[exact]]], np.float16))
    (lifted,) = many("pool_avg", x, lift=True, **attrs)
    same(lifted, np.array([[[exact]]]))


@pytest.mark.parametrize("name", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("ceil", [0, 1])
def test_onnxruntime_agrees(name: str, ceil: int) -> None:
    rng = np.random.default_rng(2)
    for shape, kernel, strides, pads in (
        ((1, 2, 9), (3,), (2,), (1, 1)),
        ((2, 3, 8, 7), (3, 2), (2, 2), (1, 0, 1, 1)),
        ((1, 2, 5, 6, 4), (2, 3, 2), (2, 2, 1), (1, 1, 0, 0, 1, 1)),
    ):
        x = rng.permutation(math.prod(shape)).reshape(shape).astype("f")
        given: dict[str, Any] = {
            "kernel_shape": kernel,
            "strides": strides,
            "pads": pads,
            "ceil_mode": ceil,
        }
        if name == "MaxPool":
            expected, flat = onnx_op(name, [x], 2, opset=19, **given)
            attrs = case(shape, kernel, strides=strides, pads=pads, sizes=expected.shape[2:])[1]
            values, where = many("pool_argmax", x, **attrs)
            planes = np.arange(math.prod(shape[:2])).reshape(*shape[:2], *[1] * len(kernel))
            same(values, expected)
            same(where + planes * math.prod(shape[2:]), flat)
            same(one("pool_max", x, **attrs), expected)
            continue
        for count_pad in (False, True):
            (expected,) = onnx_op(name, [x], opset=19, count_include_pad=int(count_pad), **given)
            attrs = case(shape, kernel, strides=strides, pads=pads, sizes=expected.shape[2:])[1]
            found = one("pool_avg", x, count_pad=count_pad, **attrs)
            np.testing.assert_allclose(found, expected, 1e-6)


def test_types() -> None:
    x = tensor("int8", (7, 2, 6, 6), ("n0", None, None, None))
    attrs = case(x.shape, (3, 3))[1]
    assert types("pool_max", x, **attrs) == ["int8[7~n0, 2, 4, 4]"]
    assert types("pool_argmax", x, **attrs) == ["int8[7~n0, 2, 4, 4]", "int64[7~n0, 2, 4, 4]"]
    refused("E1403", "pool_avg", x, **attrs)
    refused("E1403", "pool_max", tensor("bool", (1, 2, 6, 6)), **attrs)
    refused("E1401", "pool_max", tensor("int8", (1, 2, 6)), **attrs)
    refused("E1403", "pool_max", tensor("fp32", (2, 2)), **case((2, 2), ())[1])
    bounded = tensor("fp32", (1, 2, 6, 6), (None, None, None, "n0"))
    refused("E1403", "pool_sum", bounded, **attrs)
    for name, value in (
        ("kernel", (3,)), ("kernel", (3, 0)), ("strides", (0, 1)), ("pads", (0, 0)), ("sizes", (-1, 2)),
        ("pads", (0, 0, 0, -1)), ("dilations", (1, 0)),
    ):  # fmt: skip
        refused("E1401", "pool_max", x, **{**attrs, name: value})
