"""The order of sorted rows."""

from __future__ import annotations

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.arith.convert import decode
from maiacc_sim.arith.floats import Array, to_keys


def sort_rows(codes: Array, dtype: str, descending: bool) -> Array:
    """For each row of codes [R, C] the positions of its elements in their order.

    Stable in both directions; -0 equals +0; NaN is above +infinity and equal to NaN.
    """
    keys = _keys(codes, dtype)
    # The complement of an integer reverses the order and leaves equal ones equal.
    return np.argsort(~keys if descending else keys, axis=1, kind="stable")


def topk_rows(codes: Array, dtype: str, k: int, least: bool) -> Array:
    """The first k positions of the largest, or smallest, elements of each row: [R, k]."""
    return sort_rows(codes, dtype, descending=not least)[:, :k]


def _keys(codes: Array, dtype: str) -> Array:
    """Integers in the order of the elements."""
    values = decode(codes, dtype)
    if not load().dtypes[dtype].is_float:
        return values
    keys = to_keys(np.where(values == 0, np.float32(0), values))
    return np.where(np.isnan(values), np.uint32(0xFFFFFFFF), keys)
