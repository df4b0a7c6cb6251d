"""The debugger: programs that trap, hang or run out of what they may use."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.errors import MaiaccError
from maiacc_isa.program import Program
from maiacc_sim.debug.debugger import Debugger
from maiacc_sim.debug.machine import Checkpoints
from maiacc_sim.machine import Limits
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.tensors import random_inputs
from sim.test_debugger import debug, demo, digest, everything
from support import ROOT

HEAD = 'mist 1.0\ntarget mini\ninput X : fp32[8] @ 0x0\nstate Y : fp32[8] @ 0x100 in "Y" out "Z"\n'


def program(body: str, head: str = HEAD) -> Program:
    return assemble(f"{head}block main {{\n{body}\n}}\n", "small.mist")


TRAPS = {
    "uninitialised": """  buffer t : fp32[8] @tsram 0x0
  LD0 copy t{i:4}[i], X{i:4}[i]
  ST copy Y{i:8}[i], t{i:8}[i]""",
    "table_index": """  table few = [1, 2]
  LD0 sync
  s0 = tile on tile
  s1 = few[s0 + 1] on tile""",
    "bounds": """  buffer t : fp32[8] @tsram 0x0
  s0 = 9 on tile
  LD0 sync
  LD0 copy t{i:s0 of 8}[i], X{i:s0 of 8}[i]""",
    "interval": "  s0 = sld Y{}[0] in 0..1 on chip",
    "deadlock": "  sem never : LD0 -> ST tile\n  LD0 sync\n  ST sync wait(never)",
}


@pytest.mark.parametrize("name", sorted(TRAPS))
def test_a_trap_is_debugged_up_to(name: str) -> None:
    head = HEAD.replace("fp32", "int32") if name == "interval" else HEAD
    wrong = program(TRAPS[name], head)
    inputs = random_inputs(wrong, 3)
    if name == "interval":
        inputs["Y"][0] = 2
    with pytest.raises(MaiaccError) as caught:
        simulate(wrong, inputs)
    debugger = Debugger(wrong, inputs, checkpoints=Checkpoints(interval=1))
    assert debugger.failure is not None
    assert debugger.position.cycle is None
    assert debugger.cycles is None
    stop = debugger.run_to_trap()
    assert stop.reason == "trap"
    assert str(stop.trap) == str(caught.value)
    assert name in str(stop.trap)
    assert debugger.position.event == debugger.events
    there = everything(debugger)
    assert debugger.step().reason == "trap"
    assert everything(debugger) == there
    if debugger.events:
        assert debugger.back().reason in ("step", "start")
        assert debugger.stopped is None
        assert debugger.step().reason == "trap"
        assert everything(debugger) == there
    standing = debugger.next
    expected = {"uninitialised": 1, "table_index": 2, "bounds": 2, "interval": 0}.get(name)
    assert (standing.word.index if standing else None) == expected


@pytest.mark.parametrize("interval", [1, 3, 1000])
def test_the_way_to_a_deadlock_is_the_same_in_both_directions(interval: int) -> None:
    text = (ROOT / "maiacc" / "data" / "demo.mist").read_text("utf-8")
    hangs = assemble(text.replace("post(freeA, freeB)", "post(freeB)"), "hangs.mist")
    debugger = debug(hangs, checkpoints=Checkpoints(interval=interval))
    there = [everything(debugger)]
    while debugger.step().reason == "step":
        there.append(everything(debugger))
    there.append(everything(debugger))
    assert len(there) == debugger.events + 1
    for event in (27, 26, 20, 5, 13, 28, 1):
        now = debugger.position.event
        if event < now:
            debugger.back(now - event)
        else:
            debugger.step(event - now)
        assert everything(debugger) == there[event], event
    assert debugger.run().reason == "trap"
    assert everything(debugger) == there[-1]


def test_a_trap_that_only_the_order_of_time_shows() -> None:
    """In program order the load comes before the vector word; nothing makes it so."""
    late = program(
        """  buffer a : fp32[8] @tsram 0x0
  buffer b : fp32[8] @tsram 0x40
  sem go : LD1 -> LD0 tile
  chain copy : fp32 = mov(a)
  LD1 copy b{i:8}[i], X{i:8}[i] post(go)
  LD0 copy a{i:8}[i], X{i:8}[i] wait(go)
  TVP vmap a{i:8}[i], a{i:8}[i] chain=copy"""
    )
    debugger = debug(late)
    assert debugger.failure is None
    stop = debugger.run()
    assert stop.reason == "trap"
    assert stop.trap is not None
    assert stop.trap.code == "E1102"
    standing = debugger.next
    assert standing is not None
    assert standing.at == ("main", 2)
    assert debugger.position.cycle == 3
    there = everything(debugger)
    assert debugger.run().reason == debugger.step().reason == "trap"
    debugger.back(2)
    debugger.step(2)
    assert debugger.run_to_cycle(10).reason == "trap"
    assert everything(debugger) == there


def test_a_scalar_that_depends_on_the_order_is_a_race() -> None:
    racy = program(
        """  buffer t : int32[8] @tsram 0x0
  sem loaded : LD0 -> ST tile
  LD0 copy t{i:8}[i], X{i:8}[i] post(loaded)
  ST copy Y{i:8}[i], t{i:8}[i] wait(loaded)
  s0 = sld Y{}[0] in 0..99 on tile""",
        HEAD.replace("fp32", "int32"),
    )
    inputs = {"X": np.full(8, 7, np.int32), "Y": np.zeros(8, np.int32)}
    debugger = Debugger(racy, inputs)
    stop = debugger.run()
    assert stop.trap is not None
    assert (stop.trap.code, stop.trap.expected, stop.trap.found) == ("E1103", "7", "0")


def test_an_output_that_is_not_complete_stops_at_the_end() -> None:
    head = HEAD.replace('state Y : fp32[8] @ 0x100 in "Y" out "Z"', "output Y : fp32[8] @ 0x100")
    debugger = debug(program("  LD0 sync", head))
    stop = debugger.run()
    assert stop.trap is not None
    assert stop.trap.code == "E1102"
    assert debugger.position.event == debugger.events
    assert debugger.back().reason != "trap"


@pytest.mark.parametrize(
    "limits", [Limits(cycles=20), Limits(memory=2_200_000), Limits(cycles=2000)]
)
def test_a_budget_ends_the_program(limits: Limits) -> None:
    with pytest.raises(MaiaccError) as caught:
        simulate(
            demo(), random_inputs(demo(), 1), options=Options(limits=limits, engine="reference")
        )
    debugger = debug(limits=limits)
    stop = debugger.run_to_trap()
    assert stop.trap is not None
    assert stop.trap.code == caught.value.code == "E1206"
    assert debugger.back().reason in ("step", "start")
    assert debugger.stopped is None


def test_a_block_that_cannot_be_entered() -> None:
    text = """mist 1.0
target mini
block first {
  s0 = 5 on chip
  LD0 sync
}
block second {
  in s0 : 0..3
  LD0 sync
}
control {
  call first
  call second
}
"""
    debugger = debug(assemble(text))
    stop = debugger.run()
    assert stop.trap is not None
    assert stop.trap.code == "E1105"
    assert debugger.position.event == 4
    assert debugger.next is None
    assert debugger.block.name == "first"


def test_two_debuggers_do_not_disturb_each_other() -> None:
    one, other = debug(), debug()
    one.run_to_cycle(1000)
    before = everything(one)
    other.run_to_end()
    assert everything(one) == before
    assert digest(one) != digest(other)
