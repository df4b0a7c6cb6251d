"""Words that scatters have in common: updates, and places that are dropped or trap."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc_passes.kernel.model import Axis, Buffer, Stage, View, Word
from maiacc_passes.kernel.views import Side, strided, strides
from maiacc_passes.lowering.access import Access
from maiacc_passes.lowering.moves_index import Indices
from maiacc_passes.lowering.tiling import Tiling


def in_order(tiling: Tiling, dims: Sequence[int]) -> bool:
    """Whether tiles walk dims from the first element to the last."""
    wide = False
    for d in dims:
        if wide and tiling.tiles[d] < tiling.extents[d]:
            return False
        wide = wide or tiling.tiles[d] > 1
    return True


def loaded(indices: Indices, updates: Access, buffer: Buffer) -> Word:
    """The word that loads a tile of updates."""
    places, steps = indices.places, strides(buffer.shape)
    dims = range(len(places.spots))
    source = strided(
        updates.buffer,
        [indices.side(d, places.spots[d].target) for d in dims],
        offset=updates.offset,
        dtype=updates.dtype,
    )
    near = [Side(indices.tiling.tiles[d], steps[d]) for d in dims]
    views = {"d": strided(buffer, near), "a": source}
    return Word("copy", "LD0", views, location=places.location)


def dropped(indices: Indices, at: View, inside: View) -> View:
    """Places, -1 where there is no index."""
    last = Stage("select", ("a", "b", -1.0))
    return indices.map("int32", [last], [inside, at], "int32")


def checked(indices: Indices, at: View) -> None:
    """Adds words that trap where a place is -1: they read an element that is not there."""
    flags = indices.map(
        "int32",
        [Stage("lt", ("a", 0.0))],
        [at],
        "int32",
    )
    one = Buffer("one", "int32", (1,), "tsram")
    scratch = Buffer("scratch", "int32", (indices.count,), "tsram")
    indices.buffers += [one, scratch]
    first = strided(one, [Side(1, 1)])
    location = indices.places.location
    source = View(Buffer("zero", "int32", (1,), "iota"), (Axis(1, 0),), (), 0)
    zero = Word("iota", "TVP", {"d": first, "a": source}, location=location)
    views = {"d": indices.line(scratch), "a": View(one, (Axis(1, 1),), (), 0), "b": flags}
    pick = Word("pick", "TVP", views, fields={"oob": "trap"}, location=location)
    indices.words += [zero, pick]
