"""Random scalars: computed, from tables and parameters, or loaded; sizes and trips from them."""

from __future__ import annotations

from maiacc_isa.load import load
from sim.programs_section import Section
from sim.programs_text import Item, Line, Loop, Op
from sim.programs_vector import FLOATS, INTS
from sim.programs_views import whole, window

SPEC = load()


def picked(section: Section) -> None:
    """A load from wherever a computed scalar says."""
    rng = section.rng
    writer = section.writer
    dtype = rng.choice(tuple(SPEC.dtypes))
    shape = section.shape(SPEC.dtypes[dtype].packed)
    count = rng.choice((3, 4, 5))
    reg = writer.register()
    source = section.loop or "tile"
    other = rng.choice(("gtile", "cluster", "tile"))
    table = writer.declare("table", f"= {[rng.randrange(count) for _ in range(9)]}", "t")
    formulas = (
        f"({source} + 3*{other} + 1) mod {count}",
        f"({source} + {other} + 1) div 2",
        f"min({source} + 2*{other}, {count - 1})",
        f"min({source} + 1, {other} + 1)",
        f"max({source} - {other}, 0)",
        f"max({other}, 1 - {source})",
        f"{table}[{source} + {other}]",
        "1",
    )
    section.body.append(Line(f"{reg} = {rng.choice(formulas)}", ("tile",)))
    if rng.random() < 0.4:
        section.body.append(Line(f"{reg} = min({reg}, {count - 2})", ("tile",)))
    tensor = writer.host.tensor("input", dtype, (8, *shape))
    d = section.tile_buffer(dtype, shape)
    view = whole(rng, tensor, False, lead=f"{reg}, ")
    section.op(Op("LD0", f"copy {whole(rng, d, False)}, {view}", (), (d,)))
    section.values.append(d)


def scalar(section: Section, low: int, high: int) -> str:
    """A register with a value known only when the program runs."""
    rng = section.rng
    writer = section.writer
    reg = writer.register()
    kind = rng.choice(("param", "hbm", "hbm", "tsram", "csram"))
    if kind == "param":
        name = f"p{len(writer.host.parameters)}"
        writer.host.parameters.append((name, low, high))
        section.body.append(Line(f"{reg} = param {name}", ("tile",)))
        return reg
    dtype = rng.choice(("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"))
    count, part = section.part()
    tensor = writer.host.tensor("input", dtype, (count, 1, 3), f"count {low} {high}")
    tail = f" in {low}..{high} on tile"
    if kind == "hbm":
        view = f"{tensor.name}{{}}[{part}, 0, {rng.randrange(3)}]"
        section.op(Op("TCP", "", scalar=(f"{reg} = sld {view}", tail)))
        return reg
    if kind == "csram":
        clusters = writer.host.machine.clusters
        stage = writer.buffer(dtype, (1, 3), "csram", section.slots(), "cluster")
        tensor = writer.host.tensor("input", dtype, (clusters, 1, 3), f"count {low} {high}")
        source = whole(rng, tensor, False, lead="cluster, ")
        section.op(Op("CLD", f"copy {whole(rng, stage, False)}, {source}", (), (stage,)))
        view = f"{stage.place}{{}}[0, {rng.randrange(3)}]"
        section.op(Op("TCP", "", (stage,), scalar=(f"{reg} = sld {view}", tail)))
        return reg
    buf = section.tile_buffer(dtype, (1, 3))
    source = whole(rng, tensor, False, lead=f"{part}, ")
    section.op(Op("LD0", f"copy {whole(rng, buf, False)}, {source}", (), (buf,)))
    view = f"{buf.place}{{}}[0, {rng.randrange(3)}]"
    section.op(Op("TCP", "", (buf,), scalar=(f"{reg} = sld {view}", tail)))
    return reg


def sized(section: Section) -> None:
    """Views that are as large as a scalar says."""
    rng = section.rng
    dtype = rng.choice(tuple(t.name for t in SPEC.dtypes.values() if t.bits >= 8))
    rows, columns = section.shape()
    n = scalar(section, 0, rows)
    count, part = section.part()
    tensor = section.writer.host.tensor("input", dtype, (count, rows, columns))
    d = section.tile_buffer(dtype, (rows, columns))
    section.values.append(d)
    kind = rng.randrange(3)
    if kind == 0:
        section.op(Op("LD0", f"fill {whole(rng, d, False)} value=1", (), (d,)))
        dims = f"{{r:{n} of {rows}, c:{columns}}}"
        text = f"copy {d.place}{dims}[r, c], {tensor.name}{dims}[{part}, r, c]"
        section.op(Op("LD0", text, (), (d,)))
        return
    dims = f"{{r:{rows}, c:{columns}}}"
    source = f"{tensor.name}{dims}[{part}, r < {n}, c] bits {rng.getrandbits(8)}"
    if kind == 1:
        section.op(Op("LD0", f"copy {d.place}{dims}[r, c], {source}", (), (d,)))
        return
    section.op(Op("LD1", f"fill {whole(rng, d, False)} value=0", (), (d,)))
    target = f"{d.place}{dims}[r < {n}, c] drop"
    section.op(Op("LD1", f"copy {target}, {tensor.name}{dims}[{part}, r, c]", (), (d,)))


def ragged(section: Section) -> None:
    """Reductions and selections as long as a scalar says."""
    rng = section.rng
    a = section.value((*FLOATS[:3], *INTS))
    rows, columns = a.shape
    n = scalar(section, rng.choice((0, 1)), columns)
    if rng.random() < 0.5:
        d = section.result(a.dtype, (rows, 1))
        view = f"{a.place}{{r:{rows} | c:{n} of {columns}}}[r, c]"
        op = rng.choice(("sum", "max", "prod"))
        text = f"vred {d.place}{{r:{rows}}}[r, 0], {view} op={op}"
    else:
        d = section.result(a.dtype, (rows, columns))
        region = f"bool @iota 0 {{r:{rows} | c:{columns}}}[c < {n} of {columns}]"
        text = f"vsel {whole(rng, d)}, {window(rng, a, rows, columns)}, {region}"
    section.op(Op("TVP", text, (a,), (d,)))


def turns(section: Section) -> None:
    """A loop that runs as often as a scalar says, adding up what it loads."""
    rng = section.rng
    writer = section.writer
    dtype = rng.choice(("fp32", "bf16", "int32", "int16"))
    shape = section.shape()
    dims = f"{{r:{shape[0]} | c:{shape[1]}}}[r, c]"
    a = section.value((dtype,))
    d = section.result(dtype, shape)
    text = f"vcvt {d.place}{dims}, {window(rng, a, *shape)}"
    section.op(Op("TVP", text, (a,), (d,)))
    n = scalar(section, 0, 3)
    inner = writer.fresh("j")
    piece = writer.buffer(dtype, shape)
    tensor = writer.host.tensor("input", dtype, (section.tiles, 3, *shape))
    kind = "fp32" if SPEC.dtypes[dtype].is_float else dtype
    name = writer.declare("chain", f": {kind} = add(a, b)", "f")
    source = f"{tensor.name}{{r:{shape[0]}, c:{shape[1]}}}[gtile, {inner}, r, c]"
    body: list[Item] = [
        Op("LD0", f"copy {whole(rng, piece, False)}, {source}", (), (piece,)),
        Op(
            "TVP",
            f"vmap {d.place}{dims}, {d.place}{dims}, {piece.place}{dims} chain={name}",
            (piece, d),
            (d,),
        ),
    ]
    section.body.append(Loop(inner, n, body))


def marked(section: Section) -> None:
    """Regions, places and words without effect."""
    rng = section.rng
    section.body.append(Line('at "here", "and there"', ()))
    number = rng.randrange(100)
    roles = rng.choice((("tile",), ("tile", "cluster")))
    section.body.append(Line(f"mark {number} begin", roles))
    section.body.append(Line("nop", rng.choice((("tile",), roles))))
    section.body.append(Line(f"mark {number} end", roles))


OPS = (picked, picked, picked, sized, sized, ragged, ragged, turns, marked)
