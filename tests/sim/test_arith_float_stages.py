"""Stages of class float against exact fractions, on edges and on any bits."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from maiacc_isa.function_eval import evaluate
from maiacc_isa.load import load
from maiacc_isa.tables import Chain, Step
from maiacc_sim.arith.chains import run
from sim.arith_oracle import NAN, Codes, add32, bits32, draw, edges, mul32, round32

SIGN = 1 << 31


def real(code: int) -> float:
    return float(struct.unpack("<f", struct.pack("<I", code))[0])


def divide(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y) or (math.isinf(x) and math.isinf(y)) or x == y == 0:
        return math.nan
    sign = math.copysign(1.0, x) * math.copysign(1.0, y)
    if math.isinf(x) or y == 0:
        return sign * math.inf
    if math.isinf(y) or x == 0:
        return sign * 0.0
    return math.copysign(round32(Fraction(x) / Fraction(y)), sign)


def root(x: float) -> float:
    if x < 0 or math.isnan(x):
        return math.nan
    if x == 0 or math.isinf(x):
        return x
    scaled = int(Fraction(x) * (1 << 400))
    whole = math.isqrt(scaled)
    # What is left over cannot be seen, but it decides on which side of a middle the root is.
    rest = Fraction(1, 2) if whole * whole != scaled else Fraction(0)
    return round32((whole + rest) / (1 << 200))


def remainder(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y) or math.isinf(x) or y == 0:
        return math.nan
    if math.isinf(y) or x == 0:
        return x
    a, b = abs(Fraction(x)), abs(Fraction(y))
    return math.copysign(float(a - b * (a // b)), x)


def whole(way: Callable[[Fraction], int]) -> Callable[[float], float]:
    def rounded(x: float) -> float:
        return math.copysign(float(way(Fraction(x))), x) if math.isfinite(x) else x

    return rounded


def least(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y):
        return math.nan
    return min((x, math.copysign(1, x)), (y, math.copysign(1, y)))[0]


def most(x: float, y: float) -> float:
    return -least(-x, -y)


#: Stages that compute: values to the value, NaN to be made canonical.
COMPUTED: dict[str, Callable[..., float]] = {
    "add": add32,
    "sub": lambda x, y: add32(x, -y),
    "mul": mul32,
    "madd": lambda x, y, z: add32(mul32(x, y), z),
    "min": least,
    "max": most,
    "clamp": lambda x, y, z: least(most(x, y), z),
    "eq": lambda x, y: float(x == y),
    "ne": lambda x, y: float(x != y),
    "lt": lambda x, y: float(x < y),
    "le": lambda x, y: float(x <= y),
    "relu": lambda x: x if math.isnan(x) or x > 0 else 0.0,
    "div": divide,
    "recip": lambda x: divide(1.0, x),
    "sqrt": root,
    "frem": remainder,
    "rne": whole(round),
    "floor": whole(math.floor),
    "ceil": whole(math.ceil),
    "trunc": whole(math.trunc),
}

#: Stages that move: codes to the code.
MOVED: dict[str, Callable[..., int]] = {
    "mov": lambda x: x,
    "neg": lambda x: x ^ SIGN,
    "abs": lambda x: x & ~SIGN,
    "select": lambda x, y, z: y if x & ~SIGN else z,
}

FUNCTIONS = [s.name for s in load().stages.values() if s.function]


def test_every_float_stage_is_tested() -> None:
    rows = {s.name for s in load().stages.values() if "float" in s.classes}
    assert rows == {*COMPUTED, *MOVED, *FUNCTIONS}


def inputs_of(stage: str, seed: int) -> list[Codes]:
    """Edges in every combination, any bits, and numbers of similar size."""
    count = load().stages[stage].inputs
    rng = np.random.default_rng(seed)
    some = edges() if count < 3 else edges()[::4]
    grids = [grid.reshape(-1) for grid in np.meshgrid(*[some] * count)]
    near = [
        (rng.standard_normal(3000) * 2.0 ** rng.integers(-12, 12, 3000)).astype(np.float32)
        for _ in range(count)
    ]
    halves = [(rng.integers(-60, 60, 500) / 4).astype(np.float32) for _ in range(count)]
    return [
        np.concatenate([grid, draw(rng, "fp32", (3000,)), x.view(np.uint32), h.view(np.uint32)])
        for grid, x, h in zip(grids, near, halves, strict=True)
    ]


def apply(stage: str, inputs: list[Codes]) -> list[int]:
    chain = Chain("fp32", (Step(stage, tuple("abc"[: len(inputs)])),))
    found = run(chain, [(codes, "fp32") for codes in inputs])
    assert found.dtype == np.uint32
    return [int(code) for code in found]


@pytest.mark.parametrize("stage", COMPUTED)
def test_stages_that_compute(stage: str) -> None:
    inputs = inputs_of(stage, 1)
    if stage == "frem":
        # Fractions of astronomic quotients take their time; some are enough.
        inputs = [codes[::3] for codes in inputs]
    found = apply(stage, inputs)
    for *codes, result in zip(*(x.tolist() for x in inputs), found, strict=True):
        want = bits32(COMPUTED[stage](*(real(code) for code in codes)))
        assert result == want, ([f"{code:08x}" for code in codes], hex(result), hex(want))


@pytest.mark.parametrize("stage", MOVED)
def test_stages_that_move_bits(stage: str) -> None:
    inputs = inputs_of(stage, 2)
    signalling = np.array([0x7F800001, 0xFFC00003, 0xFF812345, 0], np.uint32)
    inputs = [np.concatenate([codes, np.roll(signalling, i)]) for i, codes in enumerate(inputs)]
    want = [MOVED[stage](*codes) for codes in zip(*(x.tolist() for x in inputs), strict=True)]
    assert apply(stage, inputs) == want


@pytest.mark.parametrize("stage", FUNCTIONS)
def test_functions_are_those_of_the_manual(stage: str) -> None:
    inputs = inputs_of(stage, 3)
    want = evaluate(load().stages[stage].function or "", *(x.view(np.float32) for x in inputs))
    assert apply(stage, inputs) == want.view(np.uint32).tolist()


def test_results_that_are_known() -> None:
    def one(stage: str, *values: float) -> list[float]:
        chain = Chain("fp32", (Step(stage, tuple("abc"[: len(values)])),))
        codes = [(np.array([x], np.float32).view(np.uint32), "fp32") for x in values]
        return [float(x) for x in run(chain, codes).view(np.float32)]

    assert one("div", 1.0, 3.0) == [float(np.float32(1 / 3))]
    assert one("frem", -7.5, 2.0) == [-1.5]
    assert one("madd", 1 + 2.0**-23, 1 + 2.0**-23, -1.0) == [2.0**-22]
    assert one("sqrt", 2.0) == [float(np.float32(math.sqrt(2)))]
    assert one("rne", 2.5) == [2.0]
    assert one("exp", 0.0) == [1.0]


def test_nan_of_an_operation_is_canonical() -> None:
    dirty = np.array([0xFFC00001], np.uint32)
    for stage in COMPUTED:
        count = load().stages[stage].inputs
        found = apply(stage, [dirty] * count)
        assert found == [NAN] or stage in ("eq", "ne", "lt", "le")
