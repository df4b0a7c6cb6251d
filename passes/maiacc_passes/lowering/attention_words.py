"""Words of attention: products, and chunks of keys in tiles of all of them."""

from __future__ import annotations

from dataclasses import replace

from maiacc_passes.ir.graph import Op
from maiacc_passes.kernel.model import Buffer, Kernel, View, Word, loops_of, words_of
from maiacc_passes.lowering.expr import Tile
from maiacc_passes.lowering.tiling import Tiling, name_of
from maiacc_passes.lowering.writer import Writer


def multiply(op: Op, views: dict[str, View], over: tuple[str, ...] = ()) -> Word:
    """A product, which overwrites in the first turn of the loops that it sums over."""
    fields: dict[str, object] = {"over": over, "mode": "first" if over else "over"}
    return Word("multiply", "TTU", views, fields=fields, location=op.location)


def placed(view: View, tile: Tile, keys: int, tiling: Tiling) -> View:
    """A view of the first chunk of a tile as one of the chunk of the turn."""
    step = tile.strides[keys] * tiling.tiles[keys]
    return replace(view, terms=(*view.terms, (name_of(keys), step)))


def redirect(writer: Writer, chunk: Tile, tile: Tile, keys: int) -> None:
    """Lets the word that makes a chunk write it into a tile of all keys."""
    for word in reversed(writer.words):
        if isinstance(word, Word) and word.views["d"].buffer is chunk.buffer:
            split = max(0, len(tile.dims) - 1) if word.kind == "drain" else None
            view = writer.view(tile, tile.dims, split)
            word.views["d"] = placed(view, tile, keys, writer.tiling)
            if not _used(writer, chunk.buffer):
                writer.buffers.remove(chunk.buffer)
            return


def _used(writer: Writer, buffer: Buffer) -> bool:
    """Whether a word still has a buffer: what is made in steps may be made in one place."""
    views = [x for word in words_of(writer.words) for x in (*word.reads(), *word.writes())]
    return any(view.buffer is buffer for view in views)


def end_early(kernel: Kernel, tiling: Tiling) -> None:
    """Lets tiles that have nothing to do load no keys: long ones cost more than the loop's words,
    and the proof, which has to tell instances apart."""
    for loop in loops_of(kernel.body):
        dims = [d for d, spread in tiling.order if spread and name_of(d) == loop.variable]
        loop.pieces = tiling.pieces(dims[0]) if dims else 0
