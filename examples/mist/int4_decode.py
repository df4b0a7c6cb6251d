"""Weight-only quantised matrix times vector: Y[M, N] = X[M, K] * dequantised(W)[N, K]^T.

Activations are bf16, weights int4 with one bf16 scale for every `group` weights of a row: the
decode step of a quantised language model, M tokens (usually 1) at a time. The tensor unit takes
the pair bf16 x int4 itself and multiplies the sum of every group by its scale, so nothing is
dequantised by vector instructions: that would be slower than HBM.

Each tile owns `rows` rows of W, all of K. Its scales (two bytes for 64 bytes of weights) are
fetched once, as one contiguous piece, since a run of a few bytes costs a whole HBM burst.
The activations are broadcast to all tiles of a cluster (CLD). Then the weights stream through
two rings of three slots, even chunks of K over LD0, odd ones over LD1; for each chunk one MM
adds to the row of accumulators, which holds all columns of the tile. At the end the drain
converts to bf16 and the store writes the tile's piece of Y.

The last tile's rows and the last chunk may reach beyond the tensors: such weights are read as 0
and results are dropped.

maia200: 8192 x 28672 is 117 MB of weights and 4 MB of scales, 34,600 cycles of HBM at full
width. A chunk of 797 rows x 128 (51 KB, 525 cycles of a tile's share of HBM) keeps the tensor
unit busy for 400: HBM is the bound, and all that is exposed is the first and the last chunk.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"m": 1, "k": 8192, "n": 28672, "group": 128, "chunk": 128},
    "mini": {"m": 3, "k": 224, "n": 37, "group": 32, "chunk": 64},
}

TEXT = Template("""\
mist 1.0
target $target

# Y[$m, $n] = X[$m, $k] * W[$n, $k]^T; a scale for every $group weights of a row.
input  X : bf16[$m, $k] @ $at_x
input  W : int4[$n, $k] @ $at_w
input  S : bf16[$n, $groups] @ $at_s
output Y : bf16[$m, $n] @ $at_y

block main {
  reg slot = s0
  buffer tx   : bf16[$m, $kpad]        @tsram $tx
  buffer ts   : bf16[$rows, $gpad]     @tsram $ts
  buffer even : int4[$rows, $chunk]    @tsram $te slots 3 pitch $pitch
  buffer odd  : int4[$rows, $chunk]    @tsram $to slots 3 pitch $pitch
  buffer ty   : bf16[$m, $rows]        @tsram $ty
  buffer acc  : fp32[$m, $nb]          @acc 0x0

  sem staged   : CLD -> TTU cluster
  sem scaled   : LD0 -> TTU tile
  sem fulleven : LD0 -> TTU tile
  sem fullodd  : LD1 -> TTU tile
  sem freeeven : TTU -> LD0 tile = 3
  sem freeodd  : TTU -> LD1 tile = 3
  sem accfull  : TTU -> DRN tile
  sem drained  : DRN -> ST tile

  chain copy : fp32 = mov(a)

  # weights, chunk by chunk: group g of row n has the scale seven[n, g] or sodd[n, g]
  desc weven = even(slot){n:$rows | x:$chunk}[n, x] scale seven
  desc wodd  = odd(slot){n:$rows | x:$chunk}[n, x] scale sodd
  desc seven = ts{n:$rows | g:$gc}[n, ${gc2}*k + g]
  desc sodd  = ts{n:$rows | g:$gc}[n, ${gc2}*k + $gc + g]

  # activations to every tile, scales in one piece
  at "activations and scales"
  CLD bcast tx@[all]{m:$m, x:$kpad}[m, x], X{m:$m, x:$kpad}[m, x] post(staged)
  LD0 copy ts{n:$rows, g:$gpad}[n, g], S{n:$rows, g:$gpad}[$rows*gtile + n, g] post(scaled)
  TTU sync wait(staged, scaled)

  # weights: even chunks by LD0, odd ones by LD1
  at "weights"
  slot = 0 on tile
  loop k < $pairs on tile {
    LD0 copy even(slot){n:$rows, x:$chunk}[n, x], \
W{n:$rows, x:$chunk}[$rows*gtile + n, $chunk2*k + x] wait(freeeven) post(fulleven)
    LD1 copy odd(slot){n:$rows, x:$chunk}[n, x], \
W{n:$rows, x:$chunk}[$rows*gtile + n, $chunk2*k + $chunk + x] wait(freeodd) post(fullodd)
    TTU mm acc{m:$m | n:$rows}[m, n], tx{m:$m | x:$chunk}[m, $chunk2*k + x], weven \
mode=first level=k wait(fulleven) post(freeeven)
    TTU mm acc{m:$m | n:$rows}[m, n], tx{m:$m | x:$chunk}[m, $chunk2*k + $chunk + x], wodd \
mode=acc wait(fullodd) post(freeodd)
    slot = (slot + 1) mod 3
  }
  TTU sync post(accfull)

  # results
  at "results"
  DRN accst ty{m:$m | n:$rows}[m, n], acc{m:$m | n:$rows}[m, n] chain=copy wait(accfull) \
post(drained)
  ST copy Y{m:$m, n:$rows}[m, $rows*gtile + n] drop, ty{m:$m, n:$rows}[m, n] wait(drained)
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; `group` divides `chunk`, the weights of a row that a word moves."""
    size = {**SIZES[target], **sizes}
    m, k, n, group, chunk = (size[name] for name in ("m", "k", "n", "group", "chunk"))
    mc = machine(target)
    if k % group or chunk % group or group % 16:
        raise ValueError("a group is a multiple of 16 and divides k and chunk")
    rows = cdiv(n, mc.clusters * mc.tiles)
    pairs = cdiv(k, 2 * chunk)
    gc, kpad = chunk // group, pairs * 2 * chunk
    nb = align(rows, mc.int("ttu.block"))
    if m * nb * 4 > mc.space_bytes("acc"):
        raise ValueError("m and n do not fit the accumulators")
    hbm, tsram = Space(), Space()
    pitch = align(rows * chunk // 2, 64)
    return TEXT.substitute(
        target=target,
        m=m,
        k=k,
        n=n,
        group=group,
        groups=k // group,
        chunk=chunk,
        chunk2=2 * chunk,
        gc=gc,
        gc2=2 * gc,
        gpad=kpad // group,
        kpad=kpad,
        rows=rows,
        nb=nb,
        pairs=pairs,
        pitch=pitch,
        at_x=hbm.take(m * k * 2),
        at_w=hbm.take(n * k // 2),
        at_s=hbm.take(n * k // group * 2),
        at_y=hbm.take(m * n * 2),
        tx=tsram.take(m * kpad * 2),
        ts=tsram.take(rows * kpad // group * 2),
        te=tsram.take(3 * pitch),
        to=tsram.take(3 * pitch),
        ty=tsram.take(m * rows * 2),
    )


if __name__ == "__main__":
    main(source, SIZES)
