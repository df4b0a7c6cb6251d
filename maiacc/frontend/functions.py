"""Function bodies of operators, as ONNX gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from onnx import defs, helper

from maiacc.frontend.dtypes import NUMBERS
from maiacc_passes.ir.types import Type


def has_body(domain: str, name: str, opset: int) -> bool:
    """Whether a version of an operator has a function body."""
    if not defs.has(name, domain):
        return False
    try:
        schema: Any = defs.get_schema(name, opset, domain)
    except defs.SchemaError:
        return False
    return bool(schema.has_function or schema.has_context_dependent_function)


def function_body(
    proto: onnx.NodeProto, domain: str, opset: int, types: Sequence[Type | None]
) -> onnx.FunctionProto | None:
    """The function body of a node's operator for some types of its inputs."""
    if not has_body(domain, proto.op_type, opset):
        return None
    schema: Any = defs.get_schema(proto.op_type, opset, domain)
    found = onnx.FunctionProto()
    if schema.has_function:
        found.ParseFromString(schema.function_body.SerializeToString())
        given = {attribute.name for attribute in found.attribute_proto}
        for name, attribute in schema.attributes.items():
            if attribute.default_value.name and name not in given:
                found.attribute_proto.add().CopyFrom(attribute.default_value)
        return found
    protos = [b"" if kind is None else _type_proto(kind) for kind in types]
    found.ParseFromString(schema.get_context_dependent_function(proto.SerializeToString(), protos))
    return found


def with_inputs(proto: onnx.NodeProto, names: Sequence[str]) -> onnx.NodeProto:
    """A node with other inputs."""
    copy = onnx.NodeProto()
    copy.CopyFrom(proto)
    del copy.input[:]
    copy.input.extend(names)
    return copy


def _type_proto(kind: Type) -> bytes:
    proto = helper.make_tensor_type_proto(NUMBERS[kind.dtype], kind.shape)
    return bytes(proto.SerializeToString())
