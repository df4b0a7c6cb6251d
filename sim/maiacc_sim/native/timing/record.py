"""Records every event of a timed run, as ``maiacc_sim.timing.record`` does."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import choose
from maiacc_sim.native.timing.state import Control, Model, Unit, Variant
from maiacc_sim.timing.record import BY_PUSH, BY_QUEUE, BY_TOKEN


@native()
def change(m: Model, counter: i64, cycle: i64, by: i64) -> None:
    """A counter changes."""
    e = m.events
    e.changed[e.changes] = counter
    e.change_cycle[e.changes] = cycle
    e.change_by[e.changes] = by
    e.changes += 1


@native()
def taken(m: Model, v: Variant, late: i64, start: i64) -> i64:
    """Tokens are about to be taken: the event that posted the one that came last."""
    causer = -1
    for k in range(v.waits):
        need = v.wait_count[k]
        for e in range(v.wait_from[k], v.wait_to[k]):
            counter = m.entries[e]
            at = (m.token_head[counter] + need - 1) & (m.token_room - 1)
            place = counter * m.token_room + at
            if k == late and m.tokens[place] == start and causer < 0:
                causer = m.token_events[place]
            change(m, counter, start, 0 - need)
    return causer


@native()
def add_event(
    m: Model,
    unit: i64,
    variant: i64,
    ready: i64,
    begin: i64,
    free: i64,
    late: i64,
    cause: i64,
    causer: i64,
) -> i64:
    """A new row."""
    e = m.events
    u = m.units[unit]
    event = e.count
    e.count = event + 1
    e.unit[event] = unit
    e.variant[event] = variant
    e.ready[event] = ready
    e.begin[event] = begin
    e.end[event] = begin
    e.complete[event] = begin
    e.free[event] = free
    e.late[event] = late
    e.cause[event] = cause
    e.causer[event] = causer
    e.before[event] = u.before
    u.before = event
    if late >= 0 and causer >= 0:
        e.poster[e.flows] = causer
        e.waiter[e.flows] = event
        e.flows += 1
    return event


@native()
def record_start(m: Model, number: i64, ready: i64, start: i64, late: i64) -> i64:
    """A word starts; its tokens are about to be taken."""
    u: Unit = m.units[number]
    variant = u.variant[u.head]
    causer = taken(m, m.variants[variant], late, start)
    cause = BY_TOKEN
    if late < 0:
        if ready > u.free:
            cause = BY_PUSH
            causer = u.anchors[u.head]
        else:
            cause = BY_QUEUE
            causer = u.before
    return add_event(m, number, variant, ready, start, u.free, late, cause, causer)


@native()
def record_posts(m: Model, v: Variant, done: i64) -> None:
    """Tokens of a word arrive."""
    for k in range(v.posts):
        for e in range(v.post_from[k], v.post_to[k]):
            change(m, m.entries[e], done + v.post_travel[k], v.post_count[k])


@native()
def record_finish(m: Model, number: i64, v: Variant, end: i64, done: i64) -> None:
    """A word's occupancy is over at ``end``, and its posts fire at ``done``."""
    event = m.units[number].event
    m.events.end[event] = end
    m.events.complete[event] = done
    record_posts(m, v, done)


@native()
def record_load(m: Model, c: Control, variant: i64, met: i64, late: i64) -> i64:
    """An SLD goes on."""
    v = m.variants[variant]
    causer = taken(m, v, late, met)
    cause = choose(late >= 0, BY_TOKEN, BY_PUSH)
    if late < 0:
        causer = c.anchor
    event = add_event(m, c.unit, variant, c.time, met, c.time, late, cause, causer)
    done = met + 1 + v.latency
    m.events.end[event] = met + 1
    m.events.complete[event] = done
    c.anchor = event
    record_posts(m, v, done)
    return event


@native()
def record_mark(m: Model, c: Control, word: i64) -> None:
    """A control processor begins or ends a region."""
    e = m.events
    e.mark_unit[e.marks] = c.unit
    e.mark_cycle[e.marks] = c.time
    e.mark_word[e.marks] = word
    e.marks += 1
