"""The text of ``gemm.py``, ``sparse_gemm.py`` and ``mx_gemm.py``: one program for every form.

``gemm.py`` explains it; ``panel_plan.py`` chooses its shapes and deals out the work.
"""

from __future__ import annotations

from kit import Space, cdiv, machine, registers, table
from panel_plan import Form, Piece, Segment, Shape, plan, shape

REGISTERS = {
    "down": "where the cluster stands in the grid",
    "across": "",
    "slot": "of the ring of B",
    "half": "of the accumulators",
    "other": "",
    "row": "first row of the panel",
    "col": "first column of C",
    "n": "column block within the cluster",
    "seg": "segment's number in the tables",
    "work": "segments of the tile",
    "steps": "of the segment",
    "pair": "1: the segment's first step has two column blocks",
    "two": "1: this step has",
    "single": "1: it has not",
    "blocks": "",
    "fresh": "1: the step begins with a new panel",
    "keep": "1: it does not",
    "init": "1: the tile's first step",
    "need": "tokens of `staged` to take before a step",
    "later": "",
}


def panel_gemm(target: str, form: Form, m: int, n: int, k: int) -> str:
    """The program text for a product of any form."""
    mach = machine(target)
    s = shape(mach, form, m, n, k)
    return f"""\
mist 1.0
target {target}

# C[{m},{n}] = A[{m},{k}] * B[{n},{k}]^T: {s.down} x {s.across} clusters, panels of {s.rows} rows,
# column blocks of {s.width}, chunks of {s.depth} of K
{_tensors(form, m, n, k)}
block main {{
{registers(REGISTERS)}
{_tables(s, plan(s.panels, s.columns, mach.tiles))}
{_buffers(form, s)}
  chain convert : fp32 = mov(a)
  sem staged  : CLD -> LD0 cluster
  sem fullA   : LD1 -> TTU tile
  sem freeA   : TTU -> LD1 tile = {s.chunks}
  sem fullB   : LD0 -> TTU tile
  sem freeB   : TTU -> LD0 tile = {s.slots}
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 2
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 2

  across = (cluster) mod {s.across} on tile, cluster
  down = (cluster) div {s.across} on tile, cluster
{_stage(form, s)}
{_tile(form, s, mach.tiles, n)}
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


def _tables(s: Shape, segments: list[list[Segment]]) -> str:
    """The work list, one row of equal length for each tile."""
    most = max(map(len, segments))
    rows = [[*row, *[(0, 0, 0)] * (most - len(row))] for row in segments]
    lines = [
        table("t_work", map(len, segments)),
        table("t_panel", [seg[0] for row in rows for seg in row]),
        table("t_first", [seg[1] for row in rows for seg in row]),
        table("t_count", [seg[2] for row in rows for seg in row]),
        table("t_later", [s.columns - max(s.begin, row[0][2]) for row in segments]),
    ]
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
    return "\n".join(lines)


def _fill(x: Piece) -> str:
    return f" fill {x.fill}" if x.fill else ""


def _stage(form: Form, s: Shape) -> str:
    """What the clusters' load queues do."""
    first = "\n".join(
        f"    CLD copy c{x.name}{{n:{s.begin}, r:{s.width}, d:{d}}}[n, k, r, d], "
        f"{x.name}{{n:{s.begin}, r:{s.width}, d:{d}}}[col + {s.width}*n + r, {d}*k + d]{_fill(x)}"
        + " post(staged)"
        * (x is form.b[-1])
        for x in form.b
        for d in (s.depth // x.group,)
    )
    others = "\n".join(
        f"      CLD copy c{x.name}{{r:{s.width}, d:{d}}}[c + {s.begin}, k, r, d], "
        f"{x.name}{{r:{s.width}, d:{d}}}"
        f"[col + {s.width}*c + {s.width * s.begin} + r, {d}*k + d]{_fill(x)}"
        for x in form.b
        for d in (s.depth // x.group,)
    )
    return f"""
  at "stage B"
  # a token for each chunk of the first columns, then one for each column block
  col = {s.width * s.columns}*across on cluster
  loop k < {s.chunks} on cluster {{
{first}
  }}
  loop c < {s.columns - s.begin} on cluster {{
    loop k < {s.chunks} {{
{others}
    }}
    CLD sync post(staged)
  }}"""


def _panel(form: Form, s: Shape) -> str:
    """Words that load a chunk of the panel. They are no longer than those for a chunk of B, so
    that the two queues get equal parts of the tile's port."""
    cuts = cdiv(form.a[0].bytes(s.rows, 64), form.b[0].bytes(s.width, 64))
    part = s.rows // cuts
    words = [
        f"          LD1 copy t{x.name}{{r:{part}, d:{d}}}[k, {part * i} + r, d], "
        f"{x.name}{{r:{part}, d:{d}}}[row + {part * i} + r, {d}*k + d]{_fill(x)}"
        for i in range(cuts)
        for x in form.a
        for d in (s.depth // x.group,)
    ]
    words[0] += " wait(freeA)"
    words[-1] += " post(fullA)"
    return "\n".join(words)


def _pair(form: Form, s: Shape, column: str, half: str, waits: str, posts: str) -> str:
    """Words that fetch a chunk of a column block and multiply it with the panel's."""
    a, b = form.a[0], form.b[0]
    options = [f" {form.option} m{x[1].name}" if len(x) > 1 else "" for x in (form.a, form.b)]
    lines = [
        f"LD0 copy t{x.name}(slot){{r:{s.width}, d:{d}}}[r, d], "
        f"c{x.name}{{r:{s.width}, d:{d}}}[{column}, k, r, d]"
        + " wait(freeB)" * (x is b)
        + " post(fullB)" * (x is form.b[-1])
        for x in form.b
        for d in (s.depth // x.group,)
    ]
    lines.append(
        f"TTU {form.multiply} acc({half}){{r:{s.rows} | c:{s.width}}}[r, c], "
        f"t{a.name}{{r:{s.rows} | d:{s.depth // a.group}}}[k, r, d]{options[0]}, "
        f"t{b.name}(slot){{c:{s.width} | d:{s.depth // b.group}}}[c, d]{options[1]} "
        f"mode=first level=k wait({waits}) post({posts})"
    )
    lines.append(f"slot = (slot + 1) mod {s.slots}")
    return "\n".join("          " + line for line in lines)


def _options(form: Form, s: Shape) -> str:
    """Views of scales and metadata, which the multiplies name."""
    lines = []
    for pieces, rows, place in ((form.a, s.rows, "[k, r, d]"), (form.b, s.width, "[r, d]")):
        for x in pieces[1:]:
            slot = "" if pieces is form.a else "(slot)"
            dims = f"{{r:{rows} | d:{s.depth // x.group}}}"
            lines.append(f"        desc m{x.name} = t{x.name}{slot}{dims}{place}\n")
    return "".join(lines)


def _tile(form: Form, s: Shape, tiles: int, n: int) -> str:
    """What the tiles do."""
    most = max(map(len, plan(s.panels, s.columns, tiles)))
    width = min(s.width, n)
    matrix, block = f"{{r:{s.rows} | c:{width}}}", f"{{r:{s.rows}, c:{width}}}"
    return f"""
  at "multiply"
  slot = 0 on tile
  half = 0 on tile
  init = 1 on tile
  need = 0 on tile
  later = t_later[tile] on tile
  work = t_work[tile] on tile
  loop segment < work on tile {{
    seg = {most}*tile + segment
    row = t_panel[seg]
    row = {s.rows}*row + {s.rows * s.panels}*down
    n = t_first[seg]
    steps = t_count[seg]
    pair = min(steps - 1, 1)
    steps = steps - pair
    loop j < steps {{
      two = max(pair - j, 0)
      single = 1 - two
      blocks = 1 + two
      fresh = max(1 - j, 0)
      keep = 1 - fresh
      other = (half + 1) mod 2
      loop token < need {{
        LD0 sync wait(staged)
      }}
      loop block < blocks {{
        TTU sync wait(drained)
      }}
      loop k < {s.chunks} {{
{_options(form, s)}        # TTU gets the chunk of the panel: as it was, or a new one
        loop if_keep < keep {{
          LD1 sync wait(freeA) post(fullA)
        }}
        loop if_fresh < fresh {{
{_panel(form, s)}
        }}
        loop if_init < init {{
          LD0 sync wait(staged)
        }}
        loop if_one < single {{
{_pair(form, s, "n", "half", "fullA, fullB", "freeA, freeB")}
        }}
        loop if_two < two {{
{_pair(form, s, "n", "half", "fullA, fullB", "freeB")}
{_pair(form, s, "n + 1", "other", "fullB", "freeA, freeB")}
        }}
      }}
      # the first segment takes column blocks as they arrive
      init = 0
      need = max(1 - segment, 0)
      # results leave while the tensor unit goes on
      loop block < blocks {{
        TTU sync post(product)
        DRN accst tC(half){matrix}[r, c], acc(half){matrix}[r, c] chain=convert \
wait(product, stored) post(drained, result)
        col = {s.width}*n + {s.width * s.columns}*across
        ST copy C{block}[row + r, col + c] drop, tC(half){block}[r, c] wait(result) post(stored)
        half = (half + 1) mod 2
        n = n + 1
      }}
    }}
    # before the second segment all the others must lie in CSRAM
    need = later
    later = 0
  }}
  # take what is left of the tokens
  loop token < need on tile {{
    LD0 sync wait(staged)
  }}"""
