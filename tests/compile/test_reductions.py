"""Reductions whose rows no tile holds, or that are too few to deal over tiles; groups with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compile.checks import checked
from compile.single import Kind, module, one

TARGETS = ("mini", "maia200")

#: Sums of 10^5 numbers in fp32, 32 of them at a time, beside the largest sum.
BOUND = 3e-6


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((100003,), (0,)),
        ((3, 50021), (1,)),
        ((40, 20001), (1,)),
        ((20001, 40), (0,)),
        ((6, 20, 30, 50), (0, 2, 3)),
        ((6, 20, 30, 50), (1, 3)),
    ],
)
def test_sums(shape: Sequence[int], axes: Sequence[int], target: str) -> None:
    for whole in (False, True):
        graph = one("rsum", ("fp32", shape), axes=tuple(axes), keep=False)
        case = checked(graph, target, whole=whole)
        assert case.same() if whole else case.error() < BOUND


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("rmax", "fp32"),
        ("rmin", "bf16"),
        ("rmax", "int64"),
        ("rmin", "int64"),
        ("rmin", "uint8"),
        ("rmax", "bool"),
        ("rmin", "bool"),
        ("rprod", "int32"),
        ("rsum", "int8"),
        ("rsumsq", "int32"),
        ("rmax", "e4m3"),
    ],
)
def test_types(name: str, dtype: str) -> None:
    for shape, axis in (((5, 30011), 1), ((30011, 2), 0)):
        assert checked(one(name, (dtype, shape), axes=(axis,), keep=True), whole=True).same()


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint32", "int64", "uint64"])
def test_numbers_on_one_side_of_what_is_outside(dtype: str) -> None:
    x = np.random.default_rng(0).integers(5, 9, (5, 30011)).astype(dtype)
    for name in ("rmin", "rmax"):
        graph = one(name, (dtype, x.shape), axes=(1,), keep=False)
        assert checked(graph, inputs={"x0": x}).same()
        if not dtype.startswith("u"):
            graph = one(name, (dtype, x.shape), axes=(1,), keep=False)
            assert checked(graph, inputs={"x0": -x}).same()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_positions(name: str, dtype: str, last: bool) -> None:
    for shape, axis in (((3, 30011), 1), ((30011, 3), 0), ((5, 7), 1)):
        graph = one(name, (dtype, shape), axis=axis, keep=False, last=last)
        assert checked(graph, whole=True).same()


def _softmax(b: Any, x: Any) -> Any:
    return b("softmax", x, axis=1)


def _norm(b: Any, x: Any, scale: Any, shift: Any) -> Any:
    return b("layer_norm", x, scale, shift, axis=1, eps=1e-5)


def _centred(b: Any, x: Any) -> Any:
    return b("mul", b("sub", x, b("rsum", x, axes=(1,), keep=True)), x)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("shape", "build", "inputs"),
    [
        ((4, 5000), _softmax, 1),
        ((3, 50021), _softmax, 1),
        ((3, 1500, 7), _softmax, 1),
        ((4, 5000), _norm, 3),
        ((7, 12345), _centred, 1),
    ],
)
def test_groups_that_do_not_fit(shape: Sequence[int], build: Any, inputs: int, target: str) -> None:
    kinds: list[Kind] = [("fp32", shape), *[("fp32", shape[1:])] * (inputs - 1)]
    assert checked(module(kinds, build), target).error() < BOUND


def test_a_tall_group() -> None:
    graph = module([("fp32", (5000, 12))], lambda b, x: b("softmax", x, axis=0))
    assert checked(graph).error() < BOUND


@pytest.mark.parametrize("size", [1, 35, 36, 72])
def test_small_values_between_kernels(size: int) -> None:
    # They live in every cluster's memory, and each tile writes its part into all of them.
    def first(b: Any, x: Any) -> Any:
        return b.many("topk", b("exp", x), axis=0, k=1)

    assert checked(module([("fp32", (size,))], first), "maia200").error() < BOUND
