"""Rotary embeddings, of ONNX and of onnxruntime."""

from __future__ import annotations

from maiacc.frontend.importers.common import ramp, reshaped
from maiacc.frontend.importers.scores import join_heads, split_heads
from maiacc.frontend.node import Node
from maiacc.frontend.registry import MICROSOFT, importer
from maiacc_passes.ir.graph import Value


def rows(node: Node, cache: Value, positions: Value) -> Value:
    """The rows [b, s, r] of a table [n, r] at positions [b, s]; negative ones count from its
    end. Refuses with E1304."""
    b = node.b
    if cache.type.rank != 2:
        node.fail("E1304", "a table of angles", expected="two axes", found=str(cache.type))
    size = b.constant(cache.type.shape[0], positions.type.dtype)
    zero = b.constant(0, positions.type.dtype)
    known = node.importing.known(positions)
    if known is None or (known < 0).any():
        behind = b("lt", positions, zero)
        positions = b("select", behind, b("add", positions, size), positions)
    return b("gather", cache, positions, axis=0)


def rotated(
    node: Node, x: Value, cos: Value, sin: Value, interleaved: bool, width: int = 0
) -> Value:
    """x[b, h, s, d] turned by angles [b, s, r]; only the first ``width`` of d if it is not 0.
    Refuses with E1304."""
    batch, _, length, size = x.type.shape
    width = width or size
    half = width // 2
    fits = [
        cos.type.rank == 3
        and cos.type.shape[0] in (1, batch)
        and cos.type.shape[1:] == (length, half),
        cos.type is sin.type,
        width % 2 == 0 and 0 < width <= size,
    ]
    if not all(fits):
        found = f"{x.type} by {cos.type} and {sin.type}"
        node.fail("E1304", "the tables do not fit", f"[{batch}, {length}, {half}]", found)
    shape = (cos.type.shape[0], 1, length, half)
    cos, sin = reshaped(node, cos, shape), reshaped(node, sin, shape)
    return node.b("rope", x, cos, sin, interleaved=interleaved, dims=width if width < size else 0)


@importer("RotaryEmbedding", since=23)
def rotary(node: Node) -> Value:
    x, cos, sin, positions = node.input(0), node.input(1), node.input(2), node.optional(3)
    if positions is not None:
        cos, sin = rows(node, cos, positions), rows(node, sin, positions)
    split = x if x.type.rank == 4 else split_heads(node, x, node.get_int("num_heads"))
    width = node.get_int("rotary_embedding_dim", 0)
    y = rotated(node, split, cos, sin, bool(node.get_int("interleaved", 0)), width)
    return y if x.type.rank == 4 else join_heads(node, y)


@importer("RotaryEmbedding", domain=MICROSOFT)
def microsoft_rotary(node: Node) -> Value:
    """Positions may be one number, the first of consecutive ones. Without ``num_heads`` the table
    is as wide as half a head."""
    x, positions, cos, sin = (node.input(i) for i in range(4))
    if node.get_int("is_packed_batching", 0) or node.get_float("scale", 1.0) != 1:
        node.unsupported("packed batches, or a scale", "use the operator of ONNX's own domain")
    width = node.get_int("rotary_embedding_dim", 0)
    heads = node.get_int("num_heads", 0)
    if cos.type.rank != 2 or not cos.type.shape[1]:
        node.fail("E1304", "the table of cosines", "[positions, half a head]", str(cos.type))
    if not heads:
        heads = x.type.shape[-1] // (2 * cos.type.shape[1])
    split = x if x.type.rank == 4 else split_heads(node, x, heads)
    batch, length = split.type.shape[0], split.type.shape[2]
    if positions.type.size == 1 and positions.type.shape != (batch, length):
        positions = consecutive(node, reshaped(node, positions, (1, 1)), length)
    cos, sin = rows(node, cos, positions), rows(node, sin, positions)
    y = rotated(node, split, cos, sin, bool(node.get_int("interleaved", 0)), width)
    return y if x.type.rank == 4 else join_heads(node, y)


def consecutive(node: Node, first: Value, length: int) -> Value:
    """Positions [b, s] from the first [b, 1] of each on."""
    return node.b("add", first, ramp(node, length, 2, 1, first.type.dtype))
