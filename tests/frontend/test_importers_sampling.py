"""Reading between elements: grids, and regions of interest."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from frontend.compared import floats, model_of, names, node, ort, rng, run
from frontend.single import Single, agree, like_ort
from maiacc_passes.ir.errors import IRError

PADDINGS = ["zeros", "border", "reflection"]


# ---- GridSample -----------------------------------------------------------------------------------
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("corners", [0, 1])
@pytest.mark.parametrize(("opset", "mode"), [
    (16, "nearest"), (16, "bilinear"), (16, "bicubic"), (20, "linear"), (22, "cubic"),
])  # fmt: skip
def test_grids(padding: str, corners: int, opset: int, mode: str) -> None:
    attrs = {"mode": mode, "padding_mode": padding, "align_corners": corners}
    x = floats(2, 2, 4, 5)
    for spread in (0.6, 1.5, 4):
        grid = floats(2, 3, 3, 2) * np.float32(spread)
        case = Single("GridSample", [x, grid], attrs, opset)
        if padding == "border" and "cubic" in mode:
            # onnxruntime moves elements, not places; the evaluator knows newer names only.
            case = Single("GridSample", [x, grid], {**attrs, "mode": "cubic"}, 20)
            (expected,) = ReferenceEvaluator(case.model()).run(None, case.feeds)
            agree(Single("GridSample", [x, grid], attrs, opset).run()[0], expected, 1e-4, 1e-5)
        else:
            like_ort(case, 1e-4, 1e-5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("padding", PADDINGS)
def test_grids_in_space(mode: str, padding: str) -> None:
    attrs = {"mode": mode, "padding_mode": padding}
    x, grid = floats(1, 2, 3, 4, 5), floats(1, 2, 3, 2, 3)
    like_ort(Single("GridSample", [x, grid], attrs, 20), 1e-4, 1e-5)


def test_grids_on_a_line() -> None:
    x = np.array([[[0, 10, 20, 30]]], np.float32)
    grid = np.array([-1, -0.5, 0, 1 / 3, 1, 2], np.float32).reshape(1, 6, 1)
    found = Single("GridSample", [x, grid], {"align_corners": 1}, 20).run()[0]
    agree(found, np.array([[[0, 7.5, 15, 20, 30, 0]]], np.float32), 1e-5)


def test_nearest_is_the_even_one_of_two() -> None:
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)
    grid = np.zeros((1, 1, 3, 2), np.float32)
    grid[0, 0, :, 0] = [-2 / 3, 0, 2 / 3]
    attrs = {"mode": "nearest", "align_corners": 1}
    agree(
        Single("GridSample", [x, grid], attrs, 16).run()[0], np.array([[[[0, 2, 2]]]], np.float32)
    )


def test_an_axis_of_one_element_reflects_to_it() -> None:
    x, grid = np.full((1, 1, 1, 3), 5, np.float32), floats(1, 2, 2, 2) * 3
    attrs = {"padding_mode": "reflection", "align_corners": 1}
    agree(Single("GridSample", [x, grid], attrs, 16).run()[0], np.full((1, 1, 2, 2), 5, np.float32))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_grids_that_are_no_places(padding: str, value: float) -> None:
    """Whatever is read lies in the image, or there is nothing."""
    grid = np.full((1, 1, 1, 2), value, np.float32)
    for mode in ("nearest", "linear", "cubic"):
        attrs = {"padding_mode": padding, "mode": mode}
        found = Single("GridSample", [np.ones((1, 1, 3, 3), np.float32), grid], attrs, 20).run()[0]
        assert found.shape == (1, 1, 1, 1)


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.float16, np.float64])
def test_images_of_other_types(dtype: Any) -> None:
    x, grid = (floats(1, 1, 4, 4) * 50 + 100).astype(dtype), floats(1, 3, 3, 2)
    for mode in ("nearest", "linear"):
        found = Single("GridSample", [x, grid], {"mode": mode}, 20).run()[0]
        wide = Single("GridSample", [x.astype(np.float64), grid], {"mode": mode}, 20).run()[0]
        assert found.dtype == dtype
        assert np.abs(found.astype(np.float64) - wide).max() <= (1 if dtype != np.float16 else 0.2)


def test_grid_sample_refuses() -> None:
    x, grid = floats(1, 1, 4, 4), floats(1, 3, 3, 2)
    for attrs in ({"mode": "quadratic"}, {"padding_mode": "wrap"}):
        Single("GridSample", [x, grid], attrs, 20).refused("E1304")
    for other in (floats(1, 3, 3, 3), floats(1, 3, 2), floats(2, 3, 3, 2)):
        Single("GridSample", [x, other], {}, 20).refused("E1304")


# ---- RoiAlign -------------------------------------------------------------------------------------
def regions(count: int, seed: int = 0) -> Any:
    """Regions of an image of 6 x 5: inside, over its edges, and turned inside out."""
    corners = rng(seed).uniform(-3, 7, (count, 2))
    sizes = rng(seed + 1).uniform(-0.5, 9, (count, 2))
    return np.concatenate([corners, corners + sizes], 1).astype(np.float32)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("ratio", [0, 1, 2])
@pytest.mark.parametrize("images", [1, 3])
def test_roi_align(mode: str, ratio: int, images: int) -> None:
    which = np.arange(8) % images
    for opset, how in [(10, None), (16, "half_pixel"), (16, "output_half_pixel")]:
        attrs = {"mode": mode, "sampling_ratio": ratio, "output_height": 3, "output_width": 2}
        attrs |= {} if how is None else {"coordinate_transformation_mode": how}
        for scale in (1.0, 0.5):
            inputs = [floats(images, 2, 6, 5), regions(8), which]
            case = Single("RoiAlign", inputs, {**attrs, "spatial_scale": scale}, opset)
            like_ort(case, 1e-4, 1e-5)


@pytest.mark.parametrize("mode", ["avg", "max"])
def test_adaptive_regions_far_larger_than_the_image(mode: str) -> None:
    """Only samples near the image count, however many there are."""
    rois = np.array([[-1000, -900, 1200, 800], [2, 2, 2, 2], [-50, 1, -40, 3]], np.float32)
    attrs = {"mode": mode, "output_height": 7, "output_width": 5}
    like_ort(Single("RoiAlign", [floats(1, 2, 6, 5), rois, np.zeros(3, np.int64)], attrs, 16), 1e-3)


def test_regions_whose_number_is_bounded() -> None:
    keep = np.array([1, 0, 1, 1, 0], np.bool_)
    for ratio, mode in [(0, "avg"), (0, "max"), (2, "avg")]:
        attrs: dict[str, Any] = {"sampling_ratio": ratio, "mode": mode}
        nodes = [
            node("NonZero", "keep", "at"),
            node("Squeeze", "at axes", "index"),
            node("Gather", "rois index", "some"),
            node("Gather", "images index", "which"),
            node("RoiAlign", "x some which", "y", output_height=2, output_width=2, **attrs),
        ]
        feeds = {"keep": keep, "x": floats(2, 2, 6, 5), "rois": regions(5),
                 "images": np.arange(5) % 2}  # fmt: skip
        model = model_of(nodes, feeds, ["y"], {"axes": np.array([0])}, 16)
        np.testing.assert_allclose(run(model, feeds)[0], ort(model, feeds)[0], 1e-4, 1e-5)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_regions_of_narrow_floats(dtype: Any) -> None:
    inputs = [floats(1, 2, 6, 5).astype(dtype), regions(4).astype(dtype), np.zeros(4, np.int64)]
    wide = [inputs[0].astype(np.float32), inputs[1].astype(np.float32), inputs[2]]
    attrs = {"output_height": 2, "output_width": 2}
    expected = Single("RoiAlign", wide, attrs, 22).run()[0]
    agree(Single("RoiAlign", inputs, attrs, 22).run()[0], expected.astype(dtype))


def test_roi_align_refuses() -> None:
    x, rois, which = floats(1, 1, 4, 4), regions(2), np.zeros(2, np.int64)
    Single("RoiAlign", [x, rois, which], {"mode": "min"}, 16).refused("E1304")
    Single("RoiAlign", [x, rois, which], {"output_height": 0}, 16).refused("E1304")
    Single("RoiAlign", [x, rois[:, :3], which], {}, 16).refused("E1304")
    Single("RoiAlign", [x, rois, which[:1]], {}, 16).refused("E1304")
    Single("RoiAlign", [x[0], rois, which], {}, 16).refused("E1304")
    Single("RoiAlign", [x, rois, which], {"sampling_ratio": 1 << 40}, 16).refused("E1308")
    with pytest.raises(IRError) as caught:
        Single("RoiAlign", [x, rois, which + 1], {"sampling_ratio": 1}, 16).run()
    assert caught.value.code == "E1410"


# ---- MaxRoiPool -----------------------------------------------------------------------------------
@pytest.mark.parametrize("opset", [7, 21])
@pytest.mark.parametrize("scale", [1.0, 0.5, 2.0])
def test_max_roi_pool(opset: int, scale: float) -> None:
    rois = np.concatenate([np.arange(8)[:, None] % 2, regions(8)], 1).astype(np.float32)
    attrs = {"pooled_shape": [3, 2], "spatial_scale": scale}
    like_ort(Single("MaxRoiPool", [floats(2, 2, 6, 5), rois], attrs, opset))
    halves = np.round(rois * 2) / 2
    like_ort(Single("MaxRoiPool", [floats(2, 2, 6, 5), halves], attrs, opset))


def test_max_roi_pool_refuses() -> None:
    x, rois = floats(1, 1, 4, 4), np.zeros((1, 5), np.float32)
    Single("MaxRoiPool", [x, rois], {"pooled_shape": [2]}, 7).refused("E1304")
    Single("MaxRoiPool", [x, rois], {"pooled_shape": [2, 0]}, 7).refused("E1304")
    Single("MaxRoiPool", [x, rois[:, :4]], {"pooled_shape": [2, 2]}, 7).refused("E1304")
    assert "gather" in names(Single("MaxRoiPool", [x, rois], {"pooled_shape": [2, 2]}, 7).module())
    assert math.isclose(float(Single("MaxRoiPool", [x, rois], {"pooled_shape": [1, 1]}, 7).run()[0]
                              .item()), float(x[0, 0, 0, 0]))  # fmt: skip
