"""Words that sort rows: which types are keys, and which word finds the k first."""

from __future__ import annotations

from collections.abc import Callable

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.types import Element
from maiacc_passes.ir.vocabulary.reductions import highest, lowest
from maiacc_passes.kernel.limits import TOPK
from maiacc_passes.kernel.model import Node, Word
from maiacc_passes.lowering.chunked_words import Span

#: Types that are sorted as they are, and those of which the k first are found in one word.
SORTED = frozenset(
    {"fp32", "bf16", "fp16", "int8", "uint8", "int16", "uint16"}
    | {"int32", "uint32", "int64", "uint64"}
)
PICKED = SORTED - {"uint16", "uint32", "uint64"}

#: Makes a buffer of a tile: name, type, elements of a row.
Spans = Callable[[str, str, int], Span]


def key_type(op: Op, element: Element) -> str:
    """The type in which elements are sorted."""
    if element.name in SORTED:
        return element.name
    return "fp32" if element.is_float else "int8"


def descending(op: Op) -> bool:
    """Whether the largest element is the first."""
    return bool(op.attrs["descending" if op.name == "sort" else "largest"])


def last_key(op: Op, element: Element) -> float:
    """A key that no other one is behind; equal ones stay in front of what follows them."""
    if descending(op):
        return float(lowest(element))
    return float("nan") if element.is_float else float(highest(element))


def best(op: Op, keys: Span, count: int, make: Spans) -> tuple[list[Node], Span, Span]:
    """A word that finds the first of each row, best first, and where they are; of a sort all of
    them. Rows are the dims before and behind the second one of three."""
    order = (0, 2, 1)
    dtype = keys.buffer.dtype
    direction = descending(op)
    if op.name == "topk" and count <= TOPK and dtype in PICKED:
        values, places = make("v", dtype, count), make("p", "int32", count)
        fields: dict[str, object] = {"k": count, "least": not direction}
        kind = "topk"
    else:
        length = keys.sizes[1]
        values, places = make("v", dtype, length), make("p", "int32", length)
        fields = {"descending": direction}
        kind = "sort"
    views = {
        "d": values.view(2, order),
        "e": places.view(2, order),
        "a": keys.view(2, order),
    }
    return [Word(kind, "TVP", views, None, fields, op.location)], values, places
