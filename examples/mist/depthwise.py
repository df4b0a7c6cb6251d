"""Depthwise 3 x 3 convolution (stride 1, one ring of zeros) on the tensor unit, bf16, NHWC.

X is batch x h x w x c, W is 3 x 3 x c, Y has the shape of X. Each channel has its own nine weights,
so a matrix product seems to be no help. But for 32 channels together it is one:
    Y[(a, b), n] = sum over kh, kw, d of X[a + kh - 1, b + kw - 1, d] * D[kh, kw, d, n]
where D[kh, kw] is the diagonal matrix of the 32 weights. 31 of 32 multiplications are by zero, and
still the tensor unit takes 36 cycles for 1,024 results where the vector unit would take 72. (A zero
meets every number of its block: an infinity or NaN in one channel spreads to 31 others. Use the
vector unit where that can happen.)

D is built on the tile, from the plain weights: LD1 fills it with zeros and copies the weights
with a stride of 33 elements, which is the diagonal.

How the work is spread: an item is an image and a group of channels; items are dealt out in equal
runs by constant tables. An item lies in TSRAM with its ring of zeros, which LD1 writes once, as
nothing else writes there. It is loaded in pieces of a few rows (a token of `full` for each),
and TTU starts when it has the rows it needs: rows of a piece need the piece below too. Two
slots for items, two halves of the accumulators and two results keep all queues busy.

maia200: 72 images of 56 x 56 x 128 are 115.6 MB, 33,030 cycles of HBM; the tensor unit needs
28,224. Lost are the start, the end, and where loads and stores get in each other's way.
"""

from __future__ import annotations

from kit import Sizes, Space, align, cdiv, machine, main, runs, table

#: Images, their height and width, channels.
SIZES: Sizes = {
    "maia200": {"batch": 72, "h": 56, "w": 56, "c": 128},
    "mini": {"batch": 3, "h": 9, "w": 7, "c": 20},
}


def source(target: str, batch: int, h: int, w: int, c: int) -> str:
    """The program text."""
    mach = machine(target)
    block, room = mach.int("ttu.block"), mach.int("tsram.bytes")
    area = mach.int("ttu.acc_blocks") // 2 * block * block
    # channels of an item: as many as let two items fit, and a row of results the accumulators
    group = align(c, block)
    while group > block and (4 * (h + 2) * (w + 2) * group > room * 2 // 3 or w * group > area):
        group -= block
    tall = min(h, area // group // w, max(1, 65536 // (2 * w * group)))
    pieces, groups, blocks = cdiv(h, tall), cdiv(c, group), group // block
    first, count = runs(batch * groups, mach.tiles * mach.clusters)
    hbm, tsram = Space(unit=256), Space()
    high = pieces * tall + 2
    x_slot, y_slot = align(2 * high * (w + 2) * group, 64), align(2 * tall * w * group, 64)
    width = min(group, c)
    x_at, w_at = hbm.take(2 * batch * h * w * c), hbm.take(18 * c)
    x_ring, y_ring = tsram.take(2 * x_slot), tsram.take(2 * y_slot)
    matrices, square = groups * blocks, block * block
    d_at = tsram.take(18 * matrices * square)
    ring_x, ring_y = f"slots 2 pitch {x_slot:#x}", f"slots 2 pitch {y_slot:#x}"
    # rows of the last piece, which ends with the image
    done = tall * (pieces - 1)
    piece, ending = f"{{r:{tall}, j:{w}, d:{group}}}", f"{{r:{h - done}, j:{w}, d:{group}}}"
    positions, result = f"{{m:{tall * w} | n:{width}}}", f"{{a:{tall}, b:{w}, n:{width}}}"
    text = f"""\
mist 1.0
target {target}

# Y = depthwise conv3x3(X), padding 1: {group} channels and {tall} rows at a time
input  X : bf16[{batch}, {h}, {w}, {c}] @ {x_at:#x}
input  W : bf16[3, 3, {c}] @ {w_at:#x}
output Y : bf16[{batch}, {h}, {w}, {c}] @ {hbm.take(2 * batch * h * w * c):#x}

block main {{
  reg slot = s0
  reg half = s1
  reg item = s2
  reg items = s3
  reg image = s4
  reg chan = s5    # first channel
  reg base = s6    # number of the first block of channels
  reg need = s7    # pieces to wait for
  {table("t_first", first)}
  {table("t_items", count)}
  buffer tx : bf16[{high}, {w + 2}, {group}] @tsram {x_ring:#x} {ring_x}
  buffer ty : bf16[{tall * w}, {group}] @tsram {y_ring:#x} {ring_y}
  # diagonal matrices for all channels: block, position, row, column
  buffer diag : bf16[{matrices}, 9, {block}, {block}] @tsram {d_at:#x}
  buffer acc : fp32[{tall * w}, {group}] @acc 0x0 slots 2 pitch {4 * area:#x}
  sem ready   : LD1 -> TTU tile
  sem full    : LD0 -> TTU tile
  sem free    : TTU -> LD0 tile = 2
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 2
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 2
  chain convert : fp32 = mov(a)

  # the diagonals of the nine matrices of block g, and the weights that belong there
  desc diagonal = bf16 @tsram {d_at:#x} {{t:9, d:{block}}} \
[g < {matrices} by {18 * square}, t < 9 by {2 * square}, d < {block} by {2 * block + 2}]
  desc weights = bf16 @hbm {w_at:#x} {{t:9, d:{block}}}[t < 9 by {2 * c}, {block}*g + d < {c} by 2]

  # a block of channels: positions x (offset, channel) times (offset, channel) x channels
  desc sums = acc(half){{a:{tall}, b:{w} | n:{block}}}[{w}*a + b, {block}*cb + n]
  desc input = tx(slot){{a:{tall}, b:{w} | kh:3, kw:3, d:{block}}} \
[{tall}*p + a + kh, b + kw, {block}*cb + d]
  desc matrix = diag{{n:{block} | t:9, d:{block}}}[base + cb, t, d, n]

  at "diagonal matrices"
  loop g < {matrices} on tile {{
    LD1 fill diag{{t:9, d:{block}, n:{block}}}[g, t, d, n] value=0
    LD1 copy diagonal, weights
  }}
  at "rings of zeros"
  loop q < 2 on tile {{
    LD1 fill tx(q){{j:{w + 2}, d:{group}}}[0, j, d] value=0
    LD1 fill tx(q){{r:{high - h - 1}, j:{w + 2}, d:{group}}}[r + {h + 1}, j, d] value=0
    LD1 fill tx(q){{r:{h}, d:{group}}}[r + 1, 0, d] value=0
    LD1 fill tx(q){{r:{h}, d:{group}}}[r + 1, {w + 1}, d] value=0
  }}
  LD1 sync post(ready)
  TTU sync wait(ready)

  slot = 0 on tile
  half = 0 on tile
  item = t_first[gtile] on tile
  items = t_items[gtile] on tile
  loop i < items on tile {{
    image = (item) div {groups}
    base = (item) mod {groups}
    base = {blocks}*base
    chan = {block}*base
    at "load"
    LD0 sync wait(free)
    loop p < {pieces - 1} {{
      LD0 copy tx(slot){piece}[{tall}*p + r + 1, j + 1, d], \
X{piece}[image, {tall}*p + r, j, chan + d] post(full)
    }}
    # the last piece ends with the image
    LD0 copy tx(slot){ending}[r + {done + 1}, j + 1, d], \
X{ending}[image, r + {done}, j, chan + d] post(full)
    need = {min(2, pieces)}
    loop p < {pieces} {{
      at "convolution"
      loop token < need {{
        TTU sync wait(full)
      }}
      TTU sync wait(drained)
      loop cb < {blocks} {{
        TTU mm sums, input, matrix mode=over
      }}
      # the next rows need the piece below them, if there is one
      need = min({pieces - 2} - p, 1)
      TTU sync post(product)
      at "store"
      DRN accst ty(half){positions}[m, n], acc(half){positions}[m, n] chain=convert \
wait(product, stored) post(drained, result)
      ST copy Y{result}[image, {tall}*p + a, b, chan + n] drop, ty(half){result}[{w}*a + b, n] \
wait(result) post(stored)
      half = 1 - half
    }}
    TTU sync post(free)
    slot = 1 - slot
    item = item + 1
  }}
}}
"""
    if tsram.at > room:
        raise ValueError(f"an item does not fit the TSRAM of {mach.name}")
    return text


if __name__ == "__main__":
    main(source, SIZES)
