"""Arrays that stand for HBM as they are, run after run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.errors import MaiaccError
from maiacc_sim.native.machine import NativeMachine

TEXT = """mist 1.0
target mini
input  X : fp32[4, 2] @ 0x0
output Y : fp32[4, 2] @ 0x40
block main {
  buffer t : fp32[2] @tsram 0x0
  sem here : LD0 -> TVP tile
  sem done : TVP -> ST tile
  chain twice : fp32 = add(a, a)
  LD0 copy t{i:2}[i], X{m:1, i:2}[gtile, i] post(here)
  TVP vmap t{i:2}[i], t{i:2}[i] chain=twice wait(here) post(done)
  ST copy Y{m:1, i:2}[gtile, i], t{i:2}[i] wait(done)
}
"""


def machine() -> NativeMachine:
    """A machine with a program that adds X to itself, proven."""
    return NativeMachine(assemble(TEXT))


def numbers(first: float = 0.0) -> Any:
    """An input."""
    return np.arange(8, dtype=np.float32).reshape(4, 2) + np.float32(first)


def test_an_array_that_is_given_again_is_read_again() -> None:
    m, x = machine(), numbers()
    for turn in range(3):
        x += np.float32(turn)
        assert np.array_equal(m.execute({"X": x}).outputs["Y"], 2 * x)


def test_every_run_has_outputs_of_its_own() -> None:
    m = machine()
    found = [m.execute({"X": numbers(n)}).outputs["Y"] for n in range(3)]
    assert all(np.array_equal(y, 2 * numbers(n)) for n, y in enumerate(found))
    found[0][:] = -1
    assert np.array_equal(m.execute({"X": found[1]}).outputs["Y"], 4 * numbers(1))
    assert np.array_equal(found[1], 2 * numbers(1))


@pytest.mark.parametrize("way", ["read-only", "transposed", "unaligned", "plain"])
def test_any_layout_is_taken_between_others(way: str) -> None:
    m = machine()
    for given in (numbers(), _laid_out(numbers(3), way), numbers(5)):
        before = given.copy()
        assert np.array_equal(m.execute({"X": given}).outputs["Y"], 2 * before)
        assert np.array_equal(given, before)


def _laid_out(x: Any, way: str) -> Any:
    if way == "read-only":
        x.flags.writeable = False
    if way == "transposed":
        return np.asfortranarray(x)
    if way == "unaligned":
        data = np.zeros(x.nbytes + 1, np.uint8)
        data[1:] = x.reshape(-1).view(np.uint8)
        return np.frombuffer(data.data, x.dtype, offset=1).reshape(x.shape)
    return x


def test_an_array_that_was_changed_since_is_looked_at_again() -> None:
    m, x = machine(), numbers()
    m.execute({"X": x})
    x.shape = (2, 4)
    with pytest.raises(MaiaccError) as refused:
        m.execute({"X": x})
    assert refused.value.code == "E1203"
    for wrong in ({}, {"X": numbers(), "Z": numbers()}, {"X": numbers().astype(np.float64)}):
        with pytest.raises(MaiaccError):
            m.execute(wrong)
    assert np.array_equal(m.execute({"X": numbers()}).outputs["Y"], 2 * numbers())
