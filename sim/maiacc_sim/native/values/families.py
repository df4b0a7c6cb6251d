"""The kernels that rows name: for each family of instructions the function that executes a word
whose views are placed. A word that a kernel declines has changed nothing."""

from __future__ import annotations

from typing import Any

from maiacc_sim.native.codes import DONE
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values import (
    copies,
    indexed,
    maps,
    moves,
    products,
    rows,
    scaled,
    scans,
    sorts,
    sparse,
)


@native(name="family_nothing", export=True)
def nothing(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """Moves nothing."""
    return DONE


KERNELS: tuple[Any, ...] = (
    nothing,
    moves.copy,
    moves.copyt,
    moves.fill,
    indexed.radd,
    indexed.gather,
    indexed.scatter,
    products.multiply,
    sparse.multiply_sparse,
    maps.map_,
    rows.reduce,
    scans.scan,
    sorts.sort,
    sorts.top,
    copies.convert_,
    copies.select,
    copies.iota,
    scaled.quantise,
    scaled.scale,
    scaled.assert_,
)
