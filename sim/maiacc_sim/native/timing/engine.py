"""The loop of the event model: all that follows without an arrival first, then the next arrival."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.shared import ENDED, GROW, HELP, LATE, PAUSE
from maiacc_sim.native.timing.control import step_control
from maiacc_sim.native.timing.heap import heap_pop, tick_of, unit_of, work_push
from maiacc_sim.native.timing.queues import ASKS, FULL, GOOD, arrive, step_queue
from maiacc_sim.native.timing.skip import look
from maiacc_sim.native.timing.state import Model, Skipper


@native()
def step_unit(m: Model, number: i64) -> i64:
    """Lets a unit go on as far as it can."""
    if m.units[number].control >= 0:
        return step_control(m, number)
    return step_queue(m, number)


@native(export=True)
def run_events(m: Model, s: Skipper) -> i64:
    """Runs until nothing more can happen, or Python is needed; says why it returned."""
    while True:
        while m.work_count > 0:
            m.work_count -= 1
            number = m.work[m.work_count]
            found = step_unit(m, number)
            if found == FULL:
                if m.units[number].control < 0:
                    work_push(m, number)
                return GROW
            if found == ASKS:
                return HELP
        if m.fuel < 0:
            return PAUSE
        if m.head_count > 0:
            if s.on != 0 and m.heap_count > 0:
                look(m, s)
            m.head_count = 0
        if m.heap_count == 0:
            return ENDED
        key = m.heap[0]
        m.arrivals += 1
        m.fuel -= 1
        tick = tick_of(m, key)
        number = unit_of(m, key)
        if tick > m.max_tick:
            return LATE
        if m.units[number].control >= 0:
            heap_pop(m)
            work_push(m, number)
        elif arrive(m, number, tick) != GOOD:
            work_push(m, number)
            return GROW
