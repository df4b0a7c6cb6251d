"""Moves that meet what is there, or go where indices say: sums in memory, gathers, scatters."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, i64, u8
from maiacc_sim.native.lang.operations import choose, local_array, local_record, smallest
from maiacc_sim.native.records import Format, Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, repeat_code, write_codes
from maiacc_sim.native.values.elements import BLOCK, read_integers, wrap
from maiacc_sim.native.values.float_stages import add, max_, min_, mul
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import (
    FLOAT,
    codes_of,
    codes_of_integers,
    floats_of,
    integers_of,
)
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk, start_walk

COMBINE = LABEL.combine


OOB = LABEL.oob


# ---- elements that meet what is there ---------------------------------------------------------
@native()
def meet_codes(form: Format, dtype: i64, op: i64, old: Array[u8], new: Array[u8], n: i64) -> None:
    """old = old op new, in codes of a type of floats or integers, at most a block of them."""
    if form.kind == FLOAT:
        x = local_array(f32, BLOCK + 16)
        y = local_array(f32, BLOCK + 16)
        floats_of(form, dtype, old, n, x)
        floats_of(form, dtype, new, n, y)
        for k in range(0, n, 16):
            a = f32x16.load(x, k)
            b = f32x16.load(y, k)
            if op == COMBINE.add:
                add(a, b, b).store(x, k)
            elif op == COMBINE.mul:
                mul(a, b, b).store(x, k)
            elif op == COMBINE.min:
                min_(a, b, b).store(x, k)
            else:
                max_(a, b, b).store(x, k)
        codes_of(form, dtype, x, n, 0, old)
        return
    p = local_array(i64, BLOCK)
    q = local_array(i64, BLOCK)
    integers_of(form, old, n, p)
    integers_of(form, new, n, q)
    for k in range(n):
        if op == COMBINE.add:
            p[k] = p[k] + q[k]
        elif op == COMBINE.mul:
            p[k] = p[k] * q[k]
        elif op == COMBINE.min:
            p[k] = smallest(p[k], q[k])
        else:
            p[k] = choose(p[k] > q[k], p[k], q[k])
    wrap(form, p, n)
    codes_of_integers(form, p, n, form, 0, old)


@native()
def repeats(view: View) -> bool:
    """Whether two elements of a view may lie at one place."""
    for x in range(view.flat.count):
        if view.flat.step[x] == 0 and view.flat.size[x] > 1:
            return True
    return False


@native(name="family_combine", export=True)
def radd(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = d[i] + a[i]"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    if repeats(d):
        return DECLINED
    form = m.formats[d.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    back = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    begin(back, d)
    old = local_array(u8, 8 * BLOCK)
    new = local_array(u8, 8 * BLOCK)
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_codes(a, a.flat, 0, from_, n, new)
        read_codes(d, d.flat, 0, to, n, old)
        meet_codes(form, d.dtype, COMBINE.add, old, new, n)
        write_codes(d, d.flat, 0, back, n, old)
        left -= n
    return DONE


# ---- rows that an index names -----------------------------------------------------------------
@native()
def row_of(view: View, index: i64, oob: i64) -> i64:
    """The coordinate on axis 0 that an index means, -1 for one to be left out, -2 for one that
    must not be."""
    origin = view.origin[0]
    extent = view.extent[0]
    # Origins are small (see ``views``), so the differences fit.
    if index >= 0 - origin and index < extent - origin:
        return index + origin
    if oob == OOB.trap:
        return -2
    if oob == OOB.fill:
        return -1
    if extent == 0:
        return -2
    return choose(index < 0 - origin, 0, extent - 1)


@native()
def at_named_row(walk: Walk, view: View, row: i64) -> None:
    """The first element of a view whose coordinate on axis 0 is ``row``."""
    walk.at = view.first
    if view.boxed != 0:
        for x in range(view.axes):
            walk.coord[x] = choose(x == 0, row, view.origin[x])
            walk.at += walk.coord[x] * view.stride[x]
    else:
        walk.at += (row - view.origin[0]) * view.stride[0]
    start_walk(walk, view, view.flat, 0, 0)


@native()
def check_rows(m: Machine, view: View, b: View, oob: i64) -> bool:
    """Whether every index may be used."""
    walk = local_record(Walk)
    begin(walk, b)
    numbers = local_array(i64, BLOCK)
    left = b.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_integers(b, m.formats[b.dtype], b.flat, 0, walk, n, numbers)
        for k in range(n):
            if row_of(view, numbers[k], oob) == -2:
                return False
        left -= n
    return True


@native()
def place_rows(m: Machine, view: View, slot: i64, i: Issue) -> bool:
    """Makes a view that one row is shown of fit for every row of its axis 0: it is walked with
    the coordinate there replaced, and no dim of it may move that axis."""
    desc = m.descs[i.located[slot].desc]
    for x in range(desc.rank):
        if desc.dim[x].axis == 0 and desc.dim[x].step != 0 and i.located[slot].size[x] > 1:
            return False
    return True


@native(name="family_gather", export=True)
def gather(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, c] = a[c] with its coordinate on axis 0 replaced by origin + b[r]"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    if not place_rows(m, a, SLOT.a, i) or not check_rows(m, a, b, w.oob):
        return DECLINED
    index = local_record(Walk)
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(index, b)
    begin(to, d)
    numbers = local_array(i64, BLOCK)
    codes = local_array(u8, 8 * BLOCK)
    columns = a.count
    left = b.count
    form = m.formats[b.dtype]
    while left > 0:
        some = smallest(left, BLOCK)
        read_integers(b, form, b.flat, 0, index, some, numbers)
        for k in range(some):
            row = row_of(a, numbers[k], w.oob)
            if row >= 0:
                at_named_row(from_, a, row)
            done = 0
            while done < columns:
                n = smallest(columns - done, BLOCK)
                if row < 0:
                    repeat_code(a.width, codes, a.width, a.fill, n)
                else:
                    read_codes(a, a.flat, 0, from_, n, codes)
                write_codes(d, d.flat, 0, to, n, codes)
                done += n
        left -= some
    return DONE


@native(name="family_scatter", export=True)
def scatter(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[c] with its coordinate on axis 0 replaced by origin + b[r] meets a[r, c], r rising"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    if not place_rows(m, d, SLOT.d, i) or not check_rows(m, d, b, w.oob):
        return DECLINED
    if w.op != COMBINE.set and repeats(d):
        return DECLINED
    index = local_record(Walk)
    from_ = local_record(Walk)
    to = local_record(Walk)
    back = local_record(Walk)
    begin(index, b)
    begin(from_, a)
    numbers = local_array(i64, BLOCK)
    new = local_array(u8, 8 * BLOCK)
    old = local_array(u8, 8 * BLOCK)
    columns = d.count
    left = b.count
    form = m.formats[b.dtype]
    while left > 0:
        some = smallest(left, BLOCK)
        read_integers(b, form, b.flat, 0, index, some, numbers)
        for k in range(some):
            row = row_of(d, numbers[k], w.oob)
            if row >= 0:
                at_named_row(to, d, row)
                at_named_row(back, d, row)
            done = 0
            while done < columns:
                n = smallest(columns - done, BLOCK)
                read_codes(a, a.flat, 0, from_, n, new)
                if row >= 0:
                    if w.op == COMBINE.set:
                        write_codes(d, d.flat, 0, back, n, new)
                    else:
                        read_codes(d, d.flat, 0, to, n, old)
                        meet_codes(m.formats[d.dtype], d.dtype, w.op, old, new, n)
                        write_codes(d, d.flat, 0, back, n, old)
                done += n
        left -= some
    return DONE
