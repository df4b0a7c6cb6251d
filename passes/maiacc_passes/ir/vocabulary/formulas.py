"""What expansions of composites share.

A composite is computed in its wide type: fp32 for narrow floats, the type itself for others. So
its result is rounded once. Parameters such as scales have the type of x, or fp32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.rules import broadcast, floats_only, wrong
from maiacc_passes.ir.types import Element, Type, tensor

if TYPE_CHECKING:
    from maiacc_passes.ir.build import Builder


def wide_name(element: Element) -> str:
    """The type of floats in which floats of a type are computed."""
    return element.name if element.bits >= 32 else "fp32"


def cast(b: Builder, x: Value, dtype: str) -> Value:
    """A value in another element type."""
    return x if x.type.dtype == dtype else b("cvt", x, to=dtype)


def widened(b: Builder, x: Value) -> Value:
    """A value in its wide type."""
    return cast(b, x, wide_name(x.type.element))


def number(b: Builder, value: float, like: Value) -> Value:
    """A number as a constant that broadcasts, of the element type of another value."""
    return b.constant(value, like.type.dtype)


def parameters(x: Type, *others: Type | None) -> None:
    """Raises ``IRError`` E1403 unless x is of floats and the others are of its type or of fp32."""
    floats_only(x)
    for kind in others:
        if kind is not None and kind.dtype not in (x.dtype, "fp32"):
            raise wrong("element types differ", x, *others, expected=f"{x.dtype} or fp32")


def check_stretch(kind: Type | None, to: Type, what: str) -> None:
    """Raises ``IRError`` E1403 unless a tensor broadcasts to a type, if it is given."""
    if kind is not None and broadcast(to, kind) != (to.shape, to.counts):
        raise wrong(f"{what} does not broadcast", kind, expected=str(to))


def vector(kind: Type, size: int, what: str) -> None:
    """Raises ``IRError`` E1403 unless a type is that of so many elements in a row."""
    if kind is not tensor(kind.dtype, (size,)):
        raise wrong(f"{what} has not one element for each channel", kind, expected=f"[{size}]")
