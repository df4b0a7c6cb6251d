"""Causal flash attention in bf16: O = softmax(Q K^T / sqrt(d), only keys up to the query) V.

Q, K, V and O are heads x seq x d. The scores never leave a tile.

How the work is spread. Heads are dealt out to the clusters; the keys and values of all heads of a
cluster come into its CSRAM once. An item is a head and a block of 128 queries; items go to the
tiles of the cluster by a work list in constant tables, longest first to the least busy tile. An
item runs over its keys in blocks of 256 and skips blocks behind the diagonal by its trip count;
in the last one it takes only as many keys as the diagonal needs (`n:wide of 256`).

A unit is a block of queries times a block of keys:
  TTU  S = Q K^T                                        accumulators, 128 x 256
  DRN  mx = row maxima of scale*S + mask                the drained numbers are not used
  TVP  nm = min(nm, -mx), alpha = exp(nm - old nm)      nm: the negative running maximum
  DRN  X = scale*S + nm + mask                          at most 0, in fp16
  TVP  P = exp(X) in bf16, ps = row sums
  TTU  PV = P V                                         accumulators, 128 x d
  TVP  O = O*alpha + PV, l = l*alpha + ps               fp32 in TSRAM; at last O / l
Subtracting the maximum while draining does two things: the drain queue does it for free, and X can
be fp16. Near 0, where P is large, X is nearly exact (2^-12 relative); and with 16-bit operands
the vector unit has 256 lanes for the exponential instead of 128.

The mask is no tensor and no instruction: a vector of -inf and zeros, read as mask[q - k + offset].

Software pipeline: an iteration does the first half of a unit (S to P) and the second half (PV, O) of
the one before, even across items, so that the tensor unit has S of one unit to compute while the
vector unit works on P of the other. ``loop if_... < flag`` is a condition: 0 or 1 turns. The work
list ends with an empty item (`on` is 0) that finishes the last unit.

Who waits for whom follows the list above: full/free pairs between LD0 and TTU for K and V, LD1 and
TTU for Q; scores, top, turned, exped, summed hand a unit on. X, P, alpha and PV have two slots and
need no free tokens: whoever overwrites a slot has waited for something that came after its last use.

maia200: bound by the tensor unit, 1,024 cycles for a full unit; the vector unit needs about 520 of them,
the drain queue 256. Lost: half of each diagonal block of 128 keys (3 %), the balance of the items, the
start, when the first head's keys have to arrive.
"""

from __future__ import annotations

from math import isqrt, sqrt

from kit import Space, align, cdiv, machine, table

#: Heads, queries (and keys) of a head, numbers of a query.
SIZES: dict[str, dict[str, int]] = {
    "maia200": {"heads": 32, "seq": 4096, "dim": 128},
    "mini": {"heads": 5, "seq": 110, "dim": 16},
}

#: Slots of the rings of K and V.
SLOTS = 3

Item = tuple[int, int]


def deal(heads: int, blocks: int, tiles: int) -> list[list[Item]]:
    """The items (head, block of queries) of each tile, head by head, longest first."""
    work: list[list[Item]] = [[] for _ in range(tiles)]
    load = [0] * tiles
    for head in range(heads):
        for block in reversed(range(blocks)):
            tile = load.index(min(load))
            work[tile].append((head, block))
            load[tile] += block + 1
    return work


def tokens(items: list[Item], heads: int, blocks: int, spans: int) -> tuple[list[int], list[int]]:
    """For each item of a tile, and the empty one: tokens of `staged` to take before it, and
    whether it takes one more for each block of keys as it goes along."""
    before, along = [], []
    taken = 0
    for head, block in items:
        rest = max(0, head * blocks - taken)
        fresh = taken + rest == head * blocks
        taken += rest + (cdiv(block + 1, spans) if fresh else 0)
        before.append(rest)
        along.append(int(fresh))
    return [*before, heads * blocks - taken], [*along, 0]


def source(target: str, heads: int, seq: int, dim: int, fast: int = 0) -> str:
    """The program text; ``fast`` takes the exponential of relative error 2^-11."""
    mach = machine(target)
    block = mach.int("ttu.block")
    # half of the accumulators for scores, a quarter for each of two products with V
    bq = isqrt(mach.int("ttu.acc_blocks")) // 2 * block
    bk = 2 * bq
    own = cdiv(heads, mach.clusters)
    blocks, spans = cdiv(seq, bk), cdiv(seq, bq)
    room = 2 * own * blocks * bk * 2 * dim
    if dim > bq or room > mach.int("csram.bytes"):
        raise ValueError(f"{own} heads of {seq} x {dim} do not fit a cluster of {mach.name}")
    work = deal(own, spans, mach.tiles)
    return f"""\
mist 1.0
target {target}

# O = attention of {heads} heads, {seq} queries and keys of {dim}: {own} heads for each cluster,
# units of {bq} queries x {bk} keys
{_tensors(heads, seq, dim)}
block main {{
{_registers()}
{_tables(work, own, blocks)}
{_buffers(own, blocks, bq, bk, dim, block)}
{_semaphores()}
  chain maximum : fp32 = mul(a, {1 / sqrt(dim):.9e}); add(r0, b) stat max
  chain below   : fp32 = mul(a, {1 / sqrt(dim):.9e}); add(r0, b); add(r1, c)
  chain negate  : fp32 = neg(a)
  chain running : fp32 = neg(b); min(a, r0)
  chain decay   : fp32 = sub(a, b); exp(r0)
  chain expsum  : fp32 = {"exp_lo" if fast else "exp"}(a) stat sum
  chain move    : fp32 = mov(a)
  chain update  : fp32 = mul(a, c); add(r0, b)
  chain inverse : fp32 = recip(a)
  chain scale   : fp32 = mul(a, b)
{_stage(own, blocks, bk, dim)}
{_items(own, seq, bq, bk, dim, max(map(len, work)) + 1)}
}}
"""


def _tensors(heads: int, seq: int, dim: int) -> str:
    hbm = Space(unit=256)
    size = 2 * heads * seq * dim
    shape = f"bf16[{heads}, {seq}, {dim}]"
    lines = [f"input  {name} : {shape} @ {hbm.take(size):#x}" for name in "QKV"]
    return "\n".join([*lines, f"output O : {shape} @ {hbm.take(size):#x}"]) + "\n"


def _registers() -> str:
    names = {
        "place": "the item's place in the tables",
        "items": "of the tile",
        "on": "1: an item, 0: the empty one at the end",
        "head": "head within the cluster",
        "q0": "first query",
        "keys": "number of keys that the block of queries needs",
        "nk": "blocks of keys",
        "need": "tokens to take",
        "fresh": "1: the head's keys are still arriving",
        "wide": "keys of this unit",
        "off": "offset into the mask",
        "first": "1: the item's first unit",
        "more": "1: not the first",
        "last": "1: the item's last unit",
        "kv": "slot of K and V",
        "qs": "slot of Q",
        "par": "slot of X, P, alpha, sums, PV: even and odd units",
        "old": "the other one",
        "prev": "1: a unit waits for its second half; what follows belongs to it",
        "pkv": "",
        "pwide": "",
        "pfirst": "",
        "pmore": "",
        "plast": "",
        "phead": "",
        "pq0": "",
        "os": "slot of the result",
    }
    return "\n".join(
        f"  reg {name} = s{i}" + f"  # {text}" * bool(text)
        for i, (name, text) in enumerate(names.items())
    )


def _tables(work: list[list[Item]], own: int, blocks: int) -> str:
    most = max(map(len, work)) + 1
    rows = [[*items, *[(0, 0)] * (most - len(items))] for items in work]
    counts = [tokens(items, own, blocks, 2) for items in work]

    def flat(lists: list[list[int]]) -> list[int]:
        return [x for row in lists for x in [*row, *[0] * (most - len(row))]]

    lines = [
        table("t_items", map(len, work)),
        table("t_head", [item[0] for row in rows for item in row]),
        table("t_block", [item[1] for row in rows for item in row]),
        table("t_need", flat([before for before, _ in counts])),
        table("t_fresh", flat([along for _, along in counts])),
    ]
    return "\n".join("  " + line for line in lines)


def _buffers(own: int, blocks: int, bq: int, bk: int, dim: int, block: int) -> str:
    t, a, c = Space(), Space(unit=1), Space()
    wide = align(dim, block)

    def buffer(name: str, dtype: str, rows: str, size: int, slots: int = 1) -> str:
        tail = f" slots {slots} pitch {align(size, 64):#x}" if slots > 1 else ""
        at = t.take(align(size, 64) * slots)
        return f"  buffer {name} : {dtype}[{rows}] @tsram {at:#x}{tail}"

    lines = [
        buffer("tq", "bf16", f"{bq}, {dim}", 2 * bq * dim, 2),
        buffer("tk", "bf16", f"{bk}, {dim}", 2 * bk * dim, SLOTS),
        buffer("tv", "bf16", f"{bk}, {dim}", 2 * bk * dim, SLOTS),
        buffer("tx", "fp16", f"{bq}, {bk}", 2 * bq * bk, 2),
        buffer("tp", "bf16", f"{bq}, {bk}", 2 * bq * bk, 2),
        buffer("to", "fp32", f"{bq}, {dim}", 4 * bq * dim),
        buffer("tr", "bf16", f"{bq}, {dim}", 2 * bq * dim, 2),
        buffer("mx", "fp32", f"{bq}", 4 * bq, 2),
        buffer("nm", "fp32", f"{bq}", 4 * bq, 2),
        buffer("alpha", "fp32", f"{bq}", 4 * bq, 2),
        buffer("ps", "fp32", f"{bq}", 4 * bq, 2),
        buffer("sum", "fp32", f"{bq}", 4 * bq),
        buffer("mask", "bf16", f"{2 * bk + bq}", 2 * (2 * bk + bq)),
        f"  buffer s  : fp32[{bq}, {bk}] @acc {a.take(4 * bq * bk):#x}",
        f"  buffer pv : fp32[{bq}, {wide}] @acc {a.take(8 * bq * wide):#x} "
        f"slots 2 pitch {4 * bq * wide:#x}",
        f"  buffer ck : bf16[{own}, {blocks}, {bk}, {dim}] @csram "
        f"{c.take(2 * own * blocks * bk * dim):#x}",
        f"  buffer cv : bf16[{own}, {blocks}, {bk}, {dim}] @csram "
        f"{c.take(2 * own * blocks * bk * dim):#x}",
    ]
    return "\n".join(lines)


def _semaphores() -> str:
    return f"""\
  sem staged : CLD -> LD0 cluster
  sem fullQ  : LD1 -> TTU tile
  sem freeQ  : TTU -> LD1 tile = 2
  sem fullK  : LD0 -> TTU tile
  sem freeK  : TTU -> LD0 tile = {SLOTS}
  sem fullV  : LD0 -> TTU tile
  sem freeV  : TTU -> LD0 tile = {SLOTS}
  sem masked : LD1 -> DRN tile
  sem scores : TTU -> DRN tile
  sem taken  : DRN -> TTU tile = 1
  sem top    : DRN -> TVP tile
  sem turned : TVP -> DRN tile
  sem below0 : DRN -> TVP tile
  sem exped  : TVP -> TTU tile
  sem summed : TTU -> TVP tile
  sem result : TVP -> ST tile
  sem stored : ST -> TVP tile = 2"""


def _stage(own: int, blocks: int, bk: int, dim: int) -> str:
    kv = f"{{r:{bk}, d:{dim}}}"
    return f"""
  at "stage keys and values"
  loop h < {own} on cluster {{
    loop b < {blocks} {{
      CLD copy ck{kv}[h, b, r, d], K{kv}[{own}*cluster + h, {bk}*b + r, d]
      CLD copy cv{kv}[h, b, r, d], V{kv}[{own}*cluster + h, {bk}*b + r, d]
      CLD sync post(staged)
    }}
  }}
  # mask[y] is -inf for y below {bk - 1}, where the key is behind the query
  LD1 fill mask{{i:{bk - 1}}}[i] value=0xff80
  LD1 fill mask{{i:{2 * bk + 1 - bk // 2}}}[i + {bk - 1}] value=0
  LD1 sync post(masked)
  DRN sync wait(masked)"""


def _items(own: int, seq: int, bq: int, bk: int, dim: int, most: int) -> str:
    return f"""
  at "attention"
  kv = 0 on tile
  qs = 0 on tile
  par = 0 on tile
  os = 0 on tile
  prev = 0 on tile
  items = t_items[tile] on tile
  need = items + 1 on tile
  loop item < need on tile {{
    # the item: head, queries, keys up to the diagonal
    place = {most}*tile + item
    on = items - item
    on = min(on, 1)
    head = t_head[place]
    q0 = t_block[place]
    q0 = {bq}*q0
    keys = min(q0 + {bq}, {seq})
    nk = (keys + {bk - 1}) div {bk}
    need = t_need[place]
    fresh = t_fresh[place]
    loop token < need {{
      LD0 sync wait(staged)
    }}
    loop if_on < on {{
      LD1 copy tq(qs){{m:{bq}, d:{dim}}}[m, d], Q{{m:{bq}, d:{dim}}}[{own}*cluster + head, q0 + m, d] wait(freeQ) post(fullQ)
      TTU sync wait(fullQ)
    }}
    loop kb < nk {{
      old = 1 - par
      wide = min(keys - {bk}*kb, {bk})
      off = min(q0 - {bk}*kb, {bk})
      first = max(1 - kb, 0)
      more = 1 - first
      last = kb - nk
      last = max(last + 2, 0)
{_first_half(bq, bk, dim)}
{_second_half(own, bq, bk, dim)}
      # this unit is now the one before
      prev = on
      pkv = kv
      pwide = wide
      pfirst = first
      pmore = more
      plast = last
      phead = head
      pq0 = q0
      kv = (kv + 1) mod {SLOTS}
      par = 1 - par
    }}
    qs = 1 - qs
  }}"""


def _first_half(bq: int, bk: int, dim: int) -> str:
    kv = f"{{r:{bk}, d:{dim}}}"
    mn, rows = f"{{m:{bq} | n:wide of {bk}}}", f"{{m:{bq}}}[m]"
    return f"""\
      loop if_on < on {{
        at "scores"
        loop if_fresh < fresh {{
          LD0 sync wait(staged)
        }}
        LD0 copy tk(kv){kv}[r, d], ck{kv}[head, kb, r, d] wait(freeK) post(fullK)
        LD0 copy tv(kv){kv}[r, d], cv{kv}[head, kb, r, d] wait(freeV) post(fullV)
        TTU sync wait(taken)
        TTU mm s{mn}[m, n], tq(qs){{m:{bq} | d:{dim}}}[m, d], tk(kv){{n:wide of {bk} | d:{dim}}}[n, d] mode=over wait(fullK) post(freeK, scores)
        loop if_last < last {{
          TTU sync post(freeQ)
        }}
        at "maximum"
        DRN accst tx(par){mn}[m, n], mx(par){rows}, s{mn}[m, n], mask{mn}[m - n + off + {bk - 1}] chain=maximum wait(scores) post(top)
        loop if_first < first {{
          TVP vmap nm(par){rows}, mx(par){rows} chain=negate wait(top) post(turned)
        }}
        loop if_more < more {{
          TVP vmap nm(par){rows}, nm(old){rows}, mx(par){rows} chain=running wait(top) post(turned)
          TVP vmap alpha(par){rows}, nm(par){rows}, nm(old){rows} chain=decay
        }}
        at "exponentials"
        DRN accst tx(par){mn}[m, n], s{mn}[m, n], nm(par){mn}[m], mask{mn}[m - n + off + {bk - 1}] chain=below wait(turned) post(taken, below0)
        TVP vmapr tp(par){mn}[m, n], ps(par){rows}, tx(par){mn}[m, n] chain=expsum wait(below0) post(exped)
      }}"""


def _second_half(own: int, bq: int, bk: int, dim: int) -> str:
    md, rows = f"{{m:{bq} | d:{dim}}}", f"{{m:{bq}}}[m]"
    return f"""\
      loop if_prev < prev {{
        at "weighted values"
        TTU mm pv(old){md}[m, d], tp(old){{m:{bq} | n:pwide of {bk}}}[m, n], tv(pkv){{d:{dim} | n:pwide of {bk}}}[n, d] mode=over wait(exped, fullV) post(freeV, summed)
        loop if_pfirst < pfirst {{
          TVP vmap to{md}[m, d], pv(old){md}[m, d] chain=move wait(summed)
          TVP vmap sum{rows}, ps(old){rows} chain=move
        }}
        loop if_pmore < pmore {{
          TVP vmap to{md}[m, d], to{md}[m, d], pv(old){md}[m, d], alpha(old){md}[m] chain=update wait(summed)
          TVP vmap sum{rows}, sum{rows}, ps(old){rows}, alpha(old){rows} chain=update
        }}
        loop if_plast < plast {{
          at "result"
          TVP vmap sum{rows}, sum{rows} chain=inverse
          TVP vmap tr(os){md}[m, d], to{md}[m, d], sum{md}[m] chain=scale wait(stored) post(result)
          ST copy O{{m:{bq}, d:{dim}}}[{own}*cluster + phead, pq0 + m, d] drop, tr(os){{m:{bq}, d:{dim}}}[m, d] wait(result) post(stored)
          os = 1 - os
        }}
      }}"""
