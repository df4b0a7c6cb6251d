"""The blocks of ``moe_prefill.py`` that go by tokens: `route` gives tokens their places in the
experts' buckets, `combine` adds up what the experts made of them."""

from __future__ import annotations

from string import Template

ROUTE = Template("""
block route {
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
  CLD bcast twr@[all]{n:$e, x:$d}[n, x], WR{n:$e, x:$d}[n, x] post(staged)
  LD0 fill inv{x:$route}[x] value=0
  TTU sync wait(staged)
  loop k < $kd on tile {
    LD0 copy tx{m:$nt, x:$k}[m, $k*k + x], X{m:$nt, x:$k}[$nt*gtile + m, $k*k + x] post(xfull)
    TTU mm acc{m:$nt | n:$e}[m, n], tx{m:$nt | x:$k}[m, $k*k + x], twr{n:$e | x:$k}[n, $k*k + x] \
mode=first level=k wait(xfull)
  }
  TTU sync post(scored)
  TVP vmap logit{m:$nt, n:$e}[m, n], acc{m:$nt, n:$e}[m, n] chain=copy wait(scored)
  TVP vtopk best{m:$nt | j:2}[m, j], who{m:$nt | j:2}[2*m + j], logit{m:$nt | n:$e}[m, n] k=2 \
post(chosen)
  TVP vmapr p{m:$nt | j:2}[m, j], sum{m:$nt}[m], best{m:$nt | j:2}[m, j], best{m:$nt | j:2}[m, 0] \
chain=expsum
  TVP vmap p{m:$nt, j:2}[m, j], p{m:$nt, j:2}[m, j], sum{m:$nt, j:2}[m] chain=over
  ST copy call@[all]{x:$nt2}[$nt2*gtile + x] drop, who{x:$nt2}[x] wait(chosen) post(joined)

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
  TVP viota tok{s:$all, m:$nt, j:2}[s, 2*m + j], \
int32 @iota 0 {s:$all, m:$nt, j:2}[$nt*s + m < $seats]
  TVP vmap hot{s:$all, n:$e, x:$nt2}[s, n, x], ids{s:$all, n:$e, x:$nt2}[s, x], \
int32 @iota 0 {s:$all, n:$e, x:$nt2}[n < $e] chain=is wait(heard)
  TVP vscan run{s:$all, n:$e | x:$nt2}[s, n, x], hot{s:$all, n:$e | x:$nt2}[s, n, x] op=add
  TVP vscan base{n:$e | s:$all1}[s, n], run{n:$e | s:$all1}[s - 1, n, $nt2last] op=add
  TVP vmap run{s:$all, n:$e, x:$nt2}[s, n, x], run{s:$all, n:$e, x:$nt2}[s, n, x], \
base{s:$all, n:$e, x:$nt2}[s, n], hot{s:$all, n:$e, x:$nt2}[s, n, x] chain=rank
  TVP vred pos{s:$all, x:$nt2}[s, x], run{s:$all, x:$nt2 | n:$e}[s, n, x] op=sum
  TVP vmap pos{s:$all, x:$nt2}[s, x], ids{s:$all, x:$nt2}[s, x], pos{s:$all, x:$nt2}[s, x] \
chain=place
  TVP vscatter inv{}[0], tok{s:$all, x:$nt2}[s, x], pos{s:$all, x:$nt2}[s, x] oob=fill op=set
  TVP vmap inv{n:$e}[$places + n], base{n:$e}[$all, n] chain=same post(placed)
  ST copy cinv{x:$share}[$share*tile + x] drop, inv{x:$share}[$share*tile + x] wait(placed)
}
""")

COMBINE = Template("""
block combine {
  reg slot = s0
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
  slot = 0 on tile
  loop q < $cwords on tile {
    LD0 gather g0(slot){m:$nt | x:$dc}[m, x], hy{ | x:$dc}[0, $dc*q + x], pos{m:$nt}[gtile, 2*m] \
oob=fill wait(free0) post(full0)
    LD1 gather g1(slot){m:$nt | x:$dc}[m, x], hy{ | x:$dc}[0, $dc*q + x], \
pos{m:$nt}[gtile, 2*m + 1] oob=fill wait(free1) post(full1)
    TVP vmap gs{m:$nt, x:$dc}[m, x], g0(slot){m:$nt, x:$dc}[m, x], p{m:$nt, x:$dc}[m, 0] chain=mul \
wait(full0) post(free0)
    TVP sync wait(full1)
    TVP vmap gy(slot){m:$nt, x:$dc}[m, x], g1(slot){m:$nt, x:$dc}[m, x], p{m:$nt, x:$dc}[m, 1], \
gs{m:$nt, x:$dc}[m, x] chain=madd wait(stored) post(free1, done)
    ST copy Y{m:$nt, x:$dc}[$nt*gtile + m, $dc*q + x] drop, gy(slot){m:$nt, x:$dc}[m, x] \
wait(done) post(stored)
    slot = (slot + 1) mod 2
  }
}
""")
