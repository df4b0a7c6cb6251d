"""C = A * B in bf16 on a plain grid of tiles: the program to read first.

A is M x K, B is K x N, C is M x N, all row-major in HBM. C is cut into square blocks that fill
the accumulators of a tile. Cluster c computes block columns c, c + clusters, ...; tile t of a
cluster computes block rows t, t + tiles, ... So the tiles of a cluster always need the same
piece of B: the cluster's queue CLD loads it once and broadcasts it. Each tile loads its own
piece of A. Blocks that stick out are no special case: reading beyond A or B gives 0, writing
beyond C is dropped.

Buffers: a ring of three slots for A and one for B in every tile's TSRAM, so that the tensor
unit multiplies one slot while two others arrive; the result on its way out.

Who waits for whom, per slot: LD0 waits until the tile's tensor unit has freed the slot of A.
CLD waits until *every* tile of the cluster has freed the slot of B: a semaphore of scope
cluster keeps one counter per tile, and a wait takes from each. TTU waits for both pieces. Per
block: DRN waits for the last product, TTU for the emptied accumulators, ST for the drained block.

maia200: bound by the tensor unit. Per 1,024 cycles of multiplying, a tile loads 64 KiB of A and
a cluster 64 KiB of B: 2,560 of the 3,500 bytes per cycle of HBM. Without the broadcast it would
be 4,608, and HBM would be the bound. What is lost: filling the ring at the start, and the time
to drain a block, 2 % when K is 4,096, 1 % at 8,192, because the accumulators hold one block only.
"""

from __future__ import annotations

from kit import Space, cdiv, machine

#: What is computed: rows, columns and depth of the product.
SIZES: dict[str, dict[str, int]] = {
    "maia200": {"m": 2304, "n": 2048, "k": 8192},
    "mini": {"m": 84, "n": 72, "k": 100},
}

#: Slots of the rings of A and B.
SLOTS = 3


def source(target: str, m: int, n: int, k: int) -> str:
    """The program text for an m x n product of depth k."""
    mach = machine(target)
    tiles, clusters = mach.tiles, mach.clusters
    # The largest square of accumulator blocks; a slot feeds the tensor unit 16 steps per block.
    side = mach.int("ttu.block") * int(mach.int("ttu.acc_blocks") ** 0.5)
    depth = 16 * mach.int("ttu.kchunk.bf16")
    rows, columns, chunks = cdiv(m, side * tiles), cdiv(n, side * clusters), cdiv(k, depth)
    h, w = min(side, m), min(side, n)
    hbm, tsram = Space(unit=256), Space()
    pitch = 2 * side * depth
    return f"""\
mist 1.0
target {target}

# C[{m},{n}] = A[{m},{k}] * B[{k},{n}] in bf16, in blocks of {side} x {side}:
# {tiles} tiles of a cluster take block rows, {clusters} clusters take block columns.
input  A : bf16[{m}, {k}] @ {hbm.take(2 * m * k):#x}
input  B : bf16[{k}, {n}] @ {hbm.take(2 * k * n):#x}
output C : bf16[{m}, {n}] @ {hbm.take(2 * m * n):#x}

block main {{
  reg slot = s0
  reg row = s1      # where the block of C starts, at most one past the end
  reg col = s2

  # tile memory: two rings of {SLOTS} slots, and the finished block
  buffer ta  : bf16[{side}, {depth}] @tsram {tsram.take(SLOTS * pitch):#x} slots {SLOTS} pitch {pitch:#x}
  buffer tb  : bf16[{depth}, {side}] @tsram {tsram.take(SLOTS * pitch):#x} slots {SLOTS} pitch {pitch:#x}
  buffer tc  : bf16[{side}, {side}] @tsram {tsram.take(2 * side * side):#x}
  buffer acc : fp32[{side}, {side}] @acc 0x0

  # full: data have arrived; free: the slot may be overwritten, all {SLOTS} are at the start
  sem fullA : LD0 -> TTU tile
  sem freeA : TTU -> LD0 tile = {SLOTS}
  sem fullB : CLD -> TTU cluster
  sem freeB : TTU -> CLD cluster = {SLOTS}
  # a block: multiplied, drained, stored
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 1
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 1
  chain convert : fp32 = mov(a)

  slot = 0 on tile, cluster
  loop i < {rows} on tile, cluster {{
    row = min({side * tiles}*i + {side}*tile, {m}) on tile
    loop j < {columns} {{
      col = min({side * clusters}*j + {side}*cluster, {n})

      at "multiply"
      TTU sync wait(drained)
      loop k < {chunks} {{
        LD0 copy ta(slot){{r:{h}, d:{depth}}}[r, d], A{{r:{h}, d:{depth}}}[row + r, {depth}*k + d] wait(freeA) post(fullA)
        CLD bcast tb(slot)@[all]{{d:{depth}, c:{w}}}[d, c], B{{d:{depth}, c:{w}}}[{depth}*k + d, col + c] wait(freeB) post(fullB)
        # rows | depth of A times columns | depth of B; the first k overwrites, the others add
        TTU mm acc{{r:{h} | c:{w}}}[r, c], ta(slot){{r:{h} | d:{depth}}}[r, d], tb(slot){{c:{w} | d:{depth}}}[d, c] mode=first level=k wait(fullA, fullB) post(freeA, freeB)
        slot = (slot + 1) mod {SLOTS}
      }}
      TTU sync post(product)

      at "store"
      DRN accst tc{{r:{h} | c:{w}}}[r, c], acc{{r:{h} | c:{w}}}[r, c] chain=convert wait(product, stored) post(drained, result)
      ST copy C{{r:{h}, c:{w}}}[row + r, col + c] drop, tc{{r:{h}, c:{w}}}[r, c] wait(result) post(stored)
    }}
  }}
}}
"""
