"""LSTM, GRU and RNN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from maiacc.frontend.node import Node
from maiacc.frontend.registry import importer
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.vocabulary.recurrence import DEFAULTS

#: Activations that have an alpha, and those that have a beta, too.
SCALED = {"affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu"}
SHIFTED = {"affine", "scaledtanh", "hardsigmoid"}

#: Names of the op, and activations of one direction, by operator.
LAYERS = {
    "LSTM": ("lstm", ("sigmoid", "tanh", "tanh")),
    "GRU": ("gru", ("sigmoid", "tanh")),
    "RNN": ("rnn", ("tanh",)),
}

#: The inputs that are states.
STATES = (5, 6)


@importer(*LAYERS)
def recurrent(node: Node) -> Sequence[Value | None]:
    """With layout 1 the batch is in front of everything, also of the states."""
    name, usual = LAYERS[node.op_type]
    layout = node.get_int("layout", 0)
    direction = node.get_str("direction", "forward")
    if layout not in (0, 1) or direction not in ("forward", "reverse", "bidirectional"):
        node.fail("E1304", "attributes layout and direction", found=f"{layout}, {direction}")
    inputs = list(node.inputs)
    if layout:
        for index in (0, *STATES):
            inputs[index : index + 1] = [_swapped(node, x) for x in inputs[index : index + 1]]
    size = node.get_int("hidden_size", 0)
    if size and node.type(2).shape[-1:] != (size,):
        node.fail("E1304", "attribute hidden_size", str(node.type(2)), str(size))
    directions = 2 if direction == "bidirectional" else 1
    names = _activations(node, usual * directions)
    extra: dict[str, Any] = {}
    if name == "lstm":
        extra = {"input_forget": bool(node.get_int("input_forget", 0))}
    if name == "gru":
        extra = {"linear_before_reset": bool(node.get_int("linear_before_reset", 0))}
    y, *states = node.b.many(
        name,
        *inputs,
        direction=direction,
        activations=names,
        alpha=_numbers(node, "activation_alpha", names, SCALED, 0),
        beta=_numbers(node, "activation_beta", names, SHIFTED, 1),
        clip=node.get_float("clip", 0.0),
        **extra,
    )
    if layout:
        y = node.b("transpose", y, perm=(2, 0, 1, 3)) if node.wants(0) else y
        states = [_swapped(node, x) or x for x in states]
    return [y, *states]


def _swapped(node: Node, x: Value | None) -> Value | None:
    """With the first two axes exchanged."""
    if x is None:
        return None
    if x.type.rank != 3:
        node.fail("E1304", "an input", expected="three axes", found=str(x.type))
    return node.b("transpose", x, perm=(1, 0, 2))


def _activations(node: Node, usual: Sequence[str]) -> tuple[str, ...]:
    """Their names, none if they are the usual ones."""
    names = tuple(name.lower() for name in node.get_strs("activations", usual))
    if len(names) != len(usual) or not set(names) <= DEFAULTS.keys():
        expected = f"{len(usual)} of {', '.join(DEFAULTS)}"
        node.fail("E1304", "attribute activations", expected, ", ".join(names))
    return () if names == tuple(usual) else names


def _numbers(
    node: Node, name: str, names: Sequence[str], those: set[str], which: int
) -> tuple[float, ...]:
    """One number for each activation. The attribute has them in order for those that take one."""
    given = list(node.get_floats(name, ()))
    if not given or not names:
        return ()
    return tuple(
        given.pop(0) if activation in those and given else DEFAULTS[activation][which]
        for activation in names
    )
