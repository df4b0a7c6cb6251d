"""One step of decoding with a model of 70 billion parameters: how long it takes.

80 layers of attention (64 heads of 128, 8 of keys and values) and a gated network of 28,672, hidden
size 8,192, a vocabulary of 128,256; weights and what they are multiplied by in fp8 (e4m3), the
residual stream in fp32. The dataflow is that of such a model, but for rotations by position. In
full size it is for timing: a run without data needs none of its 70 GB of weights, which are inputs.

How the work is spread. A product of one row with a matrix is cut into columns of 128 results; 32
tiles have equal runs of columns. Weights are tiles of 128 x 128, 16 KiB each; those that a worker
multiplies lie one after the other in HBM, over all products and layers, in the order in which it
needs them. So a worker reads one long stream, by sections of 32 tiles into two slots: it asks for
a section while it multiplies the one before, and the ends of columns, products and layers are
nothing special: while results are on their way, the next section arrives.

The way of a result: TTU sums it up, DRN scales it, TVP adds what is to be added and converts it, ST
stores it to the CSRAM of all clusters. Then all tiles meet: every ST posts `joined` to the control
processors of all tiles. Attention is done by a tile for each head of keys and values, over a cache
to which it appends a row; what is cached it loads before they meet.

maia200: bound by HBM, which is busy for 99 % of the time. Each of 4.2 million tiles of weights is
two engine words, a load and a multiply.
"""

from __future__ import annotations

import math

from benchmarks.programs.base import DMA_BYTES, Space, check, hbm, main, table, tsram
from benchmarks.programs.decode70b_words import (
    TILE,
    Sizes,
    attention,
    cached,
    convert,
    join,
    load_if_any,
    normalise,
    product,
    products,
)
from maiacc_isa.machine import Machine

#: Added to the mean of the squares.
EPS = 1e-5

#: What shares of attention are multiplied by before they are rounded to fp8.
SHARES = 256.0


def check_sizes(s: Sizes, machine: Machine) -> None:
    """Raises ``ValueError`` for sizes that a program cannot have."""
    tiles, block = machine.tiles * machine.clusters, machine.int("ttu.block")
    check(not any(n % TILE for n in (s.hidden, s.ffn, s.vocabulary)), f"sizes go by {TILE}")
    check(not any(p.depth % s.section for p in products(s)), "columns are whole sections")
    check(s.vocabulary // TILE >= s.workers, "every worker has a column of the last product")
    check(s.heads % s.kv_heads == 0, "heads have to share keys and values evenly")
    check(max(s.kv_heads, s.workers) <= tiles, f"{machine.name} has {tiles} tiles")
    check(s.group <= block, f"at most {block} heads share keys and values")
    check(1 < s.context <= DMA_BYTES // TILE, "a transfer moves the cache of a head")


def streams(s: Sizes) -> list[int]:
    """Tiles of weights that each worker reads."""
    return [
        sum(p.times * p.tiles(worker, s.workers) for p in products(s))
        for worker in range(s.workers)
    ]


def text(sizes: Sizes, machine: Machine) -> str:
    """The program."""
    s = sizes
    check_sizes(s, machine)
    qkv, o, gate, down, out = (product(p, s) for p in products(s))
    steps = [
        *(normalise(s), qkv, cached(s), join(), attention(s), join(read=False)),
        *(convert(s.heads * TILE, "cattended"), o, join()),
        *(normalise(s), gate, join()),
        *(convert(s.ffn, "cgated"), down, join()),
    ]
    count = sum(streams(s))
    return f"""\
mist 1.0
target {machine.name}

# {s.layers} layers, {count:,} tiles of weights, {count * TILE * TILE / 1e9:.2f} GB
{_tensors(s, hbm(machine))}

block main {{
{_REGISTERS}
{_streams(s, machine)}
{_buffers(s, machine)}
{_SEMAPHORES}
{_chains(s)}
  at "start"
  CLD copy cx{{d:{s.hidden}}}[d], X{{d:{s.hidden}}}[d] post(started)
  LD1 sync wait(started)
  ST fill tz{{}}[0] value=0
  unit = {machine.clusters}*tile + cluster on tile
  worker = min(unit, {s.workers}) on tile
  behind = min(unit + 1, {s.workers}) on tile
  next = t_next[unit] on tile
  left = t_left[unit] on tile
  here = 0 on tile
  ahead = 0 on tile
{load_if_any(s, "  ")}
  loop layer < {s.layers} on tile {{{"".join(steps)}
  }}
{normalise(s)}
{out}
  ST sync wait(read)
}}
"""


# ---- declarations --------------------------------------------------------------------------------
_REGISTERS = """\
  reg unit = s0      # number of the tile, clusters in turn
  reg worker = s1    # the same, of the tiles that multiply
  reg behind = s2    # one more
  reg next = s3      # in the stream of weights: the next section
  reg left = s4      # sections that are not asked for
  reg more = s5      # 1: there are some
  reg ahead = s6     # slot of the next section
  reg here = s7      # slot that is multiplied
  reg column = s8
  reg columns = s9
  reg works = s10    # 1: the tile has a head of keys and values
  reg nothing = s11"""

_SEMAPHORES = """\
  # weights; activations; sums on their way to CSRAM
  sem full    : LD0 -> TTU tile
  sem free    : TTU -> LD0 tile = 2
  sem given   : LD1 -> TVP tile
  sem ready   : TVP -> TTU tile
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 1
  sem summed  : DRN -> TVP tile
  sem taken   : TVP -> DRN tile = 1
  sem result  : TVP -> ST tile
  sem stored  : ST -> TVP tile = 1
  # all tiles meet; attention; the start
  sem read    : TVP -> ST tile
  sem joined  : ST -> TCP chip
  sem cached  : LD1 -> TTU tile
  sem shared  : TVP -> TTU tile
  sem started : CLD -> LD1 cluster"""


def _tensors(s: Sizes, memory: Space) -> str:
    size, count = s.layers * s.kv_heads * s.context * TILE, sum(streams(s))
    caches = [
        f"state  {x} : e4m3[{s.layers * s.kv_heads}, {s.context}, {TILE}] @ {memory.take(size)} "
        f'in "{x}" out "{x} next"'
        for x in "KV"
    ]
    return "\n".join(
        [
            f"input  X : fp32[{s.hidden}] @ {memory.take(4 * s.hidden)}",
            *caches,
            f"input  W : e4m3[{count}, {TILE}, {TILE}] @ {memory.take(count * TILE * TILE)}",
            f"output Y : fp32[{s.vocabulary}] @ {memory.take(4 * s.vocabulary)}",
        ]
    )


def _streams(s: Sizes, machine: Machine) -> str:
    """Where each tile's stream begins, and its sections."""
    lengths = streams(s) + [0] * (machine.tiles * machine.clusters - s.workers)
    starts = [sum(lengths[:unit]) for unit in range(len(lengths))]
    sections = [length // s.section for length in lengths]
    return f"  {table('t_next', starts)}\n  {table('t_left', sections)}"


def _buffers(s: Sizes, machine: Machine) -> str:
    """Memory of a tile: two sections of weights; a row of activations as it comes and in fp8, the
    residual stream; sums and results; what attention needs. Memory of a cluster: rows of
    activations. Accumulators: of two columns, or of attention."""
    own, shared = tsram(machine), Space(machine.space_bytes("csram"))
    widest, qkv = max(s.hidden, s.ffn, s.heads * TILE), s.heads + 2 * s.kv_heads
    ring, pitch = own.take(2 * s.section * TILE * TILE), s.section * TILE * TILE
    tile: list[tuple[str, str, tuple[int, ...], int]] = [
        *(("ta", "bf16", (widest,), 2), ("tq", "e4m3", (widest,), 1)),
        *(("tx", "fp32", (s.hidden,), 4), ("ts", "fp32", (1,), 4), ("tz", "int32", (1,), 4)),
        *(("ty", "fp32", (2, TILE), 4), ("t8", "e4m3", (TILE,), 1)),
        *(("t16", "bf16", (TILE,), 2), ("t32", "fp32", (TILE,), 4)),
        *(("aq", "e4m3", (s.group, TILE), 1), ("ak", "e4m3", (s.context, TILE), 1)),
        *(("av", "e4m3", (s.context, TILE), 1), ("as", "fp32", (s.group, s.context), 4)),
        *(("shares", "e4m3", (s.group, s.context), 1), ("most", "fp32", (s.group,), 4)),
        *(("total", "fp32", (s.group,), 4), ("ao", "fp32", (s.group, TILE), 4)),
        ("ab", "bf16", (s.group, TILE), 2),
    ]
    cluster: list[tuple[str, str, tuple[int, ...], int]] = [
        *(("cx", "fp32", (s.hidden,), 4), ("cqkv", "e4m3", (qkv, TILE), 1)),
        *(("cattended", "bf16", (s.heads * TILE,), 2), ("cgated", "bf16", (s.ffn,), 2)),
    ]
    weights = f"e4m3[{s.section}, {TILE}, {TILE}]"
    lines = [f"  buffer tw : {weights} @tsram {ring} slots 2 pitch {pitch:#x}"]
    for memory, space, buffers in (("tsram", own, tile), ("csram", shared, cluster)):
        for name, dtype, shape, width in buffers:
            kind = f"{dtype}[{', '.join(map(str, shape))}]"
            lines.append(
                f"  buffer {name} : {kind} @{memory} {space.take(width * math.prod(shape))}"
            )
    block = machine.int("ttu.block")
    slots, wide = f"slots 2 pitch {4 * block * TILE:#x}", -(-s.context // block) * block
    lines.append(f"  buffer acc : fp32[{block}, {TILE}] @acc 0x0 {slots}")
    lines.append(f"  buffer scores : fp32[{block}, {wide}] @acc 0x0")
    lines.append(f"  buffer means : fp32[{block}, {TILE}] @acc 0x0")
    return "\n".join(lines)


def _chains(s: Sizes) -> str:
    """What DRN and TVP compute, and two views of sums."""
    scales = {p.name: 1 / math.sqrt(p.depth * TILE) for p in products(s)}
    return "\n".join(
        [
            *(f"  chain scale_{n} : fp32 = mul(a, {x:.9e})" for n, x in scales.items()),
            "  chain keep    : fp32 = mov(a) saturate",
            "  chain plus    : fp32 = add(a, b)",
            "  chain gate    : fp32 = silu(a); mul(r0, b)",
            f"  chain inverse : fp32 = mul(a, {1 / s.hidden:.9e}); add(r0, {EPS:.9e}); rsqrt(r1)",
            "  chain norm    : fp32 = mul(a, b) saturate",
            f"  chain weigh   : fp32 = mul(a, {1 / math.sqrt(TILE):.9e}) stat max",
            "  chain power   : fp32 = sub(a, b); exp(r0) stat sum",
            "  chain one_of  : fp32 = recip(a)",
            f"  chain share   : fp32 = mul(a, b); mul(r0, {SHARES}) saturate",
            f"  chain unshare : fp32 = mul(a, {1 / SHARES})",
            "  desc sum0 = ty{n:128}[0, n]",
            "  desc sum1 = ty{n:128}[1, n]",
        ]
    )


if __name__ == "__main__":
    main(Sizes(), text)
