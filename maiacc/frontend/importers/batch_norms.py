"""Normalisation of channels by statistics: those that the model has, or those of the batch."""

from __future__ import annotations

from collections.abc import Sequence

from maiacc.frontend.importers.common import cast, reshaped, scalar
from maiacc.frontend.importers.terms import along, mean, variance, wide
from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value


@importer("BatchNormalization", since=14)
def batch_norm(node: Node) -> Sequence[Value]:
    if not node.get_int("training_mode", 0):
        return [_by_model(node, _image(node))]
    return _by_batch(node, _image(node))[:3]


@importer("BatchNormalization", since=7)
def batch_norm_before_14(node: Node) -> Sequence[Value]:
    if not node.get_int("spatial", 1):
        return [_by_element(node)]
    # Whoever asks for more than one output is training.
    training = any(node.wants(number) for number in range(1, 5))
    return _by_batch(node, _image(node)) if training else [_by_model(node, _image(node))]


@importer("BatchNormalization")
def batch_norm_before_7(node: Node) -> Sequence[Value]:
    if not node.get_int("spatial", 1):
        return [_by_element(node)]
    image = _image(node)
    return [_by_model(node, image)] if node.get_int("is_test", 0) else _by_batch(node, image)


def _image(node: Node) -> Value:
    """The input with an axis of channels. Refuses with E1304."""
    x = node.input(0)
    channels = x.type.shape[1] if x.type.rank > 1 else 1
    for number in range(1, 5):
        if node.type(number).shape != (channels,):
            node.fail("E1304", f"input {number}", f"[{channels}]", str(node.type(number)))
    return x if x.type.rank > 1 else reshaped(node, x, (x.type.size, 1))


def _factors(node: Node, average: Value, spread: Value, dtype: str) -> tuple[Value, Value]:
    """What to multiply with, and what to add then."""
    b = node.b
    scale, bias = cast(node, node.input(1), dtype), cast(node, node.input(2), dtype)
    average, spread = cast(node, average, dtype), cast(node, spread, dtype)
    eps = scalar(node, node.get_float("epsilon", 1e-5), spread)
    factor = b("div", scale, b("sqrt", b("add", spread, eps)))
    return factor, b("sub", bias, b("mul", average, factor))


def _by_model(node: Node, x: Value) -> Value:
    """By the statistics that are inputs."""
    exact = wide(node, x)
    factor, more = _factors(node, node.input(3), node.input(4), exact.type.dtype)
    found = node.b("affine", exact, factor, more, axis=1)
    return reshaped(node, cast(node, found, x.type.dtype), node.type(0).shape)


def _by_batch(node: Node, x: Value) -> list[Value]:
    """By the statistics of the batch: the result, running mean and variance, and those of the
    batch."""
    b, exact = node.b, wide(node, x)
    axes = tuple(axis for axis in range(x.type.rank) if axis != 1)
    channels = (x.type.shape[1],)
    rest, spread = variance(node, exact, axes)
    eps = scalar(node, node.get_float("epsilon", 1e-5), exact)
    found = b("div", rest, b("sqrt", b("add", spread, eps)))
    for name, number in (("mul", 1), ("add", 2)):
        other = cast(node, node.input(number), exact.type.dtype)
        found = b(name, found, along(node, other, x.type.rank))
    found = reshaped(node, cast(node, found, x.type.dtype), node.type(0).shape)
    momentum = node.get_float("momentum", 0.9)
    results, own = [found], []
    average = reshaped(node, mean(node, exact, axes), channels)
    for number, new in ((3, average), (4, reshaped(node, spread, channels))):
        old = cast(node, node.input(number), exact.type.dtype)
        kept = b("mul", old, scalar(node, momentum, old))
        moved = b("add", kept, b("mul", new, scalar(node, 1 - momentum, old)))
        results.append(cast(node, moved, node.type(number).dtype))
        own.append(cast(node, new, node.type(number).dtype))
    return results + own


def _by_element(node: Node) -> Value:
    """Statistics for each element of a sample, as opsets before 9 have it for ``spatial`` = 0."""
    b, x = node.b, node.input(0)
    if any(node.wants(number) for number in range(1, 5)):
        node.unsupported("training with spatial = 0", "export the model for inference")
    for number in range(1, 5):
        if node.type(number).shape != x.type.shape[1:]:
            node.fail("E1304", f"input {number}", f"{x.type.shape[1:]}", str(node.type(number)))
    exact = wide(node, x)
    factor, more = _factors(node, node.input(3), node.input(4), exact.type.dtype)
    return cast(node, b("add", b("mul", exact, factor), more), x.type.dtype)
