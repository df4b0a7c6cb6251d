"""Prefix scans along the columns of every row."""

from __future__ import annotations

from maiacc_sim.native.codes import DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import f32, i64, u8
from maiacc_sim.native.lang.operations import bits, choose, local_array, local_record, smallest
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import write_codes
from maiacc_sim.native.values.elements import (
    BLOCK,
    read_floats,
    read_integers,
    wrap,
    write_floats,
)
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import (
    FLOAT,
    codes_of_integers,
)
from maiacc_sim.native.values.reductions import (
    combine,
    one_nan,
)
from maiacc_sim.native.values.rows import REDUCE, less
from maiacc_sim.native.values.walk import Walk

SCAN = LABEL.scanop


# ---- scans -------------------------------------------------------------------------------------
@native(name="family_scan", export=True)
def scan(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, c] = b[r] op a[r, 0] op ... op a[r, c]"""
    if m.formats[t.views[SLOT.d].dtype].kind == FLOAT:
        return scan_floats(m, t, w)
    return scan_integers(m, t, w)


@native()
def scan_floats(m: Machine, t: Thread, w: Word) -> i64:
    """Scans of floats."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    from_ = local_record(Walk)
    to = local_record(Walk)
    carried = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    if w.carry != 0:
        begin(carried, t.views[SLOT.b])
    x = local_array(f32, BLOCK + 16)
    for line in range(a.rows.total):
        value = 0.0
        if w.op == SCAN.mul:
            value = 1.0
        elif w.op != SCAN.add:
            value = bits(f32, choose(w.op == SCAN.max, 0xFF800000, 0x7F800000))
        if w.carry != 0:
            b = t.views[SLOT.b]
            read_floats(b, m.formats[b.dtype], b.flat, 0, carried, 1, x)
            value = x[0]
        left = a.columns.total
        while left > 0:
            n = smallest(left, BLOCK)
            read_floats(a, m.formats[a.dtype], a.flat, 0, from_, n, x)
            for k in range(n):
                if w.op == SCAN.add:
                    value = value + x[k]
                elif w.op == SCAN.mul:
                    value = value * x[k]
                else:
                    value = combine(choose(w.op == SCAN.max, REDUCE.max, REDUCE.min), value, x[k])
                x[k] = one_nan(value)
            write_floats(d, m.formats[d.dtype], d.flat, 0, to, n, x, 0, 0)
            left -= n
    return DONE


@native()
def scan_integers(m: Machine, t: Thread, w: Word) -> i64:
    """Scans of integers, which wrap in the type of the result."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    form = m.formats[d.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    carried = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    if w.carry != 0:
        begin(carried, t.views[SLOT.b])
    x = local_array(i64, BLOCK)
    codes = local_array(u8, 8 * BLOCK)
    unsigned = form.signed == 0
    for line in range(a.rows.total):
        value = choose(w.op == SCAN.mul, 1, 0)
        if w.op == SCAN.max:
            value = form.low
        elif w.op == SCAN.min:
            value = form.high
        if w.carry != 0:
            b = t.views[SLOT.b]
            read_integers(b, m.formats[b.dtype], b.flat, 0, carried, 1, x)
            value = x[0]
        left = a.columns.total
        while left > 0:
            n = smallest(left, BLOCK)
            read_integers(a, m.formats[a.dtype], a.flat, 0, from_, n, x)
            wrap(form, x, n)
            for k in range(n):
                item = x[k]
                if w.op == SCAN.add:
                    value = value + item
                elif w.op == SCAN.mul:
                    value = value * item
                elif w.op == SCAN.max:
                    value = item if less(value, item, unsigned) else value
                else:
                    value = item if less(item, value, unsigned) else value
                x[k] = value
            wrap(form, x, n)
            value = x[n - 1]
            codes_of_integers(form, x, n, form, 0, codes)
            write_codes(d, d.flat, 0, to, n, codes)
            left -= n
    return DONE
