"""The debugger: the order of words, what it shows in every cycle, and going back."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache
from typing import Any
from unittest import mock

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.errors import MaiaccError
from maiacc_isa.program import Program
from maiacc_sim.debug.debugger import Debugger
from maiacc_sim.debug.machine import Checkpoints
from maiacc_sim.executor import Executor
from maiacc_sim.simulate import Options, Result, simulate
from maiacc_sim.tensors import random_inputs
from sim.cycles_table import FILES, read
from sim.programs import draw
from support import ROOT


@cache
def demo() -> Program:
    return assemble((ROOT / "maiacc" / "data" / "demo.mist").read_text("utf-8"), "demo.mist")


@cache
def timed() -> Result:
    return simulate(
        demo(), random_inputs(demo(), 1), options=Options(record=True, engine="reference")
    )


def debug(program: Program | None = None, **options: Any) -> Debugger:
    program = program or demo()
    return Debugger(program, random_inputs(program, 1), **options)


def digest(debugger: Debugger) -> str:
    return debugger._replay.machine.memories.digest()


def everything(debugger: Debugger) -> tuple[object, ...]:
    """All that the debugger can show."""
    looks = (
        debugger.queues, debugger.control, debugger.tokens, debugger.registers, debugger.loops,
    )  # fmt: skip
    shown = [look(instance) for instance in debugger.system.instances for look in looks]
    return debugger.position, debugger.next, str(debugger.stopped), digest(debugger), shown


# ---- order ------------------------------------------------------------------------------------


def test_words_come_in_the_order_in_which_they_start() -> None:
    recorder, engine = timed().recorder, timed().timed.engine
    assert recorder is not None
    variants = [engine.variant(number) for number in recorder.variant]
    expected = sorted(
        (begin, v.queue.number, v.index) for begin, v in zip(recorder.begin, variants, strict=True)
    )
    debugger, found = debug(), []
    assert debugger.position.cycle == 0
    debugger.run_to_cycle(expected[0][0])
    while (standing := debugger.next) is not None:
        found.append((debugger.position.cycle, standing.queue.number, standing.word.index))
        assert standing.word.iteration is not None
        debugger.step()
    assert found == expected
    assert len(found) == debugger.events == timed().timed.totals.instructions
    assert debugger.position.cycle == debugger.cycles == timed().cycles


#: Among them: a graph of blocks, scalar loads, two chips.
SEEDS = (0, 1, 2, 5, 8, 13)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_programs_end_as_they_do_without_it(seed: int) -> None:
    drawn = draw(seed)
    inputs = random_inputs(drawn.program, seed)
    result = simulate(drawn.program, inputs, drawn.parameters, Options(engine="reference"))
    debugger = Debugger(drawn.program, inputs, drawn.parameters)
    assert debugger.run_to_end().reason == "end"
    assert debugger.position.cycle == result.cycles
    assert result.executed is not None
    assert digest(debugger) == result.executed.memories.digest()


@pytest.mark.parametrize("name", ["barrier", "two_blocks_two_chips", "control_graph", "empty"])
def test_programs_of_the_table_come_to_their_ends(name: str) -> None:
    entry = read(next(path for path in FILES if path.stem == name))
    debugger = Debugger(entry.program, random_inputs(entry.program, 0), entry.params)
    assert debugger.run().reason == "end"
    assert debugger.position.cycle == entry.cycles
    debugger.back(10**9)
    assert (debugger.position.cycle, debugger.position.event) == (0, 0)
    assert debugger.run().reason == "end"


# ---- every cycle ------------------------------------------------------------------------------


def queue_kind(debugger: Debugger, state: Any, cycle: int) -> str:
    """What a queue does in a cycle, in the words of the manual's chapter on time."""
    if state.occupies is not None:
        word = state.occupies.block.words[state.occupies.index]
        return "barrier" if word.name == "BAR" and state.occupies.begin < cycle else "busy"
    if not state.waiting:
        return "idle"
    if "barrier" in state.needs:
        return "barrier"
    if state.needs:
        assert state.starts > cycle
        return "semaphore"
    assert state.starts == cycle
    return "busy"


def control_kind(state: Any, cycle: int) -> str:
    """What a control processor does in a cycle; a load's latency counts as busy."""
    if state.at is None:
        return "end"
    if state.needs:
        assert state.goes_on > cycle
        return "queue" if state.needs.startswith("room") else "semaphore"
    return "busy"


TABLE = (
    "double_buffering", "queue_depth", "scalar_loads", "barrier", "masked_tokens", "join_of_all_tiles",
    "grant_and_put", "put",
)  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_what_is_shown_in_every_cycle_is_what_was_derived_by_hand(name: str) -> None:
    entry = read(next(path for path in FILES if path.stem == name))
    inputs = random_inputs(entry.program, 0)
    inputs |= {name: np.array(values, inputs[name].dtype) for name, values in entry.values.items()}
    debugger = Debugger(entry.program, inputs, entry.params)
    found: dict[str, Counter[str]] = {}
    for cycle in range(entry.cycles):
        assert debugger.run_to_cycle(cycle).reason == "cycle"
        assert debugger.position.cycle == cycle
        for instance in debugger.system.instances:
            for state in debugger.queues(instance):
                kinds = found.setdefault(str(state.queue), Counter())
                kinds[queue_kind(debugger, state, cycle)] += 1
            control = debugger.control(instance)
            found.setdefault(str(control.queue), Counter())[control_kind(control, cycle)] += 1
    for queue, parts in entry.queues.items():
        kinds = found[queue]
        assert kinds["semaphore"] == parts.get("semaphore", 0), queue
        assert kinds["idle"] == parts.get("control", 0) + parts.get("empty", 0), queue
        assert kinds["barrier"] == max(0, parts.get("barrier", 0)), queue
    for queue, parts in entry.controls.items():
        kinds = found[queue]
        expected = {kind: parts.get(kind, 0) for kind in ("queue", "semaphore", "end")}
        assert {kind: kinds[kind] for kind in expected} == expected, queue
        assert kinds["busy"] == parts["busy"] + parts.get("load", 0), queue


def test_registers_and_loops_are_those_of_the_cycle() -> None:
    """The turns of double_buffering, as its derivation says."""
    entry = read(next(path for path in FILES if path.stem == "double_buffering"))
    debugger = Debugger(entry.program, random_inputs(entry.program, 0), entry.params)
    tile = debugger.system.instances[0]
    for cycle, k, slot in ((4, 0, 0), (7, 0, 1), (8, 1, 1), (24, 4, 0), (70, 4, 1), (71, 5, 1)):
        debugger.run_to_cycle(cycle)
        assert debugger.loops(tile) == {"k": k}, cycle
        assert debugger.registers(tile) == {"slot": slot, "turns": 6}, cycle
    debugger.run_to_cycle(30)
    (tvp,) = [state for state in debugger.queues(tile) if state.queue.name == "TVP"]
    assert len(tvp.waiting) == 4
    assert tvp.needs == "full (0 of 1 tokens) from LD0"
    control = debugger.control(tile)
    assert (control.needs, control.goes_on) == ("room in TVP", 55)
    full = next(token for token in debugger.tokens(tile) if token.name == "full")
    assert (full.held, full.coming) == (0, 2)
    assert len(debugger.queues(debugger.system.instances[1])) == 6


# ---- back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("budget", "interval"), [(0, 64), (10 << 20, 1), (3 << 20, 8), (256 << 20, 16)]
)
def test_going_back_leads_to_what_was_there(budget: int, interval: int) -> None:
    checkpoints = Checkpoints(budget, interval)
    debugger = debug(checkpoints=checkpoints)
    there = {}
    for event in range(0, 224, 14):
        debugger.step(event - debugger.position.event)
        there[event] = everything(debugger)
    assert checkpoints.bytes <= budget
    assert bool(checkpoints.states) is (budget > 0)
    rng = random.Random(budget)
    for _ in range(7):
        event = rng.choice(range(14, 224, 14))
        now = debugger.position.event
        if event < now:
            debugger.back(now - event)
        else:
            debugger.step(event - now)
        assert everything(debugger) == there[event], event
    assert debugger.run_to_end().reason == "end"
    assert debugger.position.cycle == timed().cycles


def test_a_cycle_is_the_same_from_both_sides() -> None:
    debugger, there = debug(), {}
    cycles = [0, 1, 57, 244, 245, 1000, 1277, 3000, 4848]
    for cycle in cycles:
        assert debugger.run_to_cycle(cycle).reason == "cycle"
        there[cycle] = everything(debugger)
        assert debugger.position.cycle == cycle
    debugger.run_to_end()
    for cycle in reversed(cycles):
        debugger.run_to_cycle(cycle)
        assert everything(debugger) == there[cycle], cycle


def test_back_from_the_start_stays_there() -> None:
    debugger = debug()
    assert debugger.back().reason == "start"
    assert debugger.position.event == 0
    debugger.step(3)
    assert debugger.back(2).reason == "step"
    assert debugger.position.event == 1
    assert debugger.back(5).reason == "start"


def test_an_interrupt_in_a_word_loses_nothing() -> None:
    debugger = debug()
    debugger.step(30)
    before = everything(debugger)
    with (
        mock.patch.object(Executor, "execute", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        debugger.step()
    debugger.recover()
    assert everything(debugger) == before
    debugger.run_to_end()
    executed = timed().executed
    assert executed is not None
    assert digest(debugger) == executed.memories.digest()


def test_without_cycles_there_is_no_cycle_to_go_to() -> None:
    text = (ROOT / "maiacc" / "data" / "demo.mist").read_text("utf-8")
    debugger = debug(assemble(text.replace("post(freeA, freeB)", "post(freeB)"), "hangs.mist"))
    with pytest.raises(MaiaccError, match="there are no cycles"):
        debugger.run_to_cycle(10)
