"""Mixture of experts for a whole prompt: `t` tokens, the two best of `e` experts each, SwiGLU.

Only the data say which tokens an expert gets. Every expert has a bucket of fixed capacity, enough
for all tokens; places in it are given out by a scan, rows are gathered into it, and loops run as
often as the number of tokens says, which control processors load (`sld`). Four blocks; between
blocks all queues are idle, so everything a block writes may be read by the next.

route. A tile scores its own `nt` tokens (the router's weights are broadcast), takes the two best
(VTOPK) and sends their numbers to the CSRAM of all clusters; all tiles join. From here every tile
computes the same tables, which is cheaper than another join: one-hot (tile, expert, token), its
running sums (VSCAN) and the sums over earlier tiles give each token its place; VSCATTER makes the
inverse table: which token stands in a place. Counts stand behind it; the tiles of a cluster store
a share each to CSRAM.

up. For every expert CLD gathers the rows of X into CSRAM, by the inverse table, into two buckets
in turn; LD1 loads the tile's `nu` hidden units, gate and up rows, into two sets in turn; LD0 streams
the bucket past them in blocks of two halves, so that the vector unit reads one half of the
accumulators while the other is multiplied. H goes to HBM.

down. The same with H, `nd` outputs a tile, and DRN. combine. Each tile gathers the two results of
its tokens and adds them with the router's weights.

What a loop of unknown length writes nothing may rely on, so buckets and the results of `up` and
`down` are filled with zeros while there is time. Behind a loop of unknown length nobody knows which
slot of a ring comes next: slots are therefore in pairs, one pair for each parity of the expert, and
the `idle` semaphores let a pair be used again when the expert before the last is through. For the
same reason control processors themselves wait for buckets and weights: no word may wait in a queue
when such a loop starts. Places behind an expert's tokens name token 0; they are computed and never
read.

maia200: 2048 tokens, 8 experts of 4096 x 2048: 349,500 cycles of the tensor units for the pairs of
token and expert alone. Blocks of 128 rows and edges of 32 rows and columns make 442,000 of them;
routing 24,000 (of which filling 67 MB is most), two block starts 20,000, combining 18,000.
"""

from __future__ import annotations

from string import Template

from kit import Space, align, cdiv, machine, table

SIZES = {
    "maia200": {"t": 2048, "e": 8, "d": 4096, "f": 2048, "half": 64, "k": 1024},
    "mini": {"t": 29, "e": 3, "d": 24, "f": 18, "half": 8, "k": 6},
}

HEAD = Template("""\
mist 1.0
target $target

# $t tokens of $d, $e experts of $f hidden units; W1[e, 0] is the gate, W1[e, 1] the up projection.
input  X  : bf16[$t, $d] @ $at_x
input  WR : bf16[$e, $d] @ $at_r
input  W1 : bf16[$e, 2, $f, $d] @ $at_1
input  W2 : bf16[$e, $d, $f] @ $at_2
output Y  : bf16[$t, $d] @ $at_y

control {
  call route
  call up
  call down
  call combine
}
""")

ROUTE = Template("""
block route {
  reg token = s1
  $tokens
  buffer p     : fp32[$nt, 2]        @tsram $p
  buffer pos   : int32[$all, $nt2]   @tsram $pos
  buffer inv   : int32[$route]       @tsram $inv
  buffer tx    : bf16[$nt, $d]       @tsram $tx
  buffer twr   : bf16[$e, $d]        @tsram $twr
  buffer logit : fp32[$nt, $e]       @tsram $logit
  buffer best  : fp32[$nt, 2]        @tsram $best
  buffer who   : int32[$nt2]         @tsram $who
  buffer sum   : fp32[$nt]           @tsram $sum
  buffer ids   : int32[$all, $nt2]   @tsram $ids
  buffer hot   : int32[$all, $e, $nt2] @tsram $hot
  buffer run   : int32[$all, $e, $nt2] @tsram $run
  buffer base  : int32[$all1, $e]    @tsram $base
  buffer tok   : int32[$all, $nt2]   @tsram $tok
  buffer acc   : fp32[$nt, $eb]      @acc 0x0
  buffer ca    : bf16[$cap, $d]      @csram 0x0 slots 2 pitch $ca_pitch
  buffer call  : int32[$t2]          @csram $call
  buffer cinv  : int32[$route]       @csram $cinv
  buffer hh    : bf16[$places, $f]   @hbm $at_h

  sem staged : CLD -> TTU cluster
  sem xfull  : LD0 -> TTU tile
  sem scored : TTU -> TVP tile
  sem chosen : TVP -> ST tile
  sem joined : ST -> LD0 chip
  sem heard  : LD0 -> TVP tile
  sem placed : TVP -> ST tile

  chain copy   : fp32 = mov(a)
  chain expsum : fp32 = sub(a, b); exp(r0) stat sum
  chain over   : fp32 = div(a, b)
  chain is     : int32 = eq(a, b)
  chain rank   : int32 = add(a, b); mul(r0, c)
  chain place  : int32 = mul(a, $cap); add(r0, b); add(r1, -1)
  chain same   : int32 = mov(a)

  at "score the tokens"
  token = tokens[gtile] on tile
  CLD bcast twr@[all]{n:$e, x:$d}[n, x], WR{n:$e, x:$d}[n, x] post(staged)
  LD0 fill inv{x:$route}[x] value=0
  TTU sync wait(staged)
  loop k < $kd on tile {
    LD0 copy tx{m:$nt, x:$k}[m, $k*k + x], X{m:$nt, x:$k}[token + m, $k*k + x] post(xfull)
    TTU mm acc{m:$nt | n:$e}[m, n], tx{m:$nt | x:$k}[m, $k*k + x], twr{n:$e | x:$k}[n, $k*k + x] \
mode=first level=k wait(xfull)
  }
  TTU sync post(scored)
  TVP vmap logit{m:$nt, n:$e}[m, n], acc{m:$nt, n:$e}[m, n] chain=copy wait(scored)
  TVP vtopk best{m:$nt | j:2}[m, j], who{m:$nt | j:2}[2*m + j], logit{m:$nt | n:$e}[m, n] k=2 post(chosen)
  TVP vmapr p{m:$nt | j:2}[m, j], sum{m:$nt}[m], best{m:$nt | j:2}[m, j], best{m:$nt | j:2}[m, 0] \
chain=expsum
  TVP vmap p{m:$nt, j:2}[m, j], p{m:$nt, j:2}[m, j], sum{m:$nt, j:2}[m] chain=over
  ST copy call@[all]{x:$nt2}[2*token + x] drop, who{x:$nt2}[x] wait(chosen) post(joined)

  # buckets and hidden rows: loops of unknown length write them, so something else has to, before
  at "clear"
  loop i < $ca_words on cluster {
    CLD fill bf16 @csram 0x0 {x:$fill}[$fill*i + x < $ca_all by 2] drop value=0
  }
  loop i < $hh_words on cluster {
    CST fill bf16 @hbm $at_h {x:$fill}[$fill_all*i + $fill*cluster + x < $hh_all by 2] drop value=0
  }

  # places of all tokens; those behind the last token have expert $none, whose place is nowhere
  at "give out places"
  LD0 copy ids{s:$all, x:$nt2}[s, x], call{x:$seats}[x] fill $none wait(joined) post(heard)
  TVP viota tok{s:$all, m:$nt, j:2}[s, 2*m + j], int32 @iota 0 {s:$all, m:$nt, j:2}[$nt*s + m < $seats]
  TVP vmap hot{s:$all, n:$e, x:$nt2}[s, n, x], ids{s:$all, n:$e, x:$nt2}[s, x], \
int32 @iota 0 {s:$all, n:$e, x:$nt2}[n < $e] chain=is wait(heard)
  TVP vscan run{s:$all, n:$e | x:$nt2}[s, n, x], hot{s:$all, n:$e | x:$nt2}[s, n, x] op=add
  TVP vscan base{n:$e | s:$all1}[s, n], run{n:$e | s:$all1}[s - 1, n, $nt2last] op=add
  TVP vmap run{s:$all, n:$e, x:$nt2}[s, n, x], run{s:$all, n:$e, x:$nt2}[s, n, x], \
base{s:$all, n:$e, x:$nt2}[s, n], hot{s:$all, n:$e, x:$nt2}[s, n, x] chain=rank
  TVP vred pos{s:$all, x:$nt2}[s, x], run{s:$all, x:$nt2 | n:$e}[s, n, x] op=sum
  TVP vmap pos{s:$all, x:$nt2}[s, x], ids{s:$all, x:$nt2}[s, x], pos{s:$all, x:$nt2}[s, x] chain=place
  TVP vscatter inv{}[0], tok{s:$all, x:$nt2}[s, x], pos{s:$all, x:$nt2}[s, x] oob=fill op=set
  TVP vmap inv{n:$e}[$places + n], base{n:$e}[$all, n] chain=same post(placed)
  ST copy cinv{x:$share}[$share*tile + x] drop, inv{x:$share}[$share*tile + x] wait(placed)
}
""")

UP = Template("""
block up {
  reg blocks = s0
  reg from   = s1
  reg set    = s2
  reg other  = s3
  reg slot   = s4
  reg more   = s5
  $ups
  buffer inv  : int32[$route]       @tsram $inv
  buffer tw   : bf16[2, $nu, $d]    @tsram $w slots 2 pitch $w_pitch
  buffer ta   : bf16[$half, $k]     @tsram $ta slots 4 pitch $ta_pitch
  buffer th   : bf16[$half, $nu]    @tsram $th slots 4 pitch $th_pitch
  buffer acc  : fp32[$half4, $nub]  @acc 0x0
  buffer ca   : bf16[$cap, $d]      @csram 0x0 slots 2 pitch $ca_pitch
  buffer cinv : int32[$route]       @csram $cinv
  buffer hh   : bf16[$places, $f]   @hbm $at_h
  buffer hy   : bf16[$places, $d]   @hbm $at_e

  sem full    : CLD -> TCP cluster
  sem empty   : LD0 -> CCP cluster = 2
  sem wfull   : LD1 -> TCP tile
  sem wfree   : TTU -> LD1 tile = 2
  sem afull   : LD0 -> TTU tile
  sem afree   : TTU -> LD0 tile = 2
  sem aidle   : TTU -> LD0 tile = 2
  sem product : TTU -> TVP tile
  sem accfree : TVP -> TTU tile = 2
  sem accidle : TVP -> TTU tile = 2
  sem hfull   : TVP -> ST tile
  sem hfree   : ST -> TVP tile = 2
  sem hidle   : ST -> TVP tile = 2

  chain swiglu : fp32 = silu(a); mul(r0, b)

  # the next block's results, while HBM has time
  at "clear"
  loop j < $hy_words on cluster {
    CST fill bf16 @hbm $at_e {x:$fill}[$fill_all*j + $fill*cluster + x < $hy_all by 2] drop value=0
  }

  at "gather the rows of an expert"
  from = ups[gtile] on tile
  set = 0 on tile, cluster
  loop i < $e on cluster {
    blocks = sld cinv{}[$places + i] wait(empty) in 0..$t
    blocks = (blocks + $rows2last) div $rows2
    loop m < blocks {
      loop q < $gwords {
        CLD gather ca(set){r:$grows | x:$d}[$rows2*m + $grows*q + r, x], X{ | x:$d}[0, x], \
cinv{r:$grows}[$cap*i + $rows2*m + $grows*q + r] oob=trap
      }
    }
    CLD sync post(full)
    set = 1 - set
  }

  at "gate and up projections"
  LD1 sync wait(wfree)
  loop q < $kd on tile {
    LD1 copy tw(0){g:2, n:$nu, x:$k}[g, n, $k*q + x], W1{g:2, n:$nu, x:$k}[0, g, from + n, $k*q + x]
  }
  LD1 sync post(wfull)
  loop i < $e on tile {
    # this expert's bucket and weights are here
    blocks = sld inv{}[$places + i] wait(wfull) in 0..$t
    blocks = sld inv{}[$places + i] wait(full) in 0..$t
    blocks = (blocks + $rows2last) div $rows2
    # weights of the next expert
    more = min($elast - i, 1)
    other = 1 - set
    loop z < more {
      LD1 sync wait(wfree)
      loop q < $kd {
        LD1 copy tw(other){g:2, n:$nu, x:$k}[g, n, $k*q + x], \
W1{g:2, n:$nu, x:$k}[i + 1, g, from + n, $k*q + x]
      }
      LD1 sync post(wfull)
    }
    # its blocks
    LD0 sync wait(aidle)
    TTU sync wait(accidle)
    TVP sync wait(hidle)
    loop m < blocks {
      slot = 0
      loop h < 2 {
        TTU sync wait(accfree)
        loop k < $kd {
          LD0 copy ta(2*set + slot){r:$half, x:$k}[r, x], \
ca(set){r:$half, x:$k}[$rows2*m + $half*h + r, $k*k + x] wait(afree) post(afull)
          TTU mm acc{m:$half | n:$nu2}[$rows2*set + $half*h + m, n], \
ta(2*set + slot){m:$half | x:$k}[m, x], tw(set){g:2, n:$nu | x:$k}[g, n, $k*k + x] \
mode=first level=k wait(afull) post(afree)
          slot = (slot + 1) mod 2
        }
        TTU sync post(product)
        TVP vmap th(2*set + h){r:$half, n:$nu}[r, n], \
acc{r:$half, n:$nu}[$rows2*set + $half*h + r, n], \
acc{r:$half, n:$nu}[$rows2*set + $half*h + r, $nu + n] chain=swiglu \
wait(product, hfree) post(accfree, hfull)
        ST copy hh{r:$half, n:$nu}[$cap*i + $rows2*m + $half*h + r, from + n] drop, \
th(2*set + h){r:$half, n:$nu}[r, n] wait(hfull) post(hfree)
      }
    }
    LD0 sync post(empty)
    TTU sync post(wfree, aidle)
    TVP sync post(accidle)
    ST sync post(hidle)
    set = 1 - set
  }
}
""")

DOWN = Template("""
block down {
  reg blocks = s0
  reg from   = s1
  reg set    = s2
  reg other  = s3
  reg slot   = s4
  reg more   = s5
  $downs
  buffer inv  : int32[$route]       @tsram $inv
  buffer tw   : bf16[$nd, $f]       @tsram $w slots 2 pitch $w_pitch
  buffer ta   : bf16[$half, $k]     @tsram $ta slots 4 pitch $ta_pitch
  buffer ty   : bf16[$half, $nd]    @tsram $ty slots 4 pitch $ty_pitch
  buffer acc  : fp32[$half4, $ndb]  @acc 0x0
  buffer ca   : bf16[$cap, $f]      @csram 0x0 slots 2 pitch $ca_pitch
  buffer cinv : int32[$route]       @csram $cinv
  buffer hh   : bf16[$places, $f]   @hbm $at_h
  buffer hy   : bf16[$places, $d]   @hbm $at_e

  sem full    : CLD -> TCP cluster
  sem empty   : LD0 -> CCP cluster = 2
  sem wfull   : LD1 -> TCP tile
  sem wfree   : TTU -> LD1 tile = 2
  sem afull   : LD0 -> TTU tile
  sem afree   : TTU -> LD0 tile = 2
  sem aidle   : TTU -> LD0 tile = 2
  sem product : TTU -> DRN tile
  sem accfree : DRN -> TTU tile = 2
  sem accidle : DRN -> TTU tile = 2
  sem yfull   : DRN -> ST tile
  sem yfree   : ST -> DRN tile = 2
  sem yidle   : ST -> DRN tile = 2

  chain copy : fp32 = mov(a)

  at "load the hidden rows of an expert"
  from = downs[gtile] on tile
  set = 0 on tile, cluster
  loop i < $e on cluster {
    blocks = sld cinv{}[$places + i] wait(empty) in 0..$t
    blocks = (blocks + $rows2last) div $rows2
    loop m < blocks {
      loop q < $hwords {
        CLD copy ca(set){r:$hrows, x:$f}[$rows2*m + $hrows*q + r, x], \
hh{r:$hrows, x:$f}[$cap*i + $rows2*m + $hrows*q + r, x]
      }
    }
    CLD sync post(full)
    set = 1 - set
  }

  at "down projection"
  LD1 sync wait(wfree)
  loop q < $kf on tile {
    LD1 copy tw(0){n:$nd, x:$k}[n, $k*q + x], W2{n:$nd, x:$k}[0, from + n, $k*q + x]
  }
  LD1 sync post(wfull)
  loop i < $e on tile {
    # this expert's bucket and weights are here
    blocks = sld inv{}[$places + i] wait(wfull) in 0..$t
    blocks = sld inv{}[$places + i] wait(full) in 0..$t
    blocks = (blocks + $rows2last) div $rows2
    # weights of the next expert
    more = min($elast - i, 1)
    other = 1 - set
    loop z < more {
      LD1 sync wait(wfree)
      loop q < $kf {
        LD1 copy tw(other){n:$nd, x:$k}[n, $k*q + x], W2{n:$nd, x:$k}[i + 1, from + n, $k*q + x]
      }
      LD1 sync post(wfull)
    }
    # its blocks
    LD0 sync wait(aidle)
    TTU sync wait(accidle)
    DRN sync wait(yidle)
    loop m < blocks {
      slot = 0
      loop h < 2 {
        TTU sync wait(accfree)
        loop k < $kf {
          LD0 copy ta(2*set + slot){r:$half, x:$k}[r, x], \
ca(set){r:$half, x:$k}[$rows2*m + $half*h + r, $k*k + x] wait(afree) post(afull)
          TTU mm acc{m:$half | n:$nd}[$rows2*set + $half*h + m, n], \
ta(2*set + slot){m:$half | x:$k}[m, x], tw(set){n:$nd | x:$k}[n, $k*k + x] \
mode=first level=k wait(afull) post(afree)
          slot = (slot + 1) mod 2
        }
        TTU sync post(product)
        DRN accst ty(2*set + h){m:$half | n:$nd}[m, n], \
acc{m:$half | n:$nd}[$rows2*set + $half*h + m, n] chain=copy \
wait(product, yfree) post(accfree, yfull)
        ST copy hy{r:$half, n:$nd}[$cap*i + $rows2*m + $half*h + r, from + n] drop, \
ty(2*set + h){r:$half, n:$nd}[r, n] wait(yfull) post(yfree)
      }
    }
    LD0 sync post(empty)
    TTU sync post(wfree, aidle)
    DRN sync post(accidle)
    ST sync post(yidle)
    set = 1 - set
  }
}
""")

COMBINE = Template("""
block combine {
  reg token = s1
  reg slot  = s2
  $tokens
  buffer p   : fp32[$nt, 2]       @tsram $p
  buffer pos : int32[$all, $nt2]  @tsram $pos
  buffer g0  : bf16[$nt, $dc]     @tsram $g0 slots 2 pitch $g_pitch
  buffer g1  : bf16[$nt, $dc]     @tsram $g1 slots 2 pitch $g_pitch
  buffer gs  : fp32[$nt, $dc]     @tsram $gs
  buffer gy  : bf16[$nt, $dc]     @tsram $gy slots 2 pitch $g_pitch
  buffer hy  : bf16[$places, $d]  @hbm $at_e

  sem full0  : LD0 -> TVP tile
  sem full1  : LD1 -> TVP tile
  sem free0  : TVP -> LD0 tile = 2
  sem free1  : TVP -> LD1 tile = 2
  sem done   : TVP -> ST tile
  sem stored : ST -> TVP tile = 2

  chain mul  : fp32 = mul(a, b)
  chain madd : fp32 = madd(a, b, c)

  at "combine"
  token = tokens[gtile] on tile
  slot = 0 on tile
  loop q < $cwords on tile {
    LD0 gather g0(slot){m:$nt | x:$dc}[m, x], hy{ | x:$dc}[0, $dc*q + x], pos{m:$nt}[gtile, 2*m] \
oob=fill wait(free0) post(full0)
    LD1 gather g1(slot){m:$nt | x:$dc}[m, x], hy{ | x:$dc}[0, $dc*q + x], pos{m:$nt}[gtile, 2*m + 1] \
oob=fill wait(free1) post(full1)
    TVP vmap gs{m:$nt, x:$dc}[m, x], g0(slot){m:$nt, x:$dc}[m, x], p{m:$nt, x:$dc}[m, 0] chain=mul \
wait(full0) post(free0)
    TVP sync wait(full1)
    TVP vmap gy(slot){m:$nt, x:$dc}[m, x], g1(slot){m:$nt, x:$dc}[m, x], p{m:$nt, x:$dc}[m, 1], \
gs{m:$nt, x:$dc}[m, x] chain=madd wait(stored) post(free1, done)
    ST copy Y{m:$nt, x:$dc}[token + m, $dc*q + x] drop, gy(slot){m:$nt, x:$dc}[m, x] \
wait(done) post(stored)
    slot = (slot + 1) mod 2
  }
}
""")

#: The most bytes that a DMA word moves.
WORD = 1 << 18


def _divisor(total: int, unit_bytes: int, limit: int) -> int:
    """The largest divisor of `total` that makes at most `limit` bytes, at least 1."""
    fits = (n for n in range(1, total + 1) if total % n == 0 and n * unit_bytes <= limit)
    return max(fits, default=1)


def _shapes(size: dict[str, int], clusters: int, tiles: int, block: int) -> dict[str, int]:
    """Everything that follows from sizes and machine, by the names of the text."""
    t, e, d, f, half, k = (size[name] for name in ("t", "e", "d", "f", "half", "k"))
    everyone = clusters * tiles
    nt, nu, nd = cdiv(t, everyone), cdiv(f, everyone), cdiv(d, everyone)
    cap = align(t, 2 * half)
    places, fill = e * cap, WORD // 2
    grows = _divisor(2 * half, d * 2, WORD)
    hrows = _divisor(2 * half, f * 2, WORD)
    dc = _divisor(d, nt * 2, WORD // 2)
    return {
        **size, "t2": 2 * t, "elast": e - 1, "none": e + 1, "all": everyone, "all1": everyone + 1,
        "half4": 4 * half, "rows2": 2 * half, "rows2last": 2 * half - 1, "kd": d // k, "kf": f // k,
        "nt": nt, "nt2": 2 * nt, "nt2last": 2 * nt - 1, "seats": everyone * 2 * nt,
        "nu": nu, "nu2": 2 * nu, "nd": nd, "cap": cap, "places": places, "route": places + e,
        "share": cdiv(places + e, tiles), "eb": align(e, block), "nub": align(2 * nu, block),
        "ndb": align(nd, block), "grows": grows, "gwords": 2 * half // grows, "hrows": hrows,
        "hwords": 2 * half // hrows, "dc": dc, "cwords": d // dc,
        "fill": fill, "fill_all": fill * clusters,
        "ca_all": cap * d * 2, "ca_words": cdiv(cap * d * 2, fill),
        "hh_all": places * f, "hh_words": cdiv(places * f, fill * clusters),
        "hy_all": places * d, "hy_words": cdiv(places * d, fill * clusters),
        "ca_pitch": cap * d * 2, "w_pitch": align(max(2 * nu * d, nd * f) * 2, 64),
        "ta_pitch": align(half * k * 2, 64), "th_pitch": align(half * nu * 2, 64),
        "ty_pitch": align(half * nd * 2, 64), "g_pitch": align(nt * dc * 2, 64),
    }


def _addresses(n: dict[str, int], tsram_bytes: int) -> dict[str, int]:
    """Addresses: `p`, `pos` and `inv` keep theirs, each block lays out the rest anew."""
    t, e, d, f, nt, seats = (n[name] for name in ("t", "e", "d", "f", "nt", "seats"))
    kept = Space()
    at = {"p": kept.take(nt * 8), "pos": kept.take(seats * 4), "inv": kept.take(n["route"] * 4)}
    blocks = [
        {
            "tx": nt * d * 2, "twr": e * d * 2, "logit": nt * e * 4, "best": nt * 8,
            "who": nt * 8, "sum": nt * 4, "ids": seats * 4, "hot": seats * e * 4,
            "run": seats * e * 4, "base": n["all1"] * e * 4, "tok": seats * 4,
        },
        {"w": 2 * n["w_pitch"], "ta": 4 * n["ta_pitch"], "th": 4 * n["th_pitch"]},
        {"w": 2 * n["w_pitch"], "ta": 4 * n["ta_pitch"], "ty": 4 * n["ty_pitch"]},
        {name: 2 * n["g_pitch"] for name in ("g0", "g1", "gs", "gy")},
    ]
    for parts in blocks:
        space = Space(kept.at)
        at |= {name: space.take(bytes_) for name, bytes_ in parts.items()}
        if space.at > tsram_bytes:
            raise ValueError("the sizes do not fit TSRAM")
    hbm, csram = Space(), Space(2 * n["ca_pitch"])
    at |= {"call": csram.take(t * 8), "cinv": csram.take(n["route"] * 4)}
    tensors = {
        "at_x": t * d, "at_r": e * d, "at_1": e * 2 * f * d, "at_2": e * d * f, "at_y": t * d,
        "at_h": n["places"] * f, "at_e": n["places"] * d,
    }
    return at | {name: hbm.take(elements * 2) for name, elements in tensors.items()}


def source(target: str, **sizes: int) -> str:
    """The program; `half` rows are multiplied at a time, `k` divides d and f."""
    size = {**SIZES[target], **sizes}
    t, d, f = size["t"], size["d"], size["f"]
    mc = machine(target)
    if d % size["k"] or f % size["k"] or f > d:
        raise ValueError("k divides d and f, and f is at most d")
    n = _shapes(size, mc.clusters, mc.tiles, mc.int("ttu.block"))
    starts = {
        name: table(name, [min(total, part * i) for i in range(n["all"])])
        for name, total, part in (
            ("tokens", t, n["nt"]), ("ups", f, n["nu"]), ("downs", d, n["nd"])
        )
    }
    values = {**n, **_addresses(n, mc.space_bytes("tsram")), **starts, "target": target}
    return "".join(part.substitute(values) for part in (HEAD, ROUTE, UP, DOWN, COMBINE))
