"""The plain machine's numbers: conversions, exact sums and functions of the manual."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from conftest import ROOT
from sim import plain_float as pf
from sim.plain_functions import evaluate
from sim.plain_numbers import PlainTrap, convert, decode, nearest


def test_conversions_of_the_manual() -> None:
    one_and_a_tenth = 0x3F8CCCCD
    assert convert(one_and_a_tenth, "fp32", "bf16") == 0x3F8D
    assert convert(one_and_a_tenth, "fp32", "e4m3") == 0x39
    for value, plain, saturated in ((465, 0x7F, 0x7E), (460, 0x7E, 0x7E), (-465, 0x7F, 0xFE)):
        code = nearest("fp32", int(value < 0), abs(value), 0)
        assert convert(code, "fp32", "e4m3") == plain
        assert convert(code, "fp32", "e4m3", saturate=True) == saturated
    assert convert(nearest("fp32", 0, 5, 1), "fp32", "int8") == 2
    assert convert(nearest("fp32", 0, 7, 1), "fp32", "int8") == 4
    assert convert(nearest("fp32", 1, 5, 1), "fp32", "int8", rule="floor") == 0xFD
    with pytest.raises(PlainTrap, match="conversion"):
        convert(nearest("fp32", 0, 128, 0), "fp32", "int8")


def test_a_product_is_added_exactly() -> None:
    # (1 + 2**-23)**2 - (1 + 2**-22) = 2**-46; the product alone rounds to 1 + 2**-22.
    x, y = pf.ONE + 1, (pf.ONE + 2) | pf.SIGN
    assert pf.multiply_add(decode(x, "fp32"), decode(x, "fp32"), y) == nearest("fp32", 0, 1, 46)
    assert pf.add(pf.mul(x, x), y) == 0


def test_quotients_and_roots_are_rounded_once() -> None:
    for top, bottom in ((1, 3), (2, 3), (355, 113), (1, 1 << 40)):
        x, y = (nearest("fp32", 0, n, 0) for n in (top, bottom))
        got = Fraction(decode(pf.div(x, y), "fp32").size, 1 << 149)
        # Within half of the last of 24 places.
        assert abs(got / Fraction(top, bottom) - 1) <= Fraction(1, 1 << 24)
    two = decode(pf.sqrt(nearest("fp32", 0, 2, 0)), "fp32")
    assert abs(Fraction(two.size, 1 << 149) ** 2 / 2 - 1) < Fraction(1, 1 << 23)


def test_functions_give_what_the_manual_prints() -> None:
    text = (ROOT / "docs" / "isa" / "functions.md").read_text("utf-8")
    checked = 0
    for name, body in re.findall(r"^### (\w+)\n(.*?)(?=^### )", text, re.S | re.M):
        for arguments, result in re.findall(r"((?:[0-9a-f]{8} )+)-> ([0-9a-f]{8})", body):
            codes = [int(code, 16) for code in arguments.split()]
            assert evaluate(name, *codes) == int(result, 16), (name, arguments)
            checked += 1
    assert checked >= 400
