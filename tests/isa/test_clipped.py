"""Windows that boxes cut where ids say how: two tiles of two clusters must speak for all.

A quick proof of a random program decides as a thorough one, which follows every instance and every
iteration; and what a cut says of all instances is what they touch one by one.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from isa.clipped import CLUSTERS, MACHINE, TILES, program
from maiacc_isa.asm import assemble
from maiacc_isa.lint import prove
from maiacc_isa.lint.cuts import Cut, CutAxis, windows
from maiacc_isa.lint.instances import Cast, Instance
from maiacc_isa.lint.meeting import Meeting
from maiacc_isa.lint.regions import Region
from maiacc_isa.lint.values import Sym, Val
from maiacc_isa.lint.written import runs

#: Instances that are followed when a few stand for all: two tiles of two clusters.
FEW = 4 + 2 + 1


def _campaign(path: Path, seeds: range) -> None:
    machine = path / "nine.toml"
    machine.write_text(MACHINE)
    verdicts: Counter[bool] = Counter()
    codes: set[str] = set()
    for seed in seeds:
        text = program(seed)
        quick = prove(assemble(text, target=str(machine)))
        thorough = prove(assemble(text, target=str(machine)), thorough=True)
        found = {f.code for f in quick.findings}
        assert quick.proven == thorough.proven, (seed, found, thorough.findings)
        verdicts[quick.proven] += 1
        codes |= found
        assert quick.instances == FEW or not quick.proven or "@csram " in text, seed
    assert min(verdicts[True], verdicts[False]) > len(seeds) / 5
    assert codes >= {"E0801", "E0802", "E0804"}


@pytest.mark.parametrize("part", range(4))
def test_random_programs(part: int, tmp_path: Path) -> None:
    _campaign(tmp_path, range(part * 60, part * 60 + 60))


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(40))
def test_many_random_programs(part: int, tmp_path: Path) -> None:
    _campaign(tmp_path, range(1000 + part * 200, 1200 + part * 200))


# ---- cuts, bit by bit ---------------------------------------------------------------------------


def _bits(regions: list[Region]) -> set[int]:
    return {bit for r in regions for low, high in runs(r) for bit in range(low, high)}


def _random_cut(rng: random.Random, tile: Sym, cluster: Sym) -> Cut:
    axes = []
    stride = 8
    for _ in range(rng.choice([1, 1, 2])):
        dims = sorted((rng.randint(1, 4), rng.randint(2, 3)) for _ in range(rng.choice([0, 1, 2])))
        syms = rng.choice([[tile], [cluster], [tile, cluster]])
        terms = tuple((sym, rng.choice([1, 2, 3, -2])) for sym in syms)
        extent = rng.randint(1, 9)
        axes.append(CutAxis(stride, rng.randint(-6, 6), terms, tuple(reversed(dims)), extent))
        stride *= extent + rng.choice([0, 0, 1])
    moved = {tile: 16} if rng.random() < 0.2 else {}
    steps = ((stride, 2),) if rng.random() < 0.3 else ()
    return Cut(Val(rng.randint(0, 5) * 8, moved), steps, 8, tuple(axes))


def _by_hand(cut: Cut, ids: dict[Sym, int]) -> list[int]:
    """The first bits of what an instance touches, element by element."""
    coordinates = []
    for axis in cut.axes:
        origin = axis.start + sum(c * ids[sym] for sym, c in axis.terms)
        moves = product(*(range(0, step * count, step) for step, count in axis.dims))
        inside = [c for c in (origin + sum(m) for m in moves) if 0 <= c < axis.extent]
        coordinates.append([c * axis.stride for c in inside])
    for step, count in cut.steps:
        coordinates.append([step * i for i in range(count)])
    base = cut.base.filled(ids).const
    return [base + sum(at) for at in product(*coordinates)]


@pytest.mark.parametrize("seed", range(300))
def test_cuts_bit_by_bit(seed: int) -> None:
    rng = random.Random(seed)
    tile, cluster = Sym("tile", 0, TILES - 1), Sym("cluster", 0, CLUSTERS - 1)
    cut = _random_cut(rng, tile, cluster)
    everything: set[int] = set()
    for c, t in product(range(CLUSTERS), range(TILES)):
        ids = {cluster: c, tile: t}
        bits = {at + bit for at in _by_hand(cut, ids) for bit in range(cut.run)}
        assert _bits(cut.touched(ids)) == bits
        everything |= bits
    parts = []
    for part in cut.everything():
        for c, t in product(range(CLUSTERS), range(TILES)):
            base = part.base.filled({cluster: c, tile: t})
            parts.append(Region(base, part.steps, part.run))
    assert _bits(parts) == everything


def test_bits_are_counted_for_every_instance() -> None:
    tile, cluster = Sym("tile", 0, TILES - 1), Sym("cluster", 0, CLUSTERS - 1)
    axis = CutAxis(32, 0, ((cluster, 6), (tile, 2)), ((1, 2),), 7)
    cut = Cut(Val(0), ((1024, 5),), 32, (axis,))
    assert cut.bits(CLUSTERS * TILES) == 7 * 5 * 32
    alone = Cut(Val(0), (), 32, (CutAxis(32, 0, ((tile, 2),), ((1, 2),), 3),))
    assert alone.bits(CLUSTERS * TILES) == 3 * 32 * CLUSTERS
    assert alone.bits(0) == 0


def test_a_cut_that_cannot_be_listed() -> None:
    tile = Sym("tile", 0, TILES - 1)
    assert windows(CutAxis(8, 0, ((tile, 5),), ((1, 100), (1, 100)), 120)) is None


@pytest.mark.parametrize("seed", range(150))
def test_instances_meet_if_two_of_them_share_a_bit(seed: int, tmp_path: Path) -> None:
    (tmp_path / "nine.toml").write_text(MACHINE)
    text = "mist 1.0\ntarget nine\nblock main {\n}\n"
    part = assemble(text, target=str(tmp_path / "nine.toml"))
    cast = Cast(part.blocks[0], part)
    assert cast.alike
    rng = random.Random(seed)
    regions = []
    for _ in range(2):
        cut = _random_cut(rng, cast.tile_sym, cast.cluster_sym)
        regions.append(Region(Val(0), (), 1 << 20, cut=cut))
    tiles = [i for i in cast.instances if i.role == "tile"]
    for x, z in product(tiles, tiles):
        assert Meeting(cast).meets(regions[0], x, regions[1], z) == _share(cast, regions, x, z)


def _share(cast: Cast, regions: list[Region], x: Instance, z: Instance) -> bool:
    everyone = list(product(range(CLUSTERS), range(TILES)))
    bits = [
        {
            (c, t): _bits(region.cut.touched({cast.cluster_sym: c, cast.tile_sym: t}))
            for c, t in everyone
            if region.cut is not None
        }
        for region in regions
    ]
    for a, b in product(everyone, everyone):
        alike = (a[0] == b[0]) == (x.cluster == z.cluster)
        if x.cluster == z.cluster:
            alike = alike and (a[1] == b[1]) == (x.tile == z.tile)
        if alike and bits[0][a] & bits[1][b]:
            return True
    return False
