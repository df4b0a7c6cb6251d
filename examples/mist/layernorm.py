"""Y = (X - mean) / sqrt(variance + eps) * G + B over the rows of a bf16 matrix.

How the work is spread: the matrix is cut into chunks of a few whole rows (two rows of 8,192, 32
KiB); tile i takes chunks i, i + 36, ... Chunks behind the last row read as 0 and are dropped.

The vector unit does six words for a chunk: the sum of each row, its mean, the squares of the
differences and their sum, 1/sqrt(variance + eps), the normalised row in fp32, and scale and bias.
The variance is taken from the differences, not from the sum of squares, so nothing cancels. Five
inputs do not fit a chain of three stages; hence the last two words and the fp32 buffer between.

Buffers: rings of four slots for X and for Y, so that loads and stores go on while the vector
unit works. A chunk is loaded in words of 4 KiB: a load occupies the tile's port for its whole
length, and stores pass more easily between short ones. G and B come once for each cluster, by a
broadcast. LD0 waits for a free slot (`free`), TVP for a loaded one (`full`), ST for a result
(`result`), TVP for a stored one (`stored`).

maia200: bound by HBM: 134 MB at 3,500 bytes per cycle are 38,348 cycles. The vector unit needs
384 cycles for a chunk, HBM 674. Lost are the latency of the first load and of the last store, and
where loads and stores get in each other's way.
"""

from __future__ import annotations

from kit import Sizes, Space, align, cdiv, machine, main

#: The matrix.
SIZES: Sizes = {
    "maia200": {"rows": 4096, "columns": 8192},
    "mini": {"rows": 53, "columns": 150},
}

#: Added to the variance.
EPS = 1e-5

#: Slots of the rings of X and Y.
SLOTS = 4


def source(target: str, rows: int, columns: int) -> str:
    """The program text for a matrix of that size."""
    mach = machine(target)
    tiles = mach.tiles * mach.clusters
    size = 2 * columns
    height = max(1, mach.int("tsram.bytes") // 96 // size)
    chunks = cdiv(rows, height * tiles)
    # a load takes a part of every row; the last part may stick out of a ragged row
    part = min(columns, align(max(64, 2048 // height), 32))
    parts = cdiv(columns, part)
    hbm, tsram = Space(unit=256), Space()
    pitch = height * size
    ring = f"slots {SLOTS} pitch {pitch:#x}"
    row = f"{height * tiles}*i + {height}*gtile + r"
    rc, r = f"{{r:{height} | c:{columns}}}", f"{{r:{height}}}"
    piece = f"{{r:{height}, c:{part}}}"
    at = {name: f"{tsram.take(size_):#x}" for name, size_ in _sizes(pitch, size, height).items()}
    return f"""\
mist 1.0
target {target}

# Y = layer normalisation of X[{rows},{columns}], {height} rows at a time
input  X : bf16[{rows}, {columns}] @ {hbm.take(rows * size):#x}
input  G : bf16[{columns}] @ {hbm.take(size):#x}
input  B : bf16[{columns}] @ {hbm.take(size):#x}
output Y : bf16[{rows}, {columns}] @ {hbm.take(rows * size):#x}

block main {{
  reg slot = s0
  buffer tx   : bf16[{height}, {columns}] @tsram {at["tx"]} {ring}
  buffer ty   : bf16[{height}, {columns}] @tsram {at["ty"]} {ring}
  buffer tg   : bf16[{columns}] @tsram {at["tg"]}
  buffer tb   : bf16[{columns}] @tsram {at["tb"]}
  buffer unit : fp32[{height}, {columns}] @tsram {at["unit"]}
  buffer sq   : bf16[{height}, {columns}] @tsram {at["sq"]}
  buffer mean : fp32[{height}] @tsram {at["mean"]}
  buffer var  : fp32[{height}] @tsram {at["var"]}

  sem given  : CLD -> TVP cluster
  sem full   : LD0 -> TVP tile
  sem free   : TVP -> LD0 tile = {SLOTS}
  sem result : TVP -> ST tile
  sem stored : ST -> TVP tile = {SLOTS}

  chain average : fp32 = mul(a, {1 / columns:.9e})
  chain square  : fp32 = sub(a, b); mul(r0, r0) stat sum
  chain inverse : fp32 = mul(a, {1 / columns:.9e}); add(r0, {EPS:.9e}); rsqrt(r1)
  chain centre  : fp32 = sub(a, b); mul(r0, c)
  chain affine  : fp32 = mul(a, b); add(r0, c)

  # a chunk of X and of Y; statistics of its rows, and the same once more for each column
  desc x = tx(slot){rc}[r, c]
  desc y = ty(slot){rc}[r, c]
  desc u = unit{rc}[r, c]
  desc means = mean{r}[r]
  desc vars = var{r}[r]
  desc mean_of = mean{rc}[r]
  desc var_of = var{rc}[r]

  at "load scale and bias"
  CLD bcast tg@[all]{{c:{columns}}}[c], G{{c:{columns}}}[c]
  CLD bcast tb@[all]{{c:{columns}}}[c], B{{c:{columns}}}[c] post(given)
  TVP sync wait(given)

  slot = 0 on tile
  loop i < {chunks} on tile {{
    at "load"
    LD0 sync wait(free)
    loop q < {parts} {{
      LD0 copy tx(slot){piece}[r, {part}*q + c] drop, X{piece}[{row}, {part}*q + c]
    }}
    LD0 sync post(full)

    at "mean"
    TVP vred means, x op=sum wait(full)
    TVP vmap means, means chain=average
    at "variance"
    TVP vmapr sq{rc}[r, c], vars, x, mean_of chain=square
    TVP vmap vars, vars chain=inverse
    at "normalise"
    TVP vmap u, x, mean_of, var_of chain=centre post(free)
    TVP vmap y, u, tg{rc}[c], tb{rc}[c] chain=affine wait(stored) post(result)

    at "store"
    ST copy Y{rc}[{row}, c] drop, y wait(result) post(stored)
    slot = (slot + 1) mod {SLOTS}
  }}
}}
"""


def _sizes(chunk: int, row: int, height: int) -> dict[str, int]:
    """Bytes of the buffers, for chunks of ``chunk`` bytes and rows of ``row`` bytes."""
    return {
        "tx": SLOTS * chunk,
        "ty": SLOTS * chunk,
        "tg": row,
        "tb": row,
        "unit": 2 * chunk,
        "sq": chunk,
        "mean": 4 * height,
        "var": 4 * height,
    }


if __name__ == "__main__":
    main(source, SIZES)
