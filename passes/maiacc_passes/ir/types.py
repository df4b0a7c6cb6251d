"""Element types, and types of tensors: a type, a static shape, and which sizes are bounds.

A dimension is a size, or a bound with a symbol: ``4096~n0`` has room for 4096, of which the first
``~n0`` exist. Types are interned: equal ones are the same object.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike

from maiacc_passes.ir.errors import IRError


@dataclass(frozen=True)
class Element:
    """An element type. ``kind`` is float, int, uint or bool; ``bits`` what an element takes in
    memory; ``numpy`` the type of an array that holds it."""

    name: str
    kind: str
    bits: int
    numpy: np.dtype[np.generic]

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point type."""
        return self.kind == "float"

    @property
    def is_int(self) -> bool:
        """Whether it is an integer type; bool is none."""
        return self.kind in ("int", "uint")


def _row(name: str, kind: str, bits: int, numpy: DTypeLike) -> Element:
    return Element(name, kind, bits, np.dtype(numpy))


#: The element types. The names are those of the instruction set where it has the type.
ELEMENTS: dict[str, Element] = {
    row.name: row
    for row in (
        _row("fp64", "float", 64, np.float64),
        _row("fp32", "float", 32, np.float32),
        _row("fp16", "float", 16, np.float16),
        _row("bf16", "float", 16, ml_dtypes.bfloat16),
        _row("e4m3", "float", 8, ml_dtypes.float8_e4m3fn),
        _row("e5m2", "float", 8, ml_dtypes.float8_e5m2),
        _row("e2m1", "float", 4, ml_dtypes.float4_e2m1fn),
        _row("e8m0", "float", 8, ml_dtypes.float8_e8m0fnu),
        _row("int64", "int", 64, np.int64),
        _row("int32", "int", 32, np.int32),
        _row("int16", "int", 16, np.int16),
        _row("int8", "int", 8, np.int8),
        _row("int4", "int", 4, ml_dtypes.int4),
        _row("uint64", "uint", 64, np.uint64),
        _row("uint32", "uint", 32, np.uint32),
        _row("uint16", "uint", 16, np.uint16),
        _row("uint8", "uint", 8, np.uint8),
        _row("uint4", "uint", 4, ml_dtypes.uint4),
        _row("bool", "bool", 8, np.bool_),
    )
}

_BY_NUMPY = {row.numpy: row for row in ELEMENTS.values()}


def element_of(dtype: np.dtype[np.generic]) -> Element:
    """The element type that arrays of a numpy type hold. Raises ``KeyError``."""
    return _BY_NUMPY[dtype]


@dataclass(frozen=True, eq=False, slots=True)
class Type:
    """A tensor's type. Made by ``tensor`` only, so that equal types are identical.

    ``counts`` has a symbol (``n0``) for each dimension whose size is a bound, and None for the
    others; it is empty if there are only others.
    """

    element: Element
    shape: tuple[int, ...]
    counts: tuple[str | None, ...] = ()
    _text: str = field(default="", repr=False)

    interned: ClassVar[dict[tuple[object, ...], Type]] = {}

    @property
    def dtype(self) -> str:
        """The name of the element type."""
        return self.element.name

    @property
    def rank(self) -> int:
        """How many dimensions there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements there are."""
        product = 1
        for extent in self.shape:
            product *= extent
        return product

    @property
    def bytes(self) -> int:
        """What the elements take in memory, sub-byte ones packed."""
        return (self.size * self.element.bits + 7) // 8

    def count(self, axis: int) -> str | None:
        """The symbol of a dimension whose size is a bound."""
        return self.counts[axis] if self.counts else None

    def with_shape(self, shape: tuple[int, ...]) -> Type:
        """The same element type in another shape, without bounds."""
        return tensor(self.element.name, shape)

    def with_dtype(self, dtype: str) -> Type:
        """The same shape with elements of another type."""
        return tensor(dtype, self.shape, self.counts)

    def __str__(self) -> str:
        return self._text


def tensor(dtype: str, shape: tuple[int, ...] = (), counts: tuple[str | None, ...] = ()) -> Type:
    """The type with these elements, sizes and bounds. Raises ``KeyError`` for an unknown dtype and
    ``IRError`` E1403 for a negative size."""
    if counts and not any(counts):
        counts = ()
    key = (dtype, shape, counts)
    found = Type.interned.get(key)
    if found is None:
        # Numbers of numpy and truth values are equal to integers, but they are not written so.
        shape = tuple(map(int, shape))
        dims = [str(extent) for extent in shape]
        for axis, symbol in enumerate(counts):
            dims[axis] += f"~{symbol}" if symbol else ""
        text = f"{dtype}[{', '.join(dims)}]"
        if any(extent < 0 for extent in shape):
            raise IRError("E1403", "a dimension has a negative size", found=text)
        found = Type.interned[key] = Type(ELEMENTS[dtype], shape, counts, text)
    return found
