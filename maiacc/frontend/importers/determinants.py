"""Det: elimination with pivots, one step for each row."""

from __future__ import annotations

import math

from maiacc.frontend.importers.common import ramp, reshaped, scalar, sliced, stretched, widely
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

#: Matrices of at most so many rows are unrolled.
MOST = 64


@importer("Det")
def determinant(node: Node) -> Value:
    x = node.input(0)
    kind = x.type
    if kind.rank < 2 or kind.shape[-1] != kind.shape[-2]:
        node.fail("E1304", "the input", expected="square matrices", found=str(kind))
    rows = kind.shape[-1]
    if rows > MOST:
        node.unsupported(f"matrices of {rows} rows are not unrolled", f"at most {MOST} rows")
    batch = math.prod(kind.shape[:-2])
    if rows == 0:
        return node.b.splat(1, kind.with_shape(kind.shape[:-2]))
    found = widely(node, lambda m: _eliminated(node, m), reshaped(node, x, (batch, rows, rows)))
    return reshaped(node, found, kind.shape[:-2])


def _eliminated(node: Node, matrix: Value) -> Value:
    """The product of the pivots, with the sign of the rows' exchanges: [batch, n, n] to
    [batch, 1, 1]."""
    found: Value | None = None
    while True:
        matrix, pivot = _step(node, matrix)
        found = pivot if found is None else node.b("mul", found, pivot)
        if matrix.type.shape[1] == 0:
            return found


def _step(node: Node, matrix: Value) -> tuple[Value, Value]:
    """What is left without the row with the largest first element, and that element: its sign
    changed if the row was not the first."""
    b, (batch, rows, _) = node.b, matrix.type.shape
    column = sliced(node, matrix, 2, 0, 1)
    place = b("argmax", b("abs", column), axis=1, keep=True)
    row = b("gather_elements", matrix, stretched(node, place, (batch, 1, rows)), axis=1)
    pivot = sliced(node, row, 2, 0, 1)
    first = b("eq", place, b.constant(0, "int64"))
    signed = b("select", first, pivot, b("neg", pivot))
    # The first row takes the place of the one that leaves.
    other = b("eq", ramp(node, rows, 3, 1), place)
    rest = sliced(node, b("select", other, sliced(node, matrix, 1, 0, 1), matrix), 1, 1, rows - 1)
    if rows == 1:
        return rest, signed
    factor = b("div", sliced(node, rest, 2, 0, 1), pivot)
    # A column of zeros has nothing to eliminate: 0 / 0 must not spread.
    none = b("eq", pivot, scalar(node, 0, pivot))
    factor = b("select", none, scalar(node, 0, pivot), factor)
    taken = b("mul", factor, sliced(node, row, 2, 1, rows - 1))
    return b("sub", sliced(node, rest, 2, 1, rows - 1), taken), signed
