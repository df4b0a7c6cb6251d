"""Resize and Upsample: versions, ways to place coordinates, ties, edges, sizes."""

from __future__ import annotations

import itertools
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from frontend.compared import floats, model_of, names, node, run
from frontend.single import Single, agree, like_ort
from maiacc_isa.errors import ErrorList

NONE = np.zeros(0, np.float32)
TRANSFORMS = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"]
TIES = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]


def by_scales(x: Any, scales: Any, opset: int = 13, **attrs: Any) -> Single:
    return Single("Resize", [x, NONE, np.array(scales, np.float32)], attrs, opset, static=(1, 2))


def by_sizes(x: Any, sizes: Any, opset: int = 13, **attrs: Any) -> Single:
    scales, static = (NONE, (1, 2, 3)) if opset < 13 else (None, (1, 3))
    inputs = [x, NONE, scales, np.array(sizes, np.int64)]
    return Single("Resize", inputs, attrs, opset, static=static)


def like_reference(case: Single, rtol: float = 1e-5) -> None:
    """As ONNX's own evaluator, where onnxruntime does otherwise."""
    (expected,) = ReferenceEvaluator(case.model()).run(None, case.feeds)
    agree(case.run()[0], expected, rtol, 1e-6)


# ---- nearest ------------------------------------------------------------------------------------
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("ties", TIES)
def test_nearest(transform: str, ties: str) -> None:
    attrs: dict[str, Any] = {"coordinate_transformation_mode": transform, "nearest_mode": ties}
    x = floats(1, 2, 4, 5)
    for sizes in [(8, 10), (2, 3), (3, 9), (1, 1), (4, 5), (12, 1)]:
        like_ort(by_sizes(x, (1, 2, *sizes), **attrs))
    for scales in [(2, 3), (0.5, 0.6), (1.5, 0.45)]:
        # onnxruntime computes coordinates in fp32, which decides ties otherwise.
        like_reference(by_scales(x, (1, 1, *scales), **attrs))


def test_nearest_moves_bits_of_any_type() -> None:
    for dtype in (np.bool_, np.int64, np.uint8, np.float16, ml_dtypes.bfloat16, np.float64):
        x = (np.arange(6).reshape(1, 1, 2, 3) % 5).astype(dtype)
        found = by_scales(x, (1, 1, 2, 2), coordinate_transformation_mode="asymmetric",
                          nearest_mode="floor").run()[0]  # fmt: skip
        agree(found, x.repeat(2, 2).repeat(2, 3))
    big = np.array([[[[2**62 + 1, -(2**62) - 1]]]])
    agree(by_scales(big, (1, 1, 1, 2)).run()[0], big.repeat(2, 3))


def test_regular_choices_are_views() -> None:
    x = floats(1, 2, 4, 6)
    grown = by_scales(x, (1, 1, 2, 3))
    assert set(names(grown.module())) == {"reshape", "broadcast", "return"}
    shrunk = by_scales(x, (1, 1, 0.5, 0.5), coordinate_transformation_mode="asymmetric")
    assert set(names(shrunk.module())) == {"slice", "return"}
    same = by_sizes(x, (1, 2, 4, 6), mode="linear")
    assert names(same.module()) == ["return"]


# ---- linear and cubic ---------------------------------------------------------------------------
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("opset", [11, 13, 19])
def test_between_elements(transform: str, mode: str, opset: int) -> None:
    x = floats(1, 1, 4, 5)
    attrs: dict[str, Any] = {"coordinate_transformation_mode": transform, "mode": mode}
    for sizes in [(8, 10), (2, 3), (3, 9), (1, 1)]:
        like_ort(by_sizes(x, (1, 1, *sizes), opset, **attrs), 1e-5, 1e-5)
    case = by_scales(x, (1, 1, 1.6, 0.6), opset, **attrs)
    like_reference(case) if transform == "align_corners" else like_ort(case, 1e-5, 1e-5)


@pytest.mark.parametrize("cubic", [-0.75, -0.5])
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("antialias", [0, 1])
def test_cubic_kernels(cubic: float, exclude: int, antialias: int) -> None:
    attrs = {"cubic_coeff_a": cubic, "exclude_outside": exclude, "antialias": antialias}
    for sizes in [(9, 9), (2, 3), (5, 1)]:
        like_reference(by_sizes(floats(1, 2, 6, 7), (1, 2, *sizes), 18, mode="cubic", **attrs))


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialias_where_an_axis_shrinks(mode: str) -> None:
    for scales in [(0.5, 0.6), (0.3, 2.0), (0.25, 0.9)]:
        like_reference(by_scales(floats(1, 1, 8, 9), (1, 1, *scales), 18, mode=mode, antialias=1))


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_half_pixel_symmetric(mode: str) -> None:
    attrs: Any = {"mode": mode, "coordinate_transformation_mode": "half_pixel_symmetric"}
    for scales in [(1.6, 0.7), (0.6, 2.3)]:
        like_reference(by_scales(floats(1, 1, 4, 5), (1, 1, *scales), 19, **attrs))


def test_one_element_of_pytorch_half_pixel_is_the_first() -> None:
    x = floats(1, 1, 1, 4)
    attrs: Any = {"coordinate_transformation_mode": "pytorch_half_pixel", "mode": "cubic"}
    agree(by_scales(x, (1, 1, 1, 0.3), **attrs).run()[0], x[..., :1])


def test_an_infinity_stays_where_it_is() -> None:
    x = np.array([[[1, 2, np.inf, 4, 5]]], np.float32)
    found = by_sizes(x, (1, 1, 10), mode="linear").run()[0]
    np.testing.assert_array_equal(np.isfinite(found)[0, 0], [1, 1, 1, 0, 0, 0, 0, 1, 1, 1])


def test_axes_may_be_any() -> None:
    x = floats(3, 4, 5)
    whole = by_sizes(x, (2, 4, 8), 18, mode="linear").run()[0]
    agree(by_sizes(x, (8, 2), 18, mode="linear", axes=[2, -3]).run()[0], whole, 1e-5, 1e-7)
    deep = by_scales(floats(1, 1, 2, 3, 4), (1, 1, 2, 1.5, 0.5), mode="linear")
    like_ort(deep)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32])
def test_integers_are_rounded_and_saturated(dtype: Any) -> None:
    info = np.iinfo(np.uint8 if dtype == np.uint8 else np.int8)
    x = np.array([[[info.min, info.min, info.max, info.max, 3]]], dtype)
    for mode in ("linear", "cubic"):
        like_reference(by_sizes(x, (1, 1, 11), mode=mode), 0)
    Single("Resize", [x > 0, NONE, np.array([1, 1, 2], np.float32)], {"mode": "linear"}, 13,
           static=(1, 2)).refused("E1303")  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_narrow_floats_are_rounded_once(dtype: Any, mode: str) -> None:
    x = floats(1, 1, 4, 5).astype(dtype)
    wide = by_sizes(x.astype(np.float32), (1, 1, 7, 3), mode=mode).run()[0]
    agree(by_sizes(x, (1, 1, 7, 3), mode=mode).run()[0], wide.astype(dtype))


# ---- regions ------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_crops_reach_over_the_edge(mode: str) -> None:
    x = floats(1, 1, 4, 5)
    for region in [(0.25, 0.1, 0.72, 0.9), (-0.2, 0.5, 1.3, 1.5), (0.5, 0.9, 0.5, 0.1)]:
        roi = np.array([0, 0, *region[:2], 1, 1, *region[2:]], np.float32)
        attrs = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize",
                 "extrapolation_value": 10.0}  # fmt: skip
        for sizes in [(3, 3), (6, 1), (1, 7)]:
            inputs = [x, roi, NONE, np.array([1, 1, *sizes], np.int64)]
            like_reference(Single("Resize", inputs, attrs, 11, static=(1, 2, 3)))


def test_what_decides_sizes_has_to_be_known() -> None:
    x, roi = floats(1, 1, 4, 5), np.array([0, 0, 0, 0, 1, 1, 1, 1], np.float32)
    scales = np.array([1, 1, 2, 2], np.float32)
    Single("Resize", [x, NONE, scales], {}, 13, static=(1,)).refused("E1306")
    crop = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    Single("Resize", [x, roi, scales], crop, 13, static=(2,)).refused("E1306")
    # A region that nobody looks at need not be known.
    agree(
        Single("Resize", [x, roi, scales], {}, 13, static=(2,)).run()[0],
        x.repeat(2, 2).repeat(2, 3),
    )


# ---- sizes --------------------------------------------------------------------------------------
def test_sizes_are_products_in_fp32() -> None:
    """0.7 in fp32 is less than 0.7, but ten times that is 7 in fp32."""
    for extent, scale in [(10, 0.7), (5, 0.6), (3, 1 / 3), (7, 2.3), (100, 0.29)]:
        x = floats(1, 1, extent)
        case = by_scales(x, (1, 1, scale))
        assert case.run()[0].shape == case.ort()[0].shape


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
@pytest.mark.parametrize("sizes", [(7, 8), (3, 9), (2, 2), (5, 1)])
def test_policies_keep_the_ratio(policy: str, sizes: tuple[int, int]) -> None:
    attrs = {"axes": [2, 3], "keep_aspect_ratio_policy": policy}
    like_reference(by_sizes(floats(1, 1, 4, 6), sizes, 18, mode="linear", **attrs))


def test_an_empty_axis_stays_empty() -> None:
    x = floats(1, 0, 2)
    assert by_scales(x, (1, 1, 2), mode="linear").run()[0].shape == (1, 0, 4)
    assert by_scales(floats(1, 1, 2), (1, 1, 0.3), mode="linear").run()[0].shape == (1, 1, 0)


@pytest.mark.parametrize(
    "case",
    [
        by_scales(floats(1, 2), (1, -1)),
        by_scales(floats(1, 2), (1, 1, 2)),
        by_scales(floats(1, 2), (1, np.nan)),
        by_scales(floats(1, 2), (1, 2), mode="bilinear"),
        by_scales(floats(1, 2), (1, 2), nearest_mode="round"),
        by_scales(floats(1, 2), (1, 2), coordinate_transformation_mode="pixel"),
        by_scales(floats(1, 2), (1, 2), 18, antialias=1),
        by_sizes(floats(1, 2), (1, -2)),
        by_sizes(floats(1, 2), (1, 2), 18, axes=[1, 1]),
        by_sizes(floats(1, 2), (1, 2), 18, axes=[0, 2]),
        by_sizes(floats(1, 2), (1, 2), 18, keep_aspect_ratio_policy="yes"),
        by_sizes(floats(1, 0), (1, 2)),
        Single("Resize", [floats(1, 2), NONE], {}, 13, static=(1,)),
    ],
)
def test_resize_refuses(case: Single) -> None:
    case.refused("E1304")


def test_tables_of_huge_sizes_are_not_made() -> None:
    by_sizes(floats(1, 2), (1, 1 << 40), mode="linear").refused("E1308")


# ---- older operators ------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_resize_of_opset_10_takes_the_next_one_where_it_shrinks(mode: str) -> None:
    x = floats(1, 1, 4, 5)
    for pair in itertools.product((0.5, 0.6, 1.0, 1.5, 2.0, 2.7), repeat=2):
        scales = np.array([1, 1, *pair], np.float32)
        like_ort(Single("Resize", [x, scales], {"mode": mode}, 10, static=(1,)))


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_upsample(mode: str) -> None:
    x = floats(1, 2, 3, 4)
    for pair in [(1, 2), (2, 3), (1.5, 1), (2.7, 1.3)]:
        scales = [1.0, 1.0, *map(float, pair)]
        like_ort(Single("Upsample", [x], {"mode": mode, "scales": scales}, 7))
        inputs = [x, np.array(scales, np.float32)]
        like_ort(Single("Upsample", inputs, {"mode": mode}, 9, static=(1,)))


def test_sizes_from_shapes_are_computed_while_importing() -> None:
    x, y = floats(1, 1, 4, 5), floats(1, 1, 8, 15)
    nodes = [node("Shape", "y", "s"), node("Resize", "x - - s", "z", mode="linear")]
    model = model_of(nodes, {"x": x, "y": y}, ["z"], opset=13)
    assert run(model, {"x": x, "y": y})[0].shape == (1, 1, 8, 15)
    bad = [node("NonZero", "y", "s"), node("Resize", "x - - s", "z", mode="linear")]
    with pytest.raises(ErrorList):
        run(model_of(bad, {"x": x, "y": y}, ["z"], opset=13), {"x": x, "y": y})
