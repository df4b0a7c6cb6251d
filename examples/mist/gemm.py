"""C = A * B^T in fp8 or bf16, close to the peak of the tensor units.

A is M x K, B is N x K (one row for each column of C, as weights are usually stored), C is
M x N in bf16. The same generator makes ``sparse_gemm.py`` and ``mx_gemm.py``: they differ only in
the pieces an operand consists of (values, metadata, scales) and in the multiply.

How the work is spread. The clusters form a grid; each owns a range of rows and a range of columns
of C, and keeps *its part of B in CSRAM* for the whole kernel. A tile keeps *a panel of A in
TSRAM*: 256 rows (128 in bf16) over all of K. It multiplies the panel with one column block of
B after the other, streamed from CSRAM; a (panel, column block) pair fills one half of the
accumulators, so the other half drains meanwhile. All pairs of a cluster are dealt out by a work
list in constant tables: a tile has a few segments (panel, first column block, count), 57 pairs for
each of 9 tiles where 56.9 would be even.

How it starts. Every tile begins with a panel of its own and column block 0, so that CSRAM needs
one column block after the other and not all at once. Tiles keep their first panel for different
times and hand the rest of it to others; so the changes of panel are spread out in time, and HBM
has the bandwidth for them.

A change of panel costs next to nothing. LD1 is the keeper of the panel: when TTU has used a chunk,
LD1 hands it back for the next step, or first overwrites it with the next panel's. The first two
pairs of a segment are one step, computed together, chunk by chunk in both halves of the
accumulators, so that a new panel is needed at half the pace and its loads leave enough of the
tile's port to B.

Who waits for whom: CLD posts `staged` to LD0 of all tiles for what lies in CSRAM. TTU passes the
slots of B to and fro with LD0 (`fullB`, `freeB`), the chunks of the panel with LD1 (`fullA`,
`freeA`), and the accumulators with DRN, and DRN the result with ST. ``loop if_... < flag`` is a
condition: its trip count is 0 or 1.

maia200: bound by the tensor unit. Of a tile's port of 256 bytes per cycle the stream of B takes
128; CSRAM delivers half of what it can. Lost is mainly the start, when HBM has to bring 36 panels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from kit import Space, cdiv, machine, split_evenly, table
from maiacc_isa.machine import Machine

#: What is computed: rows, columns, depth, and the bits of an operand's numbers (8 or 16).
SIZES: dict[str, dict[str, int]] = {
    "maia200": {"m": 8192, "n": 8192, "k": 8192, "bits": 8},
    "mini": {"m": 200, "n": 150, "k": 300, "bits": 8},
}

#: The same in bf16.
SIZES_BF16: dict[str, dict[str, int]] = {
    "maia200": {"m": 8192, "n": 8192, "k": 8192, "bits": 16},
    "mini": {"m": 200, "n": 150, "k": 100, "bits": 16},
}


@dataclass(frozen=True)
class Piece:
    """A tensor of an operand: one element for ``group`` steps of K; ``fill`` is read outside."""

    name: str
    dtype: str
    bits: int
    group: int = 1
    fill: int = 0
    kind: str = "input"

    def bytes(self, rows: int, depth: int) -> int:
        """Bytes of some rows, ``depth`` of K long."""
        return rows * cdiv(depth // self.group * self.bits, 8)


@dataclass(frozen=True)
class Form:
    """What a product is made of: the pieces of A and B, the multiply, the option that ties an
    operand's second piece to its first, and how much of K one multiply takes."""

    a: tuple[Piece, ...]
    b: tuple[Piece, ...]
    multiply: str
    option: str
    depth: int


@dataclass(frozen=True)
class Shape:
    """Sizes that follow from the machine: rows of a panel, columns of a block, depth of a chunk;
    their numbers in a cluster; the grid of clusters; slots of the ring of B."""

    rows: int
    width: int
    depth: int
    chunks: int
    panels: int
    columns: int
    down: int
    across: int
    slots: int

    @property
    def begin(self) -> int:
        """Column blocks of the first step."""
        return min(2, self.columns)


def shape(mach: Machine, form: Form, m: int, n: int, k: int) -> Shape:
    """Panels as tall as TSRAM allows, clusters in the squarest grid whose part of B fits."""
    block, half = mach.int("ttu.block"), mach.int("ttu.acc_blocks") // 2
    depth, chunks = form.depth, cdiv(k, form.depth)
    tall = isqrt(2 * half)

    def chunk(pieces: tuple[Piece, ...], rows: int) -> int:
        return sum(p.bytes(rows, depth) for p in pieces)

    while tall > 1 and chunk(form.a, tall * block) * chunks > mach.int("tsram.bytes") * 2 // 3:
        tall //= 2
    rows, width = tall * block, half // tall * block
    free = mach.int("tsram.bytes") - chunk(form.a, rows) * chunks - 4 * rows * width
    slots = min(8, free // chunk(form.b, width))
    for across in range(1, mach.clusters + 1):
        down = mach.clusters // across
        columns = cdiv(cdiv(n, width), across)
        fits = columns * chunks * chunk(form.b, width) <= mach.int("csram.bytes")
        if down * across == mach.clusters and down <= across and fits and slots >= 2:
            panels = max(cdiv(cdiv(m, rows), down), mach.tiles)
            return Shape(rows, width, depth, chunks, panels, columns, down, across, slots)
    raise ValueError(f"{m} x {n} x {k} does not fit the memories of {mach.name}")


Segment = tuple[int, int, int]


def plan(panels: int, columns: int, tiles: int) -> list[list[Segment]]:
    """Deals out all pairs of ``panels`` and ``columns``: the segments (panel, first column block,
    count) of each tile."""
    share = [count for _, count in split_evenly(panels * columns, tiles)]
    first = [(t, 0, min(share[t], columns - t % 3 * (columns // 3))) for t in range(tiles)]
    rest = [(t, keep, columns - keep) for t, _, keep in first if keep < columns]
    rest += [(p, 0, columns) for p in range(tiles, panels)]
    deals = [_deal(first, rest[i:] + rest[:i], share) for i in range(max(1, len(rest)))]
    # segments of one pair have no time to change the panel
    return min(deals, key=lambda deal: sum(seg[2] == 1 for row in deal for seg in row))


def _deal(first: list[Segment], rest: list[Segment], share: list[int]) -> list[list[Segment]]:
    """Fills each tile's share from ``rest``, in order."""
    left = list(rest)
    rows = []
    for start, count in zip(first, share, strict=True):
        row, wanted = [start], count - start[2]
        while wanted:
            panel, n, size = left.pop(0)
            part = min(size, wanted)
            row.append((panel, n, part))
            wanted -= part
            if part < size:
                left.insert(0, (panel, n + part, size - part))
        rows.append(row)
    return rows


def source(target: str, m: int, n: int, k: int, bits: int = 8) -> str:
    """The program text for an m x n product of depth k, in fp8 (e4m3) or bf16."""
    dtype, rate, times = {8: ("e4m3", "fp8", 16), 16: ("bf16", "bf16", 32)}[bits]
    depth = times * machine(target).int(f"ttu.kchunk.{rate}")
    form = Form((Piece("A", dtype, bits),), (Piece("B", dtype, bits),), "mm", "", depth)
    return panel_gemm(target, form, m, n, k)


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
  reg down = s0     # where the cluster stands in the grid
  reg across = s1
  reg slot = s2     # of the ring of B
  reg half = s3     # of the accumulators
  reg other = s4
  reg row = s5      # first row of the panel
  reg col = s7      # first column of C
  reg n = s8        # column block within the cluster
  reg seg = s9      # segment's number in the tables
  reg work = s10    # segments of the tile
  reg steps = s11   # of the segment
  reg pair = s13    # 1: the segment's first step has two column blocks
  reg two = s14     # 1: this step has
  reg single = s15  # 1: it has not
  reg blocks = s16
  reg fresh = s17   # 1: the step begins with a new panel
  reg keep = s18    # 1: it does not
  reg init = s19    # 1: the tile's first step
  reg need = s20    # tokens of `staged` to take before a step
  reg later = s21
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
        + " post(staged)" * (x is form.b[-1])
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
        DRN accst tC(half){{r:{s.rows} | c:{width}}}[r, c], acc(half){{r:{s.rows} | c:{width}}}[r, c] chain=convert wait(product, stored) post(drained, result)
        col = {s.width}*n + {s.width * s.columns}*across
        ST copy C{{r:{s.rows}, c:{width}}}[row + r, col + c] drop, tC(half){{r:{s.rows}, c:{width}}}[r, c] wait(result) post(stored)
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
