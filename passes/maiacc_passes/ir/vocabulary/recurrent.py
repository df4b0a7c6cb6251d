"""Recurrent layers: lstm, gru, rnn, in the layouts and with the order of gates that ONNX has.

    lstm(x[t, b, i], w[d, 4h, i], r[d, 4h, h], bias?[d, 8h], lengths?[b], h0?[d, b, h],
         c0?[d, b, h], peepholes?[d, 3h]) -> y[t, d, b, h], h[d, b, h], c[d, b, h]
    gru(x, w[d, 3h, i], r[d, 3h, h], bias?[d, 6h], lengths?, h0?) -> y, h
    rnn(x, w[d, h, i], r[d, h, h], bias?[d, 2h], lengths?, h0?) -> y, h

d is 2 if direction is bidirectional, else 1. Gates are in the order i o f c, or z r h; a bias holds
that of w for all gates, then that of r; peepholes are those of i o f. Beyond its length a sequence
gives zeros, and the last state is that at its end; backwards it begins there.

``activations`` are for each direction f g h (lstm), f g (gru) or f (rnn), names of ONNX in lower
case; none are sigmoid, tanh and tanh, the last one only for rnn. ``alpha`` and ``beta`` are one for
each activation; none are what ONNX has for it. What goes into f and g is clipped to -clip and clip
unless clip is 0; what goes into h is not, as in onnxruntime. The state h has the type of x, and c
is kept in the type in which it is computed, fp32 for narrow floats; gates are rounded nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op, Value
from maiacc_passes.ir.rules import all_whole, floats_only, need, same_dtype, wrong
from maiacc_passes.ir.table import Attr, Attrs, Row, Types
from maiacc_passes.ir.types import Type, tensor
from maiacc_passes.ir.vocabulary.composites import composite
from maiacc_passes.ir.vocabulary.formulas import cast, number
from maiacc_passes.ir.vocabulary.recurrence import DEFAULTS, Direction, Layer

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder

DIRECTIONS = ("forward", "reverse", "bidirectional")


LSTM = Layer("lstm", 4, ("sigmoid", "tanh", "tanh"))
GRU = Layer("gru", 3, ("sigmoid", "tanh"))
RNN = Layer("rnn", 1, ("tanh",))


# ---- types ----------------------------------------------------------------------------------
def _checked(layer: Layer, attrs: Attrs, types: Types) -> tuple[Type, Type]:
    """The types of y and of the last state. Raises ``IRError`` E1401, E1403."""
    x, w, r = need(types, 0), need(types, 1), need(types, 2)
    lengths = types[4] if len(types) > 4 else None
    floats = [kind for number, kind in enumerate(types) if kind is not None and number != 4]
    floats_only(*floats)
    same_dtype(*floats)
    for kind in types:
        if kind is not None:
            all_whole(kind, layer.name)
    if x.rank != 3 or r.rank != 3:
        raise wrong(f"{layer.name} of operands without three axes", x, w, r)
    (steps, batch, inputs), hidden, gates = x.shape, r.shape[2], layer.gates
    dirs = 2 if attrs["direction"] == "bidirectional" else 1
    shapes = [
        x.shape,
        (dirs, gates * hidden, inputs),
        (dirs, gates * hidden, hidden),
        (dirs, 2 * gates * hidden),
        (batch,),
        (dirs, batch, hidden),
        (dirs, batch, hidden),
        (dirs, 3 * hidden),
    ]
    for kind, shape in zip(types, shapes, strict=False):
        if kind is not None and kind.shape != shape:
            raise wrong(f"operands of {layer.name} do not fit", *types, expected=str(list(shape)))
    if lengths is not None and lengths.dtype not in ("int32", "int64"):
        raise wrong("lengths are no integers", lengths, expected="int32 or int64")
    _check_activations(layer, attrs, dirs)
    state = tensor(x.dtype, (dirs, batch, hidden))
    return tensor(x.dtype, (steps, *state.shape)), state


def _check_activations(layer: Layer, attrs: Attrs, dirs: int) -> None:
    names, count = attrs["activations"], dirs * len(layer.activations)
    if names and (len(names) != count or not set(names) <= DEFAULTS.keys()):
        expected = f"{count} of {', '.join(DEFAULTS)}"
        raise IRError("E1401", "attribute activations", expected=expected, found=", ".join(names))
    for name in ("alpha", "beta"):
        if attrs[name] and len(attrs[name]) != count:
            found = str(list(attrs[name]))
            raise IRError("E1401", f"attribute {name}", expected=f"{count} numbers", found=found)
    if not attrs["clip"] >= 0:
        raise IRError("E1401", "attribute clip", expected="0.0 or more", found=str(attrs["clip"]))


def _lstm_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    y, state = _checked(LSTM, attrs, types)
    return y, state, state


def _gru_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    return _checked(GRU, attrs, types)


def _rnn_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    return _checked(RNN, attrs, types)


# ---- expansions -----------------------------------------------------------------------------
def _layer(
    b: Builder, op: Op, layer: Layer, one: Callable[[Direction], list[Value]]
) -> Sequence[Value]:
    """The results of one direction, or of both side by side."""
    count = 2 if op.attrs["direction"] == "bidirectional" else 1
    found = [one(Direction(b, op, layer, index)) for index in range(count)]
    results = []
    for value, kind in enumerate(result.type for result in op.results):
        axis = 1 if value == 0 else 0
        shape = (*kind.shape[:axis], 1, *kind.shape[axis + 1 :])
        parts = [b("reshape", parts[value], shape=shape) for parts in found]
        joined = parts[0] if count == 1 else b("concat", *parts, axis=axis)
        results.append(cast(b, joined, kind.dtype))
    return results


def _summed(b: Builder, layer: Direction) -> Value | None:
    """The bias of w plus that of r."""
    biases = layer.biases()
    return None if biases is None else b("add", *biases)


def _lstm(b: Builder, op: Op) -> Sequence[Value]:
    def one(layer: Direction) -> list[Value]:
        given = op.operand(7)
        weights = None if given is None else cast(b, layer.own(given), layer.wide)

        def peek(gate: Value, which: int, state: Value) -> Value:
            if weights is None:
                return gate
            return b("add", gate, b("mul", layer.part(weights, which), state))

        def step(before: list[Value], gates: Value) -> list[Value]:
            h, c = before
            gates = b("add", gates, layer.times(h, layer.recurrent))
            i, o, f, new = (layer.part(gates, which) for which in range(4))
            i = layer.activate(peek(i, 0, c), 0)
            if op.attrs["input_forget"]:
                f = b("sub", number(b, 1, i), i)
            else:
                f = layer.activate(peek(f, 2, c), 0)
            c = b("add", b("mul", f, c), b("mul", i, layer.activate(new, 1)))
            o = layer.activate(peek(o, 1, c), 0)
            h = b("mul", o, layer.activate(c, 2))
            return [cast(b, h, layer.x.type.dtype), c]

        states = [layer.start(5), cast(b, layer.start(6), layer.wide)]
        return layer.scanned(states, layer.projected(_summed(b, layer)), step)

    return _layer(b, op, LSTM, one)


def _gru(b: Builder, op: Op) -> Sequence[Value]:
    before_reset = op.attrs["linear_before_reset"]

    def one(layer: Direction) -> list[Value]:
        bias, late = _gru_biases(b, layer, before_reset)
        gate_weights = layer.rows(layer.recurrent, 0, 2)
        new_weights = layer.rows(layer.recurrent, 2)

        def step(before: list[Value], gates: Value) -> list[Value]:
            (h,) = before
            both = b("add", layer.part(gates, 0, 2), layer.times(h, gate_weights))
            z, r = (layer.activate(layer.part(both, which), 0) for which in range(2))
            wide = cast(b, h, layer.wide)
            if before_reset:
                more = b("mul", r, layer.times(h, new_weights, late))
            else:
                more = layer.times(b("mul", r, wide), new_weights)
            new = layer.activate(b("add", layer.part(gates, 2), more), 1)
            rest = b("mul", b("sub", number(b, 1, z), z), new)
            return [cast(b, b("add", rest, b("mul", z, wide)), layer.x.type.dtype)]

        return layer.scanned([layer.start(5)], layer.projected(bias), step)

    return _layer(b, op, GRU, one)


def _gru_biases(
    b: Builder, layer: Direction, before_reset: bool
) -> tuple[Value | None, Value | None]:
    """What is added to all gates before anything else, and to the last one before it is reset."""
    biases = layer.biases()
    if biases is None:
        return None, None
    if not before_reset:
        return b("add", *biases), None
    own, recurrent = biases
    early = b("add", layer.part(own, 0, 2), layer.part(recurrent, 0, 2))
    return b("concat", early, layer.part(own, 2), axis=0), layer.part(recurrent, 2)


def _rnn(b: Builder, op: Op) -> Sequence[Value]:
    def one(layer: Direction) -> list[Value]:
        def step(before: list[Value], gates: Value) -> list[Value]:
            gates = b("add", gates, layer.times(before[0], layer.recurrent))
            return [cast(b, layer.activate(gates, 0), layer.x.type.dtype)]

        return layer.scanned([layer.start(5)], layer.projected(_summed(b, layer)), step)

    return _layer(b, op, RNN, one)


_OPERANDS = ("x", "w", "r", "bias?", "lengths?", "h0?")
_ATTRS = {
    "direction": Attr("str", "forward", DIRECTIONS),
    "activations": Attr("strs", ()),
    "alpha": Attr("floats", ()),
    "beta": Attr("floats", ()),
    "clip": Attr("float", 0.0),
}

ROWS: tuple[Row, ...] = (
    composite(
        "lstm",
        (*_OPERANDS, "c0?", "peepholes?"),
        _lstm_rule,
        _lstm,
        "A layer of long short-term memory: y, and the last h and c. With input_forget the forget "
        "gate is 1 minus the input gate.",
        **_ATTRS,
        input_forget=Attr("bool", False),
    ),
    composite(
        "gru",
        _OPERANDS,
        _gru_rule,
        _gru,
        "A layer of gated recurrent units: y, and the last h. With linear_before_reset the reset "
        "gate multiplies the product of the state with r and its bias, else the state.",
        **_ATTRS,
        linear_before_reset=Attr("bool", False),
    ),
    composite(
        "rnn",
        _OPERANDS,
        _rnn_rule,
        _rnn,
        "A layer of simple recurrent units: y, and the last h.",
        **_ATTRS,
    ),
)
