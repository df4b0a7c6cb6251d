"""C = A * B^T in bf16 with fp32 results, in few and large multiplies.

A is m x k, B is n x k (one row for each column of C), both row-major, C is m x n in fp32. A block
of 256 x 256 of C fills the accumulators of a tile; of all blocks that do, it needs least of A and
B. A simulator that converts the operands of a multiply once converts 512 numbers for every 65,536
multiplications, and what it does for words, descriptors and semaphores hardly counts: there are
128 words.

How the work is spread: clusters form a grid over C, and so do the tiles of a cluster, one block
each; 16 blocks are four for each cluster. Rows of A go to all tiles of a row of the grid by one
broadcast, rows of B to all tiles of a column: a cluster loads no byte twice, and HBM delivers each
byte to two clusters. A broadcast moves 256 KiB, in runs of 1 KiB.

K is cut into two multiplies, so that the first starts when half of A and B is there. Who waits for
whom: TTU for all pieces of its chunk of K (CLD posts a token for each), DRN for TTU, ST for DRN.

maia200: 16 of 36 tiles multiply for 8,192 cycles. Broadcasts go one after the other through ports
of 256 bytes per cycle: 8,192 cycles, too, the second half behind the first multiply. Blocks of
128 x 256 would keep 32 tiles busy for half as long, with half as many numbers again to convert.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.programs.base import (
    DMA_BYTES,
    Array,
    Arrays,
    bf16,
    check,
    divisor,
    from_bf16,
    hbm,
    main,
    normal,
    tsram,
)
from maiacc_isa.machine import Machine


@dataclass(frozen=True)
class Sizes:
    """The product; rows and columns of a block of C, and how much of K one multiply takes."""

    m: int = 1024
    n: int = 1024
    k: int = 1024
    rows: int = 256
    columns: int = 256
    depth: int = 512


@dataclass(frozen=True)
class Grid:
    """Clusters over C, and tiles over the part of a cluster: down and across."""

    clusters_down: int
    clusters_across: int
    down: int
    across: int


def grid(sizes: Sizes, machine: Machine) -> Grid:
    """The grid of clusters that loads least. Raises ``ValueError`` if there is none."""
    good = not (sizes.m % sizes.rows or sizes.n % sizes.columns or sizes.k % sizes.depth)
    check(good, "blocks have to divide the product")
    high, wide = sizes.m // sizes.rows, sizes.n // sizes.columns
    found = [
        Grid(down, across, high // down, wide // across)
        for down in range(1, machine.clusters + 1)
        for across in range(1, machine.clusters // down + 1)
        if down * across == machine.clusters and high % down == 0 and wide % across == 0
    ]
    found = [g for g in found if g.down * g.across <= machine.tiles]
    check(bool(found), f"{high} x {wide} blocks cannot be dealt out, at most one for each tile")
    return min(found, key=lambda g: g.clusters_across * sizes.m + g.clusters_down * sizes.n)


def text(sizes: Sizes, machine: Machine) -> str:
    """The program."""
    g = grid(sizes, machine)
    m, n, k, rows, columns, depth = (
        *(sizes.m, sizes.n, sizes.k),
        *(sizes.rows, sizes.columns, sizes.depth),
    )
    chunks, tiles = k // depth, g.down * g.across
    memory, own = hbm(machine), tsram(machine)
    masks = [f"  mask row{i} = {{{g.across * i}..{g.across * (i + 1) - 1}}}" for i in range(g.down)]
    masks += [
        f"  mask column{i} = {{{', '.join(str(g.across * r + i) for r in range(g.down))}}}"
        for i in range(g.across)
    ]
    loads, tokens = _loads(sizes, g)
    return f"""\
mist 1.0
target {machine.name}

# C[{m},{n}] = A[{m},{k}] * B[{n},{k}]^T: {g.clusters_down} x {g.clusters_across} clusters, each of
# {g.down} x {g.across} tiles, each of which owns {rows} x {columns} of C
input  A : bf16[{m}, {k}] @ {memory.take(2 * m * k)}
input  B : bf16[{n}, {k}] @ {memory.take(2 * n * k)}
output C : fp32[{m}, {n}] @ {memory.take(4 * m * n)}

block main {{
  reg down = s0     # the cluster's place in the grid
  reg across = s1
  reg row = s2      # the tile's place in the part of its cluster
  reg column = s3
  reg works = s4    # 1: the tile has a block
  buffer ta  : bf16[{chunks}, {rows}, {depth}] @tsram {own.take(2 * rows * k)}
  buffer tb  : bf16[{chunks}, {columns}, {depth}] @tsram {own.take(2 * columns * k)}
  buffer tc  : fp32[{rows}, {columns}] @tsram {own.take(4 * rows * columns)}
  buffer acc : fp32[{rows}, {columns}] @acc 0x0
{chr(10).join(masks)}
  sem full    : CLD -> TTU cluster
  sem product : TTU -> DRN tile
  sem result  : DRN -> ST tile
  chain keep : fp32 = mov(a)

  down = (cluster) div {g.clusters_across} on tile, cluster
  across = (cluster) mod {g.clusters_across} on tile, cluster
  row = (tile) div {g.across} on tile
  column = (tile) mod {g.across} on tile
  works = min({tiles} - tile, 1) on tile

  at "load"
  loop k < {chunks} on cluster {{
{loads}
  }}

  loop if_works < works on tile {{
    at "multiply"
    loop k < {chunks} {{
      TTU mm acc{{r:{rows} | c:{columns}}}[r, c], ta{{r:{rows} | d:{depth}}}[k, r, d], \
tb{{c:{columns} | d:{depth}}}[k, c, d] mode=first level=k wait(full:{tokens})
    }}
    TTU sync post(product)
    at "store"
    DRN accst tc{{r:{rows} | c:{columns}}}[r, c], acc{{r:{rows} | c:{columns}}}[r, c] \
chain=keep wait(product) post(result)
    {_store(sizes, g)}
  }}
}}
"""


def _loads(sizes: Sizes, g: Grid) -> tuple[str, int]:
    """Words that broadcast a chunk of K to all tiles of a cluster, and the tokens that each tile
    gets."""
    lines, tokens = [], 0
    for name, high, parts, place, mask in (
        ("A", sizes.rows, g.down, "down", "row"),
        ("B", sizes.columns, g.across, "across", "column"),
    ):
        part = divisor(high, DMA_BYTES // (2 * sizes.depth))
        tokens += high // part
        dims = f"{{r:{part}, d:{sizes.depth}}}"
        for i in range(parts):
            start = f"{high * parts}*{place} + {high * i}"
            lines += [
                f"    loop p < {high // part} {{",
                f"      CLD bcast t{name.lower()}@[all]{dims}[k, {part}*p + r, d], "
                f"{name}{dims}[{start} + {part}*p + r, {sizes.depth}*k + d] "
                f"mask={mask}{i} post(full)",
                "    }",
            ]
    return "\n".join(lines), tokens


def _store(sizes: Sizes, g: Grid) -> str:
    """Words that store a block of C."""
    part = divisor(sizes.rows, DMA_BYTES // (4 * sizes.columns))
    dims = f"{{r:{part}, c:{sizes.columns}}}"
    return f"""ST sync wait(result)
    loop p < {sizes.rows // part} {{
      ST copy C{dims}[{sizes.rows * g.down}*down + {sizes.rows}*row + {part}*p + r, \
{sizes.columns * g.across}*across + {sizes.columns}*column + c], tc{dims}[{part}*p + r, c]
    }}"""


def inputs(sizes: Sizes, seed: int = 0, whole: bool = False) -> Arrays:
    """A and B, as codes of bf16: normally distributed, or small integers."""
    rng = np.random.default_rng(seed)

    def numbers(rows: int) -> Array:
        if whole:
            return bf16(rng.integers(-8, 9, (rows, sizes.k)).astype(np.float32))
        return bf16(normal(rng, rows, sizes.k))

    return {"A": numbers(sizes.m), "B": numbers(sizes.n)}


def reference(sizes: Sizes, given: Arrays) -> Arrays:
    """C by one product in fp32."""
    return {"C": from_bf16(given["A"]) @ from_bf16(given["B"]).T}


if __name__ == "__main__":
    main(Sizes(), text)
