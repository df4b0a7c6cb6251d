"""What words of the network queues do: whose memory on which chip."""

from __future__ import annotations

import numpy as np
import pytest

from maiacc_sim.traps import Trap
from sim.bench import Bench

PAIR = """
    reg peer = s0
    mask both = {0, 1}
    buffer x : fp32[4] @hbm 0x0
    buffer y : fp32[4] @csram 0x0
    peer = 1 - chip on chip
"""


def refused(bench: Bench) -> Trap:
    """The trap peer that a bench's words end in."""
    with pytest.raises(Trap) as trap:
        bench.go(everywhere=True)
    assert trap.value.name == "peer"
    return trap.value


def test_words_of_the_network_write_to_the_peer() -> None:
    bench = Bench(
        PAIR
        + """
    buffer z : fp32[4] @hbm 0x40
    NET0 put y@[1]{i:4}[i], x{i:4}[i] peer=peer
    NET1 putm z{i:4}[i], x{i:4}[i] group=both
    NET0 sync
    NET0 grant peer=peer
    NET1 bar group=both
    NET0 putadd z{i:4}[i], y@[1]{i:4}[i] peer=peer
    """,
        "mini2",
    )
    chips = [bench.system.instance("chip", n) for n in (0, 1)]
    far = [bench.system.instance("cluster", n, 1) for n in (0, 1)]
    for number, chip in enumerate(chips):
        bench.put("x", (np.arange(4, dtype=np.float32) + 10 * number).view(np.uint32), chip)
    bench.go(everywhere=True)
    for number in (0, 1):
        other = np.arange(4) + 10 * (1 - number)
        assert bench.get("y", far[number]).view(np.float32).tolist() == other.tolist()
        # What the other chip put here, and then the other chip's csram, which holds our x.
        total = other + np.arange(4) + 10 * number
        assert bench.get("z", chips[number]).view(np.float32).tolist() == total.tolist()


def test_a_link_that_leads_elsewhere_traps() -> None:
    for words in ("NET0 grant peer=peer", "NET0 put x{i:2}[i], x{i:2}[i + 2] peer=peer"):
        for value in ("chip", "2", "-1"):
            text = PAIR.replace("1 - chip", value) + words
            assert refused(Bench(text, "mini2")).found is not None
    text = PAIR.replace("{0, 1}", "{1}") + "NET1 bar group=both"
    refused(Bench(text, "mini2"))
