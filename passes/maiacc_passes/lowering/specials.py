"""Expressions that take a word of their own: reductions, scans, sorts ..."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from maiacc_passes.kernel.model import Word
from maiacc_passes.lowering.expr import Expr

if TYPE_CHECKING:
    from maiacc_passes.lowering.writer import Writer

#: What a reduction word computes, by op.
REDUCTIONS = {
    "rsum": "sum",
    "rprod": "prod",
    "rsumsq": "sumsq",
    "rmax": "max",
    "rmin": "min",
    "argmax": "argmax",
    "argmin": "argmin",
}


def special(writer: Writer, expr: Expr) -> None:
    """Writes the word of an expression whose inputs are there."""
    SPECIALS[expr.op](writer, expr)


def _reduce(writer: Writer, expr: Expr) -> None:
    (x,) = expr.inputs
    assert isinstance(x, Expr) and x.tile is not None
    gone = expr.fields["gone"]
    assert isinstance(gone, tuple)
    result = writer.tile(expr.store, expr.dims)
    views = {
        "d": writer.view(result, expr.dims),
        "a": writer.view(x.tile, (*expr.dims, *gone), len(expr.dims)),
    }
    fields = {"op": REDUCTIONS[str(expr.fields["op"])]}
    writer.words.append(Word("reduce", "TVP", views, None, fields, writer.location))
    expr.tile = result


SPECIALS: dict[str, Callable[[Writer, Expr], None]] = {"reduce": _reduce}
