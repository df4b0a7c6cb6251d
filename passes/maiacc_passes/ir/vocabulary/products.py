"""Sums of products in numpy: matrix products of any element type, and convolutions as such.

Floats are summed in the type they arrive in, in the order that the matrix product of numpy takes.
Integers are summed exactly and wrap once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from maiacc_passes.ir.weights import Array

#: Windows that are laid out for a matrix product take at most so many bytes at a time.
SCRATCH = 64 << 20

#: How many elements of planes a convolution of single channels works on at a time.
PLANES = 1 << 16


def product(a: Array, b: Array, dtype: np.dtype[Any]) -> Array:
    """The matrix product over the last two axes, leading axes broadcast. ``dtype`` is that of the
    result of integers."""
    a, b = summable(a, b, a.shape[-1], dtype)
    found = np.asarray(np.matmul(_fit(a), _fit(b)))
    if found.dtype.kind == "f" and dtype.kind != "f":
        return found.astype(np.int64).astype(dtype)
    return found


def summable(a: Array, b: Array, terms: int, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """Operands in a type in which sums of so many products are right: floats as they are, integers
    as floats if these are exact, else as the result."""
    if a.dtype.kind == "f":
        return a, b
    by = exact_float(a, b, terms) or dtype
    return a.astype(by), b.astype(by)


def exact_float(a: Array, b: Array, terms: int) -> np.dtype[Any] | None:
    """The smallest type of floats in which sums of so many products of these integers are exact
    in any order; None if there is none."""
    bound = _largest(a) * _largest(b) * terms
    if bound <= 1 << 24:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if bound <= 1 << 53 else None


def _largest(x: Array) -> int:
    return max(abs(int(x.min())), abs(int(x.max()))) if x.size else 0


def _fit(x: Array) -> Array:
    """An array that the matrix product of numpy takes to the fast path: one of the last two axes
    is contiguous, and elements do not share memory."""
    rows, row = x.shape[-2:]
    size = x.itemsize
    along, across = x.strides[-1], x.strides[-2]
    if along == size and across % size == 0 and (across >= row * size or rows == 1):
        return x
    if across == size and along % size == 0 and (along >= rows * size or row == 1):
        return x
    return np.ascontiguousarray(x)


# ---- contractions by letters ----------------------------------------------------------------
def contracted(a: Array, b: Array, spec: tuple[str, str, str], dtype: np.dtype[Any]) -> Array:
    """The sum of products over the letters that the result does not have."""
    left, right, out = spec
    a, left = _summed(a, left, right + out)
    b, right = _summed(b, right, left + out)
    sizes = dict(zip(left + right, a.shape + b.shape, strict=True))
    batch = [c for c in left if c in right and c in out]
    inner = [c for c in left if c in right and c not in out]
    rows = [c for c in out if c in left and c not in right]
    columns = [c for c in out if c in right and c not in left]

    def arranged(x: Array, letters: str, *groups: list[str]) -> Array:
        order = [letters.index(c) for c in (*batch, *groups[0], *groups[1])]
        shape = [sizes[c] for c in batch]
        shape += [math.prod(sizes[c] for c in group) for group in groups]
        return x.transpose(order).reshape(shape)

    found = product(arranged(a, left, rows, inner), arranged(b, right, inner, columns), dtype)
    letters = [*batch, *rows, *columns]
    found = found.reshape([sizes[c] for c in letters])
    return found.transpose([letters.index(c) for c in out])


def _summed(x: Array, letters: str, kept: str) -> tuple[Array, str]:
    """Sums over the letters that are in no other place."""
    axes = tuple(axis for axis, c in enumerate(letters) if c not in kept)
    if not axes:
        return x, letters
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.int64)
    found: Array = x.sum(axes, dtype)
    return found, "".join(c for c in letters if c in kept)


# ---- convolutions ---------------------------------------------------------------------------
def padded(x: Array, pads: Sequence[int]) -> Array:
    """Zeros around the axes behind the first two."""
    if not any(pads):
        return x
    half = len(pads) // 2
    return np.pad(x, [(0, 0), (0, 0), *zip(pads[:half], pads[half:], strict=True)])


def convolved(
    x: Array,
    w: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    dtype: np.dtype[Any],
) -> Array:
    """The convolution of [N, C, ...], padded already, with [O, C/groups, ...]."""
    spans = [(k - 1) * d + 1 for k, d in zip(w.shape[2:], dilations, strict=True)]
    extents = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], spans, strides, strict=True)]
    out = np.empty((x.shape[0], w.shape[0], *extents), dtype)
    if not out.size:
        return out
    if not w.size:
        out[...] = 0
        return out
    if w.shape[1] == 1 and w.shape[0] == groups:
        return _depthwise(x, w, strides, dilations, out)
    x, w = summable(x, w, w[0].size, dtype)
    taps = w.reshape(groups, w.shape[0] // groups, -1)
    view = windows(x, spans, strides, dilations)
    rank = len(extents)
    order = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    for samples, rows in _pieces(view.shape, rank, x.itemsize):
        piece = view[samples, :, rows].transpose(order)
        columns = piece.reshape(piece.shape[0], groups, taps.shape[2], -1)
        shape = (piece.shape[0], w.shape[0], *piece.shape[2 + rank :])
        out[samples, :, rows] = product(taps, columns, dtype).reshape(shape)
    return out


def windows(
    x: Array, spans: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> Array:
    """[N, C, place..., tap...] without a copy."""
    if all(span == 1 for span in spans):
        x = x[_every(strides)]
        return x.reshape(*x.shape, *(1 for _ in spans))
    rank = len(spans)
    view = sliding_window_view(x, tuple(spans), tuple(range(2, 2 + rank)))
    found: Array = view[_every((*strides, *dilations))]
    return found


def _every(steps: Sequence[int]) -> tuple[Any, ...]:
    return (..., *(slice(None, None, step) for step in steps))


def _pieces(shape: Sequence[int], rank: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Slices of samples, and of the first axis of places, whose windows fit the scratch memory:
    many samples at once, or some rows of one."""
    sample = math.prod(shape[1:]) * size
    step = max(1, SCRATCH // max(1, sample))
    if sample <= SCRATCH:
        for first in range(0, shape[0], step):
            yield slice(first, first + step), slice(None)
        return
    step = max(1, SCRATCH // max(1, sample // shape[2]))
    for number in range(shape[0]):
        for first in range(0, shape[2], step):
            yield slice(number, number + 1), slice(first, first + step)


def _depthwise(
    x: Array, w: Array, strides: Sequence[int], dilations: Sequence[int], out: Array
) -> Array:
    """One multiply-add for each tap, over as many planes at once as caches hold."""
    x, w = x.astype(out.dtype, copy=False), w.astype(out.dtype, copy=False)
    step = max(1, PLANES // max(1, math.prod(out.shape[2:])))
    out[...] = 0
    for n in range(x.shape[0]):
        for first in range(0, x.shape[1], step):
            part = slice(first, first + step)
            kernels, plane = w[part, 0], x[n, part]
            for tap in np.ndindex(*w.shape[2:]):
                factor = kernels[_every(()) + tap].reshape(-1, *(1 for _ in strides))
                out[n, part] += plane[_places(tap, out.shape[2:], strides, dilations)] * factor
    return out


def _places(
    tap: Sequence[int], extents: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[Any, ...]:
    """The cells that a tap meets, behind all other axes."""
    cells = zip(tap, extents, strides, dilations, strict=True)
    return (..., *(slice(t * d, t * d + (n - 1) * s + 1, s) for t, n, s, d in cells))


def unconvolved(
    x: Array,
    w: Array,
    strides: Sequence[int],
    dilations: Sequence[int],
    groups: int,
    extents: Sequence[int],
    dtype: np.dtype[Any],
) -> Array:
    """The transposed convolution of [N, C, ...] with [C, O/groups, ...] into extents that have
    room for all taps: each element adds its multiple of the kernel."""
    each = w.shape[1]
    out = np.zeros((x.shape[0], groups * each, *extents), dtype)
    if not x.size or not w.size:
        return out
    x, w = summable(x, w, x.shape[1], dtype)
    cells = x.reshape(x.shape[0], groups, x.shape[1] // groups, -1)
    kernel = w.reshape(groups, x.shape[1] // groups, each, *w.shape[2:])
    shape = (x.shape[0], groups * each, *x.shape[2:])
    for tap in np.ndindex(*w.shape[2:]):
        found = product(kernel[_every(()) + tap].transpose(0, 2, 1), cells, dtype)
        out[_places(tap, x.shape[2:], strides, dilations)] += found.reshape(shape)
    return out
