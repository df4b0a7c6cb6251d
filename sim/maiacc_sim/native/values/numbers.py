"""Rows of numbers: codes to fp32 or int64 and back, to the bit as the manual defines conversions.

Rows are read to their end and no further, however long they are. What is written may reach up to 15
elements behind the end, so rows in scratch memory need that much room.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DTYPE
from maiacc_sim.native.lang.functions import native, record
from maiacc_sim.native.lang.names import (
    Array,
    f32,
    f32x16,
    i8,
    i8x16,
    i16,
    i16x16,
    i32x16,
    i64,
    u8,
    u8x16,
    u16,
    u16x16,
    u32,
)
from maiacc_sim.native.lang.operations import (
    bits,
    choose,
    convert,
    copy_bytes,
    leading_zeros,
    local_array,
    local_record,
    lshr,
    lshr_lanes,
    magnitude,
    one_nan,
    pointer,
    set_bytes,
    unordered,
)
from maiacc_sim.native.records import Format
from maiacc_sim.native.values.rounding import clipped

#: The one NaN of fp32.
NAN = 0x7FC00000

#: What the kinds of formats are.
FLOAT, INT, BOOL, SCALE, META = 0, 1, 2, 3, 4


@native(inline=True)
def canonical(x: f32x16) -> f32x16:
    """Every NaN becomes the one NaN."""
    return one_nan(x, NAN)


@native(inline=True)
def as_lanes(codes: Array[u8], width: i64, at: i64) -> i32x16:
    """16 codes of one or two bytes, zeros in front."""
    if width == 1:
        return convert(i32x16, u8x16.load(codes, at))
    return convert(i32x16, u16x16.load(pointer(u16, codes), at))


@record
class Narrow:
    """What decoding and encoding need of a narrow float, in local memory."""

    bits: i64
    mantissa: i64
    bias: i64
    largest: i64
    inf: i64
    nan: i64


@native(inline=True)
def narrow_of(narrow: Narrow, form: Format) -> None:
    """Copies a format to where nothing else is written, so that loops keep it in registers."""
    narrow.bits = form.bits
    narrow.mantissa = form.mantissa
    narrow.bias = form.bias
    narrow.largest = form.largest
    narrow.inf = form.inf
    narrow.nan = form.nan


@native(inline=True)
def decode_lanes(form: Narrow, code: i32x16) -> f32x16:
    """The fp32 values of codes of a narrow float."""
    size = code & ((1 << (form.bits - 1)) - 1)
    # The fields move to their places in fp32; a power of two makes up for the other bias, and
    # turns what are denormals here into what they are worth.
    scale = bits(f32, (254 - form.bias) << 23)
    value = bits(f32x16, size << (23 - form.mantissa)) * scale
    limit = form.largest + 1
    infinite = choose(form.inf != 0, size == limit, size < 0)
    special = choose(infinite, i32x16.splat(0x7F800000), i32x16.splat(NAN))
    value = choose(size >= limit, bits(f32x16, special), value)
    sign = (code >> (form.bits - 1)) << 31
    return canonical(bits(f32x16, bits(i32x16, value) | sign))


@native(inline=True)
def encode_lanes(form: Narrow, x: f32x16, saturate: i64) -> i32x16:
    """Codes of a narrow float of at most 10 bits of mantissa, rounded once to nearest even."""
    size = magnitude(x)
    # Whatever its mantissa, a number from here on is above the largest.
    most = bits(f32, (form.bias + 129) << 23)
    size = choose(size < most, size, f32x16.splat(most))
    # Adding a power of two whose last place is the last place of the result rounds there.
    exponent = bits(i32x16, size) & 0x7F800000
    least = i32x16.splat((128 - form.bias) << 23)
    exponent = choose(exponent < least, least, exponent)
    magic = bits(f32x16, exponent + ((23 - form.mantissa) << 23))
    rounded = (size + magic) - magic
    code = bits(i32x16, rounded * bits(f32, form.bias << 23)) >> (23 - form.mantissa)
    sign = lshr_lanes(bits(i32x16, x), 31) << (form.bits - 1)
    nan = choose(form.nan < 0, 0, form.nan)
    keeps = saturate != 0 or (form.inf == 0 and form.nan < 0)
    beyond = i32x16.splat(choose(keeps, form.largest, form.largest + 1)) | sign
    if not keeps and form.inf == 0:
        beyond = i32x16.splat(nan)
    code = choose(code > form.largest, beyond, code | sign)
    return choose(unordered(x), i32x16.splat(nan), code)


@native(inline=True)
def encode_bf16(x: f32x16, saturate: i64) -> i32x16:
    """Codes of bf16."""
    raw = bits(i32x16, x)
    code = lshr_lanes(raw + ((lshr_lanes(raw, 16) & 1) + 0x7FFF), 16)
    if saturate != 0:
        code = choose((code & 0x7FFF) == 0x7F80, code - 1, code)
    return choose(unordered(x), i32x16.splat(0x7FC0), code)


@native()
def floats_of(form: Format, dtype: i64, codes: Array[u8], n: i64, out: Array[f32]) -> None:
    """fp32 values of codes of a float type: of fp32 the bits unchanged, of others one NaN only."""
    if dtype == DTYPE.fp32:
        copy_bytes(out, codes, 4 * n)
        return
    i = 0
    narrow = local_record(Narrow)
    narrow_of(narrow, form)
    width = (form.bits + 7) // 8
    if dtype == DTYPE.bf16:
        while i + 16 <= n:
            wide = convert(i32x16, u16x16.load(pointer(u16, codes), i)) << 16
            canonical(bits(f32x16, wide)).store(out, i)
            i += 16
    elif width == 1:
        while i + 16 <= n:
            decode_lanes(narrow, as_lanes(codes, 1, i)).store(out, i)
            i += 16
    else:
        while i + 16 <= n:
            decode_lanes(narrow, as_lanes(codes, 2, i)).store(out, i)
            i += 16
    if i < n:
        rest = local_array(u8, 32)
        copy_bytes(rest, codes + i * width, (n - i) * width)
        decode_lanes(narrow, as_lanes(rest, width, 0)).store(out, i)


@native()
def encode_16(
    form: Narrow, dtype: i64, x: Array[f32], n: i64, saturate: i64, codes: Array[u8]
) -> i64:
    """Codes of whole groups of 16 numbers; returns how many numbers that were."""
    i = 0
    if dtype == DTYPE.bf16:
        while i + 16 <= n:
            convert(i16x16, encode_bf16(f32x16.load(x, i), saturate)).store(pointer(i16, codes), i)
            i += 16
    elif form.bits == 16:
        while i + 16 <= n:
            narrow = encode_lanes(form, f32x16.load(x, i), saturate)
            convert(i16x16, narrow).store(pointer(i16, codes), i)
            i += 16
    else:
        while i + 16 <= n:
            narrow = encode_lanes(form, f32x16.load(x, i), saturate)
            convert(i8x16, narrow).store(pointer(i8, codes), i)
            i += 16
    return i


@native()
def codes_of(
    form: Format, dtype: i64, x: Array[f32], n: i64, saturate: i64, codes: Array[u8]
) -> None:
    """Codes of a float type of fp32 values; of fp32 itself the bits unchanged. Nothing is written
    behind the end."""
    if dtype == DTYPE.fp32:
        copy_bytes(codes, x, 4 * n)
        return
    narrow = local_record(Narrow)
    narrow_of(narrow, form)
    done = encode_16(narrow, dtype, x, n, saturate, codes)
    if done < n:
        width = (form.bits + 7) // 8
        rest = local_array(f32, 16)
        set_bytes(rest, 0, 64)
        copy_bytes(rest, x + done, 4 * (n - done))
        cut = local_array(u8, 32)
        encode_16(narrow, dtype, rest, 16, saturate, cut)
        copy_bytes(codes + done * width, cut, (n - done) * width)


@native()
def integers_of(form: Format, codes: Array[u8], n: i64, out: Array[i64]) -> None:
    """The values of codes of an integer type or bool, uint64 wrapped."""
    if form.kind == BOOL:
        for i in range(n):
            out[i] = choose(codes[i] != 0, 1, 0)
        return
    width = (form.bits + 7) // 8
    match width:
        case 1:
            for i in range(n):
                out[i] = codes[i]
        case 2:
            for i in range(n):
                out[i] = pointer(u16, codes)[i]
        case 4:
            for i in range(n):
                out[i] = pointer(u32, codes)[i]
        case _:
            copy_bytes(out, codes, 8 * n)
    if form.signed != 0 and form.bits < 64:
        spare = 64 - form.bits
        for i in range(n):
            out[i] = out[i] << spare >> spare


@native()
def floats_of_integers(x: Array[i64], n: i64, unsigned: i64, out: Array[f32]) -> None:
    """Integers as fp32, each rounded once."""
    for i in range(n):
        value = convert(f32, x[i])
        if unsigned != 0 and x[i] < 0:
            # Half of it with the lost bit kept as a sticky one rounds alike.
            half = lshr(x[i], 1) | (x[i] & 1)
            value = convert(f32, half) * 2.0
        out[i] = value


@native()
def odd_floats(x: Array[i64], n: i64, unsigned: i64, out: Array[f32]) -> None:
    """Integers cut to fp32, the last bit set where something was lost: what is rounded again to a
    narrower float comes out as if it had been rounded once."""
    for i in range(n):
        size = x[i]
        negative = size < 0 and unsigned == 0
        if negative:
            size = 0 - size
        lost = 40 - leading_zeros(size)
        if lost > 0:
            kept = lshr(size, lost) << lost
            kept = kept | choose(kept != size, 1, 0) << lost
            size = lshr(kept, 1) if kept < 0 else kept
            value = convert(f32, size) * choose(kept < 0, 2.0, 1.0)
        else:
            value = convert(f32, size)
        out[i] = -value if negative else value


@native()
def codes_of_integers(
    form: Format,
    x: Array[i64],
    n: i64,
    source: Format,
    saturate: i64,
    codes: Array[u8],
) -> None:
    """Codes of an integer type or bool of integers of another: the low bits, or the nearest."""
    width = (form.bits + 7) // 8
    unsigned = source.signed == 0 and source.bits == 64
    for i in range(n):
        value = x[i]
        if form.kind == BOOL:
            value = choose(value != 0, 1, 0)
        elif saturate != 0:
            value = clipped(value, unsigned, form)
        if width == 1:
            codes[i] = value
        elif width == 2:
            pointer(u16, codes)[i] = value
        elif width == 4:
            pointer(u32, codes)[i] = value
        else:
            pointer(i64, codes)[i] = value
        if form.bits < 8:
            codes[i] = value & ((1 << form.bits) - 1)
