"""Located views against plain loops over their window indices."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_isa.program import Block
from maiacc_isa.tables import Axis, Descriptor, Dim, Sized, Term
from maiacc_sim.issue import Located
from maiacc_sim.traps import Trap
from maiacc_sim.views import ELEMENT_LIMIT, coordinates, describe, elements, locate, rows_at

DTYPES = sorted(load().dtypes)
SCALAR = load().sources["s"].code


def drawn(r: random.Random, far: bool) -> Descriptor:
    """Any descriptor of few elements; ``far`` ones leave all memories and 64 bits."""
    wide = (1 << 39) - 1 if far else 40
    axes = tuple(
        Axis(
            r.choice([0, 1, 3, 7, (1 << 32) - 1 if far else 12]),
            r.randint(-wide, wide),
            r.randint(-4, 6),
        )
        for _ in range(r.randint(1, 4))
    )
    dims = tuple(
        Dim(r.choice([0, 1, 2, 2, 3, 4]), r.randrange(len(axes)), r.randint(-3, 3))
        for _ in range(r.randint(0, 6))
    )
    targets = [f"axis{x}" for x in range(len(axes))] + ["bytes", "home"]
    coef = wide if far else 5
    terms = tuple(
        Term(r.randrange(45), r.choice(targets), r.choice([-coef, -1, 2, coef]))
        for _ in range(r.randint(0, 2 if far else 6))
    )
    sized = tuple(
        Sized(reg, what)
        for reg, what in ((3, f"extent{r.randrange(len(axes))}"), (5, f"size{len(dims) - 1}"))
        if r.random() < 0.3 and (dims or what.startswith("e"))
    )
    home = r.choice(["own", "at", "all"])
    base = r.randrange(1 << 44) if far else r.randrange(1000)
    split = r.randint(0, len(dims))
    return Descriptor("hbm", r.choice(DTYPES), base, axes, dims, split, terms, sized, home)


def plain(d: Descriptor, value: dict[int, int]) -> tuple[list[bool], list[int], list[list[int]]]:
    """Whether each element is inside, its address, its coordinates: the manual's formulas."""
    sizes = [dim.size for dim in d.dims]
    extents = [axis.extent for axis in d.axes]
    for s in d.sized:
        number = int(s.what[-1])
        (extents if s.what.startswith("extent") else sizes)[number] = value[SCALAR + s.reg]
    inside, addresses, places = [], [], []
    unit = 8 if load().dtypes[d.dtype].packed else 1
    for w in product(*map(range, sizes)):
        at = [axis.start for axis in d.axes]
        address = d.base * unit
        for term in d.terms:
            if term.target == "bytes":
                address += term.coef * value[term.source] * unit
            elif term.target != "home":
                at[int(term.target[4:])] += term.coef * value[term.source]
        for index, dim in zip(w, d.dims, strict=True):
            at[dim.axis] += dim.step * index
        address += sum(c * axis.stride for c, axis in zip(at, d.axes, strict=True))
        inside.append(all(0 <= c < extent for c, extent in zip(at, extents, strict=True)))
        addresses.append(address)
        places.append(at)
    return inside, addresses, places


def values(r: random.Random, d: Descriptor, far: bool) -> dict[int, int]:
    most = (1 << 47) - 1 if far else 3
    found = {code: r.choice([-most, -1, 0, 0, 1, 2, most]) for code in range(45)}
    for s in d.sized:
        number = int(s.what[-1])
        static = d.axes[number].extent if s.what.startswith("extent") else d.dims[number].size
        found[SCALAR + s.reg] = r.randint(0, min(static, 5))
    return found


def located(d: Descriptor, value: dict[int, int]) -> Located:
    return locate(Block("b", (), (d,)), 0, value.__getitem__)


@pytest.mark.parametrize("far", [False, True])
def test_elements_are_those_of_a_plain_loop(far: bool) -> None:
    r = random.Random(8)
    inside_seen = beyond = 0
    for _ in range(1500):
        d = drawn(r, far)
        value = values(r, d, far)
        view = located(d, value)
        found = elements(view)
        inside, addresses, places = plain(d, value)
        assert found.inside.tolist() == inside
        assert found.shape[0] * found.shape[1] == len(inside) == len(found)
        for position, good in enumerate(inside):
            if not good:
                continue
            inside_seen += 1
            address = int(found.address[position])
            if address != addresses[position]:
                # What leaves 64 bits is nowhere, and said to be so.
                assert address == -1
                assert abs(addresses[position]) > 1 << 60
                beyond += 1
            assert coordinates(view, 0)[position] == places[position][0]
    assert inside_seen > 400
    assert bool(beyond) == far


def test_sums_that_meet_again_in_memory_are_exact() -> None:
    """Two terms of 70 bits whose sum is small."""
    stride, at = (1 << 39) - 1, (1 << 31) + 5
    axes = (Axis(1 << 31 | 64, stride, 0), Axis(1 << 31 | 64, -stride, 0))
    terms = (Term(44, "axis0", at), Term(44, "axis1", at))
    d = Descriptor("hbm", "int8", 0x1234, axes, (Dim(3, 0), Dim(2, 1)), 1, terms)
    value = dict.fromkeys(range(45), 1)
    found = elements(located(d, value))
    expected = [0x1234, 0x1234 - stride, 0x1234 + stride, 0x1234, 0x1234 + 2 * stride]
    assert found.inside.all()
    assert found.address.tolist() == [*expected, 0x1234 + stride]


def test_rows_replace_the_coordinate_on_axis_0() -> None:
    r = random.Random(3)
    for _ in range(200):
        d = drawn(r, False)
        value = values(r, d, False)
        view = located(d, value)
        rows = np.array([r.randint(-1, 8) for _ in range(r.randint(0, 4))], np.int64)
        found = rows_at(view, rows)
        _, addresses, places = plain(d, value)
        unit, index = d.axes[0].stride, 0
        for row in rows.tolist():
            for address, place in zip(addresses, places, strict=True):
                moved = [row, *place[1:]]
                good = all(0 <= c < n for c, n in zip(moved, view.extents, strict=True))
                assert found.inside[index] == good
                if good:
                    assert found.address[index] == address + (row - place[0]) * unit
                index += 1
        assert len(found) == index
        assert found.shape == (len(rows), len(addresses))


def test_a_view_is_located_with_scales_sizes_and_home() -> None:
    scale = Descriptor("tsram", "e8m0", 64, (Axis(4, 1),), (Dim(4, 0),), 0, scale=0)
    meta = Descriptor("tsram", "sp24", 96, (Axis(4, 4),), (Dim(4, 0),), 0)
    d = Descriptor(
        "csram",
        "e4m3",
        0,
        (Axis(16, 8, -2), Axis(8, 1)),
        (Dim(16, 0), Dim(8, 1)),
        1,
        (Term(32, "axis0", 3), Term(40, "home", 2), Term(44, "home", 1), Term(33, "bytes", -16)),
        (Sized(2, "size0"), Sized(1, "extent1")),
        "at",
        scale=1,
        meta=2,
    )
    value = {32: 5, 33: 2, 40: 1, 44: 1, 1: 6, 2: 0}
    view = locate(Block("b", (), (d, scale, meta)), 0, value.__getitem__)
    assert view.sizes == (0, 8)
    assert view.extents == (16, 6)
    assert view.origin == (13, 0)
    assert (view.offset, view.home) == (-32, 3)
    assert view.scale is not None
    assert view.scale.descriptor is scale
    # The scales of scales mean nothing, and are not followed around in a circle.
    assert view.scale.scale is None
    assert view.meta is not None
    assert view.meta.sizes == (4,)
    assert elements(view).shape == (0, 8)


@pytest.mark.parametrize("value", [-1, 9, 1 << 40])
def test_sizes_out_of_range_trap(value: int) -> None:
    for what in ("size0", "extent0"):
        d = Descriptor("hbm", "int8", 0, (Axis(8, 1),), (Dim(8, 0),), 0, (), (Sized(0, what),))
        with pytest.raises(Trap) as trap:
            located(d, {0: value})
        assert trap.value.name == "bounds"
        assert trap.value.expected == "0 .. 8"


def test_hostile_descriptors_trap() -> None:
    big = Descriptor("hbm", "int8", 0, (Axis(8, 1),), (Dim((1 << 20) - 1, 0),) * 6, 3)
    none = Descriptor("hbm", "int8", 0, (Axis(8, 1),), (), 0, (Term(63, "bytes", 1),))
    lost = Descriptor("hbm", "int8", 0, (Axis(8, 1),), (), 0, scale=9)
    view = located(big, {})
    for attempt in (
        lambda: elements(view),
        lambda: coordinates(view, 0),
        lambda: rows_at(view, np.zeros(1, np.int64)),
        lambda: located(none, {63: 1}),
        lambda: located(lost, {}),
        lambda: locate(Block("b", (), ()), 0, int),
    ):
        with pytest.raises(Trap) as trap:
            attempt()
        assert trap.value.name == "bounds"
    one = Descriptor("hbm", "int8", 0, (Axis(1, 1),), (Dim(ELEMENT_LIMIT // 64, 0, 0),), 0)
    with pytest.raises(Trap):
        rows_at(located(one, {}), np.zeros(65, np.int64))


def test_an_element_outside_is_described() -> None:
    d = Descriptor("hbm", "int8", 0, (Axis(4, 8), Axis(8, 1, -1)), (Dim(2, 0), Dim(3, 1, 2)), 1, ())
    view = located(d, {})
    assert describe(view, 3) == ("(1, 0)", "0 .. 3, 0 .. 7", "1, -1")
