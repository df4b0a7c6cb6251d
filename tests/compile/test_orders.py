"""Sorts, the k first and scans: axes, directions, types, ties, NaN, rows that no tile holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compile.checks import checked
from compile.single import module, one
from maiacc_passes.ir.errors import IRError

TARGETS = ("mini", "maia200")
TYPES = ("bf16", "fp16", "e4m3", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")


# ---- scans ----------------------------------------------------------------------------------
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("exclusive", [False, True])
def test_scans(exclusive: bool, reverse: bool, target: str) -> None:
    for shape, axis in (((3, 7, 5), 1), ((7, 3001), 1), ((2003, 12), 0)):
        graph = one("cumsum", ("fp32", shape), axis=axis, exclusive=exclusive, reverse=reverse)
        assert checked(graph, target, whole=True).same()


@pytest.mark.parametrize("dtype", TYPES)
def test_scanned_types(dtype: str) -> None:
    for name in ("cumsum", "cumprod"):
        if dtype.startswith("e"):
            continue
        graph = one(name, (dtype, (5, 6)), axis=1, reverse=name == "cumprod")
        assert checked(graph, whole=True).same()


@pytest.mark.parametrize("target", TARGETS)
def test_long_scans_of_real_numbers(target: str) -> None:
    # Running sums are in one order everywhere, so they have the same bits.
    assert checked(one("cumsum", ("fp32", (30011,)), axis=0), target).same()
    assert checked(one("cumsum", ("bf16", (200, 31)), axis=0), target).same()


# ---- sorts ----------------------------------------------------------------------------------
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((3, 7, 5), 1), ((40, 300), 1), ((1,), 0), ((5001,), 0), ((2, 4001, 3), 1)],
)
def test_sorts(shape: Sequence[int], axis: int, down: bool, target: str) -> None:
    assert checked(
        one("sort", ("fp32", shape), axis=axis, descending=down), target, whole=True
    ).same()


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_sorted_types(dtype: str, down: bool) -> None:
    for size in (9, 4001) if dtype in ("bf16", "uint16", "int64") else (9,):
        graph = one("sort", (dtype, (3, size)), axis=1, descending=down)
        assert checked(graph, whole=True).same()
        graph = one("topk", (dtype, (3, size)), axis=1, largest=down, k=7)
        assert checked(graph, whole=True).same()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis", "k"),
    [
        ((40, 300), 1, 5),
        ((3, 300, 7), 1, 100),
        ((3, 20001), 1, 64),
        ((2, 9001, 2), 1, 100),
        ((2, 5001), 1, 3000),
        ((3, 5), 1, 0),
        ((3, 5), 0, 3),
    ],
)
def test_the_first(shape: Sequence[int], axis: int, k: int, largest: bool, target: str) -> None:
    graph = one("topk", ("fp32", shape), axis=axis, k=k, largest=largest)
    assert checked(graph, target, whole=True).same()


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("sort", {}),
        ("sort", {"descending": True}),
        ("topk", {"k": 4}),
        ("topk", {"k": 4, "largest": False}),
    ],
)
def test_special_numbers(name: str, attrs: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    for size in (9, 9001):
        x = rng.standard_normal((4, size)).astype(np.float32)
        x[0, [3, 5]] = np.nan
        x[1] = -np.inf
        x[1, [2, size - 1]] = np.nan, np.inf
        x[2] = 0.0
        x[2, 3:] = -0.0
        case = checked(one(name, ("fp32", x.shape), axis=1, **attrs), inputs={"x0": x})
        assert case.same()


def test_only_places_or_only_values() -> None:
    for number in (0, 1):
        for size in (50, 9001):
            graph = module(
                [("fp32", (2, size))],
                lambda b, x, n=number: b.many("topk", b("neg", x), axis=1, k=3)[n],
            )
            assert checked(graph).same()


def test_rows_of_too_many_blocks() -> None:
    with pytest.raises(IRError, match=r"E1505: sort .* rows of more than"):
        checked(one("sort", ("fp32", (200_000,)), axis=0))
