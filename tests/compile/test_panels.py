"""Large products: rows of the left operand that stay in the tile, and products in two parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np
import pytest

from compile.built import built, kind, some
from compile.checks import Case, checked
from maiacc.verifying.report import lines
from maiacc.verifying.verify import Asked, verify
from maiacc_isa.machine import load_machine
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.graph import Module, Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_passes.ir.weights import Array
from maiacc_passes.kernel.model import Buffer, Kernel
from maiacc_passes.lowering import choosing
from maiacc_passes.lowering.choosing import Choice
from maiacc_passes.lowering.tiling import Tiling
from maiacc_passes.schedule import places
from maiacc_passes.schedule.places import buffers_of

#: The ways of the compiler itself.
WAYS, PARTS = Choice.tilings, Choice.parts

#: Rows, columns and sums: ragged in each, and in all of them.
SIZES = [(64, 96, 256), (70, 96, 256), (64, 90, 256), (64, 96, 300), (33, 200, 1000), (9, 40, 72)]

SPECS = ("ab,bc->ac", "ba,bc->ac", "ab,cb->ac", "ab,bc->ca", "zab,zbc->zac", "zab,bc->zac")

EPILOGUES = ("bias", "relu", "residual", "all")


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """All products are large ones."""
    monkeypatch.setattr(choosing, "MANY", 1)
    monkeypatch.setattr(choosing, "MOST", 400)


def only_panels(monkeypatch: pytest.MonkeyPatch, number: int = 0, parts: bool = False) -> None:
    """Takes one of the ways with a panel."""

    def tilings(self: Choice) -> Iterator[Tiling]:
        found = [tiling for tiling in WAYS(self) if tiling.panel]
        assert found, "no panel is possible"
        yield found[number % len(found)]

    monkeypatch.setattr(Choice, "tilings", tilings)
    if not parts:
        monkeypatch.setattr(Choice, "parts", lambda self: (self,))


def cut_at(monkeypatch: pytest.MonkeyPatch, end: int) -> None:
    """Cuts products into two parts in front of a row."""

    def parts(self: Choice) -> tuple[Choice, ...]:
        (dim,) = self.product.shape.m
        sides = ((0, end), (end, self.product.extents[dim]))
        return tuple(self.of(self.product.part(dim, *side)) for side in sides)

    monkeypatch.setattr(Choice, "parts", parts)


def followed(b: Builder, y: Value, bias: Value, other: Value, what: str) -> Value:
    """A product with what follows it."""
    if what in ("bias", "all"):
        y = b("add", y, bias)
    if what in ("relu", "all"):
        y = b("relu", y)
    return b("add", y, other) if what in ("residual", "all") else y


def shapes(sizes: tuple[int, int, int], spec: str) -> list[tuple[int, ...]]:
    """Shapes of both operands and of the result."""
    letters = dict(zip("acbz", (*sizes, 2), strict=True))
    return [tuple(letters[x] for x in part) for part in spec.replace("->", ",").split(",")]


def multiplied(
    sizes: tuple[int, int, int],
    spec: str = SPECS[0],
    what: str = "",
    dtype: str = "fp32",
    weights: Array | None = None,
) -> Module:
    """A product, of a constant if there are ``weights``."""
    left, right, out = shapes(sizes, spec)
    to = "int32" if dtype == "int8" else "fp32"
    inputs = [kind(dtype, *left), kind(to, out[-1]), kind(to, *out), kind(dtype, *right)]

    def body(b: Builder, x: Value, bias: Value, other: Value, w: Value) -> Value:
        w = w if weights is None else b.constant(weights.astype(ELEMENTS[dtype].numpy))
        return followed(b, b("contract", x, w, spec=spec, to=to), bias, other, what)

    return built(body, *inputs)


def given(module: Module) -> dict[str, Array]:
    """Small whole numbers."""
    params = zip(module.inputs, module.main.params, strict=True)
    return {
        name: some(v.type.dtype, *v.type.shape, seed=number, low=-3, high=4)
        for number, (name, v) in enumerate(params)
    }


def right(module: Module, spec: str, what: str = "", weights: Array | None = None) -> Case:
    """The case of a module whose program gives what numpy gives, to the bit."""
    inputs = given(module)
    case = checked(module, "mini", inputs)
    x, bias, other, w = (inputs[name].astype(np.float64) for name in module.inputs)
    y = np.einsum(spec, x, w if weights is None else weights.astype(np.float64))
    y = y + bias if what in ("bias", "all") else y
    y = np.maximum(y, 0) if what in ("relu", "all") else y
    y = y + other if what in ("residual", "all") else y
    (found,) = case.found.values()
    assert np.array_equal(found.astype(np.float64), y)
    return case


def panels(kernel: Kernel) -> list[Buffer]:
    """Left operands with a place outside of the loops over sums."""
    inner = [loop for _, loop in buffers_of(kernel) if loop is not None]
    last = inner[-1] if inner else None
    return [b for b, loop in buffers_of(kernel) if b.name == "a" and loop is not last]


# ---- panels -----------------------------------------------------------------------------------
@pytest.mark.parametrize("number", [0, 5])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_rows_stay(
    sizes: tuple[int, int, int], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_panels(monkeypatch, number)
    (kernel,) = right(multiplied(sizes), SPECS[0]).compiled.placed.plan.kernels
    (buffer,) = panels(kernel)
    assert buffer.shape[-1] >= sizes[2]
    assert kernel.macs == sizes[0] * sizes[1] * sizes[2] <= kernel.padded


@pytest.mark.parametrize("spec", SPECS[1:])
def test_rows_stay_in_any_order_of_axes(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_panels(monkeypatch)
    right(multiplied((70, 90, 300), spec), spec)


@pytest.mark.parametrize(("what", "dtype"), [*product(EPILOGUES, ("fp32", "bf16", "int8"))])
def test_rows_stay_and_more_follows(what: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    only_panels(monkeypatch, 3)
    right(multiplied((70, 90, 300), what=what, dtype=dtype), SPECS[0], what)


def sparse(k: int, n: int) -> Array:
    """Whole numbers, two of four of a column 0."""
    found = some("fp32", k, n, seed=9, low=1, high=4).reshape(k // 4, 4, n)
    keep = np.argsort(np.random.default_rng(1).random(found.shape), axis=1) < 2
    return (found * keep).reshape(k, n)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@pytest.mark.parametrize(("m", "n", "k"), [(64, 96, 256), (70, 90, 300), (33, 200, 1000)])
def test_rows_stay_beside_sparse_weights(
    m: int, n: int, k: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_panels(monkeypatch, 2)
    weights = sparse(k, n)
    module = multiplied((m, n, k), what="all", dtype=dtype, weights=weights)
    case = right(module, SPECS[0], "all", weights)
    assert "MMSP" in {word.name for block in case.compiled.program.blocks for word in block.words}


@pytest.mark.parametrize(("sums", "slots"), [(500, 2), (1100, 1)])
def test_a_panel_has_two_places_or_one(
    sums: int, slots: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room for a second one, what is loaded next waits."""

    def tilings(self: Choice) -> Iterator[Tiling]:
        rows = self.product.shape.m[0]
        yield from (x for x in WAYS(self) if x.panel and x.tiles[rows] == 8 and x.trips(rows) > 1)

    monkeypatch.setattr(Choice, "tilings", tilings)
    monkeypatch.setattr(Choice, "parts", lambda self: (self,))
    monkeypatch.setattr(places, "_panel", lambda buffer: buffer.name == "a")
    (kernel,) = right(multiplied((70, 90, sums)), SPECS[0]).compiled.placed.plan.kernels
    (buffer,) = panels(kernel)
    for high in (False, True):
        assert places.place(kernel, load_machine("mini"), high).slots[buffer] == slots


# ---- parts ------------------------------------------------------------------------------------
@pytest.mark.parametrize("panel", [False, True])
@pytest.mark.parametrize("end", [1, 8, 37, 64, 69])
def test_parts_are_the_whole(end: int, panel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_at(monkeypatch, end)
    if panel:
        only_panels(monkeypatch, parts=True)
    for what in ("", "all"):
        case = right(multiplied((70, 90, 300), what=what), SPECS[0], what)
        kernels = case.compiled.placed.plan.kernels
        assert [kernel.name for kernel in kernels] == ["k0", "k0+"]
        assert [kernel.macs for kernel in kernels] == [n * 90 * 300 for n in (end, 70 - end)]


@pytest.mark.parametrize("spec", SPECS[1:4])
def test_parts_in_any_order_of_axes(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_at(monkeypatch, 40)
    kernels = right(multiplied((70, 90, 300), spec), spec).compiled.placed.plan.kernels
    assert len(kernels) == 2


def layers(b: Builder, x: Value) -> Sequence[Value]:
    """Two products that follow one another, of which the second sees rows of both parts."""
    first, second = (b.constant(some("fp32", *s, seed=5)) for s in ((60, 80), (80, 40)))
    y = b("relu", b("contract", x, first, spec="ab,bc->ac"))
    turned = b("transpose", b("contract", y, second, spec="ab,bc->ac"), perm=(1, 0))
    return [b("add", turned, turned), b("rsum", y, axes=(0,), keep=False)]


@pytest.mark.parametrize("end", [8, 33])
def test_what_follows_waits_for_both_parts(end: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cut_at(monkeypatch, end)
    fresh: Callable[[], Module] = lambda: built(layers, kind("fp32", 70, 60))  # noqa: E731
    inputs = {"x0": some("fp32", 70, 60)}
    assert checked(fresh(), "mini", inputs).same()
    found = verify(Asked(fresh, load_machine("mini"), inputs))
    assert not found.wrong, "\n".join(lines(found))
    assert found.compiled is not None
    names = [kernel.title for kernel in found.compiled.placed.plan.kernels]
    assert names.count("contract, relu") == 2


def test_parts_are_taken_where_they_cost_less(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {70: 100.0, 64: 40.0, 6: 30.0}

    def least(self: Choice) -> float:
        (dim,) = self.product.shape.m
        start = dict(self.product.starts).get(dim, 0)
        return costs.get(self.product.extents[dim] - start, 1000.0)

    monkeypatch.setattr(Choice, "least", least)
    module = multiplied((70, 90, 64))
    assert len(right(module, SPECS[0]).compiled.placed.plan.kernels) == 2
    costs[6] = 61.0
    assert len(right(multiplied((70, 90, 64)), SPECS[0]).compiled.placed.plan.kernels) == 1
