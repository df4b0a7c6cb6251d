"""Why a run with values cannot go on: who waits for whom."""

from __future__ import annotations

from collections.abc import Iterable

from maiacc_isa.program import Program
from maiacc_sim.issue import Issue
from maiacc_sim.processor import Control
from maiacc_sim.stuck import Wait, deadlock, token_wait
from maiacc_sim.system import QueueOf, System
from maiacc_sim.tokens import Counters, Wiring
from maiacc_sim.traps import Trap


def explain(
    program: Program,
    system: System,
    wiring: Wiring,
    counters: Counters,
    heads: Iterable[tuple[QueueOf, Issue]],
    controls: Iterable[Control],
) -> Trap:
    """The trap of a block in which nothing can go on. ``heads`` are the words that queues stand
    at, of those that have any."""
    block = wiring.block

    def wait(of: QueueOf, index: int, iteration: tuple[int, ...]) -> Wait:
        needs, gives = token_wait(block, wiring, counters.held, of, index)
        return Wait(of, index, iteration, needs, gives)

    waits = [wait(of, issue.index, issue.iteration) for of, issue in heads]
    done = set()
    for control in controls:
        if control.done:
            done.add(control.of.instance.number)
            continue
        word = block.words[control.index]
        if word.row.control:
            waits.append(wait(control.of, control.index, control.iteration))
            continue
        full = system.queue(control.of.instance, str(word.queue))
        needs = f"room in {full.name} ({program.machine.int('queue.depth')} words deep, all taken)"
        waits.append(Wait(control.of, control.index, control.iteration, needs, full, room=True))
    return deadlock(program, block, waits, frozenset(done))
