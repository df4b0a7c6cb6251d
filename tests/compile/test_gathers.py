"""Elements read and written at computed places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compile.built import built, kind, some
from compile.checks import Case, checked
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.errors import IRError
from maiacc_passes.ir.graph import Value
from maiacc_passes.ir.types import ELEMENTS
from maiacc_sim.simulate import simulate
from maiacc_sim.traps import Trap

MACHINES = ("mini", "maia200")
INDEX = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
TYPES = ("fp32", "fp16", "bf16", "e4m3", "e5m2", "bool", "int64", "int16", "uint8", "uint32")

#: How updates are combined with what is there; truth values are not added or multiplied, and
#: there are no words that combine numbers of eight bits.
COMBINED = dict.fromkeys(TYPES, ("set", "add", "mul", "min", "max")) | {
    "bool": ("set", "min", "max"),
    "e4m3": ("set",),
    "e5m2": ("set",),
}

Shape = tuple[int, ...]


def places(most: int, *shape: int, low: int = 0, seed: int = 0) -> np.ndarray:
    """Random indices below a bound."""
    return np.random.default_rng(seed).integers(low, most, shape)


def tuples(extents: Sequence[int], *shape: int, beyond: int = 0) -> np.ndarray:
    """Random tuples of indices, some of them outside."""
    lines = [places(n + beyond, *shape, low=-beyond, seed=j) for j, n in enumerate(extents)]
    return np.stack(lines, -1)


def ran(
    name: str,
    shape: Shape,
    index: np.ndarray,
    machine: str = "mini",
    dtype: str = "fp32",
    to: str = "int64",
    updates: Shape | None = None,
    **attrs: Any,
) -> Case:
    """The case of one op."""
    given = [some(dtype, *shape), index.astype(ELEMENTS[to].numpy)]
    kinds = [kind(dtype, *shape), kind(to, *index.shape)]
    if updates is not None:
        given.append(some(dtype, *updates, seed=7))
        kinds.append(kind(dtype, *updates))
    module = built(lambda b, *xs: b(name, *xs, **attrs), *kinds)
    return checked(module, machine, {f"x{n}": x for n, x in enumerate(given)})


# ---- gather ---------------------------------------------------------------------------------
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("shape", "index", "axis"),
    [
        ((50, 40), (17,), 0),
        ((50, 40), (3, 5), 1),
        ((5, 40, 60), (33,), 1),
        ((5, 40, 60), (), 2),
        ((500, 300), (777,), 0),
        ((3000,), (301,), 0),
        ((7, 1, 5), (4, 1), 1),
    ],
)
def test_gather(shape: Shape, index: Shape, axis: int, machine: str) -> None:
    """Any axis, any shape of indices, rows and single elements."""
    assert ran("gather", shape, places(shape[axis], *index), machine, axis=axis).same()


@pytest.mark.parametrize("to", INDEX)
@pytest.mark.parametrize("oob", ["clamp", "fill"])
def test_indices_of_all_types(to: str, oob: str) -> None:
    """Outside on both sides, where the type has such numbers."""
    low = 0 if to.startswith("u") else -20
    index = places(90, 40, low=low)
    index[:3] = (0, 49, 50)
    found = index.astype(np.uint64 if to == "uint64" else np.int64)
    if to == "uint64":
        found[5] = (1 << 63) + 3
    assert ran("gather", (50, 70), found, to=to, axis=0, oob=oob).same()
    assert ran("gather", (50, 3), found, to=to, axis=0, oob=oob).same()


@pytest.mark.parametrize("dtype", TYPES)
def test_elements_of_all_types(dtype: str) -> None:
    """Rows by DMA and picked elements."""
    assert ran("gather", (20, 90), places(20, 31), dtype=dtype, axis=0).same()
    assert ran("gather_elements", (20, 9), places(20, 31, 7), dtype=dtype, axis=0).same()


def test_gather_of_views() -> None:
    """What is indexed and the indices lie otherwise; an axis is walked backwards."""

    def body(b: Builder, x: Value, i: Value) -> list[Value]:
        turned, index = b("transpose", x, perm=(2, 1, 0)), b("transpose", i, perm=(1, 0))
        back = b("slice", x, starts=(9, 0, 0), sizes=(10, 4, 5), steps=(-1, 1, 1))
        return [b("gather", turned, index, axis=1), b("gather", back, i, axis=0)]

    module = built(body, kind("fp32", 10, 4, 5), kind("int64", 4, 6))
    given = {"x0": some("fp32", 10, 4, 5), "x1": places(4, 4, 6)}
    assert checked(module, "mini", given).same()


@pytest.mark.parametrize(
    ("shape", "index", "axis"),
    [((7, 9), (5, 9), 0), ((7, 9, 11), (3, 20, 10), 1), ((30, 100, 3), (30, 77, 3), 1)],
)
@pytest.mark.parametrize(
    ("oob", "machine"), [*(("error", m) for m in MACHINES), ("clamp", "mini"), ("fill", "mini")]
)
def test_gather_elements(shape: Shape, index: Shape, axis: int, oob: str, machine: str) -> None:
    """Fewer indices than elements beside the axis, and more along it."""
    beyond = 0 if oob == "error" else 3
    found = places(shape[axis] + beyond, *index, low=-beyond)
    assert ran("gather_elements", shape, found, machine, axis=axis, oob=oob).same()


def test_a_table_larger_than_a_tile() -> None:
    """Elements are gathered by DMA."""
    assert ran("gather_elements", (30000, 2), places(30000, 500, 2), axis=0).same()


@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@pytest.mark.parametrize(
    ("shape", "index", "length", "batch"),
    [
        ((7, 9, 11), (20,), 2, 0),
        ((7, 9, 11), (2, 3), 3, 0),
        ((7, 9, 11, 40), (7, 5), 2, 1),
        ((3, 4, 5, 90), (3, 4, 6), 1, 2),
    ],
)
def test_gather_nd(shape: Shape, index: Shape, length: int, batch: int, oob: str) -> None:
    """Tuples of all lengths, elements and slices, axes that go along."""
    found = tuples(shape[batch : batch + length], *index, beyond=0 if oob == "error" else 2)
    assert ran("gather_nd", shape, found, batch=batch, oob=oob).same()


def test_nothing_to_index() -> None:
    """Only ``fill`` has a meaning there."""
    found = np.array([3, 0])
    assert ran("gather", (0, 4), found, axis=0, oob="fill").same()
    with pytest.raises(IRError):
        built(
            lambda b, x, i: b("gather", x, i, axis=0, oob="clamp"),
            kind("fp32", 0, 4),
            kind("int64", 2),
        )


@pytest.mark.parametrize(
    ("name", "shape", "index", "updates", "attrs"),
    [
        ("gather", (9, 40), [3, 9], None, {"axis": 0}),
        ("gather_elements", (9,), [3, -1], None, {"axis": 0}),
        ("gather_nd", (4, 5), [[0, 0], [3, 5]], None, {}),
        ("scatter_nd", (4, 5), [[0, 0], [4, 1]], (2,), {}),
        ("scatter_nd", (4, 50), [[0], [-1]], (2, 50), {}),
        ("scatter_elements", (9, 3), [[0, 0, 9]], (1, 3), {"axis": 0}),
    ],
)
def test_an_index_outside_traps(
    name: str, shape: Shape, index: list[Any], updates: Shape | None, attrs: dict[str, Any]
) -> None:
    """The IR has an error there, and the machine stops."""
    x, i = some("fp32", *shape), np.array(index)
    kinds = [kind("fp32", *shape), kind("int64", *i.shape)]
    given = {"x0": x, "x1": i}
    if updates is not None:
        kinds.append(kind("fp32", *updates))
        given["x2"] = some("fp32", *updates)
    module = built(lambda b, *xs: b(name, *xs, **attrs), *kinds)
    inside = {**given, "x1": np.zeros_like(i)}
    compiled = checked(module, "mini", inside).compiled
    with pytest.raises(Trap):
        simulate(compiled.program, given)


# ---- scatter --------------------------------------------------------------------------------
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("shape", "index", "length"),
    [((50, 40), (17,), 1), ((50, 40), (170,), 2), ((500, 60), (37,), 1), ((7000,), (377,), 1)],
)
@pytest.mark.parametrize("op", ["set", "add"])
def test_scatter_nd(shape: Shape, index: Shape, length: int, op: str, machine: str) -> None:
    """Rows and elements, into tensors that a tile holds and that it does not hold."""
    found = tuples(shape[:length], *index)
    updates = (*index, *shape[length:])
    assert ran("scatter_nd", shape, found, machine, updates=updates, op=op).same()


@pytest.mark.parametrize(
    ("dtype", "op"), [(dtype, op) for dtype, ops in COMBINED.items() for op in ops]
)
def test_updates_of_all_types(dtype: str, op: str) -> None:
    """Updates of one place meet in order; each step is rounded to the type."""
    case = ran("scatter_nd", (6, 5), tuples((6, 5), 40), dtype=dtype, updates=(40,), op=op)
    assert case.same()


@pytest.mark.parametrize("dtype", ["e4m3", "e5m2"])
def test_numbers_of_eight_bits_are_not_combined(dtype: str) -> None:
    with pytest.raises(IRError) as refused:
        ran("scatter_nd", (6, 5), tuples((6, 5), 40), dtype=dtype, updates=(40,), op="add")
    assert refused.value.code == "E1505"


@pytest.mark.parametrize("oob", ["error", "clamp", "fill"])
@pytest.mark.parametrize(
    ("shape", "index", "axis"),
    [((7, 9), (5, 9), 0), ((7, 9, 11), (3, 20, 10), 1), ((300,), (2000,), 0)],
)
def test_scatter_elements(shape: Shape, index: Shape, axis: int, oob: str) -> None:
    """Fewer updates than elements beside the axis: the others stay."""
    beyond = 0 if oob == "error" else 2
    found = places(shape[axis] + beyond, *index, low=-beyond)
    case = ran("scatter_elements", shape, found, axis=axis, updates=index, op="add", oob=oob)
    assert case.same()


def test_scatter_without_updates_and_into_views() -> None:
    """A copy; and a tensor that lies otherwise."""

    def body(b: Builder, x: Value, i: Value, u: Value, j: Value) -> list[Value]:
        turned = b("transpose", x, perm=(1, 0))
        none = b("slice", u, starts=(0, 0), sizes=(0, 9), steps=(1, 1))
        return [
            b("scatter_nd", turned, i, u),
            b("scatter_nd", turned, j, none),
        ]

    kinds = (kind("fp32", 9, 6), kind("int64", 4, 1), kind("fp32", 4, 9), kind("int64", 0, 1))
    given = [some("fp32", 9, 6), places(6, 4, 1), some("fp32", 4, 9), np.zeros((0, 1), np.int64)]
    module = built(body, *kinds)
    assert checked(module, "mini", {f"x{n}": x for n, x in enumerate(given)}).same()


def test_sums_of_fp8_are_refused() -> None:
    """No word rounds each step to them."""
    with pytest.raises(IRError) as refusal:
        ran("scatter_nd", (6,), tuples((6,), 4), dtype="e4m3", updates=(4,), op="add")
    assert refusal.value.code == "E1505"


@pytest.mark.parametrize("name", ["gather_elements", "scatter_elements"])
def test_more_dims_than_a_view_has(name: str) -> None:
    """Fewer indices than elements along each of five dims beside the axis."""
    index = (4, 2, 2, 7, 3, 3)

    def body(b: Builder, x: Value, i: Value, u: Value) -> Value:
        turned = b("transpose", x, perm=(5, 2, 4, 1, 3, 0))
        more = (u,) if name == "scatter_elements" else ()
        return b(name, turned, i, *more, axis=3)

    kinds = (kind("fp32", 4, 5, 3, 4, 3, 5), kind("int64", *index), kind("fp32", *index))
    given = [some("fp32", 4, 5, 3, 4, 3, 5), places(5, *index), some("fp32", *index, seed=3)]
    module = built(body, *kinds)
    assert checked(module, "mini", {f"x{n}": x for n, x in enumerate(given)}).same()
