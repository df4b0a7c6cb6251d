"""Sorting, the k best, and elements that meet others in memory."""

from __future__ import annotations

import math
from functools import cmp_to_key

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_sim.arith.combining import combine
from maiacc_sim.arith.convert import container, from_float32
from maiacc_sim.arith.ordering import sort_rows, topk_rows
from sim.arith_oracle import NAN, Codes, add32, bits32, draw, edges, mul32, value

TYPES = [
    "fp32",
    "bf16",
    "fp16",
    *(t.name for t in load().dtypes.values() if t.is_int and t.bits > 4),
]


def compare(x: float, y: float) -> int:
    """-1, 0 or 1; NaN is above everything else, and equal to NaN."""
    above = [isinstance(v, float) and math.isnan(v) for v in (x, y)]
    if any(above):
        return above[0] - above[1]
    return (x > y) - (x < y)


def rows_of(dtype: str) -> Codes:
    rng = np.random.default_rng(1)
    codes = draw(rng, dtype, (30, 40))
    # Few different values: ties everywhere.
    codes[:10] = rng.choice(codes[0, :6], (10, 40))
    if load().dtypes[dtype].is_float:
        special = from_float32(edges().view(np.float32), dtype)
        codes[10:20] = rng.choice(special, (10, 40))
        zero_and_nan = np.array([0.0, -0.0, math.nan, math.inf], np.float32)
        codes[20:25] = rng.choice(from_float32(zero_and_nan, dtype), (5, 40))
    return codes


def order(row: list[int], dtype: str, descending: bool) -> list[int]:
    """Positions in order: Python's sort is stable."""
    values = [value(code, dtype) for code in row]
    sign = -1 if descending else 1

    def before(i: int, j: int) -> int:
        return sign * compare(values[i], values[j])

    return sorted(range(len(row)), key=cmp_to_key(before))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_sort(dtype: str, descending: bool) -> None:
    codes = rows_of(dtype)
    want = [order(row, dtype, descending) for row in codes.tolist()]
    assert sort_rows(codes, dtype, descending).tolist() == want


@pytest.mark.parametrize("least", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_the_k_best(dtype: str, least: bool) -> None:
    codes = rows_of(dtype)
    for k in (1, 3, 40):
        want = [order(row, dtype, not least)[:k] for row in codes.tolist()]
        assert topk_rows(codes, dtype, k, least).tolist() == want


def test_every_nan_and_both_zeros_are_equal() -> None:
    codes = np.array([[0xFFC00000, 0x7F800000, 0x7FC00001, 0x80000000, 0, 0xFF800001]], np.uint32)
    assert sort_rows(codes, "fp32", False).tolist() == [[3, 4, 1, 0, 2, 5]]
    assert sort_rows(codes, "fp32", True).tolist() == [[0, 2, 5, 1, 3, 4]]


def test_rows_without_elements() -> None:
    assert sort_rows(np.zeros((2, 0), np.uint32), "fp32", True).shape == (2, 0)
    assert sort_rows(np.zeros((0, 5), np.uint8), "int8", False).shape == (0, 5)


def held(x: int, dtype: str) -> int:
    return x & (1 << load().dtypes[dtype].bits) - 1


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_integers_meet(dtype: str) -> None:
    rng = np.random.default_rng(2)
    t = load().dtypes[dtype]
    ends = np.array([0, 1, t.high, t.high + 1, 2 * t.high + 1], container(dtype))
    old = np.concatenate([draw(rng, dtype, (50,)), np.repeat(ends, 5)])
    new = np.concatenate([draw(rng, dtype, (50,)), np.tile(ends, 5)])
    pairs = [
        (int(value(x, dtype)), int(value(y, dtype)))
        for x, y in zip(old.tolist(), new.tolist(), strict=True)
    ]
    for op, want in {
        "set": [y for _, y in pairs],
        "add": [x + y for x, y in pairs],
        "mul": [x * y for x, y in pairs],
        "min": [min(pair) for pair in pairs],
        "max": [max(pair) for pair in pairs],
    }.items():
        assert combine(op, old, new, dtype).tolist() == [held(x, dtype) for x in want]


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_floats_meet_in_fp32_and_round_once(dtype: str) -> None:
    some = from_float32(edges().view(np.float32), dtype)
    old, new = (grid.reshape(-1) for grid in np.meshgrid(some, some))
    pairs = [
        (float(value(x, dtype)), float(value(y, dtype)))
        for x, y in zip(old.tolist(), new.tolist(), strict=True)
    ]
    for op, rule in {"add": add32, "mul": mul32}.items():
        want = np.array([bits32(rule(x, y)) for x, y in pairs], np.uint32).view(np.float32)
        assert np.array_equal(combine(op, old, new, dtype), from_float32(want, dtype))
    assert np.array_equal(combine("set", old, new, dtype), new)


def test_zeros_and_nan_that_meet() -> None:
    old = np.array([0, 0x80000000, 0xFFC00001, 0x3F800000], np.uint32)
    new = np.array([0x80000000, 0, 0x3F800000, 0xFF800001], np.uint32)
    assert combine("min", old, new, "fp32").tolist() == [0x80000000, 0x80000000, NAN, NAN]
    assert combine("max", old, new, "fp32").tolist() == [0, 0, NAN, NAN]
    assert combine("set", old, new, "fp32").tolist() == new.tolist()
    assert combine("add", old, new, "fp32").tolist() == [0, 0, NAN, NAN]


def test_the_operations_are_those_of_the_rows() -> None:
    one = np.array([1], np.uint32)
    for label in load().enums["combine"].labels:
        assert combine(label.name, one, one, "int32").tolist() in ([1], [2])
