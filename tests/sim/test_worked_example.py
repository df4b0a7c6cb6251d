"""The worked example of the manual's chapter on time, run by the event model."""

from __future__ import annotations

from maiacc_isa.asm import assemble
from maiacc_sim.simulate import Options, simulate
from maiacc_sim.tensors import random_inputs

#: The words before the load take cycles 0 to 8; it is pushed in 9 and starts in 10. Tiles 0 and 1
#: are in one cluster, so the second load shares NoC and HBM with the first.
TEXT = """mist 1.0
target mini
input  X : bf16[8, 64] @ 0x0
block main {{
  buffer t : bf16[8, 16] @tsram 0x0
  sem full : LD0 -> TVP tile
  {nops}
  loop x < 1 on tile {{
    LD0 copy t{{i:8, j:16}}[i, j], X{{i:8, j:16}}[i, j] post(full)
    TVP sync wait(full)
  }}
}}
"""


def test_the_worked_example() -> None:
    program = assemble(TEXT.format(nops="nop on tile\n  " * 8), "worked.mist")
    result = simulate(program, random_inputs(program, 0), None, Options(record=True))
    recorder, system = result.recorder, result.timed.engine.system
    assert recorder is not None
    found = {}
    for event in range(len(recorder)):
        of = system.queues[recorder.unit[event]]
        if of.instance.cluster == 0 and of.instance.tile in (0, 1):
            found[of.name, of.instance.tile] = (
                recorder.begin[event],
                recorder.end[event] - recorder.begin[event],
                recorder.complete[event],
            )
    assert found["LD0", 0] == (10, 8, 60)
    assert found["TVP", 0][0] == 61
    # Behind the first at HBM: 8 cycles of its 16 are waiting for the port. Those of the other
    # cluster's tiles come after both.
    assert found["LD0", 1] == (10, 16, 68)
    waits = {str(u.queue): dict(u.waits) for u in result.timed.account.queues}
    assert waits["LD0 of chip 0 cluster 0 tile 0"].get(("port", "hbm")) is None
    assert waits["LD0 of chip 0 cluster 0 tile 1"]["port", "hbm"] == 8
    assert waits["LD0 of chip 0 cluster 1 tile 1"]["port", "hbm"] == 24
