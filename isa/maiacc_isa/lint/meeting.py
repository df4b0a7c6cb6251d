"""Whether what two instances touch can meet, for some values of ids and unknowns.

Two that stand for all may be any two: the same instance, two of one cluster, or of two clusters.
First the distance of their boxes is looked at, with ids as unknowns. Boxes that ids cut may seem to
meet there though they do not; then all pairs of ids are gone through.
"""

from __future__ import annotations

from collections.abc import Iterator

from maiacc_isa.lint.instances import Cast, Instance
from maiacc_isa.lint.regions import Region, Steps, meet
from maiacc_isa.lint.values import Sym, Val, ring_difference

#: Pairs of ids that are gone through; with more, boxes are taken to meet.
PAIR_LIMIT = 1 << 14

#: Answers that are remembered.
KNOWN_LIMIT = 1 << 12

#: An instance's cluster and tile, and what it touches.
_Placed = tuple[int, int, list[Region]]


class Meeting:
    """Compares what instances touch."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast
        self._known: dict[tuple[object, ...], tuple[bool, Region, Region]] = {}

    def meets(self, a: Region, x: Instance, b: Region, z: Instance, extra: Steps = ()) -> bool:
        """Whether a region of one instance shares a bit with another one's.

        ``extra`` are further (step, count) by which their distance may grow.
        """
        plain = not a.others and not b.others and a.cut is None is b.cut
        if plain and a.base.known and b.base.known:
            return meet(a.steps, a.run, b.steps, b.run, a.base.const - b.base.const, extra)
        if not self._cast.alike:
            return self._may_all_meet(a, x, b, z, extra)
        # Instances that stand for all ask the same of the same regions again and again.
        key = (id(a), id(b), self._relation(x, z), extra)
        if key not in self._known:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            found = self._may_all_meet(a, x, b, z, extra)
            if found and not (a.cut is None is b.cut):
                found = self._ids_meet(a, x, b, z, extra)
            self._known[key] = (found, a, b)
        return self._known[key][0]

    def _relation(self, x: Instance, z: Instance) -> tuple[bool, ...]:
        """All that matters of two instances: levels that they have and share."""
        levels = (x.cluster >= 0, z.cluster >= 0, x.tile >= 0, z.tile >= 0)
        return (x.number == z.number, x.cluster == z.cluster, *levels)

    def _may_all_meet(self, a: Region, x: Instance, b: Region, z: Instance, extra: Steps) -> bool:
        """Whether all descriptions of two regions meet."""
        for mine in (a, *a.others):
            for theirs in (b, *b.others):
                if not self._may_meet(mine, x, theirs, z, extra):
                    return False
        return True

    def _may_meet(self, a: Region, x: Instance, b: Region, z: Instance, extra: Steps) -> bool:
        """Whether two boxes meet, with ids as unknowns."""
        return any(
            _meet(a, b, distance, (*steps, *extra))
            for distance, steps in self._distances(a.base, x, b.base, z)
        )

    def _distances(
        self, a: Val, x: Instance, b: Val, z: Instance
    ) -> Iterator[tuple[Val, tuple[tuple[int, int], ...]]]:
        """a - b for all pairs of instances that x and z stand for: a value and steps."""
        cast = self._cast
        if not cast.alike or x.number == z.number:
            yield a - b, ()
            return
        tile, cluster = cast.tile_sym, cast.cluster_sym
        ta, tb = a.terms.get(tile, 0), b.terms.get(tile, 0)
        ca, cb = a.terms.get(cluster, 0), b.terms.get(cluster, 0)
        rest, private = _split(a, b, (tile, cluster))
        tiles, clusters = cast.machine.tiles, cast.machine.clusters
        same_cluster = x.cluster == z.cluster and x.cluster >= 0
        if same_cluster:
            cluster_cases: list[tuple[int, Steps]] = [(0, ((ca - cb, clusters),))]
        elif x.cluster >= 0 and z.cluster >= 0:
            cluster_cases = _distinct(ca, cb, clusters)
        else:
            cluster_cases = [(0, ((ca, clusters), (-cb, clusters)))]
        if same_cluster and x.tile >= 0 and z.tile >= 0:
            tile_cases = _distinct(ta, tb, tiles)
        else:
            tile_cases = [(0, ((ta, tiles), (-tb, tiles)))]
        for offset, steps in cluster_cases:
            for more, tile_steps in tile_cases:
                yield rest.plus(offset + more), (*steps, *tile_steps, *private)

    # ---- ids one by one -----------------------------------------------------------------
    def _ids_meet(self, a: Region, x: Instance, b: Region, z: Instance, extra: Steps) -> bool:
        """Whether what two boxes that ids cut really leave meets, for some ids."""
        mine, theirs = self._placed(a, x), self._placed(b, z)
        if len(mine) * len(theirs) > PAIR_LIMIT:
            return True
        same = x.number == z.number
        both = x.cluster >= 0 and z.cluster >= 0
        same_cluster = both and x.cluster == z.cluster
        apart = same_cluster and x.tile >= 0 and z.tile >= 0 and not same
        for cluster, tile, ours in mine:
            for other_cluster, other_tile, others in theirs:
                if same and (cluster, tile) != (other_cluster, other_tile):
                    continue
                if both and (cluster == other_cluster) != same_cluster:
                    continue
                if apart and tile == other_tile:
                    continue
                if any(_placed_meet(r, s, same, extra) for r in ours for s in others):
                    return True
        return False

    def _placed(self, region: Region, instance: Instance) -> list[_Placed]:
        """What is touched by each of the instances that one stands for, if anything."""
        cast = self._cast
        clusters = range(cast.machine.clusters) if instance.cluster >= 0 else [-1]
        tiles = range(cast.machine.tiles) if instance.tile >= 0 else [-1]
        found: list[_Placed] = []
        for cluster in clusters:
            for tile in tiles:
                ids: dict[Sym, int] = {cast.cluster_sym: cluster, cast.tile_sym: tile}
                if region.cut is None:
                    here = [Region(region.base.filled(ids), region.steps, region.run)]
                else:
                    here = region.cut.touched(ids)
                if here:
                    found.append((cluster, tile, here))
        return found


def _placed_meet(a: Region, b: Region, same: bool, extra: Steps) -> bool:
    """Whether boxes of instances whose ids are known meet; ``same`` if it is one instance."""
    if a.base.known and b.base.known and not extra:
        apart = a.base.const - b.base.const
        return -a.span < apart < b.span and meet(a.steps, a.run, b.steps, b.run, apart)
    if same:
        return _meet(a, b, a.base - b.base, extra)
    distance, private = _split(a.base, b.base, ())
    return _meet(a, b, distance, (*private, *extra))


def _meet(a: Region, b: Region, distance: Val, steps: Steps) -> bool:
    """Whether two boxes meet at a distance that grows by steps."""
    for value in ring_difference(distance):
        unknown = [(coef, sym.high - sym.low + 1) for sym, coef in value.terms.items()]
        low = value.const + sum(coef * sym.low for sym, coef in value.terms.items())
        if meet(a.steps, a.run, b.steps, b.run, low, (*unknown, *steps)):
            return True
    return False


def _distinct(a: int, b: int, count: int) -> list[tuple[int, Steps]]:
    """a*i - b*j for all i != j below count, as offsets and steps."""
    if count < 2:
        return []
    if a == b == 0:
        return [(0, ())]
    if a == b:
        return [(a, ((a, count - 1),)), (-a, ((-a, count - 1),))]
    return [(a * i - b * j, ()) for i in range(count) for j in range(count) if i != j]


def _split(a: Val, b: Val, ids: tuple[Sym, ...]) -> tuple[Val, Steps]:
    """a - b without ids, and steps for unknowns that the two instances do not share."""
    rest = Val(a.const - b.const)
    private: list[tuple[int, int]] = []
    for value, sign in ((a, 1), (b, -1)):
        for sym, coef in value.terms.items():
            if sym in ids:
                continue
            if sym.instance is None:
                rest = rest + Val(0, {sym: sign * coef})
            else:
                rest = rest.plus(sign * coef * sym.low)
                private.append((sign * coef, sym.high - sym.low + 1))
    return rest, tuple(private)
