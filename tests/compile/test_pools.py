"""Pools on both targets: kernels, strides, dilations, pads, ranks, types, special numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compile.checks import checked
from compile.single import module, one
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Module

TARGETS = ("mini", "maia200")

#: Shape, kernel, strides, pads, dilations, sizes.
SHAPES: dict[str, tuple[tuple[int, ...], ...]] = {
    "line": ((2, 5, 13), (4,), (3,), (2, 2), (1,), (5,)),
    "plane": ((2, 5, 13, 11), (3, 2), (2, 1), (1, 0, 1, 1), (2, 3), (5, 9)),
    "beyond": ((1, 3, 9, 8), (3, 3), (2, 2), (1, 1, 1, 1), (1, 1), (7, 6)),
    "cube": ((2, 3, 6, 5, 7), (3, 3, 2), (2, 2, 3), (1, 1, 1, 1, 1, 2), (1, 1, 2), (3, 3, 3)),
    "tiles": ((1, 7, 61, 67), (3, 3), (2, 2), (0, 0, 1, 1), (1, 1), (30, 33)),
    "whole": ((2, 33, 7, 7), (7, 7), (1, 1), (0, 0, 0, 0), (1, 1), (1, 1)),
    "one": ((1, 1, 3, 3), (1, 1), (2, 2), (0, 0, 0, 0), (1, 1), (2, 2)),
    "same": ((1, 2, 3, 4), (1, 1), (1, 1), (0, 0, 0, 0), (1, 1), (3, 4)),
}


def pool(name: str, shape: str, dtype: str = "fp32", **more: Any) -> Module:
    """A module of a pool."""
    size, kernel, strides, pads, dilations, sizes = SHAPES[shape]
    attrs = {"kernel": kernel, "strides": strides, "pads": pads, "dilations": dilations}
    return one(name, (dtype, size), **attrs, sizes=sizes, **more)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape: str, target: str) -> None:
    assert checked(pool("pool_max", shape), target).same()
    assert checked(pool("pool_sum", shape), target, whole=True).same()
    for count_pad in (False, True) if target == "mini" else (True,):
        case = checked(pool("pool_avg", shape, count_pad=count_pad), target)
        assert case.error() < 1e-6


@pytest.mark.parametrize("shape", SHAPES)
def test_places_of_the_largest(shape: str) -> None:
    assert checked(pool("pool_argmax", shape), whole=True).same()


@pytest.mark.parametrize("dtype", ["fp16", "int8", "int64", "uint16"])
def test_places_of_types(dtype: str) -> None:
    assert checked(pool("pool_argmax", "beyond", dtype), "maia200", whole=True).same()


@pytest.mark.parametrize("dtype", ["bf16", "fp16", "e4m3", "int8", "uint8", "int32", "int64"])
def test_types(dtype: str) -> None:
    assert checked(pool("pool_max", "plane", dtype), whole=True).same()
    if not dtype.startswith("e"):
        assert checked(pool("pool_sum", "plane", dtype), whole=True).same()
    if dtype == "bf16":
        assert checked(pool("pool_avg", "plane", dtype)).same()


@pytest.mark.parametrize("name", ["pool_max", "pool_argmax", "pool_avg"])
def test_special_numbers_and_empty_windows(name: str) -> None:
    inf, nan = np.inf, np.nan
    x = np.array([[-inf, -inf, 1, nan], [-inf, -inf, nan, 3], [0, 0, 5, 5], [2, 2, 5, 5]])
    attrs = {"kernel": (2, 2), "strides": (1, 1), "pads": (1, 1, 2, 3), "dilations": (1, 2)}
    graph = one(name, ("fp32", (1, 1, 4, 4)), **attrs, sizes=(6, 7))
    assert checked(graph, inputs={"x0": x.astype(np.float32)[None, None]}).same()


@pytest.mark.parametrize("target", TARGETS)
def test_more_axes_than_a_kernel_has(target: str) -> None:
    attrs = {"kernel": (2,) * 4, "strides": (1,) * 4, "pads": (1,) * 8, "dilations": (1,) * 4}
    kind = "fp32", (1, 2, 3, 4, 5, 6)
    sizes = 4, 5, 6, 7
    assert checked(one("pool_max", kind, **attrs, sizes=sizes), target).same()
    assert checked(one("pool_avg", kind, **attrs, sizes=sizes), target).error() < 1e-6
    with pytest.raises(IRError, match="E1505: pool_argmax"):
        checked(one("pool_argmax", kind, **attrs, sizes=sizes), target)


def test_windows_that_no_tile_holds() -> None:
    kind = "fp32", (1, 3, 150, 151)
    attrs = {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "sizes": (1, 1)}
    case = checked(one("pool_avg", kind, kernel=(150, 151), **attrs))
    assert case.error() < 1e-6
    assert len(case.compiled.placed.plan.kernels) > 1
    assert checked(one("pool_max", kind, kernel=(150, 151), **attrs)).same()


@pytest.mark.parametrize("target", TARGETS)
def test_views_and_neighbours(target: str) -> None:
    attrs = {"kernel": (2, 2), "strides": (2, 2), "pads": (0, 0, 0, 1), "dilations": (1, 1)}

    def graph(b: Any, x: Any) -> Any:
        turned = b("transpose", b("neg", x), perm=(0, 3, 1, 2))
        return b("relu", b("pool_max", turned, sizes=(4, 5), **attrs))

    assert checked(module([("fp32", (2, 8, 9, 3))], graph), target).same()
