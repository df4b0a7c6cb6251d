"""What the programs for a transformer declare: registers, memory, semaphores and chains."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from benchmarks.programs.base import Space, align, tsram
from benchmarks.programs.gpt2_layout import Tensor
from benchmarks.programs.gpt2_model import EPS, GELU
from benchmarks.programs.gpt2_plan import Plan

#: Bytes of an element.
SIZE = {"bf16": 2, "fp32": 4}


@dataclass(frozen=True)
class Buffer:
    """A buffer of TSRAM or of CSRAM: name, type, shape, slots."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    slots: int = 1

    def line(self, space: Space, memory: str = "tsram") -> str:
        """Its declaration at the next free address."""
        pitch = align(SIZE[self.dtype] * prod(self.shape), space.unit)
        tail = f" slots {self.slots} pitch {pitch:#x}" if self.slots > 1 else ""
        shape = ", ".join(map(str, self.shape))
        at = space.take(pitch * self.slots)
        return f"  buffer {self.name} : {self.dtype}[{shape}] @{memory} {at}{tail}"


@dataclass(frozen=True)
class Attention:
    """What a program has of its own: tensors; memory of a tile; accumulators, as columns of
    products by name; semaphores and chains; words before the layers; and those of a head tile from
    its activations, of which chunk k has come with the k-th token of `fullA`, to its result, which
    ST stores with ``post(attended)``; words ``after`` its share of the output projection. ``keys``:
    how many a row sees at most."""

    title: str
    tensors: list[Tensor]
    buffers: list[Buffer]
    sums: dict[str, int]
    declarations: str
    begin: str
    words: str
    keys: int
    after: str = ""


def declarations(p: Plan, a: Attention) -> str:
    """All declarations of the program's block."""
    return f"""\
{_registers(p)}
{_buffers(p, a)}
{_accumulators(p, a)}
{_semaphores(p)}
{_chains(p)}
  # attention
{a.declarations}"""


def _registers(p: Plan) -> str:
    tiles = p.machine.tiles
    return f"""\
  reg slot = s0  # of the block of weights
  reg head = s1  # 1: the tile plays this part
  reg ffn = s2
  reg row = s3
  reg home = s4  # the cluster that partial sums come from
  reg turn = s5  # slot of the last product
  reg chunk = s6 # of the tile's heads or hidden units, and their place in it
  reg place = s7
  mask heads = {{0..{p.heads - 1}}}
  mask ffns = {{{p.first_ffn}..{tiles - 1}}}
  mask rows = {{{p.first_row_tile}..{tiles - 1}}}"""


def _buffers(p: Plan, a: Attention) -> str:
    s, rows, own = p.sizes, p.rows, p.own_rows
    tile = [
        # blocks of weights; activations of the next product; results on their way out
        Buffer("tw", "bf16", (p.chunks * p.chunk,), s.slots),
        Buffer("ta", "bf16", (rows * max(s.width, p.inner, p.hidden),)),
        Buffer("tr", "fp32", (rows, max(p.out, p.down, p.columns)), 2),
        # hidden units: sums, the factor of gelu, result
        Buffer("th", "fp32", (rows, p.units)),
        Buffer("tf", "fp32", (rows, p.units)),
        Buffer("tg", "bf16", (rows, p.units)),
        # rows of the residual stream, what is added to them, what normalising needs
        Buffer("x", "fp32", (own, s.width)),
        Buffer("part", "fp32", (p.clusters, own, s.width)),
        Buffer("unit", "fp32", (own, s.width)),
        Buffer("tn", "bf16", (own, s.width)),
        Buffer("sum", "fp32", (own,)),
        Buffer("var", "fp32", (own,)),
        # biases and scales of all layers
        Buffer("bqkv", "fp32", (s.layers, 3 * p.dim)),
        Buffer("bo", "fp32", (s.layers, p.out)),
        Buffer("bup", "fp32", (s.layers, p.units)),
        Buffer("bdown", "fp32", (s.layers, p.down)),
        Buffer("ln", "fp32", (2 * s.layers + 1, 2, s.width)),
    ]
    # normalised rows, heads and hidden units, chunk by chunk of K; the output projection and
    # partial sums, tile by tile
    cluster = [
        Buffer("act", "bf16", (p.chunks, rows, s.width // p.chunks)),
        Buffer("att", "bf16", (p.chunks, rows, p.inner // p.chunks)),
        Buffer("hid", "bf16", (p.chunks, rows, p.hidden // p.chunks)),
        Buffer("y", "fp32", (p.all_heads, rows, p.out)),
        Buffer("sums", "fp32", (p.ffns, rows, p.down)),
    ]
    own_space, shared = tsram(p.machine), Space(p.machine.space_bytes("csram"))
    lines = [b.line(own_space) for b in [*tile, *a.buffers]]
    return "\n".join([*lines, *(b.line(shared, "csram") for b in cluster)])


def _accumulators(p: Plan, a: Attention) -> str:
    """Two slots of products, and what attention needs."""
    block = p.machine.int("ttu.block")
    rows, space = align(p.rows, block), Space(p.machine.space_bytes("acc"), unit=4 * block)
    lines = []
    widest = max(a.keys, p.out, p.units, p.down, p.columns)
    for name, columns in {"acc": widest, **a.sums}.items():
        wide, slots = align(columns, block), 2 if name == "acc" else 1
        pitch = 4 * rows * wide
        tail = f" slots {slots} pitch {pitch:#x}" if slots > 1 else ""
        at = space.take(pitch * slots)
        lines.append(f"  buffer {name} : fp32[{rows}, {wide}] @acc {at}{tail}")
    return "\n".join(lines)


def _semaphores(p: Plan) -> str:
    return f"""\
  # chunks of weights: arrived, and used up; chunks of activations
  sem fullW   : LD0 -> TTU tile
  sem freeW   : TTU -> LD0 tile = {p.sizes.slots * p.chunks}
  sem fullA   : CLD -> TTU cluster
  # from one engine of a tile to the next
  sem given   : LD1 -> DRN tile
  sem product : TTU -> DRN tile
  sem shown   : DRN -> TVP tile
  sem made    : TVP -> ST tile
  sem result  : DRN -> ST tile
  sem loaded  : LD1 -> TVP tile
  # joins
  sem normed    : ST -> CLD {"chip" if p.spread else "cluster"}
  sem attended  : ST -> CLD chip
  sem projected : ST -> CLD chip
  sem raised    : ST -> CLD cluster
  sem lowered   : ST -> CLD chip
  sem go        : CLD -> LD1 cluster
  # slots of the last product
  sem drained : DRN -> TTU tile = 2
  sem stored  : ST -> DRN tile = 2"""


def _chains(p: Plan) -> str:
    width = p.sizes.width
    return f"""\
  chain keep    : fp32 = mov(a)
  chain plus    : fp32 = add(a, b)
  chain plus2   : fp32 = add(a, b); add(r0, c)
  chain times   : fp32 = mul(a, b)
  chain times2  : fp32 = mul(a, b); mul(r0, c)
  chain centre  : fp32 = mul(b, {1 / width:.9e}); sub(a, r0) stat sumsq
  chain inverse : fp32 = mul(a, {1 / width:.9e}); add(r0, {EPS:.9e}); rsqrt(r1)
  chain factor  : fp32 = mul(a, a); mul(r0, {GELU[1]:.9e}); add(r1, {GELU[0]:.9e})
  chain gate    : fp32 = mul(a, b); sigmoid(r0); mul(r1, a)
  chain recip   : fp32 = recip(a)"""
