"""Sorting, and what is as long as the data say: against Python's own sort, loops and onnxruntime."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import FLOATS, INTS, every, many, raw, refused, runtime, same, types
from ir.test_vocabulary_movement import places
from maiacc_passes.ir.types import tensor
from maiacc_passes.ir.weights import Array

TYPES = [*FLOATS, *INTS, "bool"]


def below(a: Any, b: Any) -> int:
    """The order of elements: NaN above all and equal to itself."""
    if a != a or b != b:
        return int(a != a) - int(b != b)
    return int(a > b) - int(a < b)


def ordered(line: list[Any], descending: bool) -> list[int]:
    """Indices in the order of the elements, of equals the lower one first."""
    sign = -1 if descending else 1

    def compare(i: int, j: int) -> int:
        return sign * below(line[i], line[j])

    return sorted(range(len(line)), key=functools.cmp_to_key(compare))


def numbers(x: Array) -> list[Any]:
    return [int(v) if v.dtype.kind in "iu" else float(v) for v in x]


def picked(name: str, count: int, seed: int = 8) -> Array:
    values = every(name)
    found: Array = values[np.random.default_rng(seed).integers(0, len(values), count)]
    return found


# ---- sort, topk -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("descending", [False, True])
def test_every_type_is_sorted(name: str, descending: bool) -> None:
    x = picked(name, 300)
    x = np.concatenate([x, x[::-1]])
    order = ordered(numbers(x), descending)
    values, indices = many("sort", x, axis=0, descending=descending)
    assert indices.tolist() == order
    assert raw(values) == raw(x[order])
    top, places_ = many("topk", x, axis=0, k=17, largest=descending)
    assert places_.tolist() == order[:17]
    assert raw(top) == raw(x[order[:17]])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([-math.inf, -1.0, -0.0, 0.0, 1.0, math.inf, math.nan]), max_size=8),
    st.booleans(),
)
def test_special_numbers_are_sorted(line: list[float], descending: bool) -> None:
    x = np.array([line, line[::-1]], np.float32)
    order = [ordered(row, descending) for row in (line, line[::-1])]
    values, indices = many("sort", x, axis=1, descending=descending)
    assert indices.tolist() == order
    assert raw(values) == raw(np.take_along_axis(x, np.array(order, np.int64).reshape(x.shape), 1))


@pytest.mark.parametrize("largest", [0, 1])
def test_topk_as_onnxruntime(largest: int) -> None:
    x = np.random.default_rng(5).integers(-3, 4, (3, 8, 5)).astype(np.float32)
    arrays = [x, np.array([4])]
    expected = runtime("TopK", arrays, [1, 7], 11, axis=1, largest=largest)
    for found, wanted in zip(
        many("topk", x, axis=1, k=4, largest=bool(largest)), expected, strict=True
    ):
        same(found, wanted)


def test_no_elements_to_sort() -> None:
    none = np.zeros((0, 3), np.float32)
    assert [a.shape for a in many("sort", none, axis=0)] == [(0, 3), (0, 3)]
    assert [a.shape for a in many("topk", none, axis=1, k=2)] == [(0, 2), (0, 2)]
    assert [a.shape for a in many("topk", none, axis=0, k=0)] == [(0, 3), (0, 3)]


# ---- nonzero, compact -----------------------------------------------------------------------
@pytest.mark.parametrize("name", TYPES)
def test_nonzero(name: str) -> None:
    x = picked(name, 60).reshape(3, 4, 5)
    x[0, 0, 0] = np.zeros((), x.dtype)
    expected = [p for p in places(x.shape) if float(x[p]) != 0]
    found, count = many("nonzero", x, symbol="n0")
    assert count == len(expected)
    assert found[:, :count].T.tolist() == [list(p) for p in expected]
    assert not found[:, count:].any()


def test_nonzero_of_odd_shapes() -> None:
    for x, places_ in ((np.float32(3), [[]]), (np.float32(0), []), (np.zeros((2, 0)), [])):
        found, count = many("nonzero", x, symbol="n0")
        assert count == len(places_)
        assert found.shape == (np.ndim(x), np.size(x))
    x = np.array([-0.0, math.nan, -math.inf, 1e-45], np.float32)
    assert many("nonzero", x, symbol="n0")[0].tolist() == [[1, 2, 3, 0]]
    # What is too small for the type it is computed in must not vanish.
    assert many("nonzero", np.array([5e-324]), symbol="n0")[1] == 1


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("axis", [0, 1])
def test_compact(name: str, axis: int) -> None:
    x = picked(name, 24).reshape(4, 6)
    keep = np.array([True, False, True, True][: 4 - axis])
    found, count = many("compact", x, keep, axis=axis, symbol="n0")
    chosen = [i for i, wanted in enumerate(keep) if wanted]
    assert count == len(chosen)
    lines = x if axis == 0 else x.T
    back = found if axis == 0 else found.T
    assert len(back) == len(keep)
    for line, index in zip(back, chosen, strict=False):
        assert raw(line) == raw(lines[index])
    assert set(raw(back[count:])) <= {0}


# ---- unique ---------------------------------------------------------------------------------
def groups(lines: list[tuple[Any, ...]], by_value: bool) -> list[list[int]]:
    """The indices of equal lines, in the order of the lines, or of the first of each."""

    def compare(a: list[int], b: list[int]) -> int:
        signs = (below(x, y) for x, y in zip(lines[a[0]], lines[b[0]], strict=True))
        return next((sign for sign in signs if sign), 0)

    found: list[list[int]] = []
    for index in range(len(lines)):
        same_ = [g for g in found if compare(g, [index]) == 0]
        if same_:
            same_[0].append(index)
        else:
            found.append([index])
    return sorted(found, key=functools.cmp_to_key(compare)) if by_value else found


def check_unique(x: Array, axis: int, by_value: bool) -> None:
    lines = x.reshape(-1, 1) if axis == -1 else np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1 if x.size else 0)  # fmt: skip
    wanted = groups([tuple(numbers(line)) for line in lines], by_value)
    values, first, inverse, counts, count = many(
        "unique", x, axis=axis, sorted=by_value, symbol="n0"
    )
    assert count == len(wanted)
    assert first[:count].tolist() == [g[0] for g in wanted]
    assert counts[:count].tolist() == [len(g) for g in wanted]
    assert not first[count:].any()
    assert not counts[count:].any()
    for number, group in enumerate(wanted):
        assert inverse[group].tolist() == [number] * len(group)
    found = values.reshape(-1, 1) if axis == -1 else np.moveaxis(values, axis, 0).reshape(lines.shape)  # fmt: skip
    assert raw(found[:count]) == raw(lines[[g[0] for g in wanted]])
    assert set(raw(found[count:])) <= {0}


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("by_value", [False, True])
def test_unique_elements(name: str, by_value: bool) -> None:
    values = picked(name, 9)
    check_unique(values[np.random.default_rng(1).integers(0, 9, (5, 6))], -1, by_value)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 5), st.integers(0, 3), st.integers(0, 1), st.booleans(), st.data())
def test_unique_slices(n: int, m: int, axis: int, by_value: bool, data: st.DataObject) -> None:
    some = st.sampled_from([-1.0, -0.0, 0.0, math.nan])
    x = np.array(data.draw(st.lists(some, min_size=n * m, max_size=n * m)), np.float32)
    check_unique(x.reshape(n, m), axis, by_value)


@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("by_value", [0, 1])
def test_unique_as_onnxruntime(axis: int | None, by_value: int) -> None:
    x = np.random.default_rng(3).integers(0, 2, (6, 3)).astype(np.float32)
    attrs = {"sorted": by_value} if axis is None else {"sorted": by_value, "axis": axis}
    expected = runtime("Unique", [x], [1, 7, 7, 7], 11, **attrs)
    at = -1 if axis is None else axis
    *found, count = many("unique", x, axis=at, sorted=bool(by_value), symbol="n0")
    cut = [found[0].take(range(int(count)), max(at, 0)), found[1][:count], found[2], found[3][:count]]  # fmt: skip
    for mine, theirs in zip(cut, expected, strict=True):
        same(mine, theirs)


# ---- types ----------------------------------------------------------------------------------
def test_types_of_results() -> None:
    x = tensor("bf16", (4, 6), (None, "n1"))
    flat = tensor("bf16", (4, 6))
    assert types("sort", x, axis=0) == ["bf16[4, 6~n1]", "int64[4, 6~n1]"]
    assert types("topk", x, axis=0, k=3) == ["bf16[3, 6~n1]", "int64[3, 6~n1]"]
    assert types("nonzero", flat, symbol="n0") == ["int64[2, 24~n0]", "int64[]"]
    keep = tensor("bool", (3,))
    assert types("compact", x, keep, axis=0, symbol="n0") == ["bf16[3~n0, 6~n1]", "int64[]"]
    assert types("unique", flat, symbol="n0") == [
        "bf16[24~n0]", "int64[24~n0]", "int64[24]", "int64[24~n0]", "int64[]"]  # fmt: skip
    assert types("unique", flat, axis=1, symbol="n0") == [
        "bf16[4, 6~n0]", "int64[6~n0]", "int64[6]", "int64[6~n0]", "int64[]"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "attrs"),
    [("sort", {"axis": 1}), ("topk", {"axis": 1, "k": 1}), ("nonzero", {"symbol": "n0"}),
     ("unique", {"symbol": "n0"}), ("unique", {"axis": 0, "symbol": "n0"})],
)  # fmt: skip
def test_bounded_sizes_are_refused(name: str, attrs: dict[str, Any]) -> None:
    assert "6~n1" in refused("E1403", name, tensor("fp32", (4, 6), (None, "n1")), **attrs)


def test_refusals() -> None:
    x, keep = tensor("fp32", (4, 6)), tensor("bool", (4,))
    refused("E1403", "sort", x, axis=2)
    refused("E1403", "sort", tensor("fp32"), axis=0)
    refused("E1403", "topk", x, axis=0, k=5)
    refused("E1403", "topk", x, axis=0, k=-1)
    refused("E1403", "compact", x, tensor("bool", (5,)), axis=0, symbol="n0")
    refused("E1403", "compact", x, tensor("int8", (4,)), axis=0, symbol="n0")
    refused("E1403", "compact", x, tensor("bool", (4,), ("n1",)), axis=0, symbol="n0")
    refused("E1403", "compact", tensor("fp32", (4,), ("n1",)), keep, axis=0, symbol="n0")
    refused("E1403", "unique", x, axis=2, symbol="n0")
    refused("E1403", "unique", x, axis=-2, symbol="n0")
    for symbol in ("", "0", "a b", "~"):
        refused("E1403", "nonzero", x, symbol=symbol)
    refused("E1401", "nonzero", x)
