"""Reductions and scans: against loops in Python, and onnxruntime."""

from __future__ import annotations

import functools
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import FLOATS, INTS, every, one, refused, runtime, same, types
from ir.test_vocabulary_movement import places
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.weights import Array

SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)
NAN, INF = math.nan, math.inf

#: What a reduction makes of exact numbers, in order.
STEPS: dict[str, Any] = {
    "rsum": lambda xs: sum(xs, 0),
    "rprod": lambda xs: functools.reduce(lambda a, b: a * b, xs, 1),
    "rsumsq": lambda xs: sum((x * x for x in xs), 0),
    "rmax": max,
    "rmin": min,
}


def wrapped(value: int, name: str) -> int:
    """An integer in a type of integers."""
    bits = ELEMENTS[name].bits
    value %= 1 << bits
    return value - (1 << bits) if ELEMENTS[name].kind == "int" and value >> (bits - 1) else value


def groups(x: Array, axes: tuple[int, ...]) -> dict[tuple[int, ...], list[Any]]:
    """The elements that go into each result that keeps its axes, in row-major order."""
    found: dict[tuple[int, ...], list[Any]] = {}
    for place in places(tuple(1 if i in axes else n for i, n in enumerate(x.shape))):
        found[place] = []
    for place in places(x.shape):
        to = tuple(0 if i in axes else index for i, index in enumerate(place))
        found[to].append(x[place].item() if x.dtype.kind != "V" else float(x[place]))
    return found


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_axes_of_every_kind(name: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    count = math.prod(shape)
    numbers = data.draw(st.lists(st.integers(-5, 5), min_size=count, max_size=count))
    x = np.array(numbers, np.float32).reshape(shape)
    axes = tuple(data.draw(st.permutations(range(len(shape)))))[: data.draw(st.integers(0, 3))]
    found = one(name, x, axes=axes, keep=True)
    for place, elements in groups(x, axes).items():
        nothing = {"rmax": -INF, "rmin": INF}.get(name)
        expected = nothing if nothing and not elements else STEPS[name](elements)
        assert found[place] == expected
    dropped = one(name, x, axes=axes, keep=False)
    same(dropped, found.reshape([n for i, n in enumerate(shape) if i not in axes]))


@pytest.mark.parametrize("dtype", INTS)
@pytest.mark.parametrize("name", STEPS)
def test_integers_wrap(name: str, dtype: str) -> None:
    x = every(dtype)
    x = x[: len(x) // 8 * 8].reshape(8, -1)[:, ::-1][:, :40]
    found = one(name, x, axes=(1,), keep=False)
    expected = [wrapped(STEPS[name]([int(v) for v in row]), dtype) for row in x]
    assert [int(v) for v in found] == expected


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS, "bool"])
def test_nothing_gives_the_identity(dtype: str) -> None:
    none = np.zeros((2, 0), ELEMENTS[dtype].numpy)
    numbers = every(dtype) if ELEMENTS[dtype].bits <= 16 else np.zeros(0)
    if ELEMENTS[dtype].bits <= 16:
        numbers = numbers.astype(np.float32)
        low, high = np.nanmin(numbers), np.nanmax(numbers)
    else:
        bits, signed = ELEMENTS[dtype].bits, ELEMENTS[dtype].kind == "int"
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        if ELEMENTS[dtype].is_float:
            low, high = -INF, INF
    for name, identity in (("rmax", low), ("rmin", high)):
        found = one(name, none, axes=(1,), keep=False)
        expected = np.array([identity, identity]).astype(ELEMENTS[dtype].numpy)
        same(found, expected)
    for name in ("rsum", "rprod", "rsumsq"):
        if dtype == "bool":
            refused("E1403", name, tensor("bool", (2, 0)), axes=(1,), keep=False)
        elif dtype != "e8m0" or name == "rprod":
            identity = 1 if name == "rprod" else 0
            assert one(name, none, axes=(1,), keep=True).tolist() == [[identity], [identity]]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS, "bool"])
def test_extremes_and_their_places(dtype: str) -> None:
    values = every(dtype)
    rng = np.random.default_rng(2)
    x = values[rng.integers(0, len(values), (60, 7))]
    with np.errstate(invalid="ignore"):
        numbers = x.astype(object if ELEMENTS[dtype].is_int else np.float64)
    for name, choose in (("max", max), ("min", min)):
        best = one(f"r{name}", x, axes=(1,), keep=False)
        first = one(f"arg{name}", x, axis=1, keep=False)
        last = one(f"arg{name}", x, axis=1, keep=True, last=True)
        for row, line in enumerate(numbers):
            nans = [i for i, v in enumerate(line) if v != v]
            target = choose(line) if not nans else NAN
            at = nans or [i for i, v in enumerate(line) if v == target]
            assert (first[row], last[row, 0]) == (at[0], at[-1])
            with np.errstate(invalid="ignore"):
                found = best[row : row + 1].astype(numbers.dtype)[0]
            np.testing.assert_equal(found, target)


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "fp64"])
def test_zeros_have_an_order(dtype: str) -> None:
    x = np.array([[0.0, -0.0, -0.0], [-0.0, 0.0, -0.0], [-0.0, -0.0, -0.0], [-1, 0.0, 1]])
    x = x.astype(ELEMENTS[dtype].numpy)
    largest = one("rmax", x, axes=(1,), keep=False).astype(np.float64)
    smallest = one("rmin", x, axes=(1,), keep=False).astype(np.float64)
    assert np.signbit(largest).tolist() == [False, False, True, False]
    assert np.signbit(smallest).tolist() == [True, True, True, True]
    assert largest.tolist() == [0, 0, 0, 1]


def test_narrow_floats_are_added_in_single_precision() -> None:
    x = np.array([256, 1, 1, 1], ml_dtypes.bfloat16)
    assert one("rsum", x, axes=(0,), keep=False) == 260
    assert one("cumsum", x, axis=0).astype(np.float32).tolist() == [256, 256, 258, 260]
    x = np.array([60000, 60000, -60000], np.float16)
    assert one("rsum", x, axes=(0,), keep=False) == 60000
    assert one("cumsum", x, axis=0).tolist() == [60000, INF, 60000]
    assert one("rsumsq", x[:1], axes=(0,), keep=False) == INF
    exact = one("rsum", np.array([1, 2.0**-40] * 2, np.float32), axes=(0,), keep=False, lift=True)
    assert exact == 2 + 2.0**-39


@pytest.mark.parametrize(
    ("values", "total", "product"),
    [([1, NAN], NAN, NAN), ([INF, 1], INF, INF), ([INF, -INF], NAN, -INF), ([INF, 0], INF, NAN),
     ([-0.0, -0.0], -0.0, 0.0)],
)  # fmt: skip
def test_special_numbers(values: list[float], total: float, product: float) -> None:
    x = np.array(values, np.float32)
    np.testing.assert_equal(one("rsum", x, axes=(0,), keep=False), np.float32(total))
    np.testing.assert_equal(one("rprod", x, axes=(0,), keep=False), np.float32(product))
    np.testing.assert_equal(one("cumprod", x, axis=0)[-1], np.float32(product))


def test_truth_values() -> None:
    x = np.array([[True, False], [True, True], [False, False]])
    assert one("rmax", x, axes=(1,), keep=False).tolist() == [True, True, False]
    assert one("rmin", x, axes=(1,), keep=False).tolist() == [False, True, False]


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("name", ["max", "min"])
def test_places_as_onnxruntime(name: str, last: int) -> None:
    x = np.random.default_rng(4).integers(-2, 3, (3, 9, 4)).astype(np.float32)
    attrs = {"axis": 1, "keepdims": 0, "select_last_index": last}
    expected = runtime(f"Arg{name.title()}", [x], [7], 13, **attrs)[0]
    same(one(f"arg{name}", x, axis=1, keep=False, last=bool(last)), expected)


# ---- scans ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["fp32", "int64", "int4", "uint8", "bf16", "fp64"])
def test_scans(name: str, exclusive: bool, reverse: bool, dtype: str) -> None:
    rng = np.random.default_rng(9)
    for shape, axis in (((3, 5, 2), 1), ((7,), 0), ((2, 0), 1), ((0, 3), 1), ((2, 3), 0)):
        x = rng.integers(0, 4, shape).astype(ELEMENTS[dtype].numpy)
        found = one(name, x, axis=axis, exclusive=exclusive, reverse=reverse)
        for place in places(shape):
            index = place[axis]
            before = range(index + 1, shape[axis]) if reverse else range(index)
            some = [*before] if exclusive else [*before, index]
            line = [int(x[(*place[:axis], i, *place[axis + 1 :])]) for i in some]
            expected = STEPS["rsum" if name == "cumsum" else "rprod"](line)
            if ELEMENTS[dtype].is_int:
                expected = wrapped(expected, dtype)
            assert found[place] == np.array(expected).astype(x.dtype)


def test_scans_as_onnxruntime() -> None:
    x = np.random.default_rng(6).integers(-9, 9, (4, 6)).astype(np.int64)
    for exclusive in (0, 1):
        for reverse in (0, 1):
            attrs = {"exclusive": exclusive, "reverse": reverse}
            expected = runtime("CumSum", [x, np.array(1)], [7], 14, **attrs)[0]
            found = one("cumsum", x, axis=1, exclusive=bool(exclusive), reverse=bool(reverse))
            same(found, expected)


# ---- types ----------------------------------------------------------------------------------
def test_bounds() -> None:
    x = tensor("fp32", (2, 4), (None, "n0"))
    assert types("rsum", x, axes=(0,), keep=True) == ["fp32[1, 4~n0]"]
    assert types("argmax", x, axis=0, keep=False) == ["int64[4~n0]"]
    assert types("cumsum", x, axis=1) == ["fp32[2, 4~n0]"]
    assert types("cumsum", x, axis=0, reverse=True) == ["fp32[2, 4~n0]"]
    for name in STEPS:
        assert "4~n0" in refused("E1403", name, x, axes=(0, 1), keep=True)
    assert "4~n0" in refused("E1403", "argmin", x, axis=1, keep=True)
    assert "4~n0" in refused("E1403", "cumprod", x, axis=1, reverse=True)


def test_refusals() -> None:
    x = tensor("fp32", (2, 0))
    refused("E1403", "rsum", x, axes=(2,), keep=True)
    refused("E1403", "rsum", x, axes=(-1,), keep=True)
    refused("E1403", "rsum", x, axes=(0, 0), keep=True)
    refused("E1403", "argmax", x, axis=1, keep=True)
    refused("E1403", "argmax", tensor("fp32"), axis=0, keep=True)
    refused("E1403", "cumsum", x, axis=2)
    refused("E1403", "cumsum", tensor("bool", (2,)), axis=0)
    refused("E1401", "rsum", x, axes=(0,))
    refused("E1402", "rsum", axes=(), keep=True)


def test_no_axes() -> None:
    scalar = np.float32(3)
    for name in STEPS:
        expected = 9 if name == "rsumsq" else 3
        assert one(name, scalar, axes=(), keep=False) == expected
