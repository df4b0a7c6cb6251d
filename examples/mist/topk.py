"""The k largest of n numbers with their positions, ordered: V[k] fp32, I[k] int64 of X[n] fp32.

VTOPK serves k up to 64; for more, sorting and merging is cheaper. Every tile sorts its own
n / tiles numbers with their positions as payload (VSORT is stable, so among equals the lower
position stays first) and keeps the first k. Then lists are merged, `fan` at a time: concatenated
in the order of positions, sorted, cut to k. Lists travel through CSRAM.

Within a cluster a merge level needs only the tiles of the cluster to join (`merged`). All tiles
merge, those of one group the same lists, so that no word asks who is who; the next level reads
one tile of each group. At the end every tile knows the list of its cluster. Each stores a share
of it to the CSRAM of all clusters, the chip joins once (`joined`), every tile sorts the lists of
all clusters and writes its share of the answer.

Numbers beyond n and missing groups read as -inf and stand behind all others.

maia200: 500 of 50,000: a sort of 1,389, two merges of 1,500 and one of 2,000 numbers are 3,400
cycles of the vector unit; three exchanges and HBM latency add 2,500.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"n": 50000, "k": 500},
    "mini": {"n": 395, "k": 77},
}

TEXT = Template("""\
mist 1.0
target $target

# V, I = the $k largest of X[$n] and their positions, largest first.
input  X : fp32[$n] @ $at_x
output V : fp32[$k] @ $at_v
output I : int64[$k] @ $at_i

block main {
  reg group = s0
  buffer key   : fp32[$most]  @tsram $key
  buffer pos   : int32[$most] @tsram $pos
  buffer long  : int64[$share] @tsram $long
$buffers
  buffer allkey : fp32[$clusters, $len]  @csram $allkey
  buffer allpos : int32[$clusters, $len] @csram $allpos

  sem loaded : LD0 -> TVP tile
  sem sorted : TVP -> ST tile
  sem merged : ST -> LD0 cluster
  sem joined : ST -> LD0 chip

  at "sort the tile's numbers"
  LD0 copy key{j:$per}[j], X{j:$per}[$per*gtile + j] fill -inf post(loaded)
  TVP viota pos{j:$per}[j], int32 @iota 0 {j:$per}[$per*gtile + j < $end]
  TVP vsort key{ | j:$per}[j], pos{ | j:$per}[j], key{ | j:$per}[j], pos{ | j:$per}[j] \
descending=1 payload=1 wait(loaded) post(sorted)
$levels
  # the cluster's list, dealt to its tiles, goes to all clusters
  at "merge the lists of the clusters"
  ST copy allkey@[all]{j:$deal}[cluster, $deal*tile + j] drop, key{j:$deal}[$deal*tile + j] \
wait(sorted)
  ST copy allpos@[all]{j:$deal}[cluster, $deal*tile + j] drop, pos{j:$deal}[$deal*tile + j] \
post(joined)
  LD0 copy key{c:$clusters, j:$len}[$len*c + j], allkey{c:$clusters, j:$len}[c, j] wait(joined)
  LD0 copy pos{c:$clusters, j:$len}[$len*c + j], allpos{c:$clusters, j:$len}[c, j] post(loaded)
  TVP vsort key{ | j:$final}[j], pos{ | j:$final}[j], key{ | j:$final}[j], pos{ | j:$final}[j] \
descending=1 payload=1 wait(loaded)
  TVP vcvt long{j:$share}[j], pos{j:$share}[$share*gtile + j] post(sorted)

  at "write"
  ST copy V{j:$share}[$share*gtile + j] drop, key{j:$share}[$share*gtile + j] wait(sorted)
  ST copy I{j:$share}[$share*gtile + j] drop, long{j:$share}[j]
}
""")

LEVEL = Template("""\

  # $lists lists of $len: $fan to one, all tiles of a group do the same
  at "merge in the cluster"
  ST copy key$level{j:$len}[tile, j], key{j:$len}[j] wait(sorted)
  ST copy pos$level{j:$len}[tile, j], pos{j:$len}[j] post(merged)
  group = (tile) div $wide on tile
  LD0 copy key{i:$fan, j:$len}[$len*i + j], \
key$level{i:$fan, j:$len}[$wide*group + $step*i, j] fill -inf wait(merged)
  LD0 copy pos{i:$fan, j:$len}[$len*i + j], pos$level{i:$fan, j:$len}[$wide*group + $step*i, j] \
post(loaded)
  TVP vsort key{ | j:$new}[j], pos{ | j:$new}[j], key{ | j:$new}[j], pos{ | j:$new}[j] \
descending=1 payload=1 wait(loaded) post(sorted)
""")


def source(target: str, **sizes: int) -> str:
    """The program, for any k up to n."""
    size = {**SIZES[target], **sizes}
    n, k = size["n"], size["k"]
    mc = machine(target)
    everyone = mc.clusters * mc.tiles
    fan = next(f for f in range(2, 257) if f * f >= mc.tiles)
    per = cdiv(n, everyone)
    length, most, step, lists = min(k, per), per, 1, mc.tiles
    levels: list[str] = []
    buffers: list[str] = []
    csram = Space()
    while lists > 1:
        new = fan * length
        level = len(levels)
        levels.append(
            LEVEL.substitute(
                level=level, lists=lists, len=length, fan=fan, wide=step * fan, step=step, new=new
            )
        )
        for name, dtype in (("key", "fp32"), ("pos", "int32")):
            address = csram.take(mc.tiles * length * 4)
            buffers.append(
                f"  buffer {name}{level} : {dtype}[{mc.tiles}, {length}] @csram {address}"
            )
        length, most, step, lists = min(k, new), max(most, new), step * fan, cdiv(lists, fan)
    final = mc.clusters * length
    most = max(most, final)
    share = cdiv(k, everyone)
    hbm, tsram = Space(), Space()
    return TEXT.substitute(
        target=target,
        n=n,
        k=k,
        per=per,
        end=align(n, everyone) + everyone,
        most=most,
        levels="".join(levels),
        buffers="\n".join(buffers),
        clusters=mc.clusters,
        len=length,
        deal=cdiv(length, mc.tiles),
        final=final,
        share=share,
        at_x=hbm.take(n * 4),
        at_v=hbm.take(k * 4),
        at_i=hbm.take(k * 8),
        key=tsram.take(most * 4),
        pos=tsram.take(most * 4),
        long=tsram.take(share * 8),
        allkey=csram.take(mc.clusters * length * 4),
        allpos=csram.take(mc.clusters * length * 4),
    )


if __name__ == "__main__":
    main(source, SIZES)
