"""Gathers and scatters: negative indices, known and not, and what lies outside."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import floats, names, rng
from frontend.single import Single, agree, like_ort
from maiacc_passes.ir.errors import IRError

X = floats(4, 3, 5)


def ints(values: Any, dtype: Any = np.int64) -> Any:
    return np.array(values, dtype)


#: With the indices known, and only at run time.
BOTH = pytest.mark.parametrize("static", [(), (1,)], ids=["runtime", "known"])


@BOTH
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_gather(axis: int, static: Any) -> None:
    for indices in (ints([[0, -1], [2, -3]]), ints(-2, np.int32), ints([], np.int32)):
        expected = np.take(X, indices, axis)
        for opset in (11, 13):
            agree(Single("Gather", [X, indices], {"axis": axis}, opset, static).run()[0], expected)


def test_known_indices_need_no_ops() -> None:
    case = Single("Gather", [X, ints([0, -1])], static=(1,))
    assert names(case.module()) == ["gather", "return"]


@pytest.mark.parametrize("index", [4, -5])
def test_indices_outside(index: int) -> None:
    Single("Gather", [X, ints([index])], static=(1,)).refused("E1304")
    with pytest.raises(IRError) as caught:
        Single("Gather", [X, ints([index])]).run()
    assert caught.value.code == "E1410"


@BOTH
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_gather_elements(axis: int, static: Any) -> None:
    extent = X.shape[axis]
    indices = rng(axis + 3).integers(-extent, extent, (2, 3, 4))
    like_ort(Single("GatherElements", [X, indices], {"axis": axis}, 13, static))


@BOTH
def test_gather_nd(static: Any) -> None:
    for tuples in ([[0, 1], [-1, -2]], [[[0]], [[-4]]], [[0, -1, 4], [3, 2, -5]]):
        like_ort(Single("GatherND", [X, ints(tuples)], {}, 13, static))
    batched = Single("GatherND", [X, ints([[1], [-1], [0], [2]])], {"batch_dims": 1}, 12, static)
    like_ort(batched)
    pairs = rng().integers(-3, 3, (4, 2, 2))
    like_ort(Single("GatherND", [X, pairs], {"batch_dims": 1}, 13, static))


def test_tuples_that_are_too_long() -> None:
    Single("GatherND", [X, ints([[0, 0, 0, 0]])]).refused("E1304")
    Single("ScatterND", [X, ints([[0, 0, 0, 0]]), floats(1)]).refused("E1304")


REDUCTIONS = ["none", "add", "mul", "min", "max"]


@BOTH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter_elements(reduction: str, static: Any) -> None:
    indices = ints([[[0, -1, 2, 1]] * 3] * 2) if reduction == "none" else ints([[[0, 0, -5]] * 2])
    updates = floats(*indices.shape, seed=3)
    attrs = {"axis": -1, **({} if reduction == "none" else {"reduction": reduction})}
    like_ort(Single("ScatterElements", [X, indices, updates], attrs, 18, static))


def test_scatter_is_the_old_name() -> None:
    indices, updates = ints([[[1, 0, 2, 3, 4]]]), floats(1, 1, 5)
    like_ort(Single("Scatter", [X, indices, updates], {"axis": 2}, 9))


@BOTH
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_scatter_nd(reduction: str, static: Any) -> None:
    tuples = ints([[0, 1], [-1, -1]] if reduction == "none" else [[0, 1], [-4, -2]])
    attrs = {} if reduction == "none" else {"reduction": reduction}
    like_ort(Single("ScatterND", [X, tuples, floats(2, 5)], attrs, 18, static))
    like_ort(Single("ScatterND", [X, ints([[3]]), floats(1, 3, 5)], attrs, 18, static))


def test_the_last_of_several_updates_wins() -> None:
    case = Single("ScatterElements", [floats(3), ints([1, 1, -2]), ints([4, 5, 6], "f4")], {}, 18)
    assert case.run()[0][1] == 6


def test_scatters_refuse() -> None:
    updates = floats(1, 1, 1)
    case = Single("ScatterElements", [X, ints([[[0]]]), updates], {"reduction": "xor"}, 18)
    case.refused("E1304")
    Single("ScatterElements", [X, ints([[[0]]]), floats(1, 1)], {}, 18).refused("E1304")
    Single("GatherElements", [X, ints([0])]).refused("E1304")


@pytest.mark.parametrize("axes", [(0, 1), (1, 0)])
def test_sequences_are_reversed(axes: tuple[int, int]) -> None:
    batch, time = axes
    x = floats(4, 4, 2)
    attrs = {"batch_axis": batch, "time_axis": time}
    for lengths in ([4, 3, 1, 0], [1, 2, 3, 4]):
        case = Single("ReverseSequence", [x, ints(lengths)], attrs, 10)
        expected = x.copy()
        for i, n in enumerate(lengths):
            if batch == 0:
                expected[i, :n] = x[i, :n][::-1]
            else:
                expected[:n, i] = x[:n, i][::-1]
        agree(case.run()[0], expected)
    agree(
        Single("ReverseSequence", [x[:, :, 0], ints([2] * 4)], attrs, 10).run()[0],
        Single("ReverseSequence", [x[:, :, :1], ints([2] * 4)], attrs, 10).run()[0][:, :, 0],
    )
    attrs = {"batch_axis": 1, "time_axis": 1}
    Single("ReverseSequence", [x, ints([2] * 4)], attrs, 10).refused("E1304")
