"""Reading images between their elements: at positions that are computed while the model runs.

A position along an axis becomes taps: indices of elements, and how much each of them weighs. All
taps of a point are read by one gather, and weighed and added up axis by axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maiacc.frontend.importers.common import cast, reshaped, scalar, stretched
from maiacc.frontend.importers.terms import transposed
from maiacc.frontend.node import Node
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Array

#: What cubic interpolation takes for the free parameter of its kernel.
CUBIC = -0.75


@dataclass
class Taps:
    """Elements along an axis that positions [...] read: ``index`` is int64 [..., taps], and so is
    ``weight`` unless there is one tap that counts as it is."""

    index: Value
    weight: Value | None = None


def polynomials(cubic: bool) -> tuple[Array, Array]:
    """Which elements around a position count, relative to the one before it, and for each the
    polynomial, lowest power first, of the fraction that the position is behind that one."""
    if not cubic:
        return np.array([0, 1]), np.array([[1.0, -1.0], [0.0, 1.0]])
    a = CUBIC
    weights = [
        [0.0, a, -2 * a, a],
        [1.0, 0.0, -(a + 3), a + 2],
        [0.0, -a, 2 * a + 3, -(a + 2)],
        [0.0, 0.0, a, -a],
    ]
    return np.array([-1, 0, 1, 2]), np.array(weights)


def nearest(node: Node, position: Value) -> Taps:
    """The element at a position that is a whole number."""
    b = node.b
    index = b("cvt", position, to="int64", round="trunc")
    return Taps(reshaped(node, index, (*index.type.shape, 1)))


def between(node: Node, position: Value, dtype: str = "", cubic: bool = False) -> Taps:
    """The elements around a position, for linear or cubic interpolation; ``dtype`` is the type of
    the weights."""
    b = node.b
    offsets, powers = polynomials(cubic)
    shape = (*position.type.shape, 1)
    before = b("floor", position)
    fraction = reshaped(node, b("sub", position, before), shape)
    index = reshaped(node, b("cvt", before, to="int64", round="trunc"), shape)
    weight: Value | None = None
    for power in reversed(range(powers.shape[1])):
        factor = b.constant(powers[:, power], position.type.dtype)
        weight = factor if weight is None else b("add", b("mul", weight, fraction), factor)
    assert weight is not None
    weight = cast(node, weight, dtype or weight.type.dtype)
    return Taps(b("add", index, b.constant(offsets, "int64")), weight)


def read(node: Node, x: Value, taps: Sequence[Taps], inside: bool = False) -> Value:
    """Elements of images x [n, c, ...] at points: [n, points, taps of the first axis, ..., c]. An
    index outside reads 0; ``inside`` says that there is none."""
    b = node.b
    rank = len(taps)
    lead = taps[0].index.type.shape[:2]
    counts = [tap.index.type.shape[2] for tap in taps]
    parts = []
    for axis, tap in enumerate(taps):
        shape = [*lead, *(n if i == axis else 1 for i, n in enumerate(counts)), 1]
        part = reshaped(node, tap.index, shape)
        parts.append(stretched(node, part, (*lead, *counts, 1)))
    index = parts[0] if rank == 1 else b("concat", *parts, axis=2 + rank)
    last = transposed(node, x, (0, *range(2, 2 + rank), 1))
    return b("gather_nd", last, index, batch=1, oob="error" if inside else "fill")


def weighed(node: Node, found: Value, taps: Sequence[Taps]) -> Value:
    """What ``read`` gives, [n, points, taps ..., c], added up over taps: [n, points, c]."""
    b = node.b
    for axis in reversed(range(len(taps))):
        weight = taps[axis].weight
        at = 2 + axis
        if weight is None:
            lead = found.type.shape[:at]
            found = reshaped(node, found, (*lead, *found.type.shape[at + 1 :]))
            continue
        shape = [*weight.type.shape[:2], *[1] * axis, weight.type.shape[2], 1]
        found = b("mul", found, reshaped(node, weight, shape))
        found = b("rsum", found, axes=(at,), keep=False)
    return found


def reflected(node: Node, x: Value, low: float, high: float) -> Value:
    """Positions thrown back by two borders as often as it takes to lie between them."""
    b = node.b
    if high <= low:
        return b.splat(low, x.type)
    period = scalar(node, 2 * (high - low), x)
    offset = b("mod", b("sub", x, scalar(node, low, x)), period)
    offset = b("min", offset, b("sub", period, offset))
    return b("add", offset, scalar(node, low, x))
