"""ONNX's element types, and what the IR calls them."""

from __future__ import annotations

from collections.abc import Mapping

import onnx

#: ONNX's element types by number, as the IR calls them.
DTYPES: dict[int, str] = {
    onnx.TensorProto.DOUBLE: "fp64",
    onnx.TensorProto.FLOAT: "fp32",
    onnx.TensorProto.FLOAT16: "fp16",
    onnx.TensorProto.BFLOAT16: "bf16",
    onnx.TensorProto.FLOAT8E4M3FN: "e4m3",
    onnx.TensorProto.FLOAT8E5M2: "e5m2",
    onnx.TensorProto.FLOAT4E2M1: "e2m1",
    onnx.TensorProto.FLOAT8E8M0: "e8m0",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT16: "int16",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.INT4: "int4",
    onnx.TensorProto.UINT64: "uint64",
    onnx.TensorProto.UINT32: "uint32",
    onnx.TensorProto.UINT16: "uint16",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.UINT4: "uint4",
    onnx.TensorProto.BOOL: "bool",
}

#: The numbers by name.
NUMBERS = {name: number for number, name in DTYPES.items()}


def type_name(number: int) -> str:
    """ONNX's name of an element type."""
    names: Mapping[int, str] = {v: k for k, v in onnx.TensorProto.DataType.items()}
    return names.get(number, str(number))
