"""Reductions of rows and scans against loops over scalars."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from maiacc_isa.load import load
from maiacc_sim.arith.convert import container, from_float32
from maiacc_sim.arith.reductions import reduce_rows, row_stat, scan_rows
from maiacc_sim.traps import Trap
from sim.arith_oracle import NAN, Codes, add32, bits32, draw, edges, mul32, value

FLOATS = ("fp32", "bf16", "fp16")
INTEGERS = [t.name for t in load().dtypes.values() if t.is_int and t.bits >= 8]


def below(x: float, y: float) -> bool:
    """The order of min and max, for numbers: -0 is below +0."""
    return x < y or (x == y and math.copysign(1, x) < math.copysign(1, y))


def least(x: float, y: float) -> float:
    return math.nan if math.isnan(x + 0) or math.isnan(y) else x if below(x, y) else y


def most(x: float, y: float) -> float:
    return -least(-x, -y)


STEPS: dict[str, tuple[float, Callable[[float, float], float]]] = {
    "sum": (0.0, add32),
    "prod": (1.0, mul32),
    "max": (-math.inf, most),
    "min": (math.inf, least),
    "absmax": (0.0, most),
    "sumsq": (0.0, add32),
}


def reduced(op: str, row: list[float]) -> float:
    """The order of the manual, literally."""
    identity, step = STEPS[op]
    if op == "sumsq":
        row = [mul32(x, x) for x in row]
    if op == "absmax":
        row = [abs(x) for x in row]
    p = [identity] * 32
    for i, x in enumerate(row):
        p[i % 32] = step(p[i % 32], x)
    for h in (16, 8, 4, 2, 1):
        for j in range(h):
            p[j] = step(p[j], p[j + h])
    return p[0]


def rows_of(dtype: str, count: int, length: int, seed: int) -> Codes:
    """Numbers of many sizes, any bits, and edges."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, length)) * 2.0 ** rng.integers(-10, 10, (count, length))
    codes = from_float32(values.astype(np.float32), dtype)
    codes[0] = draw(rng, dtype, (length,))
    special = from_float32(rng.choice(edges(), length).view(np.float32), dtype)
    codes[1] = special
    codes[2] = np.where(np.isin(np.arange(length) % 7, (2, 5)), codes[2], special[:1])
    return codes


def floats(codes: Codes, dtype: str) -> list[float]:
    return [float(value(code, dtype)) for code in codes.tolist()]


def leave(values: list[float], dtype: str) -> list[int]:
    return [int(code) for code in from_float32(np.array(values, np.float32), dtype)]


@pytest.mark.parametrize("length", [0, 1, 2, 31, 32, 33, 63, 64, 65, 100, 257])
@pytest.mark.parametrize("op", STEPS)
def test_float_rows(op: str, length: int) -> None:
    codes = rows_of("fp32", 6, length, length) if length else np.zeros((6, 0), np.uint32)
    want = [bits32(reduced(op, floats(row, "fp32"))) for row in codes]
    assert reduce_rows(op, codes, "fp32", "fp32", None).tolist() == want
    if op != "prod":
        assert row_stat(op, codes).tolist() == want


@pytest.mark.parametrize("dst", FLOATS)
@pytest.mark.parametrize("src", [*FLOATS, "e4m3", "e2m1"])
@pytest.mark.parametrize("op", STEPS)
def test_float_types(op: str, src: str, dst: str) -> None:
    codes = rows_of(src, 5, 70, 1)
    want = [reduced(op, floats(row, src)) for row in codes]
    assert reduce_rows(op, codes, src, dst, None).tolist() == leave(want, dst)


@pytest.mark.parametrize("dst", FLOATS)
@pytest.mark.parametrize("op", ["sum", "prod", "max", "min"])
def test_a_carried_float_comes_last_as_first_operand(op: str, dst: str) -> None:
    codes = rows_of("fp32", 64, 40, 2)
    carry = from_float32(np.resize(edges(), 64).view(np.float32), dst)
    step = STEPS[op][1]
    want = [
        step(c, reduced(op, floats(row, "fp32")))
        for c, row in zip(floats(carry, dst), codes, strict=True)
    ]
    assert reduce_rows(op, codes, "fp32", dst, carry).tolist() == leave(want, dst)


def test_the_order_of_a_sum_can_be_seen() -> None:
    row = np.ones((1, 64), np.float32)
    row[0, 0], row[0, 32] = 2.0**24, 2.0**24
    # Partial 0 is 2^25; the 62 ones meet in the tree: 16 twos go to partial 0 first, and are lost.
    found = reduce_rows("sum", row.view(np.uint32), "fp32", "fp32", None).view(np.float32)
    assert found.tolist() == [reduced("sum", row[0].tolist())]
    assert found[0] != np.float32(math.fsum(row[0].tolist()))


def test_signs_of_zero_and_nan() -> None:
    zeros = np.array([[0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]], np.float32).view(np.uint32)
    minus = 1 << 31
    assert reduce_rows("max", zeros, "fp32", "fp32", None).tolist() == [0, 0, minus]
    assert reduce_rows("min", zeros, "fp32", "fp32", None).tolist() == [minus, minus, minus]
    assert reduce_rows("sum", zeros, "fp32", "fp32", None).tolist() == [0, 0, 0]
    assert reduce_rows("argmax", zeros, "fp32", "int32", None).tolist() == [0, 1, 0]
    assert reduce_rows("argmin", zeros, "fp32", "int32", None).tolist() == [1, 0, 0]
    dirty = np.array([[0x3F800000, 0xFFC00001]], np.uint32)
    for op in STEPS:
        assert reduce_rows(op, dirty, "fp32", "fp32", None).tolist() == [NAN]


def integers(codes: Codes, dtype: str) -> list[int]:
    return [int(value(code, dtype)) for code in codes.tolist()]


def whole(op: str, row: list[int], dst: str) -> int:
    t = load().dtypes[dst]
    if op in ("max", "min"):
        low, high = (0, 1) if dst == "bool" else (t.low, t.high)
        return max(row, default=low) if op == "max" else min(row, default=high)
    if op == "absmax":
        return max(map(abs, row), default=0)
    if op == "prod":
        return math.prod(row)
    return sum(x * x for x in row) if op == "sumsq" else sum(row)


def wrapped(values: list[int], dtype: str) -> list[int]:
    return [v & (1 << load().dtypes[dtype].bits) - 1 for v in values]


@pytest.mark.parametrize("dst", INTEGERS)
@pytest.mark.parametrize("src", [*INTEGERS, "bool"])
@pytest.mark.parametrize("op", STEPS)
def test_integer_rows(op: str, src: str, dst: str) -> None:
    rng = np.random.default_rng(3)
    bits = load().dtypes[src].bits
    for length in (0, 1, 45):
        codes = draw(rng, src, (7, length))
        codes[1:3] = codes[1:3] % 5
        codes[3] = 1 << (bits - 1)
        want = [whole(op, integers(row, src), dst) for row in codes]
        assert reduce_rows(op, codes, src, dst, None).tolist() == wrapped(want, dst)
        if op not in ("sum", "prod", "max", "min"):
            continue
        carry = draw(rng, dst, (7,))
        with_carry = []
        for c, before in zip(integers(carry, dst), want, strict=True):
            pair = [c, before]
            with_carry.append(whole(op, pair, dst))
        assert reduce_rows(op, codes, src, dst, carry).tolist() == wrapped(with_carry, dst)


def test_truth_values() -> None:
    codes = np.array([[0, 3, 0], [0, 0, 0], [255, 1, 2]], np.uint8)
    assert reduce_rows("max", codes, "bool", "bool", None).tolist() == [1, 0, 1]
    assert reduce_rows("min", codes, "bool", "bool", None).tolist() == [0, 0, 1]
    assert reduce_rows("sum", codes, "bool", "int32", None).tolist() == [1, 0, 3]
    carry = np.array([0, 7, 0], np.uint8)
    assert reduce_rows("max", codes, "bool", "bool", carry).tolist() == [1, 1, 1]
    none = np.zeros((1, 0), np.uint8)
    assert reduce_rows("max", none, "bool", "bool", None).tolist() == [0]
    assert reduce_rows("min", none, "bool", "bool", None).tolist() == [1]


@pytest.mark.parametrize("dtype", ["fp32", "bf16", "e2m1", "int8", "uint8", "int64", "uint64"])
@pytest.mark.parametrize("op", ["argmax", "argmin"])
def test_positions(op: str, dtype: str) -> None:
    rng = np.random.default_rng(4)
    codes = draw(rng, dtype, (40, 9))
    codes[:20] = codes[rng.integers(20, 40, 20)][:, rng.integers(0, 3, 9)]
    want = []
    for row in codes:
        values = [value(code, dtype) for code in row.tolist()]
        best = 0
        for i, x in enumerate(values):
            top = values[best]
            if isinstance(top, float) and math.isnan(top):
                break
            higher = below(top, x) if op == "argmax" else below(x, top)
            best = i if higher or (isinstance(x, float) and math.isnan(x)) else best
        want.append(best)
    for dst in ("int32", "int64"):
        found = reduce_rows(op, codes, dtype, dst, None)
        assert found.dtype == container(dst)
        assert found.tolist() == want
    with pytest.raises(Trap) as caught:
        reduce_rows(op, codes[:, :0], dtype, "int32", None)
    assert caught.value.name == "bounds"
    assert reduce_rows(op, codes[:0, :0], dtype, "int32", None).shape == (0,)


SCANS: dict[str, str] = {"add": "sum", "mul": "prod", "max": "max", "min": "min"}


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize(("src", "dst"), [("fp32", "fp32"), ("bf16", "fp16"), ("fp16", "bf16")])
@pytest.mark.parametrize("op", SCANS)
def test_float_scans(op: str, src: str, dst: str, carried: bool) -> None:
    identity, step = STEPS[SCANS[op]]
    for length in (0, 1, 50):
        codes = rows_of(src, 8, length, 5) if length else np.zeros((8, 0), container(src))
        codes[3:4, :1] = 1 << (load().dtypes[src].bits - 1)
        carry = from_float32(np.resize(edges()[::7], 8).view(np.float32), dst)
        found = scan_rows(op, codes, src, dst, carry if carried else None)
        assert found.shape == codes.shape
        for r, row in enumerate(codes):
            running = floats(carry, dst)[r] if carried else identity
            want = []
            for x in floats(row, src):
                running = step(running, x)
                want.append(running)
            assert found[r].tolist() == leave(want, dst)


@pytest.mark.parametrize("dst", ["int32", "int64", "uint32", "uint64"])
@pytest.mark.parametrize("src", [*INTEGERS, "bool"])
@pytest.mark.parametrize("op", SCANS)
def test_integer_scans(op: str, src: str, dst: str) -> None:
    """Elements are converted to the destination's type, in which everything wraps."""
    t = load().dtypes[dst]
    rng = np.random.default_rng(6)

    def held(x: int) -> int:
        low = x & (1 << t.bits) - 1
        return low - (1 << t.bits) if low > t.high else low

    codes = draw(rng, src, (5, 20))
    codes[:2] = codes[:2] % 4
    for carry in (None, draw(rng, dst, (5,))):
        found = scan_rows(op, codes, src, dst, carry)
        for r, row in enumerate(codes):
            running = whole(SCANS[op], [], dst) if carry is None else integers(carry, dst)[r]
            for c, x in enumerate(integers(row, src)):
                running = held(whole(SCANS[op], [running, held(x)], dst))
                assert found[r, c] == wrapped([running], dst)[0]


def test_operations_are_those_of_the_rows() -> None:
    labels = {label.name for label in load().enums["reduce"].labels}
    assert labels == {*STEPS, "argmax", "argmin"}
    assert {label.name for label in load().enums["scanop"].labels} == set(SCANS)
    assert {label.name for label in load().enums["stat"].labels} - {"none"} <= set(STEPS)
