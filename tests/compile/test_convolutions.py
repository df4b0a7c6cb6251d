"""Convolutions on both targets: groups, ranks, pads, kernels that no tile holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compile.checks import Case, checked
from compile.single import module
from maiacc_passes.ir.errors import IRError
from maiacc_passes.kernel.model import words_of

TARGETS = ("mini", "maia200")

#: Sums of so many products of normally distributed numbers, in fp32.
BOUND = 4e-6


def convolved(
    x: Sequence[int],
    w: Sequence[int],
    target: str = "mini",
    dtype: str = "fp32",
    name: str = "conv",
    whole: bool = False,
    followed: bool = False,
    **given: Any,
) -> Case:
    """A convolution with a bias, or a transposed one, compiled and run."""
    rank = len(x) - 2
    attrs = {"strides": (1,) * rank, "dilations": (1,) * rank, "pads": (0,) * 2 * rank, "groups": 1}
    channels = w[0]
    if name == "conv_transpose":
        attrs["out_pads"] = (0,) * rank
        channels = w[1] * given.get("groups", 1)

    def build(b: Any, *values: Any) -> Any:
        found = b(name, *values, **{**attrs, **given})
        return b("relu", found) if followed else found

    kinds = [(dtype, x), (dtype, w), (dtype, (channels,))]
    return checked(module(kinds, build), target, whole=whole)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("x", "w", "groups"),
    [
        ((2, 6, 9, 9), (6, 1, 3, 3), 6),
        ((2, 6, 9, 9), (12, 1, 3, 3), 6),
        ((2, 6, 9, 9), (12, 3, 3, 3), 2),
        ((1, 6, 9, 9), (2, 3, 3, 3), 2),
        ((1, 36, 14, 14), (36, 4, 3, 3), 9),
        ((2, 8, 21), (4, 2, 5), 4),
        ((1, 4, 5, 6, 7), (6, 2, 3, 3, 3), 2),
    ],
)
def test_groups(x: Sequence[int], w: Sequence[int], groups: int, target: str) -> None:
    pads = (1,) * 2 * (len(x) - 2)
    case = convolved(x, w, target, whole=True, groups=groups, pads=pads, followed=True)
    assert case.same()
    assert len(case.compiled.placed.plan.kernels) == 1


@pytest.mark.parametrize(
    ("target", "dtype"), [("mini", "fp32"), ("mini", "int8"), ("maia200", "bf16")]
)
@pytest.mark.parametrize(
    ("x", "w", "attrs"),
    [
        ((2, 37, 9, 11), (37, 1, 3, 3), {"pads": (1,) * 4, "strides": (2, 1)}),
        ((1, 5, 40, 41), (5, 1, 5, 3), {"dilations": (2, 3)}),
        ((3, 12, 50), (12, 1, 7), {"pads": (6, 0)}),
        ((1, 6, 5, 6, 7), (6, 1, 3, 2, 3), {"pads": (1,) * 6}),
        ((1, 12, 9, 9), (6, 2, 3, 3), {}),
        ((2, 3, 1, 1), (3, 1, 1, 1), {}),
    ],
)
def test_channels_of_their_own(
    x: Sequence[int], w: Sequence[int], attrs: dict[str, Any], target: str, dtype: str
) -> None:
    case = convolved(x, w, target, dtype, whole=True, followed=True, groups=w[0], **attrs)
    assert case.same()
    words = [word.kind for k in case.compiled.placed.plan.kernels for word in words_of(k.body)]
    assert "multiply" in words


def test_groups_of_more_channels_than_a_tile_holds() -> None:
    case = convolved((2, 8, 6, 6), (2048, 4, 3, 3), groups=2, pads=(1,) * 4, followed=True)
    assert case.error() < BOUND


def test_groups_of_integers() -> None:
    assert convolved((2, 6, 9, 9), (12, 3, 3, 3), dtype="int8", groups=2).same()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("x", "w", "attrs"),
    [
        ((2, 6, 20), (7, 6, 5), {"strides": (2,), "pads": (3, 3), "dilations": (2,)}),
        ((3, 5, 301), (33, 5, 7), {"strides": (3,), "pads": (0, 6)}),
        ((2, 3, 6, 7, 8), (4, 3, 3, 3, 3), {"pads": (1,) * 6}),
        ((1, 3, 16, 17, 18), (8, 3, 3, 3, 3), {"strides": (2, 1, 2), "pads": (1,) * 6}),
        ((5, 3, 4, 3, 5), (9, 3, 2, 1, 3), {"pads": (5,) * 6, "dilations": (1, 2, 2)}),
        ((1, 3, 1, 1), (4, 3, 1, 1), {"strides": (5, 5), "pads": (1, 0, 1, 0)}),
        ((1, 3, 2, 3), (4, 3, 2, 2), {"strides": (3, 2), "pads": (7, 4, 6, 9)}),
    ],
)
def test_ranks_and_pads(
    x: Sequence[int], w: Sequence[int], attrs: dict[str, Any], target: str
) -> None:
    assert convolved(x, w, target, whole=True, **attrs).same()


@pytest.mark.parametrize(
    ("x", "w", "pads"),
    [((1, 200, 8, 8), (30, 200, 5, 5), (2,) * 4), ((1, 4, 33, 33), (3, 4, 31, 31), (15,) * 4)],
)
def test_kernels_that_no_tile_holds(
    x: Sequence[int], w: Sequence[int], pads: tuple[int, ...]
) -> None:
    assert convolved(x, w, pads=pads).error() < BOUND


def test_axes_that_views_do_not_have() -> None:
    for name in ("conv", "conv_transpose"):
        with pytest.raises(IRError, match=f"E1505: {name}"):
            convolved((1, 2, 3, 3, 3, 3), (2, 2, 2, 2, 2, 2), name=name)


#: Shapes of x and of the kernel, and attributes.
TRANSPOSED: list[tuple[Sequence[int], Sequence[int], dict[str, Any]]] = [
    ((2, 3, 5, 6), (3, 4, 3, 3), {"strides": (2, 2), "pads": (1,) * 4, "out_pads": (1, 0)}),
    ((2, 3, 5, 6), (3, 4, 2, 2), {"strides": (2, 2)}),
    ((2, 3, 5, 6), (3, 4, 3, 3), {}),
    ((2, 3, 5), (3, 4, 3), {"strides": (3,), "dilations": (2,), "pads": (2, 1)}),
    ((2, 3, 5), (3, 4, 2), {"strides": (4,), "dilations": (2,), "out_pads": (2,)}),
    ((1, 4, 3, 5, 4), (4, 2, 3, 2, 3), {"strides": (2, 3, 1), "dilations": (1, 1, 2)}),
    ((2, 4, 5, 6), (4, 2, 3, 3), {"strides": (2, 2), "pads": (1,) * 4, "groups": 2}),
    ((2, 4, 5, 6), (4, 1, 3, 3), {"strides": (2, 2), "pads": (4, 4, 1, 1), "groups": 4}),
    ((2, 4, 5, 6), (4, 2, 3, 3), {"strides": (2, 2), "groups": 4}),
    ((1, 3, 4, 5), (3, 5, 5, 7), {"strides": (2, 4), "dilations": (3, 2), "out_pads": (1, 3)}),
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("x", "w", "attrs"), TRANSPOSED)
def test_transposed(x: Sequence[int], w: Sequence[int], attrs: dict[str, Any], target: str) -> None:
    assert convolved(x, w, target, name="conv_transpose", whole=True, **attrs).same()


def test_transposed_where_each_group_has_a_kernel() -> None:
    attrs: dict[str, Any] = {
        "strides": (2,) * 3,
        "dilations": (2, 1, 1),
        "pads": (0, 5, 0, 1, 0, 2),
        "groups": 3,
    }
    shapes = (3, 3, 1, 3, 5), (3, 2, 2, 3, 3)
    case = convolved(*shapes, "maia200", name="conv_transpose", whole=True, **attrs)
    assert case.same()


def test_transposed_with_constants() -> None:
    rng = np.random.default_rng(1)
    w = rng.standard_normal((16, 8, 4, 4)).astype(np.float32)
    attrs = {"strides": (2, 2), "pads": (1,) * 4, "dilations": (1, 1), "out_pads": (0, 0)}

    def graph(b: Any, x: Any) -> Any:
        return b("relu", b("conv_transpose", x, b.constant(w), groups=1, **attrs))

    for target in TARGETS:
        assert checked(module([("fp32", (2, 16, 9, 8))], graph), target).error() < BOUND
