"""TensorProtos as arrays and as weights: their own data, or bytes of files beside the model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from maiacc.frontend.dtypes import DTYPES, type_name
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import ELEMENTS, Type, tensor
from maiacc_passes.ir.weights import Array, Data, Source, unpacked


def type_of(proto: onnx.TensorProto) -> Type:
    """The type of a tensor. Raises ``MaiaccError`` E1305 or E1307."""
    if proto.data_type not in DTYPES:
        raise MaiaccError(
            "E1305",
            f"tensor {proto.name!r} has elements of type {type_name(proto.data_type)}",
            expected=", ".join(ELEMENTS),
        )
    shape = tuple(proto.dims)
    if any(extent < 0 for extent in shape):
        raise MaiaccError("E1307", f"tensor {proto.name!r} has a negative size", found=str(shape))
    return tensor(DTYPES[proto.data_type], shape)


def source_of(proto: onnx.TensorProto, kind: Type, folder: Path | None) -> Source:
    """Where the elements of a tensor are. Raises ``MaiaccError`` E1307."""
    if proto.HasField("raw_data"):
        if len(proto.raw_data) != kind.bytes:
            raise MaiaccError(
                "E1307",
                f"tensor {proto.name!r} has another number of bytes than its shape says",
                expected=f"{kind.bytes} for {kind}",
                found=str(len(proto.raw_data)),
            )
        return Data(unpacked(np.frombuffer(proto.raw_data, np.uint8), kind))
    array = numpy_helper.to_array(proto)
    return Data(np.asarray(array).astype(kind.element.numpy, copy=False).reshape(kind.shape))


def array_of(proto: onnx.TensorProto, folder: Path | None, what: str = "") -> Array:
    """The elements of a tensor. Raises ``MaiaccError`` E1305 or E1307."""
    kind = type_of(proto)
    return source_of(proto, kind, folder).array(kind)


def weight_of(module: Module, proto: onnx.TensorProto, folder: Path | None) -> Value:
    """A tensor as a constant of a module. Raises ``MaiaccError`` E1305 or E1307."""
    kind = type_of(proto)
    return module.add_weight(proto.name or "c", kind, source_of(proto, kind, folder))
