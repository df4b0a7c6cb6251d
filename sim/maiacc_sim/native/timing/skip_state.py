"""The state that skipping compares and moves: three rows of numbers, its shape, its times in ticks,
and its tallies.

``visit_times`` goes over all times in one order, to keep them or to move them.
"""

from __future__ import annotations

from maiacc_isa.operation import TICKS
from maiacc_sim.native.codes import COUNTER
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64
from maiacc_sim.native.lang.operations import largest
from maiacc_sim.native.timing.heap import key_of_arrival, rest_of, tick_of
from maiacc_sim.native.timing.state import TALLIES, Control, Model, Skipper, State


# ---- what is compared -------------------------------------------------------------------------
@native(inline=True)
def now_of(m: Model) -> i64:
    """The tick of the next arrival; there is one."""
    return tick_of(m, m.heap[0])


@native()
def glance_at(m: Model, c: Control, out: Array[i64]) -> i64:
    """A small part of the state, to rule out most differences cheaply."""
    now = now_of(m)
    out[0] = c.time * TICKS - now
    out[1] = c.at
    out[2] = m.heap_count
    out[3] = now % TICKS
    n = 4
    for code in range(32):
        if c.queues[code] >= 0:
            u = m.units[c.queues[code]]
            out[n] = u.count
            out[n + 1] = largest(u.free * TICKS - now, 0)
            n += 2
    return n


@native()
def sorted_heap(m: Model, keys: Array[i64]) -> None:
    """The keys of the heap in rising order."""
    for k in range(m.heap_count):
        key = m.heap[k]
        at = k
        while at > 0 and keys[at - 1] > key:
            keys[at] = keys[at - 1]
            at -= 1
        keys[at] = key


@native(inline=True)
def visit(x: i64, row: Array[i64], at: i64, unit: i64, move: bool) -> i64:
    """Keeps a time in a row, in ticks; or, to ``move``, the time that is in the row."""
    if move:
        return row[at] // unit
    row[at] = x * unit
    return x


@native()
def visit_times(m: Model, row: Array[i64], keys: Array[i64], move: bool) -> i64:
    """All times, those that waiting is counted from first; returns how many these are."""
    n = 0
    for k in range(m.unit_count):
        u = m.units[k]
        if u.control < 0:
            u.free = visit(u.free, row, n, TICKS, move)
            n += 1
            if u.flying >= 0:
                u.begin = visit(u.begin, row, n, TICKS, move)
                u.end = visit(u.end, row, n + 1, 1, move)
                n += 2
            if u.count > 0:
                # Words behind the first one wait from the end of the one before.
                if not move:
                    row[n] = largest(u.ready[u.head], u.free) * TICKS
                n += 1
    for k in range(m.control_count):
        c = m.controls[k]
        if c.done != 0:
            row[n] = 0
        else:
            c.time = visit(c.time, row, n, TICKS, move)
        n += 1
    for k in range(m.heap_count):
        if move:
            m.heap[k] = key_of_arrival(m, row[n], 0, 0) | rest_of(m, keys[k])
        else:
            row[n] = tick_of(m, keys[k])
        n += 1
    counted = n
    for k in range(m.unit_count):
        u = m.units[k]
        if u.control < 0:
            u.last = visit(u.last, row, n, TICKS, move)
            n += 1
            at = u.start_head
            for _ in range(m.depth):
                u.starts[at] = visit(u.starts[at], row, n, TICKS, move)
                n += 1
                at += 1
                if at == m.depth:
                    at = 0
            at = u.head
            for _ in range(u.count):
                u.ready[at] = visit(u.ready[at], row, n, TICKS, move)
                n += 1
                at += 1
                if at == m.depth:
                    at = 0
    for counter in range(m.counters):
        tokens = m.tokens + counter * m.token_room
        for k in range(m.token_count[counter]):
            at = (m.token_head[counter] + k) & (m.token_room - 1)
            tokens[at] = visit(tokens[at], row, n, TICKS, move)
            n += 1
    for port in range(m.port_count):
        m.free[port] = visit(m.free[port], row, n, 1, move)
        n += 1
    return counted


@native()
def count_times(m: Model) -> i64:
    """How many times there are."""
    n = m.control_count + m.heap_count + m.port_count
    for k in range(m.unit_count):
        u = m.units[k]
        if u.control < 0:
            n += 2 + m.depth + u.count
            if u.flying >= 0:
                n += 2
            if u.count > 0:
                n += 1
    for counter in range(m.counters):
        n += m.token_count[counter]
    return n


@native()
def visit_tallies(m: Model, row: Array[i64], move: bool) -> i64:
    """Every number that only grows."""
    n = 0
    for k in range(m.variant_count):
        v = m.variants[k]
        for j in range(TALLIES):
            v.acc[j] = visit(v.acc[j], row, n, 1, move)
            n += 1
    for k in range(m.unit_count):
        u = m.units[k]
        if u.control < 0:
            u.barriers = visit(u.barriers, row, n, 1, move)
            n += 1
    for k in range(m.control_count):
        c = m.controls[k]
        c.taken = visit(c.taken, row, n, 1, move)
        c.loads = visit(c.loads, row, n + 1, 1, move)
        n += 2
        for j in range(32):
            c.room[j] = visit(c.room[j], row, n, 1, move)
            n += 1
        for j in range(m.semaphores):
            c.tokens[j] = visit(c.tokens[j], row, n, 1, move)
            n += 1
    return n


@native()
def shape_of(m: Model, keys: Array[i64], row: Array[i64]) -> i64:
    """All that is not a time and decides what follows."""
    row[0] = now_of(m) % TICKS
    row[1] = m.loads
    n = 2
    for k in range(m.heap_count):
        row[n] = rest_of(m, keys[k])
        n += 1
    for counter in range(m.counters):
        row[n] = m.token_count[counter]
        n += 1
    for k in range(m.unit_count):
        u = m.units[k]
        if u.control < 0:
            row[n] = u.count
            n += 1
            at = u.head
            for _ in range(u.count):
                row[n] = u.variant[at]
                n += 1
                at += 1
                if at == m.depth:
                    at = 0
            row[n] = u.flying
            row[n + 1] = u.hop if u.flying >= 0 else 0
            row[n + 2] = u.latest if u.flying >= 0 else 0
            row[n + 3] = u.waited if u.flying >= 0 else 0
            row[n + 4] = u.stuck
            row[n + 5] = u.blocked
            n += 6
    for k in range(m.control_count):
        c = m.controls[k]
        row[n] = c.at
        row[n + 1] = c.done
        row[n + 2] = m.units[c.unit].stuck
        row[n + 3] = c.quiet
        n += 4
        for j in range(m.code_count):
            code = m.codes[j]
            row[n] = c.sources.known[code]
            row[n + 1] = c.sources.value[code] if c.sources.known[code] != 0 else 0
            n += 2
    return n


@native()
def keep_state(m: Model, s: Skipper, state: State) -> None:
    """The state between two arrivals."""
    sorted_heap(m, m.keys)
    state.now = now_of(m)
    state.shapes = shape_of(m, m.keys, state.shape)
    state.times = count_times(m)
    state.counted = visit_times(m, state.time, m.keys, False)
    state.tallies = visit_tallies(m, state.tally, False)
    for k in range(m.control_count):
        c = m.controls[k]
        row = state.levels + 17 * k
        row[0] = c.depth
        for level in range(c.depth):
            row[1 + level] = c.sources.value[COUNTER + level]
            row[9 + level] = c.trips[level]
    s.size = state.times
    s.spent = m.arrivals


@native()
def copy_state(to: State, source: State, controls: i64) -> None:
    """Keeps a state as another one."""
    to.now = source.now
    to.shapes = source.shapes
    to.times = source.times
    to.counted = source.counted
    to.tallies = source.tallies
    for k in range(source.shapes):
        to.shape[k] = source.shape[k]
    for k in range(source.times):
        to.time[k] = source.time[k]
    for k in range(source.tallies):
        to.tally[k] = source.tally[k]
    for k in range(17 * controls):
        to.levels[k] = source.levels[k]
