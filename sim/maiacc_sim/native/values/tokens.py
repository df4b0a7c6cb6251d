"""Tokens of semaphores, and the list of instances that may be able to go on.

Each counter has one poster and one waiter, so adding and taking tokens are single atomic steps."""

from __future__ import annotations

from maiacc_sim.native.codes import TOKEN_MAX
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import (
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    pause,
    pointer,
)
from maiacc_sim.native.records import Word
from maiacc_sim.native.state import Machine, Thread


# ---- tokens -----------------------------------------------------------------------------------
@native()
def met(m: Machine, number: i64, w: Word) -> bool:
    """Whether all tokens are there that a word waits for."""
    for k in range(w.waits):
        at = w.wait_list[k] * (m.instance_count + 1) + number
        for e in range(m.lists[at], m.lists[at + 1]):
            if atomic_load(m.counters, m.entries[e]) < w.wait_count[k]:
                return False
    return True


#: States of an instance.
IDLE, LISTED, RUNNING, AGAIN = 0, 1, 2, 3


@native(inline=True)
def add_to(m: Machine, counter: i64, number: i64, local: i64) -> None:
    """Adds to a counter. One whose poster and waiter are in one instance has one thread."""
    if local != 0:
        m.counters[counter] += number
    else:
        atomic_add(m.counters, counter, number)


@native()
def take(m: Machine, number: i64, w: Word) -> None:
    """Takes the tokens a word waits for."""
    for k in range(w.waits):
        at = w.wait_list[k] * (m.instance_count + 1) + number
        for e in range(m.lists[at], m.lists[at + 1]):
            add_to(m, m.entries[e], 0 - w.wait_count[k], w.wait_local[k])


@native()
def reached(m: Machine, t: Thread, chip: i64) -> bool:
    """Whether a chip is one that the word at hand goes to."""
    for k in range(t.peers):
        if t.peer[k] == chip:
            return True
    return False


@native()
def may_post(m: Machine, t: Thread, number: i64, w: Word) -> bool:
    """Whether no counter would pass its largest value."""
    for k in range(w.posts):
        at = w.post_list[k] * (m.instance_count + 1) + number
        for e in range(m.lists[at], m.lists[at + 1]):
            if atomic_load(m.counters, m.entries[e]) + w.post_count[k] > TOKEN_MAX:
                return False
    return True


@native()
def post(m: Machine, t: Thread, number: i64, w: Word) -> None:
    """Gives a word's tokens, and lets those go on that wait for them."""
    for k in range(w.posts):
        at = w.post_list[k] * (m.instance_count + 1) + number
        for e in range(m.lists[at], m.lists[at + 1]):
            counter = m.entries[e]
            if w.post_remote[k] == 0 or reached(m, t, m.chips_of[counter]):
                add_to(m, counter, w.post_count[k], w.post_local[k])
                if m.wakes[counter] != number:
                    notify(m, m.wakes[counter])


# ---- the list of instances with work ----------------------------------------------------------
@native()
def hold(m: Machine) -> None:
    """Takes the lock of the list."""
    while not atomic_swap(pointer(i64, m.guard), 0, 0, 1):
        pause()


@native(inline=True)
def release(m: Machine) -> None:
    """Gives the lock back."""
    atomic_store(pointer(i64, m.guard), 0, 0)


@native()
def enlist(m: Machine, number: i64) -> None:
    """Puts an instance at the end of the list."""
    hold(m)
    m.ready[m.ready_tail % m.instance_count] = number
    m.ready_tail += 1
    release(m)


@native()
def notify(m: Machine, number: i64) -> None:
    """An instance may be able to go on."""
    state = pointer(i64, m.states) + number
    while True:
        now = atomic_load(state, 0)
        if now == IDLE:
            if atomic_swap(state, 0, IDLE, LISTED):
                atomic_add(m.active, 0, 1)
                enlist(m, number)
                return
        elif now == RUNNING:
            if atomic_swap(state, 0, RUNNING, AGAIN):
                return
        else:
            return


@native()
def next_instance(m: Machine) -> i64:
    """Takes the first instance from the list, -1 if it is empty."""
    if atomic_load(m.active, 0) == 0:
        return -1
    hold(m)
    number = -1
    if m.ready_head < m.ready_tail:
        number = m.ready[m.ready_head % m.instance_count]
        m.ready_head += 1
    release(m)
    return number
