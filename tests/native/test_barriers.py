"""Barriers of chips when several threads come to them at once."""

from __future__ import annotations

from maiacc_isa.asm import assemble
from maiacc_isa.lint.known import is_proven
from maiacc_sim.native.machine import NativeMachine

#: Chips meet at a barrier in every turn. They wait for their clusters in another queue, so that
#: they are woken, and look at the barrier anew, while another chip comes to it.
TEXT = """mist 1.0
target mini2
block main {
  buffer x : uint8[64] @csram 0x0
  sem tick : CST -> NET1 chip
  loop i < 500 on chip, cluster {
    CST fill x{i:64}[i] value=1 post(tick)
    NET1 sync wait(tick)
    NET0 bar group=all
  }
}
"""


def test_chips_that_are_woken_at_a_barrier_pass_it_once() -> None:
    # Where a chip was noted twice, one run in three of three threads came to a deadlock.
    program = assemble(TEXT)
    assert is_proven(program)
    for _ in range(10):
        machine = NativeMachine(program, threads=3)
        for _ in range(2):
            assert machine.execute({}).words == 500 * (4 + 2 + 2)
