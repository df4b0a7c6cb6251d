"""The queues of an instance: the word at the head of one is executed when its tokens are there."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, SLOT, WAITING
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64
from maiacc_sim.native.lang.operations import address
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Instance, Machine, Onward, Queue, Thread
from maiacc_sim.native.values.execute import execute, place_operand
from maiacc_sim.native.values.tokens import hold, may_post, met, notify, post, release, take
from maiacc_sim.native.values.views import is_run


@native(inline=True)
def head_of(m: Machine, q: Queue) -> Issue:
    """The word at the head of a queue."""
    return q.ring[q.head]


@native()
def all_here(m: Machine, who: Instance, q: Queue, w: Word, position: i64) -> bool:
    """Whether every member of a BAR's group has come to it; then all of them go on."""
    if q.met != 0:
        return True
    hold(m)
    if q.met != 0:
        # The last member came since: what is noted now would be taken for the next barrier.
        release(m)
        return True
    q.arrived = 1
    good = True
    count = m.chips if w.group == 0 else m.mask_at[w.group] - m.mask_at[w.group - 1]
    for k in range(count):
        chip = k if w.group == 0 else m.members[m.mask_at[w.group - 1] + k]
        other = m.queues[m.chip_queues[chip] + position]
        if other.arrived == 0 or other.barriers != q.barriers:
            good = False
    if good:
        for k in range(count):
            chip = k if w.group == 0 else m.members[m.mask_at[w.group - 1] + k]
            other = m.queues[m.chip_queues[chip] + position]
            other.met = 1
            other.arrived = 0
            other.barriers += 1
    release(m)
    if good:
        for k in range(count):
            chip = k if w.group == 0 else m.members[m.mask_at[w.group - 1] + k]
            if chip != who.chip:
                notify(m, m.chip_instances[chip])
    return good


@native()
def find_onward(m: Machine, t: Thread, number: i64, w: Word) -> None:
    """Finds where the results of a word are copied: if the word that copies them is at the head of
    its queue, and takes one run of bytes to another."""
    who = m.instances[number]
    copy = m.words[w.copied - 1]
    q = m.queues[who.first_queue + copy.queue - who.first_code]
    if q.count == 0 or q.executed != 0 or not may_post(m, t, number, copy):
        return
    issue = head_of(m, q)
    if issue.word != w.copied - 1 or issue.foreign != 0:
        return
    onward: Onward = t.onward
    t.peers = 0
    if place_operand(m, t, who, copy, issue, SLOT.a) != DONE:
        return
    onward.owner = t.owner[0]
    if place_operand(m, t, who, copy, issue, SLOT.d) != DONE or t.owners != 1:
        return
    a = t.views[SLOT.a]
    d = t.views[SLOT.d]
    if a.empty != 0 or d.empty != 0 or not is_run(a) or not is_run(d):
        return
    size = a.count * a.width
    lazy = m.memories[onward.owner].lazy
    if a.count != d.count or a.dtype != d.dtype or lazy == 0 or size < lazy:
        return
    onward.start = a.low
    onward.size = size
    onward.dtype = a.dtype
    onward.address = address(d.memory) + d.low


@native()
def run_head(m: Machine, t: Thread, number: i64, position: i64) -> i64:
    """Executes the word at the head of a queue: DONE, WAITING, or DECLINED."""
    who = m.instances[number]
    q = m.queues[who.first_queue + position]
    issue = head_of(m, q)
    w = m.words[issue.word]
    if not met(m, number, w):
        return WAITING
    if w.network == 3:
        if not all_here(m, who, q, w, position):
            return WAITING
    if q.executed == 0:
        if not may_post(m, t, number, w):
            return DECLINED
        t.onward.address = 0
        if w.copied != 0:
            find_onward(m, t, number, w)
        if execute(m, t, who, issue) != DONE:
            return DECLINED
        if t.onward.address != 0:
            copy = m.words[w.copied - 1]
            m.queues[who.first_queue + copy.queue - who.first_code].executed = 1
    q.executed = 0
    q.met = 0
    take(m, number, w)
    q.head += 1
    if q.head == m.depth:
        q.head = 0
    q.count -= 1
    t.executed += 1
    post(m, t, number, w)
    return DONE


@native()
def run_pushed(m: Machine, t: Thread, number: i64, w: Word) -> i64:
    """Goes straight on with a word that was just pushed, since what was just loaded is near. One
    whose results the next word copies is left until that is there, too."""
    if w.copied != 0:
        return DONE
    who = m.instances[number]
    if w.copies != 0:
        t.queue = m.words[w.copies - 1].queue - who.first_code
        if m.queues[who.first_queue + t.queue].count == 1:
            if run_head(m, t, number, t.queue) == DECLINED:
                return DECLINED
    t.queue = w.queue - who.first_code
    if m.queues[who.first_queue + t.queue].count != 1:
        return DONE
    return run_head(m, t, number, t.queue)
