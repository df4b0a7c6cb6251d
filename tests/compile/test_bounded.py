"""Results that are as long as the data say: what there is, how many, and zeros behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from compile.built import built, kind, some
from compile.checks import checked
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Value

MACHINES = ("mini", "maia200")

Shape = tuple[int, ...]


# ---- nonzero, compact -----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "shape", "share"),
    [
        ("fp32", (7, 9), 0.5),
        ("bool", (3, 50, 41), 0.5),
        ("int64", (5000,), 0.1),
        ("bf16", (3, 3), 0.0),
        ("uint8", (3, 3), 1.0),
        ("e4m3", (17,), 0.7),
        ("fp16", (), 1.0),
        ("fp32", (0, 3), 1.0),
    ],
)
def test_nonzero(dtype: str, shape: Shape, share: float) -> None:
    """None, some and all; several chunks; coordinates of any rank."""
    chosen = np.random.default_rng(3).random(shape) < share
    x = (some(dtype, *shape, low=1) * chosen).astype(kind(dtype).element.numpy)

    def body(b: Builder, x: Value) -> list[Value]:
        return list(b.many("nonzero", x, symbol=b.module.add_bound(x.type.size)))

    assert checked(built(body, kind(dtype, *shape)), "mini", {"x0": x}).same()


def test_nonzero_of_special_numbers() -> None:
    """A NaN is not 0, and a negative zero is."""
    x = np.array([[0.0, np.nan, -0.0], [np.inf, 1e-45, -1.0]], np.float32)

    def body(b: Builder, x: Value) -> list[Value]:
        turned = b("transpose", x, perm=(1, 0))
        return list(b.many("nonzero", turned, symbol=b.module.add_bound(6)))

    case = checked(built(body, kind("fp32", 2, 3)), "maia200", {"x0": x})
    assert case.same()
    assert case.found["y1"] == 4


@pytest.mark.parametrize(
    ("dtype", "shape", "axis", "less"),
    [("fp32", (7, 9), 0, 0), ("int8", (7, 9, 11), 1, 2), ("bf16", (700,), 0, 0)],
)
@pytest.mark.parametrize("machine", MACHINES)
def test_compact(dtype: str, shape: Shape, axis: int, less: int, machine: str) -> None:
    """Slices along any axis; fewer flags than slices."""
    flags = shape[axis] - less

    def body(b: Builder, x: Value, keep: Value) -> list[Value]:
        return list(b.many("compact", x, keep, axis=axis, symbol=b.module.add_bound(flags)))

    module = built(body, kind(dtype, *shape), kind("bool", flags))
    assert checked(module, machine, whole=True).same()


# ---- unique ---------------------------------------------------------------------------------
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    ("dtype", "shape", "axis"),
    [
        ("fp32", (7, 9), -1),
        ("int64", (300,), -1),
        ("bool", (5,), -1),
        ("e4m3", (50,), -1),
        ("uint64", (1,), -1),
        ("fp32", (70, 2), 0),
        ("int8", (2, 50, 2), 1),
        ("fp16", (3, 0), 0),
        ("fp16", (0, 3), 0),
    ],
)
def test_unique(dtype: str, shape: Shape, axis: int, in_order: bool) -> None:
    """Elements, and slices in lexicographic order."""
    extent = shape[axis] if axis >= 0 else int(np.prod(shape))

    def body(b: Builder, x: Value) -> list[Value]:
        bound = b.module.add_bound(extent)
        return list(b.many("unique", x, axis=axis, sorted=in_order, symbol=bound))

    x = some(dtype, *shape, low=0, high=3 if axis >= 0 else 40)
    assert checked(built(body, kind(dtype, *shape)), "mini", {"x0": x}).same()


@pytest.mark.parametrize("in_order", [True, False])
def test_unique_of_special_numbers(in_order: bool) -> None:
    """All NaNs are one, zeros of both signs are one."""
    nan, inf = np.nan, np.inf
    x = np.array([3, nan, 1, nan, -inf, inf, 0.0, -0.0, 3], np.float32)

    def body(b: Builder, x: Value) -> list[Value]:
        return list(b.many("unique", x, sorted=in_order, symbol=b.module.add_bound(9)))

    assert checked(built(body, kind("fp32", 9)), "maia200", {"x0": x}).same()


def test_only_some_results_are_wanted() -> None:
    """Others are not stored."""

    def body(b: Builder, x: Value) -> list[Value]:
        _, _, inverse, *_ = b.many("unique", x, symbol=b.module.add_bound(40))
        _, count = b.many("nonzero", x, symbol=b.module.add_bound(40))
        return [inverse, count]

    assert checked(built(body, kind("int32", 40)), "mini").same()


def test_more_than_a_tile_can_sort() -> None:
    """It is refused by name."""

    def body(b: Builder, x: Value) -> list[Value]:
        return list(b.many("unique", x, symbol=b.module.add_bound(5000)))

    with pytest.raises(IRError) as refusal:
        checked(built(body, kind("fp32", 5000)), "mini")
    assert refusal.value.code == "E1502"
    assert "unique" in refusal.value.message


# ---- nms ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("dtype", "images", "classes", "count", "most", "iou", "score", "center"),
    [
        ("fp32", 1, 1, 10, 5, 0.5, 0.1, False),
        ("fp32", 2, 3, 40, 10, 0.5, 0.1, False),
        ("fp32", 1, 7, 60, 7, 0.5, 0.1, True),
        ("fp32", 3, 1, 30, 50, 0.2, float("-inf"), False),
        ("fp32", 2, 2, 20, 0, 0.5, 0.1, False),
        ("fp32", 1, 1, 1, 1, 0.5, 0.1, False),
        ("bf16", 2, 3, 40, 10, 0.5, 0.1, False),
        ("bf16", 3, 1, 30, 50, 0.2, float("-inf"), False),
        ("bf16", 2, 2, 20, 0, 0.5, 0.1, False),
    ],
)
def test_nms(
    dtype: str,
    images: int,
    classes: int,
    count: int,
    most: int,
    iou: float,
    score: float,
    center: bool,
) -> None:
    """Ties go to the lower index, NaNs are never chosen."""
    rng = np.random.default_rng(0)
    boxes = rng.random((images, count, 4)) * (0.3 if center else 1.0)
    scores = np.round(rng.random((images, classes, count)) * 20) / 20
    scores[rng.random(scores.shape) < 0.05] = np.nan
    numpy = kind(dtype).element.numpy
    given = {"x0": boxes.astype(numpy), "x1": scores.astype(numpy)}

    def body(b: Builder, x: Value, s: Value) -> list[Value]:
        bound = b.module.add_bound(images * classes * min(most, count))
        attrs: dict[str, Any] = {"most": most, "iou": iou, "score": score, "center": center}
        return list(b.many("nms", x, s, symbol=bound, **attrs))

    kinds = kind(dtype, images, count, 4), kind(dtype, images, classes, count)
    assert checked(built(body, *kinds), "mini", given).same()


def test_nms_on_many_tiles() -> None:
    """Classes are dealt over tiles."""
    rng = np.random.default_rng(1)
    given = {
        "x0": rng.random((1, 30, 4)).astype(np.float32),
        "x1": rng.random((1, 40, 30)).astype(np.float32),
    }

    def body(b: Builder, x: Value, s: Value) -> list[Value]:
        bound = b.module.add_bound(40 * 4)
        return list(b.many("nms", x, s, most=4, iou=0.4, score=0.2, symbol=bound))

    module = built(body, kind("fp32", 1, 30, 4), kind("fp32", 1, 40, 30))
    assert checked(module, "maia200", given).same()
