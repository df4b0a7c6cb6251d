"""Words of the vector unit that work row by row: reductions, scans, sorts, top-k; and those that
convert, select or count."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import f32, i64, u8
from maiacc_sim.native.lang.operations import (
    choose,
    local_array,
    local_record,
    smallest,
    ult,
)
from maiacc_sim.native.records import Format, Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import write_codes
from maiacc_sim.native.values.elements import (
    BLOCK,
    read_floats,
    read_integers,
    write_floats,
)
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import (
    BOOL,
    FLOAT,
    codes_of_integers,
)
from maiacc_sim.native.values.reductions import (
    Partial,
    add_to_row,
    begin_row,
    combine,
    end_row,
)
from maiacc_sim.native.values.sorts import positions
from maiacc_sim.native.values.walk import Walk

REDUCE = LABEL.reduce


# ---- reductions --------------------------------------------------------------------------------
@native(name="family_reduce", export=True)
def reduce(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r] = b[r] op (op over c of a[r, c])"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    if w.op == REDUCE.argmax or w.op == REDUCE.argmin:
        if a.columns.total == 0 and a.rows.total > 0:
            return DECLINED
        return positions(m, d, a, w.op)
    if m.formats[d.dtype].kind == FLOAT:
        return reduce_floats(m, t, w)
    return reduce_integers(m, t, w)


@native()
def reduce_floats(m: Machine, t: Thread, w: Word) -> i64:
    """Reductions to floats."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    form = m.formats[d.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    carried = local_record(Walk)
    partial = local_record(Partial)
    begin(from_, a)
    begin(to, d)
    if w.carry != 0:
        begin(carried, t.views[SLOT.b])
    x = local_array(f32, BLOCK + 16)
    one = local_array(f32, 32)
    for line in range(a.rows.total):
        begin_row(partial, w.op)
        left = a.columns.total
        while left > 0:
            n = smallest(left, BLOCK)
            read_floats(a, m.formats[a.dtype], a.flat, 0, from_, n, x)
            add_to_row(partial, w.op, x, n)
            left -= n
        result = end_row(partial, w.op)
        if w.carry != 0:
            b = t.views[SLOT.b]
            read_floats(b, m.formats[b.dtype], b.flat, 0, carried, 1, one)
            result = combine(w.op, one[0], result)
        one[0] = result
        write_floats(d, form, d.flat, 0, to, 1, one, 0, 0)
    return DONE


@native(inline=True)
def less(x: i64, y: i64, unsigned: bool) -> bool:
    """x < y, of numbers of 64 bits with or without a sign."""
    return ult(x, y) if unsigned else x < y


@native(inline=True)
def lower(x: i64, x_unsigned: bool, y: i64, y_unsigned: bool) -> bool:
    """x < y of exact integers, either of which may be a uint64 with its highest bit set."""
    x_large = x_unsigned and x < 0
    y_large = y_unsigned and y < 0
    if x_large != y_large:
        return y_large
    return x < y


@record
class Running:
    """A reduction on its way. ``wide``: ``total`` is an unsigned number of 64 bits; ``first``: the
    next element takes its place whatever it is; ``carried`` is the result of the word before."""

    total: i64
    wide: i64
    first: i64
    carried: i64


@native()
def first_integer(form: Format, op: i64) -> i64:
    """What a reduction to a format starts from."""
    if op == REDUCE.prod:
        return 1
    if op == REDUCE.max:
        return choose(form.kind == BOOL, 0, form.low)
    if op == REDUCE.min:
        return choose(form.kind == BOOL, 1, form.high)
    return 0


@native(inline=True)
def add_integer(r: Running, op: i64, x: i64, wide: bool) -> None:
    """Takes one more element."""
    if op == REDUCE.sum:
        r.total += x
    elif op == REDUCE.prod:
        r.total *= x
    elif op == REDUCE.sumsq:
        r.total += x * x
    elif op == REDUCE.absmax:
        size = 0 - x if x < 0 and not wide else x
        r.total = size if ult(r.total, size) else r.total
    elif r.first != 0 or better(op, x, wide, r.total, r.wide != 0):
        r.total = x
        r.wide = choose(wide, 1, 0)
        r.first = 0


@native()
def reduce_integers(m: Machine, t: Thread, w: Word) -> i64:
    """Reductions to integers: exact on the operands' values, the low bits kept."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    form = m.formats[d.dtype]
    kind = m.formats[a.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    carried = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    if w.carry != 0:
        begin(carried, t.views[SLOT.b])
    wide_a = kind.signed == 0 and kind.bits == 64
    wide_d = form.signed == 0 and form.bits == 64
    r = local_record(Running)
    x = local_array(i64, BLOCK)
    codes = local_array(u8, 64)
    for line in range(a.rows.total):
        r.total = first_integer(form, w.op)
        r.wide = choose(wide_d, 1, 0)
        r.first = choose(w.carry == 0, 1, 0)
        if w.carry != 0:
            b = t.views[SLOT.b]
            read_integers(b, m.formats[b.dtype], b.flat, 0, carried, 1, x)
            r.carried = x[0]
            if w.op == REDUCE.max or w.op == REDUCE.min:
                if a.columns.total > 0 or better(w.op, x[0], wide_d, r.total, wide_d):
                    r.total = x[0]
        left = a.columns.total
        while left > 0:
            n = smallest(left, BLOCK)
            read_integers(a, kind, a.flat, 0, from_, n, x)
            for k in range(n):
                add_integer(r, w.op, x[k], wide_a)
            left -= n
        if w.carry != 0:
            if w.op == REDUCE.sum:
                r.total += r.carried
            elif w.op == REDUCE.prod:
                r.total *= r.carried
        x[0] = r.total
        codes_of_integers(form, x, 1, form, 0, codes)
        write_codes(d, d.flat, 0, to, 1, codes)
    return DONE


@native(inline=True)
def better(op: i64, x: i64, x_wide: bool, y: i64, y_wide: bool) -> bool:
    """Whether x takes the place of y in a maximum or minimum."""
    if op == REDUCE.max:
        return lower(y, y_wide, x, x_wide)
    return lower(x, x_wide, y, y_wide)
