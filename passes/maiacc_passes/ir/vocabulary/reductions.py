"""Ops that make one element of many, along axes.

Floats are added up in the type they are computed in and rounded once; integers wrap. No elements
give the identity: 0, 1, or what nothing is below or above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import need, reduced, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, TypeRule, Types
from maiacc_passes.ir.types import Element, Type
from maiacc_passes.ir.vocabulary.views import using
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run

#: The largest numbers of the floats that have no infinity.
_FINITE = {"e4m3": 448.0, "e2m1": 6.0, "e8m0": 2.0**127}


def highest(element: Element) -> float | int | bool:
    """What nothing of a type is above."""
    if element.is_float:
        return _FINITE.get(element.name, np.inf)
    if element.kind == "bool":
        return True
    return (1 << element.bits - (element.kind == "int")) - 1


def lowest(element: Element) -> float | int | bool:
    """What nothing of a type is below."""
    if element.name == "e8m0":
        return 2.0**-127
    if element.is_float:
        return -highest(element)
    return -(1 << element.bits - 1) if element.kind == "int" else 0


# ---- rules ----------------------------------------------------------------------------------
def _folded(name: str, truths: bool) -> TypeRule:
    def rule(attrs: Attrs, types: Types) -> Sequence[Type]:
        kind = need(types, 0)
        if kind.dtype == "bool" and not truths:
            raise wrong(f"{name} of truth values", kind, expected="a numeric type")
        found = reduced(kind, attrs["axes"], attrs["keep"])
        for axis in attrs["axes"]:
            whole(kind, axis, name)
        return (found,)

    return rule


def _placed(name: str) -> TypeRule:
    def rule(attrs: Attrs, types: Types) -> Sequence[Type]:
        kind, axis = need(types, 0), attrs["axis"]
        found = reduced(kind, (axis,), attrs["keep"], "int64")
        if whole(kind, axis, name) == 0:
            raise wrong(f"{name} of no elements", kind, expected="at least one")
        return (found,)

    return rule


# ---- meanings -------------------------------------------------------------------------------
def _total(function: Callable[..., Any]) -> Callable[[Attrs, Array], Array]:
    def total(attrs: Attrs, x: Array) -> Array:
        found: Array = function(x, axis=attrs["axes"], keepdims=attrs["keep"], dtype=x.dtype)
        return found

    return total


def _squares(attrs: Attrs, x: Array) -> Array:
    return _total(np.sum)(attrs, x * x)


def _extreme(largest: bool) -> Callable[[Run, Op, Sequence[Any]], Array]:
    """The largest or smallest element; NaN if one is. -0 is below +0."""

    def meaning(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
        (x,) = arrays
        attrs: Attrs = op.attrs
        along = {"axis": attrs["axes"], "keepdims": attrs["keep"]}
        element = op.result.type.element
        function = np.max if largest else np.min
        if x.size == 0:
            along["initial"] = x.dtype.type(lowest(element) if largest else highest(element))
            return np.asarray(function(x, **along))
        found = np.asarray(function(x, **along))
        if x.dtype.kind == "f" and not found.all():
            decides = np.any((x == 0) & (np.signbit(x) != largest), **along)
            zero = x.dtype.type(0)
            zeros = np.where(decides == largest, zero, -zero)
            found = np.where(found == 0, zeros, found)
        return found

    return meaning


def _position(function: Callable[..., Any]) -> Callable[[Attrs, Array], Array]:
    def position(attrs: Attrs, x: Array) -> Array:
        axis, last = attrs["axis"], attrs["last"]
        found = function(np.flip(x, axis) if last else x, axis=axis, keepdims=attrs["keep"])
        return np.asarray(x.shape[axis] - 1 - found if last else found, np.int64)

    return position


_AXES = {"axes": Attr("ints"), "keep": Attr("bool")}
_AXIS = {"axis": Attr("int"), "keep": Attr("bool"), "last": Attr("bool", False)}


def _reduction(name: str, function: Callable[..., Any], doc: str) -> Row:
    return Row(name, Kind.REDUCE, ("x",), _AXES, _folded(name, False), doc, using(function))


def _choice(name: str, largest: bool, doc: str) -> Row:
    rule = _folded(name, True)
    return Row(name, Kind.REDUCE, ("x",), _AXES, rule, doc, _extreme(largest))


def _index(name: str, function: Callable[..., Any], doc: str) -> Row:
    meaning = using(_position(function))
    return Row(name, Kind.REDUCE, ("x",), _AXIS, _placed(name), doc, meaning)


ROWS = (
    _reduction("rsum", _total(np.sum), "The sum along axes."),
    _reduction("rprod", _total(np.prod), "The product along axes."),
    _reduction("rsumsq", _squares, "The sum of the squares along axes."),
    _choice("rmax", True, "The largest element along axes; NaN if one is; of truth values, any."),
    _choice("rmin", False, "The smallest element along axes; NaN if one is; of truth values, all."),
    _index(
        "argmax",
        np.argmax,
        "Where along an axis the largest element is: the first of equals, or the last. NaN is "
        "above all.",
    ),
    _index(
        "argmin",
        np.argmin,
        "Where along an axis the smallest element is: the first of equals, or the last. NaN is "
        "below all.",
    ),
)
