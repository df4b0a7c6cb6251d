"""Conversions between element types."""

from __future__ import annotations

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS

#: How powers of two are rounded to.
POWERS = {"up": "up", "down": "trunc", "nearest": "rne"}


@importer("Cast")
def converted(node: Node) -> Value:
    return _converted(node, node.get_dtype("to"))


@importer("CastLike")
def converted_like(node: Node) -> Value:
    return _converted(node, node.type(1).dtype)


def _converted(node: Node, to: str) -> Value:
    x = node.input(0)
    source, target = x.type.element, ELEMENTS[to]
    if source is target:
        return x
    rounding = "rne" if target.is_float else "trunc"
    if to == "e8m0":
        mode = node.get_str("round_mode", "up")
        if mode not in POWERS:
            node.fail("E1304", "round_mode", expected=" | ".join(POWERS), found=mode)
        rounding = POWERS[mode]
    # The attribute is about floats of 8 bits; wider ones become infinite beyond their range.
    saturate = bool(node.get_int("saturate", 1)) or not target.is_float
    wide = target.is_float and target.bits > 8
    if source.is_float and target.is_int and target.bits < 8:
        # What 4 bits cannot hold is undefined; the reference wraps.
        x = node.b("cvt", x, to="int32", round="trunc")
    return node.b("cvt", x, to=to, saturate=saturate and not wide, round=rounding)


@importer("BitCast")
def reinterpreted(node: Node) -> Value:
    x, to = node.input(0), node.get_dtype("to")
    if x.type.element.bits != ELEMENTS[to].bits:
        node.fail(
            "E1304",
            "elements have another width",
            expected=f"{x.type.element.bits} bits",
            found=to,
        )
    return x if x.type.dtype == to else node.b("bitcast", x, to=to)
