"""Why a timed run cannot go on: who waits for whom."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from maiacc_isa.program import Block, Program
from maiacc_sim.scalars import COUNTER
from maiacc_sim.stuck import Held, Wait, deadlock, token_wait
from maiacc_sim.timing.control import Control
from maiacc_sim.timing.state import Queue
from maiacc_sim.tokens import Wiring
from maiacc_sim.traps import Trap


def explain(
    program: Program,
    block: Block,
    wiring: Wiring,
    counters: Sequence[deque[int]],
    units: Iterable[Queue | Control],
) -> Trap:
    """The trap of a block in which nothing can go on."""

    def held(counter: int) -> int:
        return len(counters[counter])

    waits: list[Wait] = []
    done: set[int] = set()
    for unit in units:
        if isinstance(unit, Queue):
            index = _head(unit)
            if index is not None:
                needs, gives = token_wait(block, wiring, held, unit.of, index)
                waits.append(Wait(unit.of, index, (), needs, gives))
        elif unit.done:
            done.add(unit.of.instance.number)
        else:
            waits.append(_control(block, wiring, held, unit))
    return deadlock(program, block, waits, frozenset(done))


def _head(queue: Queue) -> int | None:
    """The word a queue stands at: one that waits for tokens, or a BAR that has begun."""
    if queue.flying is not None:
        return queue.flying.index
    return queue.pending[0][1].index if queue.pending else None


def _control(block: Block, wiring: Wiring, held: Held, control: Control) -> Wait:
    step = control.steps[control.at]
    counters = control.sources[COUNTER : COUNTER + sum(1 for _ in control.levels())]
    iteration = tuple(value for value in counters if value is not None)
    if step.word.row.control:
        needs, gives = token_wait(block, wiring, held, control.of, step.index)
        return Wait(control.of, step.index, iteration, needs, gives)
    full = control.queues[step.word.queue]
    needs = f"room in {full.of.name} ({full.depth} words deep, all taken)"
    return Wait(control.of, step.index, iteration, needs, full.of, room=True)
