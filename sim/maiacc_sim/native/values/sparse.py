"""Products with a right matrix in 2:4 sparse form.

Which numbers of A meet a stored number differs from row to row of B, so sums are kept turned: those
of one row of B side by side, to be worked on as vectors.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, f64, i64, u8
from maiacc_sim.native.lang.operations import (
    choose,
    fma,
    local_array,
    local_record,
    pointer,
    smallest,
)
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.shared import COLUMNS, DEPTH, SOME_ROWS
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, write_codes
from maiacc_sim.native.values.elements import BLOCK
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import INT
from maiacc_sim.native.values.packing import pack_rows
from maiacc_sim.native.values.products import (
    MOST_WORK,
    Scales,
    add_group,
    add_integers,
    find_scales,
    read_scales,
    second_sums,
)
from maiacc_sim.native.values.sums import Sums, clear, make_canonical
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk

MODE = LABEL.accumulate


@native()
def read_positions(t: Thread, meta: View, out: Array[i64]) -> bool:
    """The logical k of every stored number of b, row by row; False for an illegal nibble."""
    walk = local_record(Walk)
    begin(walk, meta)
    codes = local_array(u8, BLOCK)
    groups = meta.columns.total
    to = out
    for row in range(meta.rows.total):
        q = 0
        while q < groups:
            n = smallest(groups - q, BLOCK)
            read_codes(meta, meta.flat, 0, walk, n, codes)
            for k in range(n):
                low = codes[k] & 3
                high = codes[k] >> 2
                if low >= high:
                    return False
                to[0] = 4 * (q + k) + low
                to[1] = 4 * (q + k) + high
                to = to + 2
            q += n
    return True


@native()
def sparse_chain(
    m: Machine, t: Thread, a: View, b: View, sums: Sums, first: i64, behind: i64
) -> None:
    """As ``chain`` over stored numbers ``first`` to ``behind`` - 1 of b; sums are turned: a row of
    them for each row of b, padded to whole vectors."""
    k = first
    ld = DEPTH + 16
    stored = b.columns.total
    while k < behind:
        depth = smallest(behind - k, DEPTH // 2)
        r = 0
        while r < sums.columns:
            rows = smallest(sums.columns - r, SOME_ROWS)
            pack_turned(m, t, a, r, rows, 2 * k, 2 * depth, ld)
            n = 0
            while n < sums.rows:
                some = smallest(sums.rows - n, COLUMNS)
                pack_rows(b, m.formats[b.dtype], n, some, k, depth, t.rows, ld)
                for j in range(n, n + some):
                    to = sums.at + (j * sums.ld + r)
                    place = t.spare + (j * stored + k)
                    sparse_row(t, to, rows, t.rows + (j - n) * ld, place, 2 * k, depth)
                n += some
            r += rows
        k += depth


@native()
def pack_turned(
    m: Machine, t: Thread, a: View, r: i64, rows: i64, k: i64, depth: i64, ld: i64
) -> None:
    """Rows of a turned, in ``t.right``: ``SOME_ROWS`` numbers for each k."""
    pack_rows(a, m.formats[a.dtype], r, rows, k, depth, t.left, ld)
    for i in range(depth):
        for j in range(rows):
            t.right[i * SOME_ROWS + j] = t.left[j * ld + i]


@native()
def sparse_row(
    t: Thread, to: Array[f32], rows: i64, b: Array[f32], place: Array[i64], k: i64, depth: i64
) -> None:
    """The sums of one row of b with some rows of a."""
    r = 0
    while r + 48 < rows:
        s0 = f32x16.load(to, r)
        s1 = f32x16.load(to, r + 16)
        s2 = f32x16.load(to, r + 32)
        s3 = f32x16.load(to, r + 48)
        for j in range(depth):
            left = t.right + ((place[j] - k) * SOME_ROWS + r)
            x = f32x16.splat(b[j])
            s0 = fma(f32x16.load(left), x, s0)
            s1 = fma(f32x16.load(left, 16), x, s1)
            s2 = fma(f32x16.load(left, 32), x, s2)
            s3 = fma(f32x16.load(left, 48), x, s3)
        s0.store(to, r)
        s1.store(to, r + 16)
        s2.store(to, r + 32)
        s3.store(to, r + 48)
        r += 64
    while r < rows:
        sum_ = f32x16.load(to, r)
        for j in range(depth):
            left = t.right + ((place[j] - k) * SOME_ROWS + r)
            sum_ = fma(f32x16.load(left), f32x16.splat(b[j]), sum_)
        sum_.store(to, r)
        r += 16


@native()
def turn_in(d: View, sums: Sums) -> None:
    """Reads the accumulators into turned sums."""
    walk = local_record(Walk)
    begin(walk, d)
    codes = local_array(f32, BLOCK)
    for r in range(sums.columns):
        n = 0
        while n < sums.rows:
            some = smallest(sums.rows - n, BLOCK)
            read_codes(d, d.flat, 0, walk, some, pointer(u8, codes))
            for j in range(some):
                sums.at[(n + j) * sums.ld + r] = codes[j]
            n += some


@native()
def turn_out(d: View, sums: Sums) -> None:
    """Writes turned sums to the accumulators."""
    walk = local_record(Walk)
    begin(walk, d)
    codes = local_array(f32, BLOCK)
    for r in range(sums.columns):
        n = 0
        while n < sums.rows:
            some = smallest(sums.rows - n, BLOCK)
            for j in range(some):
                codes[j] = sums.at[(n + j) * sums.ld + r]
            write_codes(d, d.flat, 0, walk, some, pointer(u8, codes))
            n += some


@native(name="family_multiply_sparse", export=True)
def multiply_sparse(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """As ``multiply``; b holds two values of every four along k, its metadata their positions."""
    d = t.views[SLOT.d]
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    meta = t.views[SLOT.meta_b]
    length = a.columns.total
    if m.descs[w.desc[SLOT.b]].meta < 0 or length % 4 != 0:
        return DECLINED
    if meta.rows.total != b.rows.total or meta.columns.total != length // 4:
        return DECLINED
    ld = (d.rows.total + 15) // 16 * 16
    if d.columns.total * ld > t.product_size or b.count > t.sort_size:
        return DECLINED
    if d.count * length > MOST_WORK or b.columns.total * 2 != length:
        return DECLINED
    scales = local_record(Scales)
    if find_scales(m, t, w, a, b, length, scales) != DONE:
        return DECLINED
    if scales.group % 2 != 0 or not read_positions(t, meta, t.spare):
        return DECLINED
    sums = local_record(Sums)
    sums.at = t.product
    sums.ld = ld
    sums.rows = d.columns.total
    sums.columns = d.rows.total
    # Whole vectors are worked on: what pads them must be numbers, too.
    for r in range(sums.rows * ld):
        sums.at[r] = 0.0
    if not (w.mode == MODE.over or (w.mode == MODE.first and i.fresh != 0)):
        turn_in(d, sums)
    if length > 0:
        multiply_stored(m, t, w, sums, scales, length // 2)
    turn_out(d, sums)
    return DONE


@native()
def multiply_stored(
    m: Machine, t: Thread, w: Word, sums: Sums, scales: Scales, stored: i64
) -> None:
    """Adds the product of all stored numbers to turned sums."""
    a = t.views[SLOT.a]
    b = t.views[SLOT.b]
    whole = m.formats[a.dtype].kind == INT and m.formats[b.dtype].kind == INT
    if not whole and scales.group == 0:
        sparse_chain(m, t, a, b, sums, 0, stored)
        make_canonical(sums)
        return
    part = local_record(Sums)
    second_sums(t, sums, part)
    part.ld = sums.ld
    part.columns = sums.ld
    clear(part)
    part.columns = sums.columns
    step = choose(whole, DEPTH // 2, scales.group // 2)
    left = pointer(f64, t.keys)
    right = pointer(f64, t.places)
    turned = local_record(Scales)
    turned.left = scales.right
    turned.right = scales.left
    turned.group = scales.group
    turned.groups = scales.groups
    if scales.left != 0:
        read_scales(m, t.views[SLOT.scale_a], left)
    if scales.right != 0:
        read_scales(m, t.views[SLOT.scale_b], right)
    k = 0
    q = 0
    while k < stored:
        behind = smallest(k + step, stored)
        sparse_chain(m, t, a, b, part, k, behind)
        if whole:
            add_integers(sums, part)
        else:
            add_group(sums, part, turned, right, left, q)
        k = behind
        q += 1
    if not whole:
        make_canonical(sums)
