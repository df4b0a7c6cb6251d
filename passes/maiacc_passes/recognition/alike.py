"""Whether a value repeats along its last axis, as far as its making shows.

Sines and cosines of rotary embeddings come for whole heads: both halves are the same, or every two
neighbours are.
"""

from __future__ import annotations

import numpy as np

from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.weights import Array
from maiacc_passes.matching import LARGE, constant, made_by

#: Ops through which what is alike stays alike, if all operands are that or one number wide.
PLAIN = ("sin", "cos", "cvt", "neg", "mul", "add")

#: How far back a value's making is looked at.
DEPTH = 12


def alike(value: Value | None, pairs: bool, depth: int = DEPTH) -> bool:
    """Whether both halves of the last axis are the same, or with ``pairs`` all neighbours."""
    if value is None or not value.type.shape or value.type.shape[-1] % 2 or not depth:
        return False
    array = constant(value, LARGE)
    if array is not None:
        return _equal(array, pairs)
    op = value.op
    if op is None:
        return False
    if op.name in PLAIN:
        return all(
            x is not None and (x.type.shape[-1:] in ((), (1,)) or alike(x, pairs, depth - 1))
            for x in op.operands
        )
    if op.name == "concat":
        first, last = op.operands[0], op.attrs["axis"] == value.type.rank - 1
        return last and not pairs and len(op.operands) == 2 and op.operands[1] is first
    if op.name == "reshape" and pairs and _doubled(op.operands[0]):
        return True
    return _keeps_last_axis(op) and alike(op.operands[0], pairs, depth - 1)


def _equal(array: Array, pairs: bool) -> bool:
    one, two = (array[..., ::2], array[..., 1::2]) if pairs else np.split(array, 2, -1)
    return bool(np.array_equal(one, two))


def _doubled(value: Value | None) -> bool:
    """Whether the last axis holds one element twice."""
    if value is None or value.type.shape[-1:] != (2,):
        return False
    spread, both = made_by(value, "broadcast"), made_by(value, "concat")
    if spread is not None:
        x = spread.operands[0]
        return x is not None and x.type.shape[-1:] in ((), (1,))
    last = both is not None and both.attrs["axis"] == value.type.rank - 1
    return both is not None and last and len(set(both.operands)) == 1


def _keeps_last_axis(op: Op) -> bool:
    """Whether rows of a result are rows of the first operand."""
    x, result = op.operands[0] if op.operands else None, op.results[0].type
    if x is None or not x.type.rank:
        return False
    last = x.type.rank - 1
    if op.name in ("reshape", "broadcast"):
        return x.type.shape[-1] == result.shape[-1]
    if op.name == "transpose":
        return bool(op.attrs["perm"][-1] == last)
    if op.name == "slice":
        return (op.attrs["sizes"][-1], op.attrs["steps"][-1]) == (x.type.shape[-1], 1)
    return op.name == "gather" and bool(op.attrs["axis"] != last)
