"""Ops that sum products: contractions of two tensors, and convolutions.

Narrow floats are summed in fp32, int8, uint8, int4 and uint4 in int32, others in their own type;
integers wrap. The bias, which may have the type of the result or that of the sum, is added to the
sum; then the result is rounded, once. The element type of the result is ``to``, or that of the
first operand if ``to`` is empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import all_whole, need, sized, whole, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import ELEMENTS, Element, Type
from maiacc_passes.ir.vocabulary.formulas import check_stretch
from maiacc_passes.ir.vocabulary.products import contracted, convolved, padded, unconvolved
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run


# ---- element types --------------------------------------------------------------------------
def summed_in(element: Element) -> str:
    """The type in which products of elements are summed."""
    if element.is_float:
        return "fp64" if element.bits == 64 else "fp32"
    return "int32" if element.bits <= 8 else element.name


def _result(a: Type, b: Type, bias: Type | None, to: str) -> str:
    """The element type of the result. Raises ``IRError`` E1401, E1403."""
    short = all(kind.element.is_int and kind.element.bits <= 8 for kind in (a, b))
    if a.element is not b.element and not (short and to == "int32"):
        raise wrong("element types differ", a, b)
    if a.dtype == "bool":
        raise wrong("truth values are not multiplied", a, b, expected="numbers")
    result = to or a.dtype
    fits = result == a.dtype or (short and result == "int32")
    if a.element.is_float:
        fits = result in ELEMENTS and ELEMENTS[result].is_float
    if not fits:
        raise IRError("E1401", f"attribute to: products of {a.dtype} and {b.dtype}", found=to)
    if bias is not None and bias.dtype not in (result, summed_in(a.element)):
        expected = f"{result} or {summed_in(a.element)}"
        raise wrong("element type of the bias", a, b, bias, expected=expected)
    return result


def _sum_type(run: Run, op: Op) -> np.dtype[Any]:
    first = op.operands[0]
    assert first is not None
    return run.wide(ELEMENTS[summed_in(first.type.element)])


def _biased(run: Run, found: Array, bias: Array | None) -> Array:
    if bias is None:
        return found
    return np.asarray(found + bias.astype(found.dtype, copy=False))


# ---- multiply-adds --------------------------------------------------------------------------
def _types(op: Op) -> list[Type]:
    return [value.type for value in op.operands[:2] if value is not None]


def _contract_macs(op: Op) -> int:
    """The sizes of all letters."""
    sizes: dict[str, int] = {}
    for letters, kind in zip(split_spec(str(op.attrs["spec"]))[:2], _types(op), strict=True):
        sizes.update(zip(letters, kind.shape, strict=True))
    return math.prod(sizes.values())


def _conv_macs(op: Op) -> int:
    """A kernel for each element of the result."""
    return op.result.type.size * math.prod(_types(op)[1].shape[1:])


def _transpose_macs(op: Op) -> int:
    """A kernel for each element of x."""
    x, w = _types(op)
    return x.size * math.prod(w.shape[1:])


# ---- contract -------------------------------------------------------------------------------
def split_spec(spec: str) -> tuple[str, str, str]:
    """The letters of both operands and of the result. Raises ``IRError`` E1401."""
    operands, arrow, out = spec.partition("->")
    left, comma, right = operands.partition(",")
    groups = left, right, out
    good = bool(arrow and comma) and all(
        not group or (group.isascii() and group.isalpha() and len(set(group)) == len(group))
        for group in groups
    )
    if not good or not set(out) <= set(left + right):
        expected = "letters, each once in an operand, such as bmk,kn->bmn"
        raise IRError("E1401", "attribute spec", expected=expected, found=repr(spec))
    return groups


def _contract_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    a, b = need(types, 0), need(types, 1)
    bias = types[2] if len(types) > 2 else None
    left, right, out = split_spec(attrs["spec"])
    if len(left) != a.rank or len(right) != b.rank:
        raise wrong(f"operands do not have the axes of {attrs['spec']}", a, b)
    dims: dict[str, tuple[int, str | None]] = {}
    for kind, letters in ((a, left), (b, right)):
        for axis, letter in enumerate(letters):
            dim = kind.shape[axis], kind.count(axis)
            if dims.setdefault(letter, dim) != dim:
                raise wrong(f"sizes of {letter} in {attrs['spec']} differ", a, b)
    for kind, letters in ((a, left), (b, right)):
        for axis, letter in enumerate(letters):
            if letter not in out:
                whole(kind, axis, "contract")
    shape = tuple(dims[letter][0] for letter in out)
    counts = tuple(dims[letter][1] for letter in out)
    result = sized(_result(a, b, bias, attrs["to"]), shape, counts, a, b)
    check_stretch(bias, result, "the bias")
    return (result,)


def _contract(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    a, b, bias = (*arrays, None)[:3]
    spec = split_spec(str(op.attrs["spec"]))
    return _biased(run, contracted(a, b, spec, _sum_type(run, op)), bias)


# ---- convolutions ---------------------------------------------------------------------------
def window_attrs(attrs: Attrs, kind: Type, *names: str) -> int:
    """How many axes behind the first two a tensor has; there is as much in each attribute, and
    twice that in ``pads``. Raises ``IRError`` E1401, E1403."""
    rank = kind.rank - 2
    if rank < 1:
        raise wrong("there are no axes for a window", kind, expected="[n, c, one or more axes]")
    for name in names:
        least = 0 if name in ("pads", "out_pads", "sizes") else 1
        length = 2 * rank if name == "pads" else rank
        values = attrs[name]
        if len(values) != length or any(value < least for value in values):
            expected = f"{length} numbers from {least} on"
            raise IRError("E1401", f"attribute {name}", expected=expected, found=str(values))
    for axis in range(1, kind.rank):
        whole(kind, axis, "windows")
    return rank


def _channels(x: Type, w: Type, bias: Type | None, groups: int, out: int) -> None:
    """Raises ``IRError`` E1401, E1403 unless the kernel and the bias fit."""
    if not 1 <= groups <= max(x.shape[1], 1) or x.shape[1] % groups or out % groups:
        found = f"{groups} groups of {x.shape[1]} to {out} channels"
        raise IRError("E1401", "attribute groups", found=found)
    all_whole(w, "windows")
    if bias is not None and (bias.shape != (out,) or bias.counts):
        raise wrong("the bias has not one element for each channel", bias, expected=f"[{out}]")


def _conv_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, w = need(types, 0), need(types, 1)
    bias = types[2] if len(types) > 2 else None
    rank = window_attrs(attrs, x, "strides", "pads", "dilations")
    groups, pads = attrs["groups"], attrs["pads"]
    if w.rank != x.rank:
        raise wrong("the kernel has another rank than what it goes over", x, w)
    _channels(x, w, bias, groups, w.shape[0])
    if w.shape[1] * groups != x.shape[1]:
        raise wrong(f"channels differ, with {groups} groups", x, w)
    extents = []
    for axis in range(rank):
        span = (w.shape[2 + axis] - 1) * attrs["dilations"][axis] + 1
        room = x.shape[2 + axis] + pads[axis] + pads[rank + axis] - span
        if room < 0 or w.shape[2 + axis] == 0:
            raise wrong("the kernel is larger than what it goes over, or empty", x, w)
        extents.append(room // attrs["strides"][axis] + 1)
    dtype = _result(x, w, bias, attrs["to"])
    shape = (x.shape[0], w.shape[0], *extents)
    return (sized(dtype, shape, (x.count(0), *(None for _ in shape[1:])), x, w),)


def _conv(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, w, bias = (*arrays, None)[:3]
    attrs: Attrs = op.attrs
    found = convolved(
        padded(x, attrs["pads"]),
        w,
        attrs["strides"],
        attrs["dilations"],
        attrs["groups"],
        _sum_type(run, op),
    )
    return _biased(run, found, _per_channel(bias, found))


def _per_channel(bias: Array | None, like: Array) -> Array | None:
    return None if bias is None else bias.reshape(-1, *(1 for _ in like.shape[2:]))


def _transpose_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    x, w = need(types, 0), need(types, 1)
    bias = types[2] if len(types) > 2 else None
    rank = window_attrs(attrs, x, "strides", "pads", "dilations", "out_pads")
    groups, pads = attrs["groups"], attrs["pads"]
    if w.rank != x.rank or w.shape[0] != x.shape[1]:
        raise wrong("the kernel does not have the channels of what it goes over", x, w)
    _channels(x, w, bias, groups, w.shape[1] * groups)
    extents = [
        full - pads[axis] - pads[rank + axis] for axis, full in enumerate(_full(attrs, x, w))
    ]
    if any(extent < 0 for extent in extents):
        raise wrong("the result is smaller than nothing", x, w)
    dtype = _result(x, w, bias, "")
    shape = (x.shape[0], w.shape[1] * groups, *extents)
    return (sized(dtype, shape, (x.count(0), *(None for _ in shape[1:])), x, w),)


def _full(attrs: Attrs, x: Type, w: Type) -> list[int]:
    """The extents of a transposed convolution before pads are cut off."""
    return [
        (max(n, 1) - 1) * s + (max(k, 1) - 1) * d + 1 + extra
        for n, k, s, d, extra in zip(
            x.shape[2:],
            w.shape[2:],
            attrs["strides"],
            attrs["dilations"],
            attrs["out_pads"],
            strict=True,
        )
    ]


def _conv_transpose(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    x, w, bias = (*arrays, None)[:3]
    attrs: Attrs = op.attrs
    kinds = [value.type for value in op.operands if value is not None]
    found = unconvolved(
        x,
        w,
        attrs["strides"],
        attrs["dilations"],
        attrs["groups"],
        _full(attrs, kinds[0], kinds[1]),
        _sum_type(run, op),
    )
    before = attrs["pads"][: x.ndim - 2]
    kept = [slice(low, low + n) for low, n in zip(before, op.result.type.shape[2:], strict=True)]
    whole: tuple[Any, ...] = (..., *kept)
    found = found[whole]
    return _biased(run, found, _per_channel(bias, found))


_WINDOW = {"strides": Attr("ints"), "pads": Attr("ints"), "dilations": Attr("ints")}

ROWS = (
    Row(
        "contract",
        Kind.CONTRACT,
        ("a", "b", "bias?"),
        {"spec": Attr("str"), "to": Attr("str", "")},
        _contract_rule,
        "The sum of products of a and b over the letters of spec that the result does not have, "
        "plus the bias, which broadcasts.",
        _contract,
        macs=_contract_macs,
    ),
    Row(
        "conv",
        Kind.CONTRACT,
        ("x", "w", "bias?"),
        {**_WINDOW, "groups": Attr("int", 1), "to": Attr("str", "")},
        _conv_rule,
        "The convolution of x[n, c, ...] with w[o, c/groups, ...] plus bias[o]. pads are how many "
        "zeros there are in front of each axis, then behind each.",
        _conv,
        macs=_conv_macs,
    ),
    Row(
        "conv_transpose",
        Kind.CONTRACT,
        ("x", "w", "bias?"),
        {**_WINDOW, "groups": Attr("int", 1), "out_pads": Attr("ints")},
        _transpose_rule,
        "The transposed convolution of x[n, c, ...] with w[c, o/groups, ...] plus bias[o]: each "
        "element adds its multiple of the kernel, strides apart. pads are cut off; out_pads are "
        "cells more behind each axis.",
        _conv_transpose,
        macs=_transpose_macs,
    ),
)
