"""Y = 3 x 3 convolution of X with stride 2 and one ring of zeros around it, bf16, NHWC.

X is batch x h x w x c, W is 3 x 3 x c x o, Y is batch x (h+1)/2 x (w+1)/2 x o. Nothing is
unfolded in memory: the multiply reads rows of a matrix that exists only as a view,
    A[(a, b) | d] = tile[2*a + kh, 2*b + kw, d],
for each of the nine positions (kh, kw) and each chunk of channels, and the accumulators collect
the nest of three loops: mode=first overwrites while kh, kw and the chunk are all at their first
turn.

How the work is spread: an item is a strip of output rows of one image. It needs 2*rows + 1 rows of
input, so neighbours overlap by one (the halo). The strip is loaded with its padding: coordinates
outside the image read as 0, so the views of the multiply need no box. Items are dealt out in
equal runs by constant tables; the last strip of an image has as many rows as are left
(`a:rows of 8`). Height of a strip: the one that fills blocks of the tensor unit best.

All weights lie in every tile's TSRAM; CLD broadcasts them once per cluster, and the first item
multiplies as they arrive (`weights`, one token for each position). Three slots of input,
two halves of the accumulators, two results: LD0 loads the next strips while TTU multiplies (`full`,
`free`), DRN and ST bring out one group of output channels while TTU computes the next.

maia200: 72 images of 56 x 56 x 128 to 256 channels are bound by the tensor unit: 56,448 cycles,
57,600 with whole blocks; HBM would need 26,000. Lost are the start and the last store.
"""

from __future__ import annotations

from math import isqrt

from kit import Sizes, Space, align, cdiv, machine, main, runs, table

#: Images, their height and width, channels in and out.
SIZES: Sizes = {
    "maia200": {"batch": 72, "h": 56, "w": 56, "c": 128, "o": 256},
    "mini": {"batch": 3, "h": 13, "w": 11, "c": 20, "o": 28},
}

#: Strips of input in TSRAM.
SLOTS = 3

#: Channels of one multiply.
CHUNK = 128


def strip_rows(height: int, width: int, most: int, block: int) -> int:
    """Output rows of a strip: whole blocks of rows, few strips."""

    def cost(rows: int) -> tuple[int, int]:
        parts = [min(rows, height - r) for r in range(0, height, rows)]
        return sum(cdiv(part * width, block) for part in parts), len(parts)

    return min(range(1, min(height, max(1, most // width)) + 1), key=cost)


def source(target: str, batch: int, h: int, w: int, c: int, o: int) -> str:
    """The program text."""
    mach = machine(target)
    block = mach.int("ttu.block")
    oh, ow = (h + 1) // 2, (w + 1) // 2
    half = mach.int("ttu.acc_blocks") // 2
    group = min(isqrt(half // 2) * block, align(o, block))
    area = half * block * block
    tall = strip_rows(oh, ow, area // group, block)
    if tall * ow * group > area:
        raise ValueError(f"a row of {ow} positions does not fit the accumulators of {mach.name}")
    strips, groups, chunk = cdiv(oh, tall), cdiv(o, group), min(c, CHUNK)
    wide, width = 2 * ow + 1, min(group, o)
    # rows of input that one word loads, and words for a strip
    most = max(1, min(2 * tall + 1, 65536 // (2 * wide * c)))
    lines = min(range(most, most // 2, -1), key=lambda n: cdiv(2 * tall + 1, n) * n)
    high = cdiv(2 * tall + 1, lines) * lines
    first, count = runs(batch * strips, mach.tiles * mach.clusters)
    hbm, tsram = Space(unit=256), Space()
    x_slot, y_slot = align(2 * high * wide * c, 64), align(2 * tall * ow * group, 64)
    strip = f"{{r:{lines}, j:{wide}, d:{c}}}"
    ring_x, ring_y = f"slots {SLOTS} pitch {x_slot:#x}", f"slots 2 pitch {y_slot:#x}"
    # output positions of a strip, as rows of a matrix
    ab = f"a:rows of {tall}, b:{ow}"
    position = f"[{ow}*a + b, n]"
    text = f"""\
mist 1.0
target {target}

# Y = conv3x3(X), stride 2, padding 1: strips of {tall} rows, {group} output channels at a time
input  X : bf16[{batch}, {h}, {w}, {c}] @ {hbm.take(2 * batch * h * w * c):#x}
input  W : bf16[3, 3, {c}, {o}] @ {hbm.take(18 * c * o):#x}
output Y : bf16[{batch}, {oh}, {ow}, {o}] @ {hbm.take(2 * batch * oh * ow * o):#x}

block main {{
  reg slot = s0
  reg half = s1
  reg item = s2
  reg items = s3
  reg image = s4
  reg top = s5     # first output row of the strip
  reg rows = s6    # its output rows
  reg words = s7   # that load it
  reg init = s8    # 1: the weights are still arriving
  {table("t_first", first)}
  {table("t_items", count)}
  buffer tx : bf16[{high}, {wide}, {c}] @tsram {tsram.take(SLOTS * x_slot):#x} {ring_x}
  buffer tw : bf16[3, 3, {c}, {o}] @tsram {tsram.take(18 * c * o):#x}
  buffer ty : bf16[{tall * ow}, {group}] @tsram {tsram.take(2 * y_slot):#x} {ring_y}
  buffer acc : fp32[{tall * ow}, {group}] @acc 0x0 slots 2 pitch {4 * area:#x}
  sem weights : CLD -> TTU cluster
  sem full    : LD0 -> TTU tile
  sem free    : TTU -> LD0 tile = {SLOTS}
  sem product : TTU -> DRN tile
  sem drained : DRN -> TTU tile = 2
  sem result  : DRN -> ST tile
  sem stored  : ST -> DRN tile = 2
  chain convert : fp32 = mov(a)

  # rows of the matrix that is never written down, positions | channels; and their weights
  desc input = tx(slot){{{ab} | d:{chunk}}}[2*a + kh, 2*b + kw, {chunk}*ci + d]
  desc weight = tw{{n:{width} | d:{chunk}}}[kh, kw, {chunk}*ci + d, {group}*g + n]
  desc sums = acc(half){{{ab} | n:{width}}}{position}

  at "weights"
  loop y < 3 on cluster {{
    loop x < 3 {{
      CLD bcast tw@[all]{{d:{c}, n:{o}}}[y, x, d, n], W{{d:{c}, n:{o}}}[y, x, d, n] post(weights)
    }}
  }}

  slot = 0 on tile
  half = 0 on tile
  init = 1 on tile
  item = t_first[gtile] on tile
  items = t_items[gtile] on tile
  loop i < items on tile {{
    image = (item) div {strips}
    # the last strip, with the rows that are left, comes first: the start is shorter
    top = (item) mod {strips}
    top = {tall * (strips - 1)} - {tall}*top
    rows = min({oh} - top, {tall})
    words = (2*rows + {lines}) div {lines}
    at "load a strip with its halo"
    LD0 sync wait(free)
    loop q < words {{
      LD0 copy tx(slot){strip}[{lines}*q + r, j, d], \
X{strip}[image, 2*top + {lines}*q + r - 1, j - 1, d]
    }}
    LD0 sync post(full)
    TTU sync wait(full)
    loop g < {groups} {{
      at "convolution"
      TTU sync wait(drained)
      loop kh < 3 {{
        loop kw < 3 {{
          loop if_init < init {{
            TTU sync wait(weights)
          }}
          loop ci < {cdiv(c, chunk)} {{
            TTU mm sums, input, weight mode=first level=kh
          }}
        }}
      }}
      init = 0
      TTU sync post(product)
      at "store"
      DRN accst ty(half){{{ab} | n:{width}}}{position}, sums chain=convert \
wait(product, stored) post(drained, result)
      ST copy Y{{{ab}, n:{width}}}[image, top + a, b, {group}*g + n] drop, \
ty(half){{{ab}, n:{width}}}{position} wait(result) post(stored)
      half = 1 - half
    }}
    TTU sync post(free)
    slot = (slot + 1) mod {SLOTS}
    item = item + 1
  }}
  # a tile without an item has not taken the tokens of the weights
  loop if_init < init on tile {{
    TTU sync wait(weights:9)
  }}
}}
"""
    if tsram.at > mach.int("tsram.bytes"):
        raise ValueError(f"strips and weights do not fit the TSRAM of {mach.name}")
    return text


if __name__ == "__main__":
    main(source, SIZES)
