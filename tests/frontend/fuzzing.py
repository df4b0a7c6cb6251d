"""Random mutations of small valid models, as bytes and as messages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

Models = Sequence[onnx.ModelProto]

#: What is put where an integer is.
INTEGERS = (
    0,
    1,
    -1,
    2,
    3,
    7,
    8,
    16,
    127,
    255,
    1 << 20,
    1 << 31,
    1 << 40,
    (1 << 63) - 1,
    -(1 << 63),
)

#: What is put where a float is.
FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-45, 3e38, float("inf"), float("-inf"), float("nan"))

#: What is put where a text is, beside other texts of the model.
TEXTS = (
    "",
    "x",
    "y",
    "a",
    "w",
    "/",
    "../x",
    "\x1b[31m",
    "NOTSET",
    "SAME_UPPER",
    "linear",
    "é" * 50,
)


def mutated_bytes(rng: random.Random, models: Models) -> bytes:
    """A model some of whose bytes are changed, cut out, repeated or put elsewhere."""
    data = bytearray(rng.choice(models).SerializeToString())
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data))
        length = min(rng.choice((1, 1, 1, 2, 8, 40)), len(data) - at)
        match rng.randrange(5):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                data[at] = rng.randrange(256)
            case 2:
                del data[at : at + length]
                data = data or bytearray(1)
            case 3:
                data[at:at] = data[at : at + length]
            case 4:
                to = rng.randrange(len(data))
                data[to:to] = rng.choice(
                    (b"\xff" * 9 + b"\1", b"\0", bytes(data[at : at + length]))
                )
    return bytes(data)


def mutated_model(rng: random.Random, models: Models) -> onnx.ModelProto:
    """A model some of whose fields have other values, are gone or are there twice."""
    made = onnx.ModelProto()
    made.CopyFrom(rng.choice(models))
    texts = sorted({text for message in _messages(made) for text in _texts(message)} | {*TEXTS})
    for _ in range(rng.choice((1, 1, 2, 4))):
        message = rng.choice(list(_messages(made)))
        field = rng.choice(message.DESCRIPTOR.fields)
        if rng.random() < 0.7:
            given = [descriptor for descriptor, _ in message.ListFields()]
            field = rng.choice(given) if given else field
        _change(rng, message, field, texts)
    return made


def mutated_operator(rng: random.Random, models: Models) -> onnx.ModelProto:
    """A model whose names still fit together, with other attributes, constants or shapes."""
    made = onnx.ModelProto()
    made.CopyFrom(rng.choice(models))
    graph = made.graph
    constants = [proto for proto in graph.initializer if proto.data_type == TensorProto.INT64]
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    for _ in range(rng.randint(1, 3)):
        choice = rng.randrange(6)
        if choice == 0 and constants:
            _change_constant(rng, rng.choice(constants))
        elif choice == 1 and graph.input:
            _change_shape(rng, rng.choice(graph.input))
        elif choice == 2 and graph.node:
            node = rng.choice(graph.node)
            if node.input:
                names = ["", *(info.name for info in graph.input)]
                names += [proto.name for proto in graph.initializer]
                node.input[rng.randrange(len(node.input))] = rng.choice(names)
        elif choice == 3 and attributes:
            rng.choice(graph.node).attribute.add().CopyFrom(rng.choice(attributes))
        elif attributes:
            _change_attribute(rng, rng.choice(attributes))
    return made


def _change_constant(rng: random.Random, proto: TensorProto) -> None:
    array = np.array(onnx.numpy_helper.to_array(proto))
    name = proto.name
    if rng.random() < 0.3:
        flat = array.reshape(-1)
        array = rng.choice((flat, array[None], flat.repeat(2), flat[:0]))
    elif array.size:
        array.reshape(-1)[rng.randrange(array.size)] = rng.choice(INTEGERS)
    proto.CopyFrom(onnx.numpy_helper.from_array(array, name))


def _change_shape(rng: random.Random, info: onnx.ValueInfoProto) -> None:
    kind = info.type.tensor_type
    dims = kind.shape.dim
    choice = rng.randrange(4)
    if choice == 0:
        kind.elem_type = rng.randrange(1, 24)
    elif choice == 1 and len(dims):
        del dims[rng.randrange(len(dims))]
    elif choice == 2:
        dims.add(dim_value=rng.randrange(4))
    elif len(dims):
        rng.choice(dims).dim_value = rng.choice((0, 1, 2, 5, 1 << 20))


def _change_attribute(rng: random.Random, attribute: onnx.AttributeProto) -> None:
    field = FIELDS.get(attribute.type)
    if field is None:
        return
    descriptor = attribute.DESCRIPTOR.fields_by_name[field]
    if descriptor.has_presence:
        setattr(attribute, field, _scalar(rng, descriptor, ["x"]))
    else:
        _change_list(rng, attribute, descriptor, ["x"])


_A = onnx.AttributeProto
FIELDS = {_A.INT: "i", _A.FLOAT: "f", _A.STRING: "s", _A.INTS: "ints", _A.FLOATS: "floats",
          _A.STRINGS: "strings"}  # fmt: skip


def _messages(message: Any) -> Iterator[Any]:
    """A message and all in it."""
    yield message
    for field, content in message.ListFields():
        if field.message_type is not None:
            for inner in [content] if field.has_presence else content:
                yield from _messages(inner)


def _texts(message: Any) -> Iterator[str]:
    for field, content in message.ListFields():
        if field.type == field.TYPE_STRING:
            yield from [content] if field.has_presence else content


def _change(rng: random.Random, message: Any, field: Any, texts: list[str]) -> None:
    if not field.has_presence:
        _change_list(rng, message, field, texts)
    elif rng.random() < 0.2 or field.message_type is not None:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, _scalar(rng, field, texts))


def _change_list(rng: random.Random, message: Any, field: Any, texts: list[str]) -> None:
    content = getattr(message, field.name)
    at = rng.randrange(len(content)) if len(content) else 0
    choice = rng.randrange(4)
    if choice == 0 and len(content):
        del content[at]
    elif field.message_type is not None:
        other = content[at] if len(content) else None
        content.add().CopyFrom(other) if other is not None else content.add()
    elif choice == 1 or not len(content):
        content.append(_scalar(rng, field, texts))
    else:
        content[at] = _scalar(rng, field, texts)


def _scalar(rng: random.Random, field: Any, texts: list[str]) -> Any:
    """A value for a field of no message."""
    if field.enum_type is not None:
        return rng.choice(field.enum_type.values).number
    if field.type == field.TYPE_STRING:
        return rng.choice(texts)
    if field.type == field.TYPE_BYTES:
        return rng.choice((b"", b"\xff", b"linear", b"NOTSET", b"reverse", rng.randbytes(16)))
    if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        return rng.choice(FLOATS)
    bits = 31 if field.type in (field.TYPE_INT32, field.TYPE_ENUM) else 63
    number = int(rng.choice((*INTEGERS, rng.randrange(40))))
    if field.type == field.TYPE_UINT64:
        return abs(number)
    return max(-(1 << bits), min(number, (1 << bits) - 1))
