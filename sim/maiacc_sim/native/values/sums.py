"""Accumulators of a product: taken from memory, kept in rows, given back."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import Array, f32, f32x16, i64, u8
from maiacc_sim.native.lang.operations import (
    copy_bytes,
    local_array,
    local_record,
    pointer,
    set_bytes,
)
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.codes import read_codes, write_codes
from maiacc_sim.native.values.moves import begin
from maiacc_sim.native.values.numbers import canonical
from maiacc_sim.native.values.views import View
from maiacc_sim.native.values.walk import Walk


@record
class Sums:
    """Where sums are kept: row by row, ``ld`` numbers apart."""

    at: Array[f32]
    ld: i64
    rows: i64
    columns: i64


@native()
def clear(sums: Sums) -> None:
    """All sums are +0."""
    for r in range(sums.rows):
        set_bytes(sums.at + r * sums.ld, 0, 4 * sums.columns)


# ---- where sums are ---------------------------------------------------------------------------
@native()
def take_sums(m: Machine, t: Thread, d: View, sums: Sums, zero: i64) -> i64:
    """Sets sums to the accumulators: in place where they lie row by row, else (1) on a copy."""
    sums.rows = d.rows.total
    sums.columns = d.columns.total
    side = d.columns.count == 0 or (d.columns.count == 1 and d.columns.step[0] == 4)
    if d.boxed == 0 and side and d.rows.count <= 1:
        sums.at = pointer(f32, d.memory + d.first)
        sums.ld = d.columns.total
        if d.rows.count == 1:
            sums.ld = d.rows.step[0] >> 2
        if zero != 0:
            clear(sums)
        return 0
    sums.at = t.product
    sums.ld = d.columns.total
    if zero != 0:
        clear(sums)
    else:
        walk = local_record(Walk)
        begin(walk, d)
        read_codes(d, d.flat, 0, walk, d.count, pointer_bytes(t.product))
    return 1


@native(inline=True)
def pointer_bytes(x: Array[f32]) -> Array[u8]:
    """The bytes of numbers."""
    return pointer(u8, x)


@native()
def give_sums(t: Thread, d: View, sums: Sums, copied: i64) -> None:
    """Writes the sums back if they are a copy."""
    if copied != 0:
        walk = local_record(Walk)
        begin(walk, d)
        write_codes(d, d.flat, 0, walk, d.count, pointer_bytes(sums.at))


@native()
def make_canonical(sums: Sums) -> None:
    """Every NaN becomes the one NaN."""
    for r in range(sums.rows):
        row = sums.at + r * sums.ld
        k = 0
        while k + 16 <= sums.columns:
            canonical(f32x16.load(row, k)).store(row, k)
            k += 16
        if k < sums.columns:
            rest = local_array(f32, 16)
            copy_bytes(rest, row + k, 4 * (sums.columns - k))
            canonical(f32x16.load(rest)).store(rest)
            copy_bytes(row + k, rest, 4 * (sums.columns - k))
