"""How a transformer of GPT-2's shape is dealt out over the tiles of a chip.

Clusters share the heads, and the hidden units of the feed-forward part. Attention of a head stays
on a tile, hidden units stay in the CSRAM of a cluster; what crosses clusters are normalised rows,
heads and sums of products. Within a cluster tiles play parts:

- a *head* tile computes query, key and value of one head from whole rows of activations, attends,
  and then makes a slice of the columns of the output projection from all heads;
- a *feed-forward* tile makes a slice of the hidden units, and then a slice of the columns of
  what they add, as far as the cluster's units go (K is split over the clusters);
- a *row* tile keeps rows of the residual stream in fp32, adds what arrives, and normalises.

Columns of the last product, the logits, are dealt out over all tiles. Every multiply has all rows
of the activations on its left, so each weight is read and converted by one tile. Heads, hidden
units and columns that do not come out even are padded by zeros, which add nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from benchmarks.programs.base import DMA_BYTES, align, cdiv, check, divisor
from maiacc_isa.machine import Machine

#: The machine whose tiles the weights are laid out for, if no other is named.
TARGET = "maia200"


@dataclass(frozen=True)
class Sizes:
    """The model, and what the program is for: ``tokens`` of a prompt, or of the cache.

    ``depth`` is how much of K a multiply takes where K divides so, ``columns`` how many columns of
    the last product, ``row_tiles`` how many tiles of a cluster normalise rows at most, ``slots``
    how many blocks of weights a tile holds.
    """

    layers: int = 12
    width: int = 768
    heads: int = 12
    ffn: int = 3072
    vocab: int = 50257
    tokens: int = 128
    depth: int = 256
    columns: int = 128
    row_tiles: int = 4
    slots: int = 2


@dataclass(frozen=True)
class Plan:
    """Numbers that follow from sizes and machine.

    ``rows`` of activations; ``row_tiles`` of a cluster with ``own_rows`` each; ``dim`` numbers of
    a head; ``heads`` and ``ffns``, the tiles of a cluster that play these parts; ``units`` hidden
    units of a tile; ``chunks`` of K; ``rounds`` of ``columns`` columns of the last product.
    ``spread``: rows of the residual stream are dealt over the clusters; else every cluster has all
    of them.
    """

    sizes: Sizes
    machine: Machine
    rows: int
    spread: bool
    row_tiles: int
    own_rows: int
    dim: int
    heads: int
    ffns: int
    units: int
    chunks: int
    columns: int
    rounds: int

    @property
    def clusters(self) -> int:
        return self.machine.clusters

    @property
    def all_heads(self) -> int:
        """Heads, with those that pad them."""
        return self.clusters * self.heads

    @property
    def inner(self) -> int:
        """Numbers of all heads together: K of the output projection."""
        return self.all_heads * self.dim

    @property
    def hidden(self) -> int:
        """Hidden units of a cluster: K of the second product of the feed-forward part."""
        return self.ffns * self.units

    @property
    def out(self) -> int:
        """Columns of the output projection that a head tile makes."""
        return self.sizes.width // self.all_heads

    @property
    def down(self) -> int:
        """Columns of the second product of the feed-forward part that a tile makes."""
        return self.sizes.width // self.ffns

    @property
    def first_row_tile(self) -> int:
        """The tiles from this one on normalise rows."""
        return self.machine.tiles - self.row_tiles

    @property
    def first_ffn(self) -> int:
        """The tiles from this one on make hidden units."""
        return self.machine.tiles - self.ffns

    def blocks(self) -> dict[str, tuple[int, int]]:
        """The blocks of weights that a tile multiplies with: columns of the product, and K."""
        return {
            "WQKV": (3 * self.dim, self.sizes.width),
            "WO": (self.out, self.inner),
            "WUP": (self.units, self.sizes.width),
            "WDOWN": (self.down, self.hidden),
            "WLM": (self.columns, self.sizes.width),
        }

    @property
    def chunk(self) -> int:
        """Numbers of the largest chunk of a block of weights."""
        return max(n * k for n, k in self.blocks().values()) // self.chunks

    def row(self) -> str:
        """The first row of a row tile, as a term of a view."""
        if not self.spread:
            return "0"
        each, first = self.own_rows, self.own_rows * self.first_row_tile
        return f"{each * self.row_tiles}*cluster + {each}*tile - {first}"


def plan(sizes: Sizes, machine: Machine, rows: int) -> Plan:
    """The plan for so many rows of activations. Raises ``ValueError`` if there is none."""
    clusters, tiles, block = machine.clusters, machine.tiles, machine.int("ttu.block")
    check(sizes.width % sizes.heads == 0, "the width is no multiple of the number of heads")
    heads = cdiv(sizes.heads, clusters)
    check(heads < tiles, f"{sizes.heads} heads are too many for {clusters} x {tiles} tiles")
    check(sizes.width % (clusters * heads) == 0, "the width does not divide among the heads' tiles")
    ffns = divisor(sizes.width, tiles - heads)
    units = cdiv(sizes.ffn, clusters * ffns)
    spread = rows % clusters == 0
    check(spread or rows == 1, f"{rows} tokens do not divide among {clusters} clusters")
    row_tiles = divisor(rows // clusters, min(sizes.row_tiles, tiles)) if spread else 1
    own_rows = rows // clusters // row_tiles if spread else rows
    each = cdiv(sizes.vocab, clusters * tiles)
    columns = min(align(sizes.columns, block), align(each, block))
    rounds = cdiv(sizes.vocab, columns * clusters * tiles)
    dim = sizes.width // sizes.heads
    # every chunk of K holds whole heads, and the hidden units of whole tiles
    chunks = divisor(gcd(sizes.width, clusters * heads, ffns), cdiv(sizes.width, sizes.depth))
    found = Plan(
        *(sizes, machine, rows, spread, row_tiles, own_rows),
        *(dim, heads, ffns, units, chunks, columns, rounds),
    )
    check(2 * found.chunk <= DMA_BYTES, "a chunk of weights does not fit a word")
    return found
