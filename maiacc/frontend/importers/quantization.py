"""Quantising to few bits and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from maiacc.frontend.importers.common import cast, reshaped, sliced, stretched
from maiacc.frontend.importers.terms import along, wide_name
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: Numbers of ONNX's element types that attributes leave out by 0.
UNDEFINED = 0


@importer("QuantizeLinear", since=10)
def quantize(node: Node) -> Value:
    x, scale, zero = node.input(0), node.input(1), node.optional(2)
    to = zero.type.dtype if zero is not None else "uint8"
    if node.get_int("output_dtype", UNDEFINED):
        given = node.get_dtype("output_dtype")
        if zero is not None and given != to:
            node.fail("E1304", "the type of the zero point", given, to)
        to = given
    precision = scale.type.dtype
    if node.get_int("precision", UNDEFINED):
        precision = node.get_dtype("precision")
    place, scale, zero = _placed(node, x, scale, zero)
    attrs = {**place, "to": to, "saturate": bool(node.get_int("saturate", 1))}
    if precision in ("fp16", "bf16"):
        # The quotient is rounded to this type before it is rounded to an integer.
        divisor = _spread(node, cast(node, scale, precision), x.type.shape, place)
        x = node.b("div", cast(node, x, precision), divisor)
        scale = node.b.splat(1, scale.type.with_dtype("fp32"))
    if not scale.type.element.is_float:
        scale = cast(node, scale, "fp32")
    return node.b("quantize", cast(node, x, wide_name(x.type.dtype)), scale, zero, **attrs)


def _spread(node: Node, scale: Value, shape: tuple[int, ...], place: dict[str, Any]) -> Value:
    """Scales in a shape that broadcasts with what they scale."""
    axis, block = place.get("axis", 0), place.get("block", 0)
    if not block:
        return scale if scale.type.rank == 0 else along(node, scale, len(shape), axis)
    lead, count, tail = (
        scale.type.shape[:axis],
        scale.type.shape[axis],
        scale.type.shape[axis + 1 :],
    )
    scale = reshaped(node, scale, (*lead, count, 1, *tail))
    scale = stretched(node, scale, (*lead, count, block, *tail))
    scale = reshaped(node, scale, (*lead, count * block, *tail))
    return sliced(node, scale, axis, 0, shape[axis])


@importer("DequantizeLinear", since=10)
def dequantize(node: Node) -> Value:
    x, scale, zero = node.input(0), node.input(1), node.optional(2)
    to = scale.type.dtype
    if node.get_int("output_dtype", UNDEFINED):
        to = node.get_dtype("output_dtype")
    place, scale, zero = _placed(node, x, scale, zero)
    return node.b("dequantize", x, scale, zero, to=to, **place)


def _placed(
    node: Node, x: Value, scale: Value, zero: Value | None
) -> tuple[dict[str, Any], Value, Value | None]:
    """What the scales belong to, and scales and zero points in the shape that goes with it."""
    block = node.get_int("block_size", 0)
    if zero is not None and zero.type.size == scale.type.size == 1:
        zero = reshaped(node, zero, scale.type.shape)
    if scale.type.size == 1 and scale.type.rank <= 1 and not block:
        scale = reshaped(node, scale, ())
        zero = None if zero is None else reshaped(node, zero, ())
    if scale.type.rank == 0:
        return {}, scale, _counting(node, zero)
    # Of a vector there is but one axis, whatever the node says.
    axis = 0 if x.type.rank == 1 else node.axis(node.get_int("axis", 1), x.type.rank)
    if block < 0 or (scale.type.rank > 1 and not block):
        node.fail("E1304", "attribute block_size", "the size of blocks", str(block))
    if block and scale.type.rank != x.type.rank:
        node.fail("E1304", "the scales of blocks", f"{x.type.rank} axes", str(scale.type))
    return {"axis": axis, "block": block}, scale, _counting(node, zero)


def _counting(node: Node, zero: Value | None) -> Value | None:
    """Zero points of floats, unless they are known to be 0."""
    if zero is None or not zero.type.element.is_float:
        return zero
    known = node.importing.known(zero)
    return None if known is not None and not known.astype(np.float32).any() else zero


@importer("DynamicQuantizeLinear")
def dynamic_quantize(node: Node) -> Sequence[Value]:
    return node.b.many("dynamic_quantize", node.input(0), to="uint8")
