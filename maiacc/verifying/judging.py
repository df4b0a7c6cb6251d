"""Whether elements are within their bounds, and how near to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from maiacc.verifying.known import Known, numbers
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array

#: More than this part of a tensor open, and it is not judged.
OPEN = 0.02

#: A bound above this part of the largest magnitude of a tensor says nothing about it.
WORTH = 0.01

#: Verdicts, from the best to the worst.
SAME, WITHIN, OPEN_, UNJUDGED, WRONG = "equal", "ok", "undecided", "not judged", "wrong"
ORDER = (SAME, WITHIN, OPEN_, UNJUDGED, WRONG)


@dataclass
class Judged:
    """A tensor beside what is known of it. ``error`` and ``bound`` are those of the element that
    comes nearest to its bound, or goes furthest beyond; ``where`` is its index. ``undecided``
    elements may be anything, ``size`` is how many there are, ``wrong`` how many are."""

    name: str
    verdict: str
    error: float = 0.0
    bound: float = 0.0
    where: tuple[int, ...] = ()
    found: float = 0.0
    exact: float = 0.0
    wrong: int = 0
    undecided: int = 0
    size: int = 0
    box: str = ""

    @property
    def ratio(self) -> float:
        """The error as part of the bound; infinite where there must not be one."""
        if self.bound:
            return self.error / self.bound
        return float("inf") if self.error else 0.0


@dataclass
class Line:
    """What is said of a kernel, an op, a pass or an output. Of its ``decisions`` about elements,
    so many are ``undecided``."""

    name: str
    ops: tuple[str, ...]
    nodes: tuple[str, ...]
    tensors: list[Judged] = field(default_factory=list)
    note: str = ""
    decisions: int = 0
    undecided: int = 0

    @property
    def verdict(self) -> str:
        """The worst of its tensors'; not judged where too many decisions may go either way."""
        worst = max((t.verdict for t in self.tensors), key=ORDER.index, default=SAME)
        if not self.undecided:
            return worst
        open_ = UNJUDGED if self.undecided > OPEN * self.decisions else OPEN_
        return max(worst, open_, key=ORDER.index)

    @property
    def worst(self) -> Judged | None:
        """The tensor that is worst."""
        key = lambda t: (ORDER.index(t.verdict), t.ratio)  # noqa: E731
        return max(self.tensors, key=key, default=None)


def judge(name: str, found: Array, known: Known) -> Judged:
    """Elements that a machine made beside what is known of them. Numbers that are no number, and
    infinities, have to be just these."""
    x, exact = numbers(Known(found)), numbers(known)
    bound = known.slack
    if found.dtype.kind in "iu" and found.dtype.itemsize == 8:
        same = found == known.exact
    else:
        same = (x == exact) | (np.isnan(x) & np.isnan(exact))
    with np.errstate(all="ignore"):
        error = np.where(same, 0.0, np.abs(x - exact))
        error = np.where(np.isnan(error), np.inf, error)
    open_ = np.isinf(bound)
    if found.dtype == np.bool_:
        open_ = bound > 0
    bad = (error > bound) & ~open_
    judged = Judged(name, WITHIN, size=int(x.size), undecided=int(np.count_nonzero(open_)))
    if known.bound is None or not bound.any():
        judged.verdict = SAME
    judged.wrong = int(np.count_nonzero(bad))
    with np.errstate(all="ignore"):
        nearness = np.where(bound > 0, error / bound, np.where(error > 0, np.inf, 0.0))
    nearness = np.where(open_ & ~bad, 0.0, nearness)
    if x.size:
        at = np.unravel_index(int(np.argmax(nearness)), x.shape) if x.shape else ()
        judged.where = tuple(int(i) for i in at)
        judged.error, judged.bound = float(error[at]), float(bound[at])
        judged.found, judged.exact = float(x[at]), float(exact[at])
    if judged.wrong:
        judged.verdict, judged.box = WRONG, geometry(bad)
    elif judged.undecided > OPEN * max(1, judged.size):
        judged.verdict = UNJUDGED
    elif judged.undecided:
        judged.verdict = OPEN_
    return judged


def worthless(known: Known) -> bool:
    """Whether a bound is so wide that being within it says nothing."""
    if known.bound is None or not known.is_float:
        return False
    exact = numbers(known)
    most = float(np.abs(exact[np.isfinite(exact)]).max(initial=0.0))
    finite = known.bound[np.isfinite(known.bound)]
    widest = float(finite.max(initial=0.0))
    open_ = np.count_nonzero(np.isinf(known.bound)) > OPEN * max(1, exact.size)
    return bool(open_) or (widest > WORTH * most and widest > 0)


def geometry(bad: Array) -> str:
    """Where wrong elements are: whole tiles, rows or the end of an axis are addresses gone wrong,
    scattered ones are roundings."""
    if not bad.shape:
        return ""
    places = np.nonzero(bad)
    ranges = [(int(p.min()), int(p.max())) for p in places]
    count = prod(high - low + 1 for low, high in ranges)
    filled = len(places[0]) / max(1, count)
    box = ", ".join(
        ":" if (low, high) == (0, n - 1) else str(low) if low == high else f"{low}:{high + 1}"
        for (low, high), n in zip(ranges, bad.shape, strict=True)
    )
    return f"{'all' if filled == 1 else f'{100 * filled:.3g} %'} of [{box}]"


def in_type(array: Array, dtype: str, shape: Sequence[int]) -> Array:
    """What a simulator hands out, as elements of their type."""
    kind = ELEMENTS[dtype].numpy
    found = array if array.dtype == kind else array.view(kind)
    return found.reshape(shape)
