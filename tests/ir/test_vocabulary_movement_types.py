"""Types of what views and moves give: bounds that stay, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from ir.rows import refused, types
from maiacc_passes.ir.rules import LARGEST
from maiacc_passes.ir.types import tensor


def test_bounds_stay_where_the_whole_axis_does() -> None:
    x = tensor("fp32", (2, 4, 3), (None, "n0", None))
    assert types("transpose", x, perm=(1, 2, 0)) == ["fp32[4~n0, 3, 2]"]
    assert types("reshape", x, shape=(1, 2, 4, 1, 3)) == ["fp32[1, 2, 4~n0, 1, 3]"]
    assert types("broadcast", x, shape=(5, 2, 4, 3)) == ["fp32[5, 2, 4~n0, 3]"]
    assert types("slice", x, starts=(1, 0, 2), sizes=(1, 4, 2), steps=(1, 1, -1)) == [
        "fp32[1, 4~n0, 2]"
    ]
    assert types("windows", x, axes=(2,), sizes=(2,), steps=(1,), dilations=(1,)) == [
        "fp32[2, 4~n0, 2, 2]"
    ]
    assert types("pad", x, before=(1, 0, 0), after=(0, 0, 1)) == ["fp32[3, 4~n0, 4]"]
    assert types("concat", x, x, axis=0) == ["fp32[4, 4~n0, 3]"]
    assert types("concat", x, axis=1) == ["fp32[2, 4~n0, 3]"]
    two = tensor("fp32", (4, 4), ("n0", "n1"))
    assert types("reshape", two, shape=(4, 1, 4)) == ["fp32[4~n0, 1, 4~n1]"]
    ones = tensor("fp32", (1, 1), ("n0", "n1"))
    assert types("reshape", ones, shape=(1, 1, 1)) == ["fp32[1~n0, 1~n1, 1]"]


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("reshape", {"shape": (8, 3)}),
        ("reshape", {"shape": (2, 2, 2, 3)}),
        ("reshape", {"shape": (4, 2, 3)}),
        ("slice", {"starts": (0, 0, 0), "sizes": (2, 3, 3), "steps": (1, 1, 1)}),
        ("slice", {"starts": (0, 3, 0), "sizes": (2, 4, 3), "steps": (1, -1, 1)}),
        ("windows", {"axes": (1,), "sizes": (2,), "steps": (1,), "dilations": (1,)}),
        ("pad", {"before": (0, 0, 0), "after": (0, 1, 0)}),
    ],
)
def test_what_would_show_more_than_there_is(name: str, attrs: dict[str, Any]) -> None:
    x = tensor("fp32", (2, 4, 3), (None, "n0", None))
    assert "axis 1, whose size is only bounded: 4~n0" in refused("E1403", name, x, **attrs)


def test_concat_and_broadcast_of_bounds_are_refused() -> None:
    x = tensor("fp32", (2, 4), (None, "n0"))
    assert "4~n0" in refused("E1403", "concat", x, x, axis=1)
    refused("E1403", "concat", x, tensor("fp32", (2, 4)), axis=0)
    one_ = tensor("fp32", (1,), ("n0",))
    assert "1~n0" in refused("E1403", "broadcast", one_, shape=(3,))


X = tensor("fp32", (2, 3))


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("reshape", {"shape": (5,)}),
        ("reshape", {"shape": (-2, -3)}),
        ("reshape", {"shape": (2, 3, *[1] * 31)}),
        ("transpose", {"perm": (0,)}),
        ("transpose", {"perm": (0, 0)}),
        ("transpose", {"perm": (0, 2)}),
        ("broadcast", {"shape": (3,)}),
        ("broadcast", {"shape": (2, 4)}),
        ("slice", {"starts": (0,), "sizes": (1,), "steps": (1,)}),
        ("slice", {"starts": (0, 0), "sizes": (2, 4), "steps": (1, 1)}),
        ("slice", {"starts": (0, 0), "sizes": (2, 2), "steps": (1, 0)}),
        ("slice", {"starts": (0, 0), "sizes": (2, 2), "steps": (1, -1)}),
        ("slice", {"starts": (0, -1), "sizes": (2, 1), "steps": (1, 1)}),
        ("slice", {"starts": (0, 0), "sizes": (2, -1), "steps": (1, 1)}),
        ("slice", {"starts": (3, 0), "sizes": (0, 0), "steps": (1, 1)}),
        ("windows", {"axes": (1, 1), "sizes": (1, 1), "steps": (1, 1), "dilations": (1, 1)}),
        ("windows", {"axes": (1,), "sizes": (0,), "steps": (1,), "dilations": (1,)}),
        ("windows", {"axes": (1,), "sizes": (1, 1), "steps": (1,), "dilations": (1,)}),
        ("pad", {"before": (0, -1), "after": (0, 0)}),
        ("pad", {"before": (0,), "after": (0,)}),
        ("concat", {"axis": 2}),
    ],
)
def test_refusals(name: str, attrs: dict[str, Any]) -> None:
    refused("E1403", name, X, **attrs)


def test_refusals_of_operands() -> None:
    sides = {"before": (1, 0), "after": (0, 0)}
    refused("E1403", "pad", X, tensor("fp16"), **sides)
    refused("E1403", "pad", X, tensor("fp32", (1,)), **sides)
    refused("E1403", "pad", X, tensor("fp32"), mode="edge", **sides)
    refused("E1403", "pad", tensor("fp32", (0, 3)), mode="edge", **sides)
    refused("E1403", "concat", X, tensor("int32", (2, 3)), axis=0)
    refused("E1403", "concat", X, tensor("fp32", (2, 4)), axis=0)
    refused("E1403", "concat", X, tensor("fp32", (3,)), axis=0)
    refused("E1403", "concat", axis=0)
    refused("E1402", "concat", X, None, axis=0)
    refused("E1403", "iota", to="bool", shape=(3,), axis=0)
    refused("E1403", "iota", to="int8", shape=(), axis=0)
    refused("E1401", "iota", to="int8", shape=(3.0,), axis=0)


def test_results_that_are_too_large() -> None:
    side = 1 << 21
    assert "too large" in refused("E1403", "broadcast", X, shape=(LARGEST, 2, 3))
    refused("E1403", "iota", to="int8", shape=(0, 1 << 62), axis=0)
    refused("E1403", "pad", X, before=(1 << 60, 0), after=(0, 0))
    long = tensor("fp32", (side,))
    sizes = {"axes": (0,), "sizes": (side // 2,), "steps": (1,), "dilations": (1,)}
    assert "too large" in refused("E1403", "windows", tensor("fp32", (2 * side,)), **sizes)
    assert "too large" in refused("E1403", "add", tensor("fp32", (side, 1)), long)
    assert "too large" in refused("E1403", "gather", tensor("fp32", (1, side)),
                                  tensor("int8", (side,)), axis=0)  # fmt: skip
    assert "too many axes" in refused("E1403", "reshape", X, shape=(2, 3, *[1] * 31))
