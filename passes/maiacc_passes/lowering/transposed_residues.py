"""Cells of a transposed convolution by residue modulo the stride: which taps meet them, and where.

Along an axis with stride s and dilation d, the result's cell f, pads counted, is met by tap k of
the cell i of x where f = s i + d k. Cells with one residue f mod s are met by every so many-th tap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd


@dataclass(frozen=True)
class Residue:
    """Cells of the result along an axis: ``size`` of them from ``first`` on, a stride apart. They
    are met by ``taps`` taps, the last of which is ``tap``, ``apart`` from each other; it meets
    cell ``start`` of x for the first of them, and the next one ``dilation`` cells further."""

    first: int
    size: int
    taps: int
    tap: int = 0
    apart: int = 1
    start: int = 0
    dilation: int = 1


def residues(size: int, taps: int, stride: int, dilation: int, pad: int) -> Iterator[Residue]:
    """The residues of an axis that has cells."""
    common = gcd(stride, dilation)
    apart = stride // common
    for residue in range(stride):
        first = (residue - pad) % stride
        if first >= size:
            continue
        cells = -(-(size - first) // stride)
        hits = [k for k in range(min(taps, apart)) if k * dilation % stride == residue]
        if not hits:
            yield Residue(first, cells, 0)
            continue
        (nearest,) = hits
        count = -(-(taps - nearest) // apart)
        ahead = (first + pad - residue) // stride + (residue - nearest * dilation) // stride
        step = dilation // common
        last = nearest + (count - 1) * apart
        yield Residue(first, cells, count, last, apart, ahead - (count - 1) * step, step)
