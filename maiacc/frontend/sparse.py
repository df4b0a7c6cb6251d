"""Sparse tensors of a model: checked at once, filled up with zeros only when they are read."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx

from maiacc.frontend.tensors import array_of, shaped, type_of
from maiacc_isa.errors import MaiaccError
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import Type
from maiacc_passes.ir.weights import Array, Lazy

#: A sparse tensor takes at most so many bytes with its zeros.
DENSE = 1 << 30


def sparse_weight(module: Module, proto: onnx.SparseTensorProto, folder: Path | None) -> Value:
    """A sparse tensor as a constant of a module. Raises ``MaiaccError`` E1305, E1307, E1308."""
    kind, source = sparse_source(proto, folder)
    return module.add_weight(proto.values.name or "c", kind, source)


def sparse_source(proto: onnx.SparseTensorProto, folder: Path | None) -> tuple[Type, Lazy]:
    """The type of a sparse tensor, and what makes its elements.

    Raises ``MaiaccError`` E1305, E1307, and E1308 for one that is too large with its zeros.
    """
    name = str(proto.values.name)
    kind = shaped(type_of(proto.values).dtype, proto.dims, name)
    if kind.bytes > DENSE:
        raise MaiaccError(
            "E1308",
            f"the sparse tensor {name!r} is too large with its zeros",
            expected=f"at most {DENSE} bytes",
            found=f"{kind.bytes} for {kind}",
        )
    values = array_of(proto.values, folder)
    if values.ndim != 1:
        raise _wrong(name, "has values with more than one axis", found=str(list(values.shape)))
    places = _places(name, proto.indices, kind, values.size, folder)
    digest = hashlib.sha256(places.tobytes() + values.tobytes()).hexdigest()
    return kind, Lazy(f"sparse {digest}", partial(_dense, kind, places, values))


def _places(
    name: str, proto: onnx.TensorProto, kind: Type, count: int, folder: Path | None
) -> Array:
    """Where the values are, counted through the whole tensor; in ascending order."""
    indices = array_of(proto, folder)
    rows = (count, kind.rank)
    if indices.dtype != np.int64 or indices.shape not in ((count,), rows):
        raise _wrong(
            name,
            "has indices that do not fit its values",
            expected=f"int64[{count}] or int64{list(rows)}",
            found=f"{indices.dtype}{list(indices.shape)}",
        )
    if indices.ndim == 2:
        sizes = np.array(kind.shape, np.int64)
        if not bool(((indices >= 0) & (indices < sizes)).all()):
            raise _wrong(name, "has an index outside of its shape", expected=str(kind))
        indices = indices @ np.array(_strides(kind.shape), np.int64)
    elif count and not 0 <= indices.min() <= indices.max() < kind.size:
        raise _wrong(name, "has an index outside of its shape", expected=str(kind))
    if not bool((indices[1:] > indices[:-1]).all()):
        raise _wrong(name, "has indices that do not ascend, or are there twice")
    return indices


def _strides(shape: Sequence[int]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _dense(kind: Type, places: Array, values: Array) -> Array:
    found = np.zeros(kind.size, values.dtype)
    found[places] = values
    return found.reshape(kind.shape)


def _wrong(name: str, message: str, expected: str = "", found: str = "") -> MaiaccError:
    text = f"the sparse tensor {name!r} {message}"
    return MaiaccError("E1307", text, expected=expected or None, found=found or None)
