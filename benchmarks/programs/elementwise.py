"""exp, gelu and layer normalisation of 2^20 numbers in fp32, from HBM through TSRAM to HBM.

X is rows x columns. Layer normalisation is of each row, with a scale G and a shift B for each
column; for exp and gelu rows mean nothing.

How the work is spread: a chunk is 16 whole rows of 1,024, 64 KiB without gaps in both memories. 64
chunks are two for each of eight tiles of a cluster; the longest of nine tiles would have two,
too. So nothing is clipped and no element lies outside its tensor. While a tile computes its first
chunk, LD0 loads the second; each has a slot of its own, which is used once.

What is computed for a chunk, in place, by as few words as three stages and three operands allow:

- exp: one word.
- gelu, x/2 (1 + tanh u) with u = sqrt(2/pi) (x + 0.044715 x^3), is x sigmoid(2u): the same without
  what cancels in 1 + tanh u. One word for 2u/x, one for the rest.
- layernorm: the sum of each row and its mean, the differences and the sum of their squares, the
  factor of each row, and two words for the result, which has more inputs than a chain takes. The
  variance is that of the differences, so nothing cancels.

LD0 posts `full` to TVP, TVP `result` to ST; G and B come once for each cluster (`given`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.programs.base import (
    DMA_BYTES,
    Array,
    Arrays,
    Space,
    check,
    divisor,
    hbm,
    main,
    normal,
    tsram,
)
from maiacc_isa.machine import Machine

#: Added to the variance.
EPS = 1e-5

#: 2u/x = LINEAR + CUBIC x^2 in gelu.
LINEAR = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715 * LINEAR


@dataclass(frozen=True)
class Sizes:
    """What is computed (``exp``, ``gelu`` or ``layernorm``), of how many rows and columns, and the
    rows of a chunk."""

    op: str = "exp"
    rows: int = 1024
    columns: int = 1024
    chunk: int = 16


# ---- what TVP does for a chunk -------------------------------------------------------------------
@dataclass(frozen=True)
class Body:
    """Declarations, words before the loop over chunks, and the words for a chunk ``x``."""

    declared: str
    before: str
    words: str


def _exp(s: Sizes, own: Space) -> Body:
    return Body(
        "  chain power : fp32 = exp(a)",
        "",
        "      TVP vmap x, x chain=power wait(full) post(result)",
    )


def _gelu(s: Sizes, own: Space) -> Body:
    return Body(
        f"""\
  buffer factor : fp32[{s.chunk}, {s.columns}] @tsram {own.take(4 * s.chunk * s.columns)}
  chain inner : fp32 = mul(a, a); mul(r0, {CUBIC:.9e}); add(r1, {LINEAR:.9e})
  chain outer : fp32 = mul(a, b); sigmoid(r0); mul(r1, a)
  desc u = factor{{r:{s.chunk} | c:{s.columns}}}[r, c]""",
        "",
        """\
      TVP vmap u, x chain=inner wait(full)
      TVP vmap x, x, u chain=outer post(result)""",
    )


def _layernorm(s: Sizes, own: Space) -> Body:
    both, rows = f"{{r:{s.chunk} | c:{s.columns}}}", f"{{r:{s.chunk}}}[r]"
    row, part = f"{{c:{s.columns}}}[c]", f"{1 / s.columns:.9e}"
    return Body(
        f"""\
  buffer tg     : fp32[{s.columns}] @tsram {own.take(4 * s.columns)}
  buffer tb     : fp32[{s.columns}] @tsram {own.take(4 * s.columns)}
  buffer mean   : fp32[{s.chunk}] @tsram {own.take(4 * s.chunk)}
  buffer factor : fp32[{s.chunk}] @tsram {own.take(4 * s.chunk)}
  sem given : CLD -> TVP cluster
  chain average : fp32 = mul(a, {part})
  chain centre  : fp32 = sub(a, b) stat sumsq
  chain inverse : fp32 = mul(a, {part}); add(r0, {EPS:.9e}); rsqrt(r1)
  chain scale   : fp32 = mul(a, b); mul(r0, c)
  chain shift   : fp32 = add(a, b)""",
        f"""\
  CLD bcast tg@[all]{row}, G{row}
  CLD bcast tb@[all]{row}, B{row} post(given)
  TVP sync wait(given)
""",
        f"""\
      TVP vred mean{rows}, x op=sum wait(full)
      TVP vmap mean{rows}, mean{rows} chain=average
      TVP vmapr x, factor{rows}, x, mean{both}[r] chain=centre
      TVP vmap factor{rows}, factor{rows} chain=inverse
      TVP vmap x, x, factor{both}[r], tg{both}[c] chain=scale
      TVP vmap x, x, tb{both}[c] chain=shift post(result)""",
    )


OPS: dict[str, Callable[[Sizes, Space], Body]] = {
    "exp": _exp,
    "gelu": _gelu,
    "layernorm": _layernorm,
}


# ---- the program ---------------------------------------------------------------------------------
def text(sizes: Sizes, machine: Machine) -> str:
    """The program."""
    check(sizes.op in OPS, f"op is one of {', '.join(OPS)}")
    rows, columns, chunk = sizes.rows, sizes.columns, sizes.chunk
    pitch, size = 4 * chunk * columns, 4 * rows * columns
    check(pitch <= DMA_BYTES, f"a chunk of {pitch} bytes is more than one transfer moves")
    each = rows // chunk // machine.clusters
    check(each * machine.clusters * chunk == rows, "chunks have to divide over the clusters")
    tiles = divisor(each, machine.tiles)
    turns = each // tiles
    memory, own = hbm(machine), tsram(machine)
    tensors = [f"input  X : fp32[{rows}, {columns}] @ {memory.take(size)}"]
    if sizes.op == "layernorm":
        tensors += [f"input  {x} : fp32[{columns}] @ {memory.take(4 * columns)}" for x in "GB"]
    tensors.append(f"output Y : fp32[{rows}, {columns}] @ {memory.take(size)}")
    ring = f"{own.take(pitch * turns)} slots {turns} pitch {pitch:#x}"
    body = OPS[sizes.op](sizes, own)
    place = f"{{r:{chunk}, c:{columns}}}[{each * chunk}*cluster + {turns * chunk}*tile + {chunk}*i"
    return f"""\
mist 1.0
target {machine.name}

# Y = {sizes.op}(X): {turns} chunks of {chunk} x {columns} for each of {tiles} tiles of a cluster
{chr(10).join(tensors)}

block main {{
  reg chunks = s0
  buffer tx : fp32[{chunk}, {columns}] @tsram {ring}
  sem full   : LD0 -> TVP tile
  sem result : TVP -> ST tile
{body.declared}
{body.before}\
  # behind the last tile that has chunks: none
  chunks = min({turns * tiles} - {turns}*tile, {turns}) on tile
  loop i < chunks on tile {{
    at "load"
    desc chunk = tx(i){{r:{chunk}, c:{columns}}}[r, c]
    LD0 copy chunk, X{place} + r, c] post(full)
    at "{sizes.op}"
    desc x = tx(i){{r:{chunk} | c:{columns}}}[r, c]
{body.words}
    at "store"
    ST copy Y{place} + r, c], chunk wait(result)
  }}
}}
"""


def inputs(sizes: Sizes, seed: int = 0) -> Arrays:
    """X, and for layernorm G and B, normally distributed."""
    rng = np.random.default_rng(seed)
    given = {"X": normal(rng, sizes.rows, sizes.columns, scale=2.0)}
    if sizes.op == "layernorm":
        given |= {name: normal(rng, sizes.columns) for name in "GB"}
    return given


def reference(sizes: Sizes, given: Arrays) -> Arrays:
    """Y as numpy computes it, in the type of X."""
    x = given["X"]
    if sizes.op == "exp":
        return {"Y": np.exp(x)}
    if sizes.op == "gelu":
        u = LINEAR / 2 * (x + 0.044715 * x * x * x)
        return {"Y": 0.5 * x * (1 + np.tanh(u))}
    centred: Array = x - x.mean(1, keepdims=True)
    factor = 1 / np.sqrt((centred * centred).mean(1, keepdims=True) + EPS)
    return {"Y": centred * factor * given["G"] + given["B"]}


if __name__ == "__main__":
    main(Sizes(), text)
