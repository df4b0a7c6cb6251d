"""How the space of a kernel that moves elements is cut: tiles with long runs, dealt over all tiles.

A tile grows dim by dim in the order of a plan, until its room is used up:

    dims of 64 x 96, plan (1, 16), (0, 16), (1, all), room 1024      tiles of 10 x 96
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import prod

from maiacc_isa.machine import Machine
from maiacc_passes.lowering.tiling import Tiling, instances, ranked, spreads

#: A dim, and how far a tile grows along it.
Step = tuple[int, int]

#: Cycles, roughly, that a tiling takes.
Cost = Callable[[Tiling], float]

#: Parts of the room that are tried, ways that are tried before a kernel is found not to fit.
SHARES, MOST = (1, 2, 4, 8, 16, 64, 256), 16

#: Loops that the terms of a view have room for.
LOOPS = 6

#: How far a dim grows that nothing limits.
ALL = 1 << 40

#: Cycles that a turn of a loop costs beside what it moves.
TURN = 60


def ways(
    machine: Machine,
    sizes: Sequence[int],
    plans: Sequence[Sequence[Step]],
    room: int,
    cost: Cost,
    last: Sequence[int] = (),
) -> Iterator[Tiling]:
    """Tilings with at most ``room`` elements in a tile, the cheapest first, then some that need
    few dims in a view. Dims in ``last`` are not dealt, and their loops are the inner ones."""
    free = [d for d in range(len(sizes)) if sizes[d] > 1 and d not in last]
    found: dict[Tiling, float] = {}
    few: dict[Tiling, float] = {}
    for way in [*spreads(free), ()]:
        for plan in plans:
            for share in SHARES:
                for dims, into in ((6, found), (2, few), (1, few)):
                    tiling = _cut(machine, sizes, way, plan[:], max(1, room // share), dims, last)
                    if tiling is not None and tiling not in found and tiling not in few:
                        into[tiling] = cost(tiling)
    for some in (found, few):
        yield from ranked(some, MOST)


def _cut(
    machine: Machine,
    sizes: Sequence[int],
    way: tuple[Step, ...] | tuple[tuple[int, str], ...],
    plan: Sequence[Step],
    room: int,
    dims: int,
    last: Sequence[int],
) -> Tiling | None:
    """Grows a tile of so many dims; None where more loops are left than there may be."""
    dealt = dict(way)
    tiles = [1] * len(sizes)
    for dim, most in plan:
        spread = str(dealt.get(dim, ""))
        cap = -(-sizes[dim] // instances(machine, spread))
        want = min(cap, most, room // (prod(tiles) // tiles[dim]))
        new = tiles[dim] == 1 and want > 1
        if want > tiles[dim] and not (new and sum(n > 1 for n in tiles) >= dims):
            pieces = -(-cap // want)
            tiles[dim] = max(tiles[dim], -(-cap // pieces))
    cut = [d for d in range(len(sizes)) if tiles[d] < sizes[d] or d in dealt]
    # Where nothing is dealt, a term tells tiles apart.
    if len(cut) + (not dealt) > LOOPS:
        return None
    order = [d for d in cut if d not in last] + [d for d in cut if d in last]
    return Tiling(
        machine, tuple(sizes), tuple(tiles), tuple((d, str(dealt.get(d, ""))) for d in order)
    )


def runs(tiling: Tiling, strides: Sequence[int], bytes_: int, granule: int) -> float:
    """How many times its bytes a tile takes in a memory of such granules, for short runs."""
    run = 1
    for dim in sorted(range(len(strides)), key=lambda d: abs(strides[d])):
        if tiling.tiles[dim] == 1 or not strides[dim]:
            continue
        if abs(strides[dim]) != run:
            break
        run *= tiling.tiles[dim]
    size = run * bytes_
    return -(-size // granule) * granule / size


def pace(machine: Machine, tiling: Tiling, hbm: float, port: float) -> float:
    """Cycles for all turns, of which each moves so many bytes of HBM and of a tile's port."""
    busy = 1
    for dim, spread in tiling.order:
        if spread:
            busy *= min(instances(machine, spread), tiling.pieces(dim))
    width = float(machine["hbm.bytes_per_cycle"])
    own = machine.int("tile.bytes_per_cycle")
    return tiling.turns * (TURN + max(hbm * busy / width, port / own))
