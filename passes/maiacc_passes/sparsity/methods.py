"""Three ways to choose what is kept of a matrix of weights, [rows, columns].

- ``magnitude``: the largest |w|.
- ``wanda``: the largest |w_ij| ||X_j||_2 (M. Sun et al., A Simple and Effective Pruning Approach
  for Large Language Models, 2023), compared within the groups of the pattern.
- ``sparsegpt``: the largest w_ij^2 / [H^-1]_jj, and what is kept in later columns makes up for what
  was dropped (E. Frantar, D. Alistarh, SparseGPT: Massive Language Models Can Be Accurately Pruned
  in One-Shot, 2023). H = X^T X, with a hundredth of its mean diagonal added.

A column of X that is all zero in the data says nothing about its weights; they are not dropped for
that, but compared by magnitude with each other.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from maiacc_passes.ir.types import Element
from maiacc_passes.ir.weights import Array
from maiacc_passes.sparsity.activations import Activations
from maiacc_passes.sparsity.pattern import Pattern

#: What is added to the diagonal of H, as a part of its mean. Ten times as much when H cannot be
#: inverted, up to the last one.
DAMPING = (0.01, 0.1, 1.0)

#: Columns between which errors are handed on one by one; to later ones, for all of them at once.
BLOCK = 128

#: The norm that a column without any values counts as, as a part of the largest or mean one.
FLOOR = 1e-6

#: Turns numbers into those that an element type has, still in float64.
Round = Callable[[Array], Array]


def rounding(element: Element) -> Round:
    """Rounds float64 to an element type, saturating."""
    if element.is_int:
        low = -(1 << element.bits - 1) if element.kind == "int" else 0
        high = low + (1 << element.bits) - 1
        return lambda values: np.clip(np.rint(values), low, high)
    most = _largest(element)
    return lambda values: np.clip(values, -most, most).astype(element.numpy).astype(np.float64)


def _largest(element: Element) -> float:
    """The largest finite number of a type of floats."""
    if element.bits > 16:
        return float(np.finfo(np.float32 if element.bits == 32 else np.float64).max)
    codes = np.arange(1 << element.bits).astype(np.uint8 if element.bits == 8 else np.uint16)
    with np.errstate(invalid="ignore"):
        values = codes.view(element.numpy).astype(np.float64)
    return float(values[np.isfinite(values)].max())


def magnitude(weights: Array, pattern: Pattern) -> Array:
    """The weights with zeros for what is dropped, in their type."""
    kept = pattern.chosen(np.abs(weights.astype(np.float32)))
    return np.where(kept, weights, weights.dtype.type(0))


def wanda(weights: Array, pattern: Pattern, seen: Activations) -> Array:
    """The weights with zeros for what is dropped, in their type."""
    norms = seen.norms
    most = norms.max(initial=0.0)
    scale = np.maximum(norms, FLOOR * most) if most else np.ones_like(norms)
    kept = pattern.chosen(np.abs(weights.astype(np.float64)) * scale)
    return np.where(kept, weights, weights.dtype.type(0))


def sparsegpt(weights: Array, pattern: Pattern, seen: Activations, rounded: Round) -> Array | None:
    """Other weights in the type of the old ones; None if H cannot be inverted even with the largest
    damping, or is not kept."""
    if seen.hessian is None:
        return None
    for damping in DAMPING:
        upper = _root_of_inverse(seen.hessian, damping)
        if upper is not None:
            work = weights.astype(np.float64)
            for start in range(0, work.shape[1], BLOCK):
                _block(work, start, upper, pattern, rounded)
            return work.astype(weights.dtype)
    return None


def _root_of_inverse(hessian: Array, damping: float) -> Array | None:
    """The upper triangle U with U^T U = (H + damping)^-1. The square of U_jj is [H^-1]_jj of what
    is left of H when the columns before j are taken out."""
    damped, own = hessian.copy(), np.diagonal(hessian)
    mean = float(np.mean(own)) or 1.0
    more = np.where(own == 0, FLOOR**2, damping) if own.any() else np.ones_like(own)
    damped.flat[:: len(damped) + 1] += more * mean
    try:
        inverse = np.linalg.inv(damped)
        upper = np.linalg.cholesky((inverse + inverse.T) / 2).T
    except np.linalg.LinAlgError:
        return None
    return upper if np.isfinite(upper).all() else None


def _block(work: Array, start: int, upper: Array, pattern: Pattern, rounded: Round) -> None:
    """Prunes a block of columns and hands its errors on to all later ones; in place."""
    stop = min(start + BLOCK, work.shape[1])
    near = upper[start:stop, start:stop]
    # Columns become rows, so that each lies in one piece.
    block = np.ascontiguousarray(work[:, start:stop].T)
    errors = np.empty_like(block)
    for at in range(len(block)):
        place = at % pattern.of
        if not place:
            group = slice(at, at + pattern.of)
            kept = pattern.chosen(np.square(block[group].T / np.diagonal(near)[group]))
        now = block[at].copy()
        block[at] = rounded(np.where(kept[:, place], now, 0.0))
        errors[at] = (now - block[at]) / near[at, at]
        block[at + 1 :] -= np.outer(near[at, at + 1 :], errors[at])
    work[:, start:stop] = block.T
    if stop < work.shape[1]:
        work[:, stop:] -= errors.T @ upper[start:stop, stop:]
