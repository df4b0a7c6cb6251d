"""Windows and filters for signals: constants, computed in float64."""

from __future__ import annotations

import numpy as np

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array

#: cos(0), cos(2 pi n / N), cos(4 pi n / N) ... of each window.
COSINES = {
    "HannWindow": (0.5, -0.5),
    "HammingWindow": (25 / 46, -(1 - 25 / 46)),
    "BlackmanWindow": (0.42, -0.5, 0.08),
}

#: The largest window, and the largest side of a matrix.
LARGEST = 1 << 24


@importer(*COSINES, since=17)
def window(node: Node) -> Value:
    (size,) = _numbers(node, "the size", 0)
    if not 0 <= size <= LARGEST:
        node.fail("E1304", "the size of a window", f"0 to {LARGEST}", str(size))
    over = size if node.get_int("periodic", 1) else size - 1
    n = np.arange(int(size), dtype=np.float64)
    angle = 2 * np.pi * n / max(over, 1)
    found = sum(c * np.cos(i * angle) for i, c in enumerate(COSINES[node.op_type]))
    return _made(node, np.asarray(found))


@importer("MelWeightMatrix", since=17)
def mel(node: Node) -> Value:
    """As the reference of ONNX computes it: triangles between bins that lie evenly on the scale."""
    bands, length, rate, low, high = _numbers(node, "the matrix", 0, 1, 2, 3, 4)
    rows, columns = int(length) // 2 + 1, int(bands)
    if min(rows, columns, rate) < 1 or rows * columns > LARGEST:
        node.fail("E1304", "the sizes of the matrix", found=f"{columns}, {int(length)}, {rate}")
    low, high = _mel(low), _mel(high)
    step = (high - low) / (columns + 2)
    hertz = 700 * np.expm1((np.arange(columns + 2) * step + low) / 2595 * np.log(10))
    edges = ((int(length) + 1) * hertz // rate).astype(np.int64)
    if edges.min() < 0 or edges.max() > rows:
        node.fail("E1304", "a band lies outside the spectrum", f"0 to {rows}", str(edges.max()))
    found = np.zeros((rows + 1, columns))
    for band in range(columns):
        left, middle, right = edges[band : band + 3]
        if left == middle:
            found[middle, band] = 1
        else:
            found[left : middle + 1, band] = np.arange(middle - left + 1) / (middle - left)
        if right > middle:
            found[middle:right, band] = np.arange(right - middle, 0, -1) / (right - middle)
    return _made(node, found[:rows])


def _mel(hertz: float) -> float:
    return float(2595 * np.log1p(hertz / 700) / np.log(10))


def _numbers(node: Node, what: str, *indices: int) -> list[float]:
    found = []
    for index in indices:
        array = node.static(index, what)
        if array.size != 1:
            node.fail("E1304", what, expected="one number", found=str(list(array.shape)))
        found.append(float(array.reshape(-1)[0]))
    return found


def _made(node: Node, array: Array) -> Value:
    dtype = node.get_dtype("output_datatype", 1)
    return node.b.constant(array.astype(ELEMENTS[dtype].numpy))
