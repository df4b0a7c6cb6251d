"""What rounding a layer's weights costs: the error of its output for inputs like noise.

For inputs that are independent and alike, the relative error of a layer's output is that of its
weights: the root of the sum of squares of what rounding changes, over that of the weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.vocabulary.blocks import GROUP, scaled
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array

#: Elements of a weight that are looked at.
SAMPLE = 1 << 18


@dataclass(frozen=True)
class Rounded:
    """A layer whose weight was rounded, and the relative error of its output by that."""

    nodes: tuple[str, ...]
    weight: str
    elements: int
    error: float


def measured(op: Op, how: str, dtype: str, largest: float) -> Rounded | None:
    """What rounding the constant that an op multiplies by costs; None if it is none. ``how`` is
    ``plain``, ``scaled`` (one scale for each column of the product, of which ``largest`` is the
    largest number) or ``blocks``."""
    value = op.operands[1]
    if value is None or value.weight is None:
        return None
    rows = _columns(op, np.asarray(value.weight.source.array(value.type)))
    found = _rounded(rows, how, dtype, largest)
    whole = float(np.linalg.norm(rows))
    error = float(np.linalg.norm(found - rows)) / whole if whole else 0.0
    return Rounded(op.location.nodes, value.weight.name, value.type.size, error)


def _columns(op: Op, array: Array) -> Array:
    """Some columns of the product, each with all that is summed, as rows of fp32."""
    if op.name == "contract":
        _, right, out = split_spec(str(op.attrs["spec"]))
        kept = [axis for axis, letter in enumerate(right) if letter in out]
    else:
        kept = [0]
    order = [*kept, *(axis for axis in range(array.ndim) if axis not in kept)]
    moved = array.transpose(order)
    count = int(np.prod([array.shape[axis] for axis in kept], dtype=np.int64))
    rows = moved.reshape(count, -1)
    return rows[: max(1, SAMPLE // max(1, rows.shape[1]))].astype(np.float32)


def _rounded(rows: Array, how: str, dtype: str, largest: float) -> Array:
    kind = ELEMENTS[dtype].numpy
    if how == "plain":
        return rows.astype(kind).astype(np.float32)
    if how == "blocks":
        values, scales = scaled(rows, dtype)
        wide = values.astype(kind).astype(np.float32) * np.repeat(scales, GROUP, axis=-1)
        return np.asarray(wide[:, : rows.shape[1]], np.float32)
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True, initial=0), 1e-30) / largest
    found = rows / scale
    found = np.rint(found) if ELEMENTS[dtype].is_int else found
    return np.asarray(found.astype(kind).astype(np.float32) * scale, np.float32)
