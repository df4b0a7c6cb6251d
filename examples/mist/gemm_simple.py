"""C = A * B in bf16 on a plain grid of tiles, double-buffered: the program to read first.

A is m x k, B is k x n, C is m x n, all row-major in HBM. C is cut into square blocks that fill
the accumulators of a tile. Cluster c computes the block columns c, c + clusters, ...; tile t of
a cluster the block rows t, t + tiles, ... So the tiles of a cluster always need the same piece
of B: the cluster's queue CLD loads it once and broadcasts it. Each tile loads its own pieces of
A. Blocks that stick out are no special case: what lies outside reads as 0 and is dropped when
it is written.

Buffers, in every tile: a few slots for pieces of A and of B, so that the tensor unit multiplies
one slot while the next arrives, and the finished block on its way out.

Who waits for whom, slot by slot: LD0 waits until the tile's tensor unit has freed the slot of A.
CLD waits until *every* tile of the cluster has freed the slot of B: a semaphore of scope
cluster keeps one counter for each tile, and a wait takes from each. TTU waits for both pieces.
Block by block: DRN waits for the last product, TTU for the emptied accumulators, ST for the
drained block.

maia200: bound by the tensor unit. In the 1,024 cycles that it multiplies a pair of slots, a tile
loads 64 KiB of A and a cluster 64 KiB of B: 2,560 of the 3,500 bytes per cycle of HBM. Without
the broadcast it would be 4,608, and HBM would be the bound. Loads take about as long as two
multiplies, so it has three slots. What is lost: filling them at the start, and the time to drain
a block (1 % at k = 8,192), because the accumulators hold one block only.
"""

from __future__ import annotations

from math import isqrt

from kit import Sizes, Space, cdiv, machine, main

#: Rows, columns and depth of the product; slots of A and of B.
SIZES: Sizes = {
    "maia200": {"m": 2304, "n": 2048, "k": 8192, "slots": 3},
    "mini": {"m": 84, "n": 72, "k": 100, "slots": 2},
}


def source(target: str, m: int, n: int, k: int, slots: int) -> str:
    """The program text for an m x n product of depth k."""
    mach = machine(target)
    tiles, clusters = mach.tiles, mach.clusters
    # the largest square of accumulators, and a depth that keeps the tensor unit busy for a while
    side = mach.int("ttu.block") * isqrt(mach.int("ttu.acc_blocks"))
    depth = 16 * mach.int("ttu.kchunk.bf16")
    hbm, tsram = Space(), Space()
    pitch = 2 * side * depth
    ring = f"slots {slots} pitch {pitch:#x}"
    row, col = f"{side * tiles}*i + {side}*tile + r", f"{side * clusters}*j + {side}*cluster + c"
    return f"""\
mist 1.0
target {target}

# C = A * B in bf16, in blocks of {side} x {side}, one after the other in the accumulators.
# Tiles of a cluster take different block rows, clusters take different block columns.
input  A : bf16[{m}, {k}] @ {hbm.take(2 * m * k):#x}
input  B : bf16[{k}, {n}] @ {hbm.take(2 * k * n):#x}
output C : bf16[{m}, {n}] @ {hbm.take(2 * m * n):#x}

block main {{
  # memory of a tile: slots for pieces of A and of B, the finished block; the accumulators
  buffer ta  : bf16[{side}, {depth}] @tsram {tsram.take(slots * pitch):#x} {ring}
  buffer tb  : bf16[{depth}, {side}] @tsram {tsram.take(slots * pitch):#x} {ring}
  buffer tc  : bf16[{side}, {side}] @tsram {tsram.take(2 * side * side):#x}
  buffer acc : fp32[{side}, {side}] @acc 0x0
  reg slot = s0

  # full: a piece has arrived; free: its slot may be overwritten, as all may at the start
  sem fullA : LD0 -> TTU tile
  sem freeA : TTU -> LD0 tile = {slots}
  sem fullB : CLD -> TTU cluster
  sem freeB : TTU -> CLD cluster = {slots}
  # the way of a block: multiplied, drained, stored
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 1
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 1

  # what is moved: pieces of A and B into a slot, B to all tiles; a block of C, without what
  # sticks out
  desc fromA = A{{r:{side}, d:{depth}}}[{row}, {depth}*k + d]
  desc fromB = B{{d:{depth}, c:{side}}}[{depth}*k + d, {col}]
  desc intoA = ta(slot){{r:{side}, d:{depth}}}[r, d]
  desc intoB = tb(slot)@[all]{{d:{depth}, c:{side}}}[d, c]
  desc block = tc{{r:{side}, c:{side}}}[r, c]
  desc intoC = C{{r:{side}, c:{side}}}[{row}, {col}] drop

  # what is multiplied: rows of A and columns of B, and behind the bar the depth they share
  desc rows = ta(slot){{r:{side} | d:{depth}}}[r, d]
  desc columns = tb(slot){{c:{side} | d:{depth}}}[d, c]
  desc sums = acc{{r:{side} | c:{side}}}[r, c]
  desc rounded = tc{{r:{side} | c:{side}}}[r, c]
  chain convert : fp32 = mov(a)

  slot = 0 on tile, cluster
  loop i < {cdiv(m, side * tiles)} on tile, cluster {{
    loop j < {cdiv(n, side * clusters)} {{
      at "multiply"
      TTU sync wait(drained)
      loop k < {cdiv(k, depth)} {{
        LD0 copy intoA, fromA wait(freeA) post(fullA)
        CLD bcast intoB, fromB wait(freeB) post(fullB)
        # the first turn of k overwrites the accumulators, the others add to them
        TTU mm sums, rows, columns mode=first level=k wait(fullA, fullB) post(freeA, freeB)
        slot = (slot + 1) mod {slots}
      }}
      TTU sync post(product)

      at "store"
      DRN accst rounded, sums chain=convert wait(product, stored) post(drained, result)
      ST copy intoC, block wait(result) post(stored)
    }}
  }}
}}
"""


if __name__ == "__main__":
    main(source, SIZES)
