"""LSTM over `steps` steps with the recurrent weights resident in TSRAM.

G[t, b, gate, u] holds the input projections with both biases (one GEMM before, for all steps at
once), gates in ONNX's order i, o, f, c. Each step computes

    i, o, f = sigmoid(G + H R^T),  g = tanh(G + H R^T),  C = f*C + i*g,  H = o * tanh(C)

and writes H to Y[t]; the last C is written to CN. H is bf16, C and the gates are fp32.

Tile t owns `units` hidden units: their rows of R for all four gates (once, at the start), their C,
their slice of G (LD1, three steps ahead). What it lacks is the other tiles' H. Therefore H lives in
the CSRAM of every cluster, two copies in turn: every tile stores its slice of H to all clusters
at once and posts `joined` to the whole chip; every tile waits for all tiles, then loads all of H
from its own cluster's CSRAM, in `parts` pieces of K so that the product starts early. That join is
the only ordering between tiles; since a tile stores H only after it has read the H before, two
copies are enough. H[0] is staged by each cluster's load queue; `joined` starts with one token.

The vector unit reads the accumulators directly. Units beyond `h` (the last tiles) compute on zeros
and are dropped when stored.

maia200: 1024 units, batch 32. A step is a chain: load 120 + 65, product 512, vector unit 200, store
and join 440, and the latencies between: about 1,450 cycles, of which the tensor unit works 512.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"steps": 32, "h": 1024, "batch": 32},
    "mini": {"steps": 7, "h": 20, "batch": 5},
}

TEXT = Template("""\
mist 1.0
target $target

# $steps steps of $h units, batch $batch; gates i, o, f, c.
input  G  : fp32[$steps, $batch, 4, $h] @ $at_g
input  R  : bf16[4, $h, $h] @ $at_r
input  H0 : bf16[$batch, $h] @ $at_h0
input  C0 : fp32[$batch, $h] @ $at_c0
output Y  : bf16[$steps, $batch, $h] @ $at_y
output CN : fp32[$batch, $h] @ $at_cn

block main {
  reg now  = s0
  reg next = s1
  reg slot = s2
  buffer tr : bf16[4, $units, $h]       @tsram $tr
  buffer th : bf16[$batch, $h]          @tsram $th
  buffer tg : fp32[$batch, 4, $units]   @tsram $tg slots 3 pitch $tg_pitch
  buffer gate : fp32[$batch, 4, $units] @tsram $gate
  buffer tc : fp32[$batch, $units]      @tsram $tc
  buffer ty : bf16[$batch, $units]      @tsram $ty slots 2 pitch $ty_pitch
  buffer acc : fp32[$batch, $units4]     @acc 0x0
  buffer hall : bf16[$batch, $h]        @csram 0x0 slots 2 pitch $hall_pitch

  sem staged  : CLD -> LD0 cluster
  sem ready   : LD0 -> TTU tile
  sem joined  : ST -> LD0 chip = 1
  sem heard   : LD0 -> TTU tile
  sem gfull   : LD1 -> TVP tile
  sem gfree   : TVP -> LD1 tile = 3
  sem product : TTU -> TVP tile
  sem accfree : TVP -> TTU tile = 1
  sem hfull   : TVP -> ST tile
  sem hfree   : ST -> TVP tile = 2

  chain squash : fp32 = add(a, b); sigmoid(r0)
  chain bend   : fp32 = add(a, b); tanh(r0)
  chain mul    : fp32 = mul(a, b)
  chain madd   : fp32 = madd(a, b, c)
  chain out    : fp32 = tanh(a); mul(r0, b)

  # weights and C of this tile's units stay in TSRAM; H[0] goes to every cluster
  at "weights and first state"
  CLD copy hall(0){b:$batch, h:$h}[b, h], H0{b:$batch, h:$h}[b, h] post(staged)
  loop g < 4 on tile {
    LD0 copy tr{u:$units, h:$h}[g, u, h], R{u:$units, h:$h}[g, $units*gtile + u, h]
  }
  LD0 copy tc{b:$batch, u:$units}[b, u], C0{b:$batch, u:$units}[b, $units*gtile + u]
  LD0 sync wait(staged) post(ready)
  TTU sync wait(ready)

  now = 0 on tile
  slot = 0 on tile
  loop t < $steps on tile {
    # H from the cluster's CSRAM, a part of K at a time
    at "recurrent product"
    LD0 sync wait(joined)
    TTU sync wait(accfree)
    loop k < $parts on tile {
      LD0 copy th{b:$batch, x:$kc}[b, $kc*k + x], hall(now){b:$batch, x:$kc}[b, $kc*k + x] \
post(heard)
      TTU mm acc{b:$batch | n:$units4}[b, n], th{b:$batch | x:$kc}[b, $kc*k + x], \
tr{g:4, u:$units | x:$kc}[g, u, $kc*k + x] mode=first level=k wait(heard)
    }
    TTU sync post(product)
    LD1 copy tg(slot){b:$batch, g:4, u:$units}[b, g, u], \
G{b:$batch, g:4, u:$units}[t, b, g, $units*gtile + u] wait(gfree) post(gfull)

    at "gates and state"
    TVP sync wait(product, gfull)
    TVP vmap gate{b:$batch, g:3, u:$units}[b, g, u], \
acc{b:$batch, g:3, u:$units}[b, $units*g + u], tg(slot){b:$batch, g:3, u:$units}[b, g, u] \
chain=squash
    TVP vmap gate{b:$batch, u:$units}[b, 3, u], acc{b:$batch, u:$units}[b, $units3 + u], \
tg(slot){b:$batch, u:$units}[b, 3, u] chain=bend post(accfree, gfree)
    TVP vmap gate{b:$batch, u:$units}[b, 3, u], gate{b:$batch, u:$units}[b, 0, u], \
gate{b:$batch, u:$units}[b, 3, u] chain=mul
    TVP vmap tc{b:$batch, u:$units}[b, u], tc{b:$batch, u:$units}[b, u], \
gate{b:$batch, u:$units}[b, 2, u], gate{b:$batch, u:$units}[b, 3, u] chain=madd
    TVP vmap ty(now){b:$batch, u:$units}[b, u], tc{b:$batch, u:$units}[b, u], \
gate{b:$batch, u:$units}[b, 1, u] chain=out wait(hfree) post(hfull)

    # this tile's H to all clusters first, then to Y
    at "exchange"
    next = 1 - now
    ST copy hall(next)@[all]{b:$batch, u:$units}[b, $units*gtile + u] drop, \
ty(now){b:$batch, u:$units}[b, u] wait(hfull) post(joined)
    ST copy Y{b:$batch, u:$units}[t, b, $units*gtile + u] drop, ty(now){b:$batch, u:$units}[b, u] \
post(hfree)
    now = 1 - now
    slot = (slot + 1) mod 3
  }

  at "last state"
  ST copy CN{b:$batch, u:$units}[b, $units*gtile + u] drop, tc{b:$batch, u:$units}[b, u]
}
""")


def source(target: str, **sizes: int) -> str:
    """The program for `steps` steps of `h` units and a batch that fits the accumulators."""
    size = {**SIZES[target], **sizes}
    steps, h, batch = size["steps"], size["h"], size["batch"]
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    # the accumulators' rows are whole block rows: 4 * units is a multiple of the block
    units = align(cdiv(h, everyone), max(1, mc.int("ttu.block") // 4))
    if batch * units * 16 > mc.space_bytes("acc"):
        raise ValueError("h and batch do not fit the accumulators")
    parts = max(p for p in range(1, 5) if h % p == 0)
    hbm, tsram = Space(), Space()
    slice_ = align(batch * 4 * units * 4, 64)
    ty_pitch = align(batch * units * 2, 64)
    return TEXT.substitute(
        target=target,
        steps=steps,
        h=h,
        batch=batch,
        units=units,
        units3=3 * units,
        units4=4 * units,
        parts=parts,
        kc=h // parts,
        at_g=hbm.take(steps * batch * 4 * h * 4),
        at_r=hbm.take(4 * h * h * 2),
        at_h0=hbm.take(batch * h * 2),
        at_c0=hbm.take(batch * h * 4),
        at_y=hbm.take(steps * batch * h * 2),
        at_cn=hbm.take(batch * h * 4),
        tr=tsram.take(4 * units * h * 2),
        th=tsram.take(batch * h * 2),
        tg=tsram.take(3 * slice_),
        tg_pitch=slice_,
        gate=tsram.take(slice_),
        tc=tsram.take(batch * units * 4),
        ty=tsram.take(2 * ty_pitch),
        ty_pitch=ty_pitch,
        hall_pitch=align(batch * h * 2, 64),
    )


if __name__ == "__main__":
    main(source, SIZES)
