"""Products of matrices and of stacks of them as contractions."""

from __future__ import annotations

from maiacc.frontend.importers.common import reshaped
from maiacc.frontend.node import Node
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import Type

#: Letters of leading axes.
BATCH = "abcdefghij"


def matmul(node: Node, a: Value, b: Value, to: str = "") -> Value:
    """What ``numpy.matmul`` gives: leading axes broadcast, a vector is a row or a column that
    disappears. Refuses with E1304."""
    for value in (a, b):
        if not 1 <= value.type.rank <= len(BATCH) + 2:
            node.fail("E1304", "a factor has no axes, or too many", found=str(value.type))
    left = "mk" if a.type.rank > 1 else "k"
    right = "kn" if b.type.rank > 1 else "k"
    lead = max(a.type.rank - len(left), b.type.rank - len(right))
    batch = BATCH[:lead]
    first, second = _lead(a.type, left, batch), _lead(b.type, right, batch)
    common = {letter for letter in batch if first.get(letter, 1) == second.get(letter, 1) == 1}
    # An axis that a factor is stretched along is none of its own.
    first = {c: n for c, n in first.items() if n != 1 or c in common}
    second = {c: n for c, n in second.items() if n != 1 or c in common}
    a = reshaped(node, a, (*first.values(), *a.type.shape[-len(left) :]))
    b = reshaped(node, b, (*second.values(), *b.type.shape[-len(right) :]))
    out = batch + left.replace("k", "") + right.replace("k", "")
    spec = f"{''.join(first)}{left},{''.join(second)}{right}->{out}"
    return node.b("contract", a, b, spec=spec, to=to)


def _lead(kind: Type, inner: str, batch: str) -> dict[str, int]:
    """The sizes of leading axes by letter."""
    count = kind.rank - len(inner)
    return dict(zip(batch[len(batch) - count :], kind.shape[:count], strict=True))
