"""Results that the next word copies to an output: they are written there only.

What a tile has computed it stores by a word of its own. If that is the next one to go, and both
are about the same run of bytes, the first word writes to the output what it would have written to
scratch memory; there the bytes of the output stand for it (see ``aliases``). Only an output whose
bytes are written once is one of those, so its bytes are as constant as those of an input.
"""

from __future__ import annotations

from maiacc_sim.native.codes import SLOT
from maiacc_sim.native.lang.functions import native
from maiacc_sim.native.lang.names import i64, u8
from maiacc_sim.native.lang.operations import at_address, copy_bytes
from maiacc_sim.native.state import Machine, Onward, Thread
from maiacc_sim.native.values.aliases import host_of, stand_for
from maiacc_sim.native.values.views import is_run


@native()
def turn_onward(t: Thread, owners: i64) -> None:
    """Lets d lie where the next word copies it, if that copies all of it and nothing else."""
    d = t.views[SLOT.d]
    onward: Onward = t.onward
    same = owners == 1 and onward.owner == t.into and onward.dtype == d.dtype
    if same and d.empty == 0 and is_run(d) and d.low == onward.start:
        if d.count * d.width == onward.size:
            d.memory = at_address(u8, onward.address - onward.start)
            return
    onward.address = 0


@native()
def stand_onward(m: Machine, t: Thread) -> None:
    """Lets the output stand for what the word at hand should have written to scratch memory."""
    onward: Onward = t.onward
    memory = m.memories[onward.owner]
    start = onward.start
    if not stand_for(memory, start, start + onward.size, onward.address - start):
        copy_bytes(host_of(memory, start), at_address(u8, onward.address), onward.size)
