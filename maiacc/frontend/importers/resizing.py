"""Resize: one axis after another, each by a gather of elements and their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from maiacc.frontend.importers import resampling
from maiacc.frontend.importers.common import cast, check_size, reshaped, scalar, sliced, stretched
from maiacc.frontend.importers.resampling import NEAREST, TRANSFORMS, Axis
from maiacc.frontend.importers.terms import along, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Array

CROP = "tf_crop_and_resize"


@dataclass(frozen=True)
class _Rules:
    """How a node resizes."""

    mode: str
    transform: str
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    antialias: bool = False
    exclude: bool = False
    beyond: float = 0.0


# ---- the operator ---------------------------------------------------------------------------
@importer("Resize")
def resize_before_11(node: Node) -> Value:
    """By scales, from the corner; of the nearest elements, the next one where an axis shrinks."""
    x, mode = node.input(0), node.get_str("mode", "nearest")
    scales = _numbers(node, 1, "the scales", x.type.rank)
    axes = {number: _scaled(node, number, scale) for number, scale in enumerate(scales)}
    rules = _Rules(_one_of(node, "mode", mode, ("nearest", "linear")), "asymmetric")
    shrinks = replace(rules, nearest="ceil"), replace(rules, nearest="floor")
    for number, axis in axes.items():
        x = _resized(node, x, number, axis, shrinks[axis.scale >= 1])
    return _finished(node, x)


@importer("Resize", since=11)
def resize(node: Node) -> Value:
    x, rank = node.input(0), node.type(0).rank
    rules = _rules(node)
    chosen = node.axes(node.get_ints("axes", range(rank)), rank)
    axes = _axes(node, chosen)
    if rules.transform == CROP:
        parts = _numbers(node, 1, "the region", 2 * len(chosen))
        for i, number in enumerate(chosen):
            start, end = parts[i], parts[len(chosen) + i]
            axes[number] = replace(axes[number], start=start, end=end)
    for number in chosen:
        x = _resized(node, x, number, axes[number], rules)
    return _finished(node, x)


def _rules(node: Node) -> _Rules:
    def choice(name: str, choices: Sequence[str]) -> str:
        return _one_of(node, name, node.get_str(name, choices[0]), choices)

    mode = choice("mode", ("nearest", "linear", "cubic"))
    antialias = bool(node.get_int("antialias", 0))
    if antialias and mode == "nearest":
        node.fail("E1304", "antialias with mode nearest", "linear | cubic", mode)
    return _Rules(
        mode,
        choice("coordinate_transformation_mode", TRANSFORMS),
        choice("nearest_mode", NEAREST),
        node.get_float("cubic_coeff_a", -0.75),
        antialias,
        bool(node.get_int("exclude_outside", 0)),
        node.get_float("extrapolation_value", 0.0),
    )


def _one_of(node: Node, name: str, value: str, choices: Sequence[str]) -> str:
    if value not in choices:
        node.fail("E1304", f"attribute {name}", " | ".join(choices), value)
    return value


# ---- sizes ----------------------------------------------------------------------------------
def _numbers(node: Node, index: int, what: str, count: int) -> list[float]:
    """An input as so many numbers. Refuses with E1304, E1306."""
    found = [float(x) for x in node.static(index, what).reshape(-1)]
    if len(found) != count or not np.isfinite(found).all():
        node.fail("E1304", what, f"{count} numbers", str(found))
    return found


def _axes(node: Node, chosen: Sequence[int]) -> dict[int, Axis]:
    """What the axes become, by scales or sizes."""
    scales, sizes = node.optional(2), node.optional(3)
    by_scale = scales is not None and scales.type.size > 0
    if by_scale == (sizes is not None and sizes.type.size > 0):
        node.fail("E1304", "scales and sizes", "one of them", "both" if by_scale else "neither")
    count = len(chosen)
    if by_scale:
        given = _numbers(node, 2, "the scales", count)
        return {axis: _scaled(node, axis, scale) for axis, scale in zip(chosen, given, strict=True)}
    shape = node.type(0).shape
    extents = [shape[axis] for axis in chosen]
    wanted = [int(size) for size in _numbers(node, 3, "the sizes", count)]
    if min((*wanted, 0)) < 0 or (0 in extents and wanted != extents):
        node.fail("E1304", "the sizes", f"sizes for {node.type(0)}", str(wanted))
    ratios = [
        size / extent if extent else 1.0 for size, extent in zip(wanted, extents, strict=True)
    ]
    policy = node.get_str("keep_aspect_ratio_policy", "stretch")
    _one_of(node, "keep_aspect_ratio_policy", policy, ("stretch", "not_larger", "not_smaller"))
    if policy != "stretch" and ratios:
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        ratios = [ratio] * count
        wanted = [int(ratio * extent + 0.5) for extent in extents]
    return {
        axis: Axis(shape[axis], size, ratio)
        for axis, size, ratio in zip(chosen, wanted, ratios, strict=True)
    }


def _scaled(node: Node, axis: int, scale: float) -> Axis:
    """An axis that grows by a scale. Sizes are the product in fp32, as everybody computes it."""
    extent = node.type(0).shape[axis]
    if not 0 < scale < 1 << 24:
        node.fail("E1304", "a scale", "a number above 0", str(scale))
    return Axis(extent, int(np.floor(np.float32(extent) * np.float32(scale))), scale)


# ---- one axis -------------------------------------------------------------------------------
def _resized(node: Node, x: Value, number: int, axis: Axis, rules: _Rules) -> Value:
    """x with an axis resized."""
    whole = rules.transform != CROP or (axis.start, axis.end) == (0, 1)
    if axis.size == axis.extent and whole and abs(axis.scale - 1) <= 1e-9:
        return x
    # Where each element comes from is computed now.
    longest = max(axis.size, axis.extent if rules.antialias else 0)
    check_size(node, (longest, 1 if rules.mode == "nearest" else 4))
    positions = axis.positions(rules.transform)
    if rules.mode == "nearest":
        index = np.clip(resampling.nearest(positions, rules.nearest), 0, axis.extent - 1)
        found = _picked(node, x, number, index)
    else:
        x = wide(node, x) if x.type.element.is_float else cast(node, x, "fp32")
        kernel, reach = (
            (resampling.linear, 1) if rules.mode == "linear" else (resampling.cubic(rules.cubic), 2)
        )
        index, weights = resampling.taps(
            axis, positions, kernel, reach, rules.antialias, rules.exclude
        )
        found = _weighed(node, x, number, index, weights)
    out = axis.outside(positions) if rules.transform == CROP else np.zeros(0, np.bool_)
    if out.any():
        mask = along(node, node.b.constant(out), found.type.rank, number)
        found = node.b("select", mask, scalar(node, rules.beyond, found), found)
    return found


def _picked(node: Node, x: Value, axis: int, index: Array) -> Value:
    """Elements along an axis: by a view where their indices are regular."""
    extent, size = x.type.shape[axis], len(index)
    steps = set(np.diff(index).tolist())
    if size and len(steps) <= 1 and steps != {0}:
        return sliced(node, x, axis, int(index[0]), size, steps.pop() if steps else 1)
    times = size // extent if extent else 0
    if times and np.array_equal(index, np.repeat(np.arange(extent), times)):
        lead, tail = x.type.shape[: axis + 1], x.type.shape[axis + 1 :]
        x = reshaped(node, x, (*lead, 1, *tail))
        x = stretched(node, x, (*lead, times, *tail))
        return reshaped(node, x, (*lead[:-1], size, *tail))
    return node.b("gather", x, node.b.constant(index, "int64"), axis=axis)


def _weighed(node: Node, x: Value, axis: int, index: Array, weights: Array) -> Value:
    """Sums of elements along an axis that weigh so much: index and weights are [size, taps]."""
    b = node.b
    found = b("gather", x, b.constant(index, "int64"), axis=axis)
    shape = (*weights.shape, *[1] * (x.type.rank - axis - 1))
    found = b("mul", found, b.constant(weights.reshape(shape), x.type.dtype))
    return b("rsum", found, axes=(axis + 1,), keep=False)


def _finished(node: Node, x: Value) -> Value:
    """The result in the element type of the input: integers are rounded and saturated."""
    element = node.type(0).element
    if x.type.element is element:
        return x
    if element.is_float:
        return cast(node, x, element.name)
    if element.kind == "bool":
        node.unsupported("truth values between elements", "use mode nearest, or cast before it")
    return node.b("cvt", x, to=element.name)
