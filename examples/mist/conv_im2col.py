"""Y = 3 x 3 convolution of small images, bf16, NHWC: a whole convolution is one multiply.

X is batch x h x w x c, W is 3 x 3 x c x o, Y is batch x oh x ow x o; there is a ring of zeros
around each image. A convolution is the product of W and a matrix with a row for each output
position and a column for each input that goes into it:
    P[(g, a, b), (kh, kw, d)] = X[g, stride*a + kh - 1, stride*b + kw - 1, d].
Nobody writes P down (im2col). It is a view of the images in TSRAM with six window dims, three of
them rows and three columns, and the tensor unit reads it as it reads any matrix.

``conv.py`` is for images that are too large for this: it cuts them into strips.

How the work is spread: an item is a few images, as many as fill the accumulators. Tile t takes the
items t, t + tiles, ...; images behind the last one read as 0 and are dropped. An image is loaded
with its ring: coordinates outside of it read as 0, so the view has no edges to look after. All
weights lie in every tile's TSRAM; CLD broadcasts them once in each cluster.

Two slots of images, two halves of the accumulators, two results: LD0 loads the next item while TTU
multiplies (`full`, `free`), DRN and ST bring out one group of channels while TTU computes the
next (`product`, `drained`, `result`, `stored`).

maia200: 720 images of 7 x 7 x 256 to 256 channels are bound by the tensor unit: four items of five
images for each tile, 73,728 cycles (245 positions fill 96 % of 8 blocks of 32). HBM would need
11,000. Lost is the start, when the weights have to arrive.
"""

from __future__ import annotations

from kit import Sizes, Space, align, cdiv, machine, main

#: Images, their height and width, channels in and out, and the stride.
SIZES: Sizes = {
    "maia200": {"batch": 720, "h": 7, "w": 7, "c": 256, "o": 256, "stride": 1},
    "mini": {"batch": 13, "h": 5, "w": 4, "c": 12, "o": 20, "stride": 2},
}


def source(target: str, batch: int, h: int, w: int, c: int, o: int, stride: int) -> str:
    """The program text."""
    mach = machine(target)
    block, half = mach.int("ttu.block"), mach.int("ttu.acc_blocks") // 2
    oh, ow = (h - 1) // stride + 1, (w - 1) // stride + 1
    # four blocks of channels at a time, and as many images as the rest of the accumulators hold
    group = min(4 * block, align(o, block))
    while group > block and group * oh * ow > half * block * block:
        group -= block
    images = half * block * block // (group * oh * ow)
    tiles, width = mach.tiles * mach.clusters, min(group, o)
    hbm, tsram = Space(unit=256), Space()
    x_slot = align(2 * images * (h + 2) * (w + 2) * c, 64)
    y_slot = align(2 * images * oh * ow * group, 64)
    x_ring, y_ring = tsram.take(2 * x_slot), tsram.take(2 * y_slot)
    w_at = tsram.take(18 * c * o)
    if not images or tsram.at > mach.int("tsram.bytes"):
        raise ValueError(f"images and weights do not fit a tile of {mach.name}")
    item = f"{images * tiles}*i + {images}*gtile"
    ring_x, ring_y = f"slots 2 pitch {x_slot:#x}", f"slots 2 pitch {y_slot:#x}"
    ring_acc = f"slots 2 pitch {4 * half * block * block:#x}"
    image, gab = f"{{r:{h + 2}, j:{w + 2}, d:{c}}}", f"g:{images}, a:{oh}, b:{ow}"
    position = f"{oh * ow}*g + {ow}*a + b"
    return f"""\
mist 1.0
target {target}

# Y = conv3x3(X), stride {stride}, padding 1: {images} images, {group} output channels at a time
input  X : bf16[{batch}, {h}, {w}, {c}] @ {hbm.take(2 * batch * h * w * c):#x}
input  W : bf16[3, 3, {c}, {o}] @ {hbm.take(18 * c * o):#x}
output Y : bf16[{batch}, {oh}, {ow}, {o}] @ {hbm.take(2 * batch * oh * ow * o):#x}

block main {{
  reg slot = s0
  reg half = s1
  buffer tx : bf16[{images}, {h + 2}, {w + 2}, {c}] @tsram {x_ring:#x} {ring_x}
  buffer ty : bf16[{images * oh * ow}, {group}] @tsram {y_ring:#x} {ring_y}
  buffer tw : bf16[3, 3, {c}, {o}] @tsram {w_at:#x}
  buffer acc : fp32[{images * oh * ow}, {group}] @acc 0x0 {ring_acc}

  sem weighted : CLD -> TTU cluster
  sem full     : LD0 -> TTU tile
  sem free     : TTU -> LD0 tile = 2
  sem product  : TTU -> DRN tile
  sem drained  : DRN -> TTU tile = 2
  sem result   : DRN -> ST tile
  sem stored   : ST -> DRN tile = 2
  chain convert : fp32 = mov(a)

  # an image and its ring of zeros; the results of an item, without images behind the last
  desc source = X{image}[{item} + q, r - 1, j - 1, d]
  desc padded = tx(slot){image}[q, r, j, d]
  desc results = ty(half){{{gab}, n:{width}}}[{position}, n]
  desc output = Y{{{gab}, n:{width}}}[{item} + g, a, b, {group}*u + n] drop

  # positions | what goes into them, channels | what they are made of
  desc patches = tx(slot){{{gab} | kh:3, kw:3, d:{c}}}[g, {stride}*a + kh, {stride}*b + kw, d]
  desc weights = tw{{n:{width} | kh:3, kw:3, d:{c}}}[kh, kw, d, {group}*u + n]
  desc sums = acc(half){{{gab} | n:{width}}}[{position}, n]
  desc rounded = ty(half){{{gab} | n:{width}}}[{position}, n]

  at "weights"
  loop y < 3 on cluster {{
    loop x < 3 {{
      CLD bcast tw@[all]{{d:{c}, n:{o}}}[y, x, d, n], W{{d:{c}, n:{o}}}[y, x, d, n]
    }}
  }}
  CLD sync post(weighted)
  TTU sync wait(weighted)

  slot = 0 on tile
  half = 0 on tile
  loop i < {cdiv(batch, images * tiles)} on tile {{
    at "load images"
    LD0 sync wait(free)
    loop q < {images} {{
      LD0 copy padded, source
    }}
    LD0 sync post(full)
    TTU sync wait(full)
    loop u < {cdiv(o, group)} {{
      at "convolution"
      TTU mm sums, patches, weights mode=over wait(drained) post(product)
      at "store"
      DRN accst rounded, sums chain=convert wait(product, stored) post(drained, result)
      ST copy output, results wait(result) post(stored)
      half = 1 - half
    }}
    TTU sync post(free)
    slot = 1 - slot
  }}
}}
"""


if __name__ == "__main__":
    main(source, SIZES)
