"""Products of matrices of every pair of types, dense.

Every kind of product stands on one loop: chains of fma in fp32, k rising. Scaled products run it
group by group from zero; products of integers run it from zero over so few k that fp32 is exact.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import Array, f32, f64, i32, i64
from maiacc_sim.native.lang.operations import (
    choose,
    convert,
    copy_bytes,
    local_array,
    local_record,
    pointer,
    set_bytes,
    smallest,
)
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.shared import COLUMNS, DEPTH, SOME_COLUMNS, SOME_ROWS
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.micro import ROWS, tile_full, tile_row
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import INT
from maiacc_sim.native.values.packing import find_rows, pack_panels
from maiacc_sim.native.values.scaled import groups_of, read_scale
from maiacc_sim.native.values.stream import may_stream, stream
from maiacc_sim.native.values.sums import Sums, clear, give_sums, make_canonical, take_sums
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk

MODE = LABEL.accumulate

#: Products of more multiplications are left to Python, which can be interrupted.
MOST_WORK = 1 << 38


@native()
def chain(m: Machine, t: Thread, a: View, b: View, sums: Sums, first: i64, behind: i64) -> None:
    """For every row of a and of b: sum = fma(a[k], b[k], sum) for k from ``first`` to
    ``behind`` - 1."""
    left = m.formats[a.dtype]
    right = m.formats[b.dtype]
    places = local_array(i64, SOME_ROWS)
    n = 0
    while n < sums.columns:
        columns = smallest(sums.columns - n, SOME_COLUMNS)
        k = first
        while k < behind:
            depth = smallest(behind - k, DEPTH)
            pack_panels(b, right, n, columns, k, depth, t.rows, t.right)
            r = 0
            while r < sums.rows:
                rows = smallest(sums.rows - r, SOME_ROWS)
                find_rows(a, left, r, rows, k, depth, t.left, places)
                tiles(t, sums, places, r, rows, n, columns, depth)
                r += rows
            k += depth
        n += columns


@native()
def tiles(
    t: Thread,
    sums: Sums,
    places: Array[i64],
    r: i64,
    rows: i64,
    n: i64,
    columns: i64,
    depth: i64,
) -> None:
    """The products of rows at some places and the panels that are laid out, tile by tile."""
    across = 0
    panel = t.right
    while across < columns:
        down = 0
        while down < rows:
            to = sums.at + ((r + down) * sums.ld + n + across)
            from_ = places + down
            if across + COLUMNS <= columns and down + ROWS <= rows:
                tile_full(from_, panel, to, sums.ld, depth)
            else:
                high = smallest(rows - down, ROWS)
                wide = smallest(columns - across, COLUMNS)
                edge(from_, panel, to, sums.ld, depth, high, wide)
            down += ROWS
        panel = panel + COLUMNS * depth
        across += COLUMNS


@native()
def edge(
    a: Array[i64],
    panel: Array[f32],
    to: Array[f32],
    to_ld: i64,
    depth: i64,
    rows: i64,
    columns: i64,
) -> None:
    """A tile that is not full: on a copy of it."""
    tile = local_array(f32, ROWS * COLUMNS)
    for i in range(rows):
        set_bytes(tile + i * COLUMNS, 0, 4 * COLUMNS)
        copy_bytes(tile + i * COLUMNS, to + i * to_ld, 4 * columns)
    for i in range(rows):
        tile_row(a + i, panel, tile + i * COLUMNS, COLUMNS, depth)
    for i in range(rows):
        copy_bytes(to + i * to_ld, tile + i * COLUMNS, 4 * columns)


# ---- scales -----------------------------------------------------------------------------------
@record
class Scales:
    """The scales of both operands: read row by row, group by group; 1 for an operand without."""

    left: i64
    right: i64
    group: i64
    groups: i64


@native()
def find_scales(
    m: Machine, t: Thread, w: Word, a: View, b: View, length: i64, scales: Scales
) -> i64:
    """The groups of both sides. Declines scales that do not fit."""
    scales.left = choose(m.descs[w.desc[SLOT.a]].scale >= 0, 1, 0)
    scales.right = choose(m.descs[w.desc[SLOT.b]].scale >= 0, 1, 0)
    scales.group = 0
    left = 0
    right = 0
    if scales.left != 0:
        left = groups_of(a, t.views[SLOT.scale_a], length)
    if scales.right != 0:
        right = groups_of(b, t.views[SLOT.scale_b], length)
    if left < 0 or right < 0:
        return DECLINED
    if scales.left != 0 and t.views[SLOT.scale_a].count > t.sort_size:
        return DECLINED
    if scales.right != 0 and t.views[SLOT.scale_b].count > t.sort_size:
        return DECLINED
    if scales.left != 0 and scales.right != 0 and left != right:
        return DECLINED
    scales.group = choose(scales.left != 0, left, right)
    scales.groups = 0
    if scales.group > 0:
        scales.groups = length // scales.group
    return DONE


@native()
def read_scales(m: Machine, view: View, out: Array[f64]) -> None:
    """All scales of an operand."""
    walk = local_record(Walk)
    begin(walk, view)
    for k in range(view.count):
        out[k] = read_scale(m, view, walk)


@native()
def add_group(
    sums: Sums, part: Sums, scales: Scales, left: Array[f64], right: Array[f64], q: i64
) -> None:
    """sum = fp32(fp64(sum) + fp64(part) * scale) for the sums of group q, which become +0."""
    for r in range(sums.rows):
        factor: f64 = 1.0
        if scales.left != 0:
            factor = left[r * scales.groups + q]
        to = sums.at + r * sums.ld
        from_ = part.at + r * part.ld
        for n in range(sums.columns):
            both = factor
            if scales.right != 0:
                both = both * right[n * scales.groups + q]
            scaled = convert(f64, from_[n]) * both
            to[n] = convert(f32, convert(f64, to[n]) + scaled)
            from_[n] = 0.0


# ---- words ------------------------------------------------------------------------------------
@native(name="family_multiply", export=True)
def multiply(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[m, n] (+)= a[m, k] * b[n, k]"""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    length = a.columns.total
    if d.rows.total * d.columns.total > t.product_size:
        return DECLINED
    if d.count * length > MOST_WORK:
        return DECLINED
    scales = local_record(Scales)
    if find_scales(m, t, w, a, b, length, scales) != DONE:
        return DECLINED
    zero = choose(w.mode == MODE.over or (w.mode == MODE.first and i.fresh != 0), 1, 0)
    sums = local_record(Sums)
    copied = take_sums(m, t, d, sums, zero)
    if length > 0:
        if m.formats[a.dtype].kind == INT and m.formats[b.dtype].kind == INT:
            multiply_integers(m, t, a, b, sums, length)
        else:
            if scales.group == 0:
                if may_stream(b, m.formats[b.dtype], sums.rows):
                    stream(m, t, a, b, sums, length)
                else:
                    chain(m, t, a, b, sums, 0, length)
            else:
                multiply_groups(m, t, a, b, sums, scales)
            make_canonical(sums)
    give_sums(t, d, sums, copied)
    return DONE


@native()
def second_sums(t: Thread, sums: Sums, part: Sums) -> None:
    """Sums of a group, beside the others, all +0."""
    part.at = t.product + t.product_size
    part.ld = sums.columns
    part.rows = sums.rows
    part.columns = sums.columns
    clear(part)


@native()
def multiply_groups(m: Machine, t: Thread, a: View, b: View, sums: Sums, scales: Scales) -> None:
    """A product group by group."""
    part = local_record(Sums)
    second_sums(t, sums, part)
    left = pointer(f64, t.keys)
    right = pointer(f64, t.places)
    if scales.left != 0:
        read_scales(m, t.views[SLOT.scale_a], left)
    if scales.right != 0:
        read_scales(m, t.views[SLOT.scale_b], right)
    for q in range(scales.groups):
        chain(m, t, a, b, part, q * scales.group, (q + 1) * scales.group)
        add_group(sums, part, scales, left, right, q)


@native()
def multiply_integers(m: Machine, t: Thread, a: View, b: View, sums: Sums, length: i64) -> None:
    """A product of 8-bit integers in int32, which wraps."""
    part = local_record(Sums)
    second_sums(t, sums, part)
    k = 0
    while k < length:
        behind = smallest(k + DEPTH, length)
        chain(m, t, a, b, part, k, behind)
        add_integers(sums, part)
        k = behind


@native()
def add_integers(sums: Sums, part: Sums) -> None:
    """Adds whole numbers to int32 sums; they become 0."""
    for r in range(sums.rows):
        to = pointer(i32, sums.at + r * sums.ld)
        from_ = part.at + r * part.ld
        for n in range(sums.columns):
            to[n] = to[n] + convert(i64, from_[n])
            from_[n] = 0.0
