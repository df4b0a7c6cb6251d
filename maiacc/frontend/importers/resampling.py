"""Where the elements of a resized axis come from, and what they weigh: computed in float64 while a
model is imported."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.weights import Array

#: How coordinates of the resized axis become such of the axis as it was.
TRANSFORMS = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "tf_half_pixel_for_nn",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)

#: Which element is the nearest.
NEAREST = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@dataclass(frozen=True)
class Axis:
    """An axis of ``extent`` elements that is resized to ``size``, which need not be quite extent *
    scale; ``start`` and ``end`` are the part of the axis that is looked at."""

    extent: int
    size: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    def positions(self, transform: str) -> Array:
        """Where the elements of the resized axis lie on the axis as it was."""
        at, last = np.arange(self.size, dtype=np.float64), self.extent - 1
        length = self.extent * self.scale
        if transform == "asymmetric":
            return at / self.scale
        if transform == "align_corners":
            return np.zeros_like(at) if length == 1 else at * last / (length - 1)
        if transform == "tf_crop_and_resize":
            part = self.end - self.start
            if length == 1:
                return np.full_like(at, 0.5 * (self.start + self.end) * last)
            return self.start * last + at * part * last / (length - 1)
        if transform == "tf_half_pixel_for_nn":
            return (at + 0.5) / self.scale
        found = (at + 0.5) / self.scale - 0.5
        if transform == "pytorch_half_pixel" and self.size == 1:
            return np.zeros_like(at)
        if transform == "half_pixel_symmetric" and length:
            found += self.extent / 2 * (1 - self.size / length)
        return found

    def outside(self, positions: Array) -> Array:
        """Which positions lie beyond the first and the last element."""
        return (positions < 0) | (positions > self.extent - 1)


def nearest(positions: Array, rule: str) -> Array:
    """The nearest elements, which may be outside."""
    below = np.floor(positions)
    fraction = positions - below
    up = {
        "floor": np.zeros_like(fraction, np.bool_),
        "ceil": fraction > 0,
        "round_prefer_floor": fraction > 0.5,
        "round_prefer_ceil": fraction >= 0.5,
    }[rule]
    return np.asarray(below + up, np.int64)


def linear(x: Array) -> Array:
    """The weight of an element so far away, in linear interpolation."""
    return np.asarray(np.maximum(1 - np.abs(x), 0))


def cubic(a: float) -> Callable[[Array], Array]:
    """The same in cubic interpolation with some free parameter."""

    def weight(x: Array) -> Array:
        x = np.abs(x)
        near = ((a + 2) * x - (a + 3)) * x * x + 1
        far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0.0))

    return weight


def taps(
    axis: Axis,
    positions: Array,
    weight: Callable[[Array], Array],
    reach: int,
    antialias: bool,
    exclude: bool,
) -> tuple[Array, Array]:
    """The elements [size, taps] that positions are made of, and what each of them weighs.

    A kernel reaches so many elements to each side. ``antialias`` stretches it where the axis
    shrinks; ``exclude`` leaves out what lies outside, where else the elements at the ends count.
    """
    scale = min(axis.scale, 1.0) if antialias and axis.size else 1.0
    # Of a position right on an element, the taps are those of a position just before it.
    before = np.ceil(positions) - 1
    half = -math.floor(-reach / scale)
    offsets = np.arange(1 - half, half + 1)
    weights = weight((offsets - (positions - before)[:, None]) * scale)
    index = (before[:, None] + offsets).astype(np.int64)
    if antialias:
        weights = weights / weights.sum(1, keepdims=True)
    if exclude:
        weights = np.where((index < 0) | (index >= axis.extent), 0.0, weights)
        total = weights.sum(1, keepdims=True)
        weights = weights / np.where(total == 0, 1.0, total)
    index = np.clip(index, 0, axis.extent - 1)
    used = (weights != 0).any(0)
    return index[:, used], weights[:, used]
