"""Ops that hand values out of regions, and ops with regions."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_passes.ir.table import Attrs, Kind, Row, Types
from maiacc_passes.ir.types import Type


def _nothing(attrs: Attrs, types: Types) -> Sequence[Type]:
    return ()


def _end(name: str, doc: str) -> Row:
    return Row(name, Kind.CONTROL, ("values*",), {}, _nothing, doc, pure=False)


ROWS = (
    _end("return", "Hands out the outputs of the model."),
    _end("yield", "Hands out the results of a region."),
)
