"""Shapes, and operators that do nothing: old forms, edges, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import floats, model_of, names, node, run
from frontend.single import Single, agree, like_ort

X = floats(2, 3, 4)
INT_MAX = 2**63 - 1


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- shapes -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({}, [2, 3, 4]),
        ({"start": 1}, [3, 4]),
        ({"start": -2, "end": -1}, [3]),
        ({"start": -9, "end": 9}, [2, 3, 4]),
        ({"start": 2, "end": 1}, []),
    ],
)
def test_shape_of_some_axes(attrs: dict[str, int], expected: list[int]) -> None:
    case = Single("Shape", [X], attrs, 15)
    agree(case.run()[0], np.array(expected, np.int64))
    assert names(case.module()) == ["return"]


def test_sizes_of_bounded_dimensions_are_counts() -> None:
    x = np.array([[0, 1, 0], [2, 3, 0]], np.float32)
    nodes = [
        node("NonZero", "x", "p"),
        node("Transpose", "p", "t"),
        node("Shape", "t", "shape"),
        node("Shape", "p", "first", end=1),
        node("Size", "t", "size"),
    ]
    model = model_of(nodes, {"x": x}, ["t", "shape", "first", "size"])
    for found, expected in zip(
        run(model, {"x": x}), [np.argwhere(x), ints(3, 2), ints(2), np.int64(6)], strict=True
    ):
        agree(found, expected)


@pytest.mark.parametrize(
    ("shape", "wanted", "attrs", "expected"),
    [
        ((2, 3, 4), (0, -1), {}, (2, 12)),
        ((2, 3, 4), (4, 0, -1), {}, (4, 3, 2)),
        ((2, 3, 4), (24,), {}, (24,)),
        ((1, 1), (), {}, ()),
        ((0, 3), (0, -1), {}, None),
        ((0, 3), (3, 0), {"allowzero": 1}, (3, 0)),
        ((0, 3), (-1, 3), {}, (0, 3)),
        ((2, 3), (0, 0, 0), {}, None),
        ((2, 3), (-1, -1), {}, None),
        ((2, 3), (4, -1), {}, None),
        ((2, 3), (7,), {}, None),
        ((2, 3), (-2, -3), {}, None),
        ((2, 3), (0, -1), {"allowzero": 1}, None),
    ],
)
def test_reshape(shape: Any, wanted: Any, attrs: dict[str, int], expected: Any) -> None:
    x = floats(*shape)
    for opset in (5, 13, 14) if not attrs else (14,):
        case = Single("Reshape", [x, ints(*wanted)], attrs, max(opset, 6), static=(1,))
        if expected is None:
            case.refused("E1304")
        else:
            agree(case.run()[0], x.reshape(expected))


def test_what_decides_a_shape_has_to_be_known() -> None:
    problem = Single("Reshape", [X, ints(-1)]).refused("E1306")
    assert "x1" in str(problem)
    Single("Reshape", [X]).refused("E1304", arity=True)


@pytest.mark.parametrize("axis", [0, 1, 2, 3])
def test_flatten(axis: int) -> None:
    like_ort(Single("Flatten", [X], {"axis": axis}, 9))
    if axis:
        agree(
            Single("Flatten", [X], {"axis": axis - 3}, 11).run()[0],
            Single("Flatten", [X], {"axis": axis % 3}, 11).run()[0],
        )
    agree(Single("Flatten", [np.float32(3)], {"axis": 0}).run()[0], np.array([[3]], np.float32))
    Single("Flatten", [X], {"axis": 4}).refused("E1304")


@pytest.mark.parametrize("axes", [None, (1,), (1, 3), (-1,), (-3, 3)])
def test_squeeze_both_forms(axes: Any) -> None:
    x = floats(2, 1, 3, 1)
    old = Single("Squeeze", [x], {} if axes is None else {"axes": axes}, 11)
    new = Single("Squeeze", [x] if axes is None else [x, ints(*axes)], opset=13, static=(1,))
    if axes is None:
        new.static = ()
    expected = np.squeeze(x, axes)
    agree(old.run()[0], expected)
    agree(new.run()[0], expected)


@pytest.mark.parametrize("axes", [(0,), (1, 3), (-1,), (3, 1), (-1, 0)])
def test_unsqueeze_both_forms(axes: Any) -> None:
    expected = np.expand_dims(X, axes)
    agree(Single("Unsqueeze", [X], {"axes": axes}, 11).run()[0], expected)
    agree(Single("Unsqueeze", [X, ints(*axes)], opset=13, static=(1,)).run()[0], expected)


def test_axes_that_do_not_fit() -> None:
    Single("Squeeze", [X], {"axes": [0]}, 11).refused("E1304")
    Single("Unsqueeze", [X], {"axes": [1, 1]}, 11).refused("E1304")
    Single("Unsqueeze", [X], {"axes": [5]}, 11).refused("E1304")
    Single("Transpose", [X], {"perm": [0, 1]}).refused("E1304")
    Single("Transpose", [X], {"perm": [0, 1, 1]}).refused("E1304")


# ---- Dropout, Identity --------------------------------------------------------------------------
@pytest.mark.parametrize("opset", [6, 7, 10, 12, 22])
def test_dropout_keeps_everything(opset: int) -> None:
    attrs = {"is_test": 1} if opset == 6 else {}
    found = Single("Dropout", [X], attrs, opset, outputs=2).run()
    agree(found[0], X)
    agree(found[1], np.ones(X.shape, np.float32 if opset < 10 else np.bool_))


def test_dropout_in_training_is_refused() -> None:
    Single("Dropout", [X], opset=6).refused("E1303")
    half, yes, no = np.float32(0.5), np.bool_(True), np.bool_(False)
    Single("Dropout", [X, half, yes], opset=12, static=(1, 2)).refused("E1303")
    Single("Dropout", [X, None, yes], opset=12, static=(2,)).refused("E1303")
    Single("Dropout", [X, half, yes], opset=12, static=(1,)).refused("E1306")
    for ratio, training in ((half, no), (np.float32(0), yes)):
        case = Single("Dropout", [X, ratio, training], opset=12, static=(1, 2), outputs=2)
        agree(case.run()[0], X)
        agree(case.run()[1], np.ones(X.shape, np.bool_))


def test_optional_tensors_are_there() -> None:
    agree(Single("OptionalGetElement", [X], opset=18).run()[0], X)
    agree(Single("OptionalHasElement", [X], opset=18).run()[0], np.True_)
    agree(Single("OptionalHasElement", [], opset=18).run()[0], np.False_)
