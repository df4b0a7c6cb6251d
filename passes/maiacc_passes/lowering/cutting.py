"""Ways to cut the iteration space of elementwise and row-wise groups, best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.lowering.tiling import Tiling, instances, ranked, spreads

#: Cycles that an iteration costs beside its elements: latencies that nothing hides.
TURN = 300

#: Elements next to each other that make a transfer worth its while.
RUN = 32

#: Ways that are tried before a group is found not to fit.
MOST = 40


def cuts(machine: Machine, extents: Sequence[int], full: set[int], room: int) -> Iterator[Tiling]:
    """Tilings whose tiles have at most ``room`` elements, if there are any, cheapest first.
    ``full`` dims are not cut; extents are in the order of the largest tensor, outer ones first."""
    free = [d for d in range(len(extents)) if d not in full and extents[d] > 1]
    ways = spreads(free) or [()]
    found: dict[Tiling, float] = {}
    for way in ways:
        for share in (1, 2, 4, 8, 16, 64):
            tiling = _cut(machine, extents, free, way, max(1, room // share), room)
            found.setdefault(tiling, _cost(tiling))
    yield from ranked(found, MOST)
    # At last the smallest tiles that there are.
    least = tuple(1 if d in free else n for d, n in enumerate(extents))
    order = tuple((d, "gtile" if d == free[0] else "") for d in free)
    yield Tiling(machine, tuple(extents), least, order)


def _cut(
    machine: Machine,
    extents: Sequence[int],
    free: Sequence[int],
    way: tuple[tuple[int, str], ...],
    room: int,
    limit: int,
) -> Tiling:
    tiles = list(extents)
    for dim, spread in way:
        tiles[dim] = -(-extents[dim] // instances(machine, spread))
    dealt = dict(way)
    for dim in (*[d for d in free if d not in dealt], *dealt):
        held = prod(tiles) // tiles[dim]
        if prod(tiles) > room:
            most = max(1, min(tiles[dim], room // max(1, held)))
            pieces = -(-tiles[dim] // most)
            tiles[dim] = -(-tiles[dim] // pieces)
    order = [(d, dealt.get(d, "")) for d in free if tiles[d] < extents[d] or d in dealt]
    return Tiling(machine, tuple(extents), tuple(tiles), tuple(order))


def _cost(tiling: Tiling) -> float:
    """Cycles, roughly: the elements that a tile computes one after the other, turns, short runs."""
    elements = prod(tiling.tiles)
    inner = next((n for n in reversed(tiling.tiles) if n > 1), 1)
    short = max(1.0, RUN / inner)
    lanes = tiling.machine.int("tvp.lanes32")
    return tiling.turns * (TURN + 4 * elements * short / lanes)
