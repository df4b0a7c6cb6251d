"""Contractions against plain loops: to the bit where numbers are small integers."""

from __future__ import annotations

import numpy as np
import pytest

from ir.reference import sums, wrapped
from ir.rows import many, one, raw, refused, same, types
from maiacc_passes.ir.build import Builder
from maiacc_passes.ir.evaluate import evaluate
from maiacc_passes.ir.expand import finish
from maiacc_passes.ir.graph import Module
from maiacc_passes.ir.types import ELEMENTS, tensor
from maiacc_passes.ir.vocabulary import products
from maiacc_passes.ir.weights import Array

SPECS = [
    "mk,kn->mn",
    "km,kn->mn",
    "mk,nk->mn",
    "mk,kn->nm",
    "bmk,kn->bmn",
    "bmk,bkn->bmn",
    "bmk,bkn->mbn",
    "bhgqd,bhkd->bhgqk",
    "bhgqk,bhkd->bhgqd",
    "bkm,kbn->nbm",
    "mkl,lkn->mn",
    "m,n->mn",
    "m,n->nm",
    "k,k->",
    "b,b->b",
    "mk,k->m",
    "k,kn->n",
    "mkr,kns->mn",
    "r,s->",
    "m,->m",
    ",->",
    "Mk,kN->MN",
]

SIZES = {"b": 2, "m": 3, "n": 4, "k": 5, "l": 2, "h": 2, "g": 3, "q": 2, "d": 3, "r": 2, "s": 3}


def operands(spec: str, dtype: str, seed: int = 0, top: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    element = ELEMENTS[dtype]
    left, right = spec.split("->")[0].split(",")
    shapes = ([SIZES.get(c.lower(), 2) for c in group] for group in (left, right))
    low = -top if element.kind != "uint" else 0
    a, b = (rng.integers(low, top + 1, shape).astype(element.numpy) for shape in shapes)
    return a, b


def wide(x: Array) -> Array:
    return x.astype(np.float64) if x.dtype.kind not in "iu" else x


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("dtype", ["fp64", "fp32", "bf16", "int8", "int32", "uint64"])
def test_a_contraction_sums_products(spec: str, dtype: str) -> None:
    a, b = operands(spec, dtype)
    found = one("contract", a, b, spec=spec)
    same(found, wrapped(sums(spec, wide(a), wide(b)), found.shape, found.dtype))


@pytest.mark.parametrize(
    "dtype", [n for n, e in ELEMENTS.items() if n not in ("bool", "e8m0", "e2m1")]
)
def test_each_element_type_is_contracted(dtype: str) -> None:
    spec, element = "mk,kn->mn", ELEMENTS[dtype]
    a, b = operands(spec, dtype, top=1)
    found = one("contract", a, b, spec=spec)
    assert found.dtype == element.numpy
    exact = sums(spec, wide(a.astype(np.float64)), wide(b.astype(np.float64)))
    same(found.astype(np.float64), wrapped(exact, found.shape, np.float64))


@pytest.mark.parametrize("left", ["int8", "uint8", "int4", "uint4"])
@pytest.mark.parametrize("right", ["int8", "uint8", "int4", "uint4"])
def test_short_integers_are_summed_in_int32(left: str, right: str) -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(-128, 256, (3, 40)).astype(np.int8).astype(ELEMENTS[left].numpy)
    b = rng.integers(-128, 256, (40, 2)).astype(np.int8).astype(ELEMENTS[right].numpy)
    found = one("contract", a, b, spec="mk,kn->mn", to="int32")
    same(found, a.astype(np.int32) @ b.astype(np.int32))


@pytest.mark.parametrize("low", [0, 255])
def test_sums_of_extreme_bytes_are_exact_and_wrap(low: int) -> None:
    length = 70_000
    a, b = np.full((2, length), 255, np.uint8), np.full((length, 1), 255, np.uint8)
    a[1] = low
    exact = np.array([[255 * 255 * length], [255 * low * length]])
    same(one("contract", a, b, spec="mk,kn->mn", to="int32"), exact.astype(np.int32))
    negative = np.full((length, 1), -128, np.int8)
    exact = np.array([[-255 * 128 * length], [-low * 128 * length]])
    same(one("contract", a, negative, spec="mk,kn->mn", to="int32"), exact.astype(np.int32))


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
)
@pytest.mark.parametrize("spec", ["mk,kn->mn", "mkr,kns->mn"])
def test_integers_wrap(dtype: str, spec: str) -> None:
    rng, limits = np.random.default_rng(2), np.iinfo(dtype)
    left, right = spec.split("->")[0].split(",")
    a, b = (
        rng.integers(limits.min, limits.max, [SIZES[c] for c in x], limits.dtype, endpoint=True)
        for x in (left, right)
    )
    a[0] = limits.min
    bias = rng.integers(limits.min, limits.max, SIZES["n"], limits.dtype)
    exact = sums(spec, a, b)
    exact = {index: value + int(bias[index[1]]) for index, value in exact.items()}
    same(one("contract", a, b, bias, spec=spec), wrapped(exact, (3, 4), limits.dtype))


def test_narrow_floats_are_summed_in_fp32_and_rounded_once() -> None:
    half = ELEMENTS["fp16"].numpy
    a, b = np.ones((1, 4095), half), np.ones((4095, 1), half)
    same(one("contract", a, b, spec="mk,kn->mn"), np.array([[4096]], half))
    same(one("contract", a, b, spec="mk,kn->mn", to="fp32"), np.array([[4095]], np.float32))
    same(one("contract", a, b, spec="mk,kn->mn", to="fp64"), np.array([[4095]], np.float64))


def test_the_bias_is_added_before_rounding() -> None:
    brain = ELEMENTS["bf16"].numpy
    a, b = np.ones((1, 257), brain), np.ones((257, 1), brain)
    for dtype in (brain, np.float32):
        bias = np.ones(1, dtype)
        same(one("contract", a, b, bias, spec="mk,kn->mn"), np.array([[258]], brain))
    same(one("contract", a, b, spec="mk,kn->mn"), np.array([[256]], brain))


@pytest.mark.parametrize("shape", [(), (4,), (3, 1), (2, 1, 4), (2, 3, 4), (1, 1, 1)])
def test_the_bias_broadcasts(shape: tuple[int, ...]) -> None:
    a, b = operands("bmk,kn->bmn", "fp32")
    bias = np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape)
    same(one("contract", a, b, bias, spec="bmk,kn->bmn"), a @ b + bias)


def test_sums_of_nothing_are_zero() -> None:
    a, b = np.ones((2, 0), np.float32), np.ones((0, 3), np.float32)
    same(one("contract", a, b, spec="mk,kn->mn"), np.zeros((2, 3), np.float32))
    same(one("contract", a, b, np.float32(2), spec="mk,kn->mn"), np.full((2, 3), 2, np.float32))
    empty = np.ones((0, 2), np.int8)
    same(one("contract", empty, empty, spec="mk,mk->m"), np.zeros(0, np.int8))
    same(one("contract", empty, empty, spec="mk,mk->k"), np.zeros(2, np.int8))


def test_nan_and_infinity_go_through() -> None:
    a = np.array([[np.nan, 1], [np.inf, 1], [np.inf, -np.inf], [1, 1]], np.float32)
    found = one("contract", a, np.ones((2, 1), np.float32), spec="mk,kn->mn")
    same(found, np.array([[np.nan], [np.inf], [np.nan], [2]], np.float32))


def test_lifted_sums_are_not_rounded() -> None:
    a, b = np.full((1, 3), 1 / 3, np.float16), np.full((3, 1), 1 / 7, np.float16)
    (found,) = many("contract", a, b, spec="mk,kn->mn", lift=True)
    exact = 3 * float(a[0, 0]) * float(b[0, 0])
    assert found.dtype == np.float64
    assert abs(found[0, 0] - exact) < 1e-15


def test_a_constant_that_is_stored_once_is_contracted() -> None:
    module = Module()
    b = Builder(module)
    x = module.add_input("x", tensor("fp32", (64, 64)))
    finish(b, [b("contract", x, b.splat(2, tensor("fp32", (64, 64))), spec="mk,kn->mn")])
    module.outputs = ["y"]
    array = np.arange(64 * 64, dtype=np.float32).reshape(64, 64) % 7
    found = evaluate(module, {"x": array})["y"]
    same(found, array @ np.full((64, 64), 2, np.float32))


@pytest.mark.parametrize("view", ["turned", "backwards", "every second", "repeated", "column"])
def test_any_view_gives_the_same_product(view: str) -> None:
    x = (np.arange(60, dtype=np.float32) % 11).reshape(6, 10)
    views = {
        "turned": x.T,
        "backwards": x[::-1, ::-1],
        "every second": x[:, ::2],
        "repeated": np.broadcast_to(x[:1], (6, 10)),
        "column": x[:, :1],
    }
    part = views[view]
    for a, b in ((part, part.T), (part.T, part)):
        found = products.product(a, b, np.dtype(np.float32))
        assert raw(found) == raw(np.ascontiguousarray(a) @ np.ascontiguousarray(b))


def test_bounded_axes_stay() -> None:
    a, b = tensor("fp32", (8, 4), ("n0", None)), tensor("fp32", (4, 2))
    assert types("contract", a, b, spec="mk,kn->mn") == ["fp32[8~n0, 2]"]
    assert types("contract", a, b, spec="mk,kn->nm") == ["fp32[2, 8~n0]"]
    refused("E1403", "contract", a, tensor("fp32", (8, 3)), spec="km,kn->mn")
    refused("E1403", "contract", a, a, tensor("fp32", (4, 8)), spec="km,kn->mn")
    refused("E1403", "contract", a, a, spec="km,kn->mn")


def test_what_does_not_fit_is_refused() -> None:
    a, b, short = tensor("fp32", (3, 4)), tensor("fp32", (4, 5)), tensor("int8", (4, 5))
    for spec in ("mk,kn", "mk->m", "mk,kn->mz", "mm,kn->mn", "m1,kn->mn", "", "mk,kn,np->mp"):
        refused("E1401", "contract", a, b, spec=spec)
    for to in ("int32", "zz", "bool"):
        refused("E1401", "contract", a, b, spec="mk,kn->mn", to=to)
    refused("E1401", "contract", short, short, spec="mk,nk->mn", to="int64")
    refused("E1403", "contract", a, b, spec="mkl,kn->mn")
    refused("E1403", "contract", a, b, spec="mk,nk->mn")
    refused("E1403", "contract", a, short, spec="mk,kn->mn")
    refused("E1403", "contract", short, tensor("uint8", (4, 5)), spec="mk,nk->mn")
    refused("E1403", "contract", *[tensor("bool", (4, 4))] * 2, spec="mk,kn->mn")
    for bias in (tensor("fp32", (4,)), tensor("fp32", (1, 3, 5)), tensor("fp16", (5,))):
        refused("E1403", "contract", a, b, bias, spec="mk,kn->mn")
    huge = tensor("fp32", (1 << 24, 1))
    refused("E1403", "contract", huge, huge, spec="mk,nk->mn")
