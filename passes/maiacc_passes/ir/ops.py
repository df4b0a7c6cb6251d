"""The whole vocabulary. Importing this fills the table."""

from __future__ import annotations

from maiacc_passes.ir.table import OPS, add_rows
from maiacc_passes.ir.vocabulary import controls, maps

FAMILIES = (maps, controls)

if not OPS:
    for family in FAMILIES:
        add_rows(family.ROWS)

__all__ = ["FAMILIES", "OPS"]
