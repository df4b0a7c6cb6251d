"""Stable sorts of rows, and their largest elements: keys that order as numbers do, merged by
halves."""

from __future__ import annotations

from maiacc_sim.native.codes import DECLINED, DONE, LABEL, SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, i64, u8
from maiacc_sim.native.lang.operations import bits, local_array, local_record, smallest
from maiacc_sim.native.records import Issue, Word
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, write_codes
from maiacc_sim.native.values.elements import (
    BLOCK,
    read_floats,
    read_integers,
)
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import (
    FLOAT,
    codes_of_integers,
)
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk

REDUCE = LABEL.reduce


@native()
def sort_keys(m: Machine, view: View, walk: Walk, n: i64, out: Array[i64]) -> None:
    """The next elements as numbers in the order of the elements, at most a block of them: both
    zeros are one, and every NaN is above all others."""
    form = m.formats[view.dtype]
    if form.kind == FLOAT:
        x = local_array(f32, BLOCK + 16)
        read_floats(view, form, view.flat, 0, walk, n, x)
        for k in range(n):
            raw = bits(i64, x[k])
            key = raw ^ ((raw >> 63) & 0x7FFFFFFF)
            if (raw & 0x7FFFFFFF) == 0:
                key = 0
            elif (raw & 0x7FFFFFFF) > 0x7F800000:
                key = 1 << 32
            out[k] = key
        return
    read_integers(view, form, view.flat, 0, walk, n, out)
    if form.signed == 0 and form.bits == 64:
        for k in range(n):
            out[k] = out[k] ^ (1 << 63)


@native()
def positions(m: Machine, d: View, a: View, op: i64) -> i64:
    """Positions of the first extreme of each row; of the first NaN if there is one."""
    form = m.formats[a.dtype]
    from_ = local_record(Walk)
    to = local_record(Walk)
    begin(from_, a)
    begin(to, d)
    keys = local_array(i64, BLOCK)
    floats = local_array(f32, BLOCK + 16)
    codes = local_array(u8, 64)
    one = local_array(i64, 16)
    for line in range(a.rows.total):
        best = 0
        place = 0
        nan = -1
        at = 0
        while at < a.columns.total:
            n = smallest(a.columns.total - at, BLOCK)
            if form.kind == FLOAT:
                read_floats(a, form, a.flat, 0, from_, n, floats)
                for k in range(n):
                    raw = bits(i64, floats[k])
                    keys[k] = raw ^ ((raw >> 63) & 0x7FFFFFFF)
                    if (raw & 0x7FFFFFFF) > 0x7F800000 and nan < 0:
                        nan = at + k
            else:
                sort_keys(m, a, from_, n, keys)
            for k in range(n):
                if op == REDUCE.argmin:
                    keys[k] = ~keys[k]
                if at + k == 0 or keys[k] > best:
                    best = keys[k]
                    place = at + k
            at += n
        one[0] = place if nan < 0 else nan
        codes_of_integers(m.formats[d.dtype], one, 1, m.formats[d.dtype], 0, codes)
        write_codes(d, d.flat, 0, to, 1, codes)
    return DONE


# ---- orders ------------------------------------------------------------------------------------
@native()
def merge_sort(keys: Array[i64], places: Array[i64], spare: Array[i64], n: i64) -> None:
    """Sorts keys with their places, stable. ``spare`` has room for twice as many numbers."""
    from_keys = keys
    from_places = places
    to_keys = spare
    to_places = spare + n
    width = 1
    while width < n:
        at = 0
        while at < n:
            left = at
            middle = smallest(at + width, n)
            right = middle
            behind = smallest(at + 2 * width, n)
            for k in range(at, behind):
                if right >= behind or (left < middle and from_keys[left] <= from_keys[right]):
                    to_keys[k] = from_keys[left]
                    to_places[k] = from_places[left]
                    left += 1
                else:
                    to_keys[k] = from_keys[right]
                    to_places[k] = from_places[right]
                    right += 1
            at = behind
        other = from_keys
        from_keys = to_keys
        to_keys = other
        other = from_places
        from_places = to_places
        to_places = other
        width = 2 * width
    for k in range(n):
        places[k] = from_places[k]


@native()
def order_row(m: Machine, t: Thread, a: View, walk: Walk, descending: i64) -> None:
    """The positions of the next row's elements in their order, in ``t.places``."""
    n = a.columns.total
    at = 0
    while at < n:
        some = smallest(n - at, BLOCK)
        sort_keys(m, a, walk, some, t.keys + at)
        at += some
    for k in range(n):
        t.places[k] = k
        if descending != 0:
            t.keys[k] = ~t.keys[k]
    merge_sort(t.keys, t.places, t.spare, n)


@native()
def write_chosen(t: Thread, a: View, walk: Walk, d: View, to: Walk, count: i64) -> None:
    """The elements of a row of a, whose walk stands at its start, that ``t.places`` names."""
    n = a.columns.total
    read_codes(a, a.flat, 0, walk, n, t.bytes)
    width = a.width
    one = local_array(u8, 8)
    for k in range(count):
        for j in range(width):
            one[j] = t.bytes[t.places[k] * width + j]
        write_codes(d, d.flat, 0, to, 1, one)


@native()
def write_places(m: Machine, t: Thread, e: View, to: Walk, count: i64) -> None:
    """Writes the first of ``t.places``."""
    codes = local_array(u8, 64)
    for k in range(count):
        codes_of_integers(m.formats[e.dtype], t.places + k, 1, m.formats[e.dtype], 0, codes)
        write_codes(e, e.flat, 0, to, 1, codes)


@native(name="family_sort", export=True)
def sort(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, :] = a[r, :] in order; e[r, :] = b[r, :] in that order, or the positions"""
    d = t.views[SLOT.d]
    e = t.views[SLOT.e]
    a = t.views[SLOT.a]
    if a.columns.total > t.sort_size:
        return DECLINED
    from_ = local_record(Walk)
    again = local_record(Walk)
    extra = local_record(Walk)
    to = local_record(Walk)
    ends = local_record(Walk)
    begin(from_, a)
    begin(again, a)
    begin(to, d)
    begin(ends, e)
    if w.payload != 0:
        begin(extra, t.views[SLOT.b])
    n = a.columns.total
    for line in range(a.rows.total):
        order_row(m, t, a, from_, w.descending)
        write_chosen(t, a, again, d, to, n)
        if w.payload != 0:
            write_chosen(t, t.views[SLOT.b], extra, e, ends, n)
        else:
            write_places(m, t, e, ends, n)
    return DONE


@native(name="family_top", export=True)
def top(m: Machine, t: Thread, w: Word, i: Issue) -> i64:
    """d[r, j] = the j-th best of a[r, :], e[r, j] its position"""
    d = t.views[SLOT.d]
    e = t.views[SLOT.e]
    a = t.views[SLOT.a]
    n = a.columns.total
    if n > t.sort_size or (w.k > n and a.rows.total > 0):
        return DECLINED
    from_ = local_record(Walk)
    again = local_record(Walk)
    to = local_record(Walk)
    ends = local_record(Walk)
    begin(from_, a)
    begin(again, a)
    begin(to, d)
    begin(ends, e)
    for line in range(a.rows.total):
        best_of_row(m, t, a, from_, w.k, w.least)
        write_chosen(t, a, again, d, to, w.k)
        write_places(m, t, e, ends, w.k)
    return DONE


@native()
def best_of_row(m: Machine, t: Thread, a: View, walk: Walk, count: i64, least: i64) -> None:
    """The positions of the best of the next row, in ``t.places``, best first."""
    found = 0
    at = 0
    keys = local_array(i64, BLOCK)
    best = t.keys
    places = t.places
    while at < a.columns.total:
        n = smallest(a.columns.total - at, BLOCK)
        sort_keys(m, a, walk, n, keys)
        for k in range(n):
            key = keys[k] if least != 0 else ~keys[k]
            if found < count or key < best[count - 1]:
                # Equal ones stay in front: they were met earlier.
                place = found if found < count else count - 1
                while place > 0 and best[place - 1] > key:
                    best[place] = best[place - 1]
                    places[place] = places[place - 1]
                    place -= 1
                best[place] = key
                places[place] = at + k
                found = smallest(found + 1, count)
        at += n
