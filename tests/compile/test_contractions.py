"""Contractions: sizes around the edges of tiles, epilogues, batches, tiles that all load alike."""

from __future__ import annotations

import pytest

from compile.checks import checked
from maiacc_passes.kernel.model import words_of

TARGETS = ("mini", "maia200")

#: Around a block of mini (8) and of maia200 (32), primes, one, and several tiles.
SIZES = [(1, 1, 1), (7, 9, 8), (8, 8, 8), (9, 15, 17), (31, 33, 32), (65, 97, 40), (128, 130, 300)]


def matrices(m: int, n: int, k: int, dtype: str = "fp32", tail: str = "") -> str:
    """A product of two matrices, and what follows on ``%2``."""
    last = 3 if tail else 2
    return f"""graph (%0: {dtype}[{m}, {k}] "x", %1: {dtype}[{k}, {n}] "w") -> ("y") {{
  %2 = contract(%0, %1) {{spec="ab,bc->ac"}} : {dtype}[{m}, {n}]
{tail}  return(%{last})
}}
"""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_whole_numbers_are_multiplied_exactly(m: int, n: int, k: int, target: str) -> None:
    case = checked(matrices(m, n, k), target, whole=True)
    assert case.same()
    (kernel,) = case.compiled.placed.plan.kernels
    assert kernel.macs == m * n * k
    assert case.result.timed.totals.macs == kernel.padded >= kernel.macs


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
def test_sums_are_those_of_the_type(dtype: str, target: str) -> None:
    case = checked(matrices(33, 40, 70, dtype), target)
    assert case.error() < {"fp32": 1e-6, "bf16": 5e-3, "fp16": 1e-3}[dtype]


@pytest.mark.parametrize("target", TARGETS)
def test_what_follows_is_done_where_sums_are_drained(target: str) -> None:
    tail = "  %3 = relu(%2) : fp32[40, 24]\n"
    case = checked(matrices(40, 24, 16, tail=tail), target, whole=True)
    assert case.same()
    (kernel,) = case.compiled.placed.plan.kernels
    assert {word.queue for word in words_of(kernel.body)} & {"DRN", "TVP"} == {"TVP"}
    tail = "  %3 = add(%2, %2) : fp32[40, 24]\n"
    case = checked(matrices(40, 24, 16, tail=tail), target, whole=True)
    assert case.same()
    (kernel,) = case.compiled.placed.plan.kernels
    assert {word.queue for word in words_of(kernel.body)} & {"DRN", "TVP"} == {"DRN"}


BATCHES = {
    "zab,zbc->zac": ((3, 5, 7), (3, 7, 6), (3, 5, 6)),
    "zab,bc->zac": ((3, 5, 7), (7, 6), (3, 5, 6)),
    "zab,zcb->zac": ((2, 9, 16), (2, 11, 16), (2, 9, 11)),
    "yzab,yzbc->yazc": ((2, 3, 5, 7), (2, 3, 7, 4), (2, 5, 3, 4)),
    "a,b->ab": ((9,), (17,), (9, 17)),
    "ab,b->a": ((9, 33), (33,), (9,)),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("spec", BATCHES)
def test_letters_become_dims(spec: str, target: str) -> None:
    a, b, c = (list(shape) for shape in BATCHES[spec])
    text = f"""graph (%0: fp32{a} "x", %1: fp32{b} "w") -> ("y") {{
  %2 = contract(%0, %1) {{spec="{spec}"}} : fp32{c}
  return(%2)
}}
"""
    assert checked(text, target, whole=True).same()


def test_tiles_of_a_cluster_are_sent_what_all_of_them_need() -> None:
    case = checked(matrices(256, 2304, 64, "bf16"), "maia200", whole=True)
    assert case.same()
    (kernel,) = case.compiled.placed.plan.kernels
    loads = [word for word in words_of(kernel.body) if word.queue == "CLD"]
    assert loads
    assert all(word.views["d"].buffer.shared for word in loads)
