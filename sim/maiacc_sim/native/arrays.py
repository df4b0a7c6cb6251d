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


def offsets(parts: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Where each part begins when all stand in a row, and where the last one ends."""
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)
