"""Random words of the tensor unit and of the drain queue."""

from __future__ import annotations

from dataclasses import dataclass

from maiacc_isa.load import load
from sim.programs_section import Section
from sim.programs_text import Buf, Loop, Op
from sim.programs_vector import chain, types_of
from sim.programs_views import whole, window

SPEC = load()

#: Every operand pair of the tensor unit.
PAIRS = tuple((a, b) for pair in SPEC.pairs for a in pair.left for b in pair.right)


@dataclass
class Product:
    """A multiplication in the making."""

    left: str
    right: str
    rows: int
    columns: int
    depth: int
    sparse: bool
    scaled: tuple[bool, bool]
    group: int

    @property
    def accumulators(self) -> str:
        return "fp32" if SPEC.dtypes[self.left].is_float else "int32"


def product(section: Section) -> Product:
    """Which types, sizes and scales."""
    rng = section.rng
    left, right = rng.choice(PAIRS)
    a, b = SPEC.dtypes[left], SPEC.dtypes[right]
    sparse = rng.random() < 0.3
    scaled, group = (False, False), 0
    depth = rng.choice((8, 16, 8, 16, 24)) if sparse else rng.choice((4, 8, 12, 16, 40))
    if not (sparse or a.packed or b.packed) and rng.random() < 0.4:
        depth = rng.choice((1, 3, 7, 17))
    if a.is_float and not b.is_float:
        group = rng.choice((16, 32))
        depth, scaled = group * rng.choice((1, 1, 2)), (False, True)
    elif a.is_float and a.bits <= 8 and b.bits <= 8 and rng.random() < 0.5:
        group = SPEC.limit("mx_group")
        scaled = rng.choice(((True, True), (True, False), (False, True)))
        depth = group * rng.choice((1, 1, 2))
    rows, columns = rng.choice((1, 3, 5, 8, 9)), rng.choice((1, 2, 4, 7, 8, 10))
    if rows * columns * depth > 1500:
        rows, columns = min(rows, 4), min(columns, 4)
    return Product(left, right, rows, columns, depth, sparse, scaled, group)


def accumulators(section: Section, dtype: str, rows: int, columns: int) -> Buf:
    """A buffer of accumulators, its rows whole blocks apart."""
    block = section.writer.host.machine.int("ttu.block")
    width = -(-columns // block) * block
    return section.writer.buffer(dtype, (rows, width), "acc", section.slots())


def matrix(section: Section, dtype: str, rows: int, columns: int) -> Buf:
    """An operand: a value that is there, or a new one of just this shape."""
    known = [v for v in (*section.values, *section.outer) if v.dtype == dtype]
    if known and section.rng.random() < 0.3:
        return section.rng.choice(known)
    return section.load(dtype, (rows, columns))


def _scales(section: Section, p: Product, rows: int, exact: str) -> tuple[str, Buf]:
    kind = "e8m0" if exact != "" else section.rng.choice(("fp32", "bf16", "fp16"))
    buf = matrix(section, kind, rows, p.depth // p.group)
    view = window(section.rng, buf, rows, p.depth // p.group, plain=True)
    return section.writer.declare("desc", f"= {view}", "v"), buf


def operands(section: Section, p: Product) -> tuple[str, str, list[Buf]]:
    """Views of both matrices, and what they read."""
    rng = section.rng
    a = matrix(section, p.left, p.rows, p.depth)
    stored = p.depth // 2 if p.sparse else p.depth
    b = matrix(section, p.right, p.columns, stored)
    left = window(rng, a, p.rows, p.depth)
    right = window(rng, b, p.columns, stored)
    read = [a, b]
    real = "real" if SPEC.dtypes[p.right].is_float else ""
    if p.scaled[0]:
        name, buf = _scales(section, p, p.rows, real)
        left += f" scale {name}"
        read.append(buf)
    if p.scaled[1]:
        name, buf = _scales(section, p, p.columns, real)
        right += f" scale {name}"
        read.append(buf)
    if p.sparse:
        meta = section.load("sp24", (p.columns, p.depth // 4), "meta")
        view = f"{meta.place}{{r:{p.columns} | c:{p.depth // 4}}}[r, c]"
        right += f" meta {section.writer.declare('desc', f'= {view}', 'v')}"
        read.append(meta)
    return left, right, read


def gemm(section: Section) -> None:
    """Multiplications into accumulators, and a way out of them."""
    rng = section.rng
    p = product(section)
    acc = accumulators(section, p.accumulators, p.rows, p.columns)
    target = f"{acc.place}{{m:{p.rows} | n:{p.columns}}}[m, n]"
    mode = "over"
    if rng.random() < 0.3:
        kinds = ("int32",) if p.accumulators == "int32" else ("fp32", "bf16", "fp16")
        start = section.value(kinds)
        view = window(rng, start, p.rows, p.columns)
        section.op(Op("TTU", f"accld {target}, {view}", (start,), (acc,)))
        mode = "acc"
    name = "mmsp" if p.sparse else "mm"
    left, right, read = operands(section, p)
    inner = section.writer.fresh("k") if rng.random() < 0.35 else ""
    if not inner:
        for turn in range(rng.choice((1, 1, 2))):
            text = f"{name} {target}, {left}, {right} mode={mode if turn == 0 else 'acc'}"
            section.op(Op("TTU", text, tuple(read), (acc,)))
    else:
        level = inner if rng.random() < 0.7 or not section.loop else section.loop
        attrs = f"mode=first level={level}"
        if level == section.loop:
            # Later turns go on in these accumulators, which must be the same ones.
            attrs += f" span={rng.choice((0, 2))}" if acc.slots == 1 else " span=1"
            attrs = attrs if acc.slots == 1 else "mode=over"
        if mode == "acc":
            attrs = "mode=acc"
        text = f"{name} {target}, {left}, {right} {attrs}"
        body = [Op("TTU", text, tuple(read), (acc,))]
        section.body.append(Loop(inner, str(rng.randint(1, 3)), list(body)))
    for _ in range(rng.choice((1, 1, 2))):
        rng.choice((drain, drain, drain, direct))(section, acc, p)


def drain(section: Section, acc: Buf, p: Product) -> None:
    """ACCST."""
    rng = section.rng
    to = rng.choice(types_of("ACCST", "d"))
    rows, columns = p.rows, p.columns
    if SPEC.dtypes[to].packed and columns % 4:
        to = "bf16"
    stat = rng.choice(("sum", "max", "absmax")) if rng.random() < 0.3 else ""
    unchanged = acc.dtype == "int32" and to == "int32" and rng.random() < 0.5
    if unchanged:
        inputs = 1
        section.writer.declare("chain", ": fp32 = mov(a)", "f")
    else:
        inputs = chain(section, "float", "fp32", "drain", to)
        if stat:
            section.writer.lines[-1] += f" stat {stat}"
    name = section.writer.lines[-1].split()[1]
    has_stat = bool(stat) and not unchanged
    source = f"{acc.place}{{m:{rows} | n:{columns}}}[m, n]"
    views, read = [source], [acc]
    for side in ("b", "c")[: inputs - 1]:
        buf = section.value(types_of("ACCST", side))
        views.append(window(rng, buf, rows, columns))
        read.append(buf)
    writes = [section.tile_buffer(to, (rows, columns))]
    results = [whole(rng, writes[0], plain=writes[0].bits < 8)]
    if has_stat:
        writes.append(section.tile_buffer("fp32", (rows, 1)))
        results.append(f"{writes[1].place}{{r:{rows}}}[r, 0]")
    text = f"accst {', '.join([*results, *views])} chain={name}"
    section.op(Op("DRN", text, tuple(read), tuple(writes)))
    # Written by the drain queue; the vector unit may read them.
    section.values += writes


def direct(section: Section, acc: Buf, p: Product) -> None:
    """The vector unit reads the accumulators itself."""
    rng = section.rng
    rows, columns = p.rows, p.columns
    view = f"{acc.place}{{m:{rows} | n:{columns}}}[m, n]"
    kind = rng.choice(("vcvt", "vsel", "vred", "vmap"))
    if kind == "vred":
        d = section.result(acc.dtype, (rows, 1))
        text = f"vred {d.place}{{r:{rows}}}[r, 0], {view} op={rng.choice(('sum', 'max'))}"
    elif kind == "vcvt":
        d = section.result(rng.choice(("bf16", "int8", "int64", "fp16", "e5m2")), (rows, columns))
        text = f"vcvt {whole(rng, d)}, {view} saturate=1"
    elif kind == "vsel":
        to = rng.choice(("fp32", "bf16", "e4m3")) if acc.dtype == "fp32" else "int32"
        d = section.result(to, (rows, columns))
        text = f"vsel {whole(rng, d)}, {view}, bool @iota 0 {{r:{rows} | c:{columns}}}[c < 3]"
    else:
        d = section.result("fp32", (rows, columns))
        section.writer.declare("chain", ": fp32 = mul(a, 0.5); add(r0, a)", "f")
        name = section.writer.lines[-1].split()[1]
        text = f"vmap {whole(rng, d)}, {view} chain={name}"
    section.op(Op("TVP", text, (acc,), (d,)))
