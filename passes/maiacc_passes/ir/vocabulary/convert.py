"""Ops that change the type of elements: conversion, the same bits as another type, quantisation.

To a float is rounded once, to nearest even. Beyond the largest number and from infinity comes, in
the types of 8 bits and with ``saturate``, the largest number; else infinity, or NaN in a type
without infinities. ``e2m1`` has neither and always saturates; NaN becomes its 0. Floats become
integers as ``round`` says; outside of the range the nearest bound, NaN 0. Integers wrap. Truth is
what is not 0, NaN included. To its own type nothing changes. In a lifted run saturation happens,
rounding to a float does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np

from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.rules import check_axis, floats_only, need, wrong
from maiacc_passes.ir.table import Attr, Attrs, Kind, Row, Types
from maiacc_passes.ir.types import ELEMENTS, Element, Type
from maiacc_passes.ir.weights import Array

if TYPE_CHECKING:
    from maiacc_passes.ir.evaluate import Run

#: The floats that saturate if asked to, with their largest numbers.
LARGEST = {"e4m3": 448.0, "e5m2": 57344.0, "e2m1": 6.0}


# ---- conversion -----------------------------------------------------------------------------
def widened(x: Array) -> Array:
    """The same values in a type that numpy computes with: fp32 or wider, integers of a byte."""
    kind, bits = x.dtype.kind, x.dtype.itemsize * 8
    if kind in "iu" or (kind == "f" and bits >= 32):
        return x
    if kind == "b":
        return x.astype(np.uint8)
    if x.dtype in (ml_dtypes.int4, ml_dtypes.uint4):
        return x.astype(np.int8)
    return x.astype(np.float32)


def odd(x: Array) -> Array:
    """Numbers as fp32, inexact ones with an odd last bit: what is narrower is then rounded once."""
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        negative = x < 0
        size = np.where(negative, -x, x).astype(np.uint64)
        # Bits that decide nothing but whether the number is exact go into one.
        low = (size & np.uint64(0xFFFF)) != 0
        packed = ((size >> np.uint64(16)) | low) << np.uint64(16)
        size = np.where(size >> np.uint64(48), packed, size)
        x = np.where(negative, -size.astype(np.float64), size.astype(np.float64))
    x = x.astype(np.float64)
    near = x.astype(np.float32)
    bits = near.view(np.uint32)
    inexact = (near != x) & ~np.isnan(x)
    above = inexact & (np.abs(near) > np.abs(x))
    return np.where(inexact, (bits - above.astype(np.uint32)) | 1, bits).view(np.float32)


def _scaled(x: Array, saturate: bool, rounding: str) -> Array:
    """Numbers as ``e8m0``: powers of two, the nearest, or the next below or above."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    limit = {"rne": 0.75, "trunc": 1.0, "up": 0.5 + 2.0**-53}[rounding]
    code = exponent.astype(np.int64) + 126 + (mantissa >= limit)
    outside = (code < 0) | (code > 254) | (x <= 0) | np.isinf(x)
    edge = np.where((x > 0) & (code > 0), 254, 0)
    code = np.where(outside, edge if saturate else 255, code)
    return np.where(np.isnan(x) | (x < 0), 255, code).astype(np.uint8).view(ELEMENTS["e8m0"].numpy)


def to_float(x: Array, to: Element, saturate: bool, rounding: str = "rne") -> Array:
    """Numbers as a type of floats."""
    if to.name == "e8m0":
        return _scaled(x, saturate, rounding)
    if to.bits < 32 and x.dtype != np.float32:
        x = odd(x)
    if to.name in LARGEST and (saturate or to.name == "e2m1"):
        x = np.clip(x, -LARGEST[to.name], LARGEST[to.name])
    if to.name == "e2m1":
        x = np.where(np.isnan(x), np.float32(0), x)
    return x.astype(to.numpy)


def to_int(x: Array, to: Element) -> Array:
    """Floats that have no fraction as integers: NaN is 0, outside the nearest bound."""
    top, bottom = _bounds(to)
    wide = to.numpy if to.bits >= 8 else np.dtype(np.int8)
    x = np.where(np.isnan(x), 0, x)
    over, under = x >= float(top), x <= float(bottom)
    inside = np.where(over | under, 0, x).astype(wide)
    filled = np.where(over, wide.type(top), np.where(under, wide.type(bottom), inside))
    return filled.astype(to.numpy)


def _bounds(to: Element) -> tuple[int, int]:
    if to.kind == "uint":
        return (1 << to.bits) - 1, 0
    return (1 << to.bits - 1) - 1, -(1 << to.bits - 1)


def converted(
    run: Run, x: Array, to: Element, saturate: bool = True, rounding: str = "rne"
) -> Array:
    """Elements as another type; ``rounding`` is rne, trunc, or for ``e8m0`` up."""
    x = widened(x)
    if to.kind == "bool":
        return np.asarray(x != 0)
    if to.is_float:
        if not run.lift:
            return to_float(x, to, saturate, rounding)
        x = x.astype(np.float64)
        most = LARGEST.get(to.name, np.inf) if saturate or to.name == "e2m1" else np.inf
        x = np.clip(x, -most, most)
        return np.where(np.isnan(x), 0.0, x) if to.name == "e2m1" else x
    if x.dtype.kind != "f":
        return x.astype(to.numpy)
    return to_int(np.trunc(x) if rounding == "trunc" else np.rint(x), to)


def _cast(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    attrs: Attrs = op.attrs
    x, operand, to = arrays[0], op.operands[0], op.result.type.element
    if operand is not None and operand.type.element is to:
        return np.asarray(x)
    return converted(run, x, to, attrs["saturate"], attrs["round"])


def _cast_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    if attrs["round"] == "up" and attrs["to"] != "e8m0":
        raise wrong("only e8m0 rounds up", *types, expected="round rne or trunc")
    return (need(types, 0).with_dtype(attrs["to"]),)


# ---- the same bits --------------------------------------------------------------------------
def _bits_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = need(types, 0)
    found = kind.with_dtype(attrs["to"])
    if kind.element.bits != found.element.bits:
        raise wrong("bitcast between widths", kind, expected=f"{found.element.bits} bits")
    if found.dtype == "bool" and kind.dtype != "bool":
        raise wrong("not all bits are truth values", kind, expected="bool")
    return (found,)


def _bits(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    operand = op.operands[0]
    assert operand is not None
    old, new = operand.type.element, op.result.type.element
    raw = np.ascontiguousarray(arrays[0].astype(old.numpy, copy=False)).reshape(arrays[0].shape)
    if new.bits == 4:
        # Arrays have a byte for each element; the upper half says nothing.
        raw = raw.view(np.uint8) & 15
    found: Array = raw.view(new.numpy)
    return found


# ---- quantisation ---------------------------------------------------------------------------
def spread(scale: Array, attrs: Attrs, shape: tuple[int, ...]) -> Array:
    """Scales, or zero points, in a shape that broadcasts with that of what they scale."""
    axis, block = attrs["axis"], attrs["block"]
    if block:
        places = np.arange(shape[axis]) // min(block, max(shape[axis], 1))
        return np.asarray(np.take(scale, places, axis))
    if scale.ndim == 0:
        return scale
    return np.reshape(scale, (-1, *[1] * (len(shape) - axis - 1)))


def _check_scale(attrs: Attrs, types: Types) -> Type:
    x, scale = need(types, 0), need(types, 1)
    axis, block = attrs["axis"], attrs["block"]
    floats_only(scale)
    zero = types[2] if len(types) > 2 else None
    if zero is not None and (zero.shape, zero.counts) != (scale.shape, scale.counts):
        raise wrong("scales and zero points have different shapes", *types)
    if not block and scale.rank == 0:
        return x
    check_axis(axis, x)
    wanted = [(extent, x.count(i)) for i, extent in enumerate(x.shape)]
    if block:
        wanted[axis] = (-(-x.shape[axis] // max(block, 1)), None)
    else:
        wanted = wanted[axis : axis + 1]
    found = [(extent, scale.count(i)) for i, extent in enumerate(scale.shape)]
    fits = len(wanted) == len(found) and all(
        have[0] == want[0] and have[1] in (None, want[1])
        for have, want in zip(found, wanted, strict=True)
    )
    if block < 0 or not fits:
        sizes = str([extent for extent, _ in wanted])
        raise wrong("scales do not fit what they scale", *types, expected=sizes)
    return x


def _quantized_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = _check_scale(attrs, types)
    found = kind.with_dtype(attrs["to"])
    zero = types[2] if len(types) > 2 else None
    if zero is not None and zero.element is not found.element:
        raise wrong("zero points have another type than the result", *types, expected=found.dtype)
    to = found.element
    if kind.dtype == "bool" or not (to.name in LARGEST or (to.is_int and to.bits <= 32)):
        wanted = "integers of at most 32 bits, e4m3, e5m2, e2m1"
        raise wrong(f"quantize to {to.name}", *types, expected=wanted)
    return (found,)


def _quantized(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    attrs: Attrs = op.attrs
    x, scale, *zeros = map(widened, arrays)
    to = op.result.type.element
    if x.dtype.kind != "f":
        x = x.astype(scale.dtype)
    found = x / spread(scale, attrs, x.shape)
    if to.is_int:
        # In float64 the sum is exact unless it saturates anyway.
        found = np.rint(found).astype(np.float64)
        found = np.where(np.isnan(found), 0, found)
    if zeros:
        found = found + spread(zeros[0], attrs, x.shape)
    return to_int(found, to) if to.is_int else converted(run, found, to, attrs["saturate"])


def _dequantized_rule(attrs: Attrs, types: Types) -> Sequence[Type]:
    kind = _check_scale(attrs, types)
    found = kind.with_dtype(attrs["to"])
    zero = types[2] if len(types) > 2 else None
    if zero is not None and zero.element is not kind.element:
        raise wrong("zero points have another type than what is scaled", *types)
    if kind.dtype == "bool" or (kind.element.is_int and kind.element.bits == 64):
        wanted = "integers of at most 32 bits, or floats"
        raise wrong("elements are not scaled", *types, expected=wanted)
    floats_only(found)
    return (found,)


def _dequantized(run: Run, op: Op, arrays: Sequence[Any]) -> Array:
    attrs: Attrs = op.attrs
    x, scale, *zeros = map(widened, arrays)
    if x.dtype.kind != "f":
        x = x.astype(np.int64)
    if zeros:
        x = x - spread(zeros[0].astype(x.dtype), attrs, x.shape)
    to = op.result.type.element
    wide = np.result_type(scale.dtype, run.wide(to))
    return converted(run, x.astype(wide) * spread(scale, attrs, x.shape).astype(wide), to, False)


_SCALES = {"axis": Attr("int", 0), "block": Attr("int", 0), "to": Attr("dtype")}

ROWS = (
    Row(
        "cvt",
        Kind.MAP,
        ("x",),
        {
            "to": Attr("dtype"),
            "saturate": Attr("bool", True),
            "round": Attr("str", "rne", ("rne", "trunc", "up")),
        },
        _cast_rule,
        "x as another type: to a float rounded once, from a float to an integer as round says.",
        _cast,
        compute="raw",
    ),
    Row(
        "bitcast",
        Kind.MAP,
        ("x",),
        {"to": Attr("dtype")},
        _bits_rule,
        "The bits of x read as another type of the same width.",
        _bits,
        compute="raw",
    ),
    Row(
        "quantize",
        Kind.MAP,
        ("x", "scale", "zero?"),
        {**_SCALES, "saturate": Attr("bool", True)},
        _quantized_rule,
        "x / scale + zero, rounded before zero is added and saturated; one scale, one for each "
        "index of an axis, or one for each block of elements along it.",
        _quantized,
        compute="raw",
    ),
    Row(
        "dequantize",
        Kind.MAP,
        ("x", "scale", "zero?"),
        _SCALES,
        _dequantized_rule,
        "(x - zero) * scale, with scales as those of quantize.",
        _dequantized,
        compute="raw",
    ),
)
