"""Short sequences of ops that importers of layers share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc.frontend.importers.common import cast, reshaped, scalar
from maiacc.frontend.node import Node
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS


def wide_name(dtype: str) -> str:
    """The type in which floats of a type are computed where it takes several ops: fp32 for narrower
    ones."""
    element = ELEMENTS[dtype]
    return "fp32" if element.is_float and element.bits < 32 else dtype


def wide(node: Node, x: Value) -> Value:
    """x in the type in which it is computed."""
    return cast(node, x, wide_name(x.type.dtype))


def transposed(node: Node, x: Value, perm: Sequence[int]) -> Value:
    """x with its axes in another order; itself if they are in that order."""
    return x if list(perm) == sorted(perm) else node.b("transpose", x, perm=tuple(perm))


def along(node: Node, x: Value, rank: int, axis: int = 1) -> Value:
    """One element for each index of an axis, in a shape that broadcasts with so many axes."""
    return reshaped(node, x, (x.type.size, *[1] * (rank - axis - 1)))


def mean(node: Node, x: Value, axes: Sequence[int], keep: bool = True) -> Value:
    """The mean over some axes: the sum divided once."""
    total = node.b("rsum", x, axes=tuple(axes), keep=keep)
    return node.b("div", total, scalar(node, math.prod(x.type.shape[axis] for axis in axes), x))


def variance(node: Node, x: Value, axes: Sequence[int]) -> tuple[Value, Value]:
    """x without its mean over some axes, and the mean of the squares of that."""
    rest = node.b("sub", x, mean(node, x, axes))
    squares = node.b("rsumsq", rest, axes=tuple(axes), keep=True)
    count = math.prod(x.type.shape[axis] for axis in axes)
    return rest, node.b("div", squares, scalar(node, count, x))


def clamped(node: Node, x: Value, low: float, high: float) -> Value:
    """x between two numbers."""
    return node.b("clamp", x, scalar(node, low, x), scalar(node, high, x))
