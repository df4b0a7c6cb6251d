"""TensorProtos as arrays and as weights: their own data, or bytes of files beside the model.

A tensor says exactly once what its elements are: in ``raw_data``, in the field of its type, or in a
file. Every bit is kept, those of NaNs too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from maiacc.frontend.dtypes import DTYPES, type_name
from maiacc.frontend.external import external
from maiacc.frontend.limits import check_size
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import ELEMENTS, Element, Type, tensor
from maiacc_passes.ir.weights import Array, Data, Source, unpacked

#: Fields that hold elements, and the types whose elements they hold.
FIELDS: dict[str, tuple[str, ...]] = {
    "float_data": ("fp32",),
    "double_data": ("fp64",),
    "int64_data": ("int64",),
    "uint64_data": ("uint64", "uint32"),
    "int32_data": (
        "int32", "int16", "int8", "int4", "uint16", "uint8", "uint4", "bool",
        "fp16", "bf16", "e4m3", "e5m2", "e8m0", "e2m1",
    ),
    "string_data": (),
}  # fmt: skip

#: Which field an element type has.
FIELD_OF = {dtype: name for name, dtypes in FIELDS.items() for dtype in dtypes}


def type_of(proto: onnx.TensorProto) -> Type:
    """The type of a tensor. Raises ``MaiaccError`` E1305, E1307 or E1308."""
    if proto.data_type not in DTYPES:
        raise MaiaccError(
            "E1305",
            f"tensor {proto.name!r} has elements of type {type_name(proto.data_type)}",
            expected=", ".join(ELEMENTS),
        )
    return shaped(DTYPES[proto.data_type], proto.dims, str(proto.name))


def shaped(dtype: str, dims: Sequence[int], name: str) -> Type:
    """The type of a tensor of the model. Raises ``MaiaccError`` E1307 or E1308."""
    shape = tuple(dims)
    if any(extent < 0 for extent in shape):
        raise MaiaccError("E1307", f"tensor {name!r} has a negative size", found=str(shape))
    return check_size(tensor(dtype, shape), name)


def source_of(proto: onnx.TensorProto, kind: Type, folder: Path | None) -> Source:
    """Where the elements of a tensor are. Raises ``MaiaccError`` E1307."""
    if proto.HasField("segment"):
        raise _wrong(proto, "is one segment of a tensor", hint="save it in one piece")
    elsewhere = proto.data_location == onnx.TensorProto.EXTERNAL
    raw = proto.raw_data
    fields = [name for name in FIELDS if len(getattr(proto, name))]
    places = [*(["raw_data"] if raw else []), *fields, *(["a file"] if elsewhere else [])]
    if len(places) > 1:
        raise _wrong(proto, "has data in more than one place", "one", ", ".join(places))
    if elsewhere:
        return external(proto, kind, folder)
    if fields:
        return Data(_typed(proto, kind, fields[0]))
    if len(raw) != kind.bytes:
        raise _wrong(
            proto,
            "has another number of bytes than its shape says" if raw else "has no data",
            f"{kind.bytes} for {kind}",
            str(len(raw)),
        )
    return Data(unpacked(np.frombuffer(raw, np.uint8), kind))


def _typed(proto: onnx.TensorProto, kind: Type, name: str) -> Array:
    """The elements in a field other than ``raw_data``."""
    element, field = kind.element, getattr(proto, name)
    if FIELD_OF[kind.dtype] != name:
        raise _wrong(proto, f"has its data in a wrong field for {kind}", FIELD_OF[kind.dtype], name)
    count = kind.size if element.bits >= 8 else kind.bytes
    if len(field) != count:
        message = f"has another number of elements in {name}"
        raise _wrong(proto, message, f"{count} for {kind}", str(len(field)))
    if name in ("float_data", "double_data"):
        return _floats(proto, name, kind)
    numbers = np.fromiter(field, np.uint64 if name == "uint64_data" else np.int64, count)
    if kind.dtype in ("int64", "uint64"):
        return numbers.reshape(kind.shape)
    low, high = _limits(kind.element)
    if not bool(((numbers >= low) & (numbers <= high)).all()):
        raise _wrong(proto, f"has numbers in {name} that are none of its type", f"{low} to {high}")
    if element.is_int and element.bits >= 8:
        return numbers.astype(element.numpy).reshape(kind.shape)
    bits = numbers.astype(np.uint16 if element.bits == 16 else np.uint8)
    return unpacked(bits.view(np.uint8), kind)


def _limits(element: Element) -> tuple[int, int]:
    """The least and the largest number in an integer field: an element, or the bits of a float or
    of packed elements."""
    if element.kind == "int" and element.bits >= 8:
        return -(1 << (element.bits - 1)), (1 << (element.bits - 1)) - 1
    return 0, 1 if element.kind == "bool" else (1 << max(element.bits, 8)) - 1


def _floats(proto: onnx.TensorProto, name: str, kind: Type) -> Array:
    """A list of floats as it is on the wire: with the bits of NaNs, and without a float each."""
    alone = onnx.TensorProto()
    alone.CopyFrom(proto)
    for field, _ in alone.ListFields():
        if field.name != name:
            alone.ClearField(field.name)
    packed = alone.SerializeToString()
    start = len(packed) - kind.bytes
    return np.frombuffer(packed, kind.element.numpy, kind.size, start).reshape(kind.shape)


def array_of(proto: onnx.TensorProto, folder: Path | None, what: str = "") -> Array:
    """The elements of a tensor. Raises ``MaiaccError`` E1305, E1307 or E1308."""
    kind = type_of(proto)
    return source_of(proto, kind, folder).array(kind)


def weight_of(module: Module, proto: onnx.TensorProto, folder: Path | None) -> Value:
    """A tensor as a constant of a module. Raises ``MaiaccError`` E1305, E1307 or E1308."""
    kind = type_of(proto)
    return module.add_weight(proto.name or "c", kind, source_of(proto, kind, folder))


def check_tensor(proto: onnx.TensorProto, folder: Path | None) -> None:
    """Raises ``MaiaccError`` E1307 or E1308 for a tensor that is wrong, whoever reads it."""
    if proto.data_type in DTYPES:
        source_of(proto, type_of(proto), folder)
    elif proto.data_location == onnx.TensorProto.EXTERNAL:
        raise _wrong(proto, f"has elements of type {type_name(proto.data_type)} in a file")


def _wrong(
    proto: onnx.TensorProto,
    message: str,
    expected: str | None = None,
    found: str | None = None,
    hint: str | None = None,
) -> MaiaccError:
    text = f"tensor {proto.name!r} {message}"
    return MaiaccError("E1307", text, expected=expected, found=found, hint=hint)
