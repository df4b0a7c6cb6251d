"""Where tensors lie in HBM: those that do not live at the same time may share addresses.

First fit in order of size, of lifetime and of start, whichever needs least. The peak is compared
with the lower bound: the most bytes that live at one time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from maiacc_passes.ir.errors import IRError

#: Addresses in HBM are multiples of this many bytes.
UNIT = 256


@dataclass(frozen=True)
class Life:
    """A tensor: bytes, and the first and last kernel that need it."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Arena:
    """Addresses in the order of the lives; from ``start`` on, ``peak`` and its lower ``bound``."""

    bases: tuple[int, ...]
    start: int
    peak: int
    bound: int


def arrange(
    lives: Sequence[Life],
    start: int,
    capacity: int,
    refusal: Callable[[Arena], IRError] | None = None,
) -> Arena:
    """Addresses from ``start`` on. Raises ``IRError`` E1503 where memory ends, as ``refusal`` says
    it of what would be needed."""
    bound = start + _most_alive(lives)
    best: Arena | None = None
    keys: tuple[Callable[[Life], tuple[object, ...]], ...] = (
        lambda x: (-x.size, x.first, x.name),
        lambda x: (x.first, -x.size, x.name),
        lambda x: (x.first - x.last, -x.size, x.name),
    )
    for key in keys:
        order = sorted(range(len(lives)), key=lambda i: key(lives[i]))
        found = _first_fit(lives, order, start, bound)
        if best is None or found.peak < best.peak:
            best = found
        if best.peak == bound:
            break
    assert best is not None
    if best.peak > capacity:
        raise (refusal or _full)(best)
    return best


def _up(n: int) -> int:
    return -(-n // UNIT) * UNIT


def _first_fit(lives: Sequence[Life], order: Sequence[int], start: int, bound: int) -> Arena:
    bases = [start] * len(lives)
    placed: list[int] = []
    for i in order:
        life = lives[i]
        taken = sorted(
            (bases[j], bases[j] + _up(lives[j].size))
            for j in placed
            if lives[j].first <= life.last and life.first <= lives[j].last
        )
        at = start
        for low, high in taken:
            if at + _up(life.size) <= low:
                break
            at = max(at, high)
        bases[i] = at
        placed.append(i)
    peak = max((b + _up(x.size) for b, x in zip(bases, lives, strict=True)), default=start)
    return Arena(tuple(bases), start, peak, bound)


def _most_alive(lives: Sequence[Life]) -> int:
    changes: dict[int, int] = {}
    for life in lives:
        changes[life.first] = changes.get(life.first, 0) + _up(life.size)
        changes[life.last + 1] = changes.get(life.last + 1, 0) - _up(life.size)
    most = alive = 0
    for when in sorted(changes):
        alive += changes[when]
        most = max(most, alive)
    return most


def _full(arena: Arena) -> IRError:
    return IRError("E1503", "tensors do not fit a memory", found=f"{arena.peak:,} bytes")
