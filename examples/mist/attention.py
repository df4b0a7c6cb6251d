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

Software pipeline: an iteration does the first half of a unit (S to P) and the second half (PV, O)
of the one before, even across items, so that the tensor unit has S of one unit to compute while
the vector unit works on P of the other. ``loop if_... < flag`` is a condition: 0 or 1 turns. The
work list ends with an empty item (`live` is 0) that finishes the last unit.

Who waits for whom follows the list above: full/free pairs between LD0 and TTU for K and V, LD1
and TTU for Q; scores, top, turned, exped, summed hand a unit on. X, P, alpha and PV have two
slots and need no free tokens: whoever overwrites a slot has waited for something that came after
its last use.

maia200: bound by the tensor unit, 1,024 cycles for a full unit; the vector unit needs about 520
of them, the drain queue 256. Lost: half of each diagonal block of 128 keys (3 %), the balance of
the items, the start, when the first head's keys have to arrive.
"""

from __future__ import annotations

from math import isqrt

from attention_unit import SEMAPHORES, SLOTS, chains, first_half, second_half, views
from kit import Sizes, Space, align, buffer, cdiv, machine, main, registers, table

#: Heads, queries (and keys) of a head, numbers of a query.
SIZES: Sizes = {
    "maia200": {"heads": 32, "seq": 4096, "dim": 128},
    "mini": {"heads": 5, "seq": 110, "dim": 16},
}

REGISTERS = {
    "place": "the item's place in the tables",
    "items": "of the tile",
    "live": "1: an item, 0: the empty one at the end",
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
{registers(REGISTERS)}
{_tables(work, own, blocks)}
{_buffers(own, blocks, bq, bk, dim, align(dim, block))}
{SEMAPHORES}
{chains(dim, fast)}
{views(bq, bk, dim)}
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


def _tables(work: list[list[Item]], own: int, blocks: int) -> str:
    """The work list, one row of equal length for each tile."""
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


def _buffers(own: int, blocks: int, bq: int, bk: int, dim: int, wide: int) -> str:
    t = Space()
    cache, size = f"bf16[{own}, {blocks}, {bk}, {dim}]", 2 * own * blocks * bk * dim
    lines = [
        buffer(t, "tq", "bf16", f"{bq}, {dim}", 2 * bq * dim, 2),
        buffer(t, "tk", "bf16", f"{bk}, {dim}", 2 * bk * dim, SLOTS),
        buffer(t, "tv", "bf16", f"{bk}, {dim}", 2 * bk * dim, SLOTS),
        buffer(t, "tx", "fp16", f"{bq}, {bk}", 2 * bq * bk, 2),
        buffer(t, "tp", "bf16", f"{bq}, {bk}", 2 * bq * bk, 2),
        buffer(t, "to", "fp32", f"{bq}, {dim}", 4 * bq * dim),
        buffer(t, "tr", "bf16", f"{bq}, {dim}", 2 * bq * dim, 2),
        *(buffer(t, name, "fp32", f"{bq}", 4 * bq, 2) for name in ("mx", "nm", "alpha", "ps")),
        buffer(t, "sum", "fp32", f"{bq}", 4 * bq),
        buffer(t, "mask", "bf16", f"{2 * bk + bq}", 2 * (2 * bk + bq)),
        f"  buffer s  : fp32[{bq}, {bk}] @acc 0x0",
        f"  buffer pv : fp32[{bq}, {wide}] @acc {4 * bq * bk:#x} slots 2 pitch {4 * bq * wide:#x}",
        f"  buffer ck : {cache} @csram 0x0",
        f"  buffer cv : {cache} @csram {size:#x}",
    ]
    return "\n".join(lines)


def _stage(own: int, blocks: int, bk: int, dim: int) -> str:
    kv = f"{{r:{bk}, d:{dim}}}"
    return f"""
  at "stage keys and values"
  loop h < {own} on cluster {{
    loop b < {blocks} {{
      CLD copy ck{kv}[h, b, r, d], K{kv}[{own}*cluster + h, {bk}*b + r, d]
      CLD copy cv{kv}[h, b, r, d], V{kv}[{own}*cluster + h, {bk}*b + r, d] post(staged)
    }}
  }}
  # mask[y] is -inf for y below {bk - 1}, where the key is behind the query
  LD1 fill mask{{i:{bk - 1}}}[i] value=0xff80
  LD1 fill mask{{i:{2 * bk + 1 - bk // 2}}}[i + {bk - 1}] value=0 post(masked)
  DRN sync wait(masked)"""


def _items(own: int, seq: int, bq: int, bk: int, dim: int, most: int) -> str:
    md = f"{{m:{bq}, d:{dim}}}"
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
    live = min(items - item, 1)
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
    loop if_live < live {{
      LD1 copy tq(qs){md}[m, d], Q{md}[{own}*cluster + head, q0 + m, d] wait(freeQ) post(fullQ)
      TTU sync wait(fullQ)
    }}
    loop kb < nk {{
      old = 1 - par
      wide = min(keys - {bk}*kb, {bk})
      off = min(q0 - {bk}*kb, {bk})
      first = max(1 - kb, 0)
      more = 1 - first
      last = max(kb - nk + 2, 0)
{first_half(bq, bk, dim)}
{second_half(own, bq, dim)}
      # this unit is now the one before
      prev = live
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


if __name__ == "__main__":
    main(source, SIZES)
