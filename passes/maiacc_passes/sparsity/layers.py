"""A contraction or convolution by a constant, seen as a product of matrices.

``x`` has a row for each sum and a column for each element that is summed, ``w`` a row for each
column of the result. Columns are in the order in which the machine stores a sparse weight: for a
contraction the axis that is summed; for a convolution the places of the kernel, and for each of
them the channels. So groups of a pattern lie along what is summed last. The last axis goes on with
zeros to a multiple of 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.vocabulary.products import padded, windows
from maiacc_passes.ir.vocabulary.sparse import padded_size, summed_axis
from maiacc_passes.ir.weights import Array

#: Elements of x that are handed out at once.
PIECE = 1 << 22


@dataclass(frozen=True, eq=False)
class Layer:
    """An op whose right operand can be sparse along ``axis``."""

    op: Op
    axis: int
    value: Value

    @property
    def conv(self) -> bool:
        """Whether it is a convolution."""
        return self.op.name == "conv"

    @property
    def columns(self) -> int:
        """Columns of both matrices."""
        shape = self.value.type.shape
        return padded_size(shape[self.axis]) * (prod(shape[2:]) if self.conv else 1)

    def types(self) -> tuple[Type, Type]:
        """The types of the two parts of a sparse weight: values and positions."""
        shape, axis = self.value.type.shape, self.axis
        whole = padded_size(shape[axis])
        values = (*shape[:axis], whole // 2, *shape[axis + 1 :])
        positions = (*shape[:axis], *shape[axis + 1 :], whole // 4)
        return self.value.type.with_shape(values), tensor("uint4", positions)

    # ---- the weight as a matrix ---------------------------------------------------------------
    def matrix(self, dense: Array) -> Array:
        """The weight as [rows, columns]."""
        moved = np.moveaxis(dense, self.axis, -1)
        room = padded_size(moved.shape[-1]) - moved.shape[-1]
        if room:
            moved = np.concatenate([moved, np.zeros((*moved.shape[:-1], room), moved.dtype)], -1)
        return moved.reshape(-1, self.columns)

    def weight(self, matrix: Array) -> Array:
        """A matrix as the weight: the inverse of ``matrix``."""
        shape, axis = self.value.type.shape, self.axis
        rest = shape[:axis] + shape[axis + 1 :]
        whole = matrix.reshape(*rest, padded_size(shape[axis]))
        return np.ascontiguousarray(np.moveaxis(whole[..., : shape[axis]], -1, axis))

    # ---- what is multiplied by it -------------------------------------------------------------
    def rows(self, x: Array) -> Iterator[Array]:
        """The rows that the left operand has, in float64, some at a time: [n, columns]."""
        pieces = self._patches(x) if self.conv else self._vectors(x)
        for piece in pieces:
            wide = piece.astype(np.float64)
            room = padded_size(wide.shape[-1]) - wide.shape[-1]
            if room:
                wide = np.concatenate([wide, np.zeros((*wide.shape[:-1], room))], -1)
            yield wide.reshape(-1, self.columns)

    def _vectors(self, x: Array) -> Iterator[Array]:
        left, right, _ = split_spec(str(self.op.attrs["spec"]))
        moved = np.moveaxis(x, left.index(right[self.axis]), -1)
        flat = moved.reshape(-1, moved.shape[-1])
        step = max(1, PIECE // max(1, flat.shape[1]))
        for at in range(0, len(flat), step):
            yield flat[at : at + step]

    def _patches(self, x: Array) -> Iterator[Array]:
        """[place..., tap..., channel] of some rows of places of an image at a time."""
        taps = self.value.type.shape[2:]
        dilations = self.op.ints("dilations")
        spans = [(k - 1) * d + 1 for k, d in zip(taps, dilations, strict=True)]
        whole = padded(x, self.op.ints("pads"))
        seen = windows(whole, spans, self.op.ints("strides"), dilations)
        moved = np.moveaxis(seen, 1, -1)
        step = max(1, PIECE // max(1, prod(moved.shape[2:])))
        for image in moved:
            for at in range(0, len(image), step):
                yield image[at : at + step]


def layer_of(op: Op) -> Layer | None:
    """The layer of an op; None if nothing of it can be sparse."""
    if op.name not in ("contract", "conv"):
        return None
    value = op.operands[1]
    assert value is not None
    element = value.type.element
    fits = element.bits >= 8 and (element.is_float or element.bits == 8)
    if value.weight is None or not fits:
        return None
    axis = _axis(op, value.type)
    return None if axis is None else Layer(op, axis, value)


def _axis(op: Op, kind: Type) -> int | None:
    """The axis of the weight that is summed last; None if it cannot be sparse."""
    if op.name == "conv":
        return 1 if op.attrs["groups"] == 1 and kind.shape[1] >= 4 else None
    left, right, out = split_spec(str(op.attrs["spec"]))
    gone = [letter for letter in right if letter not in out]
    batch = [letter for letter in right if letter in left and letter in out]
    only = [letter for letter in left if letter not in out and letter not in right]
    if len(gone) != 1 or gone[0] not in left or batch or only:
        return None
    axis = summed_axis(str(op.attrs["spec"]))
    return axis if kind.shape[axis] >= 4 else None
