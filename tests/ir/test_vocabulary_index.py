"""Reads and writes at computed places: against loops over indices, and onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import one, runtime, same
from ir.test_vocabulary_movement import built, numbered, places
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array

STEPS: dict[str, Any] = {
    "set": lambda a, b: b,
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "min": min,
    "max": max,
}
SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)


def drawn(data: st.DataObject, shape: tuple[int, ...], low: int, high: int) -> Array:
    return built(shape, lambda _: data.draw(st.integers(low, high)), np.int64)


def inside(index: int, extent: int, oob: str) -> int | None:
    """The index that is meant; None if none is."""
    if oob == "clamp":
        return max(0, min(extent - 1, index))
    return index if 0 <= index < extent else None


# ---- gather ---------------------------------------------------------------------------------
@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@settings(max_examples=40, deadline=None)
@given(SIZES, st.lists(st.integers(0, 3), max_size=2), st.data())
def test_gather(oob: str, shape: tuple[int, ...], more: list[int], data: st.DataObject) -> None:
    x = numbered(shape) + 1
    axis = data.draw(st.integers(0, len(shape) - 1))
    extent, low = shape[axis], 0 if oob == "error" else -2
    indices = drawn(data, tuple(more), low, extent - 1 - low)
    last = axis + len(more)

    def element(place: tuple[int, ...]) -> Any:
        index = inside(int(indices[place[axis:last]]), extent, oob)
        return 0 if index is None else x[(*place[:axis], index, *place[last:])]

    expected = built((*shape[:axis], *more, *shape[axis + 1 :]), element)
    same(one("gather", x, indices, axis=axis, oob=oob), expected)


@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@settings(max_examples=40, deadline=None)
@given(SIZES, st.data())
def test_gather_elements(oob: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    x = numbered(shape) + 1
    axis = data.draw(st.integers(0, len(shape) - 1))
    extent, low = shape[axis], 0 if oob == "error" else -2
    some = tuple(data.draw(st.integers(0, 3 if i == axis else n)) for i, n in enumerate(shape))
    indices = drawn(data, some, low, extent - 1 - low)

    def element(place: tuple[int, ...]) -> Any:
        index = inside(int(indices[place]), extent, oob)
        return 0 if index is None else x[(*place[:axis], index, *place[axis + 1 :])]

    same(one("gather_elements", x, indices, axis=axis, oob=oob), built(some, element))


@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@settings(max_examples=40, deadline=None)
@given(SIZES, st.lists(st.integers(0, 3), max_size=1), st.data())
def test_gather_nd(oob: str, shape: tuple[int, ...], more: list[int], data: st.DataObject) -> None:
    x = numbered(shape) + 1
    batch = data.draw(st.integers(0, len(shape) - 1))
    length = data.draw(st.integers(1, len(shape) - batch))
    lead = (*shape[:batch], *more)
    low = 0 if oob == "error" else -1
    indices = built((*lead, length), lambda p: data.draw(
        st.integers(low, shape[batch + p[-1]] - 1 - low)), np.int64)  # fmt: skip

    def element(place: tuple[int, ...]) -> Any:
        row = indices[place[: len(lead)]].tolist()
        found: Any = [inside(i, shape[batch + k], oob) for k, i in enumerate(row)]
        return 0 if None in found else x[(*place[:batch], *found, *place[len(lead) :])]

    expected = built((*lead, *shape[batch + length :]), element)
    same(one("gather_nd", x, indices, batch=batch, oob=oob), expected)


# ---- scatter --------------------------------------------------------------------------------
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@settings(max_examples=25, deadline=None)
@given(SIZES, st.data())
def test_scatter_elements(step: str, oob: str, shape: tuple[int, ...], data: st.DataObject) -> None:
    x = numbered(shape) + 1
    axis = data.draw(st.integers(0, len(shape) - 1))
    extent, low = shape[axis], 0 if oob == "error" else -2
    some = tuple(data.draw(st.integers(0, 4 if i == axis else n)) for i, n in enumerate(shape))
    indices = drawn(data, some, low, extent - 1 - low)
    updates = drawn(data, some, -9, 9).astype(np.int32)
    expected = x.copy()
    for place in places(some):
        index = inside(int(indices[place]), extent, oob)
        if index is not None:
            to = (*place[:axis], index, *place[axis + 1 :])
            expected[to] = STEPS[step](expected[to], updates[place])
    same(one("scatter_elements", x, indices, updates, axis=axis, op=step, oob=oob), expected)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@settings(max_examples=25, deadline=None)
@given(SIZES, st.lists(st.integers(0, 4), max_size=1), st.data())
def test_scatter_nd(
    step: str, oob: str, shape: tuple[int, ...], more: list[int], data: st.DataObject
) -> None:
    x = numbered(shape) + 1
    length = data.draw(st.integers(1, len(shape)))
    low = 0 if oob == "error" else -1
    indices = built((*more, length), lambda p: data.draw(
        st.integers(low, shape[p[-1]] - 1 - low)), np.int64)  # fmt: skip
    updates = drawn(data, (*more, *shape[length:]), -9, 9).astype(np.int32)
    expected = x.copy()
    for place in places(tuple(more)):
        row = [inside(i, shape[k], oob) for k, i in enumerate(indices[place].tolist())]
        if None not in row:
            for rest in places(shape[length:]):
                to: Any = (*row, *rest)
                expected[to] = STEPS[step](expected[to], updates[(*place, *rest)])
    same(one("scatter_nd", x, indices, updates, op=step, oob=oob), expected)


@pytest.mark.parametrize("name", [n for n in ELEMENTS if n != "bool"])
@pytest.mark.parametrize("step", ["add", "mul", "min", "max"])
def test_steps_round_each_time(name: str, step: str) -> None:
    numpy = ELEMENTS[name].numpy
    rng = np.random.default_rng(3)
    x = np.array([1, 2, 3]).astype(numpy)
    updates = rng.integers(1, 4, 12).astype(numpy)
    indices = rng.integers(0, 3, 12)
    expected = x.copy()
    wide = "fp64" if ELEMENTS[name].is_float else "int64"
    for index, update in zip(indices, updates, strict=True):
        pair = [one("cvt", v, to=wide) for v in (expected[index : index + 1], np.asarray(update))]
        with np.errstate(over="ignore"):
            stepped = np.asarray(STEPS[step](pair[0][0], pair[1][()]))
        expected[index] = one("cvt", stepped, to=name, saturate=False)
    same(one("scatter_elements", x, indices, updates, axis=0, op=step), expected)
    same(one("scatter_nd", x, indices[:, None], updates, op=step), expected)


def test_the_last_of_many_writes_wins() -> None:
    rng = np.random.default_rng(5)
    x = np.zeros((50, 20), np.float32)
    indices = rng.integers(0, 50, (4000, 1))
    updates = rng.standard_normal((4000, 20)).astype(np.float32)
    expected = x.copy()
    for index, row in zip(indices[:, 0], updates, strict=True):
        expected[index] = row
    same(one("scatter_nd", x, indices, updates), expected)
    wide = np.broadcast_to(indices, (4000, 20))
    same(one("scatter_elements", x, wide, updates, axis=0), expected)


def test_truth_values() -> None:
    x, indices = np.array([True, False, True]), np.array([0, 0, 1])
    updates = np.array([False, True, True])
    assert one("scatter_elements", x, indices, updates, axis=0, op="max").tolist() == [True] * 3
    assert one("scatter_elements", x, indices, updates, axis=0, op="min").tolist() == [
        False, False, True]  # fmt: skip


@pytest.mark.parametrize("operator", ["ScatterElements", "ScatterND"])
@pytest.mark.parametrize("step", STEPS)
def test_scatter_as_onnxruntime(operator: str, step: str) -> None:
    rng = np.random.default_rng(11)
    x = rng.integers(-9, 9, (4, 5)).astype(np.float32)
    elements = operator == "ScatterElements"
    # No place twice: what comes of that is open in ONNX.
    spread = rng.permuted(np.tile(np.arange(4)[:, None], 5), axis=0)[:3]
    indices = spread if elements else np.array([[2], [0]])
    updates = rng.integers(-9, 9, indices.shape if elements else (2, 5)).astype(np.float32)
    reduction = "none" if step == "set" else step
    expected = runtime(operator, [x, indices, updates], [1], 18, reduction=reduction)[0]
    name = "scatter_elements" if elements else "scatter_nd"
    extra: dict[str, Any] = {"axis": 0} if elements else {}
    same(one(name, x, indices, updates, op=step, **extra), expected)


# ---- errors and bounds ----------------------------------------------------------------------
@pytest.mark.parametrize("index", [3, -1, 1 << 40, -(1 << 63)])
def test_an_index_outside_is_an_error(index: int) -> None:
    x, at = numbered((3, 2)), np.array([[1, index]])
    cases: list[tuple[str, list[Array], dict[str, Any]]] = [
        ("gather", [x, at], {"axis": 0}),
        ("gather_elements", [x, at], {"axis": 0}),
        ("gather_nd", [x, at.T], {}),
        ("scatter_elements", [x, at, x[:1]], {"axis": 0}),
        ("scatter_nd", [x, at.T, x[:2]], {}),
    ]
    for name, arrays, attrs in cases:
        with pytest.raises(
            IRError, match=f"{name}: an index is outside; expected 0 to 2"
        ) as caught:
            one(name, *arrays, **attrs)
        assert caught.value.code == "E1410"
        assert caught.value.found == str(index)


@pytest.mark.parametrize("dtype", ["int4", "uint4", "int8", "uint8", "uint16", "int32", "uint64"])
def test_indices_of_every_type(dtype: str) -> None:
    x = numbered((1000,))
    indices = np.array([7, 0, 3]).astype(ELEMENTS[dtype].numpy)
    assert one("gather", x, indices, axis=0).tolist() == [7, 0, 3]
    assert one("gather", x[:5], indices, axis=0, oob="clamp").tolist() == [4, 0, 3]
    if dtype == "uint64":
        far = np.array([(1 << 64) - 1], np.uint64)
        assert one("gather", x, far, axis=0, oob="clamp").tolist() == [999]
        assert one("gather", x, far, axis=0, oob="fill").tolist() == [0]
