"""Types of native code: scalars, vectors, pointers and records, as memory and as values.

In memory a scalar has its own width. As a value every integer has 64 bits, so that native code
computes like Python does as long as nothing overflows; booleans are one bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np


@dataclass(frozen=True)
class Scalar:
    """A number: its name, LLVM type in memory and as a value, bytes, and whether it is signed."""

    name: str
    memory: str
    value: str
    size: int
    signed: bool = True

    @property
    def is_float(self) -> bool:
        return self.memory in ("float", "double")

    def __str__(self) -> str:
        return self.name


I8 = Scalar("i8", "i8", "i64", 1)
U8 = Scalar("u8", "i8", "i64", 1, signed=False)
I16 = Scalar("i16", "i16", "i64", 2)
U16 = Scalar("u16", "i16", "i64", 2, signed=False)
I32 = Scalar("i32", "i32", "i64", 4)
U32 = Scalar("u32", "i32", "i64", 4, signed=False)
I64 = Scalar("i64", "i64", "i64", 8)
F32 = Scalar("f32", "float", "float", 4)
F64 = Scalar("f64", "double", "double", 8)

#: A truth value; never in memory.
BOOL = Scalar("bool", "i1", "i1", 1, signed=False)

SCALARS = {s.name: s for s in (I8, U8, I16, U16, I32, U32, I64, F32, F64, BOOL)}


@dataclass(frozen=True)
class Vector:
    """Several elements at once. Integers keep the width they have in memory."""

    element: Scalar
    lanes: int

    @property
    def memory(self) -> str:
        return f"<{self.lanes} x {self.element.memory}>"

    @property
    def value(self) -> str:
        return self.memory

    @property
    def size(self) -> int:
        return self.lanes * self.element.size

    @property
    def is_float(self) -> bool:
        return self.element.is_float

    @property
    def mask(self) -> Vector:
        """The vector of truth values of as many lanes."""
        return Vector(BOOL, self.lanes)

    def __str__(self) -> str:
        return f"{self.element}x{self.lanes}"


@dataclass(frozen=True)
class Pointer:
    """The address of elements that follow each other."""

    element: Type
    memory: str = "ptr"
    value: str = "ptr"
    size: int = 8

    def __str__(self) -> str:
        return f"Array[{self.element}]"


@dataclass(frozen=True)
class Fixed:
    """An array of known length inside a record."""

    element: Type
    count: int

    @property
    def size(self) -> int:
        return self.count * self.element.size

    def __str__(self) -> str:
        return f"Fixed[{self.element}, {self.count}]"


@dataclass(frozen=True)
class Record:
    """Fields at fixed offsets; used through its address. In ``shared`` ones native code never
    changes an address; Python does, between calls."""

    name: str
    fields: Mapping[str, tuple[int, Type]] = field(hash=False, compare=False)
    size: int = field(compare=False)
    shared: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return self.name


Type: TypeAlias = Scalar | Vector | Pointer | Fixed | Record


def align_of(kind: Type) -> int:
    """The alignment of a type in a record, in bytes."""
    if isinstance(kind, Fixed):
        return align_of(kind.element)
    return 8 if isinstance(kind, Record) else kind.size


def layout(name: str, fields: Mapping[str, Type], shared: bool = False) -> Record:
    """A record with its fields in order, each at the next offset that suits its type."""
    at, placed = 0, {}
    for key, kind in fields.items():
        at += -at % align_of(kind)
        placed[key] = (at, kind)
        at += kind.size
    return Record(name, placed, at + -at % 8, shared)


def numpy_dtype(kind: Type) -> np.dtype[np.void] | np.dtype[np.generic]:
    """The numpy type with the same memory; addresses are int64."""
    if isinstance(kind, Record):
        names = list(kind.fields)
        formats = [numpy_dtype(t) for _, t in kind.fields.values()]
        offsets = [at for at, _ in kind.fields.values()]
        spec = {"names": names, "formats": formats, "offsets": offsets, "itemsize": kind.size}
        return np.dtype(spec)  # type: ignore[call-overload, no-any-return]
    if isinstance(kind, Fixed):
        return np.dtype((numpy_dtype(kind.element), (kind.count,)))
    if isinstance(kind, Pointer):
        return np.dtype(np.int64)
    assert isinstance(kind, Scalar)
    letter = "f" if kind.is_float else "i" if kind.signed else "u"
    return np.dtype(f"{letter}{kind.size}")


def suffix(kind: Type) -> str:
    """What the names of intrinsics end in for a type."""
    if isinstance(kind, Vector):
        return f"v{kind.lanes}{suffix(kind.element)}"
    return {F32: "f32", F64: "f64"}.get(kind, "i64") if kind in (F32, F64, I64) else _integer(kind)


def _integer(kind: Type) -> str:
    assert isinstance(kind, Scalar)
    return kind.memory
