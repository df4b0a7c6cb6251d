"""Operators that are one op for each element."""

from __future__ import annotations

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: Operators of one input that are an op of the IR as they are.
UNARY = {
    "Abs": "abs", "Neg": "neg", "Sign": "sign", "Sqrt": "sqrt", "Reciprocal": "recip",
    "Exp": "exp", "Log": "log", "Erf": "erf", "Tanh": "tanh", "Sigmoid": "sigmoid",
    "Sin": "sin", "Cos": "cos", "Atan": "atan", "Floor": "floor", "Ceil": "ceil",
    "Round": "round", "Relu": "relu", "IsNaN": "is_nan", "Not": "not", "BitwiseNot": "not",
}  # fmt: skip

#: Operators of two inputs that broadcast.
BINARY = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div",
    "And": "and", "Or": "or", "Xor": "xor",
    "BitwiseAnd": "and", "BitwiseOr": "or", "BitwiseXor": "xor",
}  # fmt: skip


@importer(*UNARY)
def unary(node: Node) -> Value:
    return node.b(UNARY[node.op_type], node.input(0))


@importer(*BINARY, since=7)
def binary(node: Node) -> Value:
    return node.b(BINARY[node.op_type], node.input(0), node.input(1))
