"""The whole vocabulary. Importing this fills the table."""

from __future__ import annotations

from maiacc_passes.ir.table import OPS, add_rows
from maiacc_passes.ir.vocabulary import (
    attention,
    blocks,
    boxes,
    composites,
    contractions,
    controls,
    convert,
    index,
    maps,
    moves,
    orders,
    pools,
    recurrent,
    reductions,
    scans,
    scatters,
    sparse,
    transformers,
    views,
)

FAMILIES = (
    maps,
    convert,
    views,
    moves,
    index,
    scatters,
    reductions,
    scans,
    orders,
    boxes,
    contractions,
    sparse,
    blocks,
    pools,
    composites,
    attention,
    recurrent,
    transformers,
    controls,
)

if not OPS:
    for family in FAMILIES:
        add_rows(family.ROWS)

__all__ = ["FAMILIES", "OPS"]
