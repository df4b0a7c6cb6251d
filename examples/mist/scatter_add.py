"""Scatter-add of rows: Y = X, then Y[index[i], :] += U[i, :] for i rising; fp32.

The gradient of an embedding, or ONNX ScatterND with reduction "add". Indices may repeat, in any
order, so two queues must not scatter into one place. The work is therefore dealt by *columns*:
a tile owns the columns of a slice, for all rows, and its own store queue is the only one that
ever touches them. Sums have the order of i, whatever the timing.

A slice is 64 bytes wide, one burst of HBM, so that reading column slices wastes nothing. Tile t
takes slices t, t + tiles, ...; for each, LD0 loads the slice of X into TSRAM (`ty`), LD1 streams
the slice of U through three slots (`tu`), and ST scatters slot by slot into `ty` with op=add.
The finished slice is stored to Y. Two slices are in TSRAM in turn: while one is scattered and
stored, the next is loaded. All indices are loaded once (LD1).

A row whose index lies outside of 0 .. v-1 is dropped, as are the rows behind the last (index -1).

maia200: 8192 x 1024 with 4096 updates moves 84 MB, 24,000 cycles of HBM. A scatter of 512 rows
costs 1,024 cycles of the store queue (two for every row), 8,192 a slice, the stores 2,048 more;
28 of the tiles have two slices, 20,500 cycles, behind HBM but for the first load.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"v": 8192, "c": 1024, "n": 4096, "rows": 512},
    "mini": {"v": 83, "c": 75, "n": 51, "rows": 16},
}

TEXT = Template("""\
mist 1.0
target $target

# Y[$v, $c] = X, with the rows U[$n, $c] added at index[$n].
input  X     : fp32[$v, $c] @ $at_x
input  U     : fp32[$n, $c] @ $at_u
input  index : int32[$n] @ $at_i
output Y     : fp32[$v, $c] @ $at_y

block main {
  reg count = s0
  reg slice = s1
  reg slot  = s2
  buffer ti : int32[$npad]       @tsram $ti
  buffer ty : fp32[$v, $w]       @tsram $ty slots 2 pitch $ty_pitch
  buffer tu : fp32[$rows, $w]    @tsram $tu slots 3 pitch $tu_pitch

  sem indexed : LD1 -> ST tile
  sem loaded  : LD0 -> ST tile
  sem stored  : ST -> LD0 tile = 2
  sem full    : LD1 -> ST tile
  sem free    : ST -> LD1 tile = 3

  at "indices"
  LD1 copy ti{i:$npad}[i], index{i:$npad}[i] fill -1 post(indexed)
  ST sync wait(indexed)
  # this tile has slices gtile, gtile + $all, ...
  count = ($rest - gtile) div $all on tile
  slice = 0 on tile
  slot = 0 on tile
  loop turn < count on tile {
    # the slice of X, by words of $vr rows
    at "load a slice"
    LD0 sync wait(stored)
    loop r < $vwords on tile {
      LD0 copy ty(slice){v:$vr, w:$w}[$vr*r + v, w] drop, \
X{v:$vr, w:$w}[$vr*r + v, $wall*turn + $w*gtile + w]
    }
    LD0 sync post(loaded)

    # add the rows of U in their order; -1 marks rows behind the last
    at "scatter"
    ST sync wait(loaded)
    loop u < $uwords on tile {
      LD1 copy tu(slot){r:$rows, w:$w}[r, w], \
U{r:$rows, w:$w}[$rows*u + r, $wall*turn + $w*gtile + w] wait(free) post(full)
      ST scatter ty(slice){ | w:$w}[0, w], tu(slot){r:$rows | w:$w}[r, w], \
ti{r:$rows}[$rows*u + r] oob=fill op=add wait(full) post(free)
      slot = (slot + 1) mod 3
    }

    at "store a slice"
    loop r < $vwords on tile {
      ST copy Y{v:$vr, w:$w}[$vr*r + v, $wall*turn + $w*gtile + w] drop, \
ty(slice){v:$vr, w:$w}[$vr*r + v, w]
    }
    ST sync post(stored)
    slice = (slice + 1) mod 2
  }
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; `rows` rows of U are scattered by a word."""
    size = {**SIZES[target], **sizes}
    v, c, n, rows = (size[name] for name in ("v", "c", "n", "rows"))
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    w = mc.int("hbm.burst") // 4
    slices = cdiv(c, w)
    vr = cdiv(v, cdiv(v, max(1, (1 << 16) // (4 * w))))
    uwords = cdiv(n, rows)
    hbm, tsram = Space(), Space()
    ty_pitch, tu_pitch = v * w * 4, rows * w * 4
    addresses = {
        "ti": tsram.take(uwords * rows * 4),
        "ty": tsram.take(2 * ty_pitch),
        "tu": tsram.take(3 * tu_pitch),
    }
    if tsram.at > mc.space_bytes("tsram"):
        raise ValueError("v is too large")
    return TEXT.substitute(
        target=target,
        v=v,
        c=c,
        n=n,
        rows=rows,
        w=w,
        rest=slices + everyone - 1,
        all=everyone,
        vr=vr,
        vwords=cdiv(v, vr),
        uwords=uwords,
        npad=uwords * rows,
        wall=w * everyone,
        at_x=hbm.take(v * c * 4),
        at_u=hbm.take(n * c * 4),
        at_i=hbm.take(n * 4),
        at_y=hbm.take(v * c * 4),
        ty_pitch=ty_pitch,
        tu_pitch=tu_pitch,
        **addresses,
    )


if __name__ == "__main__":
    main(source, SIZES)
