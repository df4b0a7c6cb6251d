"""What is known of a tensor that a kernel computes: its exact elements, and how far off it may be.

``bound`` is None where the machine has to give the exact elements, to the bit; else a float64 for
each element: 0 there, too, and infinite where either side of a decision is allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maiacc_passes.ir.evaluate import Run
from maiacc_passes.ir.types import ELEMENTS, Element
from maiacc_passes.ir.vocabulary.convert import LARGEST, to_float
from maiacc_passes.ir.weights import Array

#: Unit roundoff of fp32: a rounding to nearest is off by at most this part of the result.
UNIT = 2.0**-24

#: What "exact" results are off by themselves, as part of their size: they are worked out in fp64.
WIDE = 2.0**-53

#: What is larger in size becomes an infinity in fp32, with its rounding; from half a unit beyond
#: the largest number on, what is still to be rounded does.
OVERFLOW = float(np.finfo(np.float32).max) * (1 + UNIT)
ROUNDED_UP = float(np.finfo(np.float32).max) + 2.0**103

#: Significant bits, the least exponent of a normal number, and the largest number.
_FORMATS: dict[str, tuple[int, int, float]] = {
    "fp64": (53, -1022, float(np.finfo(np.float64).max)),
    "fp32": (24, -126, float(np.finfo(np.float32).max)),
    "fp16": (11, -14, 65504.0),
    "bf16": (8, -126, 2.0**128 - 2.0**120),
    "e4m3": (4, -6, LARGEST["e4m3"]),
    "e5m2": (3, -14, LARGEST["e5m2"]),
    "e2m1": (2, 0, LARGEST["e2m1"]),
}

EXACT = Run()
LIFTED = Run(lift=True)


@dataclass(slots=True)
class Known:
    """Exact elements, of their own type or in float64, and the bound of what a kernel makes. What
    it makes is ``held`` in a narrow type already, if one is named."""

    exact: Array
    bound: Array | None = None
    held: str = ""

    @property
    def wide(self) -> Array:
        """Floats in float64; others as they are."""
        if self.is_float:
            return self.exact.astype(np.float64, copy=False)
        return self.exact

    @property
    def is_float(self) -> bool:
        """Whether the elements are floats."""
        return self.exact.dtype.kind not in "biu" and self.exact.dtype not in _SHORT

    @property
    def slack(self) -> Array:
        """The bound; zeros if there is none."""
        if self.bound is None:
            return np.zeros(self.exact.shape)
        return self.bound


_SHORT = {ELEMENTS["int4"].numpy, ELEMENTS["uint4"].numpy}


def numbers(known: Known) -> Array:
    """Elements in float64, whatever they are."""
    return known.exact.astype(np.float64, copy=False)


def ulp(size: Array, element: str = "fp32") -> Array:
    """The distance of neighbours in a type around numbers of these sizes."""
    digits, least, _ = _FORMATS[element]
    exponent = np.where(size == 0, least, np.frexp(size)[1])
    found: Array = np.ldexp(1.0, np.maximum(exponent - 1, least) - (digits - 1))
    return found


def settled(exact: Array, bound: Array, before: Array | None = None) -> Known:
    """A float with its bound. What is no number has to come out as it is, unless it is open whether
    it does; what may overflow fp32 becomes infinite. ``before`` is the bound without the last
    rounding, which overflows only from half a unit beyond the largest number on."""
    finite = np.isfinite(exact)
    if not finite.all():
        bound = np.where(finite | (bound == np.inf), bound, 0.0)
    lost = np.isnan(bound)
    if lost.any():
        bound = np.where(lost, np.inf, bound)
    size = np.abs(exact)
    if size.size and finite.any() and float(np.max(size, where=finite, initial=0)) > 1e38:
        reach, edge = (bound, OVERFLOW) if before is None else (before, ROUNDED_UP)
        over = finite & (size - reach >= edge)
        maybe = finite & ~over & (size + reach >= edge)
        exact = np.where(over, np.copysign(np.inf, exact), exact)
        bound = np.where(over, 0.0, np.where(maybe, np.inf, bound))
    return Known(exact, bound)


def rounded(exact: Array, bound: Array | None, ulps: float = 0.5) -> Known:
    """A result that fp32 arithmetic makes of operands that are off so that exact arithmetic would
    be off by ``bound``: one rounding, or what a function is off by in units of the last place. Of
    exact operands a rounding is known."""
    exact = np.asarray(exact, np.float64)
    near = None
    if ulps == 0.5:
        near = np.abs(exact.astype(np.float32).astype(np.float64) - exact)
        near = np.where(np.isnan(near), 0.0, near)
    if bound is None and near is not None:
        return settled(exact, near)
    bound = np.zeros(exact.shape) if bound is None else bound
    reach = np.abs(exact) + np.where(np.isinf(bound), 0, bound)
    if near is None:
        off = bound + ulps * ulp(reach) + reach * WIDE
    else:
        # Rounding is monotone: the ends are rounded as what lies between them may be.
        wider = bound + reach * WIDE
        ends = [(exact + sign * wider).astype(np.float32).astype(np.float64) for sign in (-1, 1)]
        off = np.maximum(*(np.abs(end - exact) for end in ends)) + reach * WIDE
    # What is infinite for all that operands may be is not rounded; what may be anything stays so.
    off = np.where(np.isinf(exact) & np.isfinite(bound), 0.0, off)
    off = np.where(bound == np.inf, np.inf, off)
    if near is None:
        return settled(exact, off)
    return settled(exact, np.where(bound == 0, near, off), bound)


def stored(known: Known, element: Element, saturate: bool = False, lifted: bool = False) -> Known:
    """What is kept in a narrower type of floats: one rounding to nearest more. What is exact is
    rounded itself, unless it is ``lifted``: then the rounding is part of the bound."""
    name = element.name
    if not known.is_float or name in ("fp32", "fp64", "e8m0"):
        return known
    if known.exact.dtype == element.numpy or known.held == name:
        return known
    with np.errstate(over="ignore", invalid="ignore"):
        narrow = to_float(known.exact.astype(np.float32), element, saturate)
    if known.bound is None and not lifted:
        return Known(narrow)
    exact, bound = known.exact.astype(np.float64, copy=False), known.slack
    most = _FORMATS[name][2]
    if saturate or name == "e2m1":
        exact = np.clip(exact, -most, most)
    reach = np.abs(exact) + np.where(np.isinf(bound), 0, bound)
    near = narrow.astype(np.float64)
    off = np.where(bound == 0, np.abs(near - exact), bound + 0.5 * ulp(reach, name))
    # Up to half a unit above the largest number rounds to it.
    over = np.isfinite(exact) & (reach >= most + 0.5 * float(ulp(np.array(most), name)))
    if not (saturate or name == "e2m1") and over.any():
        off = np.where(over, np.inf, off)
    found = settled(
        exact if lifted else np.where(bound == 0, near, exact),
        np.where((bound == 0) & (not lifted), 0.0, off),
    )
    found.held = name
    return found


def held(operands: Sequence[Known | None]) -> str:
    """The narrow type that all of these are held in; nothing if there is none."""
    names = {known.held for known in operands if known is not None}
    return names.pop() if len(names) == 1 else ""


def all_exact(operands: list[Any]) -> bool:
    """Whether nothing is off; operands that are left out are None."""
    return all(known is None or known.bound is None for known in operands)
