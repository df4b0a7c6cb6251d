"""Positions of the elements that are not zero: ONNX NonZero of X fp32[r, c].

I[0, j] and I[1, j] are row and column of the j-th element that is not zero, in row-major order,
for j below count[0]; behind them both are 0. How many there are only the data say, so I has room
for all, and the program finds out while it runs.

Compact. A tile has a segment of X. It compares, scans the hits (as `rows` rows, then over the
rows' totals, as cumsum.py does) and scatters the flat positions of hits to the front of a list
of its own (VSCATTER; what is no hit has index -1 and is dropped). List and count go to the CSRAM
of all clusters; all tiles join.

Collect. A tile writes its share of the answer, places p*gtile .. p*gtile + p - 1. From the
scanned counts `ends` it finds the first and the last list that reach into its share (compare and
sum), loads both numbers (`sld`) and loops over just these lists: each is copied to where it
belongs in `out`, clipped at both ends. Shares are disjoint whatever the data, which a scatter
into one tensor would not be.

Finish. Flat positions become rows and columns by integer division; the store queue writes the
share, tile 0 the count.

maia200: a mask of 512 x 512: 1 MB in and 4 MB out are 1,500 cycles of HBM; latencies, the join and
the chain of small vector instructions make about 4,500.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"r": 512, "c": 512},
    "mini": {"r": 13, "c": 17},
}

TEXT = Template("""\
mist 1.0
target $target

# I[2, $n], count[1]: where X[$r, $c] is not zero.
input  X     : fp32[$r, $c] @ $at_x
output I     : int64[2, $n] @ $at_i
output count : int64[1] @ $at_n

block main {
  reg lists = s0
  reg low   = s2
  reg which = s3
  reg start = s4
  reg length = s5
  reg first = s6
  buffer tx    : fp32[$rows, $cols]  @tsram $tx
  buffer hit   : int32[$rows, $cols] @tsram $hit
  buffer run   : int32[$rows, $cols] @tsram $run
  buffer above : int32[$rows]        @tsram $above
  buffer flat  : int32[$seg]         @tsram $flat
  buffer list  : int32[$seg]         @tsram $list
  buffer many  : int32[1]            @tsram $many
  buffer tall  : int32[$all]         @tsram $tall
  buffer ends  : int32[$all1]        @tsram $ends
  buffer flag  : int32[2, $all]      @tsram $flag
  buffer range : int32[2]            @tsram $range
  buffer out   : int32[$p]           @tsram $out
  buffer rc    : int64[2, $p]        @tsram $rc
  buffer total : int64[1]            @tsram $total
  buffer lall  : int32[$all, $seg]   @csram $lall
  buffer call  : int32[$all]         @csram $call

  sem loaded    : LD0 -> TVP tile
  sem compacted : TVP -> ST tile
  sem joined    : ST -> LD0 chip
  sem heard     : LD0 -> TVP tile
  sem ranged    : TVP -> TCP tile
  sem collected : LD0 -> TVP tile
  sem done      : TVP -> ST tile

  chain hits   : fp32 = ne(a, 0.0)
  chain plus   : int32 = add(a, b)
  chain place  : int32 = add(a, b); add(r0, -1); select(c, r1, -1)
  chain upto   : int32 = le(a, b)
  chain below  : int32 = lt(a, b)
  chain row    : int32 = divf(a, $c)
  chain column : int32 = modf(a, $c)

  # hits of this tile's segment, and how many stand before each
  at "compact"
  LD0 fill list{x:$seg}[x] value=0
  LD0 fill out{x:$p}[x] value=0
  LD0 copy tx{r:$rows, x:$cols}[r, x], fp32 @hbm $at_x {x:$seg}[$seg*gtile + x < $n by 4] \
post(loaded)
  TVP viota flat{x:$seg}[x], int32 @iota 0 {x:$seg}[$seg*gtile + x < $end]
  TVP vmap hit{r:$rows, x:$cols}[r, x], tx{r:$rows, x:$cols}[r, x] chain=hits wait(loaded)
  TVP vscan run{r:$rows | x:$cols}[r, x], hit{r:$rows | x:$cols}[r, x] op=add
  TVP vscan above{ | r:$rows}[r], run{ | r:$rows}[r - 1, $last] op=add
  TVP vmap many{}[0], above{}[$bottom], run{}[$bottom, $last] chain=plus
  TVP vmap run{r:$rows, x:$cols}[r, x], run{r:$rows, x:$cols}[r, x], above{r:$rows, x:$cols}[r], \
hit{r:$rows, x:$cols}[r, x] chain=place
  TVP vscatter list{}[0], flat{x:$seg}[x], run{r:$rows, x:$cols}[r, x] oob=fill op=set \
post(compacted)

  at "exchange"
  ST copy lall@[all]{x:$seg}[gtile, x], list{x:$seg}[x] wait(compacted)
  ST copy call@[all]{}[gtile], many{}[0] post(joined)
  LD0 copy tall{t:$all}[t], call{t:$all}[t] wait(joined) post(heard)

  # ends[t]: hits before list t; lists low .. low + lists - 1 reach into this tile's share
  at "collect"
  TVP vscan ends{ | t:$all1}[t], tall{ | t:$all1}[t - 1] op=add wait(heard)
  TVP vmap flag{t:$all}[0, t], ends{t:$all}[t + 1], int32 @iota 0 {t:$all}[$p*gtile < $end] \
chain=upto
  TVP vmap flag{t:$all}[1, t], ends{t:$all}[t], int32 @iota 0 {t:$all}[$p*gtile + $p < $end] \
chain=below
  TVP vred range{i:2}[i], flag{i:2 | t:$all}[i, t] op=sum post(ranged)
  low = sld range{}[0] wait(ranged) in 0..$all on tile
  which = sld range{}[1] in 0..$all on tile
  lists = which - low on tile
  loop i < lists on tile {
    which = min(low + i, $lastlist)
    start = sld ends{}[which] in 0..$n on tile
    length = sld tall{}[which] in 0..$seg on tile
    start = start - $p*gtile
    LD0 copy out{x:length of $seg}[start + x] drop, lall{x:length of $seg}[which, x]
  }
  LD0 sync post(collected)

  # rows and columns; tile 0 also writes the count
  at "write"
  first = max(1 - gtile, 0) on tile
  TVP vmap rc{x:$p}[0, x], out{x:$p}[x] chain=row wait(collected)
  TVP vmap rc{x:$p}[1, x], out{x:$p}[x] chain=column
  TVP vcvt total{}[0], ends{}[$all] post(done)
  ST copy I{i:2, x:$p}[i, $p*gtile + x] drop, rc{i:2, x:$p}[i, x] wait(done)
  ST copy count{x:first of 1}[x], total{x:first of 1}[x]
}
""")


def source(target: str, **sizes: int) -> str:
    """The program for X[r, c]."""
    size = {**SIZES[target], **sizes}
    r, c = size["r"], size["c"]
    n = r * c
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    rows = mc.int("tvp.lanes32")
    cols = cdiv(n, everyone * rows)
    seg, p = rows * cols, cdiv(n, everyone)
    if seg * 4 > 1 << 18 or everyone * seg * 4 > mc.space_bytes("csram") // 2:
        raise ValueError("X is too large for one pass")
    hbm, tsram, csram = Space(), Space(), Space()
    parts = {
        "tx": seg * 4,
        "hit": seg * 4,
        "run": seg * 4,
        "above": rows * 4,
        "flat": seg * 4,
        "list": seg * 4,
        "many": 4,
        "tall": everyone * 4,
        "ends": everyone * 4 + 4,
        "flag": everyone * 8,
        "range": 8,
        "out": p * 4,
        "rc": p * 16,
        "total": 8,
    }
    addresses = {name: tsram.take(bytes_) for name, bytes_ in parts.items()}
    return TEXT.substitute(
        target=target,
        r=r,
        c=c,
        n=n,
        rows=rows,
        cols=cols,
        seg=seg,
        p=p,
        last=cols - 1,
        bottom=rows - 1,
        all=everyone,
        all1=everyone + 1,
        lastlist=everyone - 1,
        end=everyone * (seg + p) + 1,
        at_x=hbm.take(n * 4),
        at_i=hbm.take(n * 16),
        at_n=hbm.take(8),
        lall=csram.take(everyone * seg * 4),
        call=csram.take(everyone * 4),
        **addresses,
    )


if __name__ == "__main__":
    main(source, SIZES)
