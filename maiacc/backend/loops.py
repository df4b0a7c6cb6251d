"""Loops as words: who walks them, and how often."""

from __future__ import annotations

from maiacc.backend import words as w
from maiacc_isa import word as isa
from maiacc_passes.kernel.model import Loop, words_of

TILE, BOTH = ("tile",), ("tile", "cluster")

#: Loops around one that may have trips of its own in each instance.
DEEP = 4


def roles_of(loop: Loop) -> tuple[str, ...]:
    """Who walks a loop: tiles, and clusters if they push words of it."""
    return BOTH if any(word.queue in w.CLUSTER for word in words_of([loop])) else TILE


def differ(loop: Loop, roles: tuple[str, ...], count: int) -> bool:
    """Whether some of as many instances walk a loop once less, and nobody shares it with them."""
    return bool(loop.spread) and roles == TILE and loop.pieces % count != 0


def loop_head(
    loop: Loop, roles: tuple[str, ...], level: int, register: int | None, length: int
) -> isa.Word:
    """The head of a loop, whose trips are a number or in a register."""
    if register is None:
        return w.loop(roles, level, loop.trips, length)
    return w.counted_loop(roles, level, register, length)
