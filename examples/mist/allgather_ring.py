"""All-gather around a ring of chips, through a small ring of buffers with grants.

X is one row for each chip; afterwards every chip has all rows in Y. Chip c sends to c + 1 and hears
from c - 1, over a link that reaches any chip. First it sends its own row, then what it received, in
the order of arrival, so after chips - 1 rows every row has been everywhere.

Rows go in groups; a group is one piece for every cluster. Groups are put into the CSRAM of the next
chip, where there is room for `slots` of them, not into HBM: a sender must not overrun its receiver,
and that is what grants are for. The way of a group:

    NET (of c - 1)  waits for a grant, puts the pieces of Y into a slot, posts `arrived`
    CST (of c)      stores its cluster's piece to Y, posts `stored` to the chip's network queue
    NET (of c)      grants the slot back to c - 1; later sends the group on

The own row enters Y through a bounce buffer (CLD, CST), which posts `mine`. A semaphore of scope
remote has a table that names for every chip whom it hears from: the previous chip for data, the
next one for grants.

A network queue works in order, so a grant must not be waited for too early. It grants `lag` groups
behind its puts: `stored` starts with `lag` tokens, so that the first grants go out at once, and
`granted` with slots - lag. Nothing is special at the start or the end, and both semaphores end as
they started. What is sent on has been waited for by an earlier grant, since lag < groups.

maia200x4: 16 MiB in four rows: three rows over a link of 200 bytes a cycle are 62,900 cycles. The
switched path takes 8,000 cycles, and a grant leaves only when the puts before it have arrived, so
the slots cover three ways: 24 of 256 KiB, 8 of them as lag.
"""

from __future__ import annotations

from string import Template

from kit import Sizes, Space, align, cdiv, machine, main, table

SIZES: Sizes = {
    "maia200x4": {"n": 1 << 21, "piece": 1 << 15, "slots": 24, "lag": 8},
    "mini2": {"n": 301, "piece": 32, "slots": 3, "lag": 1},
}

TEXT = Template("""\
mist 1.0
target $target

# Y[chip] = X of every chip, $n elements; a group is $clusters pieces of $piece.
input  X : bf16[$chips, $n] @ $at_x split
output Y : bf16[$chips, $n] @ $at_y

block main {
  reg next = s1
  reg prev = s2
  reg row  = s3
  reg slot = s4
  $nexts
  $prevs
  buffer ring   : bf16[$piece] @csram 0x0 slots $slots pitch $pitch
  buffer bounce : bf16[$piece] @csram $bounce slots 2 pitch $pitch

  sem loaded  : CLD -> CST cluster
  sem emptied : CST -> CLD cluster = 2
  sem mine    : CST -> $net chip
  sem arrived : $net -> CST remote(prevof)
  sem stored  : CST -> $net chip = $lag
  sem granted : $net -> $net remote(nextof) = $free

  # this chip's own row into Y
  at "own row"
  slot = 0 on cluster
  loop g < $groups on cluster {
    CLD copy bounce(slot){x:$piece}[x], X{x:$piece}[0, $group*g + $piece*cluster + x] \
wait(emptied) post(loaded)
    CST copy Y{x:$piece}[chip, $group*g + $piece*cluster + x] drop, bounce(slot){x:$piece}[x] \
wait(loaded) post(emptied, mine)
    slot = (slot + 1) mod 2
  }

  # the own row to the next chip; grants for what comes from the previous one
  at "send the own row"
  next = nextof[chip] on chip
  prev = prevof[chip] on chip
  slot = 0 on chip
  loop g < $groups on chip {
    $net sync wait(mine, granted)
    loop q < $others {
      $net put ring(slot)@[q]{x:$piece}[x], Y{x:$piece}[chip, $group*g + $piece*q + x] peer=next
    }
    $net put ring(slot)@[$others]{x:$piece}[x], \
Y{x:$piece}[chip, $group*g + $behind + x] peer=next post(arrived)
    $net grant peer=prev wait(stored) post(granted)
    slot = (slot + 1) mod $slots
  }

  # rows arrive: that of chip - 1 first
  at "receive"
  slot = 0 on cluster
  loop hop < $steps on cluster {
    row = (chip - hop + $steps) mod $chips
    loop g < $groups {
      CST copy Y{x:$piece}[row, $group*g + $piece*cluster + x] drop, ring(slot){x:$piece}[x] \
wait(arrived) post(stored)
      slot = (slot + 1) mod $slots
    }
  }

  # and all but the last are sent on
  at "send on"
  loop hop < $forwards on chip {
    row = (chip - hop + $steps) mod $chips
    loop g < $groups {
      $net sync wait(granted)
      loop q < $others {
        $net put ring(slot)@[q]{x:$piece}[x], Y{x:$piece}[row, $group*g + $piece*q + x] peer=next
      }
      $net put ring(slot)@[$others]{x:$piece}[x], \
Y{x:$piece}[row, $group*g + $behind + x] peer=next post(arrived)
      $net grant peer=prev wait(stored) post(granted)
      slot = (slot + 1) mod $slots
    }
  }
}
""")


def source(target: str, **sizes: int) -> str:
    """The program for rows of n elements; 0 < lag < slots, and lag below the groups of a row."""
    size = {**SIZES[target], **sizes}
    n, piece, slots, lag = size["n"], size["piece"], size["slots"], size["lag"]
    mc = machine(target)
    chips, group = mc.chips, mc.clusters * piece
    groups = cdiv(n, group)
    everyone = [(a, b) for a in range(chips) for b in range(chips) if a != b]
    ways = [x for x in range(mc.links) if all(mc.reaches(x, a, b) for a, b in everyone)]
    if not ways or chips < 2:
        raise ValueError(f"{mc.name} has no link that reaches every chip")
    if not 0 < lag < min(slots, groups):
        raise ValueError("lag is below the slots and the groups of a row")
    hbm, csram = Space(), Space()
    pitch = align(piece * 2, 64)
    csram.take(slots * pitch)
    return TEXT.substitute(
        target=target,
        n=n,
        piece=piece,
        slots=slots,
        lag=lag,
        free=slots - lag,
        net=f"NET{ways[-1]}",
        chips=chips,
        clusters=mc.clusters,
        others=mc.clusters - 1,
        group=group,
        groups=groups,
        behind=(mc.clusters - 1) * piece,
        steps=chips - 1,
        forwards=chips - 2,
        pitch=pitch,
        nexts=table("nextof", [(c + 1) % chips for c in range(chips)]),
        prevs=table("prevof", [(c - 1) % chips for c in range(chips)]),
        at_x=hbm.take(n * 2),
        at_y=hbm.take(chips * n * 2),
        bounce=csram.take(2 * pitch),
    )


if __name__ == "__main__":
    main(source, SIZES)
