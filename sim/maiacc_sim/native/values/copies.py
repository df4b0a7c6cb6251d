"""Words that copy elements with a change: conversions, choices by a condition, counted numbers."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, DTYPE, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, i64, u8
from maiacc_sim.native.lang.operations import choose, local_array, local_record, smallest
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, repeat_code, write_codes
from maiacc_sim.native.values.elements import (
    BLOCK,
    encode_floats,
    read_floats,
    read_integers,
    read_truths,
    write_floats,
)
from maiacc_sim.native.values.moves import begin, copy_elements
from maiacc_sim.native.values.numbers import (
    BOOL,
    FLOAT,
    INT,
    codes_of_integers,
    floats_of_integers,
    odd_floats,
)
from maiacc_sim.native.values.reductions import (
    one_nan,
)
from maiacc_sim.native.values.rounding import fit_integer
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk


# ---- conversions, selections, coordinates ------------------------------------------------------
@native(name="family_convert", export=True)
def convert_(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = convert(a[i])"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    if d.dtype == a.dtype:
        copy_elements(d, a)
        return DONE
    source = m.formats[a.dtype]
    form = m.formats[d.dtype]
    if source.kind > BOOL or form.kind > BOOL:
        return DECLINED
    if source.kind == FLOAT:
        if form.kind == INT and w.saturate == 0 and convert_floats(m, a, d, w, 1) != DONE:
            return DECLINED
        return convert_floats(m, a, d, w, 0)
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    x = local_array(i64, BLOCK)
    odd = local_array(f32, BLOCK + 16)
    codes = local_array(u8, 8 * BLOCK + 64)
    unsigned = choose(source.signed == 0 and source.bits == 64, 1, 0)
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_integers(a, source, a.flat, 0, from_, n, x)
        if form.kind != FLOAT:
            saturate = choose(source.kind == INT, w.saturate, 0)
            codes_of_integers(form, x, n, source, saturate, codes)
            write_codes(d, d.flat, 0, to, n, codes)
        else:
            if d.dtype == DTYPE.fp32:
                floats_of_integers(x, n, unsigned, odd)
            else:
                odd_floats(x, n, unsigned, odd)
            write_floats(d, form, d.flat, 0, to, n, odd, w.saturate, 0)
        left -= n
    return DONE


@native()
def convert_floats(m: Machine, a: View, d: View, w: Word, dry: i64) -> i64:
    """Conversions of floats. A ``dry`` run says whether all fit."""
    form = m.formats[d.dtype]
    source = m.formats[a.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    x = local_array(f32, BLOCK + 16)
    # A format that holds all numbers of the other keeps infinities, whatever is asked.
    exact = (
        form.kind == FLOAT and form.exponent >= source.exponent and form.mantissa >= source.mantissa
    )
    saturate = choose(exact, 0, w.saturate)
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_floats(a, source, a.flat, 0, from_, n, x)
        if d.dtype == DTYPE.fp32:
            for k in range(n):
                x[k] = one_nan(x[k])
        if dry != 0:
            if not fit_integer(form, x, n, w.round):
                return DECLINED
        else:
            write_floats(d, form, d.flat, 0, to, n, x, saturate, w.round)
        left -= n
    return DONE


@native(name="family_select", export=True)
def select(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = a[i] if c[i] lies in its box, else b[i] or the fill value of c"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    c = t.views[SLOT.c]
    if c.iota == 0:
        return DECLINED
    form = m.formats[d.dtype]
    walks = local_array(Walk, 4)
    begin(walks[0], a)
    begin(walks[2], c)
    begin(walks[3], d)
    if w.other != 0:
        begin(walks[1], b)
    fill = m.descs[i.located[SLOT.c].desc].raw_fill
    if d.bits == 64:
        fill = fill << 32 >> 32
    inside = local_array(u8, BLOCK)
    codes = local_array(u8, 8 * BLOCK + 64)
    others = local_array(u8, 8 * BLOCK + 64)
    x = local_array(f32, BLOCK + 16)
    width = d.width
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_truths(c, c.flat, 0, walks[2], n, inside)
        if a.dtype == d.dtype:
            read_codes(a, a.flat, 0, walks[0], n, codes)
        else:
            read_floats(a, m.formats[a.dtype], a.flat, 0, walks[0], n, x)
            encode_floats(form, d.dtype, x, n, 0, 0, codes)
        if w.other != 0:
            read_codes(b, b.flat, 0, walks[1], n, others)
        else:
            repeat_code(width, others, width, fill, n)
        mix(width, codes, others, inside, n)
        write_codes(d, d.flat, 0, walks[3], n, codes)
        left -= n
    return DONE


@native()
def mix(width: i64, codes: Array[u8], others: Array[u8], inside: Array[u8], n: i64) -> None:
    """Takes codes from ``others`` where ``inside`` is 0."""
    k = 0
    while k < n:
        if inside[k] != 0:
            k += 1
        else:
            first = k
            while k < n and inside[k] == 0:
                k += 1
            for j in range(first * width, k * width):
                codes[j] = others[j]


@native(name="family_iota", export=True)
def iota(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[i] = the coordinate of a[i] on axis 0, or whether it lies in the box"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    if a.iota == 0:
        return DECLINED
    form = m.formats[a.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    x = local_array(i64, BLOCK)
    floats = local_array(f32, BLOCK + 16)
    codes = local_array(u8, 8 * BLOCK + 64)
    left = d.count
    while left > 0:
        n = smallest(left, BLOCK)
        if form.kind == FLOAT:
            read_floats(a, form, a.flat, 0, from_, n, floats)
            write_floats(d, form, d.flat, 0, to, n, floats, 0, 0)
        else:
            read_integers(a, form, a.flat, 0, from_, n, x)
            codes_of_integers(form, x, n, form, 0, codes)
            write_codes(d, d.flat, 0, to, n, codes)
        left -= n
    return DONE
