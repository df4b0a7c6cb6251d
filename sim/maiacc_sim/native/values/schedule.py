"""Who goes on when: control processors of instances, and threads that take instances.

An instance with work stands in a list. A thread takes one, lets its control processor and queues go
on as far as they can, and takes the next. Tokens given to another instance put that one in the
list. Each counter has one poster and one waiter, so adding and taking tokens are single atomic
steps, and which thread runs what changes nothing.
"""

from __future__ import annotations

from maiacc_sim.code import Do
from maiacc_sim.native.codes import DECLINED, DONE, REGISTER, STOPPED, WAITING
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import (
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    local_array,
    local_record,
    pause,
    pointer,
)
from maiacc_sim.native.records import Step
from maiacc_sim.native.scalars import set_source
from maiacc_sim.native.shared import ASKS, FULL, OVER, PAUSED, SPENT, WAITS
from maiacc_sim.native.state import Control, Machine, Thread
from maiacc_sim.native.values.control import make_issue, plain_step
from maiacc_sim.native.values.elements import read_integers
from maiacc_sim.native.values.execute import place_operand
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.queues import run_head, run_pushed
from maiacc_sim.native.values.tokens import (
    IDLE,
    LISTED,
    RUNNING,
    enlist,
    may_post,
    met,
    next_instance,
    notify,
    post,
    take,
)
from maiacc_sim.native.values.walk import Walk

#: Looks at an empty list before a thread lets others have the processor.
PATIENCE = 2000


# ---- control processors -----------------------------------------------------------------------
@native()
def load_scalar(m: Machine, t: Thread, number: i64, step: Step) -> i64:
    """SLD: DONE, WAITING or DECLINED."""
    who = m.instances[number]
    c: Control = who.control
    w = m.words[step.word]
    if not met(m, number, w):
        return WAITING
    if c.logged == m.log_size:
        return STOPPED
    issue = t.issue
    if make_issue(m, c, step.word, issue) != DONE or not may_post(m, t, number, w):
        return DECLINED
    if place_operand(m, t, who, w, issue, 2) != DONE:
        return DECLINED
    view = t.views[2]
    if view.count != 1:
        return DECLINED
    walk = local_record(Walk)
    value = local_array(i64, 16)
    begin(walk, view)
    read_integers(view, m.formats[view.dtype], view.flat, 0, walk, 1, value)
    form = m.formats[view.dtype]
    if form.signed == 0 and form.bits == 64 and value[0] < 0:
        return DECLINED
    if value[0] < w.low or value[0] > w.high:
        return DECLINED
    take(m, number, w)
    set_source(c.sources, REGISTER + w.dest, value[0])
    c.log[c.logged] = value[0]
    c.logged += 1
    t.executed += 1
    t.peers = 0
    post(m, t, number, w)
    return DONE


@native()
def push(m: Machine, t: Thread, number: i64, step: Step) -> i64:
    """Puts a word into its queue: DONE, WAITING while that is full, or DECLINED."""
    who = m.instances[number]
    w = m.words[step.word]
    position = w.queue - who.first_code
    if position < 0 or position >= who.queues:
        return DECLINED
    q = m.queues[who.first_queue + position]
    if q.count >= m.depth:
        return WAITING
    place = q.head + q.count
    if place >= m.depth:
        place -= m.depth
    if make_issue(m, who.control, step.word, q.ring[place]) != DONE:
        return DECLINED
    q.count += 1
    return DONE


@native()
def walk(m: Machine, t: Thread, number: i64) -> i64:
    """Lets a control processor walk: DONE if it has moved, WAITING if not; DECLINED or STOPPED with
    the reason in ``t.why``."""
    who = m.instances[number]
    c: Control = who.control
    moved = WAITING
    while c.done == 0:
        step = who.steps[c.at]
        if step.do == Do.PUSH:
            status = push(m, t, number, step)
            if status == DONE:
                c.at += 1
                if run_pushed(m, t, number, m.words[step.word]) == DECLINED:
                    c.walked += step.cycles
                    t.why = ASKS
                    return DECLINED
        elif step.do == Do.SLD:
            status = load_scalar(m, t, number, step)
            if status == DONE:
                c.at += 1
        else:
            status = plain_step(m, c, step)
        if status == STOPPED:
            t.why = FULL
            t.queue = -1
            return STOPPED
        if status == DECLINED:
            t.why = ASKS
            t.queue = -1
            return DECLINED
        if status == WAITING:
            return moved
        c.walked += step.cycles
        moved = DONE
        t.fuel -= 1
        if c.walked > m.max_steps:
            t.why = SPENT
            t.queue = -1
            return STOPPED
        if t.fuel < 0:
            return moved
    return moved


@native()
def run_instance(m: Machine, t: Thread, number: i64) -> i64:
    """Lets an instance go on as far as it can: DONE, or what stopped it (see ``walk``)."""
    who = m.instances[number]
    t.instance = number
    again = True
    while again:
        again = False
        found = walk(m, t, number)
        if found == DECLINED or found == STOPPED:
            return found
        if found == DONE:
            again = True
        for position in range(who.queues):
            q = m.queues[who.first_queue + position]
            while q.count > 0:
                status = run_head(m, t, number, position)
                if status == DECLINED:
                    t.why = ASKS
                    t.queue = position
                    return DECLINED
                if status == WAITING:
                    break
                again = True
                t.fuel -= 100
        if t.fuel < 0 or atomic_load(m.halt, 0) != 0:
            t.why = PAUSED
            return STOPPED
    return DONE


@native(export=True)
def run_thread(m: Machine, t: Thread) -> i64:
    """Takes instances until nothing is left to do, or something stops the thread; says what."""
    idle = 0
    while True:
        if atomic_load(m.halt, 0) != 0:
            return PAUSED
        number = next_instance(m)
        if number < 0:
            if atomic_load(m.active, 0) == 0:
                return OVER
            idle += 1
            pause()
            if idle > PATIENCE:
                return WAITS
            continue
        idle = 0
        state = pointer(i64, m.states) + number
        atomic_store(state, 0, RUNNING)
        found = run_instance(m, t, number)
        if found != DONE:
            atomic_store(state, 0, LISTED)
            enlist(m, number)
            if t.why != PAUSED:
                atomic_store(m.halt, 0, 1)
            return t.why
        if atomic_swap(state, 0, RUNNING, IDLE):
            atomic_add(m.active, 0, -1)
        else:
            atomic_store(state, 0, LISTED)
            enlist(m, number)


@native(export=True)
def start_block(m: Machine) -> i64:
    """Puts every instance in the list."""
    for number in range(m.instance_count):
        notify(m, number)
    return 0
