"""Expressions that take a word of their own: reductions, scans, sorts ..."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from maiacc_passes.kernel.model import View, Word
from maiacc_passes.lowering.expr import Expr, Tile

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


#: Reductions that a chain gives beside its results.
STATS = {"rsum": "sum", "rsumsq": "sumsq", "rmax": "max", "rmin": "min"}


def special(writer: Writer, expr: Expr) -> None:
    """Writes the word of an expression whose inputs are there."""
    SPECIALS[expr.op](writer, expr)


def _reduce(writer: Writer, expr: Expr) -> None:
    (x,) = expr.inputs
    assert isinstance(x, Expr)
    assert x.tile is not None
    gone = expr.fields["gone"]
    assert isinstance(gone, tuple)
    beside = None if expr.fields.get("last") else _beside(writer, expr, x.tile)
    if beside is not None:
        expr.tile = beside
        return
    result = writer.tile(expr.store, expr.dims)
    source = writer.view(x.tile, (*expr.dims, *gone), len(expr.dims))
    if expr.fields.get("last"):
        source = _backwards(writer, x.tile, (*expr.dims, *gone), gone)
    views = {"d": writer.view(result, expr.dims), "a": source}
    fields: dict[str, object] = {"op": REDUCTIONS[str(expr.fields["op"])]}
    writer.words.append(Word("reduce", "TVP", views, None, fields, writer.location))
    expr.tile = result


def _beside(writer: Writer, expr: Expr, x: Tile) -> Tile | None:
    """Lets the word that makes what is reduced give the result beside it, in the same passes."""
    word, tiles = writer.mapped.get(x.buffer, (None, {}))
    stat = STATS.get(str(expr.fields["op"]))
    gone = expr.fields["gone"]
    assert isinstance(gone, tuple)
    order = (*expr.dims, *gone)
    if word is None or word.chain is None or stat is None or set(order) != set(x.dims):
        return None
    plain = word.kind == "map" and word.chain.dtype == "fp32"
    if not plain or {x.type, expr.store} != {"fp32"} or not expr.dims:
        return None
    # A new buffer: others may still be read when the word is executed, which came before.
    result = writer.tile(expr.store, expr.dims, fresh=True)
    views = {name: writer.view(tile, order, len(expr.dims)) for name, tile in tiles.items()}
    word.kind, word.views = "map_reduce", {**views, "e": writer.view(result, expr.dims)}
    word.chain = replace(word.chain, stat=stat)
    return result


def _backwards(writer: Writer, tile: Tile, dims: tuple[int, ...], gone: tuple[int, ...]) -> View:
    """Rows of a tile read from their end to their start."""
    turned = {d: -s if d in gone else s for d, s in tile.strides.items()}
    view = writer.view(
        Tile(tile.buffer, tile.dims, turned, tile.dtype), dims, len(dims) - len(gone)
    )
    tiles = writer.tiling.tiles
    ends = sum((tiles[d] - 1) * tile.strides.get(d, 0) for d in gone)
    return replace(view, offset=view.offset + ends)


def _convert(writer: Writer, expr: Expr) -> None:
    """From one type to another with one rounding, which a chain in fp32 would do twice."""
    (x,) = expr.inputs
    assert isinstance(x, Expr)
    assert x.tile is not None
    result = writer.tile(expr.store, expr.dims)
    views = {"d": writer.view(result, expr.dims), "a": writer.view(x.tile, expr.dims)}
    writer.words.append(Word("convert", "TVP", views, None, expr.fields, writer.location))
    expr.tile = result


SPECIALS: dict[str, Callable[[Writer, Expr], None]] = {"reduce": _reduce, "convert": _convert}
