"""The types that native functions are written with; ``operations`` has what Python has no sign for.

Native functions are read, never executed by Python. Type checkers see integers as ``int`` and
floats as ``float``; the translator (``translate``) sees the types of ``types``. Here stands only
what each name means; how it becomes LLVM stands in ``builtins``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, TypeVar

from maiacc_sim.native.lang import types

T = TypeVar("T")
V = TypeVar("V", bound="Lanes")
N = TypeVar("N", int, float)


def not_here(*_: Any) -> NoReturn:
    """What calling an operation from Python does."""
    raise TypeError("native code is translated, not executed by Python")


class Lanes:
    """A vector: arithmetic and comparisons work lane by lane, also with a single number.

    Integer lanes wrap at their own width. ``>>`` keeps the sign of signed lanes.
    """

    lanes: types.Vector

    @classmethod
    def load(cls: type[V], array: Array[Any], at: int = 0) -> V:
        """The elements from number ``at`` on, of an array of the lanes' type."""
        not_here()

    @classmethod
    def splat(cls: type[V], number: float) -> V:
        """The same number in all lanes."""
        not_here()

    def store(self, array: Array[Any], at: int = 0) -> None:
        """Writes the lanes to the elements from number ``at`` on."""
        not_here()

    if TYPE_CHECKING:

        def __add__(self: V, other: V | float) -> V: ...
        def __radd__(self: V, other: V | float) -> V: ...
        def __sub__(self: V, other: V | float) -> V: ...
        def __rsub__(self: V, other: V | float) -> V: ...
        def __mul__(self: V, other: V | float) -> V: ...
        def __rmul__(self: V, other: V | float) -> V: ...
        def __truediv__(self: V, other: V | float) -> V: ...
        def __and__(self: V, other: V | float) -> V: ...
        def __or__(self: V, other: V | float) -> V: ...
        def __xor__(self: V, other: V | float) -> V: ...
        def __lshift__(self: V, other: V | float) -> V: ...
        def __rshift__(self: V, other: V | float) -> V: ...
        def __neg__(self: V) -> V: ...
        def __invert__(self: V) -> V: ...
        def __lt__(self: V, other: V | float) -> Mask: ...
        def __le__(self: V, other: V | float) -> Mask: ...
        def __gt__(self: V, other: V | float) -> Mask: ...
        def __ge__(self: V, other: V | float) -> Mask: ...
        def __eq__(self: V, other: V | float) -> Mask: ...  # type: ignore[override]
        def __ne__(self: V, other: V | float) -> Mask: ...  # type: ignore[override]


class Mask(Lanes):
    """Truth values, one for each lane."""


class f32x16(Lanes):  # noqa: N801
    """16 single-precision floats."""

    lanes = types.Vector(types.F32, 16)


class f64x16(Lanes):  # noqa: N801
    """16 double-precision floats."""

    lanes = types.Vector(types.F64, 16)


class i32x16(Lanes):  # noqa: N801
    """16 signed integers of 32 bits."""

    lanes = types.Vector(types.I32, 16)


class i64x16(Lanes):  # noqa: N801
    """16 signed integers of 64 bits."""

    lanes = types.Vector(types.I64, 16)


class i16x16(Lanes):  # noqa: N801
    """16 signed integers of 16 bits."""

    lanes = types.Vector(types.I16, 16)


class u16x16(Lanes):  # noqa: N801
    """16 unsigned integers of 16 bits."""

    lanes = types.Vector(types.U16, 16)


class u8x16(Lanes):  # noqa: N801
    """16 unsigned integers of 8 bits."""

    lanes = types.Vector(types.U8, 16)


class i8x16(Lanes):  # noqa: N801
    """16 signed integers of 8 bits."""

    lanes = types.Vector(types.I8, 16)


if TYPE_CHECKING:
    i8: TypeAlias = int
    u8: TypeAlias = int
    i16: TypeAlias = int
    u16: TypeAlias = int
    i32: TypeAlias = int
    u32: TypeAlias = int
    i64: TypeAlias = int
    f32: TypeAlias = float
    f64: TypeAlias = float

    class Array(Generic[T]):
        """The address of elements; ``array[n]`` is the n-th, ``array + n`` the address of it."""

        def __getitem__(self, at: int) -> T: ...
        def __setitem__(self, at: int, value: T) -> None: ...
        def __add__(self, count: int) -> Array[T]: ...

    from typing import Annotated as Fixed

else:
    globals().update({name: kind for name, kind in types.SCALARS.items() if name != "bool"})

    class Array:
        """The address of elements; ``array[n]`` is the n-th, ``array + n`` the address of it."""

        def __class_getitem__(cls, element: Any) -> types.Pointer:
            return types.Pointer(type_of(element))

    class Fixed:
        """An array of known length inside a record: ``Fixed[Array[i64], 6]``."""

        def __class_getitem__(cls, item: tuple[types.Pointer, int]) -> types.Fixed:
            return types.Fixed(item[0].element, item[1])


def type_of(mark: Any) -> types.Type:
    """The type that a mark in an annotation stands for. Raises TypeError for other things."""
    if mark is bool:
        return types.BOOL
    if isinstance(mark, type) and issubclass(mark, Lanes):
        return mark.lanes
    found = getattr(mark, "native_record", mark)
    if not isinstance(found, types.Type):
        raise TypeError(f"{mark!r} is no native type")
    return found


__all__ = [
    "Array",
    "f32",
    "f32x16",
    "f64",
    "f64x16",
    "Fixed",
    "i16",
    "i16x16",
    "i32",
    "i32x16",
    "i64",
    "i64x16",
    "i8",
    "i8x16",
    "Lanes",
    "Mask",
    "type_of",
    "u16",
    "u16x16",
    "u32",
    "u8",
    "u8x16",
    "N",
    "T",
    "V",
    "not_here",
]
