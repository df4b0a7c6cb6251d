"""Random words of the network queues, between the two chips of `mini2`."""

from __future__ import annotations

from sim.programs_dma import SPEC, SUMMED, scratch
from sim.programs_section import Section
from sim.programs_text import Line, Op
from sim.programs_views import whole, window


def sent(section: Section) -> None:
    """Each chip sends a tensor to the other, which stores what arrives.

    The receiver may have to say first that it is ready: with a grant, or at a barrier.
    """
    rng = section.rng
    writer = section.writer
    host = writer.host
    kind = rng.choice(("put", "put", "putadd", "putm"))
    dtype = rng.choice(SUMMED if kind == "putadd" else tuple(SPEC.dtypes))
    rows, columns = section.shape(SPEC.dtypes[dtype].packed)
    clusters = host.machine.clusters
    queue = "NET1" if kind == "putm" else rng.choice(("NET0", "NET1"))
    table = writer.declare("table", "= [1, 0]", "t")
    group = writer.declare("mask", "= {0, 1}", "m")
    peer = writer.register("peer")
    section.body.append(Line(f"{peer} = -chip + 1", ("chip",)))
    source = host.tensor("input", dtype, (clusters, rows, columns))
    inbox = scratch(section, dtype, (clusters, rows, columns))
    reader = rng.choice(("CLD", "LD0"))
    arrived = writer.declare("sem", f": {queue} -> {reader} remote({table})", "q")
    target = f"{inbox.name}{{q:{clusters}, r:{rows}, c:{columns}}}[q, r, c]"
    view = f"{source.name}{{q:{clusters}, r:{rows}, c:{columns}}}[q, r, c]"
    waits = _ready(section, queue, group, peer, table, inbox.name, (rows, columns), kind)
    to = f"group={group}" if kind == "putm" else f"peer={peer}"
    section.op(Op(queue, f"{kind} {target}, {view} {to}", waits=waits, posts=[arrived]))
    copied = f"{inbox.name}{{r:{rows}, c:{columns}}}[cluster, r, c]"
    if reader == "LD0":
        d = section.result(dtype, (rows, columns))
        section.op(Op("LD0", f"copy {whole(rng, d, False)}, {copied}", (), (d,), waits=[arrived]))
        return
    stage = writer.buffer(dtype, (rows, columns), "csram", 1, "cluster")
    text = f"copy {whole(rng, stage, False)}, {copied}"
    section.op(Op("CLD", text, (), (stage,), waits=[arrived]))
    out = host.tensor("output", dtype, (clusters, rows, columns))
    text = f"copy {whole(rng, out, False, lead='cluster, ')}, "
    text += window(rng, stage, rows, columns, False, plain=True)
    section.op(Op("CST", text, (stage,)))


def _ready(
    section: Section,
    queue: str,
    group: str,
    peer: str,
    table: str,
    inbox: str,
    shape: tuple[int, int],
    kind: str,
) -> list[str]:
    """Words that prepare the receiver's memory; returns what the sender waits for."""
    rng = section.rng
    if kind != "putadd" and rng.random() < 0.5:
        return []
    writer = section.writer
    other = "NET1" if queue == "NET0" else "NET0"
    barrier = rng.random() < 0.5
    filled = writer.declare("sem", f": CST -> {queue if barrier else other} chip", "q")
    view = f"{inbox}{{r:{shape[0]}, c:{shape[1]}}}[cluster, r, c]"
    section.op(Op("CST", f"fill {view} value={rng.getrandbits(7)}", posts=[filled]))
    if barrier:
        section.op(Op(queue, "sync", waits=[filled]))
        section.op(Op(queue, f"bar group={group}"))
        return []
    granted = writer.declare("sem", f": {other} -> {queue} remote({table})", "q")
    section.op(Op(other, f"grant peer={peer}", waits=[filled], posts=[granted]))
    return [granted]


def near(section: Section) -> None:
    """From a cluster's memory straight into one of the other chip."""
    rng = section.rng
    writer = section.writer
    host = writer.host
    dtype = rng.choice(tuple(SPEC.dtypes))
    rows, columns = section.shape(SPEC.dtypes[dtype].packed)
    queue = rng.choice(("NET0", "NET1"))
    table = writer.declare("table", "= [1, 0]", "t")
    peer = writer.register("peer")
    section.body.append(Line(f"{peer} = 1 - chip", ("chip",)))
    source = host.tensor("input", dtype, (host.machine.clusters, rows, columns))
    stage = writer.buffer(dtype, (rows, columns), "csram", 1, "chip")
    inbox = writer.buffer(dtype, (rows, columns), "csram", 1, f"remote({table})")
    view = whole(rng, source, False, lead="cluster, ")
    section.op(Op("CLD", f"copy {whole(rng, stage, False)}, {view}", (), (stage,)))
    for q in range(host.machine.clusters):
        dims = f"{{r:{rows}, c:{columns}}}[r, c]"
        text = f"put {inbox.name}@[{q}]{dims}, {stage.name}@[{q}]{dims} peer={peer}"
        section.op(Op(queue, text, (stage,), (inbox,)))
    d = section.result(dtype, (rows, columns))
    source_view = window(rng, inbox, rows, columns, False, plain=True)
    section.op(Op("LD1", f"copy {whole(rng, d, False)}, {source_view}", (inbox,), (d,)))


OPS = (sent, sent, sent, near)
