"""GEMM with K split over the clusters: C[M, N] = A[M, K] * B[K, N] in bf16.

Where M and N are small and K is long, splitting M and N alone would hand every tile a sliver.
Here each *cluster* takes a quarter of K and all of M and N; inside a cluster the columns of C are
dealt to the tiles. What a cluster gets is a partial sum, so a second step adds the partials.

Phase 1, products. Every tile of a cluster needs the same piece of A: the cluster's load queue
CLD broadcasts it, read once from HBM, into a ring of three slots in every TSRAM (`ta`). Its own
columns of B stream through a ring of their own (`tb`) over LD0. One MM a step; `mode=first`
starts the sums.

Phase 2, exchange. Cluster q will finish rows mq*q .. mq*q + mq - 1. Every tile drains its
accumulators in these row groups (DRN) and stores group q to the CSRAM of cluster q (ST), into
the slot of its own cluster: nobody adds to what another wrote. Then all tiles of the chip join
(`joined`): the only wait that crosses clusters.

Phase 3, sums. Tile t of cluster q loads its columns of all slots and adds them in the order of
the clusters, 0 first, so the bits do not depend on who was early. They do depend on the number
of clusters: a K-split is part of what a program means.

maia200: 256 x 1152 x 16384 needs 16,384 cycles of the tensor units and 13,200 of HBM; the
exchange adds about 3,000.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"m": 256, "n": 1152, "k": 16384, "kc": 256},
    "mini": {"m": 19, "n": 21, "k": 75, "kc": 16},
}

TEXT = Template("""\
mist 1.0
target $target

# C[$m, $n] = A[$m, $k] * B[$k, $n]; K in $clusters parts, one for each cluster.
input  A : bf16[$m, $k] @ $at_a
input  B : bf16[$k, $n] @ $at_b
output C : bf16[$m, $n] @ $at_c

block main {
  reg slot = s0
  buffer ta   : bf16[$m, $kc]       @tsram $ta slots 3 pitch $ta_pitch
  buffer tb   : bf16[$kc, $nt]      @tsram $tb slots 3 pitch $tb_pitch
  buffer tc   : fp32[$rows, $nt]    @tsram $tc
  buffer tp   : fp32[$clusters, $mq, $nt] @tsram $tp
  buffer to   : bf16[$mq, $nt]      @tsram $to
  buffer acc  : fp32[$m, $nb]       @acc 0x0
  buffer part : fp32[$clusters, $mq, $n] @csram 0x0

  sem freeA   : TTU -> CLD cluster = 3
  sem fullA   : CLD -> TTU cluster
  sem freeB   : TTU -> LD0 tile = 3
  sem fullB   : LD0 -> TTU tile
  sem accfull : TTU -> DRN tile
  sem drained : DRN -> ST tile
  sem joined  : ST -> LD1 chip
  sem loaded  : LD1 -> TVP tile
  sem summed  : TVP -> ST tile

  chain copy : fp32 = mov(a)
  chain plus : fp32 = add(a, b)

  # 1: each cluster multiplies its part of K; A is read once for all tiles of a cluster
  at "product of a part of K"
  slot = 0 on tile, cluster
  loop k < $nk on tile, cluster {
    CLD bcast ta(slot)@[all]{i:$m, j:$kc}[i, j], A{i:$m, j:$kc}[i, $kper*cluster + $kc*k + j] \
wait(freeA) post(fullA)
    LD0 copy tb(slot){i:$kc, j:$nt}[i, j], \
B{i:$kc, j:$nt}[$kper*cluster + $kc*k + i, $nt*tile + j] wait(freeB) post(fullB)
    TTU mm acc{m:$m | n:$nt}[m, n], ta(slot){m:$m | x:$kc}[m, x], tb(slot){n:$nt | x:$kc}[x, n] \
mode=first level=k wait(fullA, fullB) post(freeA, freeB)
    slot = (slot + 1) mod 3
  }
  TTU sync post(accfull:$clusters)

  # 2: row group q of the partial sums goes to cluster q, into the slot of this cluster
  at "exchange of the partial sums"
  loop q < $clusters on tile {
    DRN accst tc{m:$mq | n:$nt}[$mq*q + m, n], acc{m:$mq | n:$nt}[$mq*q + m, n] chain=copy \
wait(accfull) post(drained)
    ST copy part@[q]{i:$mq, j:$nt}[cluster, i, $nt*tile + j] drop, tc{i:$mq, j:$nt}[$mq*q + i, j] \
wait(drained)
  }
  ST sync post(joined)

  # 3: each tile adds its columns of its cluster's rows, in the order of the clusters
  at "sum over the clusters"
  LD1 copy tp{c:$clusters, i:$mq, j:$nt}[c, i, j], \
part{c:$clusters, i:$mq, j:$nt}[c, i, $nt*tile + j] wait(joined) post(loaded)
  TVP sync wait(loaded)
  loop c < $more on tile {
    TVP vmap tp{i:$mq, j:$nt}[0, i, j], tp{i:$mq, j:$nt}[0, i, j], tp{i:$mq, j:$nt}[c + 1, i, j] \
chain=plus
  }
  TVP vcvt to{i:$mq, j:$nt}[i, j], tp{i:$mq, j:$nt}[0, i, j] post(summed)
  ST copy C{i:$mq, j:$nt}[$mq*cluster + i, $nt*tile + j] drop, to{i:$mq, j:$nt}[i, j] wait(summed)
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; sizes m, n, k and kc, the columns of A a word moves."""
    size = {**SIZES[target], **sizes}
    m, n, k, kc = (size[name] for name in ("m", "n", "k", "kc"))
    mc = machine(target)
    nk = cdiv(k, mc.clusters * kc)
    mq, nt = cdiv(m, mc.clusters), cdiv(n, mc.tiles)
    nb = align(nt, mc.int("ttu.block"))
    if m * nb * 4 > mc.space_bytes("acc"):
        raise ValueError("m and n do not fit the accumulators")
    hbm, tsram = Space(), Space()
    ta_pitch, tb_pitch = align(m * kc * 2, 64), align(kc * nt * 2, 64)
    return TEXT.substitute(
        target=target,
        m=m,
        n=n,
        k=k,
        kc=kc,
        nk=nk,
        mq=mq,
        nt=nt,
        nb=nb,
        kper=nk * kc,
        rows=mq * mc.clusters,
        clusters=mc.clusters,
        more=mc.clusters - 1,
        at_a=hbm.take(m * k * 2),
        at_b=hbm.take(k * n * 2),
        at_c=hbm.take(m * n * 2),
        ta_pitch=ta_pitch,
        tb_pitch=tb_pitch,
        ta=tsram.take(3 * ta_pitch),
        tb=tsram.take(3 * tb_pitch),
        tc=tsram.take(mq * mc.clusters * nt * 4),
        tp=tsram.take(mq * mc.clusters * nt * 4),
        to=tsram.take(mq * nt * 2),
    )


if __name__ == "__main__":
    main(source, SIZES)
