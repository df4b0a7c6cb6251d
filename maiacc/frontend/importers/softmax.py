"""Softmax and its logarithm, along an axis or, before opset 13, along all axes from one on."""

from __future__ import annotations

import math

from maiacc.frontend.importers.common import reshaped
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

OPS = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}


@importer(*OPS, since=13)
def softmax(node: Node) -> Value:
    x = node.input(0)
    axis = node.axis(node.get_int("axis", -1), x.type.rank)
    return node.b(OPS[node.op_type], x, axis=axis)


@importer(*OPS)
def softmax_before_13(node: Node) -> Value:
    x = node.input(0)
    shape, rank = x.type.shape, x.type.rank
    given = node.get_int("axis", 1)
    # The input is taken for a matrix; an axis behind the last one makes its rows one long.
    axis = rank if given == rank else node.axis(given, rank)
    if rank and axis == rank - 1:
        return node.b(OPS[node.op_type], x, axis=axis)
    x = reshaped(node, x, (math.prod(shape[:axis]), math.prod(shape[axis:])))
    return reshaped(node, node.b(OPS[node.op_type], x, axis=1), shape)
