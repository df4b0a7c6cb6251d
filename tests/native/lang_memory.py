"""Functions in the native language: records, arrays, and cells that threads share."""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native, record, shared_record
from maiacc_sim.native.lang.names import Array, Fixed, f32, f64, i8, i16, i32, i64, u8, u16, u32
from maiacc_sim.native.lang.operations import (
    address,
    at_address,
    atomic_add,
    atomic_load,
    atomic_store,
    atomic_swap,
    choose,
    copy_bytes,
    invoke,
    local_array,
    local_record,
    perform,
    pointer,
    set_bytes,
)


@record
class Inner:
    """A record inside another."""

    x: i16
    y: i64


@record
class Outer:
    """Fields of every kind."""

    flag: u8
    small: i8
    half: u16
    word: i32
    wide: u32
    long: i64
    single: f32
    double: f64
    many: Fixed[Array[i16], 5]
    inner: Inner
    two: Fixed[Array[Inner], 2]
    there: Array[i32]


@shared_record
class Shared:
    """A record whose addresses only Python changes."""

    data: Array[i64]
    count: i64


@native(export=True)
def fields(o: Outer, out: Array[i64]) -> i64:
    """Reads every field, and writes others."""
    out[0] = o.flag
    out[1] = o.small
    out[2] = o.half
    out[3] = o.word
    out[4] = o.wide
    out[5] = o.long
    out[6] = o.many[4]
    out[7] = o.inner.x
    out[8] = o.two[1].y
    out[9] = o.there[3]
    o.flag = 0x1FF
    o.small = 0x80
    o.half += 1
    o.word -= 1
    o.many[2] = 0x18000
    o.two[0].x = o.many[2]
    o.inner.y <<= 2
    o.there[1] |= 8
    o.single = o.single * 0.5
    o.double = o.double + 1.25
    second = o.there + 2
    second[0] = 77
    return 10


@native(export=True)
def shared_sum(s: Shared) -> i64:
    """Sums what an address in a shared record leads to."""
    total = 0
    for i in range(s.count):
        total += s.data[i]
        s.data[i] = total
    return total


@native(export=True)
def scratch(n: i64) -> i64:
    """Local arrays and records are this call's own."""
    room = local_array(i64, 32)
    own = local_record(Inner)
    for i in range(32):
        room[i] = i
    own.x = n
    own.y = 0
    if n > 0:
        own.y = scratch(n - 1)
    total = own.x * 100 + own.y
    for i in range(32):
        total += room[i]
    return total


@native(export=True)
def bytes_of(to: Array[u8], source: Array[u8], count: i64) -> i64:
    """Copies and fills."""
    copy_bytes(to, source, count)
    set_bytes(to + count, 0x1A5, 3)
    where = address(to)
    again = at_address(u8, where + 1)
    again[0] = again[0] ^ 0xFF
    halves = pointer(u16, to)
    return halves[1]


@native(export=True)
def atomics(cells: Array[i64]) -> i64:
    """One thread's view of them."""
    old = atomic_add(cells, 0, 5)
    atomic_store(cells, 1, old)
    swapped = atomic_swap(cells, 2, 7, 70)
    kept = atomic_swap(cells, 3, 7, 70)
    return atomic_load(cells, 0) + choose(swapped, 1000, 0) + choose(kept, 10000, 0)


@native(export=True)
def count_up(cells: Array[i64], turns: i64) -> i64:
    """Adds one often, with a lock around a plain number, too."""
    for _ in range(turns):
        atomic_add(cells, 0, 1)
        while not atomic_swap(cells, 1, 0, 1):
            pass
        cells[2] += 1
        atomic_store(cells, 1, 0)
    return 0


@native(export=True)
def indirect(function: i64, cells: Array[i64]) -> i64:
    """Calls through addresses."""
    perform(function, cells, 3)
    return invoke(function, cells, 4)
