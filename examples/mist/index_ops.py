"""Integer index arithmetic, masks, and a Where of rank 6: three blocks of one program.

Block `index`, int64. K[i] = (j mod w) * h + floor(j / w) with j = I[i], or I[i] + w * h where
I[i] is negative: the position in a transposed w-wide table of an index that may count from the
end. Chains of the integer class compute in int64; three of them, of at most three stages, are the
whole sum.

Block `mask`. P = S where M is true, -inf elsewhere, and -inf behind the diagonal: a padding mask
that is data (`select`) and a causal mask that is geometry (VSEL: inside where row - column >= 0).

Block `where`. Z[a, b, c, d, e, f] = C[a, c, e] ? X[b, d, f] : Y[a, b, c, d, e, f]. No two
neighbouring axes broadcast alike, so nothing can be merged. Z is walked item by item (a, b, c);
within an item (d, e, f) are window dims, and C and X are views whose missing dims have step 0.
Both are small and are broadcast to all tiles once.

Every block deals its work in words of one item: tile t takes items t, t + tiles, ..., LD0 loads,
the vector unit computes, ST stores, in rings of three slots. The number of items a tile has
(`count`) comes from its number, the last item is clipped by the extents.

maia200: 4 + 21 + 75 MB of traffic are 28,800 cycles of HBM; int64 division, 3 passes on 64 lanes,
keeps `index` at 1,000 cycles.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {
        "n": 1 << 18,
        "w": 640,
        "h": 480,
        "chunk": 4096,
        "q": 2048,
        "k": 2048,
        "rows": 16,
        "a": 8,
        "b": 9,
        "c": 4,
        "d": 32,
        "e": 32,
        "f": 64,
    },
    "mini": {
        "n": 203,
        "w": 11,
        "h": 7,
        "chunk": 16,
        "q": 21,
        "k": 19,
        "rows": 4,
        "a": 2,
        "b": 3,
        "c": 3,
        "d": 2,
        "e": 5,
        "f": 4,
    },
}

TEXT = Template("""\
mist 1.0
target $target

input  I : int64[$n] @ $at_i
output K : int64[$n] @ $at_k
input  S : bf16[$q, $k] @ $at_s
input  M : bool[$q, $k] @ $at_m
output P : bf16[$q, $k] @ $at_p
input  C : bool[$a, 1, $c, 1, $e, 1] @ $at_c
input  X : bf16[1, $b, 1, $d, 1, $f] @ $at_x
input  Y : bf16[$a, $b, $c, $d, $e, $f] @ $at_y
output Z : bf16[$a, $b, $c, $d, $e, $f] @ $at_z

# K[i] = (j mod $w) * $h + floor(j / $w), j = I[i] counted from the end if negative
block index {
  reg count = s0
  reg slot  = s1
  buffer ti : int64[$chunk] @tsram 0x0 slots 3 pitch $i_pitch
  buffer tk : int64[$chunk] @tsram $tk slots 3 pitch $i_pitch
  buffer tr : int64[$chunk] @tsram $tr

  sem full   : LD0 -> TVP tile
  sem free   : TVP -> LD0 tile = 3
  sem done   : TVP -> ST tile
  sem stored : ST -> TVP tile = 3

  chain wrap : int64 = lt(a, 0); add(a, $wh); select(r0, r1, a)
  chain row  : int64 = divf(a, $w)
  chain turn : int64 = modf(a, $w); mul(r0, $h); add(r1, b)

  at "index arithmetic"
  count = ($i_rest - gtile) div $all on tile
  slot = 0 on tile
  loop i < count on tile {
    LD0 copy ti(slot){x:$chunk}[x], I{x:$chunk}[$i_stride*i + $chunk*gtile + x] wait(free) \
post(full)
    TVP vmap ti(slot){x:$chunk}[x], ti(slot){x:$chunk}[x] chain=wrap wait(full)
    TVP vmap tr{x:$chunk}[x], ti(slot){x:$chunk}[x] chain=row
    TVP vmap tk(slot){x:$chunk}[x], ti(slot){x:$chunk}[x], tr{x:$chunk}[x] chain=turn wait(stored) \
post(free, done)
    ST copy K{x:$chunk}[$i_stride*i + $chunk*gtile + x] drop, tk(slot){x:$chunk}[x] wait(done) \
post(stored)
    slot = (slot + 1) mod 3
  }
}

# P = S where M and not behind the diagonal, else -inf; $rows rows an item
block mask {
  reg count = s0
  reg slot  = s1
  buffer ts : bf16[$rows, $k] @tsram 0x0 slots 3 pitch $s_pitch
  buffer tm : bool[$rows, $k] @tsram $tm slots 3 pitch $s_pitch
  buffer tp : bf16[$rows, $k] @tsram $tp slots 3 pitch $s_pitch

  sem full   : LD0 -> TVP tile
  sem masked : LD1 -> TVP tile
  sem free0  : TVP -> LD0 tile = 3
  sem free1  : TVP -> LD1 tile = 3
  sem done   : TVP -> ST tile
  sem stored : ST -> TVP tile = 3

  chain pick : fp32 = select(a, b, -inf)
  # row - column of item i: inside from the diagonal on
  desc causal = bool @iota 0 {r:$rows, x:$k}[$s_stride*i + $rows*gtile + r - x < $far] bits 0xff80

  at "mask"
  count = ($s_rest - gtile) div $all on tile
  slot = 0 on tile
  loop i < count on tile {
    LD0 copy ts(slot){r:$rows, x:$k}[r, x], S{r:$rows, x:$k}[$s_stride*i + $rows*gtile + r, x] \
wait(free0) post(full)
    LD1 copy tm(slot){r:$rows, x:$k}[r, x], M{r:$rows, x:$k}[$s_stride*i + $rows*gtile + r, x] \
wait(free1) post(masked)
    TVP sync wait(full, masked)
    TVP vmap ts(slot){r:$rows, x:$k}[r, x], tm(slot){r:$rows, x:$k}[r, x], \
ts(slot){r:$rows, x:$k}[r, x] chain=pick post(free1)
    TVP vsel tp(slot){r:$rows, x:$k}[r, x], ts(slot){r:$rows, x:$k}[r, x], causal wait(stored) \
post(free0, done)
    ST copy P{r:$rows, x:$k}[$s_stride*i + $rows*gtile + r, x] drop, tp(slot){r:$rows, x:$k}[r, x] \
wait(done) post(stored)
    slot = (slot + 1) mod 3
  }
}

# Z = C ? X : Y, item (a, b, c) by item
block where {
  reg count = s0
  reg slot  = s1
  reg item  = s2
  reg a     = s3
  reg b     = s4
  reg c     = s5
  buffer tc : bool[$a, $c, $e] @tsram $tc
  buffer tx : bf16[$b, $d, $f] @tsram $tx
  buffer ty : bf16[$d, $e, $f] @tsram $ty slots 3 pitch $y_pitch
  buffer tz : bf16[$d, $e, $f] @tsram $tz slots 3 pitch $y_pitch

  sem staged : CLD -> TVP cluster
  sem full   : LD0 -> TVP tile
  sem free   : TVP -> LD0 tile = 3
  sem done   : TVP -> ST tile
  sem stored : ST -> TVP tile = 3

  chain pick : fp32 = select(a, b, c)

  at "broadcast operands"
  CLD bcast tc@[all]{a:$a, c:$c, e:$e}[a, c, e], bool @hbm $at_c {x:$ace}[x < $ace by 1]
  CLD bcast tx@[all]{b:$b, d:$d, f:$f}[b, d, f], bf16 @hbm $at_x {x:$bdf}[x < $bdf by 2] \
post(staged)
  TVP sync wait(staged)

  at "where"
  count = ($y_rest - gtile) div $all on tile
  slot = 0 on tile
  loop i < count on tile {
    item = $all*i + gtile
    a = (item) div $bc
    b = (item) div $c
    b = (b) mod $b
    c = (item) mod $c
    LD0 copy ty(slot){d:$d, e:$e, f:$f}[d, e, f], \
bf16 @hbm $at_y + $item_bytes*item {x:$inner}[x < $inner by 2] wait(free) post(full)
    TVP sync wait(full)
    TVP vmap tz(slot){d:$d, e:$e, f:$f}[d, e, f], tc{d:$d, e:$e, f:$f}[a, c, e], \
tx{d:$d, e:$e, f:$f}[b, d, f], ty(slot){d:$d, e:$e, f:$f}[d, e, f] chain=pick wait(stored) \
post(free, done)
    ST copy bf16 @hbm $at_z + $item_bytes*item {x:$inner}[x < $inner by 2], \
tz(slot){d:$d, e:$e, f:$f}[d, e, f] wait(done) post(stored)
    slot = (slot + 1) mod 3
  }
}

control {
  call index
  call mask
  call where
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; `chunk` elements, `rows` rows of the mask, (d, e, f) of Z are an item."""
    size = {**SIZES[target], **sizes}
    n, q, k, chunk, rows = (size[name] for name in ("n", "q", "k", "chunk", "rows"))
    a, b, c, d, e, f = (size[name] for name in "abcdef")
    everyone = machine(target).clusters * machine(target).tiles
    hbm, first, second, third = Space(), Space(), Space(), Space()
    i_pitch, s_pitch = align(chunk * 8, 64), align(rows * k * 2, 64)
    y_pitch, inner = align(d * e * f * 2, 64), d * e * f
    first.take(3 * i_pitch)
    second.take(3 * s_pitch)
    return TEXT.substitute(
        target=target,
        all=everyone,
        n=n,
        w=size["w"],
        h=size["h"],
        wh=size["w"] * size["h"],
        chunk=chunk,
        i_pitch=i_pitch,
        i_stride=chunk * everyone,
        i_rest=cdiv(n, chunk) + everyone - 1,
        tk=first.take(3 * i_pitch),
        tr=first.take(i_pitch),
        q=q,
        k=k,
        rows=rows,
        s_pitch=s_pitch,
        s_stride=rows * everyone,
        s_rest=cdiv(q, rows) + everyone - 1,
        far=align(q, rows * everyone),
        tm=second.take(3 * s_pitch),
        tp=second.take(3 * s_pitch),
        a=a,
        b=b,
        c=c,
        d=d,
        e=e,
        f=f,
        bc=b * c,
        ace=a * c * e,
        bdf=b * d * f,
        inner=inner,
        item_bytes=inner * 2,
        y_pitch=y_pitch,
        y_rest=a * b * c + everyone - 1,
        tc=third.take(a * c * e),
        tx=third.take(b * d * f * 2),
        ty=third.take(3 * y_pitch),
        tz=third.take(3 * y_pitch),
        at_i=hbm.take(n * 8),
        at_k=hbm.take(n * 8),
        at_s=hbm.take(q * k * 2),
        at_m=hbm.take(q * k),
        at_p=hbm.take(q * k * 2),
        at_c=hbm.take(a * c * e),
        at_x=hbm.take(b * d * f * 2),
        at_y=hbm.take(a * b * c * inner * 2),
        at_z=hbm.take(a * b * c * inner * 2),
    )


if __name__ == "__main__":
    main(source, SIZES)
