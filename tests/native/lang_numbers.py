"""Functions in the native language: integers, and what decides which code runs."""

from __future__ import annotations

from maiacc_sim.native.lang.dispatch import by_number
from maiacc_sim.native.lang.functions import given, native
from maiacc_sim.native.lang.names import Array, i64
from maiacc_sim.native.lang.operations import (
    add_fits,
    choose,
    largest,
    leading_zeros,
    lshr,
    mul_fits,
    sdiv,
    smallest,
    udiv,
    ult,
    unrolled,
    urem,
)

#: A constant of the module, and one that decides what is translated at all.
THREE = 3
WITH_MORE = False


@native(export=True)
def arithmetic(a: i64, b: i64, out: Array[i64]) -> i64:
    """What Python's operators give, as long as nothing overflows."""
    out[0] = a + b
    out[1] = a - b
    out[2] = a * b
    out[3] = a & b
    out[4] = a | b
    out[5] = a ^ b
    out[6] = -a
    out[7] = ~a
    return 8


@native(export=True)
def division(a: i64, b: i64, out: Array[i64]) -> i64:
    """Division rounded down and its remainder; b is not 0."""
    out[0] = a // b
    out[1] = a % b
    out[2] = a // 8
    out[3] = a % 8
    out[4] = a // 7
    out[5] = a % 7
    out[6] = a // -5
    out[7] = a % -5
    out[8] = a // 1
    out[9] = a % 1
    return 10


@native(export=True)
def shifts(a: i64, count: i64, out: Array[i64]) -> i64:
    """Counts from 0 to 63."""
    out[0] = a << count
    out[1] = a >> count
    out[2] = lshr(a, count)
    out[3] = a << 3
    out[4] = a >> THREE
    return 5


@native(export=True)
def unsigned(a: i64, b: i64, out: Array[i64]) -> i64:
    """Numbers read as unsigned ones."""
    out[0] = udiv(a, b)
    out[1] = urem(a, b)
    out[2] = choose(ult(a, b), 1, 0)
    out[3] = sdiv(a, b)
    out[4] = smallest(a, b)
    out[5] = largest(a, b)
    out[6] = choose(mul_fits(a, b), 1, 0)
    out[7] = choose(add_fits(a, b), 1, 0)
    out[8] = leading_zeros(a)
    return 9


@native(export=True)
def comparisons(a: i64, b: i64, c: i64) -> i64:
    """Comparisons, chains of them, and what combines them, a bit each."""
    found = 0
    if a < b:
        found |= 1
    if a <= b < c:
        found |= 2
    if a == b or b == c:
        found |= 4
    if not (a != b and b > c):
        found |= 8
    if a >= b >= c:
        found |= 16
    if a:
        found |= 32
    found |= 64 if a > 0 and b > 0 and c > 0 else 128
    return found


@native()
def note(calls: Array[i64], number: i64) -> bool:
    """Whether a number is odd; counts that it was asked."""
    calls[0] += 1
    return number & 1 != 0


@native(export=True)
def short_circuits(a: i64, b: i64, calls: Array[i64]) -> i64:
    """The right side is only computed if it decides."""
    calls[0] = 0
    both = note(calls, a) and note(calls, b)
    either = note(calls, a) or note(calls, b)
    one = note(calls, a) if b > 0 else False
    return choose(both, 1, 0) + choose(either, 2, 0) + choose(one, 4, 0)


@native(export=True)
def loops(n: i64, out: Array[i64]) -> i64:
    """Sums over loops of every kind."""
    total = 0
    for i in range(n):
        if i % 3 == 1:
            continue
        if i > 20:
            break
        total += i
    out[0] = total
    total = 0
    for i in range(n, -n, -2):
        total += i * i
    out[1] = total
    total = 0
    i = 0
    while True:
        i += 1
        if i > n:
            break
        if i & 1:
            continue
        for j in range(2, i):
            if j == 5:
                break
            total += j
    out[2] = total
    total = 0
    for k in unrolled(1, 10, THREE):
        total += k * n
        if k == 4:
            total += 1000
    out[3] = total
    for i in range(5):
        n = n + i
    out[4] = n
    return 5


@native(export=True)
def chosen(number: i64) -> i64:
    """``match`` over constants."""
    result = -1
    match number:
        case 0 | 1:
            result = 10
        case 7:
            return 70
        case 9:
            if number == 9:
                result = 90
        case _:
            result = number + 1000
    return result


@native(export=True)
def partial(number: i64) -> i64:
    """A ``match`` that may fit nothing."""
    match number:
        case 2:
            return 20
        case 3:
            number += 1
    return number


@native()
def ones(x: i64) -> i64:
    """A function of ``named``."""
    return x + 1


@native()
def twos(x: i64) -> i64:
    """Another one."""
    return x * 2


@given(by_number({0: ones, 5: twos}, -7))
def named(number: i64, x: i64) -> i64:
    """The function of a number applied to x; -7 for other numbers."""
    raise NotImplementedError


@native(export=True)
def dispatch(number: i64, x: i64) -> i64:
    """Calls what a generator has written."""
    return named(number, x)


@native(export=True)
def constants(x: i64) -> i64:
    """What is known is decided while translating; what is not translated may be nonsense."""
    if WITH_MORE:
        x = there_is_no_such_name(x)  # type: ignore[name-defined]  # noqa: F821
    y: i64 = x + (2**THREE - 17 // 4 % 3) * (1 if not WITH_MORE else 5)
    return y << (THREE if THREE > 2 else 0)
