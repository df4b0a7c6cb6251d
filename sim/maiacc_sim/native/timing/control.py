"""Control processors of the event model; their steps are those of ``maiacc_sim.timing.control``."""

from __future__ import annotations

from maiacc_isa.operation import TICKS
from maiacc_sim.code import Do
from maiacc_sim.native.codes import COUNTER, REGISTER
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import ult
from maiacc_sim.native.scalars import assign, has, set_source
from maiacc_sim.native.timing.heap import HOPS, heap_push, key_of_arrival, work_push
from maiacc_sim.native.timing.queues import (
    ASKS,
    FULL,
    GOOD,
    drop_tokens,
    give,
    is_full,
    step_queue,
    token_time,
)
from maiacc_sim.native.timing.record import record_load, record_mark
from maiacc_sim.native.timing.state import Control, Model, Step
from maiacc_sim.native.timing.variants import variant_of
from maiacc_sim.timing.control import QUIET_TURNS
from maiacc_sim.timing.variants import COUNT

#: What a step says besides GOOD: the control processor waits, or lets others go on.
WAITS = 3

#: Heads of loops that are remembered until the next arrival.
HEADS = 256


# ---- steps ------------------------------------------------------------------------------------
@native(inline=True)
def push(m: Model, c: Control, step: Step) -> i64:
    """Pushes a word; it waits while its queue is full."""
    number = c.queues[step.queue]
    if number < 0:
        m.stop_unit = c.unit
        m.stop_word = step.word
        return ASKS
    u = m.units[number]
    waiting = u.count
    if waiting >= m.depth:
        u.blocked = c.unit
        c.quiet = 0
        return WAITS
    variant = variant_of(m, c, step, number)
    if variant < 0:
        return ASKS
    place = u.start_head + waiting
    if place >= m.depth:
        place -= m.depth
    room = u.starts[place]
    time = c.time
    if room > time:
        c.room[step.queue] += room - time
        time = room
        if m.events.on != 0:
            c.anchor = u.start_events[place]
    time += 1
    c.time = time
    at = u.head + waiting
    if at >= m.depth:
        at -= m.depth
    u.ready[at] = time
    u.variant[at] = variant
    u.anchors[at] = c.anchor
    u.count = waiting + 1
    if u.stuck == 0 and u.flying < 0:
        return step_queue(m, number)
    return GOOD


@native()
def load(m: Model, c: Control, step: Step) -> i64:
    """SLD; it waits while a token is missing."""
    w = m.words[step.word]
    variant = variant_of(m, c, step, c.unit)
    if variant < 0:
        return ASKS
    v = m.variants[variant]
    met = c.time
    late = -1
    for k in range(v.waits):
        need = v.wait_count[k]
        for e in range(v.wait_from[k], v.wait_to[k]):
            counter = m.entries[e]
            if m.token_count[counter] < need:
                m.units[c.unit].stuck = 1
                c.quiet = 0
                return WAITS
            arrival = token_time(m, counter, need - 1)
            if arrival > met:
                met = arrival
                late = k
    if is_full(m):
        return FULL
    value = w.high
    if m.extreme == 1:
        value = w.low
    elif m.extreme == 0:
        if c.taken >= c.log_count:
            return ASKS
        value = c.log[c.taken]
        if value < w.low or value > w.high:
            return ASKS
    event = -1
    if m.events.on != 0:
        event = record_load(m, c, variant, met, late)
    for k in range(v.waits):
        for e in range(v.wait_from[k], v.wait_to[k]):
            drop_tokens(m, m.entries[e], v.wait_count[k])
    if late >= 0:
        c.tokens[w.wait_list[late]] += met - c.time
    c.loads += v.latency
    c.time = met + 1 + v.latency
    set_source(c.sources, REGISTER + w.dest, value)
    m.loads += m.relevant[w.dest]
    c.taken += 1
    v.acc[COUNT] += 1
    give(m, v, c.time, event)
    return GOOD


@native(inline=True)
def pass_head(m: Model, c: Control, at: i64, time: i64) -> i64:
    """A loop goes on with its next turn; WAITS when others have to go on first."""
    if c.watched != 0 and m.head_count < HEADS:
        m.head_control[m.head_count] = c.unit
        m.head_at[m.head_count] = at
        m.head_count += 1
    c.quiet += 1
    if c.quiet < QUIET_TURNS:
        return GOOD
    c.quiet = 0
    heap_push(m, key_of_arrival(m, time * TICKS, HOPS - 1, c.unit))
    return WAITS


@native(inline=True)
def enter_loop(c: Control, step: Step, at: i64) -> i64:
    """Where a control processor goes on that comes to a LOOP, -1 if its trip count is not set."""
    trip = step.trip
    if step.reg >= 0:
        if not has(c.sources, step.reg):
            return -1
        trip = c.sources.value[step.reg]
    if trip <= 0:
        return step.target
    c.trips[step.level] = trip
    set_source(c.sources, COUNTER + step.level, 0)
    c.depth += 1
    return at + 1


@native(inline=True)
def end_turn(c: Control, step: Step, at: i64) -> i64:
    """Where a control processor goes on that comes to an ENDL: behind it, or at the body again."""
    code = COUNTER + step.level
    counter = c.sources.value[code] + 1
    if counter >= c.trips[step.level]:
        c.sources.known[code] = 0
        c.depth -= 1
        return at + 1
    c.sources.value[code] = counter
    return step.target


@native()
def step_control(m: Model, number: i64) -> i64:
    """Walks until it has to wait, or is through."""
    c = m.controls[m.units[number].control]
    steps = c.steps
    sources = c.sources
    at = c.at
    time = c.time
    found = GOOD
    while found == GOOD:
        step = steps[at]
        m.fuel -= 1
        match step.do:
            case Do.PASS:
                time += step.cycles
                at += 1
            case Do.PUSH:
                c.time = time
                found = push(m, c, step)
                time = c.time
                if found == GOOD:
                    at += 1
                elif found == FULL:
                    # The word is pushed. The queue goes on first, then this control processor,
                    # as if nothing had come between.
                    at += 1
                    work_push(m, number)
                    work_push(m, c.queues[step.queue])
            case Do.ENDL:
                time += 1
                to = end_turn(c, step, at)
                if to < at:
                    found = pass_head(m, c, to, time)
                at = to
            case Do.LOOP:
                to = enter_loop(c, step, at)
                if to < 0:
                    found = ASKS
                else:
                    time += 1
                    at = to
            case Do.SET:
                if assign(sources, m.words[step.word], m.tables):
                    time += 1
                    at += 1
                else:
                    found = ASKS
            case _:
                c.time = time
                found = rare_step(m, c, step)
                time = c.time
                if found == GOOD:
                    at += 1
        if found == ASKS and step.do != Do.PUSH:
            m.stop_unit = number
            m.stop_word = step.word
        if found == ASKS or (found == FULL and step.do != Do.PUSH):
            work_push(m, number)
    c.at = at
    c.time = time
    return GOOD if found == WAITS else found


@native()
def rare_step(m: Model, c: Control, step: Step) -> i64:
    """SLD, END, PAR and MARK."""
    if step.do == Do.SLD:
        return load(m, c, step)
    if step.do == Do.END:
        c.time += 1
        c.ended = c.time
        c.done = 1
        return WAITS
    if step.do == Do.PAR:
        w = m.words[step.word]
        if not ult(w.param, m.param_count):
            return ASKS
        set_source(c.sources, REGISTER + w.dest, m.params[w.param])
    elif step.do == Do.MARK:
        if is_full(m):
            return FULL
        if m.events.on != 0:
            record_mark(m, c, step.word)
    else:
        return ASKS
    c.time += 1
    return GOOD
