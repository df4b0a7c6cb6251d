"""The cost of a proof follows the words and the periods of loops, not trips or tiles."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from maiacc_isa.asm import assemble
from maiacc_isa.lint import prove
from support import run

#: A phase: blocks of a matrix, multiplied in slots, passed through the vector unit and stored.
#: Every phase has other names, slots and order, so that no two are alike to the prover.
PHASE = """
  at "phase {p}"
  slot = 0 on tile, cluster
  loop i{p} < {outer} on tile, cluster {{
    loop j{p} < {middle} {{
      TTU sync wait(empty)
      loop k{p} < {inner} {{
        LD0 copy ta(slot){{r:{b}, d:{d}}}[r, d], A{{r:{b}, d:{d}}}[{b}*gtile + r, {d}*k{p} + d] wait(freeA) post(fullA)
        LD1 copy tx(slot){{r:{b}, d:{b}}}[r, d], A{{r:{b}, d:{b}}}[{b}*gtile + r, {b}*k{p} + d] wait(freeX) post(fullX)
        CLD bcast tb(slot)@[all]{{d:{d}, c:{b}}}[d, c], B{{d:{d}, c:{b}}}[{d}*k{p} + d, {b}*cluster + c] wait(freeB) post(fullB)
        TTU mm acc{{r:{b} | c:{b}}}[r, c], ta(slot){{r:{b} | d:{d}}}[r, d], tb(slot){{c:{b} | d:{d}}}[d, c] mode=first level=2 wait(fullA, fullB) post(freeA, freeB)
        TVP vmap ty(slot){{r:{b}, d:{b}}}[r, d], tx(slot){{r:{b}, d:{b}}}[r, d] chain=double wait(fullX, freeY) post(freeX, fullY)
        TVP sync
        TVP vmap tz{{r:{b}, d:{b}}}[r, d], ty(slot){{r:{b}, d:{b}}}[r, d] chain=double
        TVP sync wait(fullY) post(freeY)
        slot = (slot + 1) mod {slots}
      }}
      TTU sync post(product)
      DRN accst tc(turn){{r:{b} | c:{b}}}[r, c], acc{{r:{b} | c:{b}}}[r, c] chain=copy wait(product, stored) post(empty, result)
      ST copy S{{r:{b}, c:{b}}}[{b}*gtile + r, c], tc(turn){{r:{b}, c:{b}}}[r, c] wait(result) post(stored)
      turn = (turn + 1) mod 2
    }}
  }}
  TVP sync
  TTU sync
"""

HEAD = """mist 1.0
target {target}
input A : bf16[{rows}, {wide}] @ 0x0
input B : bf16[{wide}, {cols}] @ {at_B:#x}
block main {{
  reg slot = s0
  reg turn = s1
  buffer ta : bf16[{b}, {d}] @tsram 0x0 slots 4 pitch {pa:#x}
  buffer tb : bf16[{d}, {b}] @tsram {at_b:#x} slots 4 pitch {pa:#x}
  buffer tx : bf16[{b}, {b}] @tsram {at_x:#x} slots 4 pitch {pb:#x}
  buffer ty : bf16[{b}, {b}] @tsram {at_y:#x} slots 4 pitch {pb:#x}
  buffer tz : bf16[{b}, {b}] @tsram {at_z:#x}
  buffer tc : bf16[{b}, {b}] @tsram {at_c:#x} slots 2 pitch {pb:#x}
  buffer S : bf16[{rows}, {b}] @hbm {at_S:#x}
  buffer acc : fp32[{b}, {b}] @acc 0x0
  chain double : fp32 = add(a, a)
  chain copy : fp32 = mov(a)
  sem fullA : LD0 -> TTU tile
  sem freeA : TTU -> LD0 tile = 2
  sem fullX : LD1 -> TVP tile
  sem freeX : TVP -> LD1 tile = 2
  sem fullY : TVP -> TVP tile
  sem freeY : TVP -> TVP tile = 2
  sem fullB : CLD -> TTU cluster
  sem freeB : TTU -> CLD cluster = 2
  sem product : TTU -> DRN tile
  sem empty : DRN -> TTU tile = 1
  sem result : DRN -> ST tile
  sem stored : ST -> DRN tile = 2
"""


def _program(tiles: int, clusters: int, phases: int, trips: tuple[int, ...]) -> str:
    b, d = 32, 64
    sizes = {"b": b, "d": d, "pa": 2 * b * d, "pb": 2 * b * b}
    at = {name: 0x8000 * (n + 1) for n, name in enumerate(("at_b", "at_x", "at_y", "at_z", "at_c"))}
    rows, cols, wide = b * tiles, b * clusters, d * (trips[2] + 12 * phases)
    at |= {"at_B": 2 * rows * wide, "at_S": 2 * (rows + cols) * wide}
    head = HEAD.format(target="maia200", rows=rows, cols=cols, wide=wide, **sizes, **at)
    body = "".join(
        PHASE.format(
            p=p,
            outer=trips[0],
            middle=trips[1] + p,
            inner=trips[2] + 12 * p,
            slots=2 + p % 3,
            **sizes,
        )
        for p in range(phases)
    )
    return head + "  turn = 0 on tile, cluster\n" + body + "}\n"


def test_a_million_words_for_36_tiles_are_proven_in_seconds(tmp_path: Path) -> None:
    text = tmp_path / "big.mist"
    text.write_text(_program(36, 4, 13, (1, 10, 1200)))
    code = (
        "import json, sys\n"
        "from maiacc_isa.asm import assemble\n"
        "from maiacc_isa.lint import prove\n"
        "import resource\n"
        "program = assemble(open(sys.argv[1]).read())\n"
        "start = resource.getrusage(resource.RUSAGE_SELF).ru_utime\n"
        "report = prove(program)\n"
        "used = resource.getrusage(resource.RUSAGE_SELF).ru_utime - start\n"
        "print(json.dumps([list(map(str, report.findings)), report.words, report.simulated, used]))\n"
    )
    done = run([sys.executable, "-c", code, str(text)], limit=120)
    assert done.code == 0, done.err
    findings, words, _, seconds = json.loads(done.out)
    assert not findings, findings[0]
    assert 280 <= words <= 340
    # A turn of k has seven engine words of a tile.
    assert sum((10 + p) * (1200 + 12 * p) * 7 for p in range(13)) > 1_000_000
    assert seconds < 2 * 5


@pytest.mark.parametrize("trips", [(3, 4, 60), (30, 40, 600), (300, 400, 6000)])
def test_trips_do_not_matter(trips: tuple[int, ...]) -> None:
    least = prove(assemble(_program(36, 4, 2, (30, 40, 600))))
    report = prove(assemble(_program(36, 4, 2, trips)))
    assert not report.findings, report.findings[0]
    assert report.simulated <= least.simulated


def test_tiles_do_not_matter(tmp_path: Path) -> None:
    machine = tmp_path / "small.toml"
    machine.write_text(
        '[machine]\nname = "small"\ntitle = "four tiles"\nextends = "maia200"\n'
        '[chip]\nclusters = { value = 2, source = "assumption", cite = "fewer" }\n'
        '[cluster]\ntiles = { value = 2, source = "assumption", cite = "fewer" }\n'
    )
    large = prove(assemble(_program(36, 4, 3, (10, 10, 60))))
    small = prove(assemble(_program(4, 2, 3, (10, 10, 60)), target=str(machine)))
    assert not large.findings, large.findings[0]
    assert not small.findings, small.findings[0]
    assert large.simulated == small.simulated
