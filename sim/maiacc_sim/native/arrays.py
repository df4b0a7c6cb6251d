"""Arrays whose addresses native code is given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maiacc_sim.native.lang.functions import dtype_of

Records = NDArray[Any]
Ints = NDArray[np.int64]


def blank(kind: type, count: int) -> Records:
    """Zeroed records; at least one, so that there is an address."""
    return np.zeros(max(count, 1), dtype_of(kind))


def numbers(values: Iterable[int]) -> NDArray[np.int64]:
    """An array of numbers; at least one, so that there is an address."""
    found = np.fromiter(values, np.int64)
    return found if len(found) else np.zeros(1, np.int64)


def columns(found: Records, path: str, first: str = "", last: str = "") -> NDArray[np.int64]:
    """The numbers of records from one field to another, or of all of them, as rows: one step for
    who sets them often. ``path`` leads to records within the records, by names with dots."""
    start, kind = 0, found.dtype
    for name in filter(None, path.split(".")):
        kind, offset = _field(kind, name)
        start += offset
    if first:
        stop = start + _field(kind, last)[1] + 8
        start += _field(kind, first)[1]
    else:
        stop = start + kind.itemsize
    rows = found.view(np.int64).reshape(len(found), -1)
    return rows[:, start // 8 : stop // 8]


def _field(kind: np.dtype[Any], name: str) -> tuple[np.dtype[Any], int]:
    """The type of a field, and the byte where it begins."""
    assert kind.fields is not None, "records have fields"
    inner, offset, *_ = kind.fields[name]
    return inner, offset


def offsets(parts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Where each part begins when all stand in a row, and where the last one ends."""
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)
