"""Kernels that fit: the first of several ways to cut that the machine has room for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from maiacc_isa.machine import Machine
from maiacc_passes.ir.errors import IRError
from maiacc_passes.kernel.model import Kernel
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.schedule.places import place

T = TypeVar("T")

#: Codes of refusals that another way to cut may not meet with.
RETRIED = frozenset({"E1501", "E1502"})


def fitting(machine: Machine, found: Iterable[T], make: Callable[[T], Kernel]) -> Kernel:
    """The kernel of the first way to cut that the machine has room for. Raises ``IRError``: of the
    last one, E1501 or E1502, where there is none."""
    problem = IRError("E1501", "elements that lie too irregularly for one kernel")
    for way in found:
        try:
            kernel = make(way)
            place(kernel, machine, False)
            if isinstance(way, Tiling):
                kernel.cut = way
            return kernel
        except IRError as refusal:
            if refusal.code not in RETRIED:
                raise
            problem = refusal
    raise problem


def halved(room: int, by: int = 2) -> Iterator[int]:
    """Sizes from ``room`` down to 1, each ``by`` times smaller than the one before."""
    while room:
        yield room
        room //= by


def unless_too_large(make: Callable[[], T]) -> T | None:
    """What is made; None where it does not fit."""
    try:
        return make()
    except IRError as refusal:
        if refusal.code not in RETRIED:
            raise
        return None
