"""Transposition of rank 5: Y[a, d, b, e, c] = X[a, b, c, d, e] in bf16, by COPYT.

The permutation (0, 3, 1, 4, 2) changes the innermost axis, so somewhere elements must really
turn. A unit is X[a, b]: one contiguous piece of X, and in Y one contiguous piece for every d.
HBM is therefore only touched in long runs, and the turning happens on the way from CSRAM to
TSRAM.

The cluster's load queue CLD stages units into a ring of three rounds in CSRAM (`stage`); a round
is one unit for each tile of the cluster, and one token (`staged`) tells all of them. Each tile
takes its unit in pieces of some d: LD0 copies a piece with COPYT, so that for every d the matrix
(c, e) arrives as (e, c), and ST writes it to Y. When its unit is turned a tile gives its place in
CSRAM back (`taken`).

COPYT costs twice its bytes on every port it passes. From CSRAM to TSRAM there is room for that:
3 bytes of a CSRAM's port and 3 of a tile's port for every byte of X. Within TSRAM a unit would
pass the tile's port six times, more than it has while HBM is busy; straight from HBM it would
cost HBM twice. Turning and storing share the tile's port, so one piece in flight is enough.

Units beyond a * b (the last round) are clipped away by the extents.

maia200: 151 MB in and out are 86,300 cycles of HBM. A unit of 256 KiB is 2,700 cycles of a tile's
share; turning it takes 2,048 and storing 1,024 cycles of the tile's port, of which half hides.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main

SIZES: Sizes = {
    "maia200": {"a": 32, "b": 18, "c": 64, "d": 32, "e": 64, "pieces": 2},
    "mini": {"a": 3, "b": 3, "c": 9, "d": 5, "e": 11, "pieces": 2},
}

#: Rounds of units that fit the ring in CSRAM.
RING = 3

TEXT = Template("""\
mist 1.0
target $target

# Y[a, d, b, e, c] = X[a, b, c, d, e] for a < $a, b < $b, c < $c, d < $d, e < $e.
input  X : bf16[$a, $b, $c, $d, $e] @ $at_x
output Y : bf16[$a, $d, $b, $e, $c] @ $at_y

block main {
  reg ring = s0
  reg unit  = s1
  reg a     = s2
  reg b     = s3
  buffer stage : bf16[$c, $d, $e]  @csram 0x0 slots $staged pitch $pitch
  buffer turn  : bf16[$dp, $e, $c] @tsram 0x0

  sem staged : CLD -> LD0 cluster
  sem taken  : LD0 -> CLD cluster = $ring
  sem turned : LD0 -> ST tile
  sem stored : ST -> LD0 tile = 1

  # unit $all*i + $tiles*cluster + t of X, contiguous; tensors of five axes need raw views
  desc from = bf16 @hbm $at_x {u:1, x:$elements} \
[$all*i + $tiles*cluster + t < $units by $unit_bytes, x < $elements by 2]
  desc into = bf16 @csram 0x0 + $round_bytes*ring + $pitch*t {x:$elements}[x < $elements by 2]
  # $dp of its d, as (d, c, e), and where they go in Y
  desc piece = bf16 @csram 0x0 + $round_bytes*ring + $pitch*tile {d:$dp, c:$c, e:$e} \
[$dp*p + d < $d by $d_bytes, c < $c by $c_bytes, e < $e by 2]
  desc result = bf16 @hbm $at_y {d:$dp, x:$plane} \
[a < $a by $ya_bytes, $dp*p + d < $d by $yd_bytes, b < $b by $plane_bytes, x < $plane by 2] drop

  ring = 0 on tile, cluster
  loop i < $rounds on tile, cluster {
    # the next unit of every tile of the cluster, one after the other
    at "stage a round of units"
    CLD sync wait(taken)
    loop t < $tiles on cluster {
      CLD copy into, from
    }
    CLD sync post(staged)

    # (c, e) becomes (e, c), some d at a time
    at "turn and store"
    unit = $all*i + gtile on tile
    a = (unit) div $b on tile
    b = (unit) mod $b on tile
    LD0 sync wait(staged)
    loop p < $pieces on tile {
      LD0 copyt turn{d:$dp, e:$e, c:$c}[d, e, c], piece wait(stored) post(turned)
      ST copy result, turn{d:$dp, x:$plane_e, c:$c}[d, x, c] wait(turned) post(stored)
    }
    LD0 sync post(taken)
    ring = (ring + 1) mod $ring
  }
}
""")


def source(target: str, **sizes: int) -> str:
    """The program; a unit (c * d * e elements) is at most what one word moves, `pieces` of it
    are turned one after the other."""
    size = {**SIZES[target], **sizes}
    a, b, c, d, e = (size[name] for name in "abcde")
    mc = machine(target)
    unit = c * d * e * 2
    everyone = mc.clusters * mc.tiles
    dp = cdiv(d, size["pieces"])
    if unit > 1 << 18 or RING * unit * mc.tiles > mc.space_bytes("csram"):
        raise ValueError("a unit (c, d, e) is too large")
    hbm = Space()
    return TEXT.substitute(
        target=target,
        a=a,
        b=b,
        c=c,
        d=d,
        e=e,
        dp=dp,
        pieces=cdiv(d, dp),
        tiles=mc.tiles,
        all=everyone,
        units=a * b,
        rounds=cdiv(a * b, everyone),
        ring=RING,
        staged=RING * mc.tiles,
        elements=c * d * e,
        unit_bytes=unit,
        pitch=align(unit, 64),
        round_bytes=align(unit, 64) * mc.tiles,
        d_bytes=e * 2,
        c_bytes=d * e * 2,
        plane_e=e,
        plane=e * c,
        plane_bytes=e * c * 2,
        yd_bytes=b * e * c * 2,
        ya_bytes=d * b * e * c * 2,
        at_x=hbm.take(a * b * unit),
        at_y=hbm.take(a * b * unit),
    )


if __name__ == "__main__":
    main(source, SIZES)
