"""Gathering and scattering by index. Negative indices count from the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from maiacc.frontend.importers.common import cast, ramp, reshaped
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: What scatters do where an element is there already.
REDUCTIONS = {"none": "set", "add": "add", "mul": "mul", "min": "min", "max": "max"}


def from_zero(node: Node, index: int, extents: Sequence[int]) -> Value:
    """An input of indices into axes of these sizes, one for each element of its last axis or one
    for all, without negative ones. Refuses with E1304 known indices that lie outside."""
    indices, known = node.input(index), node.known(index)
    sizes = np.asarray(extents if len(extents) > 1 else extents[0], np.int64)
    if known is not None:
        wide = known.astype(np.int64)
        if not ((wide >= -sizes) & (wide < sizes)).all():
            node.fail(
                "E1304",
                f"an index lies outside of the axis: input {index}",
                expected=f"{-sizes} to {sizes - 1}",
                found=f"{wide.min()} to {wide.max()}",
            )
        if not (wide < 0).any():
            return indices
        return node.b.constant(np.where(wide < 0, wide + sizes, wide), indices.type.dtype)
    added = node.b("add", indices, node.b.constant(sizes, indices.type.dtype))
    return node.b("select", node.b("lt", indices, _zero(node, indices)), added, indices)


def _zero(node: Node, like: Value) -> Value:
    return node.b.constant(0, like.type.dtype)


# ---- gathers --------------------------------------------------------------------------------
@importer("Gather")
def gather(node: Node) -> Value:
    x = node.input(0)
    axis = node.axis(node.get_int("axis", 0), x.type.rank)
    return node.b("gather", x, from_zero(node, 1, (x.type.shape[axis],)), axis=axis)


@importer("GatherElements")
def gather_elements(node: Node) -> Value:
    x = node.input(0)
    axis = node.axis(node.get_int("axis", 0), x.type.rank)
    return node.b("gather_elements", x, from_zero(node, 1, (x.type.shape[axis],)), axis=axis)


@importer("GatherND")
def gather_nd(node: Node) -> Value:
    x, indices = node.input(0), node.type(1)
    batch = node.get_int("batch_dims", 0)
    extents = _tuple_extents(node, x.type.shape[batch:], indices.shape)
    return node.b("gather_nd", x, from_zero(node, 1, extents), batch=batch)


def _tuple_extents(node: Node, shape: Sequence[int], indices: Sequence[int]) -> Sequence[int]:
    """The sizes of the axes that tuples of indices go into."""
    width = indices[-1] if indices else 0
    if not 1 <= width <= len(shape):
        node.fail("E1304", "tuples of indices", f"1 to {len(shape)} long", str(list(indices)))
    return shape[:width]


# ---- scatters -------------------------------------------------------------------------------
def _reduction(node: Node) -> str:
    name = node.get_str("reduction", "none")
    if name not in REDUCTIONS:
        node.fail("E1304", "reduction", expected=" | ".join(REDUCTIONS), found=name)
    return REDUCTIONS[name]


@importer("Scatter", "ScatterElements")
def scatter_elements(node: Node) -> Value:
    x = node.input(0)
    axis = node.axis(node.get_int("axis", 0), x.type.rank)
    indices = from_zero(node, 1, (x.type.shape[axis],))
    op = _reduction(node)
    return node.b("scatter_elements", x, indices, node.input(2), axis=axis, op=op)


@importer("ScatterND")
def scatter_nd(node: Node) -> Value:
    x, indices = node.input(0), node.type(1)
    extents = _tuple_extents(node, x.type.shape, indices.shape)
    op = _reduction(node)
    return node.b("scatter_nd", x, from_zero(node, 1, extents), node.input(2), op=op)


# ---- ReverseSequence ------------------------------------------------------------------------
@importer("ReverseSequence")
def reverse_sequence(node: Node) -> Value:
    """Rows of the two leading axes are gathered from where they were."""
    x, lengths = node.input(0), cast(node, node.input(1), "int64")
    batch, time = node.get_int("batch_axis", 1), node.get_int("time_axis", 0)
    if x.type.rank < 2 or sorted((batch, time)) != [0, 1]:
        node.fail("E1304", "batch_axis, time_axis", "0 and 1", f"{batch} and {time}")
    outer, inner = x.type.shape[:2]
    shape = (x.type.shape[batch], 1) if batch == 0 else (1, x.type.shape[batch])
    length = reshaped(node, lengths, shape)
    t, sample = ramp(node, x.type.shape[time], 2, time), ramp(node, x.type.shape[batch], 2, batch)
    last = node.b("sub", length, node.b.constant(1, "int64"))
    turned = node.b("select", node.b("lt", t, length), node.b("sub", last, t), t)
    row, column = (turned, sample) if time == 0 else (sample, turned)
    flat = node.b("add", node.b("mul", row, node.b.constant(inner, "int64")), column)
    rows = reshaped(node, x, (outer * inner, *x.type.shape[2:]))
    return node.b("gather", rows, flat, axis=0)
