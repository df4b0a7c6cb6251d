"""Elements of views as rows of numbers: fp32 for float work, int64 for integer work.

Whatever a view looks like, kernels see rows of scratch memory, or where elements already lie so
(fp32, side by side) the memory itself. Rows are read and written a block at a time.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DTYPE
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import Array, f32, f32x16, i64, u8
from maiacc_sim.native.lang.operations import choose, local_array, pointer, smallest
from maiacc_sim.native.records import Format
from maiacc_sim.native.values.codes import read_codes, repeat_code, spread, unpack, write_codes
from maiacc_sim.native.values.numbers import (
    BOOL,
    FLOAT,
    codes_of,
    codes_of_integers,
    floats_of,
    floats_of_integers,
    integers_of,
    odd_floats,
)
from maiacc_sim.native.values.rounding import integers_of_floats, truths_of_floats
from maiacc_sim.native.values.views import Dims, View
from maiacc_sim.native.values.walk import Walk, run_of, step_on

#: Elements of a block; a multiple of the 32 partial sums of a reduction.
BLOCK = 512


@native()
def one_float(form: Format, dtype: i64, codes: Array[u8]) -> f32:
    """The fp32 value of a code of any type."""
    out = local_array(f32, 16)
    floats_of_codes(form, dtype, codes, 1, out)
    return out[0]


@native()
def floats_of_codes(form: Format, dtype: i64, codes: Array[u8], n: i64, out: Array[f32]) -> None:
    """fp32 values of codes of any type: integers and truth values rounded once. At most a block
    of them, unless they are floats."""
    if form.kind == FLOAT:
        floats_of(form, dtype, codes, n, out)
        return
    numbers = local_array(i64, BLOCK)
    done = 0
    while done < n:
        some = smallest(n - done, BLOCK)
        integers_of(form, codes + done * ((form.bits + 7) // 8), some, numbers)
        unsigned = choose(form.signed == 0 and form.bits == 64, 1, 0)
        floats_of_integers(numbers, some, unsigned, out + done)
        done += some


@native()
def splat_floats(out: Array[f32], value: f32, n: i64) -> None:
    """One number again and again; up to 15 more are written."""
    i = 0
    while i < n:
        f32x16.splat(value).store(out, i)
        i += 16


@native()
def read_floats(
    view: View, form: Format, dims: Dims, shift: i64, walk: Walk, count: i64, out: Array[f32]
) -> None:
    """The next elements of a walk as fp32. Up to 15 more are written."""
    left = count
    to = out
    codes = local_array(u8, 8 * BLOCK)
    while left > 0:
        n = smallest(run_of(walk, view, dims, shift), left)
        if walk.data == 0:
            fill = local_array(i64, 1)
            fill[0] = view.fill
            splat_floats(to, one_float(form, view.dtype, pointer(u8, fill)), n)
        elif view.iota != 0:
            n = smallest(n, BLOCK)
            coordinates(view, walk, shift + dims.count - 1, n, pointer(i64, codes))
            floats_of_coordinates(form, view.dtype, pointer(i64, codes), n, to)
        elif walk.step == 0:
            unpack_or_copy(view, walk.at, 0, 1, codes)
            splat_floats(to, one_float(form, view.dtype, codes), n)
        elif view.packed == 0 and walk.step == view.width:
            floats_of_codes(form, view.dtype, view.memory + walk.at, n, to)
        else:
            n = smallest(n, BLOCK)
            unpack_or_copy(view, walk.at, walk.step, n, codes)
            floats_of_codes(form, view.dtype, codes, n, to)
        step_on(walk, view, dims, shift, n)
        to = to + n
        left -= n


@native()
def floats_of_coordinates(form: Format, dtype: i64, x: Array[i64], n: i64, out: Array[f32]) -> None:
    """The values that coordinates have in a type, at most a block of them. Up to 15 more are
    written."""
    if form.kind == BOOL:
        splat_floats(out, 1.0, n)
    elif form.kind != FLOAT:
        wrap(form, x, n)
        floats_of_integers(x, n, choose(form.signed == 0 and form.bits == 64, 1, 0), out)
    elif dtype == DTYPE.fp32:
        floats_of_integers(x, n, 0, out)
    else:
        odd = local_array(f32, BLOCK + 16)
        codes = local_array(u8, 2 * BLOCK + 64)
        odd_floats(x, n, 0, odd)
        codes_of(form, dtype, odd, n, 0, codes)
        floats_of_codes(form, dtype, codes, n, out)


@native()
def unpack_or_copy(view: View, at: i64, step: i64, n: i64, codes: Array[u8]) -> None:
    """Codes of elements at equal distances."""
    if view.packed != 0:
        unpack(view.bits, view.memory, at, step, n, codes)
    else:
        spread(view.width, codes, view.width, view.memory + at, step, n)


@native()
def coordinates(view: View, walk: Walk, inner: i64, n: i64, out: Array[i64]) -> None:
    """Coordinates on axis 0 of the next elements of a run of the space iota."""
    step = 0
    if inner >= 0 and view.axis[inner] == 0:
        step = view.along[inner]
    value = walk.coord[0]
    for i in range(n):
        out[i] = value
        value += step


@native()
def write_floats(
    view: View,
    form: Format,
    dims: Dims,
    shift: i64,
    walk: Walk,
    count: i64,
    x: Array[f32],
    saturate: i64,
    round: i64,
) -> None:
    """Writes the next elements of a walk, converted from fp32; numbers fit integer types."""
    left = count
    source = x
    while left > 0:
        n = smallest(run_of(walk, view, dims, shift), left)
        if walk.data == 0:
            step_on(walk, view, dims, shift, n)
        elif form.kind == FLOAT and view.packed == 0 and walk.step == view.width:
            codes_of(form, view.dtype, source, n, saturate, view.memory + walk.at)
            step_on(walk, view, dims, shift, n)
        else:
            n = smallest(n, BLOCK)
            codes = local_array(u8, 8 * BLOCK + 64)
            encode_floats(form, view.dtype, source, n, saturate, round, codes)
            write_codes(view, dims, shift, walk, n, codes)
        source = source + n
        left -= n


@native()
def encode_floats(
    form: Format, dtype: i64, x: Array[f32], n: i64, saturate: i64, round: i64, codes: Array[u8]
) -> None:
    """Codes of any type of at most a block of fp32 values, which fit it if it is of integers."""
    if form.kind == FLOAT:
        codes_of(form, dtype, x, n, saturate, codes)
    elif form.kind == BOOL:
        truths_of_floats(x, n, codes)
    else:
        numbers = local_array(i64, BLOCK)
        integers_of_floats(form, x, n, round, numbers)
        codes_of_integers(form, numbers, n, form, 0, codes)


@native()
def read_integers(
    view: View, form: Format, dims: Dims, shift: i64, walk: Walk, count: i64, out: Array[i64]
) -> None:
    """The next elements of a walk as int64, at most a block of them."""
    if view.iota != 0 and form.kind != BOOL:
        left = count
        to = out
        while left > 0:
            n = smallest(run_of(walk, view, dims, shift), left)
            if walk.data == 0:
                repeat_code(8, pointer(u8, to), 8, view.fill, n)
            else:
                coordinates(view, walk, shift + dims.count - 1, n, to)
            step_on(walk, view, dims, shift, n)
            to = to + n
            left -= n
        wrap(form, out, count)
        return
    codes = local_array(u8, 8 * BLOCK)
    if view.iota != 0:
        read_truths(view, dims, shift, walk, count, codes)
    else:
        read_codes(view, dims, shift, walk, count, codes)
    integers_of(form, codes, count, out)


@native()
def read_truths(
    view: View, dims: Dims, shift: i64, walk: Walk, count: i64, codes: Array[u8]
) -> None:
    """Whether the next elements of a walk lie in the box, as codes of bool."""
    left = count
    to = codes
    while left > 0:
        n = smallest(run_of(walk, view, dims, shift), left)
        repeat_code(1, to, 1, walk.data, n)
        step_on(walk, view, dims, shift, n)
        to = to + n
        left -= n


@native()
def wrap(form: Format, x: Array[i64], n: i64) -> None:
    """Integers cut to a type of at most 64 bits, and extended as it says."""
    if form.kind == BOOL:
        for i in range(n):
            x[i] = choose(x[i] != 0, 1, 0)
        return
    spare = 64 - form.bits
    if form.signed != 0:
        for i in range(n):
            x[i] = x[i] << spare >> spare
    elif spare > 0:
        mask = (1 << form.bits) - 1
        for i in range(n):
            x[i] = x[i] & mask
