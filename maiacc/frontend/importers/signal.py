"""Fourier transforms as products with constant matrices."""

from __future__ import annotations

import numpy as np

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.weights import Array

#: The longest transform. Its matrix has at most four times the square of this in elements.
LONGEST = 4096


@importer("DFT", since=17)
def dft(node: Node) -> Value:
    x = node.input(0)
    if x.type.rank < 2 or x.type.shape[-1] not in (1, 2):
        node.fail("E1304", "the last axis is no real number and no complex one", found=str(x.type))
    if node.version >= 20:
        given = -2 if node.optional(2) is None else _scalar(node, 2, "the axis")
    else:
        given = node.get_int("axis", 1)
    axis = node.axis(given, x.type.rank)
    if axis == x.type.rank - 1:
        node.fail("E1304", "the last axis is not transformed", found=str(given))
    inverse = bool(node.get_int("inverse", 0))
    onesided = bool(node.get_int("onesided", 0))
    if onesided and x.type.shape[-1] != 1 + inverse:
        node.fail(
            "E1304", "onesided", "a complex input" if inverse else "a real input", str(x.type)
        )
    extent = x.type.shape[axis]
    length = 2 * (extent - 1) if inverse and onesided else extent
    if node.optional(1) is not None:
        length = _scalar(node, 1, "the length")
    x = _moved(node, x, axis, x.type.rank - 2)
    x = _resized(node, x, length // 2 + 1 if inverse and onesided else length)
    y = transform(node, x, length, inverse, onesided)
    return _moved(node, y, y.type.rank - 2, axis)


@importer("STFT")
def stft(node: Node) -> Value:
    x, window = node.input(0), node.optional(2)
    if x.type.rank != 3 or x.type.shape[-1] not in (1, 2):
        node.fail("E1304", "the signal", "[batch, length, 1 or 2]", str(x.type))
    step = _scalar(node, 1, "the step")
    length = x.type.shape[1] if window is None else window.type.size
    if node.optional(3) is not None:
        length = _scalar(node, 3, "the length of a frame")
    onesided = bool(node.get_int("onesided", 1))
    if onesided and x.type.shape[-1] == 2:
        node.fail("E1304", "onesided", "a real signal", str(x.type))
    if step < 1 or not 1 <= length <= x.type.shape[1]:
        node.fail("E1304", "the frames do not fit the signal", found=f"{length}, step {step}")
    if window is not None and window.type.shape != (length,):
        node.fail("E1304", "the window", f"[{length}]", str(window.type))
    b = node.b
    frames = b("windows", x, axes=(1,), sizes=(length,), steps=(step,), dilations=(1,))
    frames = b("transpose", frames, perm=(0, 1, 3, 2))
    if window is not None:
        frames = b("mul", frames, b("reshape", window, shape=(length, 1)))
    return transform(node, frames, length, False, onesided)


def _scalar(node: Node, index: int, what: str) -> int:
    values = node.static_ints(index, what)
    if len(values) != 1:
        node.fail("E1304", what, expected="one number", found=str(list(values)))
    return values[0]


def _moved(node: Node, x: Value, axis: int, to: int) -> Value:
    """With an axis moved to another place."""
    order = [i for i in range(x.type.rank) if i != axis]
    order.insert(to, axis)
    return x if axis == to else node.b("transpose", x, perm=tuple(order))


def _resized(node: Node, x: Value, extent: int) -> Value:
    """With the axis before the last cut, or filled up with zeros."""
    rank, b = x.type.rank, node.b
    missing = extent - x.type.shape[-2]
    if missing > 0:
        return b("pad", x, before=(0,) * rank, after=(0,) * (rank - 2) + (missing, 0))
    if missing < 0:
        sizes = (*x.type.shape[:-2], extent, x.type.shape[-1])
        return b("slice", x, starts=(0,) * rank, sizes=sizes, steps=(1,) * rank)
    return x


def transform(node: Node, x: Value, length: int, inverse: bool, onesided: bool) -> Value:
    """The transform of the axis before the last: [..., n, 1 or 2] to [..., k, 2], or to [..., n, 1]
    if it is inverse and onesided. Numbers narrower than fp32 are widened for it."""
    if not 1 <= length <= LONGEST:
        node.unsupported(f"a transform of length {length}", f"use lengths from 1 to {LONGEST}")
    b, dtype = node.b, x.type.dtype
    real = x.type.shape[-1] == 1
    if inverse and onesided:
        matrix = _to_real(length)
    else:
        matrix = _complex(length, length // 2 + 1 if onesided else length, inverse)[: 2 - real]
    parts, bins, outputs, results = matrix.shape
    wide = dtype if dtype == "fp64" else "fp32"
    x = x if dtype == wide else b("cvt", x, to=wide)
    flat = b("reshape", x, shape=(x.type.size // max(bins * parts, 1), bins * parts))
    rows = matrix.transpose(1, 0, 2, 3).reshape(bins * parts, outputs * results)
    y = b("contract", flat, b.constant(rows, wide), spec="mk,kn->mn")
    y = b("reshape", y, shape=(*x.type.shape[:-2], outputs, results))
    return y if dtype == wide else b("cvt", y, to=dtype)


def _roots(length: int, rows: int, columns: int) -> tuple[Array, Array]:
    """cos and sin of 2 pi i j / length, exact where they are 0 or 1: the angle is reduced to an
    eighth of a turn in integers."""
    turns = np.outer(np.arange(rows), np.arange(columns)) % length * 8
    octant, rest = np.divmod(turns, length)
    odd = octant % 2 == 1
    angle = np.where(odd, length - rest, rest) * (np.pi / (4 * length))
    big, small = np.cos(angle), np.sin(angle)
    quarter = (octant + 1) // 2 % 2 == 1
    cos, sin = np.where(quarter, small, big), np.where(quarter, big, small)
    cos = np.where((octant >= 2) & (octant < 6), -cos, cos)
    return cos, np.where(octant >= 4, -sin, sin)


def _complex(length: int, outputs: int, inverse: bool) -> Array:
    """[part of the input, n, k, part of the output] of a transform."""
    cos, sin = _roots(length, length, outputs)
    if inverse:
        cos, sin = cos / length, -sin / length
    return np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)])


def _to_real(length: int) -> Array:
    """The same of one side of a spectrum to real numbers; the other side is its mirror image."""
    bins = length // 2 + 1
    cos, sin = _roots(length, bins, length)
    weight = np.full((bins, 1), 2.0)
    weight[0] = 1
    if length % 2 == 0:
        weight[-1] = 1
    own = np.arange(bins)[:, None] * 2 % length == 0
    sin = np.where(own, 0, sin)
    parts = np.stack([cos, -sin]) * weight / length
    return np.asarray(parts[..., None])
