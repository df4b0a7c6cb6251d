"""Types of what is read and written at computed places, bounds, and places that do not exist."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ir.rows import many, one, refused, types
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import tensor

I64 = "int64"


def test_bounds_of_indices_are_those_of_results() -> None:
    x = tensor("fp32", (6, 5), (None, "n1"))
    at = tensor(I64, (4,), ("n0",))
    assert types("gather", x, at, axis=0) == ["fp32[4~n0, 5~n1]"]
    assert types("gather_nd", x, tensor(I64, (4, 1), ("n0", None))) == ["fp32[4~n0, 5~n1]"]
    rows = tensor(I64, (4, 5), ("n0", "n1"))
    assert types("gather_elements", x, rows, axis=0) == ["fp32[4~n0, 5~n1]"]
    plain = tensor(I64, (2, 5), (None, "n1"))
    assert types("scatter_elements", x, plain, x.with_shape((2, 5)), axis=0) == [str(x)]
    assert types("scatter_nd", x, tensor(I64, (4, 1)), tensor("fp32", (4, 5))) == [str(x)]


def test_elements_that_may_not_exist_are_not_used() -> None:
    x = tensor("fp32", (6, 5))
    row = tensor(I64, (4, 1), ("n0", None))
    bounded = tensor("fp32", (6, 5), ("n0", "n1"))
    assert "4~n0" in refused("E1403", "scatter_nd", x, row, tensor("fp32", (4, 5)), op="add")
    two = tensor(I64, (4, 5), ("n0", None))
    assert "4~n0" in refused("E1403", "scatter_elements", x, two, two.with_dtype("fp32"), axis=0)
    assert "4~n0" in refused("E1403", "scatter_elements", x, two, two.with_dtype("fp32"), axis=1)
    other = tensor(I64, (6, 5))
    assert "5~n1" in refused("E1403", "gather_elements", bounded, other, axis=0)
    updates = tensor("fp32", (6, 5), ("n0", None))
    assert "6~n0" in refused("E1403", "scatter_elements", x, other, updates, axis=0)
    last = tensor(I64, (2, 2), (None, "n0"))
    assert "2~n0" in refused("E1403", "gather_nd", x, last)


def test_an_index_that_does_not_exist_is_no_error() -> None:
    x = np.arange(5, dtype=np.int32)
    kinds = [tensor("int32", (5,)), tensor(I64, (3,), ("n0",))]
    (found,) = many("gather", x, np.array([4, 99, -1]), kinds=kinds, axis=0)
    assert found.tolist() == [4, 0, 0]


@pytest.mark.parametrize(("keep", "fails"), [(2, True), (1, False)])
def test_indices_that_exist_are_checked(keep: int, fails: bool) -> None:
    module, run = Module(), Run()
    b = Builder(module)
    indices = b.constant([3, 7, 9], I64)
    wanted = b.constant([i < keep for i in range(3)], "bool")
    ops = [b.op("compact", indices, wanted, axis=0, symbol=module.add_bound(3))]
    # Past the count there are zeros, which become places that x does not have.
    shifted = b.op("sub", ops[0].results[0], b.constant([3], I64))
    x = b.constant(np.arange(4, dtype=np.int32))
    gather = b.op("gather", x, shifted.result, axis=0)
    for op in (*ops, shifted):
        run.values.update(zip(op.results, run.results(op), strict=True))
    if fails:
        with pytest.raises(IRError) as caught:
            run.results(gather)
        assert caught.value.code == "E1410"
        assert caught.value.found == "4"
    else:
        assert run.results(gather)[0].tolist() == [0, 0, 0]


def test_no_elements() -> None:
    none, index = np.zeros((0, 3), np.float32), np.zeros((0,), np.int64)
    assert one("gather", none, index, axis=0).shape == (0, 3)
    assert one("gather", np.ones((2, 3), np.float32), index, axis=1).shape == (2, 0)
    some = np.array([0, 1])
    assert one("gather", none, some, axis=0, oob="fill").tolist() == [[0] * 3] * 2
    assert one("gather_nd", none, some[:, None], oob="fill").tolist() == [[0] * 3] * 2
    assert one("gather_elements", none, np.zeros((2, 3), np.int64), axis=0, oob="fill").shape == (
        2,
        3,
    )
    with pytest.raises(IRError, match="there are no elements"):
        one("gather", none, some, axis=0)
    assert one("scatter_nd", none, some[:, None], np.ones((2, 3), np.float32), oob="fill").size == 0
    kinds = [tensor("fp32", (0, 3)), tensor(I64, (2,))]
    refused("E1403", "gather", *kinds, axis=0, oob="clamp")


X = tensor("fp32", (6, 5))
AT = tensor(I64, (4, 1))
UP = tensor("fp32", (4, 5))


@pytest.mark.parametrize(
    ("name", "kinds", "attrs"),
    [
        ("gather", [X, AT], {"axis": 2}),
        ("gather", [X, AT], {"axis": -1}),
        ("gather", [X, tensor("fp32", (4,))], {"axis": 0}),
        ("gather", [X, tensor("bool", (4,))], {"axis": 0}),
        ("gather", [tensor("fp32"), AT], {"axis": 0}),
        ("gather_elements", [X, tensor(I64, (4,))], {"axis": 0}),
        ("gather_elements", [X, tensor(I64, (9, 6))], {"axis": 0}),
        ("gather_nd", [X, tensor(I64)], {}),
        ("gather_nd", [X, tensor(I64, (4, 3))], {}),
        ("gather_nd", [X, tensor(I64, (4, 0))], {}),
        ("gather_nd", [X, tensor(I64, (5, 1))], {"batch": 1}),
        ("gather_nd", [X, tensor(I64, (6, 1))], {"batch": 2}),
        ("gather_nd", [X, AT], {"batch": -1}),
        ("scatter_nd", [X, AT, tensor("fp32", (4,))], {}),
        ("scatter_nd", [X, AT, UP.with_dtype("fp16")], {}),
        ("scatter_nd", [X, AT.with_dtype("fp32"), UP], {}),
        ("scatter_nd", [X.with_dtype("bool"), AT, UP.with_dtype("bool")], {"op": "add"}),
        ("scatter_elements", [X, AT, UP], {"axis": 0}),
        ("scatter_elements", [X, AT, AT.with_dtype("fp32")], {"axis": 2}),
        ("scatter_elements", [X, tensor(I64, (7, 1)), tensor("fp32", (7, 1))], {"axis": 1}),
    ],
)
def test_refusals(name: str, kinds: list[Any], attrs: dict[str, Any]) -> None:
    refused("E1403", name, *kinds, **attrs)


def test_refusals_of_attributes_and_operands() -> None:
    refused("E1401", "gather", X, AT, axis=0, oob="wrap")
    refused("E1401", "scatter_nd", X, AT, UP, op="sub")
    refused("E1402", "scatter_nd", X, AT)
