"""How the iteration space of a kernel was cut into tiles, as the lowering leaves it for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Cut(Protocol):
    """``tiles`` are sizes by dim, of ``size``; ``order`` are the dims that loops go over, outer
    ones first, with what each is dealt over; with a ``panel`` rows of the left operand stay for all
    columns. ``costs`` are the cycles that were predicted for this way to cut and for those it was
    chosen from; empty where nothing was compared."""

    @property
    def panel(self) -> bool: ...

    @property
    def tiles(self) -> tuple[int, ...]: ...

    @property
    def order(self) -> tuple[tuple[int, str], ...]: ...

    @property
    def costs(self) -> Mapping[Any, float]: ...

    def size(self, dim: int) -> int: ...
