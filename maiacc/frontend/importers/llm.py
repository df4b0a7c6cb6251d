"""What language models have beside attention: gates, and caches that are written at an index."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc.frontend.importers.common import ramp, reshaped, sliced, stretched
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("SwiGLU", since=28)
def swiglu(node: Node) -> Value | Sequence[Value | None]:
    gate, up = node.input(0), node.input(1)
    if gate.type is not up.type:
        node.fail("E1304", "the inputs have different types", str(gate.type), str(up.type))
    return node.b("swiglu", gate, up) if node.get_float("alpha", 1.0) == 1 else node.body()


@importer("TensorScatter", since=24)
def tensor_scatter(node: Node) -> Value:
    cache, new, first = node.input(0), node.input(1), node.optional(2)
    axis = node.axis(node.get_int("axis", -2), cache.type.rank)
    mode = node.get_str("mode", "linear")
    if axis == 0 or mode not in ("linear", "circular"):
        node.fail("E1304", "attributes axis and mode", found=f"{axis}, {mode}")
    most, fits = cache.type.shape[axis], new.type.rank == cache.type.rank
    if fits:
        size = new.type.shape[axis]
        wanted = (*cache.type.shape[:axis], size, *cache.type.shape[axis + 1 :])
        fits = new.type.shape == wanted and size <= most
    if not fits:
        node.fail("E1304", "the update does not fit the cache", str(cache.type), str(new.type))
    if first is not None and first.type.shape != cache.type.shape[:1]:
        node.fail("E1304", "write_indices", f"[{cache.type.shape[0]}]", str(first.type))
    if first is None:
        return written(node, cache, new, axis, 0)
    circular = mode == "circular"
    known = node.known(2)
    if known is not None and known.size and (known == known.flat[0]).all():
        start = int(known.flat[0]) % most if circular else int(known.flat[0])
        if 0 <= start <= most - new.type.shape[axis]:
            return written(node, cache, new, axis, start)
    starts = reshaped(node, first, (first.type.size, *[1] * (cache.type.rank - 1)))
    return scattered(node, cache, new, axis, starts, circular)


def written(node: Node, cache: Value, new: Value, axis: int, start: int) -> Value:
    """A cache with new elements from a known index of an axis on."""
    most, size = cache.type.shape[axis], new.type.shape[axis]
    end = start + size
    parts = [
        sliced(node, cache, axis, 0, start) if start else None,
        new,
        sliced(node, cache, axis, end, most - end) if end < most else None,
    ]
    kept = [part for part in parts if part is not None]
    return kept[0] if len(kept) == 1 else node.b("concat", *kept, axis=axis)


def scattered(
    node: Node, cache: Value, new: Value, axis: int, start: Value, circular: bool = False
) -> Value:
    """The same from an index on that each batch element has, [b, 1, 1 ...]; behind the end of the
    axis it goes on at its start if ``circular``."""
    b, dtype = node.b, start.type.dtype
    at = b("add", start, ramp(node, new.type.shape[axis], cache.type.rank, axis, dtype))
    if circular:
        at = b("mod", at, b.constant(cache.type.shape[axis], dtype))
    return b(
        "scatter_elements", cache, stretched(node, at, new.type.shape), new, axis=axis, op="set"
    )
