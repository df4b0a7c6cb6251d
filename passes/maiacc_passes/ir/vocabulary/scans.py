"""Ops that make each element of all that are before it along an axis, in ascending order.

Floats are added up in the type they are computed in, and each result is rounded once; integers
wrap. An axis whose size is only bounded is scanned forward only: from the end, what is beyond the
elements that exist would show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from maiacc_passes.ir.rules import check_axis, need, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, TypeRule, Types
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.vocabulary.views import using
from maiacc_passes.ir.weights import Array


def _scanned(name: str) -> TypeRule:
    def rule(attrs: Attrs, types: Types) -> Sequence[Type]:
        kind = need(types, 0)
        check_axis(attrs["axis"], kind)
        if kind.dtype == "bool":
            raise wrong(f"{name} of truth values", kind, expected="a numeric type")
        if attrs["reverse"]:
            whole(kind, attrs["axis"], f"{name} from the end")
        return (kind,)

    return rule


def _scan(function: Callable[..., Any], identity: int) -> Callable[[Attrs, Array], Array]:
    def scan(attrs: Attrs, x: Array) -> Array:
        axis = attrs["axis"]
        line = np.moveaxis(x, axis, 0)
        line = line[::-1] if attrs["reverse"] else line
        if attrs["exclusive"]:
            first = np.full_like(line[:1], identity)
            line = np.concatenate([first, line[:-1]])
        found = function(line, axis=0, dtype=x.dtype)
        return np.moveaxis(found[::-1] if attrs["reverse"] else found, 0, axis)

    return scan


_ATTRS = {
    "axis": Attr("int"),
    "exclusive": Attr("bool", False),
    "reverse": Attr("bool", False),
}


def _row(name: str, function: Callable[..., Any], identity: int, doc: str) -> Row:
    meaning = using(_scan(function, identity))
    return Row(name, Kind.SCAN, ("x",), _ATTRS, _scanned(name), doc, meaning)


ROWS = (
    _row(
        "cumsum",
        np.cumsum,
        0,
        "The sum of the elements up to each one, or before it if exclusive; from the end if in "
        "reverse.",
    ),
    _row(
        "cumprod",
        np.cumprod,
        1,
        "The product of the elements up to each one, or before it if exclusive; from the end if in "
        "reverse.",
    ),
)
