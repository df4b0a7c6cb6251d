"""Queues of the event model: words start, pass ports, complete, and post; see
``maiacc_sim.timing.state``, whose steps these are."""

from __future__ import annotations

from maiacc_isa.operation import TICKS
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import largest
from maiacc_sim.native.shared import MARGIN
from maiacc_sim.native.timing.heap import heap_pop, heap_push, key_of_arrival, sift, work_push
from maiacc_sim.native.timing.record import record_finish, record_start
from maiacc_sim.native.timing.state import Model, Unit, Variant
from maiacc_sim.timing.variants import BARRIER, CONTROL, COUNT, PORT, SEMAPHORE

#: How steps end: all that could be done is done; room for events or tokens is used up; Python is
#: asked for a variant or to find out what is wrong.
GOOD, FULL, ASKS = 0, 1, 2

#: Tokens that a word may give to one counter: two posts of at most 15.
MOST_POSTED = 30


@native(inline=True)
def is_full(m: Model) -> bool:
    """Whether Python has to make room first: for tokens, or for events."""
    if m.tight != 0:
        return True
    return m.events.on != 0 and events_full(m)


@native()
def events_full(m: Model) -> bool:
    """Whether there may not be room for what a step records."""
    e = m.events
    few = e.count + MARGIN > e.room or e.marks + MARGIN > e.mark_room
    return few or e.changes + 2 * m.counters > e.change_room


@native(inline=True)
def token_time(m: Model, counter: i64, number: i64) -> i64:
    """When a token of a counter arrives, counted from the first one."""
    at = (m.token_head[counter] + number) & (m.token_room - 1)
    return m.tokens[counter * m.token_room + at]


@native(inline=True)
def drop_tokens(m: Model, counter: i64, count: i64) -> None:
    """Takes the first tokens of a counter."""
    m.token_head[counter] = (m.token_head[counter] + count) & (m.token_room - 1)
    m.token_count[counter] -= count


@native(inline=True)
def add_tokens(m: Model, counter: i64, count: i64, arrival: i64, event: i64) -> None:
    """Gives tokens to a counter. There is room: before there is too little, ``tight`` says so."""
    have = m.token_count[counter]
    for k in range(count):
        at = (m.token_head[counter] + have + k) & (m.token_room - 1)
        m.tokens[counter * m.token_room + at] = arrival
        m.token_events[counter * m.token_room + at] = event
    m.token_count[counter] = have + count
    if have + count + MOST_POSTED > m.token_room:
        m.tight = 1


@native(inline=True)
def give(m: Model, v: Variant, done: i64, event: i64) -> None:
    """Posts of a word that is complete at ``done``."""
    for k in range(v.posts):
        arrival = done + v.post_travel[k]
        for e in range(v.post_from[k], v.post_to[k]):
            counter = m.entries[e]
            add_tokens(m, counter, v.post_count[k], arrival, event)
            waiter = m.units[m.wakes[counter]]
            if waiter.stuck != 0:
                waiter.stuck = 0
                work_push(m, m.wakes[counter])


@native(inline=True)
def step_queue(m: Model, number: i64) -> i64:
    """Starts every word of a queue that can start."""
    u = m.units[number]
    while u.count > 0 and u.flying < 0:
        v = m.variants[u.variant[u.head]]
        ready = u.ready[u.head]
        free = u.free
        at = largest(ready, free)
        start = at
        late = -1
        for k in range(v.waits):
            need = v.wait_count[k]
            for e in range(v.wait_from[k], v.wait_to[k]):
                counter = m.entries[e]
                if m.token_count[counter] < need:
                    u.stuck = 1
                    return GOOD
                arrival = token_time(m, counter, need - 1)
                if arrival > start:
                    start = arrival
                    late = k
        if is_full(m):
            return FULL
        if m.events.on != 0:
            u.event = record_start(m, number, ready, start, late)
        for k in range(v.waits):
            for e in range(v.wait_from[k], v.wait_to[k]):
                drop_tokens(m, m.entries[e], v.wait_count[k])
        begin_word(m, number, u, v, at, start, late)
    return GOOD


@native(inline=True)
def begin_word(m: Model, number: i64, u: Unit, v: Variant, at: i64, start: i64, late: i64) -> None:
    """The word at the head of a queue starts."""
    variant = u.variant[u.head]
    u.head += 1
    if u.head == m.depth:
        u.head = 0
    u.count -= 1
    u.stuck = 0
    v.acc[COUNT] += 1
    if at > u.free:
        v.acc[CONTROL] += at - u.free
    if start > at:
        v.acc[SEMAPHORE + late] += start - at
    u.starts[u.start_head] = start
    u.start_events[u.start_head] = u.event
    u.start_head += 1
    if u.start_head == m.depth:
        u.start_head = 0
    if u.blocked >= 0:
        work_push(m, u.blocked)
        u.blocked = -1
    if v.hops != 0:
        u.flying = variant
        u.begin = start
        u.hop = 0
        u.end = 0
        u.latest = 0
        u.waited = 0
        heap_push(m, key_of_arrival(m, start * TICKS, 0, number))
    elif v.barrier >= 0:
        meet(m, number, u, v, variant, start)
    else:
        finish(m, number, u, v, start, v.occupancy)


@native(inline=True)
def arrive(m: Model, number: i64, tick: i64) -> i64:
    """A transfer arrives at its next port, or ports; its key is the first one in the heap."""
    u = m.units[number]
    v = m.variants[u.flying]
    hop = u.hop
    ticks = v.ticks[hop]
    last = tick
    end = u.end
    for p in range(v.port_at[hop], v.port_to[hop]):
        port = m.ports[p]
        start = m.free[port]
        if start < tick:
            start = tick
        elif start > last:
            last = start
        start += ticks
        m.free[port] = start
        end = largest(end, start)
    u.end = end
    if last - tick > u.waited:
        u.waited = last - tick
        u.latest = hop
    hop += 1
    u.hop = hop
    if hop < v.hops:
        sift(m.heap, m.heap_count, key_of_arrival(m, last, hop, number))
        return GOOD
    heap_pop(m)
    occupancy = ((end + TICKS - 1) // TICKS) - u.begin
    if occupancy > v.occupancy:
        v.acc[PORT + u.latest] += occupancy - v.occupancy
    else:
        occupancy = v.occupancy
    u.flying = -1
    finish(m, number, u, v, u.begin, occupancy)
    return step_queue(m, number)


@native(inline=True)
def finish(m: Model, number: i64, u: Unit, v: Variant, start: i64, occupancy: i64) -> None:
    """A word's occupancy is known: when it is complete, and its posts."""
    end = start + occupancy
    u.free = end
    done = largest(end + v.latency, u.last)
    u.last = done
    if m.events.on != 0:
        record_finish(m, number, v, end, done)
    give(m, v, done, u.event)


@native()
def meet(m: Model, number: i64, u: Unit, v: Variant, variant: i64, start: i64) -> None:
    """A BAR: all members go on when the last of them has come."""
    u.flying = variant
    u.begin = start
    base = v.barrier * m.members_most
    count = m.group_count[v.barrier]
    m.groups[base + count] = number
    m.group_count[v.barrier] = count + 1
    m.meeting += 1
    u.barriers += 1
    here = 0
    latest = 0
    for k in range(count + 1):
        other = m.units[m.groups[base + k]]
        if other.barriers == u.barriers:
            here += 1
            latest = largest(latest, other.begin)
    if here < m.group_size[v.barrier]:
        return
    leave_barrier(m, v.barrier, u.barriers, latest)


@native()
def leave_barrier(m: Model, group: i64, turn: i64, latest: i64) -> None:
    """Lets all members of a group go on that have come to their BAR number ``turn``."""
    base = group * m.members_most
    count = m.group_count[group]
    left = 0
    for k in range(count):
        number = m.groups[base + k]
        u = m.units[number]
        if u.barriers != turn:
            m.groups[base + left] = number
            left += 1
        else:
            v = m.variants[u.flying]
            u.flying = -1
            m.meeting -= 1
            until = largest(latest + v.occupancy + v.latency, u.last)
            v.acc[BARRIER] += until - u.begin - v.occupancy
            finish(m, number, u, v, u.begin, until - v.latency - u.begin)
            u.free = until
            work_push(m, number)
    m.group_count[group] = left
