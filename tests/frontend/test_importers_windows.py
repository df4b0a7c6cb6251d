"""Convolutions and poolings: pads, strides, dilations, old versions, what lies at the edge."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from frontend.compared import floats, names
from frontend.single import Single, agree, like_ort

NAN, INF = np.nan, np.inf

# ---- Conv ---------------------------------------------------------------------------------------
CONVS: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 9), (3, 2, 3), {"pads": [1, 2], "strides": [2]}),
    ((1, 2, 9), (3, 2, 3), {"auto_pad": "SAME_LOWER", "strides": [2]}),
    ((1, 2, 5, 7), (3, 2, 3, 2), {"pads": [0, 1, 2, 0]}),
    ((1, 2, 5, 7), (3, 2, 2, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((1, 2, 5, 7), (3, 2, 2, 2), {"auto_pad": "SAME_LOWER", "strides": [2, 3]}),
    ((1, 2, 5, 7), (3, 2, 1, 1), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}),
    ((1, 2, 5, 7), (3, 2, 2, 2), {"auto_pad": "VALID", "dilations": [2, 3]}),
    ((2, 4, 5, 7), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    ((2, 4, 5, 7), (4, 1, 3, 3), {"group": 4, "kernel_shape": [3, 3]}),
    ((1, 1, 4, 5, 6), (2, 1, 2, 3, 2), {"pads": [0, 1, 0, 1, 0, 1], "strides": [1, 2, 2]}),
]


@pytest.mark.parametrize(("x", "w", "attrs"), CONVS)
@pytest.mark.parametrize("opset", [7, 11, 22])
def test_conv(x: Any, w: Any, attrs: dict[str, Any], opset: int) -> None:
    like_ort(Single("Conv", [floats(*x), floats(*w)], attrs, opset))
    case = Single("Conv", [floats(*x), floats(*w), floats(w[0])], attrs, opset)
    like_ort(case)
    assert names(case.module()) == ["conv", "return"]


def test_same_pads_count_dilations() -> None:
    """As the operator is specified; onnxruntime refuses it."""
    case = Single("Conv", [floats(1, 1, 8), floats(1, 1, 3)], {"auto_pad": "SAME_UPPER"}, 11)
    case.attrs["dilations"] = [2]
    plain = Single("Conv", case.inputs, {"pads": [2, 2], "dilations": [2]}, 11)
    agree(case.run()[0], plain.run()[0])


@pytest.mark.parametrize(
    ("w", "attrs"),
    [
        ((2, 2, 3, 3), {"kernel_shape": [3, 2]}),
        ((2, 2, 3, 3), {"strides": [1]}),
        ((2, 2, 3, 3), {"strides": [0, 1]}),
        ((2, 2, 3, 3), {"pads": [1, 1]}),
        ((2, 2, 3, 3), {"pads": [-1, 0, 0, 0]}),
        ((2, 2, 3, 3), {"dilations": [1, 1, 1]}),
        ((2, 2, 3, 3), {"auto_pad": "SAME"}),
        ((2, 2, 3, 3), {"group": 3}),
        ((2, 1, 3, 3), {}),
        ((2, 2, 9, 9), {}),
        ((2, 2, 3), {}),
    ],
)
def test_conv_refuses(w: tuple[int, ...], attrs: dict[str, Any]) -> None:
    Single("Conv", [floats(1, 2, 5, 5), floats(*w)], attrs, 11).refused("E1304")


# ---- ConvTranspose ------------------------------------------------------------------------------
TURNED: list[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 5), (2, 3, 3), {"strides": [2], "pads": [1, 0]}),
    ((1, 2, 4, 5), (2, 3, 3, 2), {"strides": [2, 3], "output_padding": [1, 2]}),
    ((1, 2, 4, 5), (2, 3, 3, 2), {"dilations": [2, 1], "pads": [0, 1, 2, 0]}),
    ((1, 4, 4, 5), (4, 3, 2, 2), {"group": 2, "strides": [2, 2]}),
    ((1, 2, 4, 5), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 4, 5), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 2, 4, 5), (2, 3, 3, 3), {"strides": [2, 2], "auto_pad": "VALID"}),
    ((1, 2, 4, 5), (2, 3, 3, 3), {"strides": [2, 2], "output_shape": [8, 10]}),
    ((1, 2, 4, 5), (2, 3, 4, 4), {"strides": [2, 2], "output_shape": [7, 9]}),
    ((1, 2, 4, 5), (2, 3, 3, 3), {"strides": [2, 2], "output_shape": [10, 12],
                                  "output_padding": [1, 1]}),
    ((1, 2, 4, 5), (2, 3, 4, 4), {"strides": [2, 2], "output_shape": [7, 9],
                                  "auto_pad": "SAME_UPPER"}),
    ((1, 1, 3, 3, 3), (1, 2, 2, 2, 2), {"strides": [2, 2, 2], "pads": [1, 0, 0, 0, 1, 0]}),
]  # fmt: skip


@pytest.mark.parametrize(("x", "w", "attrs"), TURNED)
@pytest.mark.parametrize("opset", [7, 11, 22])
def test_conv_transpose(x: Any, w: Any, attrs: dict[str, Any], opset: int) -> None:
    like_ort(Single("ConvTranspose", [floats(*x), floats(*w)], attrs, opset))
    bias = floats(w[1] * attrs.get("group", 1))
    like_ort(Single("ConvTranspose", [floats(*x), floats(*w), bias], attrs, opset))


def test_same_sizes_are_strides_times_extents() -> None:
    """Also where the kernel does not reach so far: there is the bias. onnxruntime leaves it out."""
    x, w, bias = floats(1, 1, 3), np.ones((1, 1, 1), np.float32), np.array([5], np.float32)
    attrs = {"strides": [2], "auto_pad": "SAME_UPPER"}
    found = Single("ConvTranspose", [x, w, bias], attrs, 11).run()[0]
    expected = np.full((1, 1, 6), 5, np.float32)
    expected[..., ::2] += x
    agree(found, expected)


# ---- DeformConv ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"pads": [1, 0, 0, 1], "strides": [2, 1]},
        {"dilations": [2, 1], "pads": [1, 1, 1, 1]},
        {"group": 2, "offset_group": 2},
    ],
)
def test_deform_conv(attrs: dict[str, Any]) -> None:
    group, parts = attrs.get("group", 1), attrs.get("offset_group", 1)
    pads, strides = attrs.get("pads", [0] * 4), attrs.get("strides", [1, 1])
    apart = attrs.get("dilations", [1, 1])
    spans = [2 * apart[0] + 1, apart[1] + 1]
    places = [(6 + pads[i] + pads[2 + i] - spans[i]) // strides[i] + 1 for i in range(2)]
    x, w = floats(2, 4, 6, 6), floats(2, 4 // group, 3, 2)
    offset, mask = floats(2, parts * 12, *places), floats(2, parts * 6, *places)
    for more in ([], [floats(2)], [floats(2), mask], [None, mask]):
        like_ort(Single("DeformConv", [x, w, offset, *more], attrs, 19))


def test_taps_outside_of_the_image_are_zero() -> None:
    """Whatever is at its edge."""
    x, w = np.full((1, 1, 3, 3), 1, np.float32), np.ones((1, 1, 1, 1), np.float32)
    x[0, 0, 0, 0] = INF
    offset = np.zeros((1, 2, 3, 3), np.float32)
    offset[0, :, 0, 0] = -5
    found = Single("DeformConv", [x, w, offset], opset=19).run()[0]
    assert found[0, 0, 0, 0] == 0
    Single("DeformConv", [x, w, offset[:, :, :2]], opset=19).refused("E1304")
    Single("DeformConv", [x, w, offset[:, :1]], opset=19).refused("E1304")


# ---- poolings -----------------------------------------------------------------------------------
POOLS: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 2, 9), {"kernel_shape": [3]}),
    ((1, 2, 9), {"kernel_shape": [3], "strides": [2], "pads": [1, 2]}),
    ((1, 2, 7, 8), {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 1, 2, 0]}),
    ((1, 2, 7, 8), {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 7, 8), {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "SAME_LOWER"}),
    ((1, 2, 7, 8), {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "VALID"}),
    ((1, 1, 4, 5, 6), {"kernel_shape": [2, 3, 2], "strides": [2, 1, 3]}),
]
CEIL: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 1, 5), {"kernel_shape": [2], "strides": [2]}),
    ((1, 1, 5), {"kernel_shape": [1], "strides": [3], "pads": [0, 0]}),
    ((1, 1, 4), {"kernel_shape": [2], "strides": [3], "pads": [0, 1]}),
    ((1, 1, 4, 6), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((1, 1, 6, 5), {"kernel_shape": [3, 2], "strides": [2, 3], "auto_pad": "VALID"}),
]
APART: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((1, 1, 9), {"kernel_shape": [3], "dilations": [2], "pads": [1, 1]}),
    ((1, 2, 7, 8), {"kernel_shape": [2, 3], "dilations": [3, 2], "strides": [1, 2]}),
]


def pools(op: str, opset: int) -> list[tuple[tuple[int, ...], dict[str, Any]]]:
    """What an operator has at an opset."""
    since = {"AveragePool": (10, 19), "MaxPool": (10, 10), "LpPool": (18, 18)}[op]
    ceil = [(shape, {**attrs, "ceil_mode": 1}) for shape, attrs in CEIL]
    return [*POOLS, *(ceil if opset >= since[0] else []), *(APART if opset >= since[1] else [])]


@pytest.mark.parametrize("opset", [7, 10, 11, 19, 22])
def test_average_pool(opset: int) -> None:
    for shape, attrs in pools("AveragePool", opset):
        for count in (0, 1):
            more = {**attrs, "count_include_pad": count}
            like_ort(Single("AveragePool", [floats(*shape)], more, opset))


@pytest.mark.parametrize("opset", [8, 10, 11, 12, 22])
@pytest.mark.parametrize("order", [0, 1])
def test_max_pool_and_where_it_is(opset: int, order: int) -> None:
    for shape, attrs in pools("MaxPool", opset):
        for x in (floats(*shape), np.round(floats(*shape))):
            more = {**attrs, "storage_order": order}
            like_ort(Single("MaxPool", [x], more, opset, outputs=2))


@pytest.mark.parametrize("power", [1, 2, 3, 4])
@pytest.mark.parametrize("opset", [7, 18, 22])
def test_lp_pool(power: int, opset: int) -> None:
    for shape, attrs in pools("LpPool", opset):
        like_ort(Single("LpPool", [floats(*shape)], {**attrs, "p": power}, opset), 1e-4)


def test_average_pool_of_opset_6() -> None:
    """Version 1: pads do not count."""
    x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 4)
    found = Single("AveragePool", [x], {"kernel_shape": [2], "pads": [1, 1]}, 6).run()[0]
    agree(found, np.array([[[1, 1.5, 2.5, 3.5, 4]]], np.float32))
    found = Single("MaxPool", [x], {"kernel_shape": [2], "pads": [1, 1]}, 6).run()[0]
    agree(found, np.array([[[1, 2, 3, 4, 4]]], np.float32))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.float16, ml_dtypes.bfloat16])
def test_max_pool_of_other_types(dtype: Any) -> None:
    x = np.array([[[-100, -120, -3, -7]]]).astype(np.int8).astype(dtype)
    attrs = {"kernel_shape": [2], "pads": [1, 1]}
    found, where = Single("MaxPool", [x], attrs, 22, outputs=2).run()
    pairs = np.stack([x[0, 0, [0, 0, 1, 2, 3]], x[0, 0, [0, 1, 2, 3, 3]]])
    agree(found, pairs.max(0).reshape(1, 1, 5))
    assert where.dtype == np.int64


def test_max_pool_takes_the_first_of_equals_and_nan() -> None:
    x = np.array([[[1, 1, 0, NAN, 2, NAN]]], np.float32)
    found, where = Single("MaxPool", [x], {"kernel_shape": [3]}, 12, outputs=2).run()
    agree(found, np.array([[[1, NAN, NAN, NAN]]], np.float32))
    agree(where, np.array([[[0, 3, 3, 3]]], np.int64))


def test_windows_over_infinities_stay_where_they_are() -> None:
    x = np.array([[[INF, 1, 2, 3]]], np.float32)
    found = Single("AveragePool", [x], {"kernel_shape": [2]}, 11).run()[0]
    agree(found, np.array([[[INF, 1.5, 2.5]]], np.float32))


@pytest.mark.parametrize(
    "attrs",
    [
        {},
        {"kernel_shape": [3]},
        {"kernel_shape": [0, 1]},
        {"kernel_shape": [9, 1]},
        {"kernel_shape": [2, 2], "pads": [1]},
        {"kernel_shape": [2, 2], "strides": [0, 0]},
        {"kernel_shape": [2, 2], "auto_pad": "ALL"},
    ],
)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool", "LpPool"])
def test_poolings_refuse(op: str, attrs: dict[str, Any]) -> None:
    Single(op, [floats(1, 1, 4, 4)], attrs, 22).refused("E1304")


# ---- over everything ----------------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 5), (1, 2, 2, 3, 4), (1, 2, 1, 1)])
def test_global_poolings(shape: tuple[int, ...]) -> None:
    x = floats(*shape)
    like_ort(Single("GlobalAveragePool", [x], opset=22))
    like_ort(Single("GlobalMaxPool", [x], opset=22))
    axes = tuple(range(2, len(shape)))
    for power in (1, 2, 3):
        norm = (np.abs(x).astype(np.float64) ** power).sum(axes, keepdims=True) ** (1 / power)
        found = Single("GlobalLpPool", [x], {"p": power}, 22).run()[0]
        agree(found, norm.astype(np.float32), 1e-5)


def test_global_poolings_of_halves_do_not_overflow() -> None:
    x = np.full((1, 1, 100, 100), 60, np.float16)
    agree(
        Single("GlobalAveragePool", [x], opset=22).run()[0], np.full((1, 1, 1, 1), 60, np.float16)
    )
    x[0, 0, 3, 3] = NAN
    assert np.isnan(Single("GlobalMaxPool", [x], opset=22).run()[0]).all()
    Single("GlobalAveragePool", [floats(2, 3)], opset=22).refused("E1304")
