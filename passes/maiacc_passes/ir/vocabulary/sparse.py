"""Contractions whose right operand is 2:4 sparse: of four elements along what is summed, two.

The operand comes in two parts. ``values`` has, along the axis that is summed, the two kept elements
of each four; ``positions`` has a number for each four, the place of the first one plus four times
the place of the second, along its last axis. What is summed goes on with zeros to a multiple of 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import need, wrong
from maiacc_passes.ir.table import OPS, Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run

#: What is summed is a multiple of this, so that positions are whole bytes.
STEP = 8


def padded_size(size: int) -> int:
    """The next multiple of the step."""
    return -(-size // STEP) * STEP


# ---- packing --------------------------------------------------------------------------------
def grouped(dense: Array, axis: int) -> Array:
    """Groups of four elements along an axis, which goes to the end: [..., groups, 4]."""
    moved = np.moveaxis(dense, axis, -1)
    room = padded_size(moved.shape[-1]) - moved.shape[-1]
    moved = np.concatenate([moved, np.zeros((*moved.shape[:-1], room), moved.dtype)], -1)
    return moved.reshape(*moved.shape[:-1], moved.shape[-1] // 4, 4)


def kept(groups: Array) -> Array:
    """The places of the two largest of each four, in order; of equals the first ones."""
    size = np.abs(groups.astype(np.float32))
    order = np.argsort(-np.nan_to_num(size, nan=np.inf), axis=-1, kind="stable")
    return np.sort(order[..., :2], axis=-1)


def packed(dense: Array, axis: int) -> tuple[Array, Array]:
    """Values and positions of the two largest elements of each four along an axis."""
    groups = grouped(dense, axis)
    places = kept(groups)
    chosen = np.take_along_axis(groups, places, -1)
    values = np.moveaxis(chosen.reshape(*chosen.shape[:-2], 2 * chosen.shape[-2]), -1, axis)
    numbers = (places[..., 0] | places[..., 1] << 2).astype(np.uint8)
    return np.ascontiguousarray(values), numbers.astype(ml_dtypes.uint4)


def unpacked(values: Array, positions: Array, axis: int, size: int) -> Array:
    """The dense elements."""
    moved = np.moveaxis(values, axis, -1)
    pairs = moved.reshape(*moved.shape[:-1], moved.shape[-1] // 2, 2)
    numbers = positions.astype(np.int64)
    places = np.stack([numbers & 3, numbers >> 2], -1)
    groups = np.zeros((*pairs.shape[:-1], 4), values.dtype)
    np.put_along_axis(groups, places, pairs, -1)
    dense = groups.reshape(*groups.shape[:-2], 4 * groups.shape[-2])[..., :size]
    return np.moveaxis(dense, -1, axis)


# ---- rows -----------------------------------------------------------------------------------
def summed_axis(spec: str) -> int:
    """The axis of the right operand that is summed. Raises ``IRError`` E1401."""
    _, right, out = split_spec(spec)
    gone = [axis for axis, letter in enumerate(right) if letter not in out]
    if len(gone) != 1:
        raise IRError("E1401", "attribute spec", expected="one letter that is summed", found=spec)
    return gone[0]


def _dense(values: Type, positions: Type, axis: int, size: int) -> Type:
    """The type of the operand, were it dense. Raises ``IRError`` E1403."""
    shape = list(values.shape)
    rest = shape[:axis] + shape[axis + 1 :]
    whole = padded_size(size)
    if shape[axis] != whole // 2 or positions is not tensor("uint4", (*rest, whole // 4)):
        raise wrong(f"values and positions of {size} elements do not fit", values, positions)
    shape[axis] = size
    return values.with_shape(tuple(shape))


def _contract_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    a, values, positions = (need(types, n) for n in range(3))
    left, right, _ = split_spec(attrs["spec"])
    axis = summed_axis(attrs["spec"])
    if right[axis] not in left or len(left) != a.rank or len(right) != values.rank:
        raise wrong(f"operands do not have the axes of {attrs['spec']}", a, values)
    dense = _dense(values, positions, axis, a.shape[left.index(right[axis])])
    return OPS["contract"].result_types(attrs, [a, dense, *types[3:]])


def _contract(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    a, values, positions, *bias = arrays
    left, right, _ = split_spec(str(op.attrs["spec"]))
    axis = summed_axis(str(op.attrs["spec"]))
    dense = unpacked(values, positions, axis, a.shape[left.index(right[axis])])
    return _meant(run, "contract", op, [a, dense, *bias])


def _conv_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, values, positions = (need(types, n) for n in range(3))
    if x.rank < 3 or values.rank != x.rank:
        raise wrong("the kernel has another rank than what it goes over", x, values)
    if attrs["groups"] != 1:
        raise IRError("E1401", "attribute groups", expected="1", found=str(attrs["groups"]))
    dense = _dense(values, positions, 1, x.shape[1])
    return OPS["conv"].result_types(attrs, [x, dense, *types[3:]])


def _conv(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, values, positions, *bias = arrays
    return _meant(run, "conv", op, [x, unpacked(values, positions, 1, x.shape[1]), *bias])


def _meant(run: Run, name: str, op: Op, arrays: Sequence[Any]) -> Array:
    """What the dense op means."""
    meaning = OPS[name].meaning
    assert meaning is not None
    found = meaning(run, op, arrays)
    assert isinstance(found, np.ndarray)
    return found


def _macs(op: Op) -> int:
    """Those of kept elements."""
    x, values = op.operands[0], op.operands[1]
    assert x is not None
    assert values is not None
    if op.name == "conv_sparse":
        return op.result.type.size * values.type.size // values.type.shape[0]
    left, right, _ = split_spec(str(op.attrs["spec"]))
    sizes = dict(zip(left, x.type.shape, strict=True))
    sizes |= dict(zip(right, values.type.shape, strict=True))
    return int(np.prod([sizes[letter] for letter in sizes], dtype=object))


def _row(name: str, first: str, attrs: dict[str, Attr], rule: Any, meaning: Any) -> Row:
    return Row(
        f"{name}_sparse",
        Kind.CONTRACT,
        (first, "values", "positions", "bias?"),
        attrs,
        rule,
        f"What {name} makes of a right operand that is 2:4 sparse: the two elements that are kept "
        "of each four along what is summed, and where they are.",
        meaning,
        macs=_macs,
    )


_WINDOW = {"strides": Attr("ints"), "pads": Attr("ints"), "dilations": Attr("ints")}

ROWS = (
    _row(
        "contract",
        "a",
        {"spec": Attr("str"), "to": Attr("str", "")},
        _contract_rule,
        _contract,
    ),
    _row(
        "conv",
        "x",
        {**_WINDOW, "groups": Attr("int", 1), "to": Attr("str", "")},
        _conv_rule,
        _conv,
    ),
)
