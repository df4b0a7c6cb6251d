"""Bounds of sums: contractions, reductions, pools, scans.

A chain of n roundings is off by at most gamma(n) = n u / (1 - n u) times the sum of sizes, in
whatever order (Higham, Accuracy and Stability, chapter 3). The sum of sizes is the op itself
applied to sizes, in fp32. Sums of whole numbers below 2**24 are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from maiacc.verifying.bounds import RULES, Bounds, meant
from maiacc.verifying.bounds_maps import Operands, given, integer, is_float
from maiacc.verifying.known import EXACT, LIFTED, UNIT, Known, all_exact, numbers, rounded, settled
from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.graph import Op
from maiacc_passes.ir.vocabulary.contractions import split_spec
from maiacc_passes.ir.weights import Array

#: For what bounds themselves lose when they are computed in fp32.
SAFE = 1.01

#: Whole numbers up to here are exact in fp32.
WHOLE = float(1 << 24)

#: The least distance of two numbers in fp32, halved.
TINY = 2.0**-150


def gamma(terms: int) -> float:
    """What a chain of so many roundings is off by, as part of the sum of sizes."""
    return terms * UNIT / (1 - min(terms * UNIT, 0.5))


def applied(op: Op, arrays: Sequence[Array | None], run: Run = EXACT) -> Array:
    """What the op makes of other arrays."""
    assert op.row.meaning is not None
    found = op.row.meaning(run, op, list(arrays))
    assert isinstance(found, np.ndarray | np.generic)
    return np.asarray(found)


def single(array: Array) -> Array:
    """In fp32, for bounds."""
    return array.astype(np.float32)


def whole(known: Known) -> bool:
    """Whether all elements are whole numbers that are known exactly."""
    x = known.exact
    some = numbers(Known(x.reshape(-1)[:64]))
    if not np.array_equal(some, np.rint(some)) or (known.bound is not None and known.bound.any()):
        return False
    wide = numbers(known)
    return bool(np.array_equal(wide, np.rint(wide)))


# ---- products -----------------------------------------------------------------------------------
def terms_of(op: Op) -> int:
    """How many products an element of the result has at most."""
    x, w = (value.type for value in op.operands[:2] if value is not None)
    if op.name.startswith("contract"):
        left, right, out = split_spec(str(op.attrs["spec"]))
        sizes = dict(zip(right, w.shape, strict=True)) | dict(zip(left, x.shape, strict=True))
        return prod(size for letter, size in sizes.items() if letter not in out)
    if op.name == "conv_transpose":
        return prod(w.shape) // max(1, w.shape[1])
    return prod(w.shape[1:]) * (2 if op.name.endswith("sparse") else 1)


def _products(bounds: Bounds, op: Op, operands: Operands) -> Known:
    sparse = op.name.endswith("_sparse")
    place = 3 if sparse else 2
    bias = operands[place] if len(operands) > place else None
    a, b = given(operands, 0, 1)
    middle: list[Array | None] = [x.exact for x in given(operands, *range(2, place)) if sparse]
    if not is_float(op):
        return _integers(op, operands, bias)
    known = [a.wide, b.wide, *middle, None if bias is None else bias.wide]
    exact = applied(op, known, LIFTED)
    add = None if bias is None else np.abs(bias.wide)
    sizes = [np.abs(a.wide), np.abs(b.wide)]
    factor = gamma(terms_of(op))
    if all(whole(x) for x in (a, b, bias) if x is not None) and not bounds.factors:
        total = applied(op, [single(sizes[0]), single(sizes[1]), *middle, _single(add)])
        if not total.size or float(total.max()) <= WHOLE:
            return Known(exact, np.zeros(exact.shape))
    slack = [_slack(x, size, bounds.factors) for x, size in zip((a, b), sizes, strict=True)]
    first = factor * sizes[0] if slack[0] is None else factor * sizes[0] + slack[0]
    left = None if bias is None else np.zeros_like(bias.wide, np.float32)
    bound = applied(op, [single(first), single(sizes[1]), *middle, left]).astype(np.float64)
    if slack[1] is not None:
        far = sizes[0] if slack[0] is None else sizes[0] + slack[0]
        bound = bound + applied(op, [single(far), single(slack[1]), *middle, left])
    bound = bound * SAFE + TINY * terms_of(op)
    if bias is None:
        return settled(exact, bound)
    if bias.bound is not None:
        nothing: list[Array | None] = [np.zeros_like(x, np.float32) for x in sizes]
        bound = bound + applied(op, [*nothing, *middle, single(bias.bound)]) * SAFE
    # The sum is rounded before the bias is added, and after that.
    return rounded(exact, bound)


def _single(array: Array | None) -> Array | None:
    return None if array is None else single(array)


def _slack(known: Known, size: Array, factor: float) -> Array | None:
    if not factor:
        return known.bound
    return known.slack + factor * size


def _integers(op: Op, operands: Operands, bias: Known | None) -> Known:
    exact = meant(op, operands)[0]
    if all_exact(operands):
        return Known(exact)
    # Sums of sizes and slacks as floats; what may be anything spoils what it touches.
    arrays: list[Array | None] = [
        None if x is None else single(np.abs(numbers(x))) for x in operands
    ]
    more: list[Array | None] = [
        None if x is None else single(np.abs(numbers(x)) + x.slack) for x in operands
    ]
    if any(x is not None and np.isinf(x.slack).any() for x in operands):
        return Known(exact, np.full(exact.shape, np.inf))
    wide = [applied(op, x).astype(np.float64) for x in (more, arrays)]
    return integer(op, exact, np.ceil((wide[0] - wide[1]) * SAFE))


# ---- reductions ---------------------------------------------------------------------------------
def reduced_size(op: Op) -> int:
    """How many elements become one."""
    source = op.operands[0]
    assert source is not None
    axes = op.attrs["axes"] if "axes" in op.attrs else (op.attrs["axis"],)
    assert isinstance(axes, tuple)
    return prod(source.type.shape[int(axis)] for axis in axes)


def chain(elements: int) -> int:
    """Roundings between an element and the sum: 32 lanes, a tree of them, and pieces that are
    added one after the other."""
    return min(max(elements - 1, 0), elements // 8 + 7)


def _totals(bounds: Bounds, op: Op, operands: Operands) -> Known:
    (x,) = given(operands)
    if not is_float(op):
        return _integer_totals(op, operands)
    exact = applied(op, [x.wide], LIFTED)
    size = applied(op, [single(np.abs(x.wide))]).astype(np.float64)
    if whole(x) and (not size.size or float(size.max()) <= WHOLE):
        return Known(exact, np.zeros(exact.shape))
    extra = 1 if op.name == "rsumsq" else 0
    bound = size * gamma(chain(reduced_size(op)) + extra) * SAFE
    if x.bound is not None:
        if op.name == "rsumsq":
            far = applied(op, [np.abs(x.wide) + x.bound], LIFTED)
            bound = bound + (far - exact) * SAFE
        else:
            bound = bound + applied(op, [x.bound], LIFTED)
    return settled(exact, bound + np.where(bound > 0, TINY * reduced_size(op), 0.0))


def _integer_totals(op: Op, operands: Operands) -> Known:
    exact = meant(op, operands)[0]
    (x,) = given(operands)
    if x.bound is None:
        return Known(exact)
    size = np.abs(numbers(x))
    far = applied(op, [size + x.bound], LIFTED) - applied(op, [size], LIFTED)
    return integer(op, exact, far.astype(np.float64))


def _powers(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Products along axes: parts of sizes add up."""
    (x,) = given(operands)
    if not is_float(op):
        return _integer_totals(op, operands)
    exact = applied(op, [x.wide], LIFTED)
    size = np.abs(exact)
    steps = reduced_size(op) if op.name == "rprod" else x.exact.shape[int(str(op.attrs["axis"]))]
    bound = size * gamma(steps) * SAFE + TINY * steps
    if x.bound is not None:
        bound = bound + applied(op, [np.abs(x.wide) + x.bound], LIFTED) * (1 + gamma(steps)) - size
    return settled(exact, bound)


def _extremes(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """The largest of what elements may be at most, and of what they are at least, are its ends."""
    (x,) = given(operands)
    exact = meant(op, operands)[0] if x.bound is None else applied(op, [x.wide], LIFTED)
    if x.bound is None:
        return Known(exact)
    wide, off = numbers(x), np.zeros(exact.shape)
    for sign in (-1.0, 1.0):
        far = applied(op, [wide + sign * x.bound], LIFTED).astype(np.float64)
        change = np.where(far == exact, 0.0, np.abs(far - exact))
        off = np.maximum(off, np.where(np.isnan(far) & ~np.isnan(exact), np.inf, change))
    return settled(exact, off) if exact.dtype.kind == "f" else Known(exact, off)


def _places(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Where the largest is: open where another one may be as large."""
    (x,) = given(operands)
    if x.bound is None:
        return Known(meant(op, operands)[0])
    exact = applied(op, [x.wide], LIFTED)
    axis, keep = int(str(op.attrs["axis"])), bool(op.attrs["keep"])
    sign = 1.0 if op.name == "argmax" else -1.0
    size = sign * numbers(x)
    index = exact if keep else np.expand_dims(exact, axis)
    best = np.take_along_axis(size - x.slack, index, axis)
    others = np.take_along_axis((size + x.slack).copy(), index, axis)
    reach = size + x.slack
    np.put_along_axis(reach, index, -np.inf, axis)
    del others
    open_ = np.max(reach, axis=axis, keepdims=True) >= best
    return bounds.decided(op, exact, open_ if keep else np.squeeze(open_, axis))


# ---- windows and scans --------------------------------------------------------------------------
def _pool_max(bounds: Bounds, op: Op, operands: Operands) -> list[Known]:
    (x,) = given(operands)
    if x.bound is None:
        return [Known(found) for found in meant(op, operands)]
    assert op.row.meaning is not None
    found = op.row.meaning(LIFTED, op, [x.wide])
    exact = [found] if isinstance(found, np.ndarray) else list(found)
    off = op.row.meaning(LIFTED, op, [x.bound])
    bound = np.maximum(off if isinstance(off, np.ndarray) else off[0], 0.0)
    bound = np.where(np.isneginf(bound), 0.0, bound)
    known = [settled(np.asarray(exact[0], np.float64), bound)]
    if len(exact) > 1:
        known.append(bounds.decided(op, exact[1], bound > 0))
    return known


def _pool_sums(bounds: Bounds, op: Op, operands: Operands) -> Known:
    (x,) = given(operands)
    if not is_float(op):
        return _integer_totals(op, operands)
    exact = applied(op, [x.wide], LIFTED)
    kernel = op.attrs["kernel"]
    assert isinstance(kernel, tuple)
    size = applied(op, [single(np.abs(x.wide))]).astype(np.float64)
    # One more where it is divided by the number of elements, and one for that number's inverse.
    bound = size * gamma(prod(map(int, kernel)) + (2 if op.name == "pool_avg" else 0)) * SAFE
    if x.bound is not None:
        bound = bound + applied(op, [x.bound], LIFTED)
    if op.name == "pool_sum" and whole(x) and float(size.max(initial=0)) <= WHOLE:
        bound = np.zeros(exact.shape)
    return settled(exact, bound + (TINY if bound.any() else 0.0))


def _running(bounds: Bounds, op: Op, operands: Operands) -> Known:
    """Running sums: an element has as many roundings as there are elements before it."""
    (x,) = given(operands)
    if not is_float(op):
        return _integer_totals(op, operands)
    exact = applied(op, [x.wide], LIFTED)
    steps = x.exact.shape[int(str(op.attrs["axis"]))]
    bound = applied(op, [np.abs(x.wide)], LIFTED) * gamma(steps) * SAFE
    if x.bound is not None:
        bound = bound + applied(op, [x.bound], LIFTED)
    if whole(x) and float(applied(op, [np.abs(x.wide)], LIFTED).max(initial=0)) <= WHOLE:
        bound = np.zeros(exact.shape)
    return settled(exact, bound)


Made = Callable[[Bounds, Op, Operands], Known]

RULES |= dict.fromkeys(("contract", "conv", "conv_transpose"), _products)
RULES |= dict.fromkeys(("contract_sparse", "conv_sparse"), _products)
RULES |= dict.fromkeys(("rsum", "rsumsq"), _totals)
RULES |= dict.fromkeys(("rprod", "cumprod"), _powers)
RULES |= dict.fromkeys(("rmax", "rmin"), _extremes)
RULES |= dict.fromkeys(("argmax", "argmin"), _places)
RULES |= dict.fromkeys(("pool_max", "pool_argmax"), _pool_max)
RULES |= dict.fromkeys(("pool_sum", "pool_avg"), _pool_sums)
RULES |= {"cumsum": _running}
