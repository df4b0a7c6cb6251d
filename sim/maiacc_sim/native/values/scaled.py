"""Words of the vector unit about numbers whose groups share a scale, and ASSERT."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, DTYPE, LABEL, MX_GROUP, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f64, i64, u8
from maiacc_sim.native.lang.operations import (
    bits,
    choose,
    convert,
    largest,
    local_array,
    local_record,
    lshr,
    pointer,
    smallest,
)
from maiacc_sim.native.records import Format, Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, write_codes
from maiacc_sim.native.values.elements import BLOCK, one_float, read_floats, write_floats
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import FLOAT, SCALE
from maiacc_sim.native.values.reductions import one_nan
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk

RULE = LABEL.mxscale


@native(inline=True)
def power_of_two(k: i64) -> f64:
    """2**k for k from -1022 to 1023."""
    return bits(f64, (k + 1023) << 52)


@native()
def scale_of(form: Format, dtype: i64, code: i64) -> f64:
    """The value of a scale; a NaN has one pattern."""
    if form.kind == SCALE:
        if code == 255:
            return bits(f64, 0x7FF8000000000000)
        return power_of_two(code - 127)
    raw = local_array(i64, 1)
    raw[0] = code
    return convert(f64, one_nan(one_float(form, dtype, pointer(u8, raw))))


@native()
def groups_of(view: View, scale: View, length: i64) -> i64:
    """Elements of a row of ``length`` that share a scale; 0 if it is empty, -1 if they misfit."""
    groups = scale.columns.total
    if scale.rows.total != view.rows.total:
        return -1
    if groups == 0:
        return 0 if length == 0 else -1
    return length // groups if length % groups == 0 else -1


@native()
def read_scale(m: Machine, view: View, walk: Walk) -> f64:
    """The next scale of a walk."""
    code = local_array(i64, 1)
    code[0] = 0
    read_codes(view, view.flat, 0, walk, 1, pointer(u8, code))
    return scale_of(m.formats[view.dtype], view.dtype, code[0])


@native(inline=True)
def log2_floor(x: f32) -> i64:
    """floor(log2(x)) for finite x > 0, denormals among them."""
    raw = bits(i64, convert(f64, x))
    return lshr(raw, 52) - 1023


@native(name="family_quantise", export=True)
def quantise(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, c] = a[r, c] / scale of its group of 32; the scales are written too"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    scale = t.views[SLOT.scale_d]
    form = m.formats[d.dtype]
    group = groups_of(d, scale, d.columns.total)
    if (group != 0 and group != MX_GROUP) or group < 0:
        return DECLINED
    if form.kind != FLOAT or form.bits > 8 or scale.dtype != DTYPE.e8m0:
        return DECLINED
    from_ = local_record(Walk)
    to = local_record(Walk)
    ends = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    begin(ends, scale)
    x = local_array(f32, MX_GROUP + 16)
    code = local_array(u8, 8)
    # The largest number of the format is at least this power of two.
    top = local_array(i64, 1)
    top[0] = form.largest
    most = one_float(form, d.dtype, pointer(u8, top))
    emax = log2_floor(most)
    left = d.count
    while left > 0:
        read_floats(a, m.formats[a.dtype], a.flat, 0, from_, MX_GROUP, x)
        code[0] = group_scale(x, w.rule, most, emax)
        if code[0] == 255:
            for k in range(MX_GROUP):
                x[k] = 0.0
        else:
            divide_group(x, code[0] - 127)
        write_floats(d, form, d.flat, 0, to, MX_GROUP, x, 1, 0)
        write_codes(scale, scale.flat, 0, ends, 1, code)
        left -= MX_GROUP
    return DONE


@native()
def group_scale(x: Array[f32], rule: i64, most: f32, emax: i64) -> i64:
    """The code of a group's scale; 255 for one with a NaN or infinity."""
    size = 0
    for k in range(MX_GROUP):
        size = largest(size, bits(i64, x[k]) & 0x7FFFFFFF)
    if size >= 0x7F800000:
        return 255
    if size == 0:
        return 0
    top = bits(f32, size)
    power = log2_floor(top) - emax
    if rule == RULE.ceil and convert(f64, top) > convert(f64, most) * power_of_two(power):
        power += 1
    return smallest(largest(power, -127), 127) + 127


@native()
def divide_group(x: Array[f32], power: i64) -> None:
    """Divides numbers by a power of two. What is lost below fp32 is too small for any MX type,
    what leaves it above saturates there."""
    factor = power_of_two(0 - power)
    for k in range(MX_GROUP):
        x[k] = convert(f32, convert(f64, x[k]) * factor)


@native(name="family_scale", export=True)
def scale(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, c] = a[r, c] * scale of its group"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    factors = t.views[SLOT.scale_a]
    group = groups_of(a, factors, a.columns.total)
    if group < 0:
        return DECLINED
    from_ = local_record(Walk)
    to = local_record(Walk)
    ends = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    begin(ends, factors)
    x = local_array(f32, BLOCK + 16)
    form = m.formats[a.dtype]
    for line in range(a.rows.total):
        for q in range(factors.columns.total):
            factor = read_scale(m, factors, ends)
            left = group
            while left > 0:
                n = smallest(left, BLOCK)
                read_floats(a, form, a.flat, 0, from_, n, x)
                for k in range(n):
                    x[k] = one_nan(convert(f32, convert(f64, x[k]) * factor))
                write_floats(d, m.formats[d.dtype], d.flat, 0, to, n, x, 0, 0)
                left -= n
    return DONE


@native(name="family_check", export=True)
def assert_(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """crc32(bytes of a) == crc"""
    a = t.views[SLOT.a]
    walk = local_record(Walk)
    begin(walk, a)
    codes = local_array(u8, 8 * BLOCK)
    crc = 0xFFFFFFFF
    left = a.count
    while left > 0:
        n = smallest(left, BLOCK)
        read_codes(a, a.flat, 0, walk, n, codes)
        for k in range(n * a.width):
            crc = crc ^ codes[k]
            for _ in range(8):
                crc = (crc >> 1) ^ choose(crc & 1 != 0, 0xEDB88320, 0)
        left -= n
    return DONE if crc ^ 0xFFFFFFFF == w.crc else DECLINED
