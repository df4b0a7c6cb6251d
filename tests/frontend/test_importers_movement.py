"""Operators that move elements: old forms, edges, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from frontend.compared import floats, names
from frontend.single import Single, agree, like_ort

X = floats(2, 3, 4)
INT_MAX = 2**63 - 1


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- Expand, Tile -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((3, 1), (2, 1, 6)), ((3, 4), (1,)), ((3, 4), (3, 1)), ((), (2, 2)), ((1, 3), (0, 1))],
)
def test_expand_broadcasts_both_ways(shape: Any, wanted: Any) -> None:
    case = Single("Expand", [floats(*shape), ints(*wanted)], static=(1,))
    like_ort(case)


def test_expand_and_tile_refuse() -> None:
    Single("Expand", [X, ints(5)], static=(1,)).refused("E1304")
    Single("Expand", [X, ints(-4)], static=(1,)).refused("E1304")
    Single("Tile", [X, ints(1, 2)], static=(1,)).refused("E1304")
    Single("Tile", [X, ints(1, 2, -1)], static=(1,)).refused("E1304")


@pytest.mark.parametrize("repeats", [(1, 1, 1), (2, 1, 3), (1, 0, 2), (2, 2, 2)])
def test_tile(repeats: tuple[int, ...]) -> None:
    for opset in (6, 13):
        case = Single("Tile", [X, ints(*repeats)], opset=opset, static=(1,))
        agree(case.run()[0], np.tile(X, repeats))


# ---- Concat, Split, Slice -----------------------------------------------------------------------
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_concat(axis: int) -> None:
    like_ort(Single("Concat", [X, X + 1, X[:, :, :]], {"axis": axis}, 13))
    empty = np.zeros([0 if i == axis % 3 else n for i, n in enumerate(X.shape)], np.float32)
    agree(Single("Concat", [empty, X], {"axis": axis}).run()[0], X)
    agree(Single("Concat", [X], {"axis": axis}).run()[0], X)


def test_concat_refuses() -> None:
    Single("Concat", [X, X[:, :2]], {"axis": 0}).refused("E1304")
    Single("Concat", [X, X]).refused("E1304")
    Single("Concat", [], {"axis": 0}).refused("E1304", arity=True)


@pytest.mark.parametrize("opset", [6, 11, 13, 18])
def test_split_by_sizes(opset: int) -> None:
    x = floats(2, 7)
    expected = np.split(x, [2, 5], 1)
    if opset < 13:
        case = Single("Split", [x], {"axis": 1, "split": [2, 3, 2]}, opset, outputs=3)
    else:
        case = Single("Split", [x, ints(2, 3, 2)], {"axis": -1}, opset, (1,), outputs=3)
    for found, part in zip(case.run(), expected, strict=True):
        agree(found, part)


def test_split_into_equal_parts() -> None:
    x = floats(6, 2)
    for opset in (6, 13):
        found = Single("Split", [x], {}, opset, outputs=3).run()
        for part, expected in zip(found, np.split(x, 3), strict=True):
            agree(part, expected)
    sizes = [
        len(part) for part in Single("Split", [floats(7)], {"num_outputs": 3}, 18, outputs=3).run()
    ]
    assert sizes == [3, 3, 1]
    Single("Split", [floats(7)], {}, 13, outputs=3).refused("E1304")
    Single("Split", [floats(7), ints(3, 3)], {}, 13, (1,), outputs=2).refused("E1304")
    Single("Split", [floats(7), ints(9, -2)], {}, 13, (1,), outputs=2).refused("E1304")


SLICES = [
    ([0], [2], [2], None),
    ([0, 1], [INT_MAX, -1], [0, 2], None),
    ([-9], [INT_MAX], [1], None),
    ([1], [1], [0], None),
    ([5], [9], [0], None),
    ([3], [0], [2], [-1]),
    ([-1], [-INT_MAX], [2], [-2]),
    ([9], [-9], [-1], [-1]),
    ([0, 0], [2, 4], [-3, -1], [1, 3]),
    ([0], [4], [2], [INT_MAX]),
    ([1, 0, 1], [2, 3, 4], None, None),
]


@pytest.mark.parametrize("case", range(len(SLICES)))
def test_slices(case: int) -> None:
    starts, ends, axes, steps = SLICES[case]
    if steps is None and (axes is None or min(axes) >= 0):
        attrs = {"starts": starts, "ends": ends, **({} if axes is None else {"axes": axes})}
        like_ort(Single("Slice", [X], attrs, 9))
    inputs = [X, *(None if part is None else ints(*part) for part in (starts, ends, axes, steps))]
    while inputs[-1] is None:
        inputs.pop()
    static = [i for i in range(1, len(inputs)) if inputs[i] is not None]
    for opset in (10, 13):
        if opset == 13 or axes is None or min(axes) >= 0:
            like_ort(Single("Slice", inputs, opset=opset, static=static))


def test_slices_refuse() -> None:
    for parts in (
        [[0], [1], [0], [0]],
        [[0, 0], [1], [0]],
        [[0], [1], [3]],
        [[0, 0], [1, 1], [0, 0]],
    ):
        inputs = [X, *(ints(*part) for part in parts)]
        Single("Slice", inputs, static=range(1, len(inputs))).refused("E1304")


def test_all_of_a_tensor_is_no_op() -> None:
    for case in (
        Single("Slice", [X, ints(0), ints(INT_MAX), ints(1)], static=(1, 2, 3)),
        Single("Transpose", [X], {"perm": [0, 1, 2]}),
        Single("Identity", [X]),
        Single("Pad", [X, ints(0, 0, 0, 0, 0, 0)], static=(1,)),
        Single("Expand", [X, ints(1)], static=(1,)),
    ):
        assert names(case.module()) == ["return"]


# ---- Pad ----------------------------------------------------------------------------------------
MODES = ["constant", "reflect", "edge", "wrap"]


def padded(x: Any, amounts: Sequence[tuple[int, int]], mode: Any) -> Any:
    return np.pad(x, amounts, mode)


@pytest.mark.parametrize("mode", MODES)
def test_pads(mode: str) -> None:
    amounts = [(0, 1), (2, 1), (3, 0)]
    pads = [a for a, _ in amounts] + [b for _, b in amounts]
    expected = padded(X, amounts, mode)
    if mode != "wrap":
        agree(Single("Pad", [X], {"pads": pads, "mode": mode}, 6).run()[0], expected)
        like_ort(Single("Pad", [X, ints(*pads)], {"mode": mode}, 11, (1,)))
    agree(Single("Pad", [X, ints(*pads)], {"mode": mode}, 19, (1,)).run()[0], expected)


def test_pads_of_some_axes() -> None:
    case = Single("Pad", [X, ints(1, 2), np.float32(7), ints(-1)], opset=18, static=(1, 3))
    agree(case.run()[0], np.pad(X, [(0, 0), (0, 0), (1, 2)], constant_values=7))
    old = Single("Pad", [X], {"pads": [0, 0, 1, 0, 0, 2], "value": 7.0}, 6)
    agree(old.run()[0], case.run()[0])


@pytest.mark.parametrize("mode", MODES)
def test_negative_pads_crop_first(mode: str) -> None:
    pads = ints(0, 1, -1, 0, -1, 2)
    expected = padded(X[:, :2, 1:], [(0, 0), (1, 0), (0, 2)], mode)
    agree(Single("Pad", [X, pads], {"mode": mode}, 19, (1,)).run()[0], expected)


def test_pads_keep_large_integers() -> None:
    x, fill = ints(1), np.int64(2**60 + 1)
    agree(Single("Pad", [x, ints(1, 0), fill], static=(1,)).run()[0], ints(2**60 + 1, 1))
    truths = np.array([True])
    agree(Single("Pad", [truths, ints(0, 1)], static=(1,)).run()[0], np.array([True, False]))


def test_pads_refuse() -> None:
    Single("Pad", [X, ints(0, 0)], static=(1,)).refused("E1304")
    Single("Pad", [X, ints(-2, 0, 0, -1, 0, 0)], static=(1,)).refused("E1304")
    Single("Pad", [X, ints(0, 0, 0, 0, 0, 1)], {"mode": "mirror"}, static=(1,)).refused("E1304")
    Single("Pad", [X, ints(0, 0, 0, 0, 0, 1), floats(2)], static=(1,)).refused("E1304")
