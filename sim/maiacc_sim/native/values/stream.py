"""Products of few rows with a matrix that is read once, straight from memory.

Where the numbers of B for one k lie side by side, nothing has to be laid out: sums of one row of A
and some columns stay in registers while k runs over all of them. For a row or two that is faster
than laying B out in panels, which only pays when many rows use them.
"""

from __future__ import annotations

from maiacc_sim.native.codes import DTYPE
from maiacc_sim.native.lang.emit import Body, Value, constant
from maiacc_sim.native.lang.functions import Generator, Need, given, native
from maiacc_sim.native.lang.names import Array, f32, i64, u8
from maiacc_sim.native.lang.operations import local_array, pointer, smallest
from maiacc_sim.native.lang.types import F32, I32, I64, U16, Pointer, Vector
from maiacc_sim.native.records import Format
from maiacc_sim.native.shared import DEPTH, LANES
from maiacc_sim.native.state import Machine, Thread
from maiacc_sim.native.values.elements import floats_of_codes
from maiacc_sim.native.values.numbers import FLOAT
from maiacc_sim.native.values.packing import pack_rows
from maiacc_sim.native.values.sums import Sums
from maiacc_sim.native.values.views import View

#: Rows of A up to which B is read again for each of them.
FEW = 2

#: Registers of sums that a pass over k fills.
WIDE = 8

_VECTOR = Vector(F32, LANES)


def _stream(vectors: int, narrow: bool) -> Generator:
    """Writes the loop over k for some registers of columns of bf16 (``narrow``) or fp32."""

    def write(b: Body, need: Need) -> None:
        a, at, step, c, count = (b.params[n] for n in ("a", "b", "step", "c", "k"))
        places = [_at(b, c, 4 * LANES * j) for j in range(vectors)]
        start = [b.load(Value(_VECTOR, place.ref)) for place in places]
        loop, done = b.name("loop"), b.name("done")
        b.block("ready")
        b.branch(b.compare("sgt", count, constant(I64, 0)), loop, done)
        b.block(loop)
        k, next_k = f"%{b.name('k')}", f"%{b.name('k')}"
        b.line(f"{k} = phi i64 [0, %ready], [{next_k}, %{loop}]")
        kind = _VECTOR.memory
        ends = [f"%{b.name('e')}" for _ in start]
        sums = []
        for value, end in zip(start, ends, strict=True):
            sums.append(Value(_VECTOR, f"%{b.name('s')}"))
            b.line(f"{sums[-1].ref} = phi {kind} [{value.ref}, %ready], [{end}, %{loop}]")
        here = b.element(at, b.binary("mul", Value(I64, k), step))
        left = b.splat(b.load(b.element(a, Value(I64, k))), _VECTOR)
        name = f"llvm.fma.v{LANES}f32"
        b.module.declared.add(f"declare {kind} @{name}({kind}, {kind}, {kind})")
        for j, (total, end) in enumerate(zip(sums, ends, strict=True)):
            right = _right(b, Value(Pointer(U16), here.ref), j, narrow)
            args = ", ".join(f"{kind} {v.ref}" for v in (left, right, total))
            b.line(f"{end} = call {kind} @{name}({args})")
        b.line(f"{next_k} = add i64 {k}, 1")
        b.branch(b.compare("slt", Value(I64, next_k), count), loop, done)
        b.block(done)
        results = [f"%{b.name('r')}" for _ in start]
        for result, value, end in zip(results, start, ends, strict=True):
            b.line(f"{result} = phi {kind} [{value.ref}, %ready], [{end}, %{loop}]")
        for place, result in zip(places, results, strict=True):
            b.store(Value(_VECTOR, place.ref), Value(_VECTOR, result))
        b.leave()

    return write


def _at(b: Body, base: Value, offset: int) -> Value:
    """An address some bytes behind another."""
    return b.give(Pointer(F32), f"getelementptr i8, ptr {base.ref}, i64 {offset}")


def _right(b: Body, here: Value, number: int, narrow: bool) -> Value:
    """Register ``number`` of the numbers of B for one k."""
    if not narrow:
        return b.load(Value(_VECTOR, _at(b, here, 4 * LANES * number).ref))
    codes, wide = Vector(U16, LANES), Vector(I32, LANES)
    raw = b.load(Value(codes, _at(b, here, 2 * LANES * number).ref))
    shifted = b.binary("shl", b.cast("zext", raw, wide), constant(wide, 16))
    return b.cast("bitcast", shifted, _VECTOR)


@given(_stream(WIDE, True), name="stream_wide_16")
def stream_wide_16(a: Array[f32], b: Array[u8], step: i64, c: Array[f32], k: i64) -> None:
    """c[n] = fma(a[k], b[k][n], c[n]) for ``WIDE`` registers of columns in bf16, k rising; b[k] is
    ``step`` bytes behind b[k - 1]."""


@given(_stream(1, True), name="stream_one_16")
def stream_one_16(a: Array[f32], b: Array[u8], step: i64, c: Array[f32], k: i64) -> None:
    """As ``stream_wide_16`` for one register."""


@given(_stream(WIDE, False), name="stream_wide_32")
def stream_wide_32(a: Array[f32], b: Array[u8], step: i64, c: Array[f32], k: i64) -> None:
    """As ``stream_wide_16`` for columns in fp32."""


@given(_stream(1, False), name="stream_one_32")
def stream_one_32(a: Array[f32], b: Array[u8], step: i64, c: Array[f32], k: i64) -> None:
    """As ``stream_wide_32`` for one register."""


@native()
def may_stream(b: View, form: Format, rows: i64) -> bool:
    """Whether a product of so many rows is best read straight from b."""
    if rows > FEW or b.boxed != 0 or b.packed != 0 or form.kind != FLOAT:
        return False
    if b.dtype != DTYPE.bf16 and b.dtype != DTYPE.fp32:
        return False
    return b.rows.count == 1 and b.rows.step[0] == b.width and b.columns.count == 1


@native()
def stream(m: Machine, t: Thread, a: View, b: View, sums: Sums, length: i64) -> None:
    """All products of the rows of a with b, which ``may_stream``."""
    left = m.formats[a.dtype]
    right = m.formats[b.dtype]
    row = t.left
    step = b.columns.step[0]
    for r in range(sums.rows):
        k = 0
        while k < length:
            depth = smallest(length - k, DEPTH)
            pack_rows(a, left, r, 1, k, depth, row, depth)
            place = b.memory + (b.first + k * step)
            stream_row(b, right, row, place, step, sums.at + r * sums.ld, sums.columns, depth)
            k += depth


@native()
def stream_row(
    b: View,
    form: Format,
    a: Array[f32],
    at: Array[u8],
    step: i64,
    c: Array[f32],
    columns: i64,
    k: i64,
) -> None:
    """A row of sums, as many registers at a time as there are columns for."""
    n = 0
    while n + WIDE * LANES <= columns:
        if b.dtype == DTYPE.bf16:
            stream_wide_16(a, at + 2 * n, step, c + n, k)
        else:
            stream_wide_32(a, at + 4 * n, step, c + n, k)
        n += WIDE * LANES
    while n + LANES <= columns:
        if b.dtype == DTYPE.bf16:
            stream_one_16(a, at + 2 * n, step, c + n, k)
        else:
            stream_one_32(a, at + 4 * n, step, c + n, k)
        n += LANES
    if n < columns:
        stream_rest(b, form, a, at + n * b.width, step, c + n, columns - n, k)


@native()
def stream_rest(
    b: View,
    form: Format,
    a: Array[f32],
    at: Array[u8],
    step: i64,
    c: Array[f32],
    columns: i64,
    k: i64,
) -> None:
    """Fewer columns than a register has."""
    numbers = local_array(f32, 32)
    sums = local_array(f32, 32)
    for n in range(columns):
        sums[n] = c[n]
    for j in range(k):
        floats_of_codes(form, b.dtype, at + j * step, columns, numbers)
        stream_one_32(a + j, pointer(u8, numbers), 0, sums, 1)
    for n in range(columns):
        c[n] = sums[n]
