"""Recordings of timed runs: slices, regions, counters and flows."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_isa.asm import assemble
from maiacc_sim.simulate import Options, Result, simulate
from maiacc_sim.tensors import random_inputs
from support import kernel

REGIONS = """mist 1.0
target mini
input  X : fp32[4, 8] @ 0
output Y : fp32[4, 8] @ 0x400
block main {
  buffer t : fp32[8] @tsram 0
  sem loaded : LD0 -> TVP tile
  sem done : TVP -> ST tile
  chain twice : fp32 = add(a, a)
  mark 1 begin on tile
  LD0 copy t{c:8}[c], X{c:8}[gtile, c] post(loaded)
  loop i < 3 on tile {
    mark 2 begin on tile
    TVP sync
    mark 2 end on tile
  }
  TVP vmap t{c:8}[c], t{c:8}[c] chain=twice wait(loaded) post(done)
  ST copy Y{c:8}[gtile, c], t{c:8}[c] wait(done)
  mark 1 end on tile
}
"""


def _run(text: str) -> Result:
    program = assemble(text, "regions.mist")
    return simulate(program, random_inputs(program, 1), None, Options(record=True))


def test_regions_nest_as_their_marks() -> None:
    result = _run(REGIONS)
    recording = result.recording("kernel")
    names = [word.mnemonic for word in recording.words]
    slices = recording.slices
    found = [
        (recording.tracks[t].path, recording.tracks[t].name, names[w], b, e)
        for t, w, b, e in zip(
            slices.track.tolist(),
            slices.word.tolist(),
            slices.begin.tolist(),
            slices.end.tolist(),
            strict=True,
        )
    ]
    tile = ("chip 0", "cluster 0", "tile 0")
    # Words of the tile: mark 0, load 1, loop 2, then marks at 3 and 5, 7 and 9, 11 and 13.
    inner = sorted((b, e) for path, _, name, b, e in found if path == tile and name == "region 2")
    assert inner == [(3, 5), (7, 9), (11, 13)]
    ((begin, end),) = [(b, e) for path, _, n, b, e in found if path == tile and n == "region 1"]
    assert (begin, end) == (0, 17)
    assert ((), "blocks", "block main", 0, result.cycles) in found
    layer = result.recording("layer")
    shown = {layer.words[w].mnemonic for w in layer.slices.word.tolist()}
    assert shown == {"block main", "region 1"}


@pytest.mark.parametrize("name", ["attention", "moe_prefill", "gemm_simple"])
def test_counters_and_flows_make_sense(name: str) -> None:
    program = kernel(name, "mini", {})
    inputs = random_inputs(program, 1)
    result = simulate(program, inputs, None, Options(record=True))
    recording = result.recording()
    slices, flows = recording.slices, recording.flows
    assert flows is not None
    assert len(flows.poster) > 0
    assert len(slices) == result.timed.account.executed
    # Tokens arrive behind the completion of who posts them.
    assert bool(np.all(slices.complete[flows.poster] < slices.begin[flows.waiter]))
    assert bool(np.all(slices.begin < slices.end))
    assert bool(np.all(slices.end <= slices.complete))
    assert int(slices.complete.max()) <= result.cycles
    for counter in recording.counters:
        assert bool(np.all(counter.values >= 0)), counter.name
        if counter.unit == "bytes":
            space = counter.name.split()[0]
            assert int(counter.values.max()) <= program.machine.space_bytes(space)
            assert counter.values[-1] == 0
    busy = {
        (track.path, track.name): int((slices.end - slices.begin)[slices.track == number].sum())
        for number, track in enumerate(recording.tracks)
    }
    for use, track in zip(result.timed.account.queues, recording.tracks, strict=True):
        if use.queue.row.engine != "control":
            wanted = use.busy + use.of_kind("port") + use.of_kind("barrier")
            assert busy[track.path, track.name] == wanted, use.queue
