"""Codes of elements: out of memory into a row of their own, and back.

A code takes 1, 2, 4 or 8 bytes; elements below 8 bits take one.
"""

from __future__ import annotations

from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, i64, u8, u16, u32
from maiacc_sim.native.lang.operations import copy_bytes, lshr, pointer, set_bytes, smallest
from maiacc_sim.native.values.views import Dims, View
from maiacc_sim.native.values.walk import Walk, run_of, step_on


@native()
def spread(width: i64, to: Array[u8], to_step: i64, source: Array[u8], step: i64, n: i64) -> None:
    """Copies elements one by one: ``to_step`` and ``step`` are distances in bytes."""
    match width:
        case 1:
            for i in range(n):
                to[i * to_step] = source[i * step]
        case 2:
            for i in range(n):
                pointer(u16, to + i * to_step)[0] = pointer(u16, source + i * step)[0]
        case 4:
            for i in range(n):
                pointer(u32, to + i * to_step)[0] = pointer(u32, source + i * step)[0]
        case _:
            for i in range(n):
                pointer(i64, to + i * to_step)[0] = pointer(i64, source + i * step)[0]


@native()
def repeat_code(width: i64, to: Array[u8], step: i64, code: i64, n: i64) -> None:
    """Writes one code again and again."""
    match width:
        case 1:
            if step == 1:
                set_bytes(to, code, n)
            else:
                for i in range(n):
                    to[i * step] = code
        case 2:
            for i in range(n):
                pointer(u16, to + i * step)[0] = code
        case 4:
            for i in range(n):
                pointer(u32, to + i * step)[0] = code
        case _:
            for i in range(n):
                pointer(i64, to + i * step)[0] = code


@native()
def unpack(bits: i64, memory: Array[u8], at: i64, step: i64, n: i64, to: Array[u8]) -> None:
    """Codes of elements of 4 or 6 bits, which lie ``step`` bits apart."""
    if bits == 4 and step == 4 and at % 8 == 0:
        source = memory + (at >> 3)
        for i in range(n >> 1):
            byte = source[i]
            to[2 * i] = byte & 15
            to[2 * i + 1] = byte >> 4
        if n % 2 != 0:
            to[n - 1] = source[n >> 1] & 15
        return
    mask = (1 << bits) - 1
    for i in range(n):
        place = at + i * step
        byte = place >> 3
        both = memory[byte] | memory[(place + bits - 1) >> 3] << 8
        to[i] = lshr(both, place & 7) & mask


@native()
def pack(bits: i64, memory: Array[u8], at: i64, step: i64, n: i64, source: Array[u8]) -> None:
    """Writes codes of elements of 4 or 6 bits, ``step`` bits apart; other bits stay."""
    if bits == 4 and step == 4 and at % 8 == 0:
        to = memory + (at >> 3)
        for i in range(n >> 1):
            to[i] = (source[2 * i] & 15) | source[2 * i + 1] << 4
        if n % 2 != 0:
            to[n >> 1] = (to[n >> 1] & 240) | (source[n - 1] & 15)
        return
    mask = (1 << bits) - 1
    for i in range(n):
        place = at + i * step
        byte = place >> 3
        last = (place + bits - 1) >> 3
        shift = place & 7
        code = (source[i] & mask) << shift
        cleared = mask << shift
        memory[byte] = (memory[byte] & ~cleared) | code
        if last != byte:
            memory[last] = (memory[last] & ~(cleared >> 8)) | code >> 8


@native()
def read_codes(view: View, dims: Dims, shift: i64, walk: Walk, count: i64, to: Array[u8]) -> None:
    """The codes of the next elements of a walk."""
    width = view.width
    left = count
    out = to
    while left > 0:
        n = smallest(run_of(walk, view, dims, shift), left)
        if walk.data == 0:
            repeat_code(width, out, width, view.fill, n)
        elif view.packed != 0:
            unpack(view.bits, view.memory, walk.at, walk.step, n, out)
        elif walk.step == width:
            copy_bytes(out, view.memory + walk.at, n * width)
        else:
            spread(width, out, width, view.memory + walk.at, walk.step, n)
        step_on(walk, view, dims, shift, n)
        out = out + n * width
        left -= n


@native()
def write_codes(
    view: View, dims: Dims, shift: i64, walk: Walk, count: i64, source: Array[u8]
) -> None:
    """Writes the next elements of a walk; those outside the box are dropped."""
    width = view.width
    left = count
    codes = source
    while left > 0:
        n = smallest(run_of(walk, view, dims, shift), left)
        if walk.data != 0:
            if view.packed != 0:
                pack(view.bits, view.memory, walk.at, walk.step, n, codes)
            elif walk.step == width:
                copy_bytes(view.memory + walk.at, codes, n * width)
            else:
                spread(width, view.memory + walk.at, walk.step, codes, width, n)
        step_on(walk, view, dims, shift, n)
        codes = codes + n * width
        left -= n
