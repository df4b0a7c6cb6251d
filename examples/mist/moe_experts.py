"""The blocks of ``moe_prefill.py`` that go by experts: `up` makes the hidden rows of every bucket,
`down` the results.

``moe_prefill.py`` explains how buckets, weights and pairs of slots take turns.
"""

from __future__ import annotations

from string import Template

UP = Template("""
block up {
  reg blocks = s0
  reg set    = s1
  reg other  = s2
  reg slot   = s3
  reg more   = s4
  reg count  = s5
  reg h      = s6
  reg rows   = s7
  buffer p    : fp32[$nt, 2]        @tsram $p
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
  sem gathered : CLD -> CST cluster
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

  at "gather the rows of an expert"
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
    CLD sync post(full, gathered)
    # a part of the next block's results
    CST sync wait(gathered)
    loop j < $hy_words {
      CST fill bf16 @hbm $at_e \
{x:$hy_fill}[$hy_part*i + $hy_row*j + $hy_fill*cluster + x < $hy_all by 2] drop value=0
    }
    set = 1 - set
  }

  at "gate and up projections"
  # any numbers: rows behind an expert's tokens are read, but nobody needs them
  TTU accld acc{m:$half4 | n:$nu2}[m, n], p{m:$half4 | n:$nu2}[0, 0]
  LD1 sync wait(wfree)
  loop q < $kd on tile {
    LD1 copy tw(0){g:2, n:$nu, x:$k}[g, n, $k*q + x], \
W1{g:2, n:$nu, x:$k}[0, g, $nu*gtile + n, $k*q + x]
  }
  LD1 sync post(wfull)
  loop i < $e on tile {
    # this expert's bucket and weights are here
    blocks = sld inv{}[$places + i] wait(wfull) in 0..$t
    count = sld inv{}[$places + i] wait(full) in 0..$t
    blocks = (count + $halflast) div $half
    # weights of the next expert
    more = min($elast - i, 1)
    other = 1 - set
    loop z < more {
      LD1 sync wait(wfree)
      loop q < $kd {
        LD1 copy tw(other){g:2, n:$nu, x:$k}[g, n, $k*q + x], \
W1{g:2, n:$nu, x:$k}[i + 1, g, $nu*gtile + n, $k*q + x]
      }
      LD1 sync post(wfull)
    }
    # its blocks
    LD0 sync wait(aidle)
    TTU sync wait(accidle)
    TVP sync wait(hidle)
    loop m < blocks {
      slot = ($kd*m) mod 2
      h = (m) mod 2
      rows = min(count - $half*m, $half)
      rows = max(rows, 0)
      TTU sync wait(accfree)
      loop k < $kd {
        LD0 copy ta(2*set + slot){r:$half, x:$k}[r, x], \
ca(set){r:$half, x:$k}[$half*m + r, $k*k + x] wait(afree) post(afull)
        TTU mm acc{m:rows of $half | n:$nu2}[$rows2*set + $half*h + m, n], \
ta(2*set + slot){m:rows of $half | x:$k}[m, x], tw(set){g:2, n:$nu | x:$k}[g, n, $k*k + x] \
mode=first level=k wait(afull) post(afree)
        slot = (slot + 1) mod 2
      }
      TTU sync post(product)
      TVP vmap th(2*set + h){r:$half, n:$nu}[r, n], \
acc{r:$half, n:$nu}[$rows2*set + $half*h + r, n], \
acc{r:$half, n:$nu}[$rows2*set + $half*h + r, $nu + n] chain=swiglu wait(product, hfree) \
post(accfree, hfull)
      ST copy hh{r:$half, n:$nu}[$cap*i + $half*m + r, $nu*gtile + n] drop, \
th(2*set + h){r:$half, n:$nu}[r, n] wait(hfull) post(hfree)
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
  reg set    = s1
  reg other  = s2
  reg slot   = s3
  reg more   = s4
  reg count  = s5
  reg h      = s6
  reg rows   = s7
  buffer p    : fp32[$nt, 2]        @tsram $p
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
  TTU accld acc{m:$half4 | n:$nd}[m, n], p{m:$half4 | n:$nd}[0, 0]
  LD1 sync wait(wfree)
  loop q < $kf on tile {
    LD1 copy tw(0){n:$nd, x:$k}[n, $k*q + x], W2{n:$nd, x:$k}[0, $nd*gtile + n, $k*q + x]
  }
  LD1 sync post(wfull)
  loop i < $e on tile {
    # this expert's bucket and weights are here
    blocks = sld inv{}[$places + i] wait(wfull) in 0..$t
    count = sld inv{}[$places + i] wait(full) in 0..$t
    blocks = (count + $halflast) div $half
    # weights of the next expert
    more = min($elast - i, 1)
    other = 1 - set
    loop z < more {
      LD1 sync wait(wfree)
      loop q < $kf {
        LD1 copy tw(other){n:$nd, x:$k}[n, $k*q + x], \
W2{n:$nd, x:$k}[i + 1, $nd*gtile + n, $k*q + x]
      }
      LD1 sync post(wfull)
    }
    # its blocks
    LD0 sync wait(aidle)
    TTU sync wait(accidle)
    DRN sync wait(yidle)
    loop m < blocks {
      slot = ($kf*m) mod 2
      h = (m) mod 2
      rows = min(count - $half*m, $half)
      rows = max(rows, 0)
      TTU sync wait(accfree)
      loop k < $kf {
        LD0 copy ta(2*set + slot){r:$half, x:$k}[r, x], \
ca(set){r:$half, x:$k}[$half*m + r, $k*k + x] wait(afree) post(afull)
        TTU mm acc{m:rows of $half | n:$nd}[$rows2*set + $half*h + m, n], \
ta(2*set + slot){m:rows of $half | x:$k}[m, x], tw(set){n:$nd | x:$k}[n, $k*k + x] \
mode=first level=k wait(afull) post(afree)
        slot = (slot + 1) mod 2
      }
      TTU sync post(product)
      DRN accst ty(2*set + h){m:$half | n:$nd}[m, n], \
acc{m:$half | n:$nd}[$rows2*set + $half*h + m, n] chain=copy wait(product, yfree) \
post(accfree, yfull)
      ST copy hy{r:$half, n:$nd}[$cap*i + $half*m + r, $nd*gtile + n] drop, \
ty(2*set + h){r:$half, n:$nd}[r, n] wait(yfull) post(yfree)
    }
    LD0 sync post(empty)
    TTU sync post(wfree, aidle)
    DRN sync post(accidle)
    ST sync post(yidle)
    set = 1 - set
  }
}
""")
