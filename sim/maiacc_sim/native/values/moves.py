"""Words that move elements: copies, fills, additions to memory, gathers and scatters."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64, u8
from maiacc_sim.native.lang.operations import (
    address,
    choose,
    copy_bytes,
    local_array,
    local_record,
    smallest,
)
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.aliases import stand_for
from maiacc_sim.native.values.codes import read_codes, repeat_code, spread, write_codes
from maiacc_sim.native.values.elements import BLOCK
from maiacc_sim.native.values.views import View, is_run
from maiacc_sim.native.values.walk import Walk, at_origin, run_of, start_walk, step_on


@native(inline=True)
def begin(walk: Walk, view: View) -> None:
    """A walk over all elements of a view, from the first one."""
    at_origin(walk, view)
    start_walk(walk, view, view.flat, 0, 0)


@native()
def copy_elements(d: View, a: View) -> None:
    """d[i] = a[i] for views of one type."""
    if a.packed != 0:
        copy_packed(d, a)
        return
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    width = a.width
    left = a.count
    while left > 0:
        n = smallest(run_of(from_, a, a.flat, 0), run_of(to, d, d.flat, 0))
        if to.data != 0:
            place = d.memory + to.at
            if from_.data == 0:
                repeat_code(width, place, to.step, a.fill, n)
            elif to.step == width and from_.step == width:
                copy_bytes(place, a.memory + from_.at, n * width)
            else:
                spread(width, place, to.step, a.memory + from_.at, from_.step, n)
        step_on(from_, a, a.flat, 0, n)
        step_on(to, d, d.flat, 0, n)
        left -= n


@native()
def copy_packed(d: View, a: View) -> None:
    """As ``copy_elements`` for types below 8 bits: whole bytes where both sides have them."""
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    codes = local_array(u8, BLOCK)
    left = a.count
    while left > 0:
        n = smallest(run_of(from_, a, a.flat, 0), run_of(to, d, d.flat, 0))
        plain = from_.step == a.bits and to.step == a.bits and n * a.bits % 8 == 0
        aligned = (from_.at | to.at) % 8 == 0
        if plain and aligned and from_.data != 0 and to.data != 0:
            copy_bytes(d.memory + (to.at >> 3), a.memory + (from_.at >> 3), n * a.bits // 8)
            step_on(from_, a, a.flat, 0, n)
            step_on(to, d, d.flat, 0, n)
        else:
            n = smallest(n, BLOCK)
            read_codes(a, a.flat, 0, from_, n, codes)
            write_codes(d, d.flat, 0, to, n, codes)
        left -= n


@native(name="family_copy", export=True)
def copy(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = a[i]"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    memory = m.memories[t.into]
    if a.constant != 0 and memory.lazy != 0 and is_run(a) and is_run(d):
        size = d.count * d.width
        if size >= memory.lazy:
            start = d.first
            origin = address(a.memory) + a.first - start
            if stand_for(memory, start, start + size, origin):
                return DONE
    copy_elements(d, a)
    return DONE


@native(name="family_turn", export=True)
def copyt(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[o, j, i] = a[o, i, j]: a's view with its last two dims exchanged."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    from_ = i.located[SLOT.a]
    to = i.located[SLOT.d]
    rank = a.rank
    if a.packed != 0 or rank < 2 or d.rank != rank:
        return DECLINED
    for x in range(rank - 2):
        if from_.size[x] != to.size[x]:
            return DECLINED
    last = rank - 1
    if from_.size[last] != to.size[last - 1] or from_.size[last - 1] != to.size[last]:
        return DECLINED
    desc = m.descs[from_.desc]
    turned = a.flat
    for x in range(rank):
        y = choose(x == last, last - 1, choose(x == last - 1, last, x))
        turned.size[x] = from_.size[y]
        turned.step[x] = desc.dim[y].step * desc.axis[desc.dim[y].axis].stride
        a.axis[x] = desc.dim[y].axis
        a.along[x] = desc.dim[y].step
    turned.count = rank
    copy_elements(d, a)
    return DONE


@native(name="family_fill", export=True)
def fill(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = value"""
    d = t.views[SLOT.d]
    code = w.value
    if d.bits == 64:
        code = code << 32 >> 32
    if d.packed != 0:
        code = code & ((1 << d.bits) - 1)
    walk = local_record(Walk)
    begin(walk, d)
    codes = local_array(u8, BLOCK)
    repeat_code(1, codes, 1, code, BLOCK)
    left = d.count
    while left > 0:
        n = run_of(walk, d, d.flat, 0)
        if d.packed != 0:
            n = smallest(n, BLOCK)
            write_codes(d, d.flat, 0, walk, n, codes)
        else:
            if walk.data != 0:
                repeat_code(d.width, d.memory + walk.at, walk.step, code, n)
            step_on(walk, d, d.flat, 0, n)
        left -= n
    return DONE
