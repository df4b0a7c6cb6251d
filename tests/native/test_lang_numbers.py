"""The native language: what integers do, and which code runs."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from native.lang_call import call

#: Whole numbers at the edges.
EDGES = [0, 1, -1, 2, -2, 3, 7, -7, 8, -8, 63, 64, 255, -256, 1 << 31, -(1 << 31), (1 << 62) - 1]


def wrapped(number: int) -> int:
    """A number as 64 bits have it."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def pairs() -> Iterator[tuple[int, int]]:
    """Numbers at the edges with each other, and random ones of all sizes."""
    yield from ((a, b) for a in EDGES for b in EDGES)
    rng = random.Random(3)
    for _ in range(500):
        a, b = (rng.randrange(-(1 << n), 1 << n) for n in (rng.randrange(63), rng.randrange(63)))
        yield a, b


def results(name: str, *numbers: int) -> list[int]:
    """What a sample writes to its last argument."""
    out = np.full(16, -99, np.int64)
    written: list[int] = out[: call(name, *numbers, out)].tolist()
    return written


# ---- integers -----------------------------------------------------------------------------------


def test_arithmetic_is_pythons_in_64_bits() -> None:
    for a, b in pairs():
        wanted = [a + b, a - b, a * b, a & b, a | b, a ^ b, -a, ~a]
        assert results("arithmetic", a, b) == [wrapped(n) for n in wanted], (a, b)


def test_division_rounds_down() -> None:
    for a, b in pairs():
        if b:
            wanted = [a // b, a % b, a // 8, a % 8, a // 7, a % 7, a // -5, a % -5, a, 0]
            assert results("division", a, b) == wanted, (a, b)


def test_shifts() -> None:
    for a, b in pairs():
        n = b % 64
        wanted = [wrapped(a << n), a >> n, wrapped((a % (1 << 64)) >> n), wrapped(a << 3), a >> 3]
        assert results("shifts", a, n) == wanted, (a, n)


def test_operations_of_unsigned_numbers() -> None:
    for a, b in pairs():
        if b:
            x, y = a % (1 << 64), b % (1 << 64)
            cut = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
            fits = [-(1 << 63) <= n < 1 << 63 for n in (a * b, a + b)]
            wanted = [wrapped(x // y), wrapped(x % y), x < y, cut, min(a, b), max(a, b), *fits]
            assert results("unsigned", a, b) == [*wanted, 64 - x.bit_length()], (a, b)


def test_comparisons_and_what_combines_them() -> None:
    numbers = [-5, -1, 0, 1, 2, 5]
    for a, b, c in ((a, b, c) for a in numbers for b in numbers for c in numbers):
        parts = [a < b, a <= b < c, a == b or b == c, not (a != b and b > c), a >= b >= c, a != 0]
        positive = a > 0 and b > 0 and c > 0
        wanted = sum(1 << n for n, part in enumerate(parts) if part) + (64 if positive else 128)
        assert call("comparisons", a, b, c) == wanted, (a, b, c)


def test_the_right_side_is_computed_if_it_decides() -> None:
    calls = np.zeros(1, np.int64)
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        wanted = (a and b) + 2 * (a or b) + 4 * (a if b else 0)
        assert call("short_circuits", a, b, calls) == wanted
        assert calls[0] == (2 if a else 1) + (1 if a else 2) + (1 if b else 0)


def test_constants_are_known_while_translating() -> None:
    assert call("constants", 5) == 5 + (2**3 - 17 // 4 % 3) << 3


# ---- control flow -------------------------------------------------------------------------------


def _loops(n: int) -> list[int]:
    first = sum(i for i in range(min(n, 21)) if i % 3 != 1)
    third = sum(sum(range(2, min(i, 5))) for i in range(1, n + 1) if not i & 1)
    return [first, sum(i * i for i in range(n, -n, -2)), third, 12 * n + 1000, n + 10]


@pytest.mark.parametrize("n", [-3, 0, 1, 2, 5, 6, 20, 21, 22, 100])
def test_loops(n: int) -> None:
    assert results("loops", n) == _loops(n)


def test_a_case_is_chosen() -> None:
    found = {n: call("chosen", n) for n in (-1, 0, 1, 2, 7, 8, 9, 1 << 40)}
    assert found == {
        -1: 999,
        0: 10,
        1: 10,
        2: 1002,
        7: 70,
        8: 1008,
        9: 90,
        1 << 40: 1000 + (1 << 40),
    }
    assert [call("partial", n) for n in (1, 2, 3, 4)] == [1, 20, 4, 4]


def test_functions_by_number() -> None:
    assert [call("dispatch", n, 21) for n in (-1, 0, 1, 5, 6, 1 << 40)] == [-7, 22, -7, 42, -7, -7]
