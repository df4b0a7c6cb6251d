"""Operators on images: blocks, crops, unfolding, unpooling, upsampling, affine grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frontend.compared import floats, rng
from frontend.single import Single, agree, like_ort

X = floats(2, 3, 4)
INT_MAX = 2**63 - 1


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


# ---- images -------------------------------------------------------------------------------------
def test_blocks_and_channels() -> None:
    x = floats(1, 8, 2, 3)
    for mode in ("DCR", "CRD"):
        case = Single("DepthToSpace", [x], {"blocksize": 2, "mode": mode}, 11)
        like_ort(case)
        back = Single("SpaceToDepth", case.run(), {"blocksize": 2, "mode": mode}, 28)
        agree(back.run()[0], x)
    like_ort(Single("DepthToSpace", [x], {"blocksize": 2}, 7))
    like_ort(Single("SpaceToDepth", [floats(1, 2, 4, 6)], {"blocksize": 2}, 7))
    Single("DepthToSpace", [x], {"blocksize": 3}).refused("E1304")
    Single("SpaceToDepth", [x[0]], {"blocksize": 2}).refused("E1304")
    Single("DepthToSpace", [x], {"blocksize": 2, "mode": "RDC"}).refused("E1304")


def test_center_crop_and_pad() -> None:
    x = floats(5, 4)
    case = Single("CenterCropPad", [x, ints(2, 7)], opset=18, static=(1,))
    agree(case.run()[0], np.pad(x[1:3], [(0, 0), (1, 2)]))
    case = Single("CenterCropPad", [x, ints(6)], {"axes": [-2]}, 18, (1,))
    agree(case.run()[0], np.pad(x, [(0, 1), (0, 0)]))
    Single("CenterCropPad", [x, ints(6)], opset=18, static=(1,)).refused("E1304")


@pytest.mark.parametrize(
    "attrs", [{}, {"strides": [2, 1]}, {"pads": [1, 0, 0, 1], "dilations": [1, 2]}]
)
def test_blocks_are_added_up(attrs: dict[str, list[int]]) -> None:
    image, block = (5, 6), (2, 2)
    pads, strides = attrs.get("pads", [0] * 4), attrs.get("strides", [1, 1])
    dilations = attrs.get("dilations", [1, 1])
    high, wide = (
        (image[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1
        for i in range(2)
    )
    x = rng().integers(-4, 5, (2, 3 * 4, high * wide)).astype(np.float32)
    expected = np.zeros((2, 3, image[0] + pads[0] + pads[2], image[1] + pads[1] + pads[3]))
    for tap in range(4):
        for at in range(high * wide):
            row = tap // 2 * dilations[0] + at // wide * strides[0]
            column = tap % 2 * dilations[1] + at % wide * strides[1]
            expected[:, :, row, column] += x.reshape(2, 3, 4, -1)[:, :, tap, at]
    expected = expected[:, :, pads[0] : pads[0] + image[0], pads[1] : pads[1] + image[1]]
    case = Single("Col2Im", [x, ints(*image), ints(*block)], attrs, 18, (1, 2))
    agree(case.run()[0], expected.astype(np.float32))
    like_ort(case)


def test_unpooling() -> None:
    x = np.array([[[[1, 2], [3, 4]]]], np.float32)
    places = ints(0, 3, 9, 15).reshape(1, 1, 2, 2)
    attrs = {"kernel_shape": [2, 2], "strides": [2, 2]}
    expected = np.zeros(16, np.float32)
    expected[places.reshape(-1)] = x.reshape(-1)
    case = Single("MaxUnpool", [x, places], attrs, 11)
    agree(case.run()[0], expected.reshape(1, 1, 4, 4))
    like_ort(case)
    larger = Single("MaxUnpool", [x, places, ints(1, 1, 5, 4)], attrs, 11, (2,))
    agree(larger.run()[0], np.pad(expected.reshape(1, 1, 4, 4), [(0, 0), (0, 0), (0, 1), (0, 0)]))
    Single("MaxUnpool", [x, places, ints(1, 1, 3, 4)], attrs, 11, (2,)).refused("E1304")


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [(1.0, 1.0, 2.0, 3.0), (1.0, 1.0, 1.5, 2.5)])
def test_upsampling(mode: str, scales: tuple[float, ...]) -> None:
    x = floats(1, 2, 3, 4)
    case = Single("Upsample", [x], {"mode": mode, "scales": scales}, 7)
    like_ort(case)
    old = {"mode": mode if mode == "nearest" else "bilinear"}
    attrs = {**old, "height_scale": scales[2], "width_scale": scales[3]}
    agree(Single("Upsample", [x], attrs, 6).run()[0], case.run()[0])
    given = np.array(scales, np.float32)
    like_ort(Single("Upsample", [x, given], {"mode": mode}, 9, (1,)))


def test_affine_grids() -> None:
    theta = floats(2, 2, 3)
    for align in (0, 1):
        attrs = {"align_corners": align}
        like_ort(Single("AffineGrid", [theta, ints(2, 1, 3, 4)], attrs, 20, (1,)))
        like_ort(Single("AffineGrid", [floats(1, 3, 4), ints(1, 1, 2, 3, 2)], attrs, 20, (1,)))
    Single("AffineGrid", [theta, ints(2, 1, 3)], opset=20, static=(1,)).refused("E1304")
