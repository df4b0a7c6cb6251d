"""Comparisons, choices, tests and bits of each element."""

from __future__ import annotations

from maiacc.frontend.importers.common import aligned
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: Comparisons: the op, and whether the operands change places.
COMPARED = {
    "Equal": ("eq", False), "Less": ("lt", False), "Greater": ("lt", True),
    "LessOrEqual": ("le", False), "GreaterOrEqual": ("le", True),
}  # fmt: skip

BITS = {"BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor"}


@importer(*COMPARED)
def compared_before_7(node: Node) -> Value:
    a, b = node.input(0), node.input(1)
    return _compared(node, a, aligned(node, a, b))


@importer(*COMPARED, since=7)
def compared(node: Node) -> Value:
    return _compared(node, node.input(0), node.input(1))


def _compared(node: Node, a: Value, b: Value) -> Value:
    name, exchanged = COMPARED[node.op_type]
    return node.b(name, b, a) if exchanged else node.b(name, a, b)


@importer("Where")
def where(node: Node) -> Value:
    return node.b("select", node.input(0), node.input(1), node.input(2))


@importer("IsInf")
def is_inf(node: Node) -> Value:
    return node.b(
        "is_inf",
        node.input(0),
        positive=bool(node.get_int("detect_positive", 1)),
        negative=bool(node.get_int("detect_negative", 1)),
    )


@importer(*BITS)
def bits(node: Node) -> Value:
    return node.b(BITS[node.op_type], node.input(0), node.input(1))


@importer("BitShift")
def shifted(node: Node) -> Value:
    direction = node.get_str("direction")
    if direction not in ("LEFT", "RIGHT"):
        node.fail("E1304", "direction", expected="LEFT | RIGHT", found=direction)
    return node.b("shl" if direction == "LEFT" else "shr", node.input(0), node.input(1))
