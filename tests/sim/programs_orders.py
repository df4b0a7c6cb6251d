"""Random words that sort, pick by index, and check."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from maiacc_isa.load import load
from sim.programs_section import Section
from sim.programs_text import Buf, Op
from sim.programs_vector import FLOATS, INTS, SORTED, types_of
from sim.programs_views import whole, window

SPEC = load()


def vtopk(section: Section) -> None:
    rng = section.rng
    a = section.value(types_of("VTOPK", "a"))
    rows, columns = section.shape()
    k = rng.randint(1, min(8, columns))
    view = window(rng, a, rows, columns)
    d = section.result(a.dtype, (rows, k))
    e = section.result(rng.choice(("int32", "int64")), (rows, k))
    attrs = f"k={k}" + (" least=1" if rng.random() < 0.4 else "")
    text = f"vtopk {whole(rng, d)}, {whole(rng, e)}, {view} {attrs}"
    section.op(Op("TVP", text, (a,), (d, e)))


def vsort(section: Section) -> None:
    rng = section.rng
    a = section.value(SORTED)
    rows, columns = section.shape()
    view = window(rng, a, rows, columns)
    operands, read = [view], [a]
    attrs = f"descending={rng.randrange(2)}"
    if rng.random() < 0.4:
        b = section.value(("int32",))
        operands.append(window(rng, b, rows, columns))
        read.append(b)
        attrs += " payload=1"
    d, e = section.result(a.dtype, (rows, columns)), section.result("int32", (rows, columns))
    operands = [whole(rng, d), whole(rng, e), *operands]
    section.op(Op("TVP", f"vsort {', '.join(operands)} {attrs}", tuple(read), (d, e)))


def indices(section: Section, count: int) -> tuple[Buf, str, str]:
    """Indices, a view of ``count`` of them, and what to do outside the axis."""
    rng = section.rng
    oob = rng.choice(("trap", "clamp", "fill"))
    rows = next(n for n in (4, 3, 2, 1) if count % n == 0)
    if oob == "trap":
        b = section.load(rng.choice(("int32", "int64")), (rows, count // rows), "index")
    else:
        b = section.value(("int32", "int64"))
    view = window(rng, b, rows, count // rows, False, plain=oob == "trap")
    return b, view, f"oob={oob}"


def vgather(section: Section) -> None:
    rng = section.rng
    a = section.value((*[t for t in FLOATS if SPEC.dtypes[t].bits >= 8], *INTS, "bool"))
    rows, columns = section.shape()
    b, view, attrs = indices(section, rows * columns)
    d = section.result(a.dtype, (rows, columns))
    # The trapping ones lie in 0 .. 3; a narrower table repeats its rows.
    table = f"{a.place}{{}}[0, {rng.randrange(a.shape[1])}]"
    if a.shape[0] < 4 and "trap" in attrs:
        attrs = attrs.replace("trap", rng.choice(("clamp", "fill")))
    text = f"vgather {whole(rng, d, False)}, {table}, {view} {attrs}"
    section.op(Op("TVP", text, (a, b), (d,)))


def vscatter(section: Section) -> None:
    rng = section.rng
    op = rng.choice([label.name for label in SPEC.enums["combine"].labels])
    wide = tuple(t for t in (*FLOATS, *INTS) if SPEC.dtypes[t].bits >= 8)
    kinds = wide if op == "set" else ("fp32", "bf16", "fp16", "int32", "int64")
    a = section.value(kinds)
    rows, columns = section.shape()
    count = rng.choice((1, 2, 4, 6, 9))
    b, view, attrs = indices(section, count)
    start = section.value((a.dtype,))
    rows = max(rows, 4)
    d = section.result(a.dtype, (rows, columns))
    text = f"vcvt {whole(rng, d)}, {window(rng, start, rows, columns)}"
    section.op(Op("TVP", text, (start,), (d,)))
    attrs = attrs.replace("clamp", "fill")
    source = window(rng, a, 1, count, False)
    table = f"{d.place}{{}}[0, {rng.randrange(columns)}]"
    section.op(Op("TVP", f"vscatter {table}, {source}, {view} {attrs} op={op}", (a, b), (d,)))


def check(section: Section) -> None:
    """ASSERT of what a FILL has left."""
    rng = section.rng
    dtype = rng.choice((*INTS, "fp32", "bf16", "fp16", "e4m3", "bool"))
    rows, columns = section.shape()
    d = section.result(dtype, (rows, columns))
    value = rng.getrandbits(31)
    size = d.bits // 8
    one = value.to_bytes(8, "little")[:size]
    section.op(Op(section.queue(), f"fill {whole(rng, d)} value={value}", (), (d,)))
    view = f"{d.place}{{r:{rows}, c:{columns}}}[r, c]"
    crc = zlib.crc32(one * (rows * columns))
    section.op(Op("TVP", f"assert {view} crc={crc}", (d,), (), bare=True))


OPS: tuple[Callable[[Section], None], ...] = (vtopk, vsort, vgather, vscatter, check)
