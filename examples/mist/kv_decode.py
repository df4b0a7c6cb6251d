"""One step of attention decoding with a KV cache that is extended in place.

A pair is a sequence and one of its KV heads; `group` query heads share it. The caches K and V are
state tensors, pairs x capacity x dim: the run-time parameter `past` says how many of their rows
are in use, at least one. The step appends the new key and value as row `past`, and computes for
every query head O = softmax(q [K; new key]^T / sqrt(dim)) [V; new value].

How the work is spread: pair 36*j + i goes to tile i. The new key and value never come from the
cache: they start the online softmax (maximum = q * new key, sum = 1, O = new value), and the loop
over the cache takes (past + 255) div 256 blocks of 256 rows. So
rows below `past` are read, row `past` is written, and no order between the two is needed; the
prover sees that because both are expressions in the same unknown. The last block has only as
many rows as are left (`n:left of 256`).

A block goes through the tile as in ``attention.py``: TTU scores, DRN row maxima, TVP running
maximum, DRN scores minus maximum in fp16, TVP exponentials and sums, TTU times V, TVP update.
There is no software pipeline: a block's chain takes about 650 cycles, its 128 KiB from HBM twice
as many. LD0 loads blocks of K, LD1 of V, each into a ring of four slots; they run ahead over
pairs. Queries and new rows of all pairs of a tile come first, in one word each, and results and
new rows leave at the end: small transfers do not interrupt the large ones.

maia200: bound by HBM, 4 * pairs * past * dim bytes: 43,141 cycles for 72 pairs of 4,096 rows.
What is lost is the latency of the first block, the chain of the last one and the stores.
"""

from __future__ import annotations

from math import sqrt

from kit import Sizes, Space, align, buffer, cdiv, machine, main

#: Sequences times KV heads, query heads of each, numbers of a head, rows of a cache.
SIZES: Sizes = {
    "maia200": {"pairs": 72, "group": 8, "dim": 128, "capacity": 8192},
    "mini": {"pairs": 6, "group": 3, "dim": 24, "capacity": 100},
}

#: Slots of the rings of K and V.
SLOTS = 4


def source(target: str, pairs: int, group: int, dim: int, capacity: int) -> str:
    """The program text; its parameter `past` is 1 to ``capacity`` - 1."""
    mach = machine(target)
    block, tiles = mach.int("ttu.block"), mach.tiles * mach.clusters
    rows = mach.int("ttu.acc_blocks") * block // 8
    if group > block or 1 + cdiv(rows, block) + cdiv(dim, block) > mach.int("ttu.acc_blocks"):
        raise ValueError(f"{group} query heads of {dim} do not fit {mach.name}")
    own = cdiv(pairs, tiles)
    # a tile may have no pair at the end: it works on what lies behind the last
    pair = f"{tiles}*j + gtile"
    return f"""\
mist 1.0
target {target}

# {pairs} pairs, {group} query heads of {dim} each; caches of {capacity} rows, read {rows} at a time
param past : 1..{capacity - 1}
{_tensors(pairs, group, dim, capacity)}
block main {{
  reg past = s0
  reg blocks = s1  # of the cache that are in use
  reg left = s2    # rows of a block that are in use
  reg kv = s3      # slot of K and V
  reg par = s4     # slot of the running maximum and of X
  reg old = s5     # the other one
{_buffers(own, group, dim, rows, block)}
{_semaphores()}
{_chains(dim)}

  past = param past on tile
  blocks = (past + {rows - 1}) div {rows} on tile
  kv = 0 on tile
  par = 0 on tile
{_begin(own, pair, group, dim)}
  loop j < {own} on tile {{
{_new_row(group, dim)}
    loop b < blocks {{
{_block(pair, group, dim, rows)}
    }}
{_result(group, dim)}
  }}
{_end(own, pair, group, dim)}
}}
"""


def _tensors(pairs: int, group: int, dim: int, capacity: int) -> str:
    hbm = Space(unit=256)
    query, row = f"[{pairs}, {group}, {dim}]", f"[{pairs}, {dim}]"
    rows, cache = f"[{pairs}, {capacity}, {dim}]", 2 * pairs * capacity * dim
    return f"""\
input  Q : bf16{query} @ {hbm.take(2 * pairs * group * dim):#x}
input  NK : bf16{row} @ {hbm.take(2 * pairs * dim):#x}
input  NV : bf16{row} @ {hbm.take(2 * pairs * dim):#x}
state  K : bf16{rows} @ {hbm.take(cache):#x} in "K" out "K next"
state  V : bf16{rows} @ {hbm.take(cache):#x} in "V" out "V next"
output O : bf16{query} @ {hbm.take(2 * pairs * group * dim):#x}
"""


def _buffers(own: int, group: int, dim: int, rows: int, block: int) -> str:
    t, a = Space(), Space(unit=1)
    wide = align(dim, block)
    lines = [
        buffer(t, "tk", "bf16", f"{rows}, {dim}", 2 * rows * dim, SLOTS),
        buffer(t, "tv", "bf16", f"{rows}, {dim}", 2 * rows * dim, SLOTS),
        buffer(t, "tq", "bf16", f"{own}, {group}, {dim}", 2 * own * group * dim),
        buffer(t, "nk", "bf16", f"{own}, {dim}", 2 * own * dim),
        buffer(t, "nv", "bf16", f"{own}, {dim}", 2 * own * dim),
        buffer(t, "tr", "bf16", f"{own}, {group}, {dim}", 2 * own * group * dim),
        buffer(t, "s0", "fp32", f"{group}", 4 * group, 2),
        buffer(t, "tx", "fp16", f"{group}, {rows}", 2 * group * rows, 2),
        buffer(t, "tp", "bf16", f"{group}, {rows}", 2 * group * rows),
        buffer(t, "to", "fp32", f"{group}, {dim}", 4 * group * dim),
        buffer(t, "mx", "fp32", f"{group}", 4 * group, 2),
        buffer(t, "nm", "fp32", f"{group}", 4 * group, 2),
        buffer(t, "alpha", "fp32", f"{group}", 4 * group),
        buffer(t, "ps", "fp32", f"{group}", 4 * group),
        buffer(t, "sum", "fp32", f"{group}", 4 * group),
        f"  buffer z  : fp32[{block}, {block}] @acc {a.take(4 * block * block):#x}",
        f"  buffer s  : fp32[{block}, {rows}] @acc {a.take(4 * block * rows):#x}",
        f"  buffer pv : fp32[{block}, {wide}] @acc {a.take(4 * block * wide):#x}",
    ]
    return "\n".join(lines)


def _semaphores() -> str:
    return f"""\
  sem given  : LD1 -> TTU tile
  sem givenV : LD1 -> TVP tile
  sem fullK  : LD0 -> TTU tile
  sem freeK  : TTU -> LD0 tile = {SLOTS}
  sem fullV  : LD1 -> TTU tile
  sem freeV  : TTU -> LD1 tile = {SLOTS}
  sem scores : TTU -> DRN tile
  sem taken  : DRN -> TTU tile = 1
  sem top    : DRN -> TVP tile
  sem begun  : TVP -> DRN tile = 1
  sem turned : TVP -> DRN tile
  sem exped  : TVP -> TTU tile
  sem summed : TTU -> TVP tile
  sem result : TVP -> ST tile"""


def _chains(dim: int) -> str:
    scale = f"mul(a, {1 / sqrt(dim):.9e})"
    return f"""\
  chain scaled  : fp32 = {scale}
  chain maximum : fp32 = {scale} stat max
  chain below   : fp32 = {scale}; add(r0, b)
  chain negate  : fp32 = neg(a)
  chain unity   : fp32 = mov(1.0)
  chain move    : fp32 = mov(a)
  chain running : fp32 = neg(b); min(a, r0)
  chain decay   : fp32 = sub(a, b); exp(r0)
  chain expsum  : fp32 = exp(a) stat sum
  chain update  : fp32 = mul(a, c); add(r0, b)
  chain inverse : fp32 = recip(a)
  chain scale   : fp32 = mul(a, b)"""


def _begin(own: int, pair: str, group: int, dim: int) -> str:
    q, row = f"{{j:{own}, m:{group}, d:{dim}}}", f"{{j:{own}, d:{dim}}}"
    return f"""
  at "queries and new rows"
  LD1 copy tq{q}[j, m, d], Q{q}[{pair}, m, d]
  LD1 copy nk{row}[j, d], NK{row}[{pair}, d]
  LD1 copy nv{row}[j, d], NV{row}[{pair}, d] post(given, givenV)
  TTU sync wait(given)
  TVP sync wait(givenV)
"""


def _new_row(group: int, dim: int) -> str:
    m, md, one = f"{{m:{group}}}[m]", f"{{m:{group} | d:{dim}}}", f"{{m:{group} | n:1}}"
    return f"""\
    at "start with the new row"
    old = 1 - par
    TTU mm z{one}[m, n], tq{md}[j, m, d], nk{{n:1 | d:{dim}}}[j, d] mode=over \
wait(taken) post(scores)
    DRN accst s0{one}[m], z{one}[m, n] chain=scaled wait(scores, begun) post(taken, top)
    TVP vmap nm(old){m}, s0{m} chain=negate wait(top)
    TVP vmap sum{m}, s0{m} chain=unity post(begun)
    TVP vmap to{md}[m, d], nv{md}[j, d] chain=move"""


def _block(pair: str, group: int, dim: int, rows: int) -> str:
    m, md = f"{{m:{group}}}[m]", f"{{m:{group} | d:{dim}}}"
    mn, kv = f"{{m:{group} | n:left of {rows}}}", f"{{r:left of {rows}, d:{dim}}}"
    return f"""\
      at "a block of the cache"
      old = 1 - par
      left = min(past - {rows}*b, {rows})
      LD0 copy tk(kv){kv}[r, d], K{kv}[{pair}, {rows}*b + r, d] wait(freeK) post(fullK)
      LD1 copy tv(kv){kv}[r, d], V{kv}[{pair}, {rows}*b + r, d] wait(freeV) post(fullV)
      TTU mm s{mn}[m, n], tq{md}[j, m, d], tk(kv){{n:left of {rows} | d:{dim}}}[n, d] mode=over \
wait(fullK, taken) post(freeK, scores)
      DRN accst tx(par){mn}[m, n], mx(par){m}, s{mn}[m, n] chain=maximum wait(scores) post(top)
      TVP vmap nm(par){m}, nm(old){m}, mx(par){m} chain=running wait(top) post(turned)
      TVP vmap alpha{m}, nm(par){m}, nm(old){m} chain=decay
      DRN accst tx(par){mn}[m, n], s{mn}[m, n], nm(par){mn}[m] chain=below \
wait(turned) post(taken, top)
      TVP vmapr tp{mn}[m, n], ps{m}, tx(par){mn}[m, n] chain=expsum wait(top) post(exped)
      TTU mm pv{md}[m, d], tp{mn}[m, n], tv(kv){{d:{dim} | n:left of {rows}}}[n, d] mode=over \
wait(exped, fullV) post(freeV, summed)
      TVP vmap to{md}[m, d], to{md}[m, d], pv{md}[m, d], alpha{md}[m] chain=update wait(summed)
      TVP vmap sum{m}, sum{m}, ps{m}, alpha{m} chain=update
      kv = (kv + 1) mod {SLOTS}
      par = 1 - par"""


def _result(group: int, dim: int) -> str:
    m, md = f"{{m:{group}}}[m]", f"{{m:{group} | d:{dim}}}"
    return f"""\
    at "result"
    TVP vmap sum{m}, sum{m} chain=inverse
    TVP vmap tr{md}[j, m, d], to{md}[m, d], sum{md}[m] chain=scale"""


def _end(own: int, pair: str, group: int, dim: int) -> str:
    q, row = f"{{j:{own}, m:{group}, d:{dim}}}", f"{{j:{own}, d:{dim}}}"
    return f"""\
  at "store"
  TVP sync post(result)
  ST copy O{q}[{pair}, m, d] drop, tr{q}[j, m, d] wait(result)
  ST copy K{row}[{pair}, past, d] drop, nk{row}[j, d]
  ST copy V{row}[{pair}, past, d] drop, nv{row}[j, d]"""


if __name__ == "__main__":
    main(source, SIZES)
