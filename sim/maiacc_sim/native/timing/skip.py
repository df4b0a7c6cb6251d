"""Skips turns of loops that take the same course as turns before; see ``maiacc_sim.timing.skip``,
which says why that is exact.

A state is three rows of numbers: its shape, its times in ticks, and its tallies. ``visit_times``
goes over all times in one order, to keep them or to move them.
"""

from __future__ import annotations

from maiacc_isa.operation import TICKS
from maiacc_sim.native.codes import COUNTER
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64
from maiacc_sim.native.lang.operations import largest, local_array, smallest
from maiacc_sim.native.shared import GLANCE, MOST_HEADS
from maiacc_sim.native.timing.skip_state import (
    copy_state,
    glance_at,
    keep_state,
    visit_tallies,
    visit_times,
)
from maiacc_sim.native.timing.state import Head, Model, Skipper, State
from maiacc_sim.timing.skip import PATIENCE, SHARE
from maiacc_sim.timing.variants import COUNT


# ---- whether, and how far ----------------------------------------------------------------------
@native()
def room_left(old: Array[i64], new: Array[i64]) -> i64:
    """Periods left until a loop in force of a control processor reaches its end: -1 if none moves,
    0 if it is not at the same place of a later turn."""
    if old[0] != new[0]:
        return 0
    depth = new[0]
    for k in range(depth):
        before = old[1 + k]
        counter = new[1 + k]
        if old[9 + k] != new[9 + k] or counter < before:
            return 0
        if counter > before:
            for j in range(k + 1, depth):
                if old[1 + j] != new[1 + j] or old[9 + j] != new[9 + j]:
                    return 0
            return (new[9 + k] - 1 - counter) // (counter - before)
    return -1


@native()
def turns_left(m: Model, old: State, new: State) -> i64:
    """How many more periods of the same course there are; 0 if it is not the same."""
    period = new.now - old.now
    if period <= 0 or period % TICKS != 0:
        return 0
    if old.shapes != new.shapes or old.times != new.times or old.tallies != new.tallies:
        return 0
    for k in range(new.shapes):
        if old.shape[k] != new.shape[k]:
            return 0
    for k in range(new.times):
        moved = new.time[k] - old.time[k]
        if moved != period:
            past = old.time[k] <= old.now and new.time[k] <= new.now
            if not past or (k < new.counted and moved != 0):
                return 0
    least = -1
    for k in range(m.control_count):
        room = room_left(old.levels + 17 * k, new.levels + 17 * k)
        if room >= 0:
            least = room if least < 0 else smallest(least, room)
    return largest(least, 0)


@native()
def jump(m: Model, old: State, new: State, turns: i64) -> i64:
    """Moves everything by so many periods; returns the words skipped."""
    period = new.now - old.now
    for k in range(new.times):
        if new.time[k] - old.time[k] == period:
            new.time[k] += turns * period
    visit_times(m, new.time, m.keys, True)
    words = 0
    for k in range(m.variant_count):
        words -= m.variants[k].acc[COUNT]
    for k in range(new.tallies):
        new.tally[k] += turns * (new.tally[k] - old.tally[k])
    visit_tallies(m, new.tally, True)
    for k in range(m.variant_count):
        words += m.variants[k].acc[COUNT]
    for k in range(m.control_count):
        c = m.controls[k]
        row = new.levels + 17 * k
        before = old.levels + 17 * k
        for level in range(c.depth):
            grown = row[1 + level] - before[1 + level]
            c.sources.value[COUNTER + level] = row[1 + level] + turns * grown
    return words


# ---- looking -----------------------------------------------------------------------------------
@native()
def find_head(s: Skipper, unit: i64, at: i64) -> i64:
    """The number of a head of a loop, -1 for one that is not known."""
    for k in range(s.count):
        if s.heads[k].unit == unit and s.heads[k].at == at:
            return k
    return -1


@native()
def same_glance(head: Head, glance: Array[i64], count: i64) -> bool:
    """Whether a glance is what was seen before."""
    if head.glances != count:
        return False
    same = True
    for k in range(count):
        if head.glance[k] != glance[k]:
            same = False
    return same


@native()
def remember(m: Model, head: Head, glance: Array[i64], count: i64, s: Skipper) -> None:
    """Keeps the state now as that of a head."""
    head.glances = count
    for k in range(count):
        head.glance[k] = glance[k]
    keep_state(m, s, s.current)
    copy_state(head.state, s.current, m.control_count)


@native()
def look_at(m: Model, s: Skipper, unit: i64, at: i64) -> i64:
    """Looks at a head that was passed; returns the words skipped, -1 if none were."""
    c = m.controls[m.units[unit].control]
    glance = local_array(i64, GLANCE)
    found = find_head(s, unit, at)
    if found >= 0 and s.heads[found].failed > PATIENCE:
        return -1
    count = glance_at(m, c, glance)
    if found < 0:
        # The place of one that was forgotten, or a new one.
        place = find_head(s, -1, -1)
        if place < 0:
            place = s.count
            if place == MOST_HEADS:
                return -1
            s.count += 1
        head = s.heads[place]
        head.unit = unit
        head.at = at
        head.seen = 0
        head.renew = 2
        head.failed = 0
        remember(m, head, glance, count, s)
        return -1
    head = s.heads[found]
    head.seen += 1
    if same_glance(head, glance, count):
        keep_state(m, s, s.current)
        turns = turns_left(m, head.state, s.current)
        if turns > 0:
            words = jump(m, head.state, s.current, turns)
            head.unit = -1
            head.at = -1
            s.trusted = 1
            return words
        head.failed += 1
        s.trusted = 0
    if head.seen >= head.renew:
        remember(m, head, glance, count, s)
        head.renew *= 2
        head.seen = 0
    return -1


@native()
def look(m: Model, s: Skipper) -> None:
    """Looks at the heads passed since the last arrival. Looking closely may cost a part of what
    running did, so that programs that never repeat are not much slower."""
    if m.meeting != 0:
        return
    if s.trusted == 0 and (m.arrivals - s.spent) * SHARE < s.size:
        return
    for k in range(m.head_count):
        again = False
        for j in range(k):
            if m.head_control[j] == m.head_control[k] and m.head_at[j] == m.head_at[k]:
                again = True
        if not again:
            words = look_at(m, s, m.head_control[k], m.head_at[k])
            if words >= 0:
                s.skipped += words
                return
