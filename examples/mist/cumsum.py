"""Running sum of a long integer vector: Y[i] = X[0] + ... + X[i], int64, wrapping.

A running sum looks serial, and VSCAN is: its lanes take different rows, one row is a chain. So a
tile lays its segment out as `rows` rows of the 64-bit lanes, each row contiguous in X, and scans
all of them at once. Three sums then give every element its place:

1. within a row: VSCAN, chunk of columns by chunk of columns as they arrive (LD0); a chunk starts
   from the last column of the one before, which for the first lies outside the view and reads
   as 0;
2. rows before it: an exclusive VSCAN over the last column (a view shifted by one);
3. tiles before it: every tile stores its total to the CSRAM of all clusters, all tiles of the
   chip join (`joined`), each scans all totals and takes its own entry.

One VMAP a group of rows adds 2 and 3, and the store queue writes it: rows are contiguous. Integer
sums wrap, so every order gives the same bits.

maia200: 8 MiB in and out are 4,800 cycles of HBM; scanning and adding are 1,000 cycles of the
vector unit, most of it behind the transfers; latencies and the join add about 2,000.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, cdiv, machine, main, table

SIZES: Sizes = {
    "maia200": {"n": 1 << 20, "chunks": 4},
    "mini": {"n": 203, "chunks": 3},
}

TEXT = Template("""\
mist 1.0
target $target

# Y[i] = X[0] + ... + X[i] for $n elements; a tile has $rows rows of $cols.
input  X : int64[$n] @ $at_x
output Y : int64[$n] @ $at_y

block main {
  reg from = s0
  $starts
  buffer tx    : int64[$rows, $cols] @tsram $tx
  buffer ts    : int64[$rows, $cols] @tsram $ts
  buffer ty    : int64[$rows, $cols] @tsram $ty
  buffer above : int64[$rows]        @tsram $ta
  buffer total : int64[1]            @tsram $tt
  buffer tall  : int64[$all]         @tsram $tl
  buffer tsum  : int64[$all]         @tsram $tu
  buffer call  : int64[$all]         @csram 0x0

  sem loaded  : LD0 -> TVP tile
  sem totaled : TVP -> ST tile
  sem joined  : ST -> LD0 chip
  sem heard   : LD0 -> TVP tile
  sem summed  : TVP -> ST tile

  chain plus  : int64 = add(a, b)
  chain plus2 : int64 = add(a, b); add(r0, c)

  # where this tile's segment starts; from a table, since what is exchanged below is complete only
  # when the tiles are looked at one by one, as the prover does for ids in tables
  from = starts[gtile] on tile

  # 1: running sums of the rows, as the columns arrive
  at "scan the rows"
  loop c < $chunks on tile {
    LD0 copy tx{r:$rows, x:$cc}[r, $cc*c + x], X{r:$rows, x:$cc}[from + $cols*r + $cc*c + x] \
post(loaded)
    TVP vscan ts{r:$rows | x:$cc}[r, $cc*c + x], tx{r:$rows | x:$cc}[r, $cc*c + x], \
ts{r:$rows}[r, $cc*c - 1] op=add carry=1 wait(loaded)
  }

  # 2: sums of the rows above, and the total of the tile
  at "scan the rows' totals"
  TVP vscan above{ | r:$rows}[r], ts{ | r:$rows}[r - 1, $last] op=add
  TVP vmap total{}[0], above{}[$bottom], ts{}[$bottom, $last] chain=plus post(totaled)

  # 3: totals of all tiles, to all clusters
  at "exchange of the tiles' totals"
  ST copy call@[all]{}[gtile], total{}[0] wait(totaled) post(joined)
  LD0 copy tall{t:$all}[t], call{t:$all}[t] wait(joined) post(heard)
  TVP vscan tsum{ | t:$all}[t], tall{ | t:$all}[t - 1] op=add wait(heard)

  # groups of rows, which are contiguous in Y
  at "add back and store"
  loop g < $groups on tile {
    TVP vmap ty{r:$gr, x:$cols}[$gr*g + r, x], ts{r:$gr, x:$cols}[$gr*g + r, x], \
above{r:$gr, x:$cols}[$gr*g + r], tsum{r:$gr, x:$cols}[gtile] chain=plus2 post(summed)
    ST copy Y{x:$piece}[from + $piece*g + x] drop, ty{r:$gr, x:$cols}[$gr*g + r, x] \
wait(summed)
  }
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; the segment of a tile is worked on in `chunks` groups of columns."""
    size = {**SIZES[target], **sizes}
    n, chunks = size["n"], size["chunks"]
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    rows = mc.int("tvp.lanes64")
    cc = cdiv(n, everyone * rows * chunks)
    cols = cc * chunks
    starts = [min(n, i * rows * cols) for i in range(everyone)]
    groups = 4 if rows % 4 == 0 else 1
    bytes_ = rows * cols * 8
    if 3 * bytes_ + 64 * rows > mc.space_bytes("tsram") or rows * cc * 8 > 1 << 18:
        raise ValueError("n is too large for one pass")
    hbm, tsram = Space(), Space()
    return TEXT.substitute(
        target=target,
        n=n,
        rows=rows,
        cols=cols,
        cc=cc,
        chunks=chunks,
        starts=table("starts", starts),
        groups=groups,
        gr=rows // groups,
        piece=rows // groups * cols,
        last=cols - 1,
        bottom=rows - 1,
        all=everyone,
        at_x=hbm.take(n * 8),
        at_y=hbm.take(n * 8),
        tx=tsram.take(bytes_),
        ts=tsram.take(bytes_),
        ty=tsram.take(bytes_),
        ta=tsram.take(rows * 8),
        tt=tsram.take(8),
        tl=tsram.take(everyone * 8),
        tu=tsram.take(everyone * 8),
    )


if __name__ == "__main__":
    main(source, SIZES)
