"""Products of matrices as the tensor unit computes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from maiacc_isa.load import load
from maiacc_sim.arith.convert import decode, pack
from maiacc_sim.arith.floats import Array, canonical
from maiacc_sim.arith.fma import fma32
from maiacc_sim.traps import Trap

#: Scales of an operand: codes [rows, groups] and their type.
Scales: TypeAlias = tuple[Array, str]

#: Column of the left matrix that meets a stored column of the right one: [M, 1] or [M, N].
Column: TypeAlias = Callable[[int], Array]


def multiply(
    acc: Array,
    a: Array,
    ta: str,
    b: Array,
    tb: str,
    scale_a: Scales | None = None,
    scale_b: Scales | None = None,
    group: int = 0,
) -> Array:
    """acc [M, N] + a [M, K] * b [N, K]^T as codes of the accumulators.

    ``group`` is the number of elements of K that share a scale.
    """
    if _integers(ta, tb):
        return _wrapping(acc, a, ta, b, tb)
    left, right = _operand(a, ta), _operand(b, tb)
    step = _step(ta, tb)
    scale = _scale(scale_a, scale_b)
    return _groups(acc, lambda k: left[:, k, None], right, step, scale, group)


def multiply_sparse(
    acc: Array,
    a: Array,
    ta: str,
    b: Array,
    tb: str,
    meta: Array,
    scale_a: Scales | None = None,
    scale_b: Scales | None = None,
    group: int = 0,
) -> Array:
    """As ``multiply`` with b [N, K/2] in 2:4 form, meta [N, K/4]; groups count logical k.

    Raises ``Trap`` metadata for an illegal nibble.
    """
    place = _positions(meta)
    if _integers(ta, tb):
        dense = np.zeros((b.shape[0], a.shape[1]), b.dtype)
        np.put_along_axis(dense, place, b, axis=1)
        return _wrapping(acc, a, ta, dense, tb)
    left, right = _operand(a, ta), _operand(b, tb)
    step = _step(ta, tb)
    scale = _scale(scale_a, scale_b)
    return _groups(acc, lambda j: left[:, place[:, j]], right, step, scale, group // 2)


def _positions(meta: Array) -> Array:
    """The logical k of every stored value, [N, K/2]."""
    nibbles = meta.astype(np.int64)
    first, second = nibbles & 3, nibbles >> 2
    wrong = nibbles[first >= second]
    if wrong.size:
        raise Trap(
            "metadata",
            "a nibble does not name two positions in rising order",
            expected="first | second << 2 with first < second: 4, 8, 9, 12, 13 or 14",
            found=str(wrong[0]),
        )
    start = 4 * np.arange(meta.shape[1])
    return np.stack([start + first, start + second], axis=2).reshape(meta.shape[0], -1)


def _integers(ta: str, tb: str) -> bool:
    return load().dtypes[ta].is_int and load().dtypes[tb].is_int


def _wrapping(acc: Array, a: Array, ta: str, b: Array, tb: str) -> Array:
    left, right = pack(decode(a, ta), "uint32"), pack(decode(b, tb), "uint32")
    total: Array = acc + left @ right.T
    return total


def _operand(codes: Array, dtype: str) -> Array:
    values = decode(codes, dtype)
    return values if dtype == "fp32" else values.astype(np.float64)


def _step(ta: str, tb: str) -> Callable[[Array, Array, Array], Array]:
    return fma32 if ta == tb == "fp32" else _narrow_fma


def _narrow_fma(a: Array, b: Array, acc: Array) -> Array:
    """fma for operands of at most 16 bits, in float64: see fma32 for the general one."""
    # A product of at most 22 bits beside 24 bits of acc: where the sum needs more than 53, it
    # is too far from the midpoints of fp32 for the first rounding to matter.
    total: Array = a * b + acc
    return total.astype(np.float32)


def _scale(scale_a: Scales | None, scale_b: Scales | None) -> Callable[[int], Array] | None:
    """The product of the operands' scales for a group, [M, N]-broadcastable, exact in fp64."""
    if scale_a is None and scale_b is None:
        return None
    one = np.ones((1, 1))
    left = one if scale_a is None else canonical(decode(*scale_a)).astype(np.float64)
    right = one if scale_b is None else canonical(decode(*scale_b)).astype(np.float64)

    def of_group(q: int) -> Array:
        rows = left if scale_a is None else left[:, q, None]
        columns = right if scale_b is None else right[None, :, q]
        product: Array = rows * columns
        return product

    return of_group


def _groups(
    acc: Array,
    left: Column,
    right: Array,
    step: Callable[[Array, Array, Array], Array],
    scale: Callable[[int], Array] | None,
    group: int,
) -> Array:
    """The chain of fma over the columns of ``right``, whole or group by group."""
    count = right.shape[1]
    if count == 0:
        return acc.copy()
    columns = np.ascontiguousarray(right.T)
    start = acc.view(np.float32)

    def chain(total: Array, first: int, last: int) -> Array:
        for k in range(first, last):
            total = step(left(k), columns[k], total)
        return total

    with np.errstate(all="ignore"):
        if scale is None:
            return canonical(chain(start, 0, count)).view(np.uint32)
        total = start
        for q in range(count // group):
            part = chain(np.zeros_like(start), q * group, (q + 1) * group)
            scaled = part.astype(np.float64) * scale(q)
            total = (total.astype(np.float64) + scaled).astype(np.float32)
        return canonical(total).view(np.uint32)
