"""How the iteration space of a group is cut: tile sizes, and the loops over tiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from maiacc_isa.machine import Machine
from maiacc_passes.kernel.model import Loop
from maiacc_passes.kernel.views import Side


@dataclass(frozen=True)
class Tiling:
    """``extents`` and ``tiles`` by dim. ``order`` are the dims that loops go over, outer ones
    first, with what each is dealt over. With a ``panel``, rows of a product's left operand are
    loaded with all that is summed, and stay for all columns. ``starts`` are where dims begin that
    have only a part of their elements here; extents are where they end. ``costs`` are those of
    all ways that it was ranked with."""

    machine: Machine = field(compare=False, repr=False)
    extents: tuple[int, ...]
    tiles: tuple[int, ...]
    order: tuple[tuple[int, str], ...]
    panel: bool = False
    starts: tuple[tuple[int, int], ...] = ()
    costs: Mapping[Tiling, float] = field(default_factory=dict, compare=False, repr=False)

    def start(self, dim: int) -> int:
        """The first element of a dim."""
        return dict(self.starts).get(dim, 0)

    def size(self, dim: int) -> int:
        """Elements of a dim."""
        return self.extents[dim] - self.start(dim)

    @cached_property
    def spreads(self) -> dict[int, str]:
        """What the dims of loops are dealt over."""
        return dict(self.order)

    def pieces(self, dim: int) -> int:
        """Tiles along a dim."""
        return -(-self.size(dim) // self.tiles[dim])

    def trips(self, dim: int) -> int:
        """Iterations of a dim's loop in each instance."""
        return -(-self.pieces(dim) // instances(self.machine, self.spreads.get(dim, "")))

    def ragged(self, dim: int) -> bool:
        """Whether some tile sticks out of the dim."""
        if dim not in self.spreads:
            return False
        times = self.trips(dim) * instances(self.machine, self.spreads[dim])
        return times * self.tiles[dim] != self.size(dim)

    def side(self, dim: int, stride: int, box: bool = True) -> Side:
        """The part of a dim that a tile has, of elements in HBM so far apart."""
        size = self.tiles[dim]
        terms = ((name_of(dim), size),) if dim in self.spreads else ()
        extent = self.extents[dim] if box and self.ragged(dim) else None
        return Side(size, stride, extent, self.start(dim), terms)

    def guards(self, dims: Sequence[int]) -> list[Side]:
        """Boxes that let only one iteration write, and one tile, what does not depend on loops."""
        names = [name_of(dim) for dim, _ in self.order if dim not in dims]
        if not any(spread for _, spread in self.order):
            names.append(ALONE)
        return [Side(1, 1, 1, 0, ((name, 1),)) for name in names]

    def loops(self) -> list[Loop]:
        """The loops, outer ones first, empty. Where no dim is dealt over tiles, a loop of one turn
        tells them apart."""
        found = [Loop(name_of(dim), self.trips(dim), spread) for dim, spread in self.order]
        if not any(spread for _, spread in self.order):
            found.insert(0, Loop(ALONE, 1, "gtile"))
        return found

    @cached_property
    def turns(self) -> int:
        """Iterations of all loops in one instance."""
        found = 1
        for dim, _ in self.order:
            found *= self.trips(dim)
        return found


#: The variable of a loop that tells tiles apart.
ALONE = "alone"


def name_of(dim: int) -> str:
    """The variable of a dim's loop."""
    return f"i{dim}"


def instances(machine: Machine, spread: str) -> int:
    """How many instances a loop is dealt over."""
    if not spread:
        return 1
    if spread == "tile":
        return machine.tiles
    return machine.clusters if spread == "cluster" else machine.tiles * machine.clusters


def spreads(dims: Sequence[int]) -> list[tuple[tuple[int, str], ...]]:
    """Ways to deal dims over instances: one over all tiles, or two over clusters and tiles."""
    found: list[tuple[tuple[int, str], ...]] = []
    for a in dims:
        found.append(((a, "gtile"),))
        found += [((a, "cluster"), (b, "tile")) for b in dims if b != a]
    return found


def ranked(costs: Mapping[Tiling, float], most: int | None = None) -> Iterator[Tiling]:
    """Ways to cut, the cheapest first; they know what they were compared with."""
    for tiling in sorted(costs, key=lambda t: (costs[t], t.order, t.tiles))[:most]:
        yield replace(tiling, costs=costs)
