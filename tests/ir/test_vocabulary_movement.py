"""Views and moves: against loops over indices, numpy's own pad, and the bits that went in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ir.rows import every, one, raw, same
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array

Place = tuple[int, ...]

TYPES = list(ELEMENTS)
SHAPES = st.lists(st.integers(0, 4), min_size=0, max_size=4).map(tuple)


def numbered(shape: Place) -> Array:
    return np.arange(math.prod(shape), dtype=np.int32).reshape(shape)


def places(shape: Place) -> Iterator[Place]:
    return itertools.product(*map(range, shape))


def built(shape: Place, element: Callable[[Place], Any], dtype: Any = np.int32) -> Array:
    """An array whose elements a function of their place gives."""
    found = np.zeros(shape, dtype)
    for place in places(shape):
        found[place] = element(place)
    return found


@pytest.mark.parametrize("name", TYPES)
def test_movement_keeps_every_bit(name: str) -> None:
    x = every(name)[: 1 << 10]
    x = x[: len(x) // 2 * 2].reshape(2, -1)
    n = x.shape[1]
    bits = [raw(x[0]), raw(x[1])]
    both = b"".join(bits)
    swapped = bits[1] + bits[0]
    assert raw(one("reshape", x, shape=(n, 2))) == both
    back = one("transpose", one("transpose", x, perm=(1, 0)), perm=(1, 0))
    assert raw(back) == both
    assert raw(one("broadcast", x, shape=(2, 2, n))) == both * 2
    assert raw(one("slice", x, starts=(1, 0), sizes=(2, n), steps=(-1, 1))) == swapped
    rows = one("windows", x, axes=(0,), sizes=(2,), steps=(1,), dilations=(1,))
    assert raw(one("transpose", rows, perm=(2, 0, 1))) == both
    assert raw(one("concat", x[1:], x[:1], axis=0)) == swapped
    assert raw(one("pad", x, x[1, 0], before=(0, 0), after=(1, 0))) == both + raw(x[1, :1]) * n
    assert raw(one("pad", x, before=(0, 0), after=(1, 0), mode="wrap")) == both + bits[0]
    assert raw(one("pad", x, before=(1, 0), after=(0, 0)))[: len(bits[0])] == bytes(len(bits[0]))
    index = np.array([1, 0], np.int8)
    assert raw(one("gather", x, index, axis=0)) == swapped
    assert raw(one("gather_nd", x, index[:, None])) == swapped
    wide = np.broadcast_to(index[:, None], x.shape)
    assert raw(one("gather_elements", x, wide, axis=0)) == swapped
    assert raw(one("scatter_nd", x, index[:, None], x)) == swapped
    assert raw(one("scatter_elements", x, wide, x, axis=0)) == swapped


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.randoms())
def test_transpose_and_reshape(shape: Place, random: Any) -> None:
    x = numbered(shape)
    perm = random.sample(range(len(shape)), len(shape))
    found = one("transpose", x, perm=tuple(perm))
    for place in places(found.shape):
        back = [0] * len(shape)
        for axis, old in enumerate(perm):
            back[old] = place[axis]
        assert found[place] == x[tuple(back)]
    flat = one("reshape", found, shape=(x.size,)).tolist()
    assert flat == [found[place] for place in places(found.shape)]


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.data())
def test_broadcast(shape: Place, data: st.DataObject) -> None:
    x = numbered(shape)
    more = data.draw(st.lists(st.integers(0, 3), max_size=2))
    stretched = [data.draw(st.integers(0, 3)) if extent == 1 else extent for extent in shape]
    to = (*more, *stretched)
    skip = len(more)
    expected = built(
        to, lambda p: x[tuple(0 if e == 1 else i for i, e in zip(p[skip:], shape, strict=True))]
    )
    same(one("broadcast", x, shape=to), expected)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=0, max_size=3), st.data())
def test_slice(shape: list[int], data: st.DataObject) -> None:
    x = numbered(tuple(shape))
    starts, sizes, steps = [], [], []
    for extent in shape:
        start = data.draw(st.integers(0, extent - 1))
        step = data.draw(st.sampled_from([-3, -2, -1, 1, 2, 3]))
        room = start // -step if step < 0 else (extent - 1 - start) // step
        starts.append(start)
        steps.append(step)
        sizes.append(data.draw(st.integers(0, room + 1)))
    rows = list(zip(starts, steps, strict=True))
    expected = built(
        tuple(sizes), lambda p: x[tuple(a + i * s for i, (a, s) in zip(p, rows, strict=True))]
    )
    found = one("slice", x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))
    same(found, expected)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 7), min_size=2, max_size=3), st.integers(1, 3), st.integers(1, 3),
    st.integers(1, 3), st.booleans(),
)  # fmt: skip
def test_windows(shape: list[int], size: int, step: int, dilation: int, both: bool) -> None:
    x = numbered(tuple(shape))
    axes = (1, 0) if both else (1,)
    shape_, count = list(shape), len(axes)
    for axis in axes:
        starts = [s for s in range(0, shape[axis], step) if s + (size - 1) * dilation < shape[axis]]
        shape_[axis] = len(starts)

    def element(place: Place) -> Any:
        at = list(place[: x.ndim])
        for number, axis in enumerate(axes):
            at[axis] = at[axis] * step + place[x.ndim + number] * dilation
        return x[tuple(at)]

    expected = built((*shape_, *[size] * count), element)
    found = one("windows", x, axes=axes, sizes=(size,) * count, steps=(step,) * count,
                dilations=(dilation,) * count)  # fmt: skip
    same(found, expected)


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=0, max_size=3), st.data())
def test_pad_as_numpy(mode: str, shape: list[int], data: st.DataObject) -> None:
    x = numbered(tuple(shape))
    sides = [(data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))) for _ in shape]
    arrays = [x, np.int32(7)] if mode == "constant" else [x]
    found = one("pad", *arrays, before=tuple(b for b, _ in sides), after=tuple(a for _, a in sides),
                mode=mode)  # fmt: skip
    options: dict[str, Any] = {"constant_values": 7} if mode == "constant" else {}
    numpy_mode: Any = mode
    same(found, np.pad(x, sides, numpy_mode, **options) if shape else x)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_concat(axis: int) -> None:
    parts = []
    for extent in (2, 0, 1, 3):
        shape = [2, 3, 2]
        shape[axis] = extent
        parts.append(numbered(tuple(shape)) + 100 * extent)
    found = one("concat", *parts, axis=axis)
    start = 0
    for part in parts:
        for place in places(part.shape):
            moved = list(place)
            moved[axis] += start
            assert found[tuple(moved)] == part[place]
        start += part.shape[axis]
    assert found.shape[axis] == start == 6
    same(one("concat", parts[0], axis=axis), parts[0])


@pytest.mark.parametrize("to", [name for name in TYPES if name != "bool"])
def test_iota(to: str) -> None:
    numbers = np.arange(300, dtype=np.int64)
    expected = one("cvt", numbers, to=to, saturate=True)
    found = one("iota", to=to, shape=(2, 300, 1), axis=1)
    same(found, np.broadcast_to(expected[:, None], (2, 300, 1)))
    assert one("iota", to=to, shape=(0, 3), axis=0).shape == (0, 3)


def test_no_elements_and_no_axes() -> None:
    scalar = np.int32(5)
    same(one("reshape", scalar, shape=(1, 1)), np.full((1, 1), 5, np.int32))
    same(one("slice", scalar, starts=(), sizes=(), steps=()), scalar)
    same(one("pad", scalar, before=(), after=()), scalar)
    none = np.zeros((0, 3), np.int32)
    assert one("reshape", none, shape=(3, 0, 7)).shape == (3, 0, 7)
    assert one("pad", none, before=(1, 0), after=(0, 0)).tolist() == [[0, 0, 0]]
    shape = one("windows", none, axes=(0,), sizes=(1,), steps=(1,), dilations=(1,)).shape
    assert shape == (0, 3, 1)


def test_distances_of_one_element_may_be_huge() -> None:
    x, far = numbered((2, 3)), (1 << 64) - 1
    found = one("slice", x, starts=(1, 0), sizes=(1, 3), steps=(far, 1))
    assert found.tolist() == [[3, 4, 5]]
    found = one("windows", x, axes=(1, 0), sizes=(3, 1), steps=(far, 1), dilations=(1, far))
    assert found.tolist() == [[[[0], [1], [2]]], [[[3], [4], [5]]]]
    found = one("quantize", x.astype(np.float32), np.ones((2, 1), np.float32), axis=1, block=far,
                to="int8")  # fmt: skip
    assert found.tolist() == x.tolist()
