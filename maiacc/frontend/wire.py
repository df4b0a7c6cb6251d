"""Protobuf as bytes: what a model would cost in memory, looked at before it is parsed.

Two bytes of a file are enough for an empty message, which takes some two hundred in memory. So
files that are not small are walked first, field by field, without making anything of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx

from maiacc_isa.errors import MaiaccError

#: Messages nested deeper are not parsed; protobuf itself has this limit.
DEPTH = 100

#: Bytes of memory that a parsed model may take beyond the bytes of its tensors.
MEMORY = 1 << 29

#: What a message and a field take, about.
MESSAGE, FIELD = 200, 24

#: The field of a model that holds its graph.
GRAPH = 7

#: Types of fields whose elements grow when they are parsed: integers of any length.
_VARINTS = frozenset({3, 4, 5, 8, 13, 14, 17, 18})


@dataclass
class _Message:
    """A kind of message: its fields that hold messages, and those that hold lists of integers."""

    inner: dict[int, _Message]
    packed: frozenset[int]


class Broken(Exception):  # noqa: N818  for the reader of files, which tells more
    """The bytes are no protobuf; the text says why."""


def top_fields(data: bytes) -> dict[int, int]:
    """How often a model has each of its fields. Raises ``Broken``."""
    counts: dict[int, int] = {}
    at, end = 0, len(data)
    while at < end:
        number, _, _, at = _field(data, at, end)
        counts[number] = counts.get(number, 0) + 1
    return counts


def check_cost(data: bytes) -> dict[int, int]:
    """The same, after a look at all that is inside. Raises ``MaiaccError`` E1308 for a model that
    would take far more memory than its tensors, or is nested too deep, and ``Broken``."""
    counts: dict[int, int] = {}
    cost = 0
    todo = [(0, len(data), _MODEL, 1)]
    while todo:
        at, end, kind, depth = todo.pop()
        if depth > DEPTH:
            raise MaiaccError("E1308", f"messages are nested deeper than {DEPTH}")
        while at < end:
            number, start, size, at = _field(data, at, end)
            cost += FIELD
            inner = kind.inner.get(number)
            if inner is not None and size >= 0:
                cost += MESSAGE
                if size:
                    todo.append((start, at, inner, depth + 1))
            elif number in kind.packed:
                cost += 8 * size if size > 0 else 0
            if depth == 1:
                counts[number] = counts.get(number, 0) + 1
            if cost > MEMORY:
                raise MaiaccError(
                    "E1308",
                    "the model holds more small parts than any model",
                    expected=f"at most {MEMORY >> 20} MiB beside the data of tensors",
                )
    return counts


def _field(data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """The field at a place: number, start and size of its bytes (-1 if it is a number), and where
    the next one is."""
    tag, at = data[at], at + 1
    if tag > 127:
        tag, at = _varint(data, at - 1, end)
    number, wire = tag >> 3, tag & 7
    if not number:
        raise Broken(f"there is no field 0, at byte {at}")
    if wire == 2:
        if at < end and data[at] < 128:
            size, at = data[at], at + 1
        else:
            size, at = _varint(data, at, end)
        if size > end - at:
            raise Broken(f"field {number} at byte {at} has {size} bytes, of which {end - at} exist")
        return number, at, size, at + size
    if wire == 0:
        return number, at, -1, _varint(data, at, end)[1]
    if wire not in (1, 5):
        raise Broken(f"field {number} at byte {at} is of no kind that there is")
    size = 8 if wire == 1 else 4
    if size > end - at:
        raise Broken(f"the last field ends after {end - at} of {size} bytes")
    return number, at, -1, at + size


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise Broken("a number is cut off" if at >= end else f"a number at byte {at} is too long")


def _described(descriptor: Any, known: dict[str, _Message]) -> _Message:
    found = known.get(descriptor.full_name)
    if found is None:
        fields = descriptor.fields
        packed = frozenset(f.number for f in fields if not f.has_presence and f.type in _VARINTS)
        found = known[descriptor.full_name] = _Message({}, packed)
        for field in fields:
            if field.message_type is not None:
                found.inner[field.number] = _described(field.message_type, known)
    return found


_MODEL = _described(onnx.ModelProto.DESCRIPTOR, {})
