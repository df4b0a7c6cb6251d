"""Products of matrices."""

from __future__ import annotations

from maiacc.frontend.importers.common import cast, scalar
from maiacc.frontend.importers.terms import wide_name
from maiacc.frontend.node import Node
from maiacc.frontend.products import matmul
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("MatMul")
def matrix_product(node: Node) -> Value:
    return matmul(node, node.input(0), node.input(1))


@importer("Gemm")
def gemm(node: Node) -> Value:
    """alpha A B + beta C. C broadcasts; before opset 7 only where an attribute allows it."""
    b, a, other = node.b, node.input(0), node.input(1)
    left = "km" if node.get_int("transA", 0) else "mk"
    right = "nk" if node.get_int("transB", 0) else "kn"
    spec = f"{left},{right}->mn"
    alpha, beta = node.get_float("alpha", 1.0), node.get_float("beta", 1.0)
    added = node.optional(2) if beta else None
    dtype = a.type.dtype
    if added is not None:
        added = _times(node, added, beta)
    if alpha == 1:
        return b("contract", a, other, added, spec=spec)
    exact = wide_name(dtype)
    found = _times(node, b("contract", a, other, spec=spec, to=exact), alpha)
    if added is not None:
        found = b("add", found, cast(node, added, exact))
    return cast(node, found, dtype)


def _times(node: Node, x: Value, factor: float) -> Value:
    """A multiple of x, of narrow floats in fp32."""
    b = node.b
    if factor == 1:
        return x
    if x.type.element.is_int and not factor.is_integer():
        node.unsupported(
            f"integers times {factor}", "alpha and beta of integers have to be integers"
        )
    x = cast(node, x, wide_name(x.type.dtype))
    return b("mul", x, scalar(node, factor, x))
