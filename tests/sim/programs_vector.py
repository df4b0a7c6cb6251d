"""Random words of the vector unit."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from maiacc_isa.load import load
from sim.programs_section import Section
from sim.programs_text import Buf, Op
from sim.programs_views import whole, window

SPEC = load()
FLOATS = tuple(t.name for t in SPEC.dtypes.values() if t.is_float)
INTS = tuple(t.name for t in SPEC.dtypes.values() if t.is_int and t.bits >= 8)
SMALL = ("int4", "uint4")
SORTED = ("fp32", "bf16", "fp16", *INTS)


def types_of(insn: str, operand: str) -> tuple[str, ...]:
    """The types that a row allows for an operand."""
    types = SPEC.insns[insn].operand_by_name[operand].types
    assert types is not None
    return types


def number(rng: random.Random) -> str:
    """An fp32 immediate."""
    value = rng.choice((0.0, 1.0, -1.0, 0.5, 3.0, -2.5, 1e-3, 1.5e30, 7.0, rng.uniform(-8, 8)))
    (exact,) = struct.unpack("<f", struct.pack("<f", value))
    return str(float(exact).hex()) if rng.random() < 0.5 else repr(round(exact, 4) + 0.0)


def chain(section: Section, family: str, dtype: str, stat: str = "", result: str = "") -> int:
    """Declares a chain and makes it the newest; returns how many operands it reads.

    Its name is the last that ``writer.fresh`` gave.
    """
    rng = section.rng
    rows = [s for s in SPEC.stages.values() if family in s.classes]
    if stat == "drain":
        rows = [s for s in rows if s.drain]
    count = rng.choice((1, 1, 2, 2, 3))
    wanted = rng.choice((1, 1, 2, 2, 3))
    read: list[str] = []
    steps: list[str] = []
    for at in range(count):
        row = rng.choice(rows)
        inputs = []
        for _ in range(row.inputs):
            constant = number(rng) if family == "float" else str(rng.choice((-3, 0, 1, 2, 7, 100)))
            inputs.append(rng.choice([*"abc"[:wanted], *"abc"[:wanted], constant]))
        if at:
            inputs[rng.randrange(row.inputs)] = rng.choice([f"r{i}" for i in range(at)][-1:])
        constants = [x for x in inputs if x[0] not in "abcr"]
        inputs = [constants[0] if x in constants else x for x in inputs]
        read += [x for x in inputs if x in "abc"]
        steps.append(f"{row.name}({', '.join(inputs)})")
    if not read:
        steps[0] = "mov(a)"
        read = ["a"]
    # Operands are read without gaps.
    names = dict(zip(sorted(set(read)), "abc", strict=False))
    renamed = [_renamed(step, names) for step in steps]
    tail = ""
    if stat not in ("", "drain"):
        tail += f" stat {stat}"
    whole_result = result in INTS or result in SMALL
    if (family == "float" and whole_result) or rng.random() < 0.2:
        tail += " saturate"
    if family == "int":
        tail += " zero_div"
    if rng.random() < 0.4:
        tail += f" round {rng.choice(('trunc', 'floor', 'ceil'))}"
    section.writer.declare("chain", f": {dtype} = {'; '.join(renamed)}{tail}", "f")
    return len(names)


def _renamed(step: str, names: dict[str, str]) -> str:
    head, _, inputs = step.partition("(")
    parts = [names.get(part, part) for part in inputs[:-1].split(", ")]
    return f"{head}({', '.join(parts)})"


def _newest(section: Section) -> str:
    """The name of the declaration made last."""
    return section.writer.lines[-1].split()[1]


def operand(
    section: Section, dtypes: tuple[str, ...], rows: int, columns: int, bar: bool
) -> tuple[str, tuple[Buf, ...]]:
    """A view to read, of a value or of positions."""
    iota = [t for t in ("fp32", "int32", "int64", "bool") if t in dtypes]
    if iota and section.rng.random() < 0.08:
        split = " |" if bar else ","
        sign = section.rng.choice(("+", "-"))
        box = section.rng.randint(1, 20)
        view = f"{{r:{rows}{split} c:{columns}}}[r {sign} c + gtile < {box}]"
        return f"{section.rng.choice(iota)} @iota 0 {view}", ()
    if columns % 4:
        dtypes = tuple(t for t in dtypes if not SPEC.dtypes[t].packed)
    buf = section.value(dtypes)
    return window(section.rng, buf, rows, columns, bar), (buf,)


def chained(section: Section, reduce: bool = False) -> None:
    """VMAP or VMAPR."""
    rng = section.rng
    family = "float" if reduce or rng.random() < 0.6 else "int"
    dtype = "fp32" if family == "float" else rng.choice(INTS)
    allowed = (*FLOATS, *INTS, "bool") if family == "float" else (*INTS, "bool")
    favoured = ("fp32", "bf16") if family == "float" else (dtype,)
    to = rng.choice((*allowed, *favoured * 3))
    stat = rng.choice(("sum", "max", "min", "absmax", "sumsq")) if reduce else ""
    inputs = chain(section, family, dtype, stat, to)
    name = _newest(section)
    rows, columns = section.shape(SPEC.dtypes[to].packed)
    views, read = [], []
    for _ in range(inputs):
        kinds = allowed if rng.random() < 0.4 else favoured
        view, bufs = operand(section, kinds, rows, columns, True)
        views.append(view)
        read += list(bufs)
    d = section.result(to, (rows, columns))
    results = [whole(rng, d)]
    written = [d]
    if reduce:
        e = section.result("fp32", (rows, 1))
        results.append(f"{e.place}{{r:{rows}}}[r, 0]")
        written.append(e)
    mnemonic = "vmapr" if reduce else "vmap"
    text = f"{mnemonic} {', '.join([*results, *views])} chain={name}"
    section.op(Op("TVP", text, tuple(read), tuple(written)))


def vred(section: Section) -> None:
    rng = section.rng
    op = rng.choice([label.name for label in SPEC.enums["reduce"].labels])
    d_types = types_of("VRED", "d")
    a_types: tuple[str, ...]
    if op in ("argmax", "argmin"):
        to, a_types = rng.choice(("int32", "int64")), (*FLOATS, *INTS, "bool")
    else:
        to = rng.choice(d_types if op in ("max", "min") else d_types[:-1])
        if to == "bool":
            a_types = ("bool",)
        elif SPEC.dtypes[to].is_float:
            a_types = FLOATS
        else:
            a_types = (*INTS, "bool") if rng.random() < 0.7 else (to,)
    a = section.value(a_types)
    rows, columns = section.shape(a.bits < 8)
    view = window(rng, a, rows, columns)
    carried = op in ("sum", "max", "min", "prod") and rng.random() < 0.4
    tail, read = _carry(section, to, rows, carried)
    d = section.result(to, (rows, 1))
    text = f"vred {d.place}{{r:{rows}}}[r, 0], {view}{tail} op={op} carry={int(carried)}"
    section.op(Op("TVP", text, (a, *read), (d,)))


def _carry(section: Section, to: str, rows: int, carried: bool) -> tuple[str, tuple[Buf, ...]]:
    """The operand b of a reduction or scan that goes on from one."""
    if not carried:
        return "", ()
    b = section.value((to,))
    return ", " + window(section.rng, b, rows, 1, False), (b,)


def vscan(section: Section) -> None:
    rng = section.rng
    to = rng.choice(types_of("VSCAN", "d"))
    family = FLOATS if SPEC.dtypes[to].is_float else (*INTS, "bool")
    a = section.value(tuple(t for t in types_of("VSCAN", "a") if t in family))
    rows, columns = section.shape()
    view = window(rng, a, rows, columns)
    carried = rng.random() < 0.4
    tail, read = _carry(section, to, rows, carried)
    d = section.result(to, (rows, columns))
    attrs = f"op={rng.choice(('add', 'mul', 'max', 'min'))} carry={int(carried)}"
    section.op(Op("TVP", f"vscan {whole(rng, d)}, {view}{tail} {attrs}", (a, *read), (d,)))


def vquant(section: Section) -> None:
    rng = section.rng
    a = section.value(types_of("VQUANT", "a"))
    rows, groups = rng.choice((1, 2, 3)), rng.choice((1, 1, 2))
    view = window(rng, a, rows, 32 * groups)
    d = section.result(rng.choice(types_of("VQUANT", "d")), (rows, 32 * groups))
    e = section.result("e8m0", (rows, groups))
    scale = section.writer.declare("desc", f"= {whole(rng, e, plain=True)}", "v")
    target = f"{d.place}{{r:{rows} | c:{32 * groups}}}[r, c] scale {scale}"
    text = f"vquant {target}, {view} rule={rng.choice(('floor', 'ceil'))}"
    section.op(Op("TVP", text, (a,), (d, e)))


def vdeq(section: Section) -> None:
    rng = section.rng
    a = section.value(types_of("VDEQ", "a"))
    real = SPEC.dtypes[a.dtype].is_float
    rows, groups = rng.choice((1, 2, 3)), rng.choice((1, 1, 2))
    size = 32 if real else rng.choice((16, 32, 48))
    s = section.value(("e8m0",) if real else ("fp32", "bf16", "fp16"))
    view = window(rng, s, rows, groups, plain=True)
    scale = section.writer.declare("desc", f"= {view}", "v")
    d = section.result(rng.choice(types_of("VDEQ", "d")), (rows, size * groups))
    source = window(rng, a, rows, size * groups)
    section.op(Op("TVP", f"vdeq {whole(rng, d)}, {source} scale {scale}", (a, s), (d,)))


def vcvt(section: Section) -> None:
    rng = section.rng
    kinds = (*FLOATS, *INTS, *SMALL, "bool")
    a = section.value(kinds)
    to = rng.choice(kinds)
    packed = "packed" if a.bits < 8 or SPEC.dtypes[to].packed else ""
    rows, columns = section.shape(bool(packed))
    real = SPEC.dtypes[a.dtype].is_float and not SPEC.dtypes[to].is_float and to != "bool"
    attrs = f"round={rng.choice(('rne', 'trunc', 'floor', 'ceil'))}"
    attrs += " saturate=1" if real or rng.random() < 0.3 else ""
    view = window(rng, a, rows, columns, plain=a.bits < 8)
    d = section.result(to, (rows, columns))
    text = f"vcvt {whole(rng, d, plain=d.bits < 8)}, {view} {attrs}"
    section.op(Op("TVP", text, (a,), (d,)))


def vsel(section: Section) -> None:
    rng = section.rng
    a = section.value((*FLOATS, *INTS, "bool"))
    rows, columns = section.shape(a.bits < 8)
    operands, read = [window(rng, a, rows, columns)], [a]
    attrs = ""
    if rng.random() < 0.5:
        b = section.value((a.dtype,))
        operands.append(window(rng, b, rows, columns))
        read.append(b)
        attrs = " other=1"
    box = rng.randint(1, 9)
    axes = rng.choice((f"r - c + 2 < {box}", f"c + gtile < {box}", f"r < {box}, c - 1 < {box}"))
    fill = f" bits {rng.getrandbits(min(32, a.bits))}" if not attrs else ""
    region = f"bool @iota 0 {{r:{rows} | c:{columns}}}[{axes}]{fill}"
    d = section.result(a.dtype, (rows, columns))
    text = f"vsel {', '.join([whole(rng, d), *operands, region])}{attrs}"
    section.op(Op("TVP", text, tuple(read), (d,)))


def viota(section: Section) -> None:
    rng = section.rng
    to = rng.choice(types_of("VIOTA", "d"))
    rows, columns = section.shape()
    d = section.result(to, (rows, columns))
    axis = rng.choice((f"{columns}*r + c < 300", "r - c + gtile < 5", "2*c - 3 < 8", "gtile < 3"))
    view = f"{to} @iota 0 {{r:{rows} | c:{columns}}}[{axis}]"
    section.op(Op("TVP", f"viota {whole(rng, d)}, {view}", (), (d,)))


OPS: tuple[Callable[[Section], None], ...] = (
    chained,
    chained,
    chained,
    chained,
    lambda section: chained(section, True),
    vred,
    vscan,
    vquant,
    vdeq,
    vcvt,
    vcvt,
    vsel,
    viota,
)
