"""Rules for types of results that many ops share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.table import Attrs, Types
from maiacc_passes.ir.types import Type, tensor

#: No tensor has more elements than this, nor more axes.
LARGEST = 1 << 40
MOST_AXES = 32


def need(types: Types, index: int) -> Type:
    """The type of an operand that the row says is there."""
    kind = types[index]
    assert kind is not None
    return kind


def wrong(message: str, *types: Type | None, expected: str = "") -> IRError:
    """The error E1403 about the types of operands."""
    found = ", ".join("_" if kind is None else str(kind) for kind in types)
    return IRError("E1403", message, expected=expected or None, found=found)


def wrong_axis(axis: int, kind: Type) -> IRError:
    """The error E1403 about an axis that is not there."""
    return wrong(f"there is no axis {axis}", kind, expected=f"0 to {kind.rank - 1}")


def check_axis(axis: int, kind: Type) -> int:
    """An axis from 0 on. Raises ``IRError`` E1403 for one that is not there."""
    if not 0 <= axis < kind.rank:
        raise wrong_axis(axis, kind)
    return axis


def check_axes(axes: Sequence[int], kind: Type) -> Sequence[int]:
    """Axes that are all there, each once. Raises ``IRError`` E1403."""
    for axis in axes:
        check_axis(axis, kind)
    if len(set(axes)) < len(axes):
        raise wrong(f"an axis is named twice: {list(axes)}", kind)
    return axes


def sized(
    dtype: str, shape: Sequence[int], counts: Sequence[str | None] = (), *kinds: Type | None
) -> Type:
    """The type of a result that may be large. Raises ``IRError`` E1403 if it is too large; the
    types of the operands are told then."""
    # Sizes count where another one is 0, too: arrays cannot be made otherwise.
    if math.prod(extent or 1 for extent in shape) > LARGEST:
        dims = ", ".join(map(str, shape))
        raise wrong(f"too large: {dtype}[{dims}]", *kinds, expected=f"at most {LARGEST} elements")
    if len(shape) > MOST_AXES:
        raise wrong(f"too many axes: {len(shape)}", *kinds, expected=f"at most {MOST_AXES}")
    return tensor(dtype, tuple(shape), tuple(counts))


def whole(kind: Type, axis: int, action: str) -> int:
    """The size of an axis that may not be a bound, because what is beyond the elements that exist
    would show in the result of the action. Raises ``IRError`` E1403."""
    symbol = kind.count(axis)
    if symbol:
        extent = kind.shape[axis]
        raise wrong(
            f"{action} along axis {axis}, whose size is only bounded: {extent}~{symbol}",
            kind,
            expected="a size that is known",
        )
    return kind.shape[axis]


def all_whole(kind: Type, action: str) -> None:
    """Raises ``IRError`` E1403 if any size is a bound."""
    for axis in range(kind.rank):
        whole(kind, axis, action)


def integers_only(*kinds: Type) -> None:
    """Raises ``IRError`` E1403 unless all are of integers."""
    if not all(kind.element.is_int for kind in kinds):
        raise wrong("elements are no integers", *kinds, expected="an integer type")


def same_dtype(*kinds: Type) -> str:
    """The element type that all have. Raises ``IRError`` E1403."""
    first = kinds[0].element
    for kind in kinds:
        if kind.element is not first:
            raise wrong("element types differ", *kinds)
    return first.name


def floats_only(*kinds: Type) -> None:
    """Raises ``IRError`` E1403 unless all are of floats."""
    if not all(kind.element.is_float for kind in kinds):
        raise wrong("elements are no floats", *kinds, expected="a floating-point type")


def broadcast(*kinds: Type) -> tuple[tuple[int, ...], tuple[str | None, ...]]:
    """The shape and the bounds of an element-by-element op: trailing axes meet, a 1 stretches.
    Raises ``IRError`` E1403."""
    first = kinds[0]
    if all(kind.shape == first.shape and kind.counts == first.counts for kind in kinds):
        return first.shape, first.counts
    rank = max(kind.rank for kind in kinds)
    shape, counts = [1] * rank, [None] * rank  # type: tuple[list[int], list[str | None]]
    for kind in kinds:
        for axis in range(kind.rank):
            to = axis + rank - kind.rank
            extent, count = kind.shape[axis], kind.count(axis)
            if extent == 1 and count is None:
                continue
            if shape[to] == 1 and counts[to] is None:
                shape[to], counts[to] = extent, count
            elif (shape[to], counts[to]) != (extent, count):
                raise wrong("shapes do not broadcast", *kinds)
    sized(first.dtype, shape, (), *kinds)
    return tuple(shape), tuple(counts) if any(counts) else ()


def given(types: Types) -> list[Type]:
    """Types of the operands that are not left out."""
    return [kind for kind in types if kind is not None]


# ---- rules ----------------------------------------------------------------------------------
def same(attrs: Attrs, types: Types) -> Sequence[Type]:
    """One result of the type of the first operand."""
    return (need(types, 0),)


def same_float(attrs: Attrs, types: Types) -> Sequence[Type]:
    """One result of the type of the first operand, which holds floats."""
    floats_only(need(types, 0))
    return (need(types, 0),)


def elementwise(attrs: Attrs, types: Types) -> Sequence[Type]:
    """Operands of one element type that broadcast to the result."""
    kinds = given(types)
    dtype = same_dtype(*kinds)
    return (tensor(dtype, *broadcast(*kinds)),)


def elementwise_float(attrs: Attrs, types: Types) -> Sequence[Type]:
    """The same for floats only."""
    floats_only(*given(types))
    return elementwise(attrs, types)


def predicate(attrs: Attrs, types: Types) -> Sequence[Type]:
    """Operands of one element type that broadcast to truth values."""
    kinds = given(types)
    same_dtype(*kinds)
    return (tensor("bool", *broadcast(*kinds)),)


def reduced(kind: Type, axes: Sequence[int], keep: bool, dtype: str = "") -> Type:
    """The type after a reduction over some axes. Raises ``IRError`` E1403."""
    chosen = set(check_axes(axes, kind))
    dims = [
        (1, None) if axis in chosen else (kind.shape[axis], kind.count(axis))
        for axis in range(kind.rank)
        if keep or axis not in chosen
    ]
    shape = tuple(extent for extent, _ in dims)
    return tensor(dtype or kind.dtype, shape, tuple(count for _, count in dims))
