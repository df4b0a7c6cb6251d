"""Nodes against what ONNX says of their operators: numbers of inputs and outputs, attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import onnx
from onnx import defs

from maiacc.frontend.dtypes import DTYPES
from maiacc.frontend.node import Node
from maiacc_isa.errors import MaiaccError

_NAMES = frozenset(onnx.TensorProto.DataType.keys())


@dataclass(frozen=True)
class Signature:
    """What an operator takes and gives. ``attributes`` has the type of each by name, ``types`` the
    element types of each input; none where it is no tensor. The last may be there many times."""

    inputs: tuple[int, int]
    types: tuple[frozenset[str], ...]
    outputs: tuple[int, int]
    attributes: dict[str, int]
    required: frozenset[str]


@lru_cache(maxsize=1024)
def signature(domain: str, name: str, version: int) -> Signature | None:
    """The signature of a version of an operator; None of one that ONNX does not know."""
    try:
        schema: Any = defs.get_schema(name, version, domain)
    except defs.SchemaError:
        return None
    attributes = schema.attributes
    return Signature(
        (schema.min_input, schema.max_input),
        tuple(frozenset(map(_dtype, formal.types)) - {""} for formal in schema.inputs),
        (schema.min_output, schema.max_output),
        {key: int(attribute.type.value) for key, attribute in attributes.items()},
        frozenset(key for key, attribute in attributes.items() if attribute.required),
    )


def _dtype(text: str) -> str:
    """An element type that a schema writes as ``tensor(float)``; empty for what is not known."""
    name = text.removeprefix("tensor(").removesuffix(")").upper()
    return DTYPES.get(onnx.TensorProto.DataType.Value(name), "") if name in _NAMES else ""


def check_types(node: Node) -> None:
    """Raises ``MaiaccError`` E1304 for inputs of element types that the operator does not take."""
    known = signature(node.domain, node.op_type, node.version)
    if known is None or not known.types:
        return
    for number, value in enumerate(node.inputs):
        allowed = known.types[min(number, len(known.types) - 1)]
        if value is not None and allowed and value.type.dtype not in allowed:
            message = f"does not take such elements as input {number}"
            raise _wrong(node.proto, message, ", ".join(sorted(allowed)), str(value.type))


def check_signature(proto: onnx.NodeProto, domain: str, version: int) -> None:
    """Raises ``MaiaccError`` E1304 for a node that is none of its operator."""
    known = signature(domain, proto.op_type, version)
    if known is None:
        if defs.has(proto.op_type, domain):
            raise _wrong(proto, "is an operator of another version", "a newer opset", str(version))
        return
    for what, count, (least, most) in (
        ("inputs", len(proto.input), known.inputs),
        ("outputs", len(proto.output), known.outputs),
    ):
        if not least <= count <= most:
            expected = str(least) if least == most else f"{least} to {most}"
            if most >= (1 << 31) - 1:
                expected = f"{least} or more"
            raise _wrong(proto, f"has a wrong number of {what}", expected, str(count))
    given = {attribute.name: attribute for attribute in proto.attribute}
    for name, attribute in given.items():
        kind = known.attributes.get(name)
        if kind is None:
            allowed = ", ".join(sorted(known.attributes)) or "none"
            raise _wrong(proto, f"has no attribute {name!r} in version {version}", allowed, name)
        if attribute.type != kind:
            names = onnx.AttributeProto.AttributeType
            raise _wrong(
                proto,
                f"has the attribute {name!r} of another kind",
                names.Name(kind),
                names.Name(attribute.type),
            )
    missing = known.required - given.keys()
    if missing:
        raise _wrong(proto, "lacks an attribute", ", ".join(sorted(missing)), "none")


def _wrong(proto: onnx.NodeProto, message: str, expected: str, found: str) -> MaiaccError:
    return MaiaccError("E1304", f"{proto.op_type} {message}", expected=expected, found=found)
