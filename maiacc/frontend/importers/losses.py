"""Losses of classifiers."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc.frontend.importers.common import cast, reshaped, scalar
from maiacc.frontend.importers.terms import mean, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value

REDUCTIONS = ("none", "sum", "mean")


@importer("NegativeLogLikelihoodLoss")
def likelihood(node: Node) -> Value:
    return cast(node, _loss(node, wide(node, node.input(0))), node.type(0).dtype)


@importer("SoftmaxCrossEntropyLoss")
def cross_entropy(node: Node) -> Sequence[Value]:
    dtype = node.type(0).dtype
    logs = node.b("log_softmax", wide(node, node.input(0)), axis=_classes(node))
    return [cast(node, _loss(node, logs), dtype), cast(node, logs, dtype)]


def _classes(node: Node) -> int:
    """The axis of classes. Refuses with E1304 if there is none."""
    kind, target = node.type(0), node.type(1)
    if kind.rank < 2 or target.shape != (kind.shape[0], *kind.shape[2:]):
        node.fail("E1304", "shapes", "[n, c, ...] and [n, ...]", f"{kind}, {target}")
    return 1


def _loss(node: Node, logs: Value) -> Value:
    """The loss of logarithms of probabilities [n, classes, ...]."""
    b, target = node.b, node.input(1)
    axis = _classes(node)
    reduction = node.get_str("reduction", "mean")
    if reduction not in REDUCTIONS:
        node.fail("E1304", "attribute reduction", " | ".join(REDUCTIONS), reduction)
    counts: Value | None = None
    if node.has("ignore_index"):
        ignored = scalar(node, node.get_int("ignore_index"), target)
        counts = b("not", b("eq", target, ignored))
        # What is ignored need not be a class: anything may be read there instead.
        target = b("select", counts, target, scalar(node, 0, target))
    shape = target.type.shape
    index = reshaped(node, target, (shape[0], 1, *shape[1:]))
    found = reshaped(node, b("neg", b("gather_elements", logs, index, axis=axis)), shape)
    weight = _weights(node, target, counts, found)
    if weight is not None:
        found = b("mul", found, weight)
    if counts is not None:
        found = b("select", counts, found, scalar(node, 0, found))
    axes = tuple(range(found.type.rank))
    if reduction == "none":
        return found
    if reduction == "mean" and weight is None:
        return mean(node, found, axes, keep=False)
    total = b("rsum", found, axes=axes, keep=False)
    if reduction == "sum" or weight is None:
        return total
    return b("div", total, b("rsum", weight, axes=axes, keep=False))


def _weights(node: Node, target: Value, counts: Value | None, like: Value) -> Value | None:
    """How much each element counts; None if all count the same."""
    b, weights = node.b, node.optional(2)
    if weights is None:
        return None if counts is None else b("cvt", counts, to=like.type.dtype)
    if weights.type.shape != (node.type(0).shape[1],):
        node.fail("E1304", "weights", f"[{node.type(0).shape[1]}]", str(weights.type))
    found = cast(node, b("gather", weights, target, axis=0), like.type.dtype)
    return found if counts is None else b("select", counts, found, scalar(node, 0, found))
