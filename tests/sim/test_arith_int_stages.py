"""Stages of class int against Python integers, in every type."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from maiacc_sim.arith.chains import run
from maiacc_sim.arith.convert import container
from maiacc_sim.traps import Trap
from sim.arith_oracle import Codes, draw

TYPES = [t.name for t in load().dtypes.values() if t.is_int and t.bits >= 8]


def truncated(x: int, y: int) -> int:
    size = abs(x) // abs(y)
    return size if (x < 0) == (y < 0) else -size


def guarded(divide: Callable[[int, int], int]) -> Callable[[int, int, int], int]:
    return lambda width, x, y: divide(x, y) if y else 0


#: Width, then the operands' values; the result is taken modulo 2 to the width.
STAGES: dict[str, Callable[..., int]] = {
    "mov": lambda w, x: x,
    "add": lambda w, x, y: x + y,
    "sub": lambda w, x, y: x - y,
    "mul": lambda w, x, y: x * y,
    "madd": lambda w, x, y, z: x * y + z,
    "neg": lambda w, x: -x,
    "abs": lambda w, x: abs(x),
    "min": lambda w, x, y: min(x, y),
    "max": lambda w, x, y: max(x, y),
    "clamp": lambda w, x, y, z: min(max(x, y), z),
    "select": lambda w, x, y, z: y if x else z,
    "eq": lambda w, x, y: int(x == y),
    "ne": lambda w, x, y: int(x != y),
    "lt": lambda w, x, y: int(x < y),
    "le": lambda w, x, y: int(x <= y),
    "relu": lambda w, x: max(x, 0),
    "divf": guarded(lambda x, y: x // y),
    "divt": guarded(truncated),
    "modf": guarded(lambda x, y: x - y * (x // y)),
    "modt": guarded(lambda x, y: x - y * truncated(x, y)),
    "shl": lambda w, x, y: x << y if 0 <= y < w else 0,
    "shr": lambda w, x, y: x >> y if 0 <= y < w else -(x < 0),
    "and": lambda w, x, y: x & y,
    "or": lambda w, x, y: x | y,
    "xor": lambda w, x, y: x ^ y,
    "not": lambda w, x: ~x,
}


def test_every_int_stage_is_tested() -> None:
    assert set(STAGES) == {s.name for s in load().stages.values() if "int" in s.classes}


def values_of(codes: Codes, dtype: str) -> list[int]:
    t = load().dtypes[dtype]
    return [code - (1 << t.bits) if code > t.high else code for code in codes.tolist()]


def codes_of(values: list[int], dtype: str) -> Codes:
    mask = (1 << load().dtypes[dtype].bits) - 1
    return np.array([v & mask for v in values], container(dtype))


def inputs_of(stage: str, dtype: str) -> list[Codes]:
    """All pairs of 8-bit numbers; else all combinations of bounds, and any bits."""
    t = load().dtypes[dtype]
    count = load().stages[stage].inputs
    near = [*range(-9, 10), t.bits - 1, t.bits, t.bits + 1, 63, 64, t.high // 2, t.low // 2]
    ends = [t.low, t.low + 1, t.high - 1, t.high]
    some = sorted({v for v in near + ends if t.low <= v <= t.high})
    if t.bits == 8 and count < 3:
        some = list(range(t.low, t.high + 1))
    if count == 3:
        some = some[::3] + ends
    columns = zip(*product(some, repeat=count), strict=True)
    rng = np.random.default_rng(1)
    return [
        np.concatenate([codes_of(list(column), dtype), draw(rng, dtype, (300,))])
        for column in columns
    ]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("stage", STAGES)
def test_stages(stage: str, dtype: str) -> None:
    width = load().dtypes[dtype].bits
    inputs = inputs_of(stage, dtype)
    chain = Chain(dtype, (Step(stage, tuple("abc"[: len(inputs)])),), zero_div=True)
    found = run(chain, [(codes, dtype) for codes in inputs])
    operands = zip(*(values_of(codes, dtype) for codes in inputs), strict=True)
    want = codes_of([STAGES[stage](width, *values) for values in operands], dtype)
    assert found.dtype == want.dtype
    wrong = np.flatnonzero(found != want)
    assert wrong.size == 0, [codes[wrong[0]] for codes in (*inputs, found, want)]


@pytest.mark.parametrize("stage", ["divf", "divt", "modf", "modt"])
@pytest.mark.parametrize("dtype", TYPES)
def test_division_by_zero(stage: str, dtype: str) -> None:
    x, y = codes_of([7, 6], dtype), codes_of([2, 0], dtype)
    step = (Step(stage, ("a", "b")),)
    with pytest.raises(Trap) as caught:
        run(Chain(dtype, step), [(x, dtype), (y, dtype)])
    assert caught.value.name == "division"
    found = run(Chain(dtype, step, zero_div=True), [(x, dtype), (y, dtype)])
    assert found.tolist() == [3 if stage.startswith("div") else 1, 0]
    assert run(Chain(dtype, step), [(x, dtype), (x, dtype)]).tolist() in ([1, 1], [0, 0])


@pytest.mark.parametrize("dtype", [t for t in TYPES if load().dtypes[t].signed])
def test_the_least_integer_divided_by_minus_one(dtype: str) -> None:
    t = load().dtypes[dtype]
    x, y = codes_of([t.low], dtype), codes_of([-1], dtype)
    for stage, want in (("divf", t.low), ("divt", t.low), ("modf", 0), ("modt", 0)):
        found = run(Chain(dtype, (Step(stage, ("a", "b")),)), [(x, dtype), (y, dtype)])
        assert values_of(found, dtype) == [want]
