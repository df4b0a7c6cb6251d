"""Y = X * W in bf16 for one row or a few: a matrix is read once, and HBM is the bound.

X is M x K with M at most one block of rows, W is K x N row-major, Y is M x N.

How the work is spread: every tile owns a strip of columns of W, wide enough that 36 strips cover
N and that a row of the strip is a whole number of HBM bursts (800 columns of 28,672, 1,600
bytes). It reads its strip from top to bottom in chunks of 100 KiB and multiplies each with
its part of X, which lies in TSRAM. The last strip sticks out of W: what lies outside reads as 0
and is dropped when Y is written. Strips wider than the accumulators are cut into slices.

Chunks go round a ring of slots and are loaded alternately by LD0 and LD1 (the loop over K takes
two at a time), so that a tile always has the next transfer waiting while the port of HBM serves
the others. TTU waits for a chunk (`full0`, `full1`) and frees its slot (`free0`, `free1`).

maia200: bound by HBM: 469.8 MB at 3,500 bytes per cycle are 134,218 cycles; the tensor unit is
busy for a fifth of them. What is lost: the latency of the first load, and the strip's balance
at the end.
"""

from __future__ import annotations

from kit import Sizes, Space, align, cdiv, machine, main

#: What is computed: rows (at most one block), depth, columns.
SIZES: Sizes = {
    "maia200": {"m": 1, "k": 8192, "n": 28672},
    "mini": {"m": 3, "k": 200, "n": 500},
}

#: Slots of the ring; half of them belong to each load queue.
SLOTS = 8


def source(target: str, m: int, k: int, n: int) -> str:
    """The program text for an m x n product of depth k."""
    mach = machine(target)
    block, burst = mach.int("ttu.block"), mach.int("hbm.burst")
    if m > block:
        raise ValueError(f"m = {m}: this kernel is for at most {block} rows")
    tiles = mach.tiles * mach.clusters
    strip = align(cdiv(n, tiles), max(block, burst // 2))
    slice_ = min(strip, mach.int("ttu.acc_blocks") * block)
    slices = cdiv(strip, slice_)
    # a ring that takes a fourth of TSRAM, of chunks of about 100 KB where there is room
    step = mach.int("ttu.kchunk.bf16")
    size = min(mach.int("tsram.bytes") // 4 // SLOTS, 104_000)
    most = min(max(step, size // (2 * slice_) // step * step), align(k, step))
    # the loop takes two chunks at a time; of the larger depths, the one that fits K best
    depths = range(most, most // 2, -step)
    depth = min(depths, key=lambda d: cdiv(k, 2 * d) * 2 * d)
    pairs = cdiv(k, 2 * depth)
    tall = 2 * pairs * depth
    hbm, tsram = Space(unit=256), Space()
    pitch = align(2 * depth * slice_, 64)
    ring = f"slots {SLOTS} pitch {pitch:#x}"
    # the slice's first column; the last strip may stick out
    col = f"{strip}*gtile + {slice_}*j + c"
    return f"""\
mist 1.0
target {target}

# Y[{m},{n}] = X[{m},{k}] * W[{k},{n}]: strips of {strip} columns, chunks of {depth} rows
input  X : bf16[{m}, {k}] @ {hbm.take(2 * m * k):#x}
input  W : bf16[{k}, {n}] @ {hbm.take(2 * k * n):#x}
output Y : bf16[{m}, {n}] @ {hbm.take(2 * m * n):#x}

block main {{
  reg slot = s0
  buffer tx  : bf16[{m}, {tall}] @tsram {tsram.take(2 * m * tall):#x}
  buffer tw  : bf16[{depth}, {slice_}] @tsram {tsram.take(SLOTS * pitch):#x} {ring}
  buffer ty  : bf16[{m}, {slice_}] @tsram {tsram.take(2 * m * slice_):#x}
  buffer acc : fp32[{block}, {slice_}] @acc 0x0

  sem given   : LD1 -> TTU tile
  sem full0   : LD0 -> TTU tile
  sem full1   : LD1 -> TTU tile
  sem free0   : TTU -> LD0 tile = {SLOTS // 2}
  sem free1   : TTU -> LD1 tile = {SLOTS // 2}
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 1
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 1
  chain convert : fp32 = mov(a)

  # even chunks of W and odd ones, in HBM and in the ring
  desc w0 = W{{d:{depth}, c:{slice_}}}[{2 * depth}*k + d, {col}]
  desc w1 = W{{d:{depth}, c:{slice_}}}[{2 * depth}*k + {depth} + d, {col}]
  desc slot0 = tw(slot){{d:{depth}, c:{slice_}}}[d, c]
  desc slot1 = tw(slot + 1){{d:{depth}, c:{slice_}}}[d, c]
  # as factors, with the parts of X that go with them
  desc x0 = tx{{r:{m} | d:{depth}}}[r, {2 * depth}*k + d]
  desc x1 = tx{{r:{m} | d:{depth}}}[r, {2 * depth}*k + {depth} + d]
  desc columns0 = tw(slot){{c:{slice_} | d:{depth}}}[d, c]
  desc columns1 = tw(slot + 1){{c:{slice_} | d:{depth}}}[d, c]
  desc sums = acc{{r:{m} | c:{slice_}}}[r, c]

  at "load x"
  # one word for each row: what lies behind K is 0
  loop r < {m} on tile {{
    LD1 copy tx{{d:{tall}}}[r, d], X{{d:{tall}}}[r, d]
  }}
  LD1 sync post(given)
  TTU sync wait(given)

  slot = 0 on tile
  loop j < {slices} on tile {{
    at "multiply"
    TTU sync wait(drained)
    loop k < {pairs} {{
      LD0 copy slot0, w0 wait(free0) post(full0)
      TTU mm sums, x0, columns0 mode=first level=k wait(full0) post(free0)
      LD1 copy slot1, w1 wait(free1) post(full1)
      TTU mm sums, x1, columns1 mode=acc wait(full1) post(free1)
      slot = (slot + 2) mod {SLOTS}
    }}
    TTU sync post(product)

    at "store"
    DRN accst ty{{r:{m} | c:{slice_}}}[r, c], sums chain=convert \
wait(product, stored) post(drained, result)
    ST copy Y{{r:{m}, c:{slice_}}}[r, {col}] drop, ty{{r:{m}, c:{slice_}}}[r, c] \
wait(result) post(stored)
  }}
}}
"""


if __name__ == "__main__":
    main(source, SIZES)
