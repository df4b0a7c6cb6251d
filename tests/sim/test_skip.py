"""Skipping repeated turns of loops changes nothing: same cycles, same account, to the cycle."""

from __future__ import annotations

import random
from typing import Any

import pytest

from isa.test_lint import RIGHT
from maiacc_isa.asm import assemble
from maiacc_isa.program import Program
from maiacc_sim.scalar_log import Scalars
from maiacc_sim.timing.run import Timed, time_program
from sim.cycles_table import FILES, read
from support import kernel

#: Kernels at sizes whose loops repeat: name, target, sizes, and whether turns must be skipped.
LONG: list[tuple[str, str, dict[str, int], bool]] = [
    ("gemm_simple", "mini", {"m": 200, "k": 3000}, True),
    ("matvec", "mini", {"k": 9000}, True),
    ("layernorm", "mini", {"rows": 3000}, True),
    ("matvec", "maia200", {}, True),
    ("lstm", "mini", {"steps": 60}, False),
    ("attention", "mini", {"seq": 200}, False),
    ("depthwise", "mini", {"batch": 12}, False),
    ("allgather_ring", "mini2", {"n": 20000, "piece": 64}, False),
    ("allreduce", "mini2", {"n": 9000}, False),
    ("moe_prefill", "mini", {"t": 60}, False),
    ("kv_decode", "mini", {"capacity": 400}, False),
]


def _time(program: Program, skip: bool) -> Timed:
    parameters = {number: p.high for number, p in enumerate(program.parameters)}
    return time_program(program, Scalars(parameters), skip=skip)


def _everything(timed: Timed) -> Any:
    account = timed.account
    return (
        account.cycles,
        [(s.block, s.start, s.end) for s in account.spans],
        [(str(u.queue), u.words, u.busy, dict(u.waits)) for u in account.queues],
        {key: (u.count, u.busy, dict(u.waits)) for key, u in account.words.items()},
        account.port_ticks,
    )


@pytest.mark.parametrize(("name", "target", "sizes", "must"), LONG)
def test_long_loops(name: str, target: str, sizes: dict[str, int], must: bool) -> None:
    program = kernel(name, target, sizes)
    quick, whole = _time(program, True), _time(program, False)
    assert _everything(quick) == _everything(whole)
    assert whole.account.skipped == 0
    assert not must or quick.account.skipped > whole.account.executed // 3


@pytest.mark.parametrize("path", [*RIGHT, *FILES], ids=lambda path: path.stem)
def test_short_programs(path: Any) -> None:
    program = read(path).program if path in FILES else assemble(path.read_text("utf-8"), path.name)
    if any(p.high > 1000 for p in program.parameters):
        return
    assert _everything(_time(program, True)) == _everything(_time(program, False))


LOOPS = """mist 1.0
target mini
input  X : bf16[64, 64] @ 0x0
output Y : bf16[64, 64] @ 0x10000
block main {{
  reg a = s0
  buffer t : bf16[8, 64] @tsram 0x0 slots 2 pitch 0x400
  buffer u : bf16[8, 64] @tsram 0x800 slots 2 pitch 0x400
  sem full : LD0 -> TVP tile
  sem free : TVP -> LD0 tile = {free}
  sem done : TVP -> ST tile
  sem empty : ST -> TVP tile = {empty}
  chain twice : fp32 = add(a, a)
  a = {trip} on tile
  loop i < {outer} on tile {{
    loop j < {inner} on tile {{
      LD0 copy t{{r:{rows}, c:{columns}}}[r, c], X{{r:{rows}, c:{columns}}}[r, c] wait(free) post(full)
      {extra}
      TVP vmap u{{r:{rows}, c:{columns}}}[r, c], t{{r:{rows}, c:{columns}}}[r, c] chain=twice wait(full, empty) post(free, done)
      ST copy Y{{r:{rows}, c:{columns}}}[r, c], u{{r:{rows}, c:{columns}}}[r, c] wait(done) post(empty)
    }}
    a = (a + {step}) mod 7 on tile
    loop k < a on tile {{
      TVP sync
    }}
  }}
}}
"""


@pytest.mark.parametrize("seed", range(24))
def test_random_loops(seed: int) -> None:
    """Nests whose turns differ by registers, tiles and sizes; the words need not be proven."""
    draw = random.Random(seed)
    text = LOOPS.format(
        free=draw.randint(1, 2),
        empty=draw.randint(1, 2),
        trip=draw.randint(0, 6),
        outer=draw.randint(2, 40),
        inner=draw.choice([1, 3, 50, 400]),
        rows=draw.randint(1, 8),
        columns=draw.choice([1, 7, 32, 64]),
        step=draw.choice([0, 0, 1, 3]),
        extra=draw.choice(["", "TTU sync", "LD1 sync", "loop z < 3 on tile {\n TTU sync\n }"]),
    )
    program = assemble(text, "loops")
    quick, whole = _time(program, True), _time(program, False)
    assert _everything(quick) == _everything(whole)
