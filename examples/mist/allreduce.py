"""All-reduce over a fully connected group of chips: every chip gets the sum of all X, in bf16.

X is one row for each chip, Y the same on every chip. A row has a shard for each chip; chip p sums
shard p. Both halves use all direct links at once, since every pair of chips has one: network queue
r - 1 drives the link that leads to chip xor r, and a table gives every chip its peer.

Reduce-scatter. Chunk by chunk each queue puts the peer's shard of X into the peer's HBM, into the
slot that belongs to the sender. No grants: a slot is written once. The puts post `came` on the
other chip, to the load queues of all its tiles.

Sum. Each tile takes its share of a chunk: it loads all contributions in the order of the chips, its
own row of X at its own place, which a table of rows decides, adds them in fp32 in this order and
rounds once. So the bits do not depend on who was early, and since the sum is made once and copied,
all chips hold the same. The store queue writes it to Y and tells the network queues (`ready`).

All-gather. The same queues put every finished chunk of Y to the same place on the other chips.
Their first chunks follow the last chunks of the reduce-scatter without a gap.

The contributions of a chunk lie in rows of one area of HBM: X and behind it the slots that
others fill (`came`). A buffer `area` covers both, so that one view with a row number reads either.

maia200x4: 16 MiB are 8 MiB over each link, 55,900 cycles on the slowest. Latency adds 2 x 2,000 and
the sum of the last chunk.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main, table

from maiacc_isa.machine import Machine

SIZES: Sizes = {
    "maia200x4": {"n": 1 << 23, "chunk": 1 << 17},
    "mini2": {"n": 302, "chunk": 64},
}

TEXT = Template("""\
mist 1.0
target $target

# Y = sum over $chips chips of X[chip]; $n elements in $chips shards of $shard.
input  X : bf16[$chips, $n] @ $at_x split
output Y : bf16[$chips, $shard] @ $at_y

block main {
  reg row  = s1
  reg slot = s2
$peers
  # rows of `area`: 0 to $last are X, behind them the slots that the other chips fill
  $rows
  buffer area : bf16[$chips2, $shard] @hbm $at_x
  buffer came : bf16[$chips, $shard]  @hbm $at_came
  buffer tx   : bf16[$chips, $part] @tsram $tx slots 2 pitch $tx_pitch
  buffer sum  : fp32[$part]         @tsram $sum
  buffer ty   : bf16[$part]         @tsram $ty slots 2 pitch $ty_pitch

$sems
  sem loaded : LD0 -> TVP tile
  sem taken  : TVP -> LD0 tile = 2
  sem summed : TVP -> ST tile
  sem stored : ST -> TVP tile = 2

  chain plus : fp32 = add(a, b)

$setpeers

  # each chip's shard of X to its slot there
  at "reduce-scatter"
  loop i < $chunks on chip {
$scatter
  }

  # the sum of this chip's shard, in the order of the chips
  at "sum"
  slot = 0 on tile
  loop i < $chunks on tile {
$waits
    loop p < $chips {
      row = rows[$chips*chip + p]
      LD0 copy tx(slot){x:$part}[p, x], area{x:$part}[row, $chunk*i + $part*gtile + x]
    }
    LD0 sync post(loaded)
    TVP vcvt sum{x:$part}[x], tx(slot){x:$part}[0, x] wait(loaded)
    loop p < $more {
      TVP vmap sum{x:$part}[x], sum{x:$part}[x], tx(slot){x:$part}[p + 1, x] chain=plus
    }
    TVP vcvt ty(slot){x:$part}[x], sum{x:$part}[x] wait(stored) post(taken, summed)
    ST copy Y{x:$part}[chip, $chunk*i + $part*gtile + x] drop, ty(slot){x:$part}[x] wait(summed) \
post(stored)
$readies
    slot = (slot + 1) mod 2
  }

  # finished chunks to all other chips
  at "all-gather"
  loop i < $chunks on chip {
$gather
  }
}
""")


def links(mc: Machine) -> list[int]:
    """For every r from 1, the link that leads from each chip to chip xor r."""
    found = []
    for r in range(1, mc.chips):
        fits = [
            link
            for link in range(mc.links)
            if link not in found and all(mc.reaches(link, c, c ^ r) for c in range(mc.chips))
        ]
        if not fits:
            raise ValueError(f"{mc.name}: no direct link to chip xor {r}")
        found.append(fits[0])
    return found


def source(target: str, **sizes: int) -> str:
    """The program; n is a multiple of the chips, `chunk` the most elements a put moves."""
    size = {**SIZES[target], **sizes}
    mc = machine(target)
    chips, everyone = mc.chips, mc.clusters * mc.tiles
    n, shard = size["n"], size["n"] // chips
    if n % chips:
        raise ValueError("n is not a multiple of the chips")
    # chunks of even length, dealt to the tiles in whole bursts where they are long enough
    most = max(1, size["chunk"] // everyone)
    unit = min(mc.int("hbm.burst") // 2, most)
    chunks = cdiv(shard, most // unit * unit * everyone)
    part = align(cdiv(cdiv(shard, chunks), everyone), unit)
    queues = list(enumerate(links(mc), 1))

    def each(text: str) -> str:
        return "\n".join(text.format(r=r, q=q, s=3 + r) for r, q in queues)

    def pairs(before: str, name: str) -> str:
        names = [f"{name}{r}" for r, _ in queues]
        groups = [names[i : i + 2] for i in range(0, len(names), 2)]
        return "\n".join(f"    {before}({', '.join(group)})" for group in groups)

    hbm, tsram = Space(), Space()
    pitch, out = align(chips * part * 2, 64), align(part * 2, 64)
    peers = [table(f"peer{r}", [c ^ r for c in range(chips)]) for r, _ in queues]
    rows = [s if s == c else chips + s for c in range(chips) for s in range(chips)]
    here = "Y{{x:$chunk}}[chip, $chunk*i + x]".replace("$chunk", str(part * everyone))
    put = here.replace("Y", "came")
    shard_of_peer = here.replace("Y", "area").replace("chip", "p{r}")
    return TEXT.substitute(
        target=target,
        n=n,
        chips=chips,
        chips2=2 * chips,
        last=chips - 1,
        more=chips - 1,
        shard=shard,
        part=part,
        chunk=part * everyone,
        chunks=chunks,
        rows=table("rows", rows),
        peers=each("  reg p{r}   = s{s}") + "\n  " + "\n  ".join(peers),
        setpeers=each("  p{r} = peer{r}[chip] on chip"),
        sems=each(
            "  sem came{r}  : NET{q} -> LD0 remote(peer{r})\n  sem ready{r} : ST -> NET{q} chip"
        ),
        scatter=each(f"    NET{{q}} put {put} drop, {shard_of_peer} peer=p{{r}} post(came{{r}})"),
        gather=each(f"    NET{{q}} put {here} drop, {here} peer=p{{r}} wait(ready{{r}})"),
        waits="    LD0 sync wait(taken)\n" + pairs("LD0 sync wait", "came"),
        readies=pairs("ST sync post", "ready"),
        at_x=hbm.take(2 * n * 2),
        at_came=n * 2,
        at_y=hbm.take(n * 2),
        tx=tsram.take(2 * pitch),
        tx_pitch=pitch,
        sum=tsram.take(part * 4),
        ty=tsram.take(2 * out),
        ty_pitch=out,
    )


if __name__ == "__main__":
    main(source, SIZES)
