"""Random words that move data between memories, and exchanges between tiles."""

from __future__ import annotations

from maiacc_isa.load import load
from sim.programs_orders import indices
from sim.programs_section import Section
from sim.programs_text import Buf, Op
from sim.programs_views import whole, window

SPEC = load()
SUMMED = ("fp32", "bf16", "fp16", "int32", "int64")
WIDE = tuple(t.name for t in SPEC.dtypes.values() if t.bits >= 8)


def anything(section: Section) -> None:
    """A value of any type at all."""
    section.load(section.rng.choice(tuple(SPEC.dtypes)))


def moved(section: Section) -> None:
    """A copy within the tile, plain or transposed, by one of the queues that can."""
    rng = section.rng
    a = section.value(tuple(SPEC.dtypes))
    queue = rng.choice(("LD0", "LD1", "ST"))
    rows, columns = section.shape(a.bits < 8)
    if a.bits >= 8 and rng.random() < 0.4:
        d = section.result(a.dtype, (columns, rows))
        target = f"{d.place}{{j:{columns}, i:{rows}}}[j, i]"
        rows = min(rows, 8)
        source = window(rng, a, rows, columns, False)
        if source.count(":") == 2:
            section.op(Op(queue, f"copyt {target}, {source}", (a,), (d,)))
            return
        section.values.remove(d)
    d = section.result(a.dtype, (rows, columns))
    source = window(rng, a, rows, columns, False)
    section.op(Op(queue, f"copy {whole(rng, d, False)}, {source}", (a,), (d,)))


def filled(section: Section) -> None:
    """A constant, partly written over by the same queue."""
    rng = section.rng
    dtype = rng.choice(tuple(SPEC.dtypes))
    rows, columns = section.shape(SPEC.dtypes[dtype].packed)
    d = section.result(dtype, (rows, columns))
    queue = rng.choice(("LD0", "LD1", "ST"))
    value = rng.choice((0, 1, -1 & 0xFFFFFFFF, 0x3F80, 0xC000, rng.getrandbits(32)))
    if dtype == "sp24":
        value = rng.choice((4, 8, 14))
    section.op(Op(queue, f"fill {whole(rng, d, False)} value={value}", (), (d,)))
    if rng.random() < 0.5 and d.bits >= 8:
        part = f"{d.place}{{r:{rows}, c:{columns}}}[r, c - 1 + gtile] drop"
        section.op(Op(queue, f"fill {part} value={rng.getrandbits(8)}", (), (d,)))


def gathered(section: Section) -> None:
    """GATHER, from HBM, from the tile or from the cluster's memory."""
    rng = section.rng
    dtype = rng.choice(tuple(SPEC.dtypes))
    packed = SPEC.dtypes[dtype].packed
    columns = section.shape(packed)[1]
    count = rng.choice((1, 2, 3, 4, 6))
    b, view, attrs = indices(section, count)
    count_, part = section.part()
    d = section.result(dtype, (count, columns))
    target = whole(rng, d, True, plain=True)
    start = rng.choice((0, 0, 1, -1)) if "trap" not in attrs else 0
    if rng.random() < 0.6:
        # Rows of a tensor; parts of tiles lie beside each other on the second axis.
        table = section.writer.host.tensor("input", dtype, (6, count_, columns))
        row = f"{table.name}{{ | c:{columns}}}[{start} < 6, {part}, c]"
        section.op(Op("LD0", f"gather {target}, {row}, {view} {attrs}", (b,), (d,)))
        return
    a = section.load(dtype, (4, columns))
    row = f"{a.place}{{ | c:{columns}}}[{start}, c]"
    queue = rng.choice(("LD1", "ST"))
    section.op(Op(queue, f"gather {target}, {row}, {view} {attrs}", (a, b), (d,)))


def scattered(section: Section) -> None:
    """SCATTER of rows, into the tile's memory or a state."""
    rng = section.rng
    op = rng.choice([label.name for label in SPEC.enums["combine"].labels])
    a = section.value(WIDE if op == "set" else SUMMED)
    columns = section.shape()[1]
    count = rng.choice((1, 2, 3, 4))
    b, view, attrs = indices(section, count)
    attrs = attrs.replace("clamp", "fill")
    source = window(rng, a, count, columns)
    if rng.random() < 0.4:
        parts, part = section.part()
        table = section.writer.host.tensor("state", a.dtype, (5, parts, columns))
        row = f"{table.name}{{ | c:{columns}}}[0 < 5, {part}, c]"
        section.op(Op("ST", f"scatter {row}, {source}, {view} {attrs} op={op}", (a, b)))
        return
    d = section.result(a.dtype, (4, columns))
    section.op(Op("ST", f"fill {whole(rng, d, False)} value={rng.getrandbits(8)}", (), (d,)))
    row = f"{d.place}{{ | c:{columns}}}[0, c]"
    section.op(Op("ST", f"scatter {row}, {source}, {view} {attrs} op={op}", (a, b), (d,)))


def summed(section: Section) -> None:
    """RADD into the tile's memory, the cluster's, or a state."""
    rng = section.rng
    a = section.value(SUMMED)
    rows, columns = section.shape()
    source = window(rng, a, rows, columns, False)
    if rng.random() < 0.4:
        parts, part = section.part()
        table = section.writer.host.tensor("state", a.dtype, (parts, rows, columns))
        target = whole(rng, table, False, lead=f"{part}, ")
        section.op(Op("ST", f"radd {target}, {source}", (a,)))
        return
    d = section.result(a.dtype, (rows, columns))
    section.op(Op("ST", f"fill {whole(rng, d, False)} value=0", (), (d,)))
    for _ in range(rng.choice((1, 2))):
        section.op(Op("ST", f"radd {whole(rng, d, False)}, {source}", (a,), (d,)))


def exchanged(section: Section) -> None:
    """Every tile writes its part to the memory of all clusters, or to HBM, and reads them all."""
    rng = section.rng
    machine = section.writer.host.machine
    a = section.value(tuple(SPEC.dtypes))
    rows, columns = section.shape(a.bits < 8)
    rows = min(rows, 3)
    space = rng.choice(("csram", "csram", "hbm"))
    tiles = section.tiles
    if space == "hbm":
        shared = scratch(section, a.dtype, (tiles, rows, columns))
        home = ""
    else:
        shared = section.writer.buffer(
            a.dtype, (tiles, rows, columns), "csram", section.slots(), "chip"
        )
        home = "@[all]"
    target = f"{shared.place}{home}{{r:{rows}, c:{columns}}}[gtile, r, c]"
    source = window(rng, a, rows, columns, False)
    section.op(Op("ST", f"copy {target}, {source}", (a,), (shared,)))
    d = section.result(a.dtype, (tiles * rows, columns))
    target = f"{d.place}{{t:{tiles}, r:{rows}, c:{columns}}}[{rows}*t + r, c]"
    source = f"{shared.place}{{t:{tiles}, r:{rows}, c:{columns}}}[t, r, c]"
    section.op(Op(rng.choice(("LD0", "LD1")), f"copy {target}, {source}", (shared,), (d,)))
    assert machine.clusters > 1


def scratch(section: Section, dtype: str, shape: tuple[int, ...]) -> Buf:
    """A buffer in HBM that is no tensor."""
    host = section.writer.host
    bits = SPEC.dtypes[dtype].bits
    size = shape[0] * shape[1] * -(-shape[2] * bits // 8)
    base = (host.used + 63) // 64 * 64
    host.used = base + size
    host.used = (host.used + 63) // 64 * 64
    extents = ", ".join(map(str, shape))
    name = section.writer.declare("buffer", f": {dtype}[{extents}] @hbm {base}", "h")
    return Buf(name, dtype, shape, "hbm", "chip")


def clustered(section: Section) -> None:
    """The cluster's own queues: in through one, out through the other, with work in between."""
    rng = section.rng
    host = section.writer.host
    dtype = rng.choice(tuple(SPEC.dtypes))
    shape = section.shape(SPEC.dtypes[dtype].packed)
    parts = host.machine.clusters * section.trips
    where = f"{section.trips}*cluster + {section.loop}" if section.loop else "cluster"
    source = host.tensor("input", dtype, (parts, *shape))
    stage = section.writer.buffer(dtype, shape, "csram", section.slots(), "cluster")
    view = whole(rng, source, False, lead=f"{where}, ")
    section.op(Op("CLD", f"copy {whole(rng, stage, False)}, {view}", (), (stage,)))
    last = stage
    if dtype in SUMMED and rng.random() < 0.6:
        last = section.writer.buffer(dtype, shape, "csram", section.slots(), "cluster")
        section.op(Op("CST", f"fill {whole(rng, last, False)} value=0", (), (last,)))
        text = f"radd {whole(rng, last, False)}, {window(rng, stage, *shape, False)}"
        section.op(Op("CST", text, (stage,), (last,)))
    if rng.random() < 0.3:
        # To the other cluster, or to all of them, which keep it side by side.
        far = section.writer.buffer(
            dtype, (host.machine.clusters, *shape), "csram", section.slots(), "chip"
        )
        home = rng.choice(("@[-cluster + 1]", "@[all]"))
        target = whole(rng, far, False, place=far.place + home, lead="cluster, ")
        source_view = window(rng, last, *shape, False, plain=True)
        section.op(Op("CST", f"copy {target}, {source_view}", (last,), (far,)))
        lead = "-1*cluster + 1, "
        out = host.tensor("output", dtype, (parts, *shape))
        target = whole(rng, out, False, lead=f"{where}, ")
        text = f"copy {target}, {whole(rng, far, False, lead=lead)}"
        section.op(Op("CST", text, (far,)))
        return
    out = host.tensor("output", dtype, (parts, *shape))
    target = whole(rng, out, False, lead=f"{where}, ")
    text = f"copy {target}, {window(rng, last, *shape, False, plain=True)}"
    section.op(Op("CST", text, (last,)))


def indexed(section: Section) -> None:
    """Gathers, scatters and transpositions by the cluster's queues, in its own memory."""
    rng = section.rng
    writer, host = section.writer, section.writer.host
    dtype = rng.choice(SUMMED)
    rows, columns = rng.choice((2, 3, 5)), rng.choice((1, 4, 7))
    parts = host.machine.clusters * section.trips
    where = f"{section.trips}*cluster + {section.loop}" if section.loop else "cluster"
    slots = section.slots()
    stage = writer.buffer(dtype, (rows, columns), "csram", slots, "cluster")
    tensor = host.tensor("input", dtype, (parts, columns, rows))
    view = f"{tensor.name}{{j:{columns}, i:{rows}}}[{where}, j, i]"
    target = f"{stage.place}{{i:{rows}, j:{columns}}}[i, j]"
    section.op(Op("CLD", f"copyt {target}, {view}", (), (stage,)))
    places = writer.buffer("int32", (1, 4), "csram", slots, "cluster", "index")
    numbers = host.tensor("input", "int32", (parts, 1, 4), "index")
    view = whole(rng, numbers, False, lead=f"{where}, ")
    section.op(Op("CLD", f"copy {whole(rng, places, False)}, {view}", (), (places,)))
    d = writer.buffer(dtype, (4, columns), "csram", slots, "cluster")
    indices_view = f"{places.place}{{i:4}}[0, i]"
    if rng.random() < 0.5:
        table = f"{stage.place}{{ | c:{columns}}}[0, c]"
        text = f"gather {whole(rng, d, plain=True)}, {table}, {indices_view} oob=clamp"
        section.op(Op("CST", text, (stage, places), (d,)))
    else:
        section.op(Op("CST", f"fill {whole(rng, d, False)} value=0", (), (d,)))
        table = f"{d.place}{{ | c:{columns}}}[0, c]"
        op = rng.choice([label.name for label in SPEC.enums["combine"].labels])
        source = window(rng, stage, 4, columns)
        text = f"scatter {table}, {source}, {indices_view} oob=trap op={op}"
        section.op(Op("CST", text, (stage, places), (d,)))
    _out(section, d)


def _out(section: Section, d: Buf) -> None:
    """What lies in a cluster's memory goes to its tiles at once, or to an output."""
    rng = section.rng
    rows, columns = d.shape
    if rng.random() < 0.5:
        buf = section.tile_buffer(d.dtype, (rows, columns), "cluster")
        section.values.append(buf)
        target = whole(rng, buf, False, place=buf.place + "@[all]")
        section.op(
            Op("CLD", f"bcast {target}, {window(rng, d, rows, columns, False)}", (d,), (buf,))
        )
        return
    parts = section.writer.host.machine.clusters * section.trips
    where = f"{section.trips}*cluster + {section.loop}" if section.loop else "cluster"
    out = section.writer.host.tensor("output", d.dtype, (parts, columns, rows))
    target = f"{out.name}{{j:{columns}, i:{rows}}}[{where}, j, i]"
    source = f"{d.place}{{i:{rows}, j:{columns}}}[i, j]"
    section.op(Op("CST", f"copyt {target}, {source}", (d,)))


OPS = (anything, moved, filled, gathered, scattered, summed, exchanged, clustered, indexed)
