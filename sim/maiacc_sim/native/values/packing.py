"""Operands of matrix products laid out for the innermost loops: rows of A, panels of B."""

from __future__ import annotations

from maiacc_sim.native.codes import DTYPE
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, i32x16, i64, u16, u16x16
from maiacc_sim.native.lang.operations import (
    address,
    bits,
    choose,
    convert,
    local_array,
    local_record,
    pointer,
    set_bytes,
    shuffle,
    smallest,
    unrolled,
)
from maiacc_sim.native.records import Format
from maiacc_sim.native.shared import COLUMNS, DEPTH
from maiacc_sim.native.values.elements import floats_of_codes, read_floats
from maiacc_sim.native.values.numbers import FLOAT
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import (
    Walk,
    at_origin,
    at_row,
    run_of,
    start_walk,
    step_on,
)

_LOW = tuple(x for i in range(8) for x in (i, i + 16))
_HIGH = tuple(x for i in range(8, 16) for x in (i, i + 16))


@native()
def pack_rows(
    view: View, form: Format, first: i64, count: i64, k: i64, depth: i64, out: Array[f32], ld: i64
) -> None:
    """Numbers ``k`` to ``k + depth`` of some rows, row by row, ``ld`` apart. Up to 15 numbers
    behind the last one are written."""
    row = local_record(Walk)
    column = local_record(Walk)
    at_origin(row, view)
    start_walk(row, view, view.rows, 0, first)
    side = view.columns.count == 0 or (
        view.columns.count == 1 and view.columns.step[0] == view.width
    )
    plain = view.boxed == 0 and view.packed == 0 and form.kind == FLOAT and side
    shift = choose(view.boxed != 0, view.split, 0)
    to = out
    for i in range(count):
        if plain:
            place = view.memory + (row.at + k * view.width)
            floats_of_codes(form, view.dtype, place, depth, to)
        else:
            at_row(column, row, view)
            column.at = row.at
            start_walk(column, view, view.columns, shift, k)
            read_floats(view, form, view.columns, shift, column, depth, to)
        run_of(row, view, view.rows, 0)
        step_on(row, view, view.rows, 0, 1)
        to = to + ld


@native()
def find_rows(
    view: View,
    form: Format,
    first: i64,
    count: i64,
    k: i64,
    depth: i64,
    room: Array[f32],
    places: Array[i64],
) -> None:
    """The addresses of numbers ``k`` to ``k + depth`` of some rows as fp32: where they lie if they
    are fp32 side by side, else in ``room``, where up to 15 more numbers are written for each."""
    ld = DEPTH + 16
    row = local_record(Walk)
    column = local_record(Walk)
    at_origin(row, view)
    start_walk(row, view, view.rows, 0, first)
    shift = choose(view.boxed != 0, view.split, 0)
    if view.dtype != DTYPE.fp32 or view.columns.count > 1:
        pack_rows(view, form, first, count, k, depth, room, ld)
        for i in range(count):
            places[i] = address(room + i * ld)
        return
    for i in range(count):
        at_row(column, row, view)
        column.at = row.at
        start_walk(column, view, view.columns, shift, k)
        run = run_of(column, view, view.columns, shift)
        if column.data != 0 and column.step == 4 and run >= depth:
            places[i] = address(view.memory + column.at)
        else:
            to = room + i * ld
            read_floats(view, form, view.columns, shift, column, depth, to)
            places[i] = address(to)
        run_of(row, view, view.rows, 0)
        step_on(row, view, view.rows, 0, 1)


@native()
def pack_panels(
    view: View,
    form: Format,
    first: i64,
    count: i64,
    k: i64,
    depth: i64,
    rows: Array[f32],
    out: Array[f32],
) -> None:
    """Numbers ``k`` to ``k + depth`` of some rows as panels: for each k the numbers of
    ``COLUMNS`` rows, zeros where there are no more rows. ``rows`` is scratch memory."""
    across = view.rows.count == 1 and view.rows.step[0] == view.width
    plain = view.boxed == 0 and view.packed == 0 and form.kind == FLOAT
    if plain and across and view.columns.count <= 1:
        pack_across(view, form, first, count, k, depth, out)
        return
    ld = (depth + 15) // 16 * 16 + 16
    panel = out
    at = first
    left = count
    while left > 0:
        some = smallest(left, COLUMNS)
        pack_rows(view, form, at, some, k, depth, rows, ld)
        if some < COLUMNS:
            set_bytes(rows + some * ld, 0, 4 * (COLUMNS - some) * ld)
        turn(rows, ld, depth, panel)
        panel = panel + COLUMNS * depth
        at += some
        left -= some


@native()
def pack_across(
    view: View, form: Format, first: i64, count: i64, k: i64, depth: i64, out: Array[f32]
) -> None:
    """As ``pack_panels`` where the numbers for one k lie side by side."""
    step = 0
    if view.columns.count > 0:
        step = view.columns.step[0]
    width = view.width
    source = view.memory + (view.first + first * width + k * step)
    done = 0
    panel = out
    while done < count:
        some = smallest(count - done, COLUMNS)
        for j in range(depth):
            place = source + (j * step + done * width)
            to = panel + j * COLUMNS
            if some < COLUMNS:
                edge = local_array(f32, COLUMNS + 16)
                floats_of_codes(form, view.dtype, place, some, edge)
                for x in range(COLUMNS):
                    to[x] = edge[x] if x < some else 0.0
            elif view.dtype == DTYPE.bf16:
                for x in range(0, COLUMNS, 8 if COLUMNS % 16 else 16):
                    wide = convert(i32x16, u16x16.load(pointer(u16, place), x)) << 16
                    bits(f32x16, wide).store(to, x)
            elif view.dtype == DTYPE.fp32:
                for x in range(0, COLUMNS, 8 if COLUMNS % 16 else 16):
                    f32x16.load(pointer(f32, place), x).store(to, x)
            else:
                floats_of_codes(form, view.dtype, place, COLUMNS, to)
        panel = panel + COLUMNS * depth
        done += some


@native()
def turn(rows: Array[f32], ld: i64, depth: i64, panel: Array[f32]) -> None:
    """Rows, ``ld`` apart, turned to a panel of ``COLUMNS`` numbers for each of ``depth``."""
    if COLUMNS % 16 == 0:
        k = 0
        while k + 16 <= depth:
            for c in range(0, COLUMNS, 16):
                turn_block(rows + (c * ld + k), ld, panel + (k * COLUMNS + c), COLUMNS)
            k += 16
        if k < depth:
            edge = local_array(f32, 256)
            for c in range(0, COLUMNS, 16):
                turn_block(rows + (c * ld + k), ld, edge, 16)
                for i in range(depth - k):
                    f32x16.load(edge, 16 * i).store(panel, (k + i) * COLUMNS + c)
        return
    for i in range(depth):
        for c in range(COLUMNS):
            panel[i * COLUMNS + c] = rows[c * ld + i]


@native()
def turn_block(source: Array[f32], ld: i64, to: Array[f32], to_ld: i64) -> None:
    """16 x 16 numbers turned: four times the first half of the rows is woven with the second."""
    one = local_array(f32, 256)
    other = local_array(f32, 256)
    for i in unrolled(16):
        f32x16.load(source, i * ld).store(one, 16 * i)
    for _ in unrolled(2):
        for i in unrolled(8):
            a = f32x16.load(one, 16 * i)
            b = f32x16.load(one, 16 * (i + 8))
            shuffle(a, b, _LOW).store(other, 32 * i)
            shuffle(a, b, _HIGH).store(other, 32 * i + 16)
        for i in unrolled(8):
            a = f32x16.load(other, 16 * i)
            b = f32x16.load(other, 16 * (i + 8))
            shuffle(a, b, _LOW).store(one, 32 * i)
            shuffle(a, b, _HIGH).store(one, 32 * i + 16)
    for i in unrolled(16):
        f32x16.load(one, 16 * i).store(to, i * to_ld)
