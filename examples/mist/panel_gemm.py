"""The text of ``gemm.py``, ``sparse_gemm.py`` and ``mx_gemm.py``: one program for every form.

``gemm.py`` explains it; ``panel_plan.py`` chooses its shapes and deals out the work,
``panel_tile.py`` has the words of the tiles.
"""

from __future__ import annotations

from textwrap import indent

from kit import Space, machine, registers, table
from panel_plan import Form, Piece, Shape, shape, steps
from panel_tile import fill, first_row, tile_words

from maiacc_isa.machine import Machine

#: The most bytes that a DMA word moves.
WORD = 1 << 18

REGISTERS = {
    "across": "column of the cluster in the grid",
    "slot": "of the ring of B",
    "work": "steps of the tile",
    "place": "the step's place in the tables",
    "row": "first row of the panel",
    "n": "column block within the cluster",
    "col": "first column of C",
    "two": "1: the step has two column blocks",
    "alone": "1: it has one",
    "fresh": "1: it begins with a new panel from HBM",
    "share": "1: with one from CSRAM",
    "free": "1: it is the panel's last",
    "need": "tokens of `staged` to take before it",
    "init": "1: and one for each of its chunks",
    "opens": "1: its first chunk",
    "closes": "1: its last chunk",
    "home": "where the shared panel lies: column of the grid",
    "part": "and place",
}


def panel_gemm(target: str, form: Form, m: int, n: int, k: int) -> str:
    """The program text for a product of any form."""
    mach = machine(target)
    s = shape(mach, form, m, n, k)
    blocks = "\n".join(_block(form, s, mach, n, part) for part in range(s.passes))
    calls = "".join(f"  call pass{part}\n" for part in range(s.passes))
    return f"""\
mist 1.0
target {target}

# C[{m},{n}] = A[{m},{k}] * B[{n},{k}]^T: {s.down} x {s.across} clusters, panels of {s.rows} rows,
# column blocks of {s.width}, chunks of {s.depth} of K
{_tensors(form, m, n, k)}
{blocks}""" + (f"\ncontrol {{\n{calls}}}\n" if s.passes > 1 else "")


def _block(form: Form, s: Shape, mach: Machine, n: int, part: int) -> str:
    """One pass: the product with as much of B as CSRAM holds."""
    first = part * s.width * s.columns * s.across
    return f"""\
block {f"pass{part}" if s.passes > 1 else "main"} {{
{registers(REGISTERS)}
{_tables(s, mach.tiles)}
{_buffers(form, s)}
  chain convert : fp32 = mov(a)
  sem staged  : CLD -> LD0 cluster
{"  sem given   : CLD -> LD1 chip" + chr(10) if s.staged else ""}\
  sem fullA   : LD1 -> TTU tile
  sem freeA   : TTU -> LD1 tile = {s.chunks}
  sem fullB   : LD0 -> TTU tile
  sem freeB   : TTU -> LD0 tile = {s.slots}
  sem product : TTU -> DRN tile
  sem drained0 : DRN -> TTU tile
  sem drained1 : DRN -> TTU tile = 1
  sem result  : DRN -> ST tile
  sem stored0 : ST -> DRN tile = 1
  sem stored1 : ST -> DRN tile = 1

  across = (cluster) mod {s.across} on tile, cluster
{_stage(form, s, first)}
{tile_words(form, s, mach.tiles, n, first)}
}}
"""


def _tensors(form: Form, m: int, n: int, k: int) -> str:
    hbm = Space(unit=256)
    lines = []
    for rows, pieces in ((m, form.a), (n, form.b)):
        for x in pieces:
            size = f"[{rows}, {k // x.group}]"
            lines.append(f"{x.kind} {x.name} : {x.dtype}{size} @ {hbm.take(x.bytes(rows, k)):#x}")
    lines.append(f"output C : bf16[{m}, {n}] @ {hbm.take(2 * m * n):#x}")
    return "\n".join(lines) + "\n"


def _tables(s: Shape, tiles: int) -> str:
    """The work list, one row of equal length for each tile."""
    work = steps(s, tiles)
    most = max(map(len, work))
    flat = [step for row in work for step in [*row, *row[:1] * (most - len(row))]]
    lines = [
        table("t_work", map(len, work)),
        table("t_row", [s.rows * step.panel for step in flat]),
        table("t_n", [step.column for step in flat]),
        table("t_two", [step.two for step in flat]),
        table("t_fresh", [step.fresh for step in flat]),
        table("t_free", [step.free for step in flat]),
        table("t_need", [step.need for step in flat]),
        table("t_init", [step.init for step in flat]),
    ]
    if s.staged:
        lines.append(table("t_share", [step.share for step in flat]))
        left = [s.chunks * (1 - row[0].share) for row in work]
        lines.append(table("t_given", left))
    return "\n".join("  " + line for line in lines)


def _buffers(form: Form, s: Shape) -> str:
    tsram, csram = Space(), Space()
    lines = ["  # TSRAM: the panel, the ring of B, two results; CSRAM: the cluster's part of B"]
    for x in form.a:
        at = tsram.take(x.bytes(s.rows, s.depth) * s.chunks)
        size = f"[{s.chunks}, {s.rows}, {s.depth // x.group}]"
        lines.append(f"  buffer t{x.name} : {x.dtype}{size} @tsram {at:#x}")
    for x in form.b:
        pitch = x.bytes(s.width, s.depth)
        at = tsram.take(pitch * s.slots)
        size = f"[{s.width}, {s.depth // x.group}]"
        ring = f"slots {s.slots} pitch {pitch:#x}"
        lines.append(f"  buffer t{x.name} : {x.dtype}{size} @tsram {at:#x} {ring}")
    pitch = 2 * s.rows * s.width
    at = tsram.take(2 * pitch)
    lines.append(f"  buffer tC : bf16[{s.rows}, {s.width}] @tsram {at:#x} slots 2 pitch {pitch:#x}")
    lines.append(f"  buffer acc : fp32[{s.rows}, {s.width}] @acc 0x0 slots 2 pitch {2 * pitch:#x}")
    for x in form.b:
        at = csram.take(x.bytes(s.width, s.depth) * s.chunks * s.columns)
        size = f"[{s.columns}, {s.chunks}, {s.width}, {s.depth // x.group}]"
        lines.append(f"  buffer c{x.name} : {x.dtype}{size} @csram {at:#x}")
    for x in form.a if s.staged else ():
        at = csram.take(x.bytes(s.rows, s.depth) * s.chunks * s.staged)
        size = f"[{s.staged}, {s.chunks}, {s.rows}, {s.depth // x.group}]"
        lines.append(f"  buffer c{x.name} : {x.dtype}{size} @csram {at:#x}")
    return "\n".join(lines)


def _copies(x: Piece, s: Shape, columns: int, to: str, start: str) -> str:
    """Words of the cluster's load queue that stage a piece of some column blocks, all of K."""
    d = s.depth // x.group
    most = WORD // x.bytes(columns * s.width, s.depth)
    some = max(q for q in range(1, s.chunks + 1) if s.chunks % q == 0 and q <= max(most, 1))
    dims = f"{{n:{columns}, k:{some}, r:{s.width}, d:{d}}}"
    whole = some == s.chunks
    of_k, at_k = ("k", f"{d}*k") if whole else (f"{some}*g + k", f"{some * d}*g + {d}*k")
    word = (
        f"CLD copy c{x.name}{dims}[{to} + n, {of_k}, r, d], "
        f"{x.name}{dims}[{start} + {s.width}*n + r, {at_k} + d]{fill(x)}"
    )
    return word if whole else f"loop g < {s.chunks // some} on cluster {{\n  {word}\n}}"


def _stage(form: Form, s: Shape, first: int) -> str:
    """What the clusters' load queues do."""
    b, d = form.b[0], s.depth // form.b[0].group
    dims = f"{{n:{s.begin}, r:{s.width}, d:{d}}}"
    rest = f"col + {s.width}*c + {s.width * s.begin}"
    begin = [_copies(x, s, s.begin, "0", "col") for x in form.b[1:]]
    others = [_copies(x, s, 1, f"c + {s.begin}", rest) for x in form.b[1:]]
    panels = "\n".join(
        f"      CLD copy c{x.name}{{r:{s.rows}, d:{d}}}[p, k, r, d], {x.name}{{r:{s.rows}, d:{d}}}"
        f"[{first_row(s)} + {s.rows * s.across}*p + {s.rows}*across + r, {d}*k + d]" + fill(x)
        for x in form.a
        for d in (s.depth // x.group,)
    )
    shared = f"    loop p < {s.staged} {{\n{panels} post(given)\n    }}\n" if s.staged else ""
    return f"""
  at "stage B"
  # a token for each chunk of the first columns, then one for each column block
  col = {s.width * s.columns}*across + {first} on cluster
{indent("".join(word + chr(10) for word in begin), "  ")}\
  loop k < {s.chunks} on cluster {{
    CLD copy c{b.name}{dims}[n, k, r, d], {b.name}{dims}[col + {s.width}*n + r, {d}*k + d] \
post(staged)
{shared}\
  }}
  loop c < {s.columns - s.begin} on cluster {{
{indent("".join(word + chr(10) for word in others), "    ")}\
    loop k < {s.chunks} {{
      CLD copy c{b.name}{{r:{s.width}, d:{d}}}[c + {s.begin}, k, r, d], \
{b.name}{{r:{s.width}, d:{d}}}[{rest} + r, {d}*k + d]
    }}
    CLD sync post(staged)
  }}"""
